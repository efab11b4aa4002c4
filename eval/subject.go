package eval

import (
	"context"
	"fmt"
	"slices"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/data"
	"mattis/negative"
	"mattis/rng"
	"mattis/sampler"
)

// Subject is what is judged: a machine in one state of its parameters, and
// what it was trained on.
type Subject struct {
	Machine *bm.Machine

	// Split is the data; nil serves for the measures that need none. Valid
	// images are known from its Family.
	Split *data.Split
	// SetName is the set of the split that measures of data look at: train, test or validation.
	SetName string

	// Drawn are the configurations that the estimator returned last, and Kind
	// what they are to the model distribution. Only method_accessibility looks at them.
	Drawn bm.Batch
	Kind  negative.Kind

	// Tracked is log Z as it was estimated along the training, or nil. Only nll_tracked looks at it.
	Tracked *Tracked

	// Key is the only source of random numbers. Each measure folds it by a fixed
	// number (see the purposes in this file), so that its value does not depend
	// on which others are taken.
	Key rng.Key

	// Memo keeps what several measures share, such as log Z. Subjects of the same
	// parameters may share one; nil computes all anew.
	Memo *Memo

	// Progress, if there is one, is told the share done of each stage of long work, in [0,1].
	Progress func(share float64)

	// Comm are the processes that measure the same subject, nil for one. Annealing runs and exact sums
	// are divided over them, all else each computes for itself; all have the same values, whose
	// bits do not depend on how many they are. They have to take the same measures in the same order.
	Comm *comm.Comm
}

// Memo keeps what several measures of one state of the parameters share. The
// zero Memo is empty and ready for use; once a parameter moves it is out of date.
type Memo struct {
	logZ   *float64
	ground *ground
	tally  *tally
	drawn  *drawn
	mixing *sampleMixing
	probe  *fittedProbe

	lattice *observation

	likelihood *likelihood
	patterns   *patternSum
}

// The purposes that the subject's key is folded for. Numbers of reports made
// before hang on them: a new one goes to the end.
const (
	purposeRows            uint64 = iota // which rows of a large set are looked at
	purposeHamming                       // hamming
	purposeHammingClamped                // hamming_clamped
	purposeAccessibility                 // gibbs_accessibility and its mean
	purposePseudo                        // pseudo_likelihood
	purposeSamples                       // valid_share, coverage, overlap and ultrametricity
	purposeScan                          // Scan
	purposeTriangles                     // ultrametricity
	purposeProbe                         // probe_accuracy
	purposeLikelihood                    // logz, nll and their annealed estimates
	purposeIntegration                   // logz_integration
	purposeAutocorrelation               // autocorrelation
	purposeHeld                          // nll and nll_ais: annealing with the visible layer held
	purposeRecall                        // recall
)

// set returns the set that SetName names, or an error unless it has rows that
// fit the machine.
func (s Subject) set() (*data.Set, error) {
	if s.Split == nil {
		return nil, fmt.Errorf("no data to judge the machine on")
	}
	if !slices.Contains(data.Sets, s.SetName) {
		return nil, fmt.Errorf("%q is no set of the data: train, test or validation", s.SetName)
	}
	set := s.Split.Set(s.SetName)
	if set == nil {
		return nil, fmt.Errorf("the data have no %s set", s.SetName)
	}
	if set.Rows == 0 {
		return nil, fmt.Errorf("the %s set %q has no rows", s.SetName, set.Name)
	}
	if v := s.Machine.Layers()[bm.Visible]; set.Visible != v {
		return nil, fmt.Errorf("the rows of the %s set %q have %d spins, the machine has %d visible ones", s.SetName, set.Name, set.Visible, v)
	}
	return set, nil
}

// rows returns the numbers of at most limit rows of the set: all of them, or a
// fair choice by the key in increasing order.
func (s Subject) rows(set *data.Set, limit int) []int32 {
	rows := s.drawn(set, limit)
	slices.Sort(rows)
	return rows
}

// drawn is rows in the order in which the key draws them.
func (s Subject) drawn(set *data.Set, limit int) []int32 {
	rows := make([]int32, set.Rows)
	data.Order(rows, s.Key.Fold(purposeRows))
	return rows[:min(limit, len(rows))]
}

// partSpins bounds the spins of the configurations that are held at once.
var partSpins = 4 << 20

// rowsAtOnce returns how many configurations of m are held at once.
func rowsAtOnce(m *bm.Machine) int {
	spins := 0
	for _, n := range m.Layers() {
		spins += n
	}
	return max(64, partSpins/max(1, spins)) &^ 3
}

func (s Subject) part() int { return rowsAtOnce(s.Machine) }

func (s Subject) tell(done, total int) {
	if s.Progress != nil {
		s.Progress(float64(done) / float64(total))
	}
}

// chains are n Gibbs chains, moved in parts that fit into memory. Their spins
// do not depend on the parts: chain i draws the numbers of row i of the key's stream.
type chains struct {
	key    rng.Key
	n      int
	sweeps int
	clamp  bool // the spins that start sets to -1 and +1 stay
	// start sets the visible spins of the chains from first on; 0 is an unknown spin.
	start func(first int, visible compute.Matrix)
	// look is shown the same chains, all layers, after their sweeps.
	look func(first int, s bm.State)
}

// run moves the chains, or returns the context's error.
func (s Subject) run(ctx context.Context, c chains) error {
	e := s.Machine.Engine()
	step := s.part()
	stop, end := sampler.Stopping(ctx)
	defer end()
	for first := 0; first < c.n; first += step {
		mark := e.Mark()
		n := min(step, c.n-first)
		state := s.Machine.Scratch(n)
		visible := state[bm.Visible]
		c.start(first, visible)
		law := bm.Law{Key: c.key, Row: uint64(first), Stop: stop}
		if c.clamp {
			known := e.Scratch(compute.Int8, n, visible.Cols())
			e.Copy(known, visible)
			law.Clamp = bm.State{known}
		}
		sampler.Gibbs(s.Machine, state, law, c.sweeps)
		if err := ctx.Err(); err != nil {
			e.Release(mark)
			return err
		}
		c.look(first, state)
		e.Release(mark)
		s.tell(first+n, c.n)
	}
	return nil
}

// randomStart returns a start from fair coins.
func (s Subject) randomStart(key rng.Key) func(first int, visible compute.Matrix) {
	return func(first int, visible compute.Matrix) {
		sampler.Randomize(s.Machine, bm.State{visible}, bm.Law{Key: key, Row: uint64(first)})
	}
}

// freeEnergies shows look the free energies F(v) in nats of n configurations of the visible layer,
// in order and part by part; fill sets the spins of those from first on, row after row. They are
// found by one of the ways that need no random numbers.
func (s Subject) freeEnergies(ctx context.Context, way string, o MeanFieldOptions, n int, fill func(first int, spins []int8), look func(first int, f []float64)) error {
	visible := s.Machine.Layers()[bm.Visible]
	step := min(n, s.part())
	spins, f := make([]int8, step*visible), make([]float64, step)
	for first := 0; first < n; first += step {
		rows := min(step, n-first)
		fill(first, spins[:rows*visible])
		if _, err := freeBy(ctx, s.Machine, way, o, f[:rows], spins[:rows*visible], func(done int) { s.tell(first+done, n) }); err != nil {
			return err
		}
		look(first, f[:rows])
	}
	return nil
}
