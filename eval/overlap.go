package eval

import (
	"context"
	"fmt"
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// overlapBins is the number of bins of P(q) over [-1,1]; an odd number has one about 0.
const overlapBins = 21

// overlap is the mean of q^2 over all pairs of samples, q = v.v'/V: 1/V for fair coins, 1 for one
// configuration and its negative. detail.density is P(q) at detail.q, and detail.mean_abs the mean
// of |q|. The samples are those of valid_share. The standard error is that of the jackknife over
// samples, which pairs share.
func overlap(ctx context.Context, s Subject, o Options) (Result, error) {
	x, err := s.samples(ctx, o.Samples)
	if err != nil {
		return Result{}, err
	}
	n := o.Samples.Chains
	if n < 2 {
		return Result{}, &NoValue{"overlaps need two samples; set samples.chains"}
	}
	q, err := overlaps(ctx, x, n)
	if err != nil {
		return Result{}, err
	}
	t := tallyOverlaps(q, n)
	detail := map[string]any{"q": t.q, "density": t.density, "mean_abs": t.abs, "chains": n, "sweeps": o.Samples.Sweeps}
	if err := s.addMixing(ctx, o.Samples, detail); err != nil {
		return Result{}, err
	}
	return Result{Value: t.two, Stderr: jackknife(t.without), N: n * (n - 1) / 2, Detail: detail}, nil
}

// overlaps returns the n x n overlaps of n samples of equal length; only those below the diagonal
// are set.
func overlaps(ctx context.Context, x []int8, n int) ([]float32, error) {
	v := len(x) / n
	q := make([]float32, n*n)
	for i := range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a := x[i*v : (i+1)*v]
		for j := range i {
			dot := 0
			for k, b := range x[j*v : (j+1)*v] {
				dot += int(a[k]) * int(b)
			}
			q[i*n+j] = float32(dot) / float32(v)
		}
	}
	return q, nil
}

// mostPaired bounds the samples whose overlaps are held at once.
const mostPaired = 8192

// samples returns the visible spins of the samples that valid_share looks at, row after row, from
// the memo if it has them.
func (s Subject) samples(ctx context.Context, o SampleOptions) ([]int8, error) {
	if o.Chains > mostPaired {
		return nil, fmt.Errorf("samples.chains: %d samples make too many pairs, at most %d can be compared", o.Chains, mostPaired)
	}
	of, start, err := s.sampling(o)
	if err != nil {
		return nil, err
	}
	if d := s.Memo.drawn; d != nil && d.of == of {
		return d.spins, nil
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
		return nil, err
	}
	s.Memo.drawn = &drawn{of, spins}
	return spins, nil
}

// drawn are samples and what they depend on.
type drawn struct {
	of    tallied
	spins []int8
}

// sampling returns how the chains of the samples start, and what they depend on.
func (s Subject) sampling(o SampleOptions) (tallied, func(first int, visible compute.Matrix), error) {
	key := s.Key.Fold(purposeSamples)
	of := tallied{SampleOptions: o, key: s.Key}
	if o.From != "data" {
		return of, s.randomStart(key.Fold(0)), nil
	}
	if s.SetName == "" {
		s.SetName = "train"
	}
	set, err := s.set()
	if err != nil {
		return of, nil, err
	}
	of.set = s.SetName
	return of, s.dataStart(set, key.Fold(0)), nil
}

// watched is the number of chains that tell whether samples forget their start.
const watched = 40

// addMixing adds to the detail of a measure of samples what chains of as many sweeps say, half as
// many of them left out, from starts far apart (fair coins, patterns, data): the verdict of Mixing
// and the largest split R-hat. Both are the memo's where it has them.
func (s Subject) addMixing(ctx context.Context, o SampleOptions, detail map[string]any) error {
	r := s.Machine
	of, _, err := s.sampling(o)
	if err != nil {
		return err
	}
	of.Chains, of.From, of.set = 0, "", "" // it depends on the sweeps and the key alone
	m := s.Memo.mixing
	if m == nil || m.of != of {
		m = &sampleMixing{of: of, verdict: TooShort}
		if o.Sweeps >= leastWatched {
			if err := s.watch(ctx, r, m); err != nil {
				return err
			}
		}
		s.Memo.mixing = m
	}
	detail["mixing"] = string(m.verdict)
	if m.rHat > 0 {
		detail["r_hat"] = m.rHat
	}
	return nil
}

// sampleMixing is what chains say of samples, and what it depends on.
type sampleMixing struct {
	of      tallied
	verdict Verdict
	rHat    float64 // 0 where nothing changes or nothing was watched
}

func (s Subject) watch(ctx context.Context, r *bm.Machine, m *sampleMixing) error {
	key := s.Key.Fold(purposeSamples).Fold(2)
	mover, err := sampler.New("gibbs", r, sampler.Options{Key: key.Fold(0)})
	if err != nil {
		return err
	}
	var rows []int8
	if s.Split != nil && s.Split.Train != nil && s.Split.Train.Visible == r.Layers()[bm.Visible] {
		for _, i := range s.rows(s.Split.Train, watched) {
			rows = append(rows, s.Split.Train.Row(int(i))...)
		}
	}
	start, _ := Scattered(r, watched, rows, key.Fold(1))
	x, err := Watch{Machine: r, Sampler: mover, Start: start, Sweeps: m.of.Sweeps, Key: key.Fold(2)}.Run(ctx)
	if err != nil {
		return err
	}
	m.verdict, _ = x.Verdict()
	if apart, ok := x.Apart(); ok {
		m.rHat = bounded(apart.RHat)
	}
	return nil
}

// Comparison is what the overlaps of samples say together.
type Comparison struct {
	Q, Density     []float64 // P(q)
	Squared        float64   // mean of q^2
	Ultrametricity float64   // as the measure of that name; NaN where all distances are the same
}

// Overlaps compares rows of v spins with each other, whatever they were drawn by. With symmetric a
// configuration and its negative are one to Ultrametricity.
func Overlaps(ctx context.Context, spins []int8, v int, symmetric bool, key rng.Key) (Comparison, error) {
	n := 0
	if v > 0 {
		n = len(spins) / v
	}
	if n < 3 || n > mostPaired || n*v != len(spins) {
		return Comparison{}, fmt.Errorf("%d spins are no 3 to %d rows of %d", len(spins), mostPaired, v)
	}
	q, err := overlaps(ctx, spins, n)
	if err != nil {
		return Comparison{}, err
	}
	p := tallyOverlaps(q, n)
	ratio, _, _ := distances{q, n, symmetric}.ultrametricity(key)
	return Comparison{p.q, p.density, p.two, ratio}, nil
}

// overlapTally is P(q) and its moments.
type overlapTally struct {
	q, density []float64
	two, abs   float64
	without    []float64 // two without each sample; nil of two samples
}

// tallyOverlaps counts the overlaps below the diagonal.
func tallyOverlaps(q []float32, n int) overlapTally {
	t := overlapTally{q: make([]float64, overlapBins), density: make([]float64, overlapBins)}
	of := make([]float64, n) // the sum of q^2 over the pairs of each sample
	for i := range n {
		for j, y := range q[i*n : i*n+i] {
			t.two += float64(y) * float64(y)
			of[i] += float64(y) * float64(y)
			of[j] += float64(y) * float64(y)
			t.abs += math.Abs(float64(y))
			t.density[min(overlapBins-1, int((float64(y)+1)/2*overlapBins))]++
		}
	}
	pairs := float64(n * (n - 1) / 2)
	if n > 2 {
		t.without = of
		for i, sum := range of {
			t.without[i] = (t.two - sum) / (pairs - float64(n-1))
		}
	}
	t.two /= pairs
	t.abs /= pairs
	for i := range t.density {
		t.q[i] = (float64(i)+0.5)*2/overlapBins - 1
		t.density[i] *= overlapBins / (2 * pairs)
	}
	return t
}
