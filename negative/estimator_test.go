package negative_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
	"mattis/negative"
	"mattis/rng"
	"mattis/sampler"
)

// estimators is every estimator of the package: the suites below range over
// it and test what its kind says. TestTableIsComplete fails for a constructor that is not here.
var estimators = []entry{
	{"exact", "NewExact", negative.Exact, func(r *bm.Machine, _ int) (negative.Estimator, error) { return negative.NewExact(r) }},
	{"cd-1", "NewCD", negative.Stationary, func(r *bm.Machine, _ int) (negative.Estimator, error) { return negative.NewCD(r, 1), nil }},
	{"cd-3", "NewCD", negative.Stationary, func(r *bm.Machine, _ int) (negative.Estimator, error) { return negative.NewCD(r, 3), nil }},
	{"pcd-1", "NewPCD", negative.Stationary, func(r *bm.Machine, rows int) (negative.Estimator, error) { return negative.NewPCD(r, rows, 1, 9), nil }},
	{"pcd-2", "NewPCD", negative.Stationary, func(r *bm.Machine, rows int) (negative.Estimator, error) { return negative.NewPCD(r, rows, 2, 9), nil }},
	{"pid", "NewPID", negative.Heuristic, func(r *bm.Machine, _ int) (negative.Estimator, error) {
		return negative.NewPID(r, axons(r), given(r)), nil
	}},
	{"pid-literal", "NewPIDLiteral", negative.Heuristic, func(r *bm.Machine, _ int) (negative.Estimator, error) {
		return negative.NewPIDLiteral(r, axons(r))
	}},
	{"pid-gibbs-1", "NewPIDGibbs", negative.Heuristic, func(r *bm.Machine, _ int) (negative.Estimator, error) {
		return negative.NewPIDGibbs(r, axons(r), 1, false)
	}},
	{"the one part of an exact sum", "NewExactPart", negative.Exact, func(r *bm.Machine, _ int) (negative.Estimator, error) {
		return negative.NewExactPart(r, 0, 1)
	}},
	{"pid-gibbs-2, continuous", "NewPIDGibbs", negative.Heuristic, func(r *bm.Machine, _ int) (negative.Estimator, error) {
		return negative.NewPIDGibbs(r, axons(r), 2, true)
	}},
	{"tempering-1", "NewTempering", negative.Stationary, func(r *bm.Machine, rows int) (negative.Estimator, error) {
		return negative.NewTempering(r, []float64{1, 0.5, 0}, rows, 1, 9)
	}},
	{"tempering-2", "NewTempering", negative.Stationary, func(r *bm.Machine, rows int) (negative.Estimator, error) {
		return negative.NewTempering(r, []float64{1, 0.3}, rows, 2, 9)
	}},
	{"trajectory-1", "NewTrajectory", negative.Stationary, func(r *bm.Machine, rows int) (negative.Estimator, error) {
		return negative.NewTrajectory(r, negative.TrajectoryOptions{Chains: rows, Steps: 1, Rungs: 1, Every: 1}, 9)
	}},
	{"pcd-1, fresh from coins", "NewRenewed", negative.Heuristic, renewed(negative.Uniform)},
	{"pcd-1, fresh from patterns", "NewRenewed", negative.Heuristic, renewed(negative.Patterns)},
	{"pcd-1, fresh from data", "NewRenewed", negative.Stationary, renewed(negative.Rows)},
	{"pcd-1, fresh from the mean law", "NewRenewed", negative.Heuristic, renewed(negative.Mean)},
	{"pcd-1, once fresh from coins", "NewRenewed", negative.Heuristic, func(r *bm.Machine, rows int) (negative.Estimator, error) {
		n, err := negative.NewRenewed(r, negative.NewPCD(r, rows-rows/4, 1, 9), rows/4, 2, start(r, negative.Uniform))
		if err == nil {
			n.Until(1)
		}
		return n, err
	}},
	{"pcd-1, begun in the mean law", "NewPCD", negative.Stationary, func(r *bm.Machine, rows int) (negative.Estimator, error) {
		p := negative.NewPCD(r, rows, 1, 9)
		return p, p.Begin(start(r, negative.Mean), 9)
	}},
	{"jarzynski-1", "NewJarzynski", negative.Stationary, func(r *bm.Machine, rows int) (negative.Estimator, error) {
		return negative.NewJarzynski(r, rows, 1, 9), nil
	}},
	{"fpcd-1", "NewFPCD", negative.Heuristic, func(r *bm.Machine, rows int) (negative.Estimator, error) {
		return negative.NewFPCD(r, rows, 1, 0.1, 0.95, 9), nil
	}},
	{"annealing-3", "NewAnnealing", negative.Heuristic, func(r *bm.Machine, rows int) (negative.Estimator, error) {
		return negative.NewAnnealing(r, rows, 3), nil
	}},
	{"pseudo-likelihood", "NewPseudoLikelihood", negative.Conditional, func(r *bm.Machine, _ int) (negative.Estimator, error) {
		return negative.NewPseudoLikelihood(r)
	}},
}

// renewed returns what makes pcd with a quarter of its rows fresh.
func renewed(from negative.From) func(r *bm.Machine, rows int) (negative.Estimator, error) {
	return func(r *bm.Machine, rows int) (negative.Estimator, error) {
		return negative.NewRenewed(r, negative.NewPCD(r, rows-rows/4, 1, 9), rows/4, 2, start(r, from))
	}
}

// start returns where chains start; the mean law's fields are -0.8, -0.5, -0.2, ...
func start(r *bm.Machine, from negative.From) negative.Start {
	s := negative.Start{From: from}
	if from == negative.Mean {
		e, n := r.Engine(), r.Layers()[bm.Visible]
		x := make([]float32, n)
		for i := range x {
			x[i] = 0.3*float32(i%6) - 0.8
		}
		s.Fields = e.Alloc(compute.Float32, 1, n)
		compute.Write(e, s.Fields, x)
	}
	return s
}

type entry struct {
	name  string
	maker string // the constructor
	kind  negative.Kind
	make  func(r *bm.Machine, rows int) (negative.Estimator, error)
}

func axons(r *bm.Machine) *bm.Axons { return r.Couplings().(*bm.Axons) }

func hasAxons(r *bm.Machine) bool {
	_, ok := r.Couplings().(*bm.Axons)
	return ok
}

// readsPatterns reports whether an estimator of the table needs axons.
func readsPatterns(name string) bool {
	return strings.HasPrefix(name, "pid") || strings.HasSuffix(name, "patterns")
}

func TestTableIsComplete(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "New") {
				continue
			}
			found++
			if !slices.ContainsFunc(estimators, func(e entry) bool { return e.maker == fn.Name.Name }) {
				t.Errorf("%s: %s is not in the table of estimators", file, fn.Name.Name)
			}
		}
	}
	if found == 0 {
		t.Error("no constructors found")
	}
}

func engine(t *testing.T, threads int) *cpu.Engine {
	e := cpu.New(threads)
	t.Cleanup(e.Close)
	return e
}

func spins(e compute.Engine, m compute.Matrix) []int8 {
	x := make([]int8, m.Len())
	compute.Read(e, x, m)
	return x
}

func floats(e compute.Engine, m compute.Matrix) []float64 {
	x := make([]float32, m.Len())
	compute.Read(e, x, m)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// Every estimator does what its kind says, on every small machine.
func TestKinds(t *testing.T) {
	for _, small := range check.SmallMachines(engine(t, 2), 4, 3, 31) {
		r := small.Machine
		for _, c := range estimators {
			if readsPatterns(c.name) && !hasAxons(r) || c.kind == negative.Conditional { // its machines have no hidden layer
				continue
			}
			t.Run(c.name+","+small.Name, func(t *testing.T) {
				n, err := c.make(r, 7)
				if err != nil {
					t.Fatal(err)
				}
				if n.Kind() != c.kind {
					t.Fatalf("kind %q, the table says %q", n.Kind(), c.kind)
				}
				switch c.kind {
				case negative.Exact:
					isExact(t, r, n)
				case negative.Stationary:
					check.NoDrift(t, r, func(s bm.State, law bm.Law) {
						n, err := c.make(r, s.Rows())
						if err != nil {
							t.Fatal(err)
						}
						for _, p := range n.State() {
							if p.Name == "chains.visible" {
								equilibrium(r, n, p.Value, s[bm.Visible])
							}
						}
						drawn := n.Draw(bm.Batch{State: s[:1]}, law.Key)
						if !drawn.Weights.IsNone() || !drawn.Marginal {
							t.Errorf("weights %v, marginal %v; want equal weights and h integrated out", drawn.Weights, drawn.Marginal)
						}
						for l, m := range drawn.State {
							r.Engine().Copy(s[l], m)
						}
					})
				}
				reproducible(t, r, n, func() negative.Estimator {
					n, _ := c.make(r, 7)
					return n
				})
			})
		}
	}
}

// The configurations of a draw are a function of the key, the batch and the state.
func reproducible(t *testing.T, r *bm.Machine, n negative.Estimator, again func() negative.Estimator) {
	v := r.Engine().Alloc(compute.Int8, 7, r.Layers()[bm.Visible])
	r.Engine().Spins(v, 1, 0, 0)
	batch := bm.Batch{State: bm.State{v}}
	first := spins(r.Engine(), n.Draw(batch, 3).State[bm.Visible])
	second := spins(r.Engine(), again().Draw(batch, 3).State[bm.Visible])
	if !slices.Equal(first, second) {
		t.Errorf("the same key gave %v and %v", first, second)
	}
}

// isExact tests an exact estimator: its weights against the float64 oracle,
// and the gradient of its batch against central differences of log Z.
func isExact(t *testing.T, r *bm.Machine, n negative.Estimator) {
	weightsAreExact(t, r, n)
	const step, tolerance = 0x1p-7, 3e-4 // as in check.Gradient
	e := r.Engine()
	for _, p := range r.Params() {
		if !p.Grad.IsNone() {
			e.Fill(p.Grad, 0)
		}
	}
	r.Phase(n.Draw(bm.Batch{}, 0), 1)
	for _, p := range r.Params() {
		if p.Grad.IsNone() {
			continue
		}
		x := make([]float32, p.Value.Len())
		compute.Read(e, x, p.Value)
		got := floats(e, p.Grad)
		for i, old := range x {
			logZ := func(at float32) float64 {
				x[i] = at
				compute.Write(e, p.Value, x)
				return check.LogZ(r)
			}
			up, down := logZ(old+step), logZ(old-step)
			logZ(old)
			if want := -(up - down) / (2 * step); math.Abs(got[i]-want) > tolerance*(1+math.Abs(want)) {
				t.Errorf("<dE/d %s[%d]> = %.6f, differences of -log Z give %.6f", p.Name, i, got[i], want)
			}
		}
	}
	// The weights follow the parameters.
	p := r.Params()[0].Value
	e.Axpby(p, 0, p, 0.5)
	weightsAreExact(t, r, n)
	e.Axpby(p, 0, p, 2)
}

func weightsAreExact(t *testing.T, r *bm.Machine, n negative.Estimator) {
	t.Helper()
	drawn := n.Draw(bm.Batch{}, 0)
	v := spins(r.Engine(), drawn.State[bm.Visible])
	w := floats(r.Engine(), drawn.Weights)
	size := r.Layers()[bm.Visible]
	logZ := check.LogZ(r)
	seen := map[string]bool{}
	var sum float64
	for i, got := range w {
		row := v[i*size:][:size]
		want := math.Exp(-check.FreeEnergy(r, row) - logZ)
		seen[fmt.Sprint(row)] = true
		if len(w) == 1<<(size-1) { // the listed half stands for the other: F(v) = F(-v)
			want *= 2
			other := make([]int8, size)
			for j, s := range row {
				other[j] = -s
			}
			seen[fmt.Sprint(other)] = true
		}
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("P(%v) = %.8f, exactly %.8f", row, got, want)
		}
		sum += got
	}
	if len(seen) != 1<<size || math.Abs(sum-1) > 1e-6 {
		t.Errorf("%d states of %d, weights sum to %.8f", len(seen), 1<<size, sum)
	}
}

func TestExactRefusesLargeMachines(t *testing.T) {
	e := engine(t, 1)
	_, err := negative.NewExact(bm.New(e, bm.NewDense(e, bm.Restricted(negative.MostExactSpins+1, 3, false)), false, false))
	const want = "the exact sum runs over 2^21 visible states, at most 2^20 can be; take pcd or pid-gibbs"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// CD keeps the batch's weights and leaves the batch alone, whatever sizes come after each other.
func TestCDOfBatches(t *testing.T) {
	e := engine(t, 2)
	r := check.SmallMachines(e, 6, 5, 32)[7].Machine
	n := negative.NewCD(r, 2)
	for _, rows := range []int{3, 1, 8, 2} {
		v, w := e.Alloc(compute.Int8, rows, 6), e.Alloc(compute.Float32, rows, 1)
		e.Spins(v, 4, 0, 0)
		before := spins(e, v)
		drawn := n.Draw(bm.Batch{State: bm.State{v}, Weights: w}, 5)
		want := sampler.Chains(r, rows)
		e.Copy(want[bm.Visible], v)
		sampler.Gibbs(r, want, bm.Law{Key: 5}, 2)
		if !slices.Equal(spins(e, v), before) {
			t.Errorf("%d rows: the batch changed", rows)
		}
		if drawn.Weights != w {
			t.Errorf("%d rows: weights %v, want the batch's", rows, drawn.Weights)
		}
		for l := range 2 {
			if !slices.Equal(spins(e, drawn.State[l]), spins(e, want[l])) {
				t.Errorf("%d rows: layer %d is not two sweeps from the batch", rows, l)
			}
		}
	}
}

// The chains of PCD start from coins, go on from draw to draw, and go on from their State alone.
func TestPCDPersists(t *testing.T) {
	e := engine(t, 2)
	r := check.SmallMachines(e, 6, 5, 33)[7].Machine
	const chains, steps = 4096, 2
	n := negative.NewPCD(r, chains, steps, 7)
	want := sampler.Chains(r, chains)
	sampler.Randomize(r, want, bm.Law{Key: 7})
	counts, p := make([]float64, 64), make([]float64, 64)
	for i := range p {
		p[i] = 1. / 64
	}
	x := spins(e, n.State()[0].Value)
	for i := range chains {
		counts[number(x[i*6:][:6])]++
	}
	if err := check.ChiSquare(counts, p); err != nil {
		t.Errorf("the chains do not start from coins: %v", err)
	}
	for i := range 3 {
		key := rng.Key(8).Fold(uint64(i))
		if i == 2 { // a fresh estimator from the state
			fresh := negative.NewPCD(r, chains, steps, 99)
			e.Copy(fresh.State()[0].Value, n.State()[0].Value)
			n = fresh
		}
		drawn := n.Draw(bm.Batch{}, key)
		sampler.Gibbs(r, want, bm.Law{Key: key}, steps)
		for l := range 2 {
			if !slices.Equal(spins(e, drawn.State[l]), spins(e, want[l])) {
				t.Fatalf("draw %d: layer %d does not go on from draw %d", i, l, i-1)
			}
		}
	}
}

// number returns the number of the state as exact.SetState counts.
func number(s []int8) (n int) {
	for i, x := range s {
		if x == 1 {
			n |= 1 << i
		}
	}
	return n
}

// patterns returns Xv and Xh in float64, row by row.
func patterns(r *bm.Machine) (v, h [][]float64) {
	pv, ph := axons(r).Patterns(bm.Visible), axons(r).Patterns(bm.Hidden)
	rows := func(m compute.Matrix) [][]float64 {
		var l [][]float64
		x := floats(r.Engine(), m)
		for i := range m.Rows() {
			l = append(l, x[i*m.Cols():][:m.Cols()])
		}
		return l
	}
	return rows(pv.Value), rows(ph.Value)
}

func axonMachines(t *testing.T, visible, hidden int, key rng.Key) []check.Small {
	return slices.DeleteFunc(check.SmallMachines(engine(t, 2), visible, hidden, key), func(s check.Small) bool { return !hasAxons(s.Machine) })
}

// pid returns sign(Xv) with h integrated out, each row with its own hidden part to look at.
func TestPID(t *testing.T) {
	for _, small := range axonMachines(t, 5, 4, 34) {
		r := small.Machine
		e := r.Engine()
		pv := axons(r).Patterns(bm.Visible)
		x := make([]float32, pv.Value.Len())
		compute.Read(e, x, pv.Value)
		x[1], x[7] = 0, float32(math.Copysign(0, -1))
		compute.Write(e, pv.Value, x)
		drawn := negative.NewPID(r, axons(r), nil).Draw(bm.Batch{}, 1)
		v, h := patterns(r)
		for l, want := range [][][]float64{v, h} {
			got := spins(e, drawn.State[l])
			for i, row := range want {
				for j, x := range row {
					if s := got[i*len(row)+j]; (s == 1) != (x >= 0) || s*s != 1 {
						t.Errorf("%s: spin (%d,%d) of layer %d is %d at the pattern's %v", small.Name, i, j, l, s, x)
					}
				}
			}
		}
		if !drawn.Weights.IsNone() {
			t.Errorf("%s: weights %v, want 1/K each", small.Name, drawn.Weights)
		}
		marginal := gradients(r, drawn)
		if want := gradients(r, bm.Batch{State: drawn.State[:1]}); !slices.Equal(marginal, want) {
			t.Errorf("%s: the hidden layer is not integrated out", small.Name)
		}
	}
}

// gradients returns <dE/dtheta> of the batch for all learned parameters in a row.
func gradients(r *bm.Machine, b bm.Batch) (all []float64) {
	e := r.Engine()
	for _, p := range r.Params() {
		if !p.Grad.IsNone() {
			e.Fill(p.Grad, 0)
		}
	}
	r.Phase(b, 1)
	for _, p := range r.Params() {
		if !p.Grad.IsNone() {
			all = append(all, floats(e, p.Grad)...)
		}
	}
	return all
}

// Eq. 6 to the letter is weight decay: <dE/dW> = -W/(g sqrt K) on patterns of +-1. On the patterns themselves
// the chain rule makes of it dE/dXv = -(1/K) (Xh Xh^T) Xv g/sqrt K, and likewise for Xh.
func TestPIDLiteralIsWeightDecay(t *testing.T) {
	const gain = 0.7 // of SmallMachines
	e := engine(t, 2)
	a := bm.NewAxons(e, bm.Restricted(6, 5, false), 4, true)
	a.Bernoulli(1, 35)
	a.SetGain(gain)
	r := bm.New(e, a, false, false)
	literal, err := negative.NewPIDLiteral(r, a)
	if err != nil {
		t.Fatal(err)
	}
	drawn := literal.Draw(bm.Batch{}, 1)

	d := bm.NewDense(e, bm.Restricted(6, 5, false))
	dense := bm.New(e, d, false, false)
	k := 4.0
	w := check.Weights(r)
	got := gradients(dense, drawn)
	dW := make([][]float64, 6)
	for i := range dW {
		dW[i] = got[i*5:][:5]
		for j, x := range dW[i] {
			if want := -w[i][j] / (gain * math.Sqrt(k)); math.Abs(x-want) > 1e-6 {
				t.Errorf("<dE/dW(%d,%d)> = %.7f, -W/(g sqrt K) = %.7f", i, j, x, want)
			}
		}
	}
	v, h := patterns(r)
	got = gradients(r, drawn)
	var want []float64
	for p := range v {
		for i := range 6 {
			var sum float64
			for j := range 5 {
				sum += -w[i][j] / (gain * math.Sqrt(k)) * h[p][j]
			}
			want = append(want, gain/math.Sqrt(k)*sum)
		}
	}
	for p := range h {
		for j := range 5 {
			var sum float64
			for i := range 6 {
				sum += -w[i][j] / (gain * math.Sqrt(k)) * v[p][i]
			}
			want = append(want, gain/math.Sqrt(k)*sum)
		}
	}
	var energy float64 // dE/dlog g = <-v W h> = -|W|^2/(g sqrt K)
	for _, row := range w {
		for _, x := range row {
			energy -= x * x / (gain * math.Sqrt(k))
		}
	}
	want = append(want, energy)
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-5 {
			t.Errorf("entry %d of the gradient is %.7f, want %.7f", i, got[i], want[i])
		}
	}
}

// The chains of pid-gibbs after one and more steps follow the product of the
// conditional laws tanh(fields) from the seeds, exactly; and the law of the other seeds is told apart.
func TestPIDGibbsLaw(t *testing.T) {
	const draws = 6000
	machines := axonMachines(t, 3, 3, 36)
	for _, small := range []check.Small{machines[0], machines[3]} {
		r := small.Machine
		v, _ := patterns(r)
		for _, c := range []struct {
			steps      int
			continuous bool
		}{{1, false}, {1, true}, {2, false}, {3, true}} {
			n, err := negative.NewPIDGibbs(r, axons(r), c.steps, c.continuous)
			if err != nil {
				t.Fatal(err)
			}
			counts := make([][]float64, len(v))
			for k := range counts {
				counts[k] = make([]float64, 64)
			}
			for i := range draws {
				drawn := n.Draw(bm.Batch{}, rng.Key(37).Fold(uint64(i)))
				x, y := spins(r.Engine(), drawn.State[bm.Visible]), spins(r.Engine(), drawn.State[bm.Hidden])
				for k := range counts {
					counts[k][number(x[k*3:][:3])+8*number(y[k*3:][:3])]++
				}
				if !drawn.Marginal || !drawn.Weights.IsNone() {
					t.Fatalf("marginal %v, weights %v", drawn.Marginal, drawn.Weights)
				}
			}
			told := false
			for k, x := range v {
				signs := make([]float64, len(x))
				for i := range x {
					signs[i] = math.Copysign(1, x[i])
				}
				seed, other := signs, x
				if c.continuous {
					seed, other = x, signs
				}
				if err := check.ChiSquare(counts[k], check.SweepLaw(r, seed, c.steps)); err != nil {
					t.Errorf("%s: %d steps, continuous %v, pattern %d: %v", small.Name, c.steps, c.continuous, k, err)
				}
				told = told || check.ChiSquare(counts[k], check.SweepLaw(r, other, c.steps)) != nil
			}
			if c.steps == 1 && !told {
				t.Errorf("%s: the seeds sign and continuous are not told apart", small.Name)
			}
		}
	}
}

// The model average of pid is read off the patterns: no chain is run.
func ExampleNewPID() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(4, 3, false), 2, false)
	v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	compute.Write(e, v.Value, []float32{0.3, -0.2, 0, 0.9, -1, 1, -1, 1})
	compute.Write(e, h.Value, []float32{1, -1, 1, -0.5, 0.5, 1})
	m := bm.New(e, a, false, false)

	drawn := negative.NewPID(m, a, nil).Draw(bm.Batch{}, 0)
	x := make([]int8, 8)
	compute.Read(e, x, drawn.State[bm.Visible])
	fmt.Println(x[:4], x[4:])

	m.Phase(drawn, -1) // the negative phase of the gradient, in v.Grad and h.Grad
	// Output:
	// [1 -1 1 1] [-1 1 -1 1]
}
