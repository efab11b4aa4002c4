package negative_test

import (
	"math"
	"slices"
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
