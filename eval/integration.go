package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/integrate"
	"gonum.org/v1/gonum/stat"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// IntegrationOptions set the tempering that logz_integration integrates over.
type IntegrationOptions struct {
	Ladders int `yaml:"ladders"` // independent ladders; an error needs two
	Betas   int `yaml:"betas"`   // intervals of inverse temperature, rounded up to a multiple of 4
	Sweeps  int `yaml:"sweeps"`  // sweeps measured, after half as many that are not
}

var integrationDefaults = IntegrationOptions{Ladders: 8, Betas: 64, Sweeps: 400}

func (o IntegrationOptions) check() error {
	return cmp.Or(inRange("ladders", o.Ladders, 2, most), inRange("betas", o.Betas, 1, most),
		inRange("sweeps", o.Sweeps, 1, most))
}

// Integration estimates log Z by thermodynamic integration over parallel tempering,
//
//	log Z = log Z_0 - integral over beta from 0 to 1 of <E(v,h) + base.v>_beta
//
// from the same base law as AIS but with nothing else in common: an independent check.
type Integration struct {
	Machine *bm.RBM
	Base    []float32 // fields of the base law, one a visible spin; nil for fair coins
	Ladders int       // independent ladders; the error is over them
	Betas   int       // intervals between 0 and 1, rounded up to a multiple of 4
	Sweeps  int       // sweeps that are measured, after half as many that are not
	Key     rng.Key
	// Progress, if there is one, is told the share done, in [0,1].
	Progress func(share float64)
}

// Estimate returns the estimate by Simpson's rule over the mean energies. Its standard error is that over ladders
// beside the change from half as many inverse temperatures; it has no side.
func (t *Integration) Estimate(ctx context.Context) (LogZ, error) {
	a := AIS{Machine: t.Machine, Base: t.Base, Runs: max(2, t.Ladders), Betas: (t.Betas + 3) &^ 3, Sweeps: 1, Key: t.Key}
	switch {
	case t.Ladders < 2:
		return LogZ{}, fmt.Errorf("%d ladders, at least 2 are needed for an error", t.Ladders)
	case t.Sweeps < 1:
		return LogZ{}, fmt.Errorf("%d sweeps to measure, at least 1 is needed", t.Sweeps)
	}
	up, err := a.Ladder(ctx)
	if err != nil {
		return LogZ{}, err
	}
	up = distinct(up)
	n := len(up)
	down := make([]float64, n)
	for i, b := range up {
		down[n-1-i] = b
	}
	e := t.Machine.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	law := bm.Law{}
	if t.Base != nil {
		law.Base = e.Scratch(compute.Float32, 1, len(t.Base))
		e.Write(law.Base, t.Base)
	}
	chains, err := sampler.NewTempering(t.Machine, down)
	if err != nil {
		return LogZ{}, err
	}
	start := bm.State{e.Scratch(compute.Int8, 1, t.Machine.Layers()[bm.Visible])}
	fine, coarse := make([]float64, t.Ladders), make([]float64, t.Ladders)
	swaps := make([]float64, n-1)
	for l := range t.Ladders {
		key := t.Key.Fold(streamIntegration).Fold(uint64(l))
		sampler.Randomize(t.Machine, start, bm.Law{Key: key.Fold(0)})
		chains.Start(start, 1)
		law.Key = key.Fold(1)
		if err := t.measure(ctx, chains, law, l); err != nil {
			return LogZ{}, err
		}
		minus := make([]float64, n)
		for i, x := range chains.MeanEnergies() {
			minus[n-1-i] = -x
		}
		fine[l] = integrate.Simpsons(up, minus)
		x, f := everySecond(up, minus)
		coarse[l] = integrate.Simpsons(x, f)
		for i, s := range chains.Stats().Swaps {
			swaps[i] += s.Chance / float64(t.Ladders)
		}
	}
	mean, deviation := stat.MeanStdDev(fine, nil)
	g := float64(t.Ladders)
	z := LogZ{
		Value: a.baseLogZ() + mean + t.Machine.Constant(), Side: NoSide, Runs: t.Ladders, Betas: n - 1, Sweeps: t.Sweeps,
		Started: "fair coins, tempering",
	}
	chance := deviation / math.Sqrt(g) * student(g)
	rule := math.Abs(mean - stat.Mean(coarse, nil))
	z.Stderr = math.Hypot(math.Hypot(chance, rule/3), rounding(t.Machine.Layers()[bm.Hidden], z.Value))
	if rule > 3*chance && rule > 0.01 {
		z.Warnings = append(z.Warnings, fmt.Sprintf("integration: half as many inverse temperatures change the integral by %.3g nats: take more", rule))
	}
	for i, s := range swaps {
		if s < 0.05 {
			z.Warnings = append(z.Warnings, fmt.Sprintf("integration: tempering swaps only %.2g of the time between inverse temperatures %.3g and %.3g: take more", s, down[i+1], down[i]))
			break
		}
	}
	return z, nil
}

// measure moves the replicas of ladder number l by all its sweeps; what chains has counted afterwards is of those measured.
func (t *Integration) measure(ctx context.Context, chains *sampler.Tempering, law bm.Law, l int) error {
	const round = 10 // sweeps between looks at the context
	key, burn := law.Key, (t.Sweeps+1)/2
	for done := 0; done < burn+t.Sweeps; {
		if err := ctx.Err(); err != nil {
			return err
		}
		sweeps := min(round, burn+t.Sweeps-done)
		if done < burn {
			sweeps = min(sweeps, burn-done)
		} else if done == burn {
			chains.ResetStats()
		}
		law.Key = key.Fold(uint64(done))
		chains.Advance(law, sweeps)
		done += sweeps
		if t.Progress != nil {
			t.Progress((float64(l) + float64(done)/float64(burn+t.Sweeps)) / float64(t.Ladders))
		}
	}
	return nil
}

// distinct returns b, which does not decrease, without repeated values.
func distinct(b []float64) []float64 {
	d := b[:1:1]
	for _, x := range b[1:] {
		if x > d[len(d)-1] {
			d = append(d, x)
		}
	}
	return d
}

// everySecond returns the points 0, 2, 4, ... and the last one.
func everySecond(x, f []float64) (xs, fs []float64) {
	for i := range x {
		if i%2 == 0 || i == len(x)-1 {
			xs, fs = append(xs, x[i]), append(fs, f[i])
		}
	}
	return xs, fs
}
