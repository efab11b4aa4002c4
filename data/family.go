package data

// Family is a kind of image that can be enumerated, so that samples can be
// judged exactly: which of them are valid, and how many of all images occur.
type Family interface {
	// Size returns the number of images.
	Size() int
	// Contains reports whether spins is an image of the family.
	Contains(spins []int8) bool
	// Index returns the number of an image, in [0, Size), or -1 if spins is none.
	Index(spins []int8) int
	// Image sets dst, of length n x n, to image i.
	Image(dst []int8, i int)
}

var (
	_ Family = BarImages(0)
	_ Family = BASImages(0)
)

// allOf returns all images of a family of n x n pixels, in the order of their
// numbers.
func allOf(f Family, name string, n int, keep Region) *Set {
	s := &Set{Name: name, Rows: f.Size(), Visible: n * n, Height: n, Width: n, Keep: keep}
	s.Spins = make([]int8, s.Rows*s.Visible)
	for i := range s.Rows {
		f.Image(s.Row(i), i)
	}
	return s
}

// line returns the spins a, a+step, a+2 step ... as a number, bit j set where
// spin j is +1; ok is false if one of the n spins is neither -1 nor +1.
func line(spins []int8, n, step int) (code int, ok bool) {
	for j := range n {
		switch spins[j*step] {
		case 1:
			code |= 1 << j
		case -1:
		default:
			return 0, false
		}
	}
	return code, true
}

// repeatsRow reports whether each row of the image equals its first.
func repeatsRow(spins []int8, width int) bool {
	for p := width; p < len(spins); p++ {
		if spins[p] != spins[p-width] {
			return false
		}
	}
	return true
}

// repeatsColumn reports whether each column of the image equals its first.
func repeatsColumn(spins []int8, width int) bool {
	for p := range spins {
		if p%width > 0 && spins[p] != spins[p-1] {
			return false
		}
	}
	return true
}
