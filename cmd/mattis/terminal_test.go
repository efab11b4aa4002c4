package main

import (
	"os"
	"testing"
)

// A terminal that cannot rewrite lines is told plain ones.
func TestDumbTerminal(t *testing.T) {
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	for value, want := range map[string]bool{"xterm": true, "": true, "dumb": false} {
		t.Setenv("TERM", value)
		if got, _ := terminal(f); got != want {
			t.Errorf("TERM=%s: rewritten lines %v, want %v", value, got, want)
		}
	}
}
