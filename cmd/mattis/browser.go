package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"time"
)

// soon bounds how long after its start the command that opens a browser may fail for that to mean
// that it found none: some of them live as long as the browser.
const soon = 10 * time.Second

// openBrowser opens the page in the user's browser. Where that does not work it calls failed with
// what is to be done, perhaps later. The channel is closed when the command has ended.
func openBrowser(place string, failed func(error)) (ended chan struct{}) {
	command := []string{"xdg-open", place}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", place}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", place}
	}
	ended = make(chan struct{})
	fail := func(why string) { failed(fmt.Errorf("--open: %s; open the address yourself", why)) }
	c := exec.Command(command[0], command[1:]...)
	detach(c)
	begun := time.Now()
	if err := c.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			fail("there is no " + command[0] + " here")
		} else {
			fail(err.Error())
		}
		close(ended)
		return ended
	}
	go func() {
		defer close(ended)
		if err := c.Wait(); err != nil && time.Since(begun) < soon {
			fail(fmt.Sprintf("%s found no browser (%v)", command[0], err))
		}
	}()
	return ended
}
