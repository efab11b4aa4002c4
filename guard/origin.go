package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// CheckAddress refuses an address that is none, or that others reach without a token.
func CheckAddress(address string, token bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--address %s: want host:port, as in 127.0.0.1:8000", address)
	}
	ip := net.ParseIP(host)
	if loopback := strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback(); !loopback && !token {
		return fmt.Errorf("--address %s: others reach it, so it needs --token-file FILE", address)
	}
	return nil
}

// Local reports whether a Host header names this machine. Names that others can point at it (DNS
// rebinding) do not.
func Local(host string) bool {
	name := host
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		name = h
		if strings.HasPrefix(host, "[") {
			name = "[" + h + "]"
		}
	}
	switch strings.ToLower(name) {
	case "localhost", "127.0.0.1", "[::1]":
		return true
	}
	return false
}

// CrossSite reports whether a browser says that another site's page asks, other than by a link.
func CrossSite(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// Foreign reports whether a request comes from a page of another origin than the server's own, as
// far as a browser says where it comes from.
func Foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host)
}
