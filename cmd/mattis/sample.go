package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"mattis/recipe"
	"mattis/sampler"
	"mattis/view"
)

// sampleFlags are the flags of mattis sample.
type sampleFlags struct {
	modelFlags
	count, steps, chains int
	from                 string
	sampler              samplerFlag
	precision            precisionFlag
	label                labelFlag
	seed                 uint64
	out                  outFlag
}

func sampleCommand() *cobra.Command {
	var flags sampleFlags
	cmd := &cobra.Command{
		Use:   "sample DIR",
		Short: "Draw samples from a trained machine",
		Long: fmt.Sprintf(`Draw samples from the machine of a run directory by Gibbs chains, or by the chains of another --sampler.

Each of --chains chains runs --steps sweeps v -> h -> v before each of its samples, and
gives them in turn: with as many chains as samples, the default, all samples are
independent of each other. Chains start from fair coins, from the signs of the patterns in
turn, from training rows in an order chosen by the seed, or from the rows of a file.

Images up to %d pixels wide are printed as text. --out FILE.png draws them, and
FILE.npy holds int8 spins, N x height x width, or N x V of plain rows.

--label draws images given their label, whose spins stay throughout. Label spins are not shown.`, textWidth),
		Example: `  mattis sample runs/bars-1 --count 16
  mattis sample runs/bars-1 --from patterns --steps 10 --out samples.png`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("chains") {
				flags.chains = flags.count
			}
			if err := flags.check(); err != nil {
				return err
			}
			input := flags.from
			switch input {
			case "data":
				input = "train"
			case "random", "patterns":
				if len(flags.set) > 0 {
					return usageError{fmt.Errorf("--set %s: chains from %s read no data; --from data or a file does", flags.set[0], input)}
				}
				if cmd.Flags().Changed("threshold") {
					return usageError{fmt.Errorf("--threshold %v: chains from %s read no greys; --from FILE does", flags.threshold, input)}
				}
			}
			m, closing, err := flags.openFor(cmd, args[0], input)
			if err != nil {
				return err
			}
			defer closing()
			if err := processes.sameModel(m); err != nil {
				return err
			}
			return flags.run(cmd, args[0], m)
		},
	}
	flags.add(cmd)
	flags.addInput(cmd)
	cmd.Flags().IntVar(&flags.count, "count", 16, "number of samples")
	cmd.Flags().IntVar(&flags.steps, "steps", 100, "sweeps before each sample of a chain; 0 shows where chains start")
	cmd.Flags().IntVar(&flags.chains, "chains", 0, "number of chains (default as many as samples)")
	cmd.Flags().StringVar(&flags.from, "from", "random", "where chains start: random, patterns, data or a `file`")
	flags.sampler.add(cmd)
	flags.precision.add(cmd)
	flags.label.add(cmd, "`label` of the images")
	cmd.Flags().Uint64Var(&flags.seed, "seed", 1, "seed of the samples")
	flags.out.add(cmd, "`file` to write, .png or .npy")
	return cmd
}

func (f *sampleFlags) check() error {
	if err := checkCount("count", f.count, 1, mostRows); err != nil {
		return err
	}
	if err := checkCount("steps", f.steps, 0, mostRows); err != nil {
		return err
	}
	if f.chains < 1 || f.chains > f.count {
		return usageError{fmt.Errorf("--chains %d is out of range, want 1 to the number of samples, %d", f.chains, f.count)}
	}
	if err := f.sampler.check(); err != nil {
		return err
	}
	if err := f.precision.check(); err != nil {
		return err
	}
	return f.out.check(".png", ".npy", "")
}

func (f *sampleFlags) run(cmd *cobra.Command, dir string, m *recipe.Model) error {
	if f.out.path == "" {
		if err := checkText(m); err != nil {
			return err
		}
	}
	if err := checkPicture(f.out, m.Height, f.count); err != nil {
		return err
	}
	if err := f.label.check(m); err != nil {
		return err
	}
	if err := enoughMemory(fmt.Sprintf("--count %d", f.count), float64(f.count)*f.holds(m)); err != nil {
		return err
	}
	start, err := f.start(cmd, m)
	if err != nil {
		return err
	}
	f.precision.set(m)
	moves, err := f.sampler.moves(cmd, dir, m, m.LabelClamp(f.label.name), f.seed)
	if err != nil {
		return err
	}
	rounds := (f.count + f.chains - 1) / f.chains
	bar := newMeter(cmd, "sample", "sweeps", f.steps*rounds*f.chains)
	var last sampler.Sampler
	var rows [][]int8
	labels := newLabelCounts(m)
	draw := func(take func(row []int8) error) (err error) {
		last, err = m.Sample(cmd.Context(), recipe.Sampling{
			Count: f.count, Steps: f.steps, Chains: f.chains, Start: start, Moves: moves, Clamp: m.LabelClamp(f.label.name), Seed: f.seed, Progress: bar.count, Comm: processes.Comm,
		}, func(spins []int8) error {
			for row := range slices.Chunk(spins, m.Visible()) {
				labels.add(row)
				if err := take(row[:m.Pixels()]); err != nil {
					return err
				}
			}
			return nil
		})
		bar.clear()
		return err
	}
	if !processes.first() {
		return draw(func([]int8) error { return nil })
	}
	if f.out.is(".npy") {
		err = writeSpins(f.out.path, f.count, m.Pixels(), m.Height, m.Width, draw)
	} else {
		err = draw(func(row []int8) error {
			rows = append(rows, slices.Clone(row))
			return nil
		})
	}
	if err != nil {
		return err
	}
	tellMoves(cmd.ErrOrStderr(), last)
	if words := labels.String(); words != "" && !f.label.given() {
		fmt.Fprintln(cmd.ErrOrStderr(), "labels drawn:", words)
	}
	switch {
	case f.out.path == "":
		return printRows(cmd.OutOrStdout(), rows, m.Height, m.Width)
	case f.out.is(".png"):
		if err := view.Tiles(f.out.path, rows, view.Sheet{Height: m.Height, Width: m.Width}); err != nil {
			return err
		}
	}
	f.out.wrote(cmd, "%d samples after %d sweeps each", f.count, f.steps)
	return nil
}

// holds returns the bytes of each sample that are held to the end: none of an npy file whose order
// is that of drawing.
func (f *sampleFlags) holds(m *recipe.Model) (bytes float64) {
	if !m.Ordered(f.count, f.chains) {
		bytes += float64(m.Visible())
	}
	if !f.out.is(".npy") {
		bytes += float64(m.Pixels() + rowHeader)
	}
	return bytes
}

// start returns what sets the visible spins of the chains.
func (f *sampleFlags) start(cmd *cobra.Command, m *recipe.Model) (recipe.Start, error) {
	switch f.from {
	case "random":
		return m.RandomStart(f.seed), nil
	case "patterns":
		start, err := m.PatternStart()
		if err != nil {
			return nil, fmt.Errorf("--from patterns: %w", err)
		}
		return start, nil
	case "data":
		rows, err := m.Rows("train")
		if err != nil {
			return nil, fmt.Errorf("--from data: %w", err)
		}
		return m.ShuffledStart(rows, f.seed), nil
	}
	rows, err := m.Rows(f.from)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("--from %q is none of random, patterns, data, and no file", f.from)
		}
		return nil, fmt.Errorf("--from %w", err)
	}
	tellNotes(cmd, rows)
	return m.RowStart(rows), nil
}

// rowHeader is the memory in bytes of a row beside its spins: a slice.
const rowHeader = 24
