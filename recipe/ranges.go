package recipe

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

func oneOf(path, value string, allowed []string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	if value == "" {
		return wrong(path, "is missing, want one of %s", strings.Join(allowed, ", "))
	}
	return wrong(path, "%q is unknown, want one of %s", value, strings.Join(allowed, ", "))
}

// mostCount bounds the counts that a loop runs over or that memory is taken for.
const mostCount = 1 << 30

func between(path string, value, least, most int) error {
	if value < least || value > most {
		return wrong(path, "%d is out of range, want %d to %d", value, least, most)
	}
	return nil
}

func atLeast(path string, value, least int) error {
	if value < least {
		return wrong(path, "%d is out of range, want at least %d", value, least)
	}
	return nil
}

// within checks lo <= x <= hi, and that float32 tells x from 0.
func within(path string, x, lo, hi float64) error {
	if x >= lo && x <= hi {
		return notLost(path, x)
	}
	return wrong(path, "%v is out of range, want %s", x, span(x, lo, hi))
}

// span says from where to where a number may be that is x and should not.
func span(x, lo, hi float64) string {
	switch {
	case hi != math.MaxFloat32:
		return fmt.Sprintf("%v to %v", lo, hi)
	case x > hi && !math.IsInf(x, 0):
		return fmt.Sprintf("%v to %v: machines are kept in float32, which ends there", lo, largest)
	}
	return fmt.Sprintf("a finite number of at least %v", lo)
}

// largest is what messages call the largest number of float32: cut after two digits, so that it is
// in range itself.
const largest = 3.4e38

// notLost refuses a number that is not 0 and that float32, in which machines are kept, has as 0.
func notLost(path string, x float64) error {
	if x != 0 && float32(x) == 0 {
		return wrong(path, "%v is 0 in float32, want 0 or a number from %.2g on", x, math.SmallestNonzeroFloat32)
	}
	return nil
}
