package data

import (
	"fmt"
	"unsafe"

	"mattis/rng"
)

// Binarize is the rule that makes spins of grey values in [0,1]. Its zero value
// is no rule: the data must hold two values already, 0 and 1 or -1 and +1.
// Name the rule next to every number that is measured: thresholds of 0.3, 0.5
// and the stochastic rule differ by several nats.
type Binarize struct {
	Threshold  *float64 // grey values above it become +1; in [0,1). float32 values are compared as float32: the number 0.3 is not above 0.3
	Stochastic bool     // a grey value is the probability of +1, drawn once at (row of the file, spin)
	Anew       bool     // beside Stochastic: the training set keeps its greys, to be drawn anew (Set.Greys)
}

func (b Binarize) given() bool { return b.Threshold != nil || b.Stochastic }

func (b Binarize) check() error {
	if b.Threshold != nil && b.Stochastic {
		return fmt.Errorf("data.binarize: both a threshold and stochastic: set one")
	}
	if b.Anew && !b.Stochastic {
		return fmt.Errorf("data.binarize: only what is stochastic is drawn anew")
	}
	if b.Threshold != nil && !(*b.Threshold >= 0 && *b.Threshold < 1) {
		return fmt.Errorf("data.binarize.threshold: %v is not in [0,1): 0.3 is the paper's", *b.Threshold)
	}
	return nil
}

// binarizer makes spins of the values of one file, one at a time, so that no
// reader holds more than a byte a value.
type binarizer struct {
	rule  Binarize
	key   rng.Key
	white float64 // the value of grey 1
	// cut, if not nil, is the threshold in the type of the values, float32 or less: 0.3 is then the
	// number next to it that the type has, which may be above the float64.
	cut   *float32
	signs bool // -1 was seen, and there is no rule
	zeros bool // 0 was seen, and there is no rule
	gaps  bool // missing entries are taken
	tally *Tally
	greys *Greys // of the training file where they are to be kept
}

// gap is the spin of a missing entry until finish makes it 0.
const gap = 2

// MissingError says that an entry is missing where rows have to be whole.
type MissingError struct{ Text string } // what stands in its place

func (e *MissingError) Error() string {
	return fmt.Sprintf("a missing entry (%s): rows with gaps are not trained on yet: fill it in, or leave the row out", e.Text)
}

func (o Options) binarizer(stream uint64) *binarizer {
	b := &binarizer{rule: o.Binarize, key: o.Key.Fold(stream), white: o.White, gaps: o.Missing, tally: o.tally}
	if b.white == 0 {
		b.white = 1
	}
	if o.Binarize.Anew && stream == streamTrain {
		b.greys = &Greys{}
	}
	return b
}

// spin returns the spin of value x at (row, col); NaN is a missing entry. Without a rule it may
// return 0, which finish turns into -1. The error names neither file nor place.
func (b *binarizer) spin(x float64, row, col int) (int8, error) {
	switch {
	case b.tally != nil:
		b.tally.meet(x)
		return 0, nil
	case x != x && b.gaps:
		return gap, nil
	case x != x:
		return 0, &MissingError{"NaN"}
	case x-x != 0:
		return 0, fmt.Errorf("the value %v is not finite", x)
	}
	grey := x / b.white
	if b.rule.given() {
		if !(grey >= 0 && grey <= 1) {
			return 0, b.outside(x)
		}
		up := false
		switch {
		case b.rule.Stochastic:
			if b.greys != nil && grey > 0 && grey < 1 {
				b.greys.add(row, col, grey)
			}
			up = grey == 1 || grey > 0 && float64(b.key.Uniform(uint64(row), uint64(col))) < grey // black and white need no draw
		case b.cut != nil:
			up = float32(x) > *b.cut
		default:
			up = grey > *b.rule.Threshold
		}
		if up {
			return 1, nil
		}
		return -1, nil
	}
	switch grey {
	case 1:
		return 1, nil
	case 0:
		b.zeros = true
		if !b.signs {
			return 0, nil
		}
	case -1:
		b.signs = true
		if !b.zeros {
			return -1, nil
		}
	default:
		return 0, &GreyError{Value: x, Signs: b.signs, White: b.white, Least: x, Most: x}
	}
	return 0, fmt.Errorf("the value %v in data that hold both 0 and -1: two-valued data are all 0/1 or all -1/+1", x)
}

// GreyError says that a value of data without a rule of binarisation is neither of two.
type GreyError struct {
	Value       float64
	Signs       bool    // -1 came before it, so that the values are no greys
	White       float64 // the value of grey 1
	Least, Most float64 // of this value and those after it that were looked at
}

// lookedAt bounds the values after a wrong one that are looked at to say what kind of data they
// are.
const lookedAt = 10_000

// meet widens the range by a value.
func (e *GreyError) meet(x float64) { e.Least, e.Most = min(e.Least, x), max(e.Most, x) }

// Greys reports whether the values can be greys: a rule of binarisation then makes spins of them.
func (e *GreyError) Greys() bool { return !e.Signs && e.Least >= 0 && e.Most <= e.White }

func (e *GreyError) Error() string {
	switch {
	case e.Signs:
		return fmt.Sprintf("the value %v in data that hold -1: two-valued data are all 0/1 or all -1/+1", e.Value)
	case e.Greys():
		return fmt.Sprintf("the value %v makes the data more than two-valued (0/1 or -1/+1): set data.binarize to {threshold: 0.3} or stochastic", e.Value)
	}
	values := fmt.Sprintf("the value %v is neither of two (0/1 or -1/+1), and there are values from %v to %v", e.Value, e.Least, e.Most)
	if e.Least < 0 {
		return values + ": measurements and no spins: cut each column where that has a meaning, such as at 0 or at its median, and write 0/1; or scale greys to [0,1] and set data.binarize"
	}
	return fmt.Sprintf("%s: if they are greys, set data.white to that of white, such as %v, and data.binarize; if they are classes, they are no spins: write a column of 0/1 for each", values, e.Most)
}

// SignError says that there is a value -1 in data that a rule of binarisation takes for greys.
type SignError struct{ Value, White float64 }

func (e *SignError) Error() string {
	return fmt.Sprintf("the value %v is no grey value in [0,%v]: if the data are -1/+1, leave data.binarize out", e.Value, e.White)
}

func (b *binarizer) outside(x float64) error {
	switch {
	case x == -b.white:
		return &SignError{x, b.white}
	case x > 1 && x <= 255 && b.white == 1:
		return fmt.Errorf("the value %v is no grey value in [0,1]: set data.white to 255 if the values go up to that", x)
	}
	return fmt.Errorf("the value %v is no grey value in [0,%v]", x, b.white)
}

// finish gives the set what was read of it beside its spins, turns the zeros of 0/1 data into -1,
// and missing entries into 0.
func (b *binarizer) finish(s *Set) {
	if b.greys != nil {
		b.greys.sort()
		s.Greys = b.greys
	}
	spins := s.Spins
	if !b.zeros && !b.gaps {
		return
	}
	for i, s := range spins {
		switch s {
		case 0:
			spins[i] = -1
		case gap:
			spins[i] = 0
		}
	}
}

// bytes sets the spins of the set's rows to those of unsigned bytes, in the memory of the bytes,
// which are gone. White is 255 unless the options say otherwise or no byte exceeds 1; place names
// where value i is, for errors.
func (o Options) bytes(s *Set, values []uint8, stream uint64, place func(i int) string) error {
	b, width := o.binarizer(stream), s.Visible
	if o.White == 0 {
		for _, v := range values {
			if v > 1 {
				b.white = 255
				break
			}
		}
	}
	spins := unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(values))), len(values))
	for row := 0; row*width < len(values); row++ {
		for col, v := range values[row*width : (row+1)*width] {
			x, err := b.spin(float64(v), row, col)
			if err != nil {
				return fmt.Errorf("%s: %w", place(row*width+col), err)
			}
			spins[row*width+col] = x
		}
	}
	s.Spins = spins
	b.finish(s)
	return nil
}
