package negative_test

import (
	"math"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/internal/check"
	"mattis/negative"
	"mattis/positive"
)

// given returns the positive estimator that pid takes of a machine.
func given(m *bm.Machine) positive.Estimator { return positive.NewMeanField(m, 50, 1e-5) }

// Every estimator does what its kind says on every topology, or refuses it with a reason.
func TestKindsOfTopologies(t *testing.T) {
	for _, small := range check.Machines(engine(t, 2), 51) {
		m := small.Machine
		gaussian, self := false, false
		for l, layer := range m.Graph().Layers {
			gaussian, self = gaussian || layer.Kind == bm.Gaussian, self || m.Self(l)
		}
		for _, c := range estimators {
			if readsPatterns(c.name) && !hasAxons(m) {
				continue
			}
			n, err := c.make(m, 7)
			refused := c.name == "pid-literal" && gaussian || c.name == "pid-gibbs-2, continuous" && self
			if refused != (err != nil) {
				t.Errorf("%s of %s: error %v", c.name, small.Name, err)
			}
			if err != nil {
				continue
			}
			switch c.kind {
			case negative.Exact:
				got, want := gradients(m, n.Draw(bm.Batch{}, 0)), gradients(m, check.Model(m))
				for i := range want {
					if math.Abs(got[i]-want[i]) > 2e-5*(1+math.Abs(want[i])) {
						t.Errorf("exact of %s: entry %d of the gradient is %.7f, want %.7f", small.Name, i, got[i], want[i])
					}
				}
			case negative.Stationary:
				if strings.HasSuffix(c.name, "-2") || strings.HasSuffix(c.name, "-3") || c.maker == "NewTempering" || c.maker == "NewRenewed" {
					continue // one sweep is enough: more of them, and ladders in equilibrium, are the sampler's
				}
				if strings.HasPrefix(c.name, "cd") && !m.SumsOut() {
					continue // its hidden layers do not start in the law
				}
				err := check.Drift(m, check.Free(), func(s bm.State, law bm.Law) {
					n, err := c.make(m, s.Rows())
					if err != nil {
						t.Fatal(err)
					}
					for _, p := range n.State() {
						for l, layer := range m.Graph().Layers {
							if p.Name == "chains."+layer.Name {
								m.Engine().Copy(p.Value, s[l])
							}
						}
					}
					drawn := n.Draw(bm.Batch{State: s[:1]}, law.Key)
					if !drawn.Weights.IsNone() || !drawn.Marginal {
						t.Errorf("%s: weights %v, marginal %v", c.name, drawn.Weights, drawn.Marginal)
					}
					for l, x := range drawn.State {
						m.Engine().Copy(s[l], x)
					}
				})
				if err != nil {
					t.Errorf("%s of %s: %v", c.name, small.Name, err)
				}
			}
		}
	}
}

// The estimator pid of a machine whose hidden layers do not sum out has the visible parts of the patterns, and the positive phase's hidden
// layers given them.
func TestPIDOfTopologies(t *testing.T) {
	for _, small := range check.Machines(engine(t, 2), 52) {
		m := small.Machine
		if !hasAxons(m) || m.SumsOut() {
			continue
		}
		e := m.Engine()
		drawn := negative.NewPID(m, axons(m), given(m)).Draw(bm.Batch{}, 1)
		signs := e.Alloc(compute.Int8, axons(m).K(), m.Layers()[bm.Visible])
		e.Sign(signs, axons(m).Patterns(bm.Visible).Value)
		want := given(m).Draw(signs, nil, 0)
		if drawn.Marginal || !drawn.Weights.IsNone() {
			t.Errorf("%s: marginal %v, weights %v", small.Name, drawn.Marginal, drawn.Weights)
		}
		for l := range m.Layers() {
			if l == bm.Visible {
				continue
			}
			got, mean := floats(e, drawn.State[l]), floats(e, want.State[l])
			for i := range mean {
				if got[i] != mean[i] {
					t.Fatalf("%s: layer %d is not that of the positive phase", small.Name, l)
				}
			}
		}
	}
}
