package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/recipe"
	"mattis/tensorfile"
)

func featuresCommand() *cobra.Command {
	var flags modelFlags
	var label labelFlag
	var input, layer string
	var mean, sample bool
	var seed uint64
	var out outFlag
	cmd := &cobra.Command{
		Use:   "features DIR",
		Short: "Write a hidden layer of each row",
		Long: `Write a hidden layer of each row of the input as an npy array, N x H: its mean tanh x,
as float32, or with --sample one draw of its spins, as int8. Of several hidden layers it is
the first one unless --layer names another. Where hidden layers meet each other the means are
those of mean field, and a draw is the end of a chain of 20 sweeps with the row held. A
Gaussian layer has numbers in place of spins, and its mean is x.`,
		Example: `  mattis features runs/bars-1 --input test --out means.npy
  mattis features runs/bars-1 --input train --sample --seed 3 --out spins.npy
  mattis features runs/bars-deep-1 --input test --layer hidden2 --out top.npy`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if mean && sample {
				return usageError{fmt.Errorf("--mean and --sample exclude each other")}
			}
			if err := required("input", input, "a file, train or test"); err != nil {
				return err
			}
			if err := out.check(".npy"); err != nil {
				return err
			}
			m, closing, err := flags.openFor(cmd, args[0], input)
			if err != nil {
				return err
			}
			defer closing()
			set, err := label.labelled(cmd, m, input)
			if err != nil {
				return err
			}
			for i := range set.Rows {
				if slices.Contains(set.Row(i)[:m.Pixels()], 0) {
					return fmt.Errorf("--input %s: row %d has missing entries, and features are of whole rows; mattis reconstruct completes them", input, i+1)
				}
			}
			l, err := m.HiddenLayer(layer)
			if err != nil && layer != "" {
				err = fmt.Errorf("--layer %w", err)
			}
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			switch {
			case sample && m.Machine.TypeOf(l) == compute.Float32:
				return writeHidden(cmd, m, set, l, out, func(progress func(int), take func([]float32) error) error {
					return m.HiddenNumbers(ctx, set, l, seed, progress, take)
				})
			case sample:
				return writeHidden(cmd, m, set, l, out, func(progress func(int), take func([]int8) error) error {
					return m.HiddenSpins(ctx, set, l, seed, progress, take)
				})
			}
			return writeHidden(cmd, m, set, l, out, func(progress func(int), take func([]float32) error) error {
				return m.HiddenMeans(ctx, set, l, progress, take)
			})
		},
	}
	flags.add(cmd)
	flags.addInput(cmd)
	cmd.Flags().StringVar(&input, "input", "", "rows: a `file` (npy, npz, text, parquet, idx, an image, a folder of images), train or test")
	label.add(cmd, "`label` of all rows")
	cmd.Flags().StringVar(&layer, "layer", "", "`name` of the hidden layer (default: the first one)")
	cmd.Flags().BoolVar(&mean, "mean", false, "write the means tanh x (the default)")
	cmd.Flags().BoolVar(&sample, "sample", false, "write one draw of the spins")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the draw")
	out.add(cmd, "`file` to write, .npy")
	return cmd
}

// writeHidden writes a hidden layer of the rows of the set, which each gives part by part.
func writeHidden[E int8 | float32](cmd *cobra.Command, m *recipe.Model, set *data.Set, layer int, out outFlag, each func(progress func(rows int), take func([]E) error) error) error {
	l := m.Machine.Graph().Layers[layer]
	bar := newMeter(cmd, "features", "rows", set.Rows)
	defer bar.clear()
	err := writeArray(out.path, func(a *tensorfile.NPYWriter[E]) error { return each(bar.count, a.Write) }, set.Rows, l.N)
	if err == nil {
		bar.clear()
		what := "hidden spins"
		if l.Kind == bm.Gaussian {
			what = "hidden numbers"
		}
		out.wrote(cmd, "%d rows of %d %s", set.Rows, l.N, what)
	}
	return err
}
