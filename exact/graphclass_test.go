package exact_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/rng"
)

// patternMachine is a machine with patterns of one magnitude, or of any in Gaussian layers, and
// biases on all layers.
func patternMachine(e compute.Engine, g bm.Graph, k int, biased bool) *bm.Machine {
	a := bm.NewAxons(e, g, k, true)
	a.Bernoulli(0.8, rng.Key(k))
	for l, layer := range g.Layers {
		if layer.Kind == bm.Gaussian {
			x := make([]float32, k*layer.N)
			for i := range x {
				x[i] = float32(0.7 * rng.Key(9).Normal(0, uint64(i)))
			}
			compute.Write(e, a.Patterns(l).Value, x)
		}
	}
	for p := range g.Pairs {
		a.SetPairGain(p, 0.6-0.1*float64(p))
	}
	biases := make([]bool, len(g.Layers))
	for l := range biases {
		biases[l] = biased
	}
	m := bm.New(e, a, biases...)
	for l := range biases {
		if b := m.Bias(l).Value; !b.IsNone() {
			x := make([]float32, b.Len())
			for i := range x {
				x[i] = float32(0.3 * rng.Key(11).Normal(uint64(l), uint64(i%3)))
			}
			compute.Write(e, b, x)
		}
	}
	return m
}

// The sum over counts is the sum over states in every topology, and what is drawn by it follows the
// law. A factor of a self pair that is not halved, its own spins left in, the gain of another pair
// and overlaps of another layer fail.
func TestPatternClassesOfTopologies(t *testing.T) {
	e := engine(t)
	for _, topology := range check.Topologies {
		for k := 1; k <= 3; k++ {
			for _, biased := range []bool{false, true} {
				m := patternMachine(e, topology.Graph, k, biased)
				m.SetConstant(0.25)
				p, got := classLogZ(t, m)
				_, want := check.ExactOf(m).Probabilities()
				near(t, topology.Name+": log Z", got, want)
				if k != 2 {
					continue
				}
				err := check.Drift(m, check.Free(), func(s bm.State, law bm.Law) {
					if err := p.Sample(context.Background(), 2, s, bm.Law{Key: law.Key, Row: law.Row}); err != nil {
						t.Fatal(err)
					}
				})
				if err != nil {
					t.Errorf("%s, biases %v: %v", topology.Name, biased, err)
				}
			}
		}
	}
}

// The deep Mattis machine 784-500-1000: one pattern of ones, against a sum over the overlap of the
// first hidden layer, written out, and that against the digits that are known at a coupling of
// 0.002.
func TestDeepMattis(t *testing.T) {
	sum := func(c float64) float64 {
		var z exact.LogSum
		for up := range 501 {
			all, _ := math.Lgamma(501)
			x, _ := math.Lgamma(float64(up + 1))
			y, _ := math.Lgamma(float64(501 - up))
			z.Add(all - x - y + 1784*compute.LogTwoCosh(c*float64(2*up-500)))
		}
		return z.Log()
	}
	near(t, "oracle", sum(0.002), 2013.352085669899)
	e := engine(t)
	for _, gain := range []float64{0.0005, 0.00106, 0.002, 0.1} {
		a := bm.NewAxons(e, bm.Deep(784, 500, 1000), 1, false)
		a.Bernoulli(1, 4)
		a.SetGain(gain)
		p, got := classLogZ(t, bm.New(e, a))
		near(t, "log Z", got, sum(a.Factor(0)))
		if p.Terms() > 501 {
			t.Errorf("%v terms", p.Terms())
		}
	}
}

func TestGraphClassesRefuse(t *testing.T) {
	e := engine(t)
	g := bm.Deep(4, 3, 2)
	g.Layers[2].Offset = true
	a := bm.NewAxons(e, g, 2, false)
	a.Bernoulli(1, 1)
	a.SetOffset(e, 2, []float32{0, 0.5})
	large := bm.NewAxons(e, bm.Full(300, 200), 4, false)
	large.Bernoulli(1, 1)
	uneven := bm.NewAxons(e, bm.Full(4, 0), 1, false)
	compute.Write(e, uneven.Patterns(0).Value, []float32{1, -1, 0.5, 1})
	for _, c := range []struct {
		a    *bm.Axons
		want string
	}{
		{a, "offset.hidden2[1] is 0.5; pattern classes need offsets of 0"},
		{large, "(16 classes of spins with equal pattern signs and biases in the layers that are listed), at most 2e+08 can be"},
		{uneven, "patterns.visible[0,2] is 0.5 and [0,0] is 1; pattern classes need patterns of one magnitude"},
	} {
		if _, err := exact.ClassesOf(bm.New(e, c.a)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
