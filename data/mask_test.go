package data

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestMasks(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"m.png": pngFile(grey([]uint8{255, 0}, []uint8{200, 90}, []uint8{0, 0})),
		"m.npy": npyFile([]bool{true, false, true, false, false, false}, 3, 2),
		"f.npy": npyFile([]uint8{1, 0, 9, 0, 0, 0}, 6),
	})
	for text, want := range map[string]string{
		"rows:1-2":                  "++++..",
		"rows:3":                    "....++",
		"spins:2-4":                 ".+++..",
		filepath.Join(dir, "m.png"): "+.+...",
		filepath.Join(dir, "m.npy"): "+.+...",
		filepath.Join(dir, "f.npy"): "+.+...",
	} {
		mask, err := ParseMask(text, 6, 3, 2)
		if err != nil {
			t.Error(err)
			continue
		}
		src := []int8{1, -1, 1, -1, 1, -1}
		dst := []int8{7, 7, 7, 7, 7, 7}
		Corrupt(dst, src, mask)
		for i, c := range want {
			if mask[i] != (c == '+') || mask[i] && dst[i] != src[i] || !mask[i] && dst[i] != 0 {
				t.Errorf("%s: mask %v makes %v of %v", text, mask, dst, src)
			}
		}
	}
	if _, err := ParseMask("rows:1-2", 6, 0, 0); err == nil || !strings.Contains(err.Error(), "plain rows of 6 spins") {
		t.Errorf("rows of plain rows: %v", err)
	}
}
