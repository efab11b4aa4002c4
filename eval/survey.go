package eval

import (
	"context"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/rng"
	"mattis/sampler"
)

// origin is a kind of place that chains begin at.
type origin struct {
	name string
	// spins returns so many configurations of V spins, or nil where the machine or the subject has
	// none of the kind.
	spins func(s Survey, n int, key rng.Key) []int8
}

// The names of the starts.
const (
	fromRandom    = "random"
	fromData      = "data"
	fromNegatives = "negatives"
	fromPatterns  = "patterns"
	fromUp        = "up"
	fromDown      = "down"
	fromAnnealing = "annealing"
)

// origins is every kind of place that chains begin at, data first: phases are named after them.
var origins = []origin{
	{fromData, func(s Survey, n int, key rng.Key) []int8 { return s.dataRows(n, key) }},
	randomOrigin,
	{fromNegatives, func(s Survey, n int, key rng.Key) []int8 { return negated(s.dataRows(n, key)) }},
	{fromPatterns, func(s Survey, n int, _ rng.Key) []int8 {
		a, ok := s.Machine.Couplings().(*bm.Axons)
		if !ok {
			return nil
		}
		e := s.Machine.Engine()
		mark := e.Mark()
		defer e.Release(mark)
		v := a.Patterns(bm.Visible)
		signs := e.Scratch(compute.Int8, v.Value.Rows(), s.spins())
		e.Sign(signs, v.Value)
		p := make([]int8, signs.Len())
		compute.Read(e, p, signs)
		return repeated(append(p, negated(p)...), n*s.spins())
	}},
	{fromUp, func(s Survey, n int, _ rng.Key) []int8 { return slices.Repeat([]int8{1}, n*s.spins()) }},
	{fromDown, func(s Survey, n int, _ rng.Key) []int8 { return slices.Repeat([]int8{-1}, n*s.spins()) }},
}

var randomOrigin = origin{fromRandom, func(s Survey, n int, key rng.Key) []int8 {
	e := s.Machine.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	v := e.Scratch(compute.Int8, n, s.spins())
	sampler.Randomize(s.Machine, bm.State{v}, bm.Law{Key: key})
	x := make([]int8, v.Len())
	compute.Read(e, x, v)
	return x
}}

func negated(x []int8) []int8 {
	if x == nil {
		return nil
	}
	y := make([]int8, len(x))
	for i, s := range x {
		y[i] = -s
	}
	return y
}

// repeated returns the first n of x repeated without end, or nil for none.
func repeated(x []int8, n int) []int8 {
	if len(x) == 0 {
		return nil
	}
	return slices.Repeat(x, (n+len(x)-1)/len(x))[:n]
}

// Survey looks for phases by Gibbs chains from starts that are far apart.
type Survey struct {
	Machine *bm.Machine
	Rows    *data.Set // nil for none
	Chains  int       // of each start
	Sweeps  int
	Key     rng.Key
}

func (s Survey) spins() int { return s.Machine.Layers()[bm.Visible] }

// dataRows returns rows of the data in an order by the key, or nil where there are none that fit.
func (s Survey) dataRows(n int, key rng.Key) []int8 {
	if s.Rows == nil || s.Rows.Rows == 0 || s.Rows.Visible != s.spins() {
		return nil
	}
	order := make([]int32, s.Rows.Rows)
	data.Order(order, key)
	return repeated(s.Rows.Take(order[:min(n, len(order))]).Spins, n*s.spins())
}

// ended are the ends of chains from one kind of start: rows of the left side.
type ended struct {
	from string
	rows []int8
}

// run returns the ends of the chains of each start that the machine has.
func (s Survey) run(ctx context.Context) ([]ended, error) {
	var all []ended
	for i, st := range origins {
		key := s.Key.Fold(uint64(i))
		x := leftOf(s.Machine).around(st.spins(s, s.Chains, key.Fold(0)))
		if x == nil {
			continue
		}
		if err := swept(ctx, s.Machine, x, s.Chains, s.Sweeps, key.Fold(1)); err != nil {
			return nil, err
		}
		all = append(all, ended{st.name, x})
	}
	return all, nil
}
