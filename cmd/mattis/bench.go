package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/negative"
	"mattis/optim"
	"mattis/sampler"
	"mattis/train"
)

// benchShape is what a benchmark runs on.
type benchShape struct {
	Visible  int `json:"visible"`
	Hidden   int `json:"hidden"`
	Patterns int `json:"patterns,omitempty"` // 0 for dense couplings
	Batch    int `json:"batch,omitempty"`
	Gibbs    int `json:"gibbs,omitempty"`
	Chains   int `json:"chains,omitempty"`
}

// benchResult is the JSON of a benchmark.
type benchResult struct {
	What      string  `json:"what"`
	Seconds   float64 `json:"seconds"` // median of a repetition
	Min       float64 `json:"min"`
	GFLOPS    float64 `json:"gflops"` // at the median; a multiply-add is two operations
	Peak      float64 `json:"peak_gflops"`
	Fraction  float64 `json:"fraction"`
	Threads   int     `json:"threads"`
	Arch      string  `json:"arch"`
	Couplings string  `json:"couplings,omitempty"`
	benchShape
	Runs int `json:"runs"`
}

// benchmark is one entry of the table: the default shape, the work, and its
// multiply-adds.
type benchmark struct {
	about    string
	defaults benchShape
	prepare  func(e compute.Engine, s benchShape) (work func() error, err error)
	ops      func(s benchShape) float64
}

var benchmarks = map[string]benchmark{
	"update": {"one training update of the paper's MNIST machine: pid-gibbs (pcd with dense couplings), sgd, clip",
		benchShape{Visible: 784, Hidden: 3000, Patterns: 200, Batch: 8000, Gibbs: 1}, prepareUpdate, updateOps},
	"sweep": {"one Gibbs sweep v -> h -> v of all chains",
		benchShape{Visible: 784, Hidden: 3000, Patterns: 200, Chains: 2000}, prepareSweep, sweepOps},
	"gemm": {"one float32 product of a batch x visible and a visible x hidden matrix",
		benchShape{Visible: 2048, Hidden: 2048, Batch: 2048}, prepareProduct,
		func(s benchShape) float64 { return float64(s.Batch) * float64(s.Visible) * float64(s.Hidden) }},
	"exact": {"one exact gradient: all visible states, their probabilities and the phase",
		benchShape{Visible: 16, Hidden: 1000}, prepareExact, exactOps},
}

func benchCommand() *cobra.Command {
	var shape benchShape
	var threads, runs int
	var dense string
	var asJSON bool
	names := make([]string, 0, len(benchmarks))
	for n := range benchmarks {
		names = append(names, n)
	}
	slices.Sort(names)
	long := "Time the hot loops beside the machine's measured peak of fused multiply-adds on\nthe same threads. The repetitions and the peak's measurements take turns; medians count.\n\n"
	for _, n := range names {
		long += fmt.Sprintf("  %-7s %s\n", n, benchmarks[n].about)
	}
	cmd := &cobra.Command{
		Use:     "bench update|sweep|gemm|exact",
		Short:   "Time the hot loops and compare them with the hardware's limit",
		Long:    long,
		Example: "  mattis bench sweep --chains 190\n  mattis bench update --visible 16 --hidden 1000 --patterns 8 --batch 3 --gibbs 0 --threads 1\n  mattis bench update --couplings dense --batch 500 --json",
		Args:    exactly("WHAT (update, sweep, gemm or exact)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, ok := benchmarks[args[0]]
			if !ok {
				return usageError{fmt.Errorf("no benchmark %q, want one of %v", args[0], names)}
			}
			s := b.defaults
			for _, f := range []struct {
				name     string
				dst, src *int
			}{{"visible", &s.Visible, &shape.Visible}, {"hidden", &s.Hidden, &shape.Hidden}, {"patterns", &s.Patterns, &shape.Patterns},
				{"batch", &s.Batch, &shape.Batch}, {"gibbs", &s.Gibbs, &shape.Gibbs}, {"chains", &s.Chains, &shape.Chains}} {
				if !cmd.Flags().Changed(f.name) {
					continue
				}
				if *f.dst == 0 && !(f.name == "patterns" && args[0] == "exact") {
					return usageError{fmt.Errorf("--%s has no meaning for bench %s", f.name, args[0])}
				}
				least := 1
				if f.name == "gibbs" && dense != "dense" {
					least = 0
				}
				if *f.src < least || *f.src > 1<<24 {
					return usageError{fmt.Errorf("--%s %d is out of range, want %d to %d", f.name, *f.src, least, 1<<24)}
				}
				*f.dst = *f.src
			}
			switch {
			case dense == "dense" && cmd.Flags().Changed("patterns"):
				return usageError{fmt.Errorf("--patterns has no meaning for dense couplings")}
			case dense == "dense":
				s.Patterns = 0
			case dense != "axons" && dense != "":
				return usageError{fmt.Errorf("--couplings %q is unknown, want axons or dense", dense)}
			}
			if runs < 1 || runs > 10000 {
				return usageError{fmt.Errorf("--runs %d is out of range, want 1 to 10000", runs)}
			}
			e, arm, err := newEngine(threads)
			if err != nil {
				return err
			}
			defer e.Close()
			work, err := b.prepare(e, s)
			if err != nil {
				return err
			}
			r, err := timed(cmd, work, runs, e.Threads())
			if err != nil {
				return err
			}
			r.What, r.benchShape, r.Threads, r.Arch = args[0], s, e.Threads(), arm
			if args[0] != "gemm" {
				r.Couplings = "axons"
				if s.Patterns == 0 {
					r.Couplings = "dense"
				}
			}
			r.GFLOPS = 2 * b.ops(s) / r.Seconds / 1e9
			r.Fraction = r.GFLOPS / r.Peak
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: median %s, min %s of %d runs; %.1f GFLOP/s, %.0f %% of the %.1f that %d threads reach (%s)\n", r.What, duration(r.Seconds), duration(r.Min), r.Runs, r.GFLOPS, 100*r.Fraction, r.Peak, r.Threads, r.Arch)
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&shape.Visible, "visible", 0, "visible spins V")
	f.IntVar(&shape.Hidden, "hidden", 0, "hidden spins H")
	f.IntVar(&shape.Patterns, "patterns", 0, "patterns K")
	f.IntVar(&shape.Batch, "batch", 0, "rows of a batch B")
	f.IntVar(&shape.Gibbs, "gibbs", 0, "Gibbs steps of the negative phase; 0: the patterns themselves (pid), whose signs every update takes")
	f.IntVar(&shape.Chains, "chains", 0, "chains of a sweep")
	f.StringVar(&dense, "couplings", "", "axons (default) or dense")
	f.IntVar(&threads, "threads", 0, "threads; 0 takes one a core")
	f.IntVar(&runs, "runs", 9, "repetitions after one to warm up")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// timed runs the work and the measurement of the peak in turn. Work shorter
// than a tenth of a second is repeated within a run.
func timed(cmd *cobra.Command, work func() error, runs, threads int) (benchResult, error) {
	start := time.Now()
	if err := work(); err != nil {
		return benchResult{}, err
	}
	repeat := max(1, int(0.1/max(time.Since(start).Seconds(), 1e-7)))
	for range repeat - 1 { // warm
		if err := work(); err != nil {
			return benchResult{}, err
		}
	}
	var seconds, peaks []float64
	for range runs {
		if err := cmd.Context().Err(); err != nil {
			return benchResult{}, err
		}
		peaks = append(peaks, cpu.PeakGFLOPS(threads))
		start := time.Now()
		for range repeat {
			if err := work(); err != nil {
				return benchResult{}, err
			}
		}
		seconds = append(seconds, time.Since(start).Seconds()/float64(repeat))
	}
	slices.Sort(seconds)
	slices.Sort(peaks)
	return benchResult{Seconds: seconds[runs/2], Min: seconds[0], Peak: peaks[runs/2], Runs: runs}, nil
}

func duration(seconds float64) string {
	return time.Duration(seconds * 1e9).Round(time.Duration(max(1, seconds*1e6))).String()
}

func benchMachine(e compute.Engine, s benchShape) (*bm.RBM, *bm.Axons) {
	if s.Patterns == 0 {
		d := bm.NewDense(e, s.Visible, s.Hidden, false)
		d.Normal(0.01, 1)
		return bm.NewRBM(e, d, false, false), nil
	}
	a := bm.NewAxons(e, s.Visible, s.Hidden, s.Patterns, false, false)
	a.Uniform(1, 1)
	return bm.NewRBM(e, a, false, false), a
}

func prepareUpdate(e compute.Engine, s benchShape) (func() error, error) {
	m, a := benchMachine(e, s)
	data := e.Alloc(compute.Int8, s.Batch, s.Visible)
	e.Spins(data, 2, 0, 0)
	t := &train.Trainer{Machine: m, Optimizer: optim.NewSGD(m, 0, 0), Rate: func(int) float64 { return 0.015 },
		Data: data, BatchSize: s.Batch, Short: train.Share, Key: 3}
	if a == nil {
		t.Negative = negative.NewPCD(m, min(s.Batch, 2048), s.Gibbs, 4)
		t.Rate = func(int) float64 { return 1e-4 }
	} else if s.Gibbs == 0 {
		t.Negative = negative.NewPID(m, a)
		t.AfterUpdate = []optim.Projection{optim.Sign{Machine: m, Axons: a}}
	} else {
		t.Negative = negative.NewPIDGibbs(m, a, s.Gibbs, false)
		t.AfterUpdate = []optim.Projection{optim.Clip{Machine: m, Axons: a, Bound: 1}}
	}
	epoch := 0
	return func() error { epoch++; return t.Run(context.Background(), epoch) }, nil
}

func updateOps(s benchShape) float64 {
	v, h, k, b := float64(s.Visible), float64(s.Hidden), float64(s.Patterns), float64(s.Batch)
	if k == 0 {
		chains := min(b, 2048)
		return (b+chains)*2*v*h + float64(s.Gibbs)*chains*2*v*h
	}
	return (b+k)*k*(2*v+3*h) + float64(s.Gibbs)*k*2*k*(v+h)
}

func prepareSweep(e compute.Engine, s benchShape) (func() error, error) {
	m, _ := benchMachine(e, s)
	chains := sampler.Chains(m, s.Chains)
	law := bm.Law{Key: 5}
	sampler.Randomize(m, chains, law)
	return func() error {
		law.Key++
		sampler.Gibbs(m, chains, law, 1)
		return e.Sync()
	}, nil
}

func sweepOps(s benchShape) float64 {
	v, h, k, n := float64(s.Visible), float64(s.Hidden), float64(s.Patterns), float64(s.Chains)
	if k == 0 {
		return n * 2 * v * h
	}
	return n * 2 * k * (v + h)
}

func prepareProduct(e compute.Engine, s benchShape) (func() error, error) {
	x := bm.NewDense(e, s.Batch, s.Visible, false)
	x.Normal(1, 6)
	y := bm.NewDense(e, s.Visible, s.Hidden, false)
	y.Normal(1, 7)
	dst := e.Alloc(compute.Float32, s.Batch, s.Hidden)
	return func() error {
		e.Mul(dst, x.Weights().Value, y.Weights().Value, compute.Op{Alpha: 1})
		return e.Sync()
	}, nil
}

func prepareExact(e compute.Engine, s benchShape) (func() error, error) {
	m, _ := benchMachine(e, s)
	x, err := negative.NewExact(m)
	if err != nil {
		return nil, err
	}
	return func() error {
		m.Phase(x.Draw(bm.Batch{}, 0), -1)
		return e.Sync()
	}, nil
}

// exactOps counts the two products of the phase over half of the states and one
// multiply-add for each pair of half states and hidden spin.
func exactOps(s benchShape) float64 {
	states, h, v, k := float64(uint64(1)<<(s.Visible-1)), float64(s.Hidden), float64(s.Visible), float64(s.Patterns)
	if k == 0 {
		return states*2*v*h + states*h
	}
	return states*k*(2*v+3*h) + states*h
}
