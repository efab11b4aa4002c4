package data

import "fmt"

// MinSize and MaxSize bound the side of Bars and BAS: all images are kept in memory, and
// at 16 they are 131068 of 256 spins.
const MinSize, MaxSize = 2, 16

// BarImages is the family of Bars of n x n pixels: one row repeated n times,
// uniform images left out. It has 2^n - 2 images.
type BarImages int

// Size returns 2^n - 2.
func (n BarImages) Size() int { return 1<<n - 2 }

// Contains reports whether spins is one row repeated n times, not uniform.
func (n BarImages) Contains(spins []int8) bool { return n.Index(spins) >= 0 }

// Index returns the number of a Bars image, or -1. Spin j of the repeated row
// is bit j of the number plus one, so image i is the negative of image
// Size-1-i.
func (n BarImages) Index(spins []int8) int {
	if len(spins) != int(n*n) || !repeatsRow(spins, int(n)) {
		return -1
	}
	code, ok := line(spins, int(n), 1)
	if !ok || code == 0 || code == 1<<n-1 {
		return -1
	}
	return code - 1
}

// Image sets dst, of n x n spins, to image i.
func (n BarImages) Image(dst []int8, i int) {
	for p := range dst[:n*n] {
		dst[p] = int8((i+1)>>(p%int(n))&1)*2 - 1
	}
}

// paperBars are the repeated rows of the split of 4x4 Bars in the authors'
// program; the negative of each is on the same side.
var paperBars = struct{ train, test []string }{
	train: []string{"+---", "++--", "+++-", "+-++", "++-+"},
	test:  []string{"+-+-", "+--+"},
}

// Bars returns Bars of Options.Size x Size pixels (0 means 4), made, not read.
// The split "paper" is the one of the authors' program, for size 4 only, and
// the default there; other sizes are by default split at random with each image
// and its negative on one side.
func Bars(o Options) (*Split, error) {
	n, err := o.made("bars", 4)
	if err != nil {
		return nil, err
	}
	name := o.rename(fmt.Sprintf("bars %dx%d", n, n))
	family := BarImages(n)
	all := allOf(family, name, n, FirstRow)
	switch o.Split {
	case "paper", "":
		if n == 4 {
			if err := o.takes(false, true, "paper"); err != nil { // it is closed
				return nil, err
			}
			return &Split{
				Train:  all.Take(barNumbers(family, paperBars.train)).named(name + " train"),
				Test:   all.Take(barNumbers(family, paperBars.test)).named(name + " test"),
				Family: family,
			}, nil
		}
		if o.Split == "paper" {
			return nil, fmt.Errorf("data.split: the paper's split of bars is for data.size 4, not %d; take random", n)
		}
		o.Closed = true
	}
	return o.splitFamily(all, family)
}

// barNumbers returns the numbers of the images that repeat the rows, and of
// their negatives.
func barNumbers(n BarImages, rows []string) []int32 {
	var numbers []int32
	for _, row := range rows {
		i := -1
		for j, c := range row {
			if c == '+' {
				i += 1 << j
			}
		}
		numbers = append(numbers, int32(i), int32(n.Size()-1-i))
	}
	return numbers
}
