// Package exact implements sums over all states of a machine: enumeration, pattern classes, and
// what is read off them.
package exact

import "math"

// LogSum is the running logarithm of a sum of exponentials. The zero LogSum is
// the empty sum.
type LogSum struct {
	top, sum float64
	any      bool
}

// Add adds exp(x).
func (s *LogSum) Add(x float64) {
	switch {
	case !s.any:
		s.top, s.sum, s.any = x, 1, true
	case x <= s.top:
		s.sum += math.Exp(x - s.top)
	default:
		s.sum = s.sum*math.Exp(s.top-x) + 1
		s.top = x
	}
}

// Terms returns what the sum is made of, scale*exp(top), for another process; 0 and 0 of the empty
// one.
func (s *LogSum) Terms() (top, scale float64) { return s.top, s.sum }

// AddTerms adds the sum that has these terms. The empty sum takes over their bits.
func (s *LogSum) AddTerms(top, scale float64) {
	switch {
	case scale == 0:
	case !s.any:
		s.top, s.sum, s.any = top, scale, true
	case top <= s.top:
		s.sum += scale * math.Exp(top-s.top)
	default:
		s.sum = s.sum*math.Exp(s.top-top) + scale
		s.top = top
	}
}

// Log returns the logarithm of the sum, -Inf of the empty one.
func (s *LogSum) Log() float64 {
	if !s.any {
		return math.Inf(-1)
	}
	return s.top + math.Log(s.sum)
}
