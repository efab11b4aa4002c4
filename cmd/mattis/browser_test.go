package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Fails where a machine without a browser is passed over in silence, and where an address is read
// by a shell on its way.
func TestOpenBrowser(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the command is another on this system")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	open := func(place string) string {
		t.Helper()
		said := make(chan string, 1)
		ended := openBrowser(place, func(err error) { said <- err.Error() })
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatal("the command does not end")
		}
		select {
		case line := <-said:
			return line
		default:
			return ""
		}
	}
	if got := open("http://127.0.0.1:1/"); got != "--open: there is no xdg-open here; open the address yourself" {
		t.Errorf("without a command: %q", got)
	}
	command := filepath.Join(dir, "xdg-open")
	script := func(text string) {
		t.Helper()
		if err := os.WriteFile(command, []byte("#!/bin/sh\n"+text), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	script("exit 4\n")
	if got := open("http://127.0.0.1:1/"); !strings.Contains(got, "xdg-open found no browser (exit status 4)") {
		t.Errorf("a command that fails: %q", got)
	}
	script("printf %s \"$*\" >" + filepath.Join(dir, "got") + "\n")
	const place = "http://127.0.0.1:1/?token=a$(touch b)#view=curves"
	if got := open(place); got != "" {
		t.Errorf("a command that works: %q", got)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "got")); string(b) != place {
		t.Errorf("the command was given %q, %v", b, err)
	}
}
