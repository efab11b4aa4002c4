package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mattis/recipe"
	"mattis/run"
	"mattis/tensorfile"
	"mattis/view"
)

// checkText returns an error where rows of the machine have no place in a text.
func checkText(m *recipe.Model) error {
	if m.Height > 0 && m.Width > textWidth {
		return usageError{fmt.Errorf("--out is missing, want FILE.png or FILE.npy: images of %dx%d are too wide to be printed (at most %d)", m.Height, m.Width, textWidth)}
	}
	if m.Height == 0 && m.Pixels() > lineLength {
		return usageError{fmt.Errorf("--out is missing, want FILE.npy: rows of %d spins are too long to be printed (at most %d)", m.Pixels(), lineLength)}
	}
	return nil
}

// mostPictured bounds the images of one picture.
const mostPictured = 4096

// checkPicture returns an error where so many rows make no picture.
func checkPicture(out outFlag, height, count int) error {
	switch {
	case !out.is(".png"):
	case height == 0:
		return usageError{fmt.Errorf("--out %s: the rows are plain, not images; want FILE.npy", out.path)}
	case count > mostPictured:
		return usageError{fmt.Errorf("--count %d: a picture shows at most %d images; want FILE.npy", count, mostPictured)}
	}
	return nil
}

// printRows prints images as text, and plain rows as a line of + and - each.
func printRows(w io.Writer, rows [][]int8, height, width int) error {
	if height > 0 {
		return view.Text(w, rows, height, width, columns(w))
	}
	for _, row := range rows {
		if _, err := fmt.Fprintln(w, signs(row)); err != nil {
			return err
		}
	}
	return nil
}

// signs returns + for each spin up, - for one down and ? for one that is not known.
func signs(row []int8) string {
	var b strings.Builder
	for _, s := range row {
		b.WriteByte("-?+"[s+1])
	}
	return b.String()
}

// writeSpins writes rows of spins as an npy file: N x height x width of images, N x V of plain
// rows. each gives its argument so many rows, one after another.
func writeSpins(path string, count, visible, height, width int, each func(write func(row []int8) error) error) error {
	shape := []int{count, visible}
	if height > 0 {
		shape = []int{count, height, width}
	}
	return writeArray(path, func(a *tensorfile.NPYWriter[int8]) error { return each(a.Write) }, shape...)
}

// eachOf gives write the rows.
func eachOf(rows [][]int8) func(write func(row []int8) error) error {
	return func(write func(row []int8) error) error {
		for _, row := range rows {
			if err := write(row); err != nil {
				return err
			}
		}
		return nil
	}
}

// writeArray writes an npy file of the given shape, whole or not at all.
func writeArray[E tensorfile.Element](path string, fill func(*tensorfile.NPYWriter[E]) error, shape ...int) error {
	return run.WriteFile(path, func(w io.Writer) error {
		a, err := tensorfile.NewNPYWriter[E](w, shape...)
		if err != nil {
			return err
		}
		if err := fill(a); err != nil {
			return err
		}
		return a.Close()
	})
}

// rowsOf returns the rows of flat, n spins each.
func rowsOf(flat []int8, n int) [][]int8 { return slices.Collect(slices.Chunk(flat, n)) }
