package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/rng"
	"mattis/sampler"
)

// The words of AISOptions.Start beside auto.
const (
	StartFromExact     = "exact"
	StartFromPhases    = "phases"
	StartFromData      = "data"
	StartFromAnnealing = "annealing"
)

// Start draws the visible configurations that reverse paths start from.
type Start struct {
	Name  string // what they are, for people
	Exact bool   // independent draws from the machine's law: the reverse estimate is a bound only then

	draw func(ctx context.Context, n int, key rng.Key) ([]int8, error) // n x V
}

// StartExact returns independent samples of the machine by listing all states of its smaller
// layer, or an error where there are too many.
func StartExact(m *bm.RBM) (Start, error) {
	x, err := m.EnumerateSmaller()
	if err != nil {
		return Start{}, fmt.Errorf("exact samples: %w", err)
	}
	return Start{Name: "exact samples by listing all states of the smaller layer", Exact: true,
		draw: func(ctx context.Context, n int, key rng.Key) ([]int8, error) {
			return listedSamples(ctx, m, x, n, key)
		}}, nil
}

// listedSamples returns n independent draws of the visible layer (n x V).
func listedSamples(ctx context.Context, m *bm.RBM, x *bm.Enumeration, n int, key rng.Key) ([]int8, error) {
	var total bm.LogSum
	x.Exponents(func(_ uint64, y []float64) bool {
		for _, v := range y {
			total.Add(v)
		}
		return ctx.Err() != nil
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	levels := make([]float64, n)
	for i := range levels {
		levels[i] = key.Fold(0).Uniform64(uint64(i), 0)
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(levels[i], levels[j]), i-j) })
	states := make([]uint64, n)
	sum, done, norm := 0.0, 0, total.Log()
	var last uint64
	x.Exponents(func(first uint64, y []float64) bool {
		for i, v := range y {
			p := math.Exp(v - norm)
			if p > 0 {
				last = first + uint64(i)
			}
			for sum += p; done < n && levels[order[done]] < sum; done++ {
				states[order[done]] = first + uint64(i)
			}
		}
		return done == n || ctx.Err() != nil
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for ; done < n; done++ { // a level in the rounding of the sum's end
		states[order[done]] = last
	}
	size := m.Layers()
	spins := make([]int8, n*size[x.Layer()])
	for i, s := range states {
		row := spins[i*size[x.Layer()]:][:size[x.Layer()]]
		bm.SetState(row, s)
		if x.Half() && key.Fold(1).Uniform(uint64(i), 0) < 0.5 {
			for j := range row {
				row[j] = -row[j]
			}
		}
	}
	if x.Layer() == bm.Visible {
		return spins, nil
	}
	e := m.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	state := bm.State{e.Scratch(compute.Int8, n, size[bm.Visible]), e.Scratch(compute.Int8, n, size[bm.Hidden])}
	compute.Write(e, state[bm.Hidden], spins)
	m.Sample(state, bm.Visible, bm.Law{Key: key.Fold(2)})
	out := make([]int8, n*size[bm.Visible])
	compute.Read(e, out, state[bm.Visible])
	return out, nil
}

// StartData returns rows of the set, each taken once before any is taken twice, after so many Gibbs
// sweeps.
func StartData(m *bm.RBM, set *data.Set, sweeps int) Start {
	return Start{Name: fmt.Sprintf("rows of %s after %d Gibbs sweeps", set.Name, sweeps),
		draw: func(ctx context.Context, n int, key rng.Key) ([]int8, error) {
			rows := make([]int32, set.Rows)
			data.Order(rows, key.Fold(0))
			spins := make([]int8, 0, n*set.Visible)
			for i := range n {
				spins = append(spins, set.Row(int(rows[i%set.Rows]))...)
			}
			return spins, swept(ctx, m, spins, n, sweeps, key.Fold(1))
		}}
}

// StartAnnealed returns the ends of forward paths of a, drawn in proportion to
// their weights, after so many Gibbs sweeps.
func StartAnnealed(a *AIS, sweeps int) Start {
	return Start{Name: fmt.Sprintf("ends of forward paths drawn by their weights, after %d Gibbs sweeps", sweeps),
		draw: func(ctx context.Context, n int, key rng.Key) ([]int8, error) {
			visible := a.Machine.Layers()[bm.Visible]
			ends, logs := make([]int8, a.Runs*visible), make([]float64, a.Runs)
			err := a.cool(ctx, key.Fold(0), func(p *paths) {
				p.read(logs[p.first : p.first+p.n])
				compute.Read(a.Machine.Engine(), ends[p.first*visible:(p.first+p.n)*visible], p.state[bm.Visible])
			})
			if err != nil {
				return nil, err
			}
			spins := make([]int8, 0, n*visible)
			for _, i := range resample(logs, n, float64(key.Fold(1).Uniform(0, 0))) {
				spins = append(spins, ends[i*visible:(i+1)*visible]...)
			}
			return spins, swept(ctx, a.Machine, spins, n, sweeps, key.Fold(2))
		}}
}

// StartPhases returns ends of paths from the bases of z, each phase in proportion to what is known
// of its mass and by the base that its mass is known from, after so many Gibbs sweeps.
func StartPhases(z *OfBases, sweeps int) Start {
	var names []string
	from := z.chosen()
	shares := make([]float64, len(z.Bases))
	var total float64
	for i, o := range z.Bases {
		if _, share := z.of(i); share > faintShare {
			shares[i] = share
			total += share
			names = append(names, o.Law.Name)
		}
	}
	return Start{Name: fmt.Sprintf("ends of paths from %s, phases by their estimated masses, after %d Gibbs sweeps", strings.Join(names, ", "), sweeps),
		draw: func(ctx context.Context, n int, key rng.Key) ([]int8, error) {
			m := z.Bases[0].ais.Machine
			visible := m.Layers()[bm.Visible]
			spins := make([]int8, 0, n*visible)
			sum := 0.0
			for i, share := range shares {
				if share == 0 {
					continue
				}
				sum += share / total
				count := int(math.Round(sum*float64(n))) - len(spins)/visible
				picked, err := z.Bases[i].draw(ctx, z.Phases, func(g int) bool { return from[g] == i }, count, key.Fold(uint64(i)))
				if err != nil {
					return nil, err
				}
				spins = append(spins, picked...)
			}
			return spins, swept(ctx, m, spins, n, sweeps, key.Fold(uint64(len(shares))))
		}}
}

// resample returns n indices of log weights, index i about n w_i / sum w times: systematic
// resampling with one uniform number u in (0,1).
func resample(logs []float64, n int, u float64) []int {
	top := slices.Max(logs)
	var total float64
	for _, l := range logs {
		total += math.Exp(l - top)
	}
	picked := make([]int, 0, n)
	sum := 0.0
	for i, l := range logs {
		sum += math.Exp(l-top) / total * float64(n)
		for len(picked) < n && float64(len(picked))+u < sum {
			picked = append(picked, i)
		}
	}
	for len(picked) < n {
		picked = append(picked, len(logs)-1)
	}
	return picked
}

// swept moves the n visible configurations by Gibbs sweeps.
func swept(ctx context.Context, m *bm.RBM, spins []int8, n, sweeps int, key rng.Key) error {
	e, size := m.Engine(), m.Layers()
	step := rowsAtOnce(m)
	for first := 0; first < n; first += step {
		rows := min(step, n-first)
		part := spins[first*size[bm.Visible] : (first+rows)*size[bm.Visible]]
		mark := e.Mark()
		state := bm.State{e.Scratch(compute.Int8, rows, size[bm.Visible]), e.Scratch(compute.Int8, rows, size[bm.Hidden])}
		compute.Write(e, state[bm.Visible], part)
		for i := range sweeps {
			sampler.Gibbs(m, state, bm.Law{Key: key.Fold(uint64(i)), Row: uint64(first)}, 1)
			if err := ctx.Err(); err != nil {
				e.Release(mark)
				return err
			}
		}
		compute.Read(e, part, state[bm.Visible])
		e.Release(mark)
	}
	return nil
}
