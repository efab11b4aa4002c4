package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"mattis/guard"
	"mattis/watch"
)

// servePage answers requests for the page until the context is cancelled.
func servePage(ctx context.Context, listener net.Listener, s *watch.Server, server *http.Server) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	following := make(chan struct{})
	go func() {
		defer close(following)
		s.Run(ctx)
	}()
	err := guard.Serve(ctx, listener, server, time.Second)
	cancel()
	<-following
	return err
}

// pageAddress returns the address of the page for people.
func pageAddress(asked string, got net.Addr, token string) string {
	u := addressOf("http", asked, got)
	if token != "" {
		u.RawQuery = url.Values{"token": {token}}.Encode()
	}
	return u.String()
}

// addressOf returns the address of a server that was asked to listen on one and got another, with a
// name that others know this machine by where it listens on all its addresses.
func addressOf(scheme, asked string, got net.Addr) *url.URL {
	host, _, _ := net.SplitHostPort(asked)
	_, port, _ := net.SplitHostPort(got.String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: "/"}
}

// trainingPage is the page over one run, in the process that trains it. A nil one is no page: its
// methods do nothing.
type trainingPage struct {
	listener net.Listener
	open     bool // in the browser
	run      string
	server   *watch.Server
	quit     func()        // ends the serving
	served   chan struct{} // closed when it has ended
	opened   chan struct{} // closed when the browser's command has ended
	lines    chan string   // for the user, to be written between lines of the progress
}

// newTrainingPage returns a page that has an address and answers nobody before show: what can be
// wrong is found before a run directory is made.
func newTrainingPage(open bool) (*trainingPage, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("--watch: no address to serve the page on: %w", err)
	}
	return &trainingPage{listener: listener, open: open, lines: make(chan string, 16)}, nil
}

// show serves the page over the run directory at path and says where.
func (p *trainingPage) show(path string, w io.Writer) error {
	if p == nil {
		return nil
	}
	library, err := watch.Open(path)
	if err != nil {
		return err
	}
	place := pageAddress(p.listener.Addr().String(), p.listener.Addr(), "") + "#view=curves"
	fmt.Fprintf(w, "page: %s (ends with the training; mattis watch %s shows the run afterwards)\n", place, path)
	p.run, p.server = path, watch.NewServer(library, "")
	server := p.server.HTTPServer()
	server.ErrorLog = log.New(p, "the page: ", 0)
	// Not the command's context: an interrupt leaves the page until the checkpoint is written.
	ctx, quit := context.WithCancel(context.Background())
	p.quit, p.served = quit, make(chan struct{})
	go func() {
		defer close(p.served)
		if err := servePage(ctx, p.listener, p.server, server); err != nil {
			p.say(fmt.Sprintf("the page has ended, the training goes on: %v", err))
		}
	}()
	if p.open {
		p.opened = openBrowser(place, func(err error) { p.say(err.Error()) })
	}
	return nil
}

// say keeps a line for the user; it waits for nobody.
func (p *trainingPage) say(line string) {
	select {
	case p.lines <- line:
	default:
	}
}

// Write keeps a line of the server's log for the user.
func (p *trainingPage) Write(b []byte) (int, error) {
	line, _, _ := strings.Cut(string(b), "\n") // a stack may follow
	p.say(line)
	return len(b), nil
}

// tell gives the lines that were kept to println.
func (p *trainingPage) tell(println func(string)) {
	if p == nil {
		return
	}
	for {
		select {
		case line := <-p.lines:
			println(line)
		default:
			return
		}
	}
}

// farewell lets browsers that look at the page have the last lines and ends it.
func (p *trainingPage) farewell(println func(string)) {
	if p == nil || p.server == nil {
		return
	}
	p.server.Farewell(fmt.Sprintf("The process that trained this run has ended, and this page with it; mattis watch %s shows the run again.", p.run))
	p.quit()
	<-p.served
	if p.opened != nil { // whether a browser was found is known by now, or soon
		select {
		case <-p.opened:
		case <-time.After(time.Second):
		}
	}
	p.tell(println)
}

// Close gives the address back.
func (p *trainingPage) Close() {
	if p != nil {
		p.listener.Close()
	}
}
