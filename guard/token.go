// Package guard is what the program's servers share: who may ask them (addresses, tokens, hosts,
// origins), and the bounds on slow and endless requests.
package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
)

// shortestToken is the number of characters that nobody guesses.
const shortestToken = 16

// ReadToken returns the token in a file; "" where no file is named. exposed says in words that
// others may read the file, "" where they may not or where that is not known.
func ReadToken(path string) (token, exposed string, err error) {
	if path == "" {
		return "", "", nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", "", fmt.Errorf("--token-file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > 4096 {
		return "", "", fmt.Errorf("--token-file %s: want a file of one line", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		exposed = fmt.Sprintf("--token-file %s: others may read it (mode %v); chmod 600 %s", path, info.Mode().Perm(), path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", exposed, fmt.Errorf("--token-file: %w", err)
	}
	token = strings.TrimSpace(string(b))
	if len(token) < shortestToken || strings.ContainsAny(token, " \t\r\n") {
		return "", exposed, fmt.Errorf("--token-file %s: want one word of at least %d characters", path, shortestToken)
	}
	return token, exposed, nil
}

// Equal reports whether two secrets are the same, in a time that tells nothing about either.
func Equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Bearer reports whether a request shows the token as Authorization: Bearer.
func Bearer(r *http.Request, token string) bool {
	kind, given, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return ok && strings.EqualFold(kind, "Bearer") && Equal(strings.TrimSpace(given), token)
}
