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
	"mattis/exact"
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

// Start draws the configurations that reverse paths start from.
type Start struct {
	Name  string // what they are, for people
	Exact bool   // independent draws from the machine's law: the reverse estimate is a bound only then

	draw func(ctx context.Context, n int, key rng.Key) ([]int8, error) // n rows of the left side
}

// StartExact returns independent samples of the machine by listing all states of its smaller
// side, or an error where there are too many.
func StartExact(m *bm.Machine) (Start, error) {
	x, err := exact.Smallest(m)
	if err != nil {
		return Start{}, fmt.Errorf("exact samples: %w", err)
	}
	return Start{Name: "exact samples by listing all states of the smaller side", Exact: true,
		draw: func(ctx context.Context, n int, key rng.Key) ([]int8, error) {
			return listedSamples(ctx, m, x, n, key)
		}}, nil
}

// listedSamples returns n independent draws of the left side of the data view.
func listedSamples(ctx context.Context, m *bm.Machine, x *exact.Enumeration, n int, key rng.Key) ([]int8, error) {
	var total exact.LogSum
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
	listed := 0
	for _, l := range x.Layers() {
		listed += size[l]
	}
	spins := make([]int8, n*listed)
	for i, s := range states {
		row := spins[i*listed:][:listed]
		exact.SetState(row, s)
		if x.Half() && key.Fold(1).Uniform(uint64(i), 0) < 0.5 {
			for j := range row {
				row[j] = -row[j]
			}
		}
	}
	e, left := m.Engine(), leftOf(m)
	mark := e.Mark()
	defer e.Release(mark)
	state, at := m.Scratch(n), 0
	for _, l := range x.Layers() {
		layer := make([]int8, 0, n*size[l])
		for i := range n {
			layer = append(layer, spins[i*listed+at:][:size[l]]...)
		}
		compute.Write(e, state[l], layer)
		at += size[l]
	}
	for _, l := range left.layers { // layers that were summed out meet none but those that were listed
		if !slices.Contains(x.Layers(), l) {
			m.Sample(state, l, bm.Law{Key: key.Fold(2)})
		}
	}
	rows := make([]int8, n*left.width)
	left.read(rows, state)
	return rows, nil
}

// StartData returns rows of the set, each taken once before any is taken twice, after so many Gibbs
// sweeps.
func StartData(m *bm.Machine, set *data.Set, sweeps int) Start {
	return Start{Name: fmt.Sprintf("rows of %s after %d Gibbs sweeps", set.Name, sweeps),
		draw: func(ctx context.Context, n int, key rng.Key) ([]int8, error) {
			rows := make([]int32, set.Rows)
			data.Order(rows, key.Fold(0))
			spins := make([]int8, 0, n*set.Visible)
			for i := range n {
				spins = append(spins, set.Row(int(rows[i%set.Rows]))...)
			}
			spins = leftOf(m).around(spins)
			return spins, swept(ctx, m, spins, n, sweeps, key.Fold(1))
		}}
}

// StartAnnealed returns the ends of forward paths of a, drawn in proportion to
// their weights, after so many Gibbs sweeps.
func StartAnnealed(a *AIS, sweeps int) Start {
	return Start{Name: fmt.Sprintf("ends of forward paths drawn by their weights, after %d Gibbs sweeps", sweeps),
		draw: func(ctx context.Context, n int, key rng.Key) ([]int8, error) {
			width := leftOf(a.Machine).width
			ends, logs := make([]int8, a.Runs*width), make([]float64, a.Runs)
			err := a.cool(ctx, key.Fold(0), func(p *paths) {
				p.read(logs[p.first : p.first+p.n])
				p.left.read(ends[p.first*width:(p.first+p.n)*width], p.state)
			})
			if err == nil {
				err = spread(a.blocks(), logs, 1)
			}
			if err == nil {
				err = spread(a.blocks(), ends, width)
			}
			if err != nil {
				return nil, err
			}
			spins := make([]int8, 0, n*width)
			for _, i := range resample(logs, n, float64(key.Fold(1).Uniform(0, 0))) {
				spins = append(spins, ends[i*width:(i+1)*width]...)
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
			width := leftOf(m).width
			spins := make([]int8, 0, n*width)
			sum := 0.0
			for i, share := range shares {
				if share == 0 {
					continue
				}
				sum += share / total
				count := int(math.Round(sum*float64(n))) - len(spins)/width
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

// swept moves n rows of the left side by Gibbs sweeps.
func swept(ctx context.Context, m *bm.Machine, rows []int8, n, sweeps int, key rng.Key) error {
	e, left := m.Engine(), leftOf(m)
	step := rowsAtOnce(m)
	for first := 0; first < n; first += step {
		count := min(step, n-first)
		part := rows[first*left.width : (first+count)*left.width]
		mark := e.Mark()
		state := m.Scratch(count)
		left.write(state, part)
		for i := range sweeps {
			sampler.Gibbs(m, state, bm.Law{Key: key.Fold(uint64(i)), Row: uint64(first)}, 1)
			if err := ctx.Err(); err != nil {
				e.Release(mark)
				return err
			}
		}
		left.read(part, state)
		e.Release(mark)
	}
	return nil
}
