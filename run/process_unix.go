//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package run

import (
	"errors"

	"golang.org/x/sys/unix"
)

// running reports whether there is a process of that number here.
func running(pid int) bool { return pid > 0 && !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }
