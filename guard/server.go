package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server returns a server with bounds on slow and endless requests. body is how long the bytes of a
// request may take; a handler sets the deadline of its answer.
func Server(h http.Handler, body time.Duration) *http.Server {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: body, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, Protocols: new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	return s
}

// TLS lets the server speak TLS of version 1.2 or newer by the certificate and its key.
func TLS(s *http.Server, cert, key string) error {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("--cert %s --key %s: %w", cert, key, err)
	}
	s.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	return nil
}

// Serve answers requests until the context is cancelled. Then it takes no new ones, waits at most so
// long for those under way, and closes what is left.
func Serve(ctx context.Context, listener net.Listener, s *http.Server, grace time.Duration) error {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if s.Shutdown(closing) != nil {
			s.Close()
		}
	})
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(listener, "", "")
	} else {
		err = s.Serve(listener)
	}
	if !stop() {
		<-closed
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
