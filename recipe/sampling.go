package recipe

import (
	"context"
	"fmt"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/data"
	"mattis/rng"
	"mattis/run"
	"mattis/sampler"
)

// The purposes that a SampleKey is folded for. What commands drew before hangs on them: a new one
// goes to the end.
const (
	sampleStart uint64 = iota
	sampleChains
	sampleReconstruct
	sampleFeatures
	sampleLadder
	samplePhases
	sampleFlips
)

// The keys of what commands draw by a seed beside samples themselves.
func StartKey(seed uint64) rng.Key  { return SampleKey(seed).Fold(sampleStart) }  // where chains start
func ChainsKey(seed uint64) rng.Key { return SampleKey(seed).Fold(sampleChains) } // how chains move
func LadderKey(seed uint64) rng.Key { return SampleKey(seed).Fold(sampleLadder) } // how samplers adapt
func FlipsKey(seed uint64) rng.Key  { return SampleKey(seed).Fold(sampleFlips) }  // which pixels are flipped
func PhasesKey(seed uint64) rng.Key { return SampleKey(seed).Fold(samplePhases) } // where phases are looked for

// Sampling says how samples are drawn from a model: each of Chains chains runs Steps sweeps before
// each of its samples, and gives them in turn.
type Sampling struct {
	Count, Steps, Chains int
	Start                Start  // where chains start
	Moves                *Moves // how they move
	Clamp                []int8 // V spins that stay in all chains, 0 where they are free; nil for none
	Seed                 uint64
	Progress             func(sweeps int) // told the sweeps done of all chains; may be nil
	Comm                 *comm.Comm       // processes that move some of the chains each, and have all samples; nil for one
}

// own returns the chains [from, to) that this process moves.
func (s Sampling) own() (from, to int) { return s.of(s.Comm.Rank()) }

// of returns the chains [from, to) that a rank moves: groups of four, by which random numbers are
// addressed.
func (s Sampling) of(rank int) (from, to int) {
	from, to = s.Comm.Block((s.Chains+3)/4, rank)
	return min(s.Chains, 4*from), min(s.Chains, 4*to)
}

// spread sets the samples, width spins each, that other processes have drawn.
func (s Sampling) spread(samples []int8, width int) error {
	for begin := 0; begin < s.Count; begin += s.Chains {
		round := samples[begin*width : min(s.Count, begin+s.Chains)*width]
		err := comm.Spread(s.Comm, round, func(rank int) (from, to int) { // the last round may be short
			from, to = s.of(rank)
			return min(from*width, len(round)), min(to*width, len(round))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Start sets the visible spins of the chains from first on.
type Start func(first int, visible compute.Matrix)

// RandomStart lets chains start from fair coins.
func (m *Model) RandomStart(seed uint64) Start {
	return func(first int, visible compute.Matrix) {
		sampler.Randomize(m.Machine, bm.State{visible}, bm.Law{Key: StartKey(seed), Row: uint64(first)})
	}
}

// PatternStart lets chains start from the signs of the patterns in turn.
func (m *Model) PatternStart() (Start, error) {
	if m.Axons == nil {
		return nil, fmt.Errorf("dense couplings have no patterns, want random, data or a file")
	}
	e := m.Machine.Engine()
	p := m.Axons.Patterns(bm.Visible)
	signs := e.Alloc(compute.Int8, p.Value.Rows(), p.Value.Cols())
	e.Sign(signs, p.Value)
	set := &data.Set{Rows: signs.Rows(), Visible: signs.Cols(), Spins: make([]int8, signs.Len())}
	compute.Read(e, set.Spins, signs)
	return m.RowStart(set), nil
}

// RowStart lets chains start from the rows of the set in turn.
func (m *Model) RowStart(set *data.Set) Start {
	return m.rowStart(set, func(i int) int { return i % set.Rows })
}

// ShuffledStart lets chains start from the rows of the set in an order chosen by the seed.
func (m *Model) ShuffledStart(set *data.Set, seed uint64) Start {
	shuffled := make([]int32, set.Rows)
	data.Order(shuffled, StartKey(seed))
	return m.rowStart(set, func(i int) int { return int(shuffled[i%set.Rows]) })
}

func (m *Model) rowStart(set *data.Set, order func(i int) int) Start {
	return func(first int, visible compute.Matrix) {
		x := make([]int8, 0, visible.Len())
		for i := range visible.Rows() {
			x = append(x, set.Row(order(first+i))...)
		}
		compute.Write(m.Machine.Engine(), visible, x)
	}
}

// Moves makes the samplers that move chains, part by part.
type Moves struct {
	named     sampler.Named
	machine   *bm.Machine
	precision compute.Precision
	options   sampler.Options
}

// Moves prepares the sampler of the name for the machine. clamp is the row of spins that stay in
// all chains, nil for none; earlier are the machines of earlier checkpoints, the oldest first,
// which trajectory alone reads. The context ends the adaptation of a sampler that has one.
func (m *Model) Moves(ctx context.Context, name string, seed uint64, clamp []int8, earlier []*bm.Machine) (*Moves, error) {
	named, err := sampler.Find(name)
	if err != nil {
		return nil, err
	}
	s := &Moves{named: named, machine: m.Machine, precision: m.Precision, options: sampler.Options{Key: LadderKey(seed), Earlier: earlier}}
	if clamp != nil {
		s.options.Law.Clamp = bm.State{m.row(clamp)}
	}
	stop, end := sampler.Stopping(ctx)
	defer end()
	s.options.Law.Stop = stop
	first, err := s.Next()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	if t, ok := first.(*sampler.Tempering); ok {
		s.options.Betas = t.Betas() // adapted once
	}
	return s, nil
}

// Earlier returns the machines of the directory's checkpoints before the model's, the oldest first,
// and why others were passed over.
func (m *Model) Earlier(d *run.Directory) (machines []*bm.Machine, refused []error, err error) {
	steps, err := d.Checkpoints()
	if err != nil {
		return nil, nil, err
	}
	for _, step := range steps {
		if step >= m.Step {
			break
		}
		x, _, err := LoadModel(d, step, m.Machine.Engine())
		if err != nil {
			refused = append(refused, err)
			continue
		}
		machines = append(machines, x.Machine)
	}
	return machines, refused, nil
}

// row returns a row of visible spins in the engine.
func (m *Model) row(spins []int8) compute.Matrix {
	e := m.Machine.Engine()
	row := e.Alloc(compute.Int8, 1, m.Visible())
	compute.Write(e, row, spins)
	return row
}

// Next returns a sampler for the next part of the chains.
func (s *Moves) Next() (sampler.Sampler, error) {
	x, err := s.named.New(s.machine, s.options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.named.Name, err)
	}
	return x, nil
}

// block returns how many of so many sweeps are made at a time, between which a command can be
// stopped.
func (s *Moves) block(steps int) int {
	switch {
	case !s.named.Stationary:
		return steps // one cooling
	case s.named.Name == "gibbs":
		return 1
	}
	return min(steps, 8)
}

// Ordered reports whether samples are drawn in order: chains come in parts, each with all of its
// samples, so that there has to be one part or one sample of each chain. Others are held to the
// end.
func (m *Model) Ordered(count, chains int) bool { return count <= chains || chains <= m.RowsAtOnce() }

// Sample gives take the samples in order, V spins each, some at a time, and returns the sampler of
// the last part of this process's chains. Their numbers do not depend on the parts in which chains move.
func (m *Model) Sample(ctx context.Context, s Sampling, take func(spins []int8) error) (mover sampler.Sampler, err error) {
	e, v, key := m.Machine.Engine(), m.Visible(), ChainsKey(s.Seed)
	rounds := (s.Count + s.Chains - 1) / s.Chains
	step, ordered := m.RowsAtOnce(), m.Ordered(s.Count, s.Chains) && s.Comm.Size() == 1
	begin, end := s.own()
	held := s.Count // all samples, or those of a part in one round
	if ordered {
		held = min(step, s.Chains)
	}
	samples := make([]int8, held*v)
	done := 0
	for first := begin; first < end; first += step {
		n := min(step, end-first)
		state := sampler.Chains(m.Machine, n)
		s.Start(first, state[bm.Visible])
		var clamp bm.State
		if s.Clamp != nil {
			m.lay(state[bm.Visible], s.Clamp)
			clamp = bm.State{m.row(s.Clamp).Repeat(n)}
		}
		if mover, err = s.Moves.Next(); err != nil {
			return nil, err
		}
		for round := range rounds {
			law := bm.Law{Row: uint64(first), Clamp: clamp}
			err := s.Moves.move(ctx, mover, state, law, key, round*s.Steps, s.Steps, func(sweeps int) {
				if done += n * sweeps; s.Progress != nil {
					s.Progress(min(done*s.Comm.Size(), s.Chains*s.Steps*rounds))
				}
			})
			if err != nil {
				return nil, err
			}
			from := round*s.Chains + first
			some := min(n, s.Count-from)
			switch {
			case some <= 0:
			case ordered:
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
	if ordered {
		return mover, nil
	}
	if err := s.spread(samples, v); err != nil {
		return nil, err
	}
	return mover, take(samples)
}

// lay sets the visible spins to those of row that are not 0.
func (m *Model) lay(visible compute.Matrix, row []int8) {
	x := make([]int8, visible.Len())
	compute.Read(m.Machine.Engine(), x, visible)
	for i := range visible.Rows() {
		for j, s := range row {
			if s != 0 {
				x[i*len(row)+j] = s
			}
		}
	}
	compute.Write(m.Machine.Engine(), visible, x)
}

// move moves the chains by so many sweeps, in blocks between which the context can end them; before
// is the number of sweeps that the key's stream has given already. told is called after each block.
func (s *Moves) move(ctx context.Context, mover sampler.Sampler, state bm.State, law bm.Law, key rng.Key, before, sweeps int, told func(sweeps int)) error {
	defer s.machine.SetPrecision(s.machine.SetPrecision(s.precision))
	block := s.block(sweeps)
	stop, end := sampler.Stopping(ctx)
	defer end()
	law.Stop = stop
	for i := 0; i < sweeps; i += block {
		if err := ctx.Err(); err != nil {
			return err
		}
		some := min(block, sweeps-i)
		law.Key = key.Fold(uint64(before + i))
		mover.Move(state, law, some)
		told(some)
	}
	return ctx.Err()
}

// Completion says how the unknown spins of rows are drawn.
type Completion struct {
	Steps    int // sweeps
	Moves    *Moves
	Free     bool // no spin is clamped: all go on from what is given
	Seed     uint64
	Progress func(sweeps int) // told the sweeps done of all rows; may be nil
}

// Complete sets result, n x V spins, to the given rows with their unknown spins, those that are 0,
// drawn given the known ones, which are clamped. It returns the sampler of the last part of the
// rows.
func (m *Model) Complete(ctx context.Context, c Completion, given [][]int8, result []int8) (mover sampler.Sampler, err error) {
	e, v := m.Machine.Engine(), m.Visible()
	key := SampleKey(c.Seed).Fold(sampleReconstruct)
	step, done := m.RowsAtOnce(), 0
	for first := 0; first < len(given); first += step {
		n := min(step, len(given)-first)
		state := sampler.Chains(m.Machine, n)
		clamp := e.Alloc(compute.Int8, n, v)
		x := result[first*v : (first+n)*v]
		for i, row := range given[first : first+n] {
			copy(x[i*v:], row)
		}
		compute.Write(e, state[bm.Visible], x)
		e.Copy(clamp, state[bm.Visible])
		if mover, err = c.Moves.Next(); err != nil {
			return nil, err
		}
		law := bm.Law{Row: uint64(first), Clamp: bm.State{clamp}}
		if c.Free {
			law.Clamp = nil
		}
		err := c.Moves.move(ctx, mover, state, law, key, 0, c.Steps, func(sweeps int) {
			if done += n * sweeps; c.Progress != nil {
				c.Progress(done)
			}
		})
		if err != nil {
			return nil, err
		}
		compute.Read(e, x, state[bm.Visible])
	}
	return mover, e.Sync()
}
