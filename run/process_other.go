//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package run

// running reports whether there is a process of that number here: it may be, for the system is not asked.
func running(int) bool { return true }
