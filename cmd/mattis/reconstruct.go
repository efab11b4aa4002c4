package main

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"mattis/data"
	"mattis/recipe"
	"mattis/view"
)

// reconstructFlags are the flags of mattis reconstruct.
type reconstructFlags struct {
	modelFlags
	input, known string
	sampler      samplerFlag
	precision    precisionFlag
	label        labelFlag
	steps, count int
	flips        float64 // share of the pixels; below 0 for none and for pixels that are held
	seed         uint64
	out          outFlag
}

// shown is how many rows a picture or a text shows unless --count says otherwise.
const shown = 24

func reconstructCommand() *cobra.Command {
	var flags reconstructFlags
	cmd := &cobra.Command{
		Use:   "reconstruct DIR",
		Short: "Draw the unknown pixels of images given the known ones, or recall memories",
		Long: fmt.Sprintf(`Draw the unknown pixels of each row of the input given the known ones: Gibbs sweeps, or
the moves of another --sampler, with the known pixels clamped, the unknown ones starting from 0.

Missing entries of rows are unknown, and shown as ?; where there are some, --known may be left out. Rows with gaps
are taken where the run's own recipe has data.missing: allow, and elsewhere with --set data.missing=allow.

--known names the known pixels: rows:a-b, the rows a to b of an image counted from 1;
spins:a-b of a plain row; or a mask, a PNG or JPEG image that is bright, or an npy array
that is not 0, where pixels are known.

With --flips no pixel is held: that share of each row's pixels is flipped, and the moves start from
there. --sampler descent takes both to the memories of a Hopfield machine: parts of them with
--known, spoilt ones with --flips, and a file's own rows with --flips 0.

Small images are printed as text, and --out FILE.png draws them, each as given, as the
machine completes it, and as it was. FILE.npy holds the results alone, as int8 spins.
Pictures and text show %d rows unless --count says otherwise; an npy file holds all of them.

Label spins are unknown and drawn with the pixels, unless --label names the label of all rows.`, shown),
		Example: `  mattis reconstruct runs/bars-1 --input test --known rows:1-1
  mattis reconstruct runs/bars-1 --input test --known rows:1-2 --steps 100 --out done.png
  mattis reconstruct runs/hopfield-1 --input train --sampler descent --flips 0.1 --out r.npy`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("flips") {
				flags.flips = -1
			}
			if err := flags.check(); err != nil {
				return err
			}
			m, closing, err := flags.openFor(cmd, args[0], flags.input)
			if err != nil {
				return err
			}
			defer closing()
			return flags.run(cmd, args[0], m)
		},
	}
	flags.add(cmd)
	flags.addInput(cmd)
	cmd.Flags().StringVar(&flags.input, "input", "", "rows to complete: a `file` (npy, npz, text, parquet, idx, an image, a folder of images), train or test")
	cmd.Flags().StringVar(&flags.known, "known", "", "known pixels: rows:a-b, spins:a-b or a mask `file`")
	cmd.Flags().Float64Var(&flags.flips, "flips", 0, "`share` of each row's pixels to flip, in place of --known: no pixel is held")
	cmd.Flags().IntVar(&flags.steps, "steps", 10, "sweeps")
	cmd.Flags().IntVar(&flags.count, "count", 0, fmt.Sprintf("rows to take from the start of the input; 0 takes all for an npy file and %d otherwise", shown))
	flags.sampler.add(cmd)
	flags.precision.add(cmd)
	flags.label.add(cmd, "`label` of the rows")
	cmd.Flags().Uint64Var(&flags.seed, "seed", 1, "seed of what is drawn")
	flags.out.add(cmd, "`file` to write, .png or .npy")
	return cmd
}

func (f *reconstructFlags) check() error {
	if err := required("input", f.input, "a file, train or test"); err != nil {
		return err
	}
	switch {
	case f.flips < 0 && f.flips != -1, f.flips > 1, math.IsNaN(f.flips):
		return usageError{fmt.Errorf("--flips %v is no share, want 0 to 1", f.flips)}
	case f.flips >= 0 && f.known != "":
		return usageError{fmt.Errorf("--flips holds no pixel, and --known says which are held: give one of them")}
	}
	if err := checkCount("steps", f.steps, 1, mostRows); err != nil {
		return err
	}
	if err := checkCount("count", f.count, 0, mostRows); err != nil {
		return err
	}
	if err := f.sampler.check(); err != nil {
		return err
	}
	if err := f.precision.check(); err != nil {
		return err
	}
	return f.out.check(".png", ".npy", "")
}

func (f *reconstructFlags) run(cmd *cobra.Command, dir string, m *recipe.Model) error {
	if f.out.path == "" {
		if err := checkText(m); err != nil {
			return err
		}
	}
	if err := f.label.check(m); err != nil {
		return err
	}
	if err := checkPicture(f.out, m.Height, f.count); err != nil {
		return err
	}
	set, err := m.Rows(f.input)
	if err != nil {
		return fmt.Errorf("--input %w", err)
	}
	tellNotes(cmd, set)
	known, err := f.knownOf(m, set)
	if err != nil {
		return err
	}
	n := f.count
	if n == 0 {
		n = set.Rows
		if !f.out.is(".npy") && n > shown {
			n = shown
			fmt.Fprintf(cmd.ErrOrStderr(), "the first %d of %d rows; --count says how many\n", n, set.Rows)
		}
	}
	if n > set.Rows {
		return fmt.Errorf("--count %d: %s has %d rows", n, f.input, set.Rows)
	}
	if err := enoughMemory(fmt.Sprintf("--input %s (%d rows)", f.input, n), float64(n)*float64(2*set.Visible+4*rowHeader)); err != nil {
		return err
	}
	known = append(known, make([]bool, len(m.LabelNames))...)
	given, original, result := make([][]int8, n), make([][]int8, n), make([]int8, n*set.Visible)
	for i := range given {
		original[i] = set.Row(i)
		given[i] = make([]int8, set.Visible)
		if data.Corrupt(given[i], original[i], known); f.flips >= 0 {
			data.Flip(given[i][:m.Pixels()], original[i], f.flips, recipe.FlipsKey(f.seed).Fold(uint64(i)))
		}
		m.LayLabel(f.label.name, given[i])
	}
	if err := f.complete(cmd, dir, m, given, result); err != nil {
		return err
	}
	completed := pixelsOf(m, rowsOf(result, set.Visible))
	given, original = pixelsOf(m, given), pixelsOf(m, original)
	switch {
	case f.out.is(".png"):
		err = view.Reconstructions(f.out.path, given, completed, original, view.Sheet{Height: m.Height, Width: m.Width})
	case f.out.is(".npy"):
		err = writeSpins(f.out.path, len(completed), m.Pixels(), m.Height, m.Width, eachOf(completed))
	default:
		err = printReconstructions(cmd.OutOrStdout(), given, completed, original, m.Height, m.Width)
	}
	if err != nil {
		return err
	}
	line := missed(given, completed, original)
	if f.flips >= 0 {
		line = recalled(completed, original)
	}
	if f.out.path != "" {
		f.out.wrote(cmd, "%d rows, %s", n, line)
		return nil
	}
	fmt.Fprintln(cmd.ErrOrStderr(), line)
	return nil
}

// knownOf returns which pixels are known as far as a row has them: all of them where rows have
// missing entries and nothing else is asked for.
func (f *reconstructFlags) knownOf(m *recipe.Model, set *data.Set) ([]bool, error) {
	if f.flips >= 0 {
		return make([]bool, m.Pixels()), nil
	}
	if f.known == "" && set.Gaps() {
		return slices.Repeat([]bool{true}, m.Pixels()), nil
	}
	if err := required("known", f.known, "rows:a-b, spins:a-b or a mask file"); err != nil {
		return nil, err
	}
	known, err := data.ParseMask(f.known, m.Pixels(), m.Height, m.Width)
	if err != nil {
		return nil, fmt.Errorf("--known %w", err)
	}
	return known, nil
}

// complete sets result to the given rows with their unknown spins drawn.
func (f *reconstructFlags) complete(cmd *cobra.Command, dir string, m *recipe.Model, given [][]int8, result []int8) error {
	f.precision.set(m)
	moves, err := f.sampler.moves(cmd, dir, m, nil, f.seed)
	if err != nil {
		return err
	}
	bar := newMeter(cmd, "reconstruct", "sweeps", len(given)*f.steps)
	defer bar.clear()
	mover, err := m.Complete(cmd.Context(), recipe.Completion{Steps: f.steps, Moves: moves, Free: f.flips >= 0, Seed: f.seed, Progress: bar.count}, given, result)
	if err != nil {
		return err
	}
	bar.clear()
	tellMoves(cmd.ErrOrStderr(), mover)
	return nil
}

// printReconstructions prints what was given, what became of it, and what it was; rows with missing
// entries, shown as ?, are called what they are, and once where no more of them is known than given.
func printReconstructions(w io.Writer, given, result, original [][]int8, height, width int) error {
	perLine := 1
	if height > 0 {
		perLine = max(1, (columns(w)+1)/(width+3)) // as view.Text has them
	}
	type part struct {
		name string
		rows [][]int8
	}
	parts := []part{{"given", given}, {"result", result}, {"original", original}}
	if slices.ContainsFunc(original, func(row []int8) bool { return slices.Contains(row, 0) }) {
		parts[2].name = "with gaps"
		if slices.EqualFunc(given, original, slices.Equal) {
			parts[0].name, parts = "with gaps", parts[:2]
		}
	}
	for i := 0; i < len(given); i += perLine {
		end := min(i+perLine, len(given))
		for _, part := range parts {
			if height > 0 {
				fmt.Fprintln(w, part.name)
			} else {
				fmt.Fprintf(w, "%-10s", part.name)
			}
			if err := printRows(w, part.rows[i:end], height, width); err != nil {
				return err
			}
		}
	}
	return nil
}

// missed says how many of the unknown pixels differ from the original.
func missed(given, result, original [][]int8) string {
	unknown, missing, off := 0, 0, 0
	for i := range given {
		for j, s := range given[i] {
			if s == 0 {
				if unknown++; original[i][j] == 0 {
					missing++
				} else if result[i][j] != original[i][j] {
					off++
				}
			}
		}
	}
	if unknown == 0 {
		return "every pixel was known"
	}
	if missing > 0 {
		text := fmt.Sprintf("%d missing entries drawn", missing)
		if told := unknown - missing; told > 0 {
			text += fmt.Sprintf("; %d of %d other unknown pixels differ from the original (%.1f%%)", off, told, 100*float64(off)/float64(told))
		}
		return text
	}
	return fmt.Sprintf("%d of %d unknown pixels differ from the original (%.1f%%)", off, unknown, 100*float64(off)/float64(unknown))
}

// recalled says how many of all pixels differ from the original, and of how many rows none do.
func recalled(result, original [][]int8) string {
	off, whole, all := 0, 0, 0
	for i := range result {
		before := off
		for j, s := range result[i] {
			if s != original[i][j] {
				off++
			}
		}
		if all += len(result[i]); off == before {
			whole++
		}
	}
	return fmt.Sprintf("%d of %d rows recalled, %d of %d pixels differ from the original (%.1f%%)", whole, len(result), off, all, 100*float64(off)/float64(all))
}
