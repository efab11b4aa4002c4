package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/eval"
	"mattis/internal/check"
	"mattis/run"
	"mattis/train"
)

// shardsBase has 10 rows in batches of 4, 4 and 2: in four shards two of the last batch's are empty.
const shardsBase = `
seed: 3
data: {name: bars}
machine: {hidden: 5}
train: {epochs: 3, batch: 4, shards: 4, checkpoint: {epochs: 0, minutes: 0, keep: 0}}
measure: {every: 2, test: [hamming], last: [nll_exact, method_accessibility]}
`

const dense, wide = "couplings={kind: dense, init: {normal: 0.3}}", "couplings={patterns: 6}"

// ofKind are settings of every estimator of the table.
var ofKind = map[string][][]string{
	"exact": {{wide, "negative={kind: exact}"}, {dense, "machine={hidden: 4, biases: both}", "negative={kind: exact}", "optimizer={kind: adam}"}},
	"cd":    {{dense, "negative={kind: cd, steps: 2}", "optimizer={kind: adam}"}},
	"pcd": {{wide, "negative={kind: pcd, chains: 20, steps: 2, fresh: {share: 0.4}}", "optimizer={kind: adam}"}, {dense, "negative={kind: pcd, chains: 8, steps: 1, restart: {rate: 0.3, from: data}, grow: {to: 3, over: 5}}"},
		{dense, "negative={kind: pcd, chains: 8, steps: 1, start: mean, fresh: {share: 0.5, from: mean}}"}},
	"fpcd":              {{dense, "negative={kind: fpcd, chains: 8, steps: 1, start: mean}", "optimizer.momentum=0.5"}},
	"jarzynski":         {{dense, "negative={kind: jarzynski, chains: 16, steps: 1, start: mean}", "optimizer.rate=0.5"}},
	"pid":               {{wide, "negative={kind: pid}", "project={epoch: [sign]}"}},
	"pid-literal":       {{"couplings={patterns: 3}", "negative={kind: pid-literal}"}}, // a shard without a pattern
	"pid-gibbs":         {{wide, "negative={kind: pid-gibbs, steps: 3}", "project={update: [{clip: 1}]}"}, {wide, "negative={kind: pid-gibbs, steps: 2, seeds: continuous}", "train.precision=bf16"}},
	"tempering":         {{dense, "negative={kind: tempering, chains: 8, steps: 3, start: mean, temperatures: [1, 0.6, 0.2], fresh: {share: 0.5, until: 5}}", "train.average={exponential: 0.9}"}},
	"annealing":         {{wide, "negative={kind: annealing, chains: 8, steps: 3}"}},
	"pseudo-likelihood": {{dense, "machine={kind: full, hidden: 0}", "negative={kind: pseudo-likelihood}"}},
}

// ofMachine are settings of every kind of machine, with the estimators of the data average.
var ofMachine = [][]string{
	{wide, "machine={kind: deep, hidden: [5, 3], biases: both, offset: all, offset_rate: 0.1}", "negative={kind: pcd, chains: 8, steps: 2}"},
	{dense, "machine={kind: deep, hidden: [5, 3]}", "positive={kind: clamped, chains: 2, steps: 2}", "negative={kind: pcd, chains: 8, steps: 2}"},
	{wide, "machine={kind: deep, hidden: [5, 3]}", "negative={kind: pid}"},
	{wide, "machine={kind: deep, hidden: [4, 3, 2]}", "positive={kind: clamped, chains: 0, steps: 2}", "negative={kind: pid-gibbs, steps: 2}"},
	{wide, "machine={kind: full, hidden: 3, biases: both, offset: all}", "negative={kind: tempering, chains: 4, steps: 2, temperatures: [1, 0.5]}"},
	{dense, "machine={kind: full, hidden: 0}", "negative={kind: exact}"},
	{dense, "machine={kind: hybrid, hidden: 3}", "negative={kind: cd, steps: 2}"},
	{dense, "machine={kind: graph, layers: [{name: visible}, {name: h, size: 4}, {name: z, size: 2, kind: gaussian}], pairs: [[visible, h], [h, z]]}", "negative={kind: pcd, chains: 4, steps: 1}"},
	{wide, "machine={hidden: 5, offset: all, biases: both}", "couplings={patterns: 6, learn_gain: true}", "negative={kind: pcd, chains: 12, steps: 1}", "optimizer={kind: adam}"},
}

func shardCases(t *testing.T) (cases [][]string) {
	for _, k := range negatives {
		if ofKind[k.name] == nil && !k.whole {
			t.Errorf("no settings of %s: its shards are not tested", k.name)
		}
		cases = append(cases, ofKind[k.name]...)
	}
	return append(cases, ofMachine...)
}

// job trains at as many processes: it begins a run in dir, or goes on with it. A training that is to
// be cut is cancelled at the last process after that update.
func job(t *testing.T, processes int, dir string, cut int, resume bool, settings ...string) error {
	t.Helper()
	all := []*comm.Comm{nil}
	if processes > 1 {
		all = comm.Local(processes)
	}
	errs := make([]error, processes)
	var wait sync.WaitGroup
	for rank, c := range all {
		wait.Go(func() {
			defer c.Close()
			errs[rank] = process(c, dir, cut, resume, settings)
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func process(c *comm.Comm, dir string, cut int, resume bool, settings []string) (err error) {
	e := cpu.New(1 + c.Rank()%2)
	defer e.Close()
	w := run.Beside(dir)
	if c.Rank() == 0 {
		if w, err = map[bool]func(string) (*run.Writer, error){false: run.Create, true: run.Resume}[resume](dir); err != nil {
			return err
		}
	}
	defer w.Close()
	if _, err := c.Any(false); err != nil { // the directory is there
		return err
	}
	var s *Session
	env := run.Session{Version: "test"}
	if resume {
		s, err = ContinueShared(c, w, e, env)
	} else {
		r, other := Parse("test.yaml", []byte(shardsBase), settings...)
		if other != nil {
			return other
		}
		split, other := r.LoadData()
		if other != nil {
			return other
		}
		s, err = BeginShared(c, r, split, w, e, env, nil)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if cut > 0 && c.Rank() == c.Size()-1 {
		s.Watch = []train.Observer{observe(func(ev train.Event) error {
			if ev.Step == cut {
				cancel()
			}
			return nil
		})}
	}
	err = s.Run(ctx)
	for _, g := range s.Gaps {
		if none := (*eval.NoValue)(nil); !errors.As(g.Err, &none) {
			return g.Err
		}
	}
	switch {
	case cut > 0 && !errors.Is(err, context.Canceled):
		return fmt.Errorf("a training that was to be cut at update %d ended at %d: %v", cut, s.Trainer.Step, err)
	case cut > 0:
		return nil
	}
	return err
}

// The last checkpoint of a training in four shards has the same bytes and the metrics the same lines
// whether one, two or four processes share them, each with another number of threads, and when it is
// interrupted under one number of them and resumed under another: with every estimator and every
// kind of machine.
func TestProcessesShareShards(t *testing.T) {
	for _, settings := range shardCases(t) {
		t.Run(strings.Join(settings, " "), func(t *testing.T) {
			t.Parallel()
			const steps = 9
			root := t.TempDir()
			want := filepath.Join(root, "1")
			if err := job(t, 1, want, 0, false, settings...); err != nil {
				t.Fatal(err)
			}
			alike := func(what, dir string) {
				t.Helper()
				if !bytes.Equal(lastCheckpoint(t, want, steps), lastCheckpoint(t, dir, steps)) {
					t.Errorf("%s: another checkpoint than one process alone", what)
				}
				if a, b := timeless(t, want), timeless(t, dir); a != b {
					t.Errorf("%s: metrics\n%swant\n%s", what, b, a)
				}
			}
			for _, p := range []int{2, 4} {
				dir := filepath.Join(root, fmt.Sprint(p))
				if err := job(t, p, dir, 0, false, settings...); err != nil {
					t.Fatal(err)
				}
				alike(fmt.Sprint(p, " processes"), dir)
			}
			for _, legs := range [][3]int{{1, 4, 4}, {4, 2, 5}, {2, 1, 1}} { // processes before, after, and the update between
				dir := filepath.Join(root, fmt.Sprint("cut", legs))
				if err := job(t, legs[0], dir, legs[2], false, settings...); err != nil {
					t.Fatal(err)
				}
				if err := job(t, legs[1], dir, 0, true); err != nil {
					t.Fatal(err)
				}
				alike(fmt.Sprintf("%d processes, cut at update %d, %d processes", legs[0], legs[2], legs[1]), dir)
			}
		})
	}
}

// inShards returns the learned parameters after an epoch, and the training.
func inShards(t *testing.T, epochs int, settings ...string) ([]float64, *Training) {
	t.Helper()
	r := parse(t, shardsBase, settings...)
	tr := built(t, r, engine(t))
	if err := tr.Trainer.Run(context.Background(), epochs); err != nil {
		t.Fatal(err)
	}
	return learned(tr.Machine), tr
}

func learned(m *bm.Machine) (all []float64) {
	for _, p := range bm.Learned(m) {
		x := make([]float32, p.Value.Len())
		compute.Read(m.Engine(), x, p.Value)
		for _, v := range x {
			all = append(all, float64(v))
		}
	}
	return all
}

// near reports the largest difference, and how far y has moved from where it began.
func near(x, y, began []float64) (difference, moved float64) {
	for i := range x {
		difference = max(difference, math.Abs(x[i]-y[i]))
		moved = max(moved, math.Abs(y[i]-began[i]))
	}
	return difference, moved
}

// Where nothing is drawn shards change no more than the rounding of the gradients, whatever becomes
// of a short batch: a shard's wrong weight or a lost one would be seen.
func TestShardsHaveTheGradient(t *testing.T) {
	for _, settings := range [][]string{
		{dense, "negative={kind: exact}", "machine={hidden: 5, biases: both}"},
		{wide, "negative={kind: exact}"},
		{wide, "negative={kind: pid}"},
		{"couplings={patterns: 3, learn_gain: true}", "negative={kind: pid-literal}"},
		{dense, "machine={kind: full, hidden: 0}", "negative={kind: pseudo-likelihood}"},
		{dense, "machine={kind: full, hidden: 0, biases: both}", "negative={kind: exact}"},
		{wide, "machine={kind: deep, hidden: [4, 3]}", "negative={kind: pid}"},
		{dense, "machine={kind: deep, hidden: [4, 3]}", "negative={kind: exact}"},
	} {
		for _, short := range []train.ShortBatch{train.Share, train.Released, train.Drop, train.Mean} {
			all := append(slices.Clone(settings), "optimizer.rate=0.1", "train.short_batch="+string(short))
			began, _ := inShards(t, 0, append(all, "train.shards=1")...)
			want, _ := inShards(t, 1, append(all, "train.shards=1")...)
			for _, shards := range []int{3, 4} {
				got, _ := inShards(t, 1, append(all, fmt.Sprint("train.shards=", shards))...)
				// Three updates, each rounded at 2^-24 of numbers below 2.
				if d, moved := near(got, want, began); d > 2e-6 || moved < 1e-3 {
					t.Errorf("%v, %s, %d shards: parameters differ by %g, and have moved by %g", settings, short, shards, d, moved)
				}
			}
		}
	}
}

// Offsets follow the means of the whole batch: at a rate of 0, where it does not matter whether they
// are taken before the step, shards change them by rounding alone.
func TestShardsHaveTheMeans(t *testing.T) {
	offsets := func(epochs, shards int) (all []float64) {
		_, tr := inShards(t, epochs, dense, "machine={kind: deep, hidden: [4, 3], biases: both, offset: all, offset_rate: 0.3}", "negative={kind: exact}",
			"optimizer.rate=0", fmt.Sprint("train.shards=", shards))
		for l := range tr.Machine.Layers() {
			offset := tr.Machine.Couplings().Offset(l)
			x := make([]float32, offset.Len())
			compute.Read(tr.Machine.Engine(), x, offset)
			for _, v := range x {
				all = append(all, float64(v))
			}
		}
		return all
	}
	began, want := offsets(0, 1), offsets(2, 1)
	for _, shards := range []int{3, 4} {
		if d, moved := near(offsets(2, shards), want, began); d > 1e-6 || moved < 1e-2 {
			t.Errorf("%d shards: offsets differ by %g, and have moved by %g", shards, d, moved)
		}
	}
}

// The gradient of an update in shards is that of the whole batch and of the configurations that all
// shards have drawn together.
func TestShardsHaveTheirDraws(t *testing.T) {
	const rate = 0.5
	for kind, list := range ofKind {
		if kind == "exact" || kind == "pseudo-likelihood" {
			continue // no configurations to look at: see TestShardsHaveTheGradient
		}
		settings := append(slices.Clone(list[0]), "optimizer={kind: sgd, rate: 0.5}", "train={epochs: 1, batch: 10, shards: 4}", "project={}")
		r := parse(t, shardsBase, settings...)
		tr := built(t, r, engine(t))
		m, e := tr.Trainer.Machine, tr.Trainer.Machine.Engine()
		began := learned(m)
		tr.Trainer.Shards.Shows, tr.Trainer.Shards.Visible = func(int) bool { return true }, false
		tr.Trainer.Observers = []train.Observer{observe(func(ev train.Event) error {
			if ev.Step == 0 {
				return nil
			}
			moved := learned(m)
			at := 0
			for _, p := range bm.Learned(m) {
				x := make([]float32, p.Value.Len())
				for i := range x {
					x[i] = float32(began[at+i])
				}
				compute.Write(e, p.Value, x)
				e.Fill(p.Grad, 0)
				at += len(x)
			}
			if rows, want := ev.Drawn.State.Rows(), map[string]int{"cd": 10, "pid": 6, "pid-gibbs": 6, "pid-literal": 3}[kind]; rows != max(want, int(chainsOf(r))) {
				t.Errorf("%s: %d rows were drawn", kind, rows)
			}
			m.Phase(ev.Positive, 1)
			drawn := ev.Drawn
			drawn.Marginal = kind != "pid-literal"
			m.Phase(drawn, -1)
			var want []float64
			for _, p := range bm.Learned(m) {
				x, g := make([]float32, p.Value.Len()), make([]float32, p.Value.Len())
				compute.Read(e, x, p.Value)
				compute.Read(e, g, p.Grad)
				for i := range x {
					want = append(want, float64(x[i])-rate*float64(g[i]))
				}
			}
			if d, far := near(moved, want, began); d > 1e-6 || far < 1e-3 {
				t.Errorf("%s: parameters differ by %g from those of the draws, and have moved by %g", kind, d, far)
			}
			return nil
		})}
		if err := tr.Trainer.Run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
	}
}

func chainsOf(r *Recipe) int {
	if r.Negative.Chains == nil {
		return 0
	}
	return *r.Negative.Chains
}

// Chains of all shards together have the machine's distribution where its parameters stay: chains that
// start alike or draw the same numbers in two shards would be fewer than they seem.
func TestChainsOfShardsHaveTheLaw(t *testing.T) {
	const chains = 4096
	_, tr := inShards(t, 0, dense, "negative={kind: pcd, chains: 8}")
	var starts []string
	for _, n := range tr.Trainer.Shards.Estimators {
		x := make([]int8, n.State()[0].Value.Len())
		compute.Read(tr.Machine.Engine(), x, n.State()[0].Value)
		starts = append(starts, fmt.Sprint(x))
	}
	if slices.Sort(starts); len(slices.Compact(starts)) != 4 {
		t.Errorf("shards whose chains start alike: %v", starts)
	}
	for _, n := range []string{"{kind: pcd, chains: 4096, steps: 5}", "{kind: tempering, chains: 4096, steps: 5, temperatures: [1, 0.5, 0]}"} {
		_, tr := inShards(t, 4, "data={name: bars, size: 3, split: random}", dense, "machine={hidden: 3, biases: both}", "negative="+n, "optimizer.rate=0", "measure={last: [method_accessibility]}")
		state, err := tr.Trainer.State()
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(state, func(p bm.Param) bool { return p.Name == "chains.visible" })
		rows := state[i].Value
		logs := check.ExactOf(tr.Machine).LogVisible()
		visible := tr.Machine.Layers()[bm.Visible]
		spins := make([]int8, rows.Len())
		compute.Read(tr.Machine.Engine(), spins, rows)
		cold := func(row int) bool { return true }
		if j := slices.IndexFunc(state, func(p bm.Param) bool { return p.Name == "chains.rungs" }); j >= 0 {
			rungs := make([]float32, rows.Rows())
			compute.Read(tr.Machine.Engine(), rungs, state[j].Value)
			cold = func(row int) bool { return rungs[row] == 0 }
		}
		counts, seen := make([]float64, len(logs)), 0.0
		for row := range rows.Rows() {
			if !cold(row) {
				continue
			}
			at := 0
			for k, x := range spins[row*visible:][:visible] {
				if x > 0 {
					at |= 1 << k
				}
			}
			counts[at]++
			seen++
		}
		if seen != chains {
			t.Fatalf("%s: %v chains", n, seen)
		}
		var square, restCount, rest float64
		cells := -1.0
		for s, l := range logs {
			want := chains * math.Exp(l)
			if want < 5 {
				rest, restCount = rest+want, restCount+counts[s]
				continue
			}
			square += (counts[s] - want) * (counts[s] - want) / want
			cells++
		}
		if rest > 5 {
			square += (restCount - rest) * (restCount - rest) / rest
			cells++
		}
		// Six standard deviations of chi-square; two shards alike would double it.
		if most := cells + 6*math.Sqrt(2*cells); square > most || cells < 30 {
			t.Errorf("%s: chi-square %.0f of %v cells, want at most %.0f", n, square, cells, most)
		}
	}
}

// In the steady state an epoch in shards allocates nothing, on its own and beside another process. The least of some turns counts: what the
// runtime takes for goroutines that wait for each other comes and goes, and what an epoch takes is there in each.
func TestShardsAllocateNothing(t *testing.T) {
	for _, settings := range shardCases(t) {
		if slices.Contains(settings, "machine={kind: full, hidden: 0}") && slices.Contains(settings, "negative={kind: exact}") {
			continue // sums of machines that are not restricted take room anew, without shards too
		}
		settings = append(slices.Clone(settings), "measure={every: 0, last: []}")
		for _, processes := range []int{1, 2} {
			all := []*comm.Comm{nil}
			if processes > 1 {
				all = comm.Local(processes)
			}
			const runs, turns = 3, 3
			var wait sync.WaitGroup
			for rank, c := range all {
				wait.Go(func() {
					defer c.Close()
					e := cpu.New(1)
					defer e.Close()
					r, err := Parse("test.yaml", []byte(shardsBase), settings...)
					if err != nil {
						t.Error(err)
						return
					}
					split, err := r.LoadData()
					if err != nil {
						t.Error(err)
						return
					}
					tr, err := r.BuildShared(c, split, e)
					if err != nil {
						t.Error(err)
						return
					}
					tr.Trainer.Shards.Shows = nil // what observers look at is made for them
					epochs := 0
					epoch := func() {
						epochs++
						if err := tr.Trainer.Run(context.Background(), epochs); err != nil {
							t.Error(err)
						}
					}
					epoch()
					if rank > 0 {
						for range turns * (runs + 1) {
							epoch()
						}
						return
					}
					least := math.Inf(1)
					for range turns {
						least = min(least, testing.AllocsPerRun(runs, epoch))
					}
					if least != 0 {
						t.Errorf("%v, %d processes: %v allocations an epoch", settings, processes, least)
					}
				})
			}
			wait.Wait()
		}
	}
}
