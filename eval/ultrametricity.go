package eval

import (
	"context"
	"math"
	"slices"

	"mattis/rng"
)

// triangles is how many triples of samples, and as many of unrelated distances, are looked at.
const triangles = 100_000

// ultrametricity is how far triangles of samples are from isosceles with a short base, compared
// with chance: the mean of the difference of the two longer sides, over its mean for three sides
// drawn each for itself from the same distances. 0 is an ultrametric space, as low-temperature spin
// glasses have (Rammal, Toulouse and Virasoro 1986), 1 is no structure beyond the distances
// themselves. Distances are (1-q)/2, and (1-|q|)/2 where the machine does not tell a configuration
// from its negative. The samples are those of valid_share, and the standard error is that of the
// jackknife over them. detail.k is the mean of (d1-d2)/deviation of Hartnett, Parker and Geist
// (2018).
func ultrametricity(ctx context.Context, s Subject, o Options) (Result, error) {
	n := o.Samples.Chains
	if n < 3 {
		return Result{}, &NoValue{"triangles need three samples; set samples.chains"}
	}
	x, err := s.samples(ctx, o.Samples)
	if err != nil {
		return Result{}, err
	}
	q, err := overlaps(ctx, x, n)
	if err != nil {
		return Result{}, err
	}
	fold := s.Machine.Symmetric()
	d := distances{q, n, fold}
	ratio, stderr, k := d.ultrametricity(s.Key.Fold(purposeTriangles))
	if math.IsNaN(ratio) {
		return Result{}, &NoValue{"all samples are at one distance from each other"}
	}
	detail := map[string]any{"k": k, "chains": n, "sweeps": o.Samples.Sweeps, "folded": fold}
	if err := s.addMixing(ctx, o.Samples, detail); err != nil {
		return Result{}, err
	}
	return Result{Value: ratio, Stderr: stderr, N: triangles, Detail: detail}, nil
}

// distances are those of n samples, from the overlaps below the diagonal.
type distances struct {
	q    []float32
	n    int
	fold bool // a configuration and its negative are one
}

func (d distances) at(i, j int) float64 {
	if i < j {
		i, j = j, i
	}
	q := float64(d.q[i*d.n+j])
	if d.fold {
		q = math.Abs(q)
	}
	return (1 - q) / 2
}

// ultrametricity returns the mean gap of the two longer sides over that of unrelated sides, NaN
// where there is none, with its standard error, and over the deviation of the distances.
func (d distances) ultrametricity(key rng.Key) (ratio, stderr, k float64) {
	gap, chance := newGaps(d.n), newGaps(d.n)
	var sum, squares float64
	pair := func(key rng.Key, t int) (i, j int, side float64) {
		i = key.Intn(d.n, 0, uint64(t))
		j = key.Intn(d.n-1, 1, uint64(t))
		if j >= i {
			j++
		}
		return i, j, d.at(i, j)
	}
	for t := range triangles {
		i := key.Fold(0).Intn(d.n, 0, uint64(t))
		j := key.Fold(0).Intn(d.n-1, 1, uint64(t))
		if j >= i {
			j++
		}
		l := key.Fold(0).Intn(d.n-2, 2, uint64(t))
		for _, taken := range [...]int{min(i, j), max(i, j)} {
			if l >= taken {
				l++
			}
		}
		gap.add(longer(d.at(i, j), d.at(i, l), d.at(j, l)), i, j, l)
		ai, aj, a := pair(key.Fold(1), t)
		bi, bj, b := pair(key.Fold(2), t)
		ci, cj, c := pair(key.Fold(3), t)
		chance.add(longer(a, b, c), ai, aj, bi, bj, ci, cj)
		for _, x := range [...]float64{a, b, c} {
			sum += x
			squares += x * x
		}
	}
	mean := sum / (3 * triangles)
	deviation := math.Sqrt(max(0, squares/(3*triangles)-mean*mean))
	without := make([]float64, d.n)
	for i := range without {
		without[i] = gap.without(i) / chance.without(i)
	}
	return gap.sum / chance.sum, jackknife(without), gap.sum / triangles / deviation
}

// gaps are a sum over sets of samples, and the part of each sample in it.
type gaps struct {
	sum    float64
	n      int
	of     []float64 // sum over the sets with a sample
	number []int     // of them
}

func newGaps(samples int) *gaps {
	return &gaps{of: make([]float64, samples), number: make([]int, samples)}
}

// add adds x, which is about these samples; one may be named more than once.
func (g *gaps) add(x float64, samples ...int) {
	g.sum += x
	g.n++
	for k, i := range samples {
		if !slices.Contains(samples[:k], i) {
			g.of[i] += x
			g.number[i]++
		}
	}
}

// without returns the mean without the sets that sample i is in.
func (g *gaps) without(i int) float64 { return (g.sum - g.of[i]) / float64(g.n-g.number[i]) }

// longer returns the difference of the two longest of three sides.
func longer(a, b, c float64) float64 {
	longest := max(a, b, c)
	return longest - max(min(a, b), min(max(a, b), c))
}
