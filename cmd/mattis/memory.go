package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"mattis/compute/cpu"
	"mattis/data"
	"mattis/recipe"
)

// muchMemory is from where on a process spares memory before time, in bytes.
const muchMemory = 96 << 20

// enoughMemory returns an error where what a flag or field asks for takes more memory than there
// is: Go ends a process that runs out of memory with nothing but a trace.
func enoughMemory(what string, need float64) error {
	free, known := freeMemory(os.ReadFile)
	if known && need > free {
		return memoryError(fmt.Sprintf("%s: takes %s of memory, and %s are free", what, gibibytes(need), gibibytes(free)))
	}
	return nil
}

// memoryError says what takes more memory than there is.
type memoryError string

func (e memoryError) Error() string { return string(e) }

// roomFor returns the bytes that training the recipe on the split takes, or an error where that is
// more than there is.
func roomFor(r *recipe.Recipe, split *data.Split, threads int) (bytes float64, err error) {
	bytes, field := r.LeastMemory(split.Train.Rows, split.Train.Visible)
	if err := enoughMemory(field, bytes); err != nil {
		return 0, err
	}
	if bytes, err = r.Memory(split, cpu.NewDry(threads)); err != nil {
		return 0, err
	}
	return bytes, enoughMemory(field, bytes)
}

// gcPercent returns how far the heap may grow beyond what is held, of a training that takes so many
// bytes.
func gcPercent(bytes float64) int {
	if bytes < muchMemory {
		return 100
	}
	return recipe.GCPercent
}

func gibibytes(bytes float64) string {
	n := bytes / (1 << 30)
	if n >= 100 {
		return fmt.Sprintf("%.0f GiB", n)
	}
	return fmt.Sprintf("%.2g GiB", n)
}

// freeMemory returns the bytes that this process can still take, as Linux tells them: what is
// available, or the limit of its control group if that is less. Elsewhere it is not known.
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
