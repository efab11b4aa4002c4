package main

import (
	"os"
	"testing"
)

// TestFreeMemory fails for a unit taken wrong, for a limit that is passed over, and for "max" taken as a number.
func TestFreeMemory(t *testing.T) {
	const meminfo = "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\nHugePages_Total:       0\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  float64
		known bool
	}{
		{"no limit", map[string]string{"/proc/meminfo": meminfo, "/sys/fs/cgroup/memory.max": "max\n"}, 8000000 * 1024, true},
		{"a limit", map[string]string{"/proc/meminfo": meminfo, "/sys/fs/cgroup/memory.max": "1048576\n"}, 1048576, true},
		{"a limit of the old kind", map[string]string{"/proc/meminfo": meminfo, "/sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n"}, 4096, true},
		{"another system", map[string]string{}, 0, false},
	} {
		got, known := freeMemory(func(path string) ([]byte, error) {
			if text, ok := c.files[path]; ok {
				return []byte(text), nil
			}
			return nil, os.ErrNotExist
		})
		if got != c.want || known != c.known {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, got, known, c.want, c.known)
		}
	}
}
