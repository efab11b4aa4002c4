package experiment

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/recipe"
	"mattis/train"
)

// counting counts the multiply-adds of products.
type counting struct {
	compute.Engine
	adds float64
}

func (c *counting) Mul(dst, a, b compute.Matrix, op compute.Op) {
	inner := a.Cols()
	if op.TransA {
		inner = a.Rows()
	}
	if dst.Rows() > 1 && inner > 1 { // others are what offsets add
		c.adds += float64(dst.Rows()) * float64(dst.Cols()) * float64(inner)
	}
	c.Engine.Mul(dst, a, b, op)
}

func (c *counting) Descend(rows, cols int, terms []compute.Outer, moves []compute.Move) bool {
	for _, t := range terms {
		if t.A.Rows() > 1 {
			c.adds += float64(rows) * float64(cols) * float64(t.A.Rows())
		}
	}
	return c.Engine.Descend(rows, cols, terms, moves)
}

// The multiply-adds of an update by its shapes are those of the products that an update makes, less those of one row that
// offsets take: for axons with many patterns, which go by W, and with few, and for dense couplings.
func TestUpdateOps(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings []string
	}{
		{"digits", []string{"couplings.patterns=5"}}, {"digits", []string{"couplings.patterns=60"}}, {"digits-dense", nil},
		{"digits-dense", []string{"negative={kind: pcd, steps: 3, chains: 40}"}},
	} {
		e := &counting{Engine: cpu.New(1)}
		r, err := recipe.Load(c.name, append([]string{"data={name: bars, size: 8, test: 0, split: random}", "machine.hidden=90", "negative.chains=300", "train.epochs=1",
			"measure.test=[]", "measure.last=[]"}, c.settings...)...)
		if err != nil {
			t.Fatal(err)
		}
		split, err := r.LoadData()
		if err != nil {
			t.Fatal(err)
		}
		r.Train.Batch = split.Train.Rows // one update
		x, err := r.Build(split, e)
		if err != nil {
			t.Fatal(err)
		}
		x.Trainer.Observers = []train.Observer{observe(func(ev train.Event) {
			if ev.Step == 0 {
				e.adds = 0
			}
		})}
		if err := x.Trainer.Run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		want, err := updateOps(r, x.Machine)
		if err != nil {
			t.Fatal(err)
		}
		if ratio := e.adds / float64(x.Trainer.Step) / want; !(ratio > 0.999 && ratio < 1.001) || x.Trainer.Step != 1 {
			t.Errorf("%s %v: %d updates make %v multiply-adds each, %v by their shapes", c.name, c.settings, x.Trainer.Step, e.adds/float64(x.Trainer.Step), want)
		}
		e.Engine.(*cpu.Engine).Close()
	}
	for _, other := range [][]string{{"bars-cd"}, {"digits", "negative.fresh.until=9"}} {
		r, err := recipe.Load(other[0], other[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := updateOps(r, nil); err == nil {
			t.Errorf("an update of %v is counted as one of pcd", other)
		}
	}
}

// Every training of the figure takes its minutes by what an update costs, as near as whole epochs come to it, its rate comes to the floor when it ends and not
// before, and arms of one method differ in nothing else than their length and the rate of a minute.
func TestQualityArms(t *testing.T) {
	for _, m := range qualityMethods {
		for _, minutes := range qualityMinutes {
			i := instance{seed: 1}
			for _, a := range qualities.arms {
				if a.name == m.arm(minutes) {
					i.arm = a
				}
			}
			r, err := i.recipeOf(false)
			if err != nil {
				t.Fatal(err)
			}
			other, err := recipe.Load(m.recipe)
			if err != nil || other.Train.Batch*qualityUpdates != 60_000 || *other.Optimizer.Decay.Kind != "cosine" {
				t.Errorf("%s: the recipe %s has other batches or another schedule than the figure: %v", i.arm.name, m.recipe, err)
			}
			if rate := map[bool]float64{true: m.rate, false: other.Optimizer.Rate}[minutes == 1]; r.Optimizer.Rate != rate {
				t.Errorf("%s has the rate %v, want %v", i.arm.name, r.Optimizer.Rate, rate)
			}
			epoch := 60_000 / float64(r.Train.Batch) * m.cost / 60_000
			near := 0.05 * float64(minutes)
			if minutes == 1 { // whole epochs come no nearer
				near = epoch / 2
			}
			if took := float64(r.Train.Epochs) * epoch; math.Abs(took-float64(minutes)) > near+1e-9 {
				t.Errorf("%s takes %.2f min, and an epoch %.2f", i.arm.name, took, epoch)
			}
			d := r.Optimizer.Decay
			if d.After != 0 || *d.Over != r.Train.Epochs || *d.Per != "update" || *d.Kind != "cosine" {
				t.Errorf("%s: of %d epochs the rate falls for %d after %d", i.arm.name, r.Train.Epochs, *d.Over, d.After)
			}
		}
	}
}

func TestNoWorse(t *testing.T) {
	of := func(nll, stderr, seconds float64) point { return point{nll, stderr, seconds, 3} }
	one := point{70, math.NaN(), 60, 1}
	for _, c := range []struct {
		a, b point
		want Verdict
	}{
		{of(70, 0.1, 60), of(71, 0.1, 60), Agrees},
		{of(70, 0.1, 60), of(69.65, 0.1, 60), Agrees}, // 0.40 may be chance: 2 · 1.42 errors of three machines each
		{of(70, 0.1, 60), of(69.55, 0.1, 60), Differs},
		{of(70, 0.2, 60), of(69.7, 0.2, 60), Open}, // it may be 1.1 above
		{of(70, 0.3, 60), of(70, 0.3, 60), Open},
		{of(70, 0.3, 60), of(71, 0.3, 60), Agrees},
		{one, of(80, 0.1, 60), Open},
		{one, one, Open},
		{of(70, 0.1, 80), of(71, 0.1, 60), Open}, // it had a third more time
		{of(70, 0.1, 40), of(71, 0.1, 60), Agrees},
		{of(72, 0.1, 40), of(71, 0.1, 60), Open}, // the other one had half more
		{of(72, 0.1, 80), of(71, 0.1, 60), Differs},
	} {
		if got := noWorse(c.a, c.b); got != c.want {
			t.Errorf("%+v against %+v: %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

// The training set chooses the machines that the test set judges.
func TestBestBy(t *testing.T) {
	at := map[string]point{"k50-3min": {nll: 70}, "k100-3min": {nll: 71}, "dense-3min": {nll: 60}} // others have none
	choice := map[string]float64{"k50-3min": 72, "k100-3min": 71, "k200-3min": 75, "k200-wide-3min": 75, "dense-3min": 50}
	if label, p := bestBy(at, choice, "digits", 3); label != "K = 100" || p.nll != 71 {
		t.Errorf("%s: %v", label, p)
	}
}

func TestBasesApart(t *testing.T) {
	base := func(z any, ess, runs, betas float64) any {
		return map[string]any{"base": "x", "log_z": z, "ess": ess, "runs": runs, "betas": betas}
	}
	for _, c := range []struct {
		bases []any
		apart float64
		few   int
	}{
		{nil, math.NaN(), 0},
		{[]any{base(10.0, 100, 100, 2000)}, math.NaN(), 0},
		{[]any{base(10.0, 100, 100, 2000), base(8.5, 40, 100, 2000), base(10.25, 10, 100, 2000)}, 1.75, 0},
		{[]any{base(10.0, 100, 100, 2000), base(8.5, 4, 100, 2000), base(nil, 50, 100, 2000), base(10.25, 10, 100, 2000)}, 0.25, 2},
		{[]any{base(10.0, 100, 100, 2000), base(8.5, 30, 32, 2000), base(8.5, 30, 100, 1000), base(10.25, 10, 100, 2000)}, 0.25, 0}, // pilots
	} {
		apart, few := basesApart(map[string]any{"bases": c.bases, "runs": 100.0, "betas": 2000.0})
		if few != c.few || apart != c.apart && !(math.IsNaN(apart) && math.IsNaN(c.apart)) {
			t.Errorf("%v: %v apart, %d left out", c.bases, apart, few)
		}
	}
}

// With other programs' points the figure has their series and a claim for each length that it has itself; updates are timed on one
// thread, though there are two, and the seconds of a machine are as many updates as it has.
func TestQualityWithPeers(t *testing.T) {
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, PeersFile), []byte("name,minutes,seed,seconds,nll\nother,1,1,0.5,3\nother,1,2,0.7,4\nother,2,1,0.5,3\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	figures, err := Find("quality")
	if err != nil {
		t.Fatal(err)
	}
	threads := 2 * len(qualities.arms)
	var claims []Claim
	var timed atomic.Int32
	o := Options{Instances: 1, Seed: 1, Threads: threads, Out: out, Miniature: true, Finished: func(r Report) { claims = r.Claims },
		Engine: func(n int) compute.Engine {
			if n == 1 {
				timed.Add(1)
			}
			return cpu.New(min(n, 2))
		}}
	if err := Run(context.Background(), figures, o); err != nil {
		t.Fatal(err)
	}
	if timed.Load() != 1 {
		t.Errorf("%d instances on one thread, want that which times updates", timed.Load())
	}
	b, err := os.ReadFile(filepath.Join(out, "quality.csv"))
	if err != nil || !strings.Contains(string(b), "\nother,0.6,3.5,0.70710678118654") || !strings.Contains(string(b), "\nother,0.5,3,,1\n") {
		t.Errorf("%v\n%s", err, b)
	}
	about := map[string]int{}
	for _, c := range claims {
		for _, other := range []string{"other", "dense"} {
			if strings.Contains(c.Claim, "no worse than "+other) {
				about[other]++
			}
		}
	}
	if about["other"] != 1 || about["dense"] != len(qualityMinutes) {
		t.Errorf("claims: %v", claims)
	}
}

// A machine whose updates nothing has timed has no seconds, and is refused before a verdict goes by none.
func TestQualityWithoutTimes(t *testing.T) {
	m := qualityMethods[0]
	r := &results{}
	if _, err := r.gainedBy(m, 1); err == nil || !strings.Contains(err.Error(), "no time of an update of "+m.name) {
		t.Errorf("%v", err)
	}
	r.instances = []*instance{{arm: &arm{name: updatesArm}, record: record{Points: []Point{{m.name, 0, 0.01}}}}}
	if g, err := r.gainedBy(m, 1); err != nil || len(g.seconds) != 0 {
		t.Errorf("%+v, %v", g, err)
	}
}
