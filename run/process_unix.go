//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package run

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// exists reports whether a process has this number.
func exists(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

// processStart returns when the process began, where /proc tells.
func processStart(pid int) (time.Time, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return time.Time{}, false
	}
	// The name in the second field may hold anything; the fields behind it begin with the third.
	// Field 22 is the start in hundredths of a second after boot, on every Linux that Go runs on.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return time.Time{}, false
	}
	ticks, err := strconv.ParseInt(string(fields[19]), 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return time.Time{}, false
	}
	first, _, _ := bytes.Cut(uptime, []byte(" "))
	up, err := strconv.ParseFloat(string(first), 64)
	if err != nil {
		return time.Time{}, false
	}
	age := time.Duration(up*float64(time.Second)) - time.Duration(ticks)*(time.Second/100)
	return time.Now().Add(-age), true
}
