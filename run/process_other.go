//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package run

import "time"

// exists cannot be known here.
func exists(int) bool { return true }

func processStart(int) (time.Time, bool) { return time.Time{}, false }
