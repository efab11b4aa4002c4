package run

import (
	"fmt"
	"os"
)

// placeOf returns the path that an open file has now, or "".
func placeOf(f *os.File) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return ""
	}
	return path
}
