package view

import (
	"bufio"
	"fmt"
	"io"
)

// Text writes images of spins as characters, two rows of pixels a line, each
// image in a frame and as many side by side as fit into so many columns (80 if that is
// 0). +1 is full and -1 empty; an unknown pixel, 0, is shaded where its
// neighbour in the same character is unknown too, and empty elsewhere.
func Text(w io.Writer, images [][]int8, height, width, columns int) error {
	if height < 1 || width < 1 {
		return fmt.Errorf("images of %d x %d pixels cannot be shown; plain rows have no picture", height, width)
	}
	if columns <= 0 {
		columns = 80
	}
	for i, x := range images {
		if len(x) != height*width {
			return fmt.Errorf("image %d has %d pixels, want %d x %d = %d", i, len(x), height, width, height*width)
		}
	}
	b := bufio.NewWriter(w)
	side := max(1, (columns+1)/(width+3)) // a frame of two and a space, but for the last
	for ; len(images) > 0; images = images[min(side, len(images)):] {
		row := images[:min(side, len(images))]
		frame(b, row, "┌", "┐", width)
		for y := 0; y < height; y += 2 {
			for i, x := range row {
				if i > 0 {
					b.WriteByte(' ')
				}
				b.WriteString("│")
				for c := range width {
					low := int8(-1)
					if y+1 < height {
						low = x[(y+1)*width+c]
					}
					b.WriteRune(half(x[y*width+c], low))
				}
				b.WriteString("│")
			}
			b.WriteByte('\n')
		}
		frame(b, row, "└", "┘", width)
	}
	return b.Flush()
}

func frame(b *bufio.Writer, row [][]int8, left, right string, width int) {
	for i := range row {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(left)
		for range width {
			b.WriteString("─")
		}
		b.WriteString(right)
	}
	b.WriteByte('\n')
}

// half returns the character of an upper and a lower pixel.
func half(upper, lower int8) rune {
	switch {
	case upper > 0 && lower > 0:
		return '█'
	case upper > 0:
		return '▀'
	case lower > 0:
		return '▄'
	case upper == 0 && lower == 0:
		return '░'
	}
	return ' '
}
