package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mattis/bm"
	"mattis/data"
	"mattis/recipe"
	"mattis/tensorfile"
)

func featuresCommand() *cobra.Command {
	var flags modelFlags
	var label labelFlag
	var input string
	var mean, sample bool
	var seed uint64
	var out outFlag
	cmd := &cobra.Command{
		Use:   "features DIR",
		Short: "Write the hidden layer of each row",
		Long: `Write the hidden layer of each row of the input as an npy array, N x H: its mean tanh x,
as float32, or with --sample one draw of its spins, as int8.`,
		Example: `  mattis features runs/bars-1 --input test --out means.npy
  mattis features runs/bars-1 --input train --sample --seed 3 --out spins.npy`,
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
			if sample {
				return writeHidden(cmd, m, set, out, func(progress func(int), take func([]int8) error) error {
					return m.HiddenSpins(cmd.Context(), set, seed, progress, take)
				})
			}
			return writeHidden(cmd, m, set, out, func(progress func(int), take func([]float32) error) error {
				return m.HiddenMeans(cmd.Context(), set, progress, take)
			})
		},
	}
	flags.add(cmd)
	flags.addInput(cmd)
	cmd.Flags().StringVar(&input, "input", "", "rows: a `file` (npy, csv, idx, an image, a folder of images), train or test")
	label.add(cmd, "`label` of all rows")
	cmd.Flags().BoolVar(&mean, "mean", false, "write the means tanh x (the default)")
	cmd.Flags().BoolVar(&sample, "sample", false, "write one draw of the spins")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the draw")
	out.add(cmd, "`file` to write, .npy")
	return cmd
}

// writeHidden writes the hidden layer of the rows of the set, which each gives part by part.
func writeHidden[E int8 | float32](cmd *cobra.Command, m *recipe.Model, set *data.Set, out outFlag, each func(progress func(rows int), take func([]E) error) error) error {
	hidden := m.Machine.Layers()[bm.Hidden]
	bar := newMeter(cmd, "features", "rows", set.Rows)
	defer bar.clear()
	err := writeArray(out.path, func(a *tensorfile.NPYWriter[E]) error { return each(bar.count, a.Write) }, set.Rows, hidden)
	if err == nil {
		bar.clear()
		out.wrote(cmd, "%d rows of %d hidden spins", set.Rows, hidden)
	}
	return err
}
