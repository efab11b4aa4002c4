//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// detach makes the command one of a session of its own: a Ctrl-C in the terminal ends this process
// and not the browser.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
