package eval

import (
	"context"
	"fmt"
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
)

// Measures of machines that were trained on configurations of the Ising model (data.Ising): its
// observables on the machine's samples, those of valid_share, and the couplings against the ones
// that made the data.

// latticeOf is a measure of one observable of the samples. Detail.data has the training set's, and
// detail.off how far the samples are from it, as a share of it.
func latticeOf(value, stderr func(data.Observables) float64) func(context.Context, Subject, Options) (Result, error) {
	return func(ctx context.Context, s Subject, o Options) (Result, error) {
		x, err := s.observed(ctx, o.Samples)
		if err != nil {
			return Result{}, err
		}
		train := s.Split.Train
		of := s.Split.Lattice.Observe(train.Spins[:train.Rows*train.Visible])
		return Result{Value: value(x), Stderr: stderr(x), N: x.Observations, Detail: map[string]any{
			"data": value(of), "data_stderr": stderr(of), "off": value(x)/value(of) - 1, "chains": o.Samples.Chains, "sweeps": o.Samples.Sweeps}}, nil
	}
}

// observation are the observables of samples, and what these depend on.
type observation struct {
	of tallied
	data.Observables
}

// observed returns the observables of the samples, from the memo if it has them.
func (s Subject) observed(ctx context.Context, o SampleOptions) (data.Observables, error) {
	of, start, err := s.sampling(o)
	if err != nil {
		return data.Observables{}, err
	}
	if x := s.Memo.lattice; x != nil && x.of == of {
		return x.Observables, nil
	}
	v := s.Machine.Layers()[bm.Visible]
	spins := make([]int8, o.Chains*v)
	err = s.run(ctx, chains{
		key: s.Key.Fold(purposeSamples).Fold(1), n: o.Chains, sweeps: o.Sweeps, start: start,
		look: func(first int, st bm.State) {
			compute.Read(s.Machine.Engine(), spins[first*v:(first+st.Rows())*v], st[bm.Visible])
		},
	})
	if err != nil {
		return data.Observables{}, err
	}
	s.Memo.lattice = &observation{of, s.Split.Lattice.Observe(spins)}
	return s.Memo.lattice.Observables, nil
}

// latticeCouplings is the root mean square error of the couplings of nearest neighbours, which are
// 1/T where the data were made at the temperature T. Detail has their mean, and the root mean square
// of all other couplings of visible spins, which are 0 there.
func latticeCouplings(ctx context.Context, s Subject, _ Options) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	l, m, e := s.Split.Lattice, s.Machine, s.Machine.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	w := m.Couplings().Formed(m.Graph().PairOf(bm.Visible, bm.Visible))
	n := w.Cols()
	x := make([]float32, w.Len())
	compute.Read(e, x, w)
	near := make(map[[2]int]bool, 2*n)
	for i := range n {
		right, below := l.Neighbours(i)
		for _, j := range [...]int{right, below} {
			near[[2]int{min(i, j), max(i, j)}] = true
		}
	}
	var mean, wrong, rest float64
	others := 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			y := float64(x[i*n+j])
			if near[[2]int{i, j}] {
				mean += y / float64(len(near))
				wrong += (y - 1/l.Temperature) * (y - 1/l.Temperature) / float64(len(near))
				continue
			}
			rest += y * y
			others++
		}
	}
	return Result{Value: math.Sqrt(wrong), N: len(near), Detail: map[string]any{
		"mean": mean, "true": 1 / l.Temperature, "others": math.Sqrt(rest / float64(max(1, others)))}}, nil
}

// ofLattice is for measures of machines whose data were made on a lattice.
func ofLattice(s Subject, _ Options) error {
	if s.Split == nil || s.Split.Lattice == nil || s.Split.Train == nil {
		return &NoValue{"the data are no configurations of a lattice (ising), so no spins are known to be neighbours"}
	}
	if v, spins := s.Machine.Layers()[bm.Visible], s.Split.Train.Visible; v != spins {
		return fmt.Errorf("the rows of %q have %d spins, the machine has %d visible ones", s.Split.Train.Name, spins, v)
	}
	return nil
}

// coupledLattice is for measures of the couplings of visible spins.
func coupledLattice(s Subject, o Options) error {
	if err := ofLattice(s, o); err != nil {
		return err
	}
	if !s.Machine.Self(bm.Visible) {
		return &NoValue{"the visible spins of the machine are not coupled to each other"}
	}
	return nil
}
