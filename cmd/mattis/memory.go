package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// muchMemory is from where on a process spares memory before time, in bytes.
const muchMemory = 96 << 20

// enoughMemory returns an error where what a flag or field asks for takes more memory than there is: Go ends a process
// that runs out of memory with nothing but a trace.
func enoughMemory(what string, need float64) error {
	free, known := freeMemory(os.ReadFile)
	if known && need > free {
		return fmt.Errorf("%s: takes %s of memory, and %s are free", what, gibibytes(need), gibibytes(free))
	}
	return nil
}

func gibibytes(bytes float64) string {
	n := bytes / (1 << 30)
	if n >= 100 {
		return fmt.Sprintf("%.0f GiB", n)
	}
	return fmt.Sprintf("%.2g GiB", n)
}

// freeMemory returns the bytes that this process can still take, as Linux tells them: what is available, or the
// limit of its control group if that is less. Elsewhere it is not known.
func freeMemory(read func(path string) ([]byte, error)) (bytes float64, known bool) {
	text, err := read("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemAvailable:" && f[2] == "kB" {
			n, err := strconv.ParseFloat(f[1], 64)
			bytes, known = n*1024, err == nil
		}
	}
	// Part of what a control group uses are cached files, which give way: its limit alone is firm.
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if text, err := read(path); err == nil {
			if limit, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64); err == nil { // not "max"
				bytes = min(bytes, limit)
			}
		}
	}
	return bytes, known
}
