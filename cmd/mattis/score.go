package main

import (
	"bufio"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/stat"

	"mattis/eval"
	"mattis/recipe"
	"mattis/tensorfile"
)

func scoreCommand() *cobra.Command {
	var flags modelFlags
	var label labelFlag
	var input string
	var out outFlag
	cmd := &cobra.Command{
		Use:   "score DIR",
		Short: "Free energy of each row, an anomaly score",
		Long: `Print the free energy F(v) of each row of the input in kT, one a line, or write them to an
npy array of float64: the higher it is, the less likely the machine holds the row to be.
log P(v) = -F(v) - log Z, and log Z is the same for all rows.

Where hidden layers meet each other F(v) is found by listing their states, or, where that
would take too long, by mean field, which lies above it; the summary says so.

Of rows with missing entries it is the free energy of what is known: up to 20 missing entries are summed over where
that is affordable, more by annealing. Rows with gaps are taken where the run's own recipe has data.missing: allow,
and elsewhere with --set data.missing=allow.`,
		Example: `  mattis score runs/bars-1 --input test
  mattis score runs/bars-1 --input train --out scores.npy`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required("input", input, "a file, train or test"); err != nil {
				return err
			}
			if err := out.check(".npy", ""); err != nil {
				return err
			}
			m, closing, err := flags.openFor(cmd, args[0], input)
			if err != nil {
				return err
			}
			defer closing()
			f, way, err := freeEnergies(cmd, m, label, input)
			if err != nil {
				return err
			}
			if out.path != "" {
				err = writeArray(out.path, func(a *tensorfile.NPYWriter[float64]) error { return a.Write(f) }, len(f))
			} else {
				w := bufio.NewWriter(cmd.OutOrStdout())
				for _, x := range f {
					fmt.Fprintln(w, x)
				}
				err = w.Flush()
			}
			if err != nil {
				return err
			}
			by := ""
			switch way {
			case eval.FreeMeanField:
				by = " by mean field, from above,"
			case eval.FreeKnown:
				by = " of the known entries"
			case eval.FreeByAnnealing:
				by = " of the known entries, by annealing,"
			}
			summary := fmt.Sprintf("%d rows, free energy%s in kT: mean %.6g, min %.6g (row %d), max %.6g (row %d)", len(f), by,
				stat.Mean(f, nil), slices.Min(f), slices.Index(f, slices.Min(f))+1, slices.Max(f), slices.Index(f, slices.Max(f))+1)
			if out.path == "" {
				fmt.Fprintln(cmd.ErrOrStderr(), summary)
				return nil
			}
			out.wrote(cmd, "%s", summary)
			return nil
		},
	}
	flags.add(cmd)
	flags.addInput(cmd)
	cmd.Flags().StringVar(&input, "input", "", "rows: a `file` (npy, npz, text, parquet, idx, an image, a folder of images), train or test")
	label.add(cmd, "`label` of all rows")
	out.add(cmd, "`file` to write, .npy (default: print a number a line)")
	return cmd
}

// freeEnergies returns F(v) of each row of the input, and the way to them.
func freeEnergies(cmd *cobra.Command, m *recipe.Model, label labelFlag, input string) (f []float64, way string, err error) {
	set, err := label.labelled(cmd, m, input)
	if err != nil {
		return nil, "", err
	}
	bar := newMeter(cmd, "score", "rows", set.Rows)
	defer bar.clear()
	return m.FreeEnergies(cmd.Context(), set, bar.count)
}
