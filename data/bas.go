package data

import "fmt"

// BASImages is the family of bars and stripes of n x n pixels: bars repeat one
// row, stripes repeat one column, uniform images are left out. It has
// 2(2^n - 2) images, the bars first.
type BASImages int

// Size returns 2(2^n - 2).
func (n BASImages) Size() int { return 2 * BarImages(n).Size() }

// Contains reports whether spins is a bars or a stripes image.
func (n BASImages) Contains(spins []int8) bool { return n.Index(spins) >= 0 }

// Index returns the number of an image, or -1: that of BarImages for bars, and
// for stripes 2^n - 2 more than that of the transposed image.
func (n BASImages) Index(spins []int8) int {
	if i := BarImages(n).Index(spins); i >= 0 {
		return i
	}
	if len(spins) != int(n*n) || !repeatsColumn(spins, int(n)) {
		return -1
	}
	code, ok := line(spins, int(n), int(n))
	if !ok || code == 0 || code == 1<<n-1 {
		return -1
	}
	return BarImages(n).Size() + code - 1
}

// Image sets dst, of n x n spins, to image i.
func (n BASImages) Image(dst []int8, i int) {
	bars := BarImages(n).Size()
	if i < bars {
		BarImages(n).Image(dst, i)
		return
	}
	for p := range dst[:n*n] {
		dst[p] = int8((i-bars+1)>>(p/int(n))&1)*2 - 1
	}
}

// BAS returns bars and stripes of Options.Size x Size pixels (0 means 12),
// made, not read, labelled 0 (bars) and 1 (stripes). By default, and by the
// name "paper", a fifth of the images (Options.Test) is the test set and each
// image is on the side of its negative: F(v) = F(-v) would leak the test set
// otherwise. At size 12 this leaves 6550 of the 8188 images to train. The split
// "random" without Closed does not look at negatives.
func BAS(o Options) (*Split, error) {
	n, err := o.made("bas", 12)
	if err != nil {
		return nil, err
	}
	family := BASImages(n)
	all := allOf(family, o.rename(fmt.Sprintf("bas %dx%d", n, n)), n, FirstLine)
	all.Classes = []string{"bars", "stripes"}
	all.Labels = make([]int32, all.Rows)
	for i := all.Rows / 2; i < all.Rows; i++ {
		all.Labels[i] = 1
	}
	if o.Split == "paper" || o.Split == "" {
		o.Closed = true
	}
	return o.splitFamily(all, family)
}
