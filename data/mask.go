package data

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"mattis/rng"
)

// Corrupt sets dst to src where known, and to 0 elsewhere: the pattern that
// reconstruction starts from. All three have one length.
func Corrupt(dst, src []int8, known []bool) {
	if len(dst) != len(src) || len(known) != len(src) {
		panic(fmt.Sprintf("data: Corrupt of %d spins into %d by a mask of %d", len(src), len(dst), len(known)))
	}
	for i, k := range known {
		if k {
			dst[i] = src[i]
		} else {
			dst[i] = 0
		}
	}
}

// Flip sets dst to the first spins of src, so many of them flipped that their share is the nearest
// to the one wanted; which ones, the key chooses.
func Flip(dst, src []int8, share float64, key rng.Key) {
	order := make([]int32, len(dst))
	Order(order, key)
	copy(dst, src)
	for _, j := range order[:Flips(share, len(dst))] {
		dst[j] = -dst[j]
	}
}

// Flips returns how many of n spins are flipped where a share of them is.
func Flips(share float64, n int) int { return int(math.Round(share * float64(n))) }

// ParseMask returns the known spins, of length visible, that text names:
// "rows:a-b", the rows a to b of an image, "spins:a-b", the spins a to b of a
// pattern, both counted from 1 and with both ends, or the path of a file: a PNG
// or JPEG image whose brighter half of greys is known, or an npy array that is
// true or not 0 where known. Height and width are 0 for plain rows.
func ParseMask(text string, visible, height, width int) ([]bool, error) {
	if span, ok := strings.CutPrefix(text, "rows:"); ok {
		if height == 0 {
			return nil, fmt.Errorf("%s: the patterns are plain rows of %d spins, not images: use spins:a-b or a file", text, visible)
		}
		a, b, err := parseSpan(text, span, "rows", height)
		if err != nil {
			return nil, err
		}
		return maskSpan(visible, (a-1)*width, b*width), nil
	}
	if span, ok := strings.CutPrefix(text, "spins:"); ok {
		a, b, err := parseSpan(text, span, "spins", visible)
		if err != nil {
			return nil, err
		}
		return maskSpan(visible, a-1, b), nil
	}
	switch strings.ToLower(filepath.Ext(text)) {
	case ".png", ".jpg", ".jpeg":
		return maskImage(text, visible, height, width)
	case ".npy":
		return maskArray(text, visible, height, width)
	}
	return nil, fmt.Errorf("%q names no known spins: rows:a-b, spins:a-b, or a .png, .jpg or .npy file", text)
}

// parseSpan returns the ends of "a-b" or "a", of n things counted from 1.
func parseSpan(text, span, things string, n int) (a, b int, err error) {
	first, last, two := strings.Cut(span, "-")
	if !two {
		last = first
	}
	a, errA := strconv.Atoi(first)
	b, errB := strconv.Atoi(last)
	if errA != nil || errB != nil || a < 1 || b < a || b > n {
		return 0, 0, fmt.Errorf("%s: the %s are numbered 1 to %d: write %s:1-%d for the first half", text, things, n, things, max(1, n/2))
	}
	return a, b, nil
}

func maskSpan(visible, from, to int) []bool {
	mask := make([]bool, visible)
	for i := from; i < to; i++ {
		mask[i] = true
	}
	return mask
}

func maskImage(path string, visible, height, width int) ([]bool, error) {
	if height == 0 {
		return nil, fmt.Errorf("%s: the patterns are plain rows of %d spins, not images: use spins:a-b or an .npy file", path, visible)
	}
	img, err := openImage(path, height, width)
	if err != nil {
		return nil, err
	}
	mask := make([]bool, visible)
	at := img.Bounds().Min
	for i := range mask {
		mask[i] = greyAt(img, at.X+i%width, at.Y+i/width) > 0.5
	}
	return mask, nil
}

func maskArray(path string, visible, height, width int) ([]bool, error) {
	t, err := (Options{}).openArray(path)
	if err != nil {
		return nil, err
	}
	flat := len(t.Shape) == 1 && t.Shape[0] == visible
	if !flat && !(height > 0 && len(t.Shape) == 2 && t.Shape[0] == height && t.Shape[1] == width) {
		wanted := fmt.Sprintf("[%d]", visible)
		if height > 0 {
			wanted += fmt.Sprintf(" or [%d %d]", height, width)
		}
		return nil, fmt.Errorf("%s: a mask of shape %v, where %s is wanted", path, t.Shape, wanted)
	}
	at := element(t)
	mask := make([]bool, visible)
	for i := range mask {
		mask[i] = at(i) != 0
	}
	return mask, nil
}
