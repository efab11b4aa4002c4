package negative_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/internal/check"
	"mattis/negative"
	"mattis/rng"
	"mattis/sampler"
)

// The weights of Jarzynski make up for what parameters have moved: chains in equilibrium that make
// one sweep after each of eight moves have the means of the law that they end in, within six
// standard errors of so many effective chains, where those without weights are far off. With weights
// of the wrong sign, or of the sweeps' own change, they are further off.
func TestJarzynskiFollowsTheLaw(t *testing.T) {
	const count = 4096
	r := check.SmallMachines(engine(t, 2), 4, 3, 43)[2].Machine
	e := r.Engine()
	e.Axpby(r.Params()[0].Value, 0, r.Params()[0].Value, 1.5)
	n := negative.NewJarzynski(r, count, 1, 5)
	warm := sampler.Chains(r, count)
	e.Copy(warm[bm.Visible], n.State()[0].Value)
	sampler.Gibbs(r, warm, bm.Law{Key: 6}, 300)
	e.Copy(n.State()[0].Value, warm[bm.Visible])
	var drawn bm.Batch
	for i := range 9 {
		drawn = n.Draw(bm.Batch{}, rng.Key(7).Fold(uint64(i)))
		if i == 0 && !drawn.Weights.IsNone() {
			t.Error("weights before a parameter has moved")
		}
		if i < 8 {
			for _, p := range bm.Learned(r) {
				e.Axpby(p.Value, 0, p.Value, 1.12)
			}
		}
	}
	x := spins(e, drawn.State[bm.Visible])
	w := floats(e, drawn.Weights)
	var sum, squares float64
	weighted, plain := make([]float64, 16), make([]float64, 16)
	for i := range count {
		k := number(x[i*4:][:4])
		weighted[k] += w[i]
		plain[k] += 1. / count
		sum += w[i]
		squares += w[i] * w[i]
	}
	if math.Abs(sum-1) > 1e-5 {
		t.Errorf("weights sum to %v", sum)
	}
	logZ := check.LogZ(r)
	row := make([]int8, 4)
	off := 0.0
	for k, got := range weighted {
		for j := range row {
			row[j] = int8(k>>j&1)*2 - 1
		}
		want := math.Exp(-check.FreeEnergy(r, row) - logZ)
		if math.Abs(got-want) > 6*math.Sqrt(squares*want) {
			t.Errorf("P(%v) = %.4f by weights, exactly %.4f", row, got, want)
		}
		off = max(off, math.Abs(plain[k]-want)/math.Sqrt(want/count))
	}
	if off < 6 {
		t.Errorf("chains without weights are %.1f deviations off: the test could not fail", off)
	}
}

// Fast parameters are what the definition makes of the gradients by hand, chains move under the sum,
// and the parameters come back as they were.
func TestFPCD(t *testing.T) {
	const rate, keep = 0.3, 0.5
	make := func() *bm.Machine { return check.SmallMachines(engine(t, 2), 4, 3, 43)[7].Machine }
	r, other := make(), make()
	e := r.Engine()
	n := negative.NewFPCD(r, 50, 2, rate, keep, 5)
	chains := sampler.Chains(other, 50)
	compute.Write(other.Engine(), chains[bm.Visible], spins(e, n.State()[0].Value))
	fast := map[string][]float64{}
	for i := range 3 {
		var before [][]float64
		for k, p := range bm.Learned(r) {
			g := floats(e, p.Grad)
			for j := range g {
				g[j] = float64(float32(0.1 * rng.Key(8).Fold(uint64(i)).Normal(uint64(k), uint64(j))))
			}
			write(e, p.Grad, g)
			slow := floats(e, p.Value)
			before = append(before, slow)
			f := fast[p.Name]
			if f == nil {
				f = slices.Repeat([]float64{0}, len(g))
			}
			sum := slices.Clone(slow)
			for j := range g {
				f[j] = float64(float32(keep*f[j] - rate*g[j]))
				sum[j] += f[j]
			}
			fast[p.Name] = f
			write(other.Engine(), bm.Learned(other)[k].Value, sum)
		}
		key := rng.Key(9).Fold(uint64(i))
		drawn := n.Draw(bm.Batch{}, key)
		sampler.Gibbs(other, chains, bm.Law{Key: key}, 2)
		if !slices.Equal(spins(e, drawn.State[bm.Visible]), spins(other.Engine(), chains[bm.Visible])) {
			t.Errorf("draw %d: the chains do not move under the parameters and the fast ones", i)
		}
		for k, p := range bm.Learned(r) {
			if !slices.Equal(floats(e, p.Value), before[k]) {
				t.Errorf("draw %d: %s is another than before", i, p.Name)
			}
		}
	}
}

func write(e compute.Engine, m compute.Matrix, x []float64) {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	compute.Write(e, m, y)
}

// Chains of pcd are restarted with their probability, within five standard errors of 400 draws of
// 200 chains, and from where it says: those that no sweep has moved since are coins or the signs of a
// pattern. Sweeps grow as they should: a draw is that of a pcd with so many.
func TestPCDRestartsAndGrows(t *testing.T) {
	const count, rate, draws = 200, 0.05, 400
	r := check.SmallMachines(engine(t, 2), 6, 5, 33)[7].Machine
	e := r.Engine()
	n := negative.NewPCD(r, count, 0, 7) // without a sweep chains stay where they start
	if err := n.Restart(rate, start(r, negative.Patterns)); err != nil {
		t.Fatal(err)
	}
	if n.Kind() != negative.Heuristic {
		t.Errorf("kind %s", n.Kind())
	}
	visible, _ := patterns(r)
	isPattern := func(x []int8) bool {
		for _, p := range visible {
			same, opposite := true, true
			for i, v := range p {
				up := v >= 0
				same, opposite = same && (x[i] == 1) == up, opposite && (x[i] == -1) == up
			}
			if same || opposite {
				return true
			}
		}
		return false
	}
	nowhere := slices.Repeat([]int8{0}, count*6)
	restarted := 0
	for i := range draws {
		compute.Write(e, n.State()[0].Value, nowhere)
		n.Draw(bm.Batch{}, rng.Key(3).Fold(uint64(i)))
		x := spins(e, n.State()[0].Value)
		for c := range count {
			if row := x[c*6:][:6]; row[0] != 0 {
				restarted++
				if !isPattern(row) {
					t.Fatalf("%v is no sign of a pattern, nor its opposite", row)
				}
			}
		}
	}
	if want := float64(count * rate * draws); math.Abs(float64(restarted)-want) > 5*math.Sqrt(want) {
		t.Errorf("%d chains were restarted, want %.0f", restarted, want)
	}
	grown := negative.NewPCD(r, 20, 1, 7)
	grown.Grow(5, 4)
	for i, sweeps := range []int{1, 2, 3, 4, 5, 5} {
		plain := negative.NewPCD(r, 20, sweeps, 7)
		e.Copy(plain.State()[0].Value, grown.State()[0].Value)
		a, b := grown.Draw(bm.Batch{}, rng.Key(i)), plain.Draw(bm.Batch{}, rng.Key(i))
		if !slices.Equal(spins(e, a.State[0]), spins(e, b.State[0])) {
			t.Errorf("draw %d is not one of %d sweeps", i, sweeps)
		}
	}
}

// Rows start anew in as many draws as they should, and those that go on are the same with and without them. What a checkpoint
// keeps says how many draws were made.
func TestRowsStartAnewUntil(t *testing.T) {
	e := engine(t, 1)
	r := check.SmallMachines(e, 4, 3, 43)[2].Machine
	begun := func() *negative.Renewed {
		n, err := negative.NewRenewed(r, negative.NewPCD(r, 5, 1, 7), 3, 2, start(r, negative.Uniform))
		if err != nil {
			t.Fatal(err)
		}
		n.Until(2)
		return n
	}
	n, plain := begun(), negative.NewPCD(r, 5, 1, 7)
	for i, rows := range []int{8, 8, 5, 5} {
		if i == 1 { // gone on with from what is kept
			again := begun()
			for k, p := range n.State() {
				e.Copy(again.State()[k].Value, p.Value)
			}
			n = again
		}
		a, b := n.Draw(bm.Batch{}, rng.Key(i)), plain.Draw(bm.Batch{}, rng.Key(i))
		if a.State.Rows() != rows || !a.Weights.IsNone() || !a.Marginal || !slices.Equal(spins(e, a.State.Slice(0, 5)[0]), spins(e, b.State[0])) {
			t.Errorf("draw %d has %d rows, want %d, or others go on than without", i, a.State.Rows(), rows)
		}
	}
}

// The weights of a part of the chains are kept with the mean 1, whatever has become of Z, and are in
// the same proportion as without that: parts of which one alone has been drawn anew weigh the same.
func TestJarzynskiKeepsWeightsOfParts(t *testing.T) {
	const count = 64
	logs := func(part bool) []float64 {
		r := check.SmallMachines(engine(t, 1), 4, 3, 43)[2].Machine
		n := negative.NewJarzynski(r, count, 1, 5)
		if part {
			n.Part()
		}
		for i := range 4 {
			n.Draw(bm.Batch{}, rng.Key(7).Fold(uint64(i)))
			for _, p := range bm.Learned(r) {
				r.Engine().Axpby(p.Value, 0, p.Value, 1.1)
			}
		}
		for _, p := range n.State() {
			if p.Name == "chains.weights" {
				x := make([]float64, p.Value.Len())
				compute.Read(r.Engine(), x, p.Value)
				return x
			}
		}
		t.Fatal("no weights are kept")
		return nil
	}
	plain, part := logs(false), logs(true)
	whole, _ := sampler.MeanWeight(plain)
	if mean, _ := sampler.MeanWeight(part); math.Abs(mean) > 1e-12 || math.Abs(whole) < 0.05 {
		t.Errorf("the logarithm of the mean weight is %g, of chains that are no part %g", mean, whole)
	}
	for i := range part {
		if d := plain[i] - part[i] - whole; math.Abs(d) > 1e-12 {
			t.Errorf("chain %d: the weight is off by %g in its logarithm", i, d)
		}
	}
}

// Chains that start from the mean law are independent spins in its fields on the visible layer, and fair coins on the other
// layers of the left side: means within 4.5 standard errors of tanh(field), products of two within as much of the product of
// the means. 28 numbers for each of five ways are tested, with a chance of 1e-3 that a right program fails; the key is fixed.
func TestStartsFromTheMeanLaw(t *testing.T) {
	const count = 20_000
	for _, at := range []string{"begun", "fresh", "restarted", "tempering", "trajectory"} {
		e := engine(t, 2)
		d := bm.NewDense(e, bm.Deep(4, 3, 5))
		d.Normal(2, 3) // couplings that start has no business with
		m := bm.New(e, d, true, true, true)
		var s bm.State
		switch at {
		case "begun":
			p := negative.NewPCD(m, count, 0, 7)
			if err := p.Begin(start(m, negative.Mean), 8); err != nil {
				t.Fatal(err)
			}
			s = p.Draw(bm.Batch{}, 9).State
		case "fresh":
			p, err := negative.NewRenewed(m, negative.NewPCD(m, 1, 0, 7), count, 0, start(m, negative.Mean))
			if err != nil {
				t.Fatal(err)
			}
			p.Draw(bm.Batch{}, 8)
			s = p.Draw(bm.Batch{}, 9).State.Slice(1, 1+count)
		case "restarted":
			p := negative.NewPCD(m, count, 0, 7)
			if err := p.Restart(1, start(m, negative.Mean)); err != nil {
				t.Fatal(err)
			}
			s = p.Draw(bm.Batch{}, 9).State
		case "tempering":
			p, err := negative.NewTempering(m, []float64{1, 0.5}, count/2, 0, 7)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Begin(start(m, negative.Mean), 8); err != nil {
				t.Fatal(err)
			}
			s = bm.State{p.State()[0].Value, p.State()[1].Value}
		case "trajectory":
			p, err := negative.NewTrajectory(m, negative.TrajectoryOptions{Chains: count, Rungs: 1, Every: 1}, 7)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Begin(start(m, negative.Mean), 8); err != nil {
				t.Fatal(err)
			}
			s = p.Draw(bm.Batch{}, 9).State
		}
		var means []float64
		var columns [][]int8
		for l, n := range map[int]int{bm.Visible: 4, 1: 3} {
			x := spins(e, s[l].Slice(0, count))
			for j := range n {
				var column []int8
				for i := range count {
					column = append(column, x[i*n+j])
				}
				columns = append(columns, column)
				mean := 0.0
				if l == bm.Visible {
					mean = math.Tanh(0.3*float64(j%6) - 0.8)
				}
				means = append(means, mean)
			}
		}
		for i, x := range columns {
			for j, y := range columns[:i+1] {
				var sum float64
				want, variance := means[i], 1-means[i]*means[i]
				for k := range x {
					if i == j {
						sum += float64(x[k])
					} else {
						sum += float64(x[k]) * float64(y[k])
					}
				}
				if i != j {
					want = means[i] * means[j]
					variance = 1 - want*want
				}
				if z := (sum/count - want) / math.Sqrt(variance/count); math.Abs(z) > 4.5 {
					t.Errorf("%s: spins %d and %d: %.4f, want %.4f, %.1f standard errors off", at, i, j, sum/count, want, z)
				}
			}
		}
	}
}

func TestWrongStarts(t *testing.T) {
	m := check.SmallMachines(engine(t, 1), 4, 3, 33)[7].Machine
	p := negative.NewPCD(m, 3, 1, 7)
	for want, at := range map[string]negative.Start{
		"chains start from the mean law of 4 visible spins, and its fields are": {From: negative.Mean},
		"want one of [uniform patterns data mean]":                              {From: "noise"},
		"before there are rows of a batch: take one of [uniform patterns mean]": {From: negative.Rows},
	} {
		if err := p.Begin(at, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", at, err, want)
		}
	}
	// Beginning with coins is what NewPCD does.
	before := spins(m.Engine(), p.State()[0].Value)
	if err := p.Begin(negative.Start{From: negative.Uniform}, 7); err != nil || !slices.Equal(before, spins(m.Engine(), p.State()[0].Value)) {
		t.Errorf("coins of the same key are others: %v", err)
	}
}
