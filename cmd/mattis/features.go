package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mattis/bm"
	"mattis/compute"
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
			if sample {
				return writeHidden[int8](cmd, m, label, input, out, func(dst compute.Matrix, s bm.State, first int) {
					m.Machine.Sample(bm.State{s[bm.Visible], dst}, bm.Hidden, bm.Law{Key: recipe.SampleKey(seed).Fold(purposeFeatures), Row: uint64(first)})
				})
			}
			return writeHidden[float32](cmd, m, label, input, out, func(dst compute.Matrix, s bm.State, _ int) {
				m.Machine.Mean(dst, s, bm.Hidden, bm.Law{})
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

// writeHidden writes what look makes of the hidden layer, part by part. look sets dst from the
// visible layer of s, whose rows are those of the input from first on.
func writeHidden[E int8 | float32](cmd *cobra.Command, m *recipe.Model, label labelFlag, input string, out outFlag, look func(dst compute.Matrix, s bm.State, first int)) error {
	set, err := label.labelled(cmd, m, input)
	if err != nil {
		return err
	}
	e, v, hidden := m.Machine.Engine(), m.Visible(), m.Machine.Layers()[bm.Hidden]
	kind := compute.Float32
	if _, spins := any(E(0)).(int8); spins {
		kind = compute.Int8
	}
	step := rowsAtOnce(m)
	host := make([]E, min(step, set.Rows)*hidden)
	bar := newMeter(cmd, "features", "rows", set.Rows)
	defer bar.clear()
	err = writeArray(out.path, func(a *tensorfile.NPYWriter[E]) error {
		for first := 0; first < set.Rows; first += step {
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			n := min(step, set.Rows-first)
			mark := e.Mark()
			visible, dst := e.Scratch(compute.Int8, n, v), e.Scratch(kind, n, hidden)
			compute.Write(e, visible, set.Spins[first*v:(first+n)*v])
			look(dst, bm.State{visible, compute.Matrix{}}, first)
			compute.Read(e, host[:n*hidden], dst)
			e.Release(mark)
			if err := a.Write(host[:n*hidden]); err != nil {
				return err
			}
			bar.Update(first+n, "")
		}
		return e.Sync()
	}, set.Rows, hidden)
	if err == nil {
		bar.clear()
		out.wrote(cmd, "%d rows of %d hidden spins", set.Rows, hidden)
	}
	return err
}
