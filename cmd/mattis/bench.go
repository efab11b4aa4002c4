package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/negative"
	"mattis/optim"
	"mattis/positive"
	"mattis/recipe"
	"mattis/sampler"
	"mattis/train"
)

// benchShape is what a benchmark runs on.
type benchShape struct {
	Visible  int    `json:"visible"`
	Hidden   int    `json:"hidden"`
	Patterns int    `json:"patterns,omitempty"` // 0 for dense couplings
	Batch    int    `json:"batch,omitempty"`
	Gibbs    int    `json:"gibbs,omitempty"`
	Chains   int    `json:"chains,omitempty"`
	Machine  string `json:"machine,omitempty"` // its YAML, in place of Hidden
	Signs    bool   `json:"signs,omitempty"`   // patterns of entries 1 and -1

	graph     bm.Graph
	precision compute.Precision
}

// String writes the shape as flags.
func (s benchShape) String() string {
	var words []string
	for _, f := range []struct {
		name string
		n    int
	}{{"visible", s.Visible}, {"hidden", s.Hidden}, {"patterns", s.Patterns}, {"batch", s.Batch}, {"gibbs", s.Gibbs}, {"chains", s.Chains}} {
		if f.n > 0 {
			words = append(words, fmt.Sprintf("--%s %d", f.name, f.n))
		}
	}
	if s.Machine != "" {
		words = append(words, fmt.Sprintf("--machine '%s'", s.Machine))
	}
	if s.Signs {
		words = append(words, "--signs")
	}
	return strings.Join(words, " ")
}

// benchResult is the JSON of a benchmark.
type benchResult struct {
	What      string  `json:"what"`
	Seconds   float64 `json:"seconds"` // median of a repetition
	Min       float64 `json:"min"`
	GFLOPS    float64 `json:"gflops"`      // at the median; a multiply-add is two operations
	Peak      float64 `json:"peak_gflops"` // median of the runs' peaks
	Fraction  float64 `json:"fraction"`    // median of the runs' rates, each as a part of its own peak
	Threads   int     `json:"threads"`
	Arch      string  `json:"arch"`
	Couplings string  `json:"couplings,omitempty"`
	Precision string  `json:"precision"`
	benchShape
	Runs     int `json:"runs"`
	Integers int `json:"integer_products,omitempty"` // of all runs
}

// benchmark is one entry of the table: the default shape, and what prepares the
// work and counts its multiply-adds.
type benchmark struct {
	about    string
	defaults benchShape
	prepare  func(e compute.Engine, s benchShape) (work func() error, ops float64, err error)
}

var benchmarks = map[string]benchmark{
	"update": {"one training update of the paper's MNIST machine: pid-gibbs (pcd with dense couplings), sgd, clip",
		benchShape{Visible: 784, Hidden: 3000, Patterns: 200, Batch: 8000, Gibbs: 1}, prepareUpdate},
	"sweep": {"one Gibbs sweep v -> h -> v of all chains",
		benchShape{Visible: 784, Hidden: 3000, Patterns: 200, Chains: 2000}, prepareSweep},
	"gemm": {"one product of a batch x visible and a visible x hidden matrix",
		benchShape{Visible: 2048, Hidden: 2048, Batch: 2048}, prepareProduct},
	"exact": {"one exact gradient: all visible states, their probabilities and the phase",
		benchShape{Visible: 16, Hidden: 1000}, prepareExact},
}

func benchCommand() *cobra.Command {
	var shape benchShape
	var threads, runs int
	var dense, machine, precision string
	var asJSON bool
	names := make([]string, 0, len(benchmarks))
	for n := range benchmarks {
		names = append(names, n)
	}
	slices.Sort(names)
	long := "Time the hot loops beside the machine's measured peak of fused multiply-adds on\nthe same threads. " +
		"Runs and rounds of the peak of about the same length take turns; the\npeak of a run is the mean of the rounds " +
		"before and after it. Medians count: the fraction\nis that of the runs' fractions, not the quotient of the other two.\n\n"
	for _, n := range names {
		long += fmt.Sprintf("  %-7s %s\n          (%s)\n", n, benchmarks[n].about, benchmarks[n].defaults)
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
				return usageError{fmt.Errorf("no benchmark %q, want one of %s", args[0], strings.Join(names, ", "))}
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
			if machine != "" {
				if args[0] != "update" && args[0] != "sweep" {
					return usageError{fmt.Errorf("--machine has no meaning for bench %s", args[0])}
				}
				if cmd.Flags().Changed("hidden") {
					return usageError{fmt.Errorf("--hidden has no meaning beside --machine, which has its hidden layers")}
				}
				r, err := recipe.Parse("--machine", []byte("data: {name: none}\nnegative: {kind: cd}\ntrain: {epochs: 0, batch: 1}\n"), "machine="+machine)
				if err != nil {
					return usageError{fmt.Errorf("--machine: %s", strings.TrimPrefix(err.Error(), "--set machine="+machine+": "))}
				}
				s.Hidden, s.Machine = 0, machine
				if s.graph, err = r.Graph(s.Visible); err != nil {
					return usageError{fmt.Errorf("--machine: %w", err)}
				}
			} else {
				s.graph = bm.Restricted(s.Visible, s.Hidden, false)
			}
			var err error
			if s.precision, err = compute.ParsePrecision(precision); err != nil {
				return usageError{fmt.Errorf("--precision %q is unknown, want float32 or bf16", precision)}
			}
			if s.precision != compute.Single && args[0] == "exact" {
				return usageError{fmt.Errorf("--precision %s has no meaning for bench exact, whose work is no product", precision)}
			}
			if s.Signs = shape.Signs; s.Signs && (s.Patterns == 0 || args[0] != "sweep") {
				return usageError{errors.New("--signs is for bench sweep with axons, whose patterns stay as they are")}
			}
			if runs < 1 || runs > 10000 {
				return usageError{fmt.Errorf("--runs %d is out of range, want 1 to 10000", runs)}
			}
			if err := enoughMemory("bench of V = "+fmt.Sprint(s.Visible)+", H = "+fmt.Sprint(s.spins()-s.Visible), s.memory(args[0])); err != nil {
				return err
			}
			e, arm, err := newEngine(threads)
			if err != nil {
				return err
			}
			defer e.Close()
			work, ops, err := b.prepare(e, s)
			if err != nil {
				return err
			}
			r, err := timed(cmd, work, ops, runs, s.precision, e.Threads())
			if err != nil {
				return err
			}
			r.What, r.benchShape, r.Threads, r.Arch, r.Precision, r.Integers = args[0], s, e.Threads(), arm, precision, e.IntegerProducts()
			if args[0] != "gemm" {
				r.Couplings = "axons"
				if s.Patterns == 0 {
					r.Couplings = "dense"
				}
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			}
			integers := ""
			if r.Integers > 0 {
				integers = ", integers where they are exact"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: median %s, min %s of %d runs; %.1f GFLOP/s, %.0f %% of the %.1f that %d threads reach (%s, %s%s)\n", r.What, duration(r.Seconds), duration(r.Min), r.Runs, r.GFLOPS, 100*r.Fraction, r.Peak, r.Threads, r.Arch, r.Precision, integers)
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&shape.Visible, "visible", 0, "visible spins V")
	f.IntVar(&shape.Hidden, "hidden", 0, "hidden spins H")
	f.StringVar(&machine, "machine", "", "machine of a recipe in place of --hidden, as `YAML`: '{kind: deep, hidden: [500, 1000]}'")
	f.IntVar(&shape.Patterns, "patterns", 0, "patterns K")
	f.IntVar(&shape.Batch, "batch", 0, "rows of a batch B")
	f.IntVar(&shape.Gibbs, "gibbs", 0, "Gibbs steps of the negative phase; 0: the patterns themselves (pid), whose signs every update takes")
	f.IntVar(&shape.Chains, "chains", 0, "chains of a sweep")
	f.StringVar(&dense, "couplings", "", "axons (default) or dense")
	f.StringVar(&precision, "precision", compute.Single.String(), "factors of products: float32, or bf16 beside the peak of bf16")
	f.IntVar(&threads, "threads", 0, "threads; 0 takes one a core")
	f.IntVar(&runs, "runs", 9, "repetitions after one to warm up")
	f.BoolVar(&shape.Signs, "signs", false, "of a sweep: patterns of entries 1 and -1, whose products are those of integers (MATTIS_INTEGERS=off: of float32)")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// timed runs the work and the measurement of the peak in turn. Work shorter
// than a tenth of a second is repeated within a run. The peak of a run is the mean of two rounds of
// about its length, directly before and after it on as many threads: the
// clock of a shared host changes within seconds, so a run is compared with its
// neighbours, and the fraction is the median of these ratios.
func timed(cmd *cobra.Command, work func() error, ops float64, runs int, precision compute.Precision, threads int) (benchResult, error) {
	start := time.Now()
	if err := work(); err != nil {
		return benchResult{}, err
	}
	once := time.Since(start).Seconds()
	repeat := max(1, int(0.1/max(once, 1e-7)))
	for range repeat - 1 { // warm
		if err := work(); err != nil {
			return benchResult{}, err
		}
	}
	long := time.Duration(min(max(once, 0.1), 1) * 1e9)
	var seconds, peaks, fractions []float64
	before := cpu.Peak(precision, threads, long)
	for range runs {
		if err := cmd.Context().Err(); err != nil {
			return benchResult{}, err
		}
		start := time.Now()
		for range repeat {
			if err := work(); err != nil {
				return benchResult{}, err
			}
		}
		s := time.Since(start).Seconds() / float64(repeat)
		after := cpu.Peak(precision, threads, long)
		peak := (before + after) / 2
		seconds, peaks, fractions = append(seconds, s), append(peaks, peak), append(fractions, 2*ops/s/1e9/peak)
		before = after
	}
	slices.Sort(seconds)
	slices.Sort(peaks)
	slices.Sort(fractions)
	return benchResult{Seconds: seconds[runs/2], Min: seconds[0], GFLOPS: 2 * ops / seconds[runs/2] / 1e9,
		Peak: peaks[runs/2], Fraction: fractions[runs/2], Runs: runs}, nil
}

func duration(seconds float64) string {
	return time.Duration(seconds * 1e9).Round(time.Duration(max(1, seconds*1e6))).String()
}

// memory returns a lower bound of the bytes that the work takes: parameters with their gradients,
// and configurations.
func (s benchShape) memory(what string) float64 {
	v, b := float64(s.Visible), float64(s.Batch)
	if what == "gemm" {
		h := float64(s.Hidden)
		return 8*(b*v+v*h) + 4*b*h
	}
	couplings := 0.0
	for _, p := range s.graph.Pairs {
		couplings += float64(s.graph.Layers[p.A].N) * float64(s.graph.Layers[p.B].N)
	}
	spins := float64(s.spins())
	if s.Patterns > 0 {
		couplings = float64(s.Patterns) * spins
	}
	return 8*couplings + 2*b*v + float64(s.Chains)*spins
}

// spins returns how many there are in all layers.
func (s benchShape) spins() (n int) {
	for _, l := range s.graph.Layers {
		n += l.N
	}
	return n
}

func benchMachine(e compute.Engine, s benchShape) *bm.Machine {
	if s.Patterns == 0 {
		d := bm.NewDense(e, s.graph)
		d.Normal(0.01, 1)
		return bm.New(e, d)
	}
	a := bm.NewAxons(e, s.graph, s.Patterns, false)
	if a.Uniform(1, 1); s.Signs {
		a.Bernoulli(1, 1)
	}
	return bm.New(e, a)
}

// meanFieldSweeps are those of the positive phase of an update where hidden layers do not sum out.
const meanFieldSweeps = 5

func prepareUpdate(e compute.Engine, s benchShape) (func() error, float64, error) {
	m := benchMachine(e, s)
	data := e.Alloc(compute.Int8, s.Batch, s.Visible)
	e.Spins(data, 2, 0, 0)
	t := &train.Trainer{Machine: m, Optimizer: optim.NewSGD(m, 0, 0), Rate: func(float64) float64 { return 0.015 },
		Data: data, BatchSize: s.Batch, Short: train.Share, Key: 3, Precision: s.precision}
	defer m.SetPrecision(m.SetPrecision(s.precision)) // of what is counted; the trainer has its own
	ops := m.PhaseOps(s.Batch)
	var given positive.Estimator
	if !m.SumsOut() {
		given = positive.NewMeanField(m, meanFieldSweeps, 0)
		t.Positive = given
		ops += meanFieldSweeps * m.SweepOps(s.Batch) // the visible layer's share of it too: near enough for a rate
	}
	chains, a := s.Patterns, m.Axons()
	switch {
	case a == nil:
		chains = min(s.Batch, 2048)
		t.Negative = negative.NewPCD(m, chains, s.Gibbs, 4)
		t.Rate = func(float64) float64 { return 1e-4 }
	case s.Gibbs == 0:
		t.Negative = negative.NewPID(m, a, given)
		t.AfterUpdate = []optim.Projection{optim.Sign{Machine: m, Axons: a}}
	default:
		var err error
		if t.Negative, err = negative.NewPIDGibbs(m, a, s.Gibbs, false); err != nil {
			return nil, 0, err
		}
		t.AfterUpdate = []optim.Projection{optim.Clip{Machine: m, Axons: a, Bound: 1}}
	}
	epoch := 0
	work := func() error { epoch++; return t.Run(context.Background(), epoch) }
	return work, ops + m.PhaseOps(chains) + float64(s.Gibbs)*m.SweepOps(chains), nil
}

func prepareSweep(e compute.Engine, s benchShape) (func() error, float64, error) {
	m := benchMachine(e, s)
	chains := sampler.Chains(m, s.Chains)
	m.SetPrecision(s.precision)
	law := bm.Law{Key: 5}
	sampler.Randomize(m, chains, law)
	m.Hold(chains) // one sweep of many, as in sampler.Gibbs
	work := func() error {
		law.Key++
		m.Sweep(chains, law)
		return e.Sync()
	}
	return work, m.SweepOps(s.Chains), nil
}

func prepareProduct(e compute.Engine, s benchShape) (func() error, float64, error) {
	x := bm.NewDense(e, bm.Restricted(s.Batch, s.Visible, false))
	x.Normal(1, 6)
	y := bm.NewDense(e, bm.Restricted(s.Visible, s.Hidden, false))
	y.Normal(1, 7)
	dst := e.Alloc(compute.Float32, s.Batch, s.Hidden)
	work := func() error {
		e.Mul(dst, x.Weights(0).Value, y.Weights(0).Value, compute.Op{Alpha: 1, Precision: s.precision})
		return e.Sync()
	}
	return work, float64(s.Batch) * float64(s.Visible) * float64(s.Hidden), nil
}

// prepareExact counts six multiply-adds for each listed state and hidden spin: a factor 2cosh and
// its product, and a mean, but for the reciprocal in it, that is added to two sums. The fields of
// the halves are nothing beside it.
func prepareExact(e compute.Engine, s benchShape) (func() error, float64, error) {
	m := benchMachine(e, s)
	x, err := negative.NewExact(m)
	if err != nil {
		return nil, 0, err
	}
	work := func() error {
		m.Phase(x.Draw(bm.Batch{}, 0), -1)
		return e.Sync()
	}
	const factor, mean = 2, 4
	states := 1 << (s.Visible - 1)
	return work, (factor + mean) * float64(states) * float64(s.Hidden), nil
}
