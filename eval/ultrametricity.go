package eval

import (
	"context"
	"math"

	"mattis/bm"
	"mattis/rng"
)

// triangles is how many triples of samples, and as many of unrelated distances, are looked at.
const triangles = 100_000

// ultrametricity is how far triangles of samples are from isosceles with a short
// base, compared with chance: the mean of the difference of the two longer sides, over its mean
// for three sides drawn each for itself from the same distances. 0 is an
// ultrametric space, as low-temperature spin glasses have (Rammal, Toulouse and Virasoro 1986), 1 is no
// structure beyond the distances themselves. Distances are (1-q)/2, and (1-|q|)/2 where the
// machine does not tell a configuration from its negative. The samples are those
// of valid_share. detail.k is the mean of (d1-d2)/deviation of Hartnett, Parker and Geist (2018).
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
	fold := false
	if m, ok := s.Machine.(*bm.RBM); ok {
		fold = m.Symmetric()
	}
	d := distances{q, n, fold}
	ratio, k := d.ultrametricity(s.Key.Fold(purposeTriangles))
	if math.IsNaN(ratio) {
		return Result{}, &NoValue{"all samples are at one distance from each other"}
	}
	return Result{Value: ratio, Stderr: Unknown, N: triangles, Detail: map[string]any{"k": k, "chains": n, "sweeps": o.Samples.Sweeps, "folded": fold}}, nil
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

// ultrametricity returns the mean gap of the two longer sides over that of
// unrelated sides, NaN where there is none, and over the deviation of the distances.
func (d distances) ultrametricity(key rng.Key) (ratio, k float64) {
	var gap, chance, sum, squares float64
	pair := func(key rng.Key, t int) float64 {
		i := key.Intn(d.n, 0, uint64(t))
		j := key.Intn(d.n-1, 1, uint64(t))
		if j >= i {
			j++
		}
		return d.at(i, j)
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
		gap += longer(d.at(i, j), d.at(i, l), d.at(j, l))
		a, b, c := pair(key.Fold(1), t), pair(key.Fold(2), t), pair(key.Fold(3), t)
		chance += longer(a, b, c)
		for _, x := range [...]float64{a, b, c} {
			sum += x
			squares += x * x
		}
	}
	mean := sum / (3 * triangles)
	deviation := math.Sqrt(max(0, squares/(3*triangles)-mean*mean))
	return gap / chance, gap / triangles / deviation
}

// longer returns the difference of the two longest of three sides.
func longer(a, b, c float64) float64 {
	longest := max(a, b, c)
	return longest - max(min(a, b), min(max(a, b), c))
}
