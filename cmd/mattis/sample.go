package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/recipe"
	"mattis/rng"
	"mattis/sampler"
	"mattis/view"
)

// sampleFlags are the flags of mattis sample.
type sampleFlags struct {
	modelFlags
	count, steps, chains int
	from                 string
	sampler              samplerFlag
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
	key := recipe.SampleKey(f.seed)
	start, err := f.start(cmd, m, key.Fold(purposeStart))
	if err != nil {
		return err
	}
	movers, err := f.sampler.movers(cmd, dir, m, f.clamp(m), key.Fold(purposeLadder))
	if err != nil {
		return err
	}
	rounds := (f.count + f.chains - 1) / f.chains
	bar := newMeter(cmd, "sample", "sweeps", f.steps*rounds*f.chains)
	var last sampler.Sampler
	var rows [][]int8
	labels := newLabelCounts(m)
	draw := func(take func(row []int8) error) (err error) {
		last, err = f.draw(cmd.Context(), m, movers, start, key.Fold(purposeChains), bar, func(spins []int8) error {
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

// holds returns the bytes of each sample that are held to the end: none of an npy file whose order is that of drawing.
func (f *sampleFlags) holds(m *recipe.Model) (bytes float64) {
	if !f.ordered(m) {
		bytes += float64(m.Visible())
	}
	if !f.out.is(".npy") {
		bytes += float64(m.Pixels() + rowHeader)
	}
	return bytes
}

// ordered reports whether samples are drawn in order: chains come in parts, each with all of its samples, so that there has to
// be one part or one sample of each chain.
func (f *sampleFlags) ordered(m *recipe.Model) bool {
	return f.count <= f.chains || f.chains <= rowsAtOnce(m)
}

// start returns what sets the visible spins of the chains from first on.
func (f *sampleFlags) start(cmd *cobra.Command, m *recipe.Model, key rng.Key) (func(first int, visible compute.Matrix), error) {
	var set *data.Set
	order := func(i int) int { return i % set.Rows }
	switch f.from {
	case "random":
		return func(first int, visible compute.Matrix) {
			sampler.Randomize(m.Machine, bm.State{visible}, bm.Law{Key: key, Row: uint64(first)})
		}, nil
	case "patterns":
		if m.Axons == nil {
			return nil, fmt.Errorf("--from patterns: dense couplings have no patterns, want random, data or a file")
		}
		p, _ := m.Axons.Patterns()
		signs := m.Machine.Engine().Alloc(compute.Int8, p.Value.Rows(), p.Value.Cols())
		m.Machine.Engine().Sign(signs, p.Value)
		set = &data.Set{Rows: signs.Rows(), Visible: signs.Cols(), Spins: make([]int8, signs.Len())}
		compute.Read(m.Machine.Engine(), set.Spins, signs)
	case "data":
		rows, err := m.Rows("train")
		if err != nil {
			return nil, fmt.Errorf("--from data: %w", err)
		}
		set = rows
		shuffled := make([]int32, set.Rows)
		data.Order(shuffled, key)
		order = func(i int) int { return int(shuffled[i%set.Rows]) }
	default:
		rows, err := m.Rows(f.from)
		if err != nil {
			if errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("--from %q is none of random, patterns, data, and no file", f.from)
			}
			return nil, fmt.Errorf("--from %w", err)
		}
		tellNotes(cmd, rows)
		set = rows
	}
	return func(first int, visible compute.Matrix) {
		x := make([]int8, 0, visible.Len())
		for i := range visible.Rows() {
			x = append(x, set.Row(order(first+i))...)
		}
		compute.Write(m.Machine.Engine(), visible, x)
	}, nil
}

// clamp returns the one row of spins that stay, 0 where they are free, or nil.
func (f *sampleFlags) clamp(m *recipe.Model) bm.State {
	if !f.label.given() {
		return nil
	}
	e := m.Machine.Engine()
	row := e.Alloc(compute.Int8, 1, m.Visible())
	x := make([]int8, m.Visible())
	f.label.lay(m, x)
	compute.Write(e, row, x)
	return bm.State{row}
}

// draw gives take the samples in order, V spins each, some at a time, and returns the sampler of the last part of the
// chains. Their numbers do not depend on the parts in which chains move.
func (f *sampleFlags) draw(ctx context.Context, m *recipe.Model, movers *movers, start func(int, compute.Matrix), key rng.Key, bar *meter, take func(spins []int8) error) (mover sampler.Sampler, err error) {
	e, v := m.Machine.Engine(), m.Visible()
	rounds := (f.count + f.chains - 1) / f.chains
	step := rowsAtOnce(m)
	var samples []int8 // all of them, or those of a part in one round
	if f.ordered(m) {
		samples = make([]int8, min(step, f.chains)*v)
	} else {
		samples = make([]int8, f.count*v)
	}
	done := 0
	for first := 0; first < f.chains; first += step {
		n := min(step, f.chains-first)
		state := sampler.Chains(m.Machine, n)
		start(first, state[bm.Visible])
		clamp := f.clamp(m)
		if clamp != nil {
			x := make([]int8, state[bm.Visible].Len())
			compute.Read(e, x, state[bm.Visible])
			f.label.lay(m, x)
			compute.Write(e, state[bm.Visible], x)
			clamp = bm.State{clamp[bm.Visible].Repeat(n)}
		}
		if mover, err = movers.next(); err != nil {
			return nil, err
		}
		for round := range rounds {
			block := movers.block(f.steps)
			for i := 0; i < f.steps; i += block {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				sweeps := min(block, f.steps-i)
				mover.Move(state, bm.Law{Key: key.Fold(uint64(round*f.steps + i)), Row: uint64(first), Clamp: clamp}, sweeps)
				done += n * sweeps
				bar.Update(done, "")
			}
			from := round*f.chains + first
			some := min(n, f.count-from)
			switch {
			case some <= 0:
			case f.ordered(m):
				compute.Read(e, samples[:some*v], state[bm.Visible].Slice(0, some))
				if err := take(samples[:some*v]); err != nil {
					return nil, err
				}
			default:
				compute.Read(e, samples[from*v:(from+some)*v], state[bm.Visible].Slice(0, some))
			}
		}
	}
	if err := e.Sync(); err != nil {
		return nil, err
	}
	if !f.ordered(m) {
		err = take(samples)
	}
	return mover, err
}

// rowHeader is the memory in bytes of a row beside its spins: a slice.
const rowHeader = 24

// rowsAtOnce bounds the configurations that are held at once, so that their spins and
// fields stay within some 100 MB.
func rowsAtOnce(m *recipe.Model) int {
	n := 0
	for _, spins := range m.Machine.Layers() {
		n += spins
	}
	return max(64, (16<<20)/n) &^ 3
}
