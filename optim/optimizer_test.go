package optim_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
	"mattis/optim"
	"mattis/rng"
)

func engine(t *testing.T) *cpu.Engine {
	e := cpu.New(2)
	t.Cleanup(e.Close)
	return e
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

// rates are those of the steps of a test: they change, as on a schedule.
var rates = []float64{0.1, 0.1, 0.05, 0.2, 0.1, 0.02, 0.02}

// gradient sets the gradients of step number t and returns them. Some entries are 0 at first.
func gradient(r *bm.Machine, t int) map[string][]float64 {
	all := map[string][]float64{}
	for i, p := range r.Params() {
		if p.Grad.IsNone() {
			continue
		}
		k := rng.Key(3).Fold(uint64(t)).Fold(uint64(i))
		x := make([]float32, p.Grad.Len())
		for j := range x {
			x[j] = float32(k.Normal(0, uint64(j)) * math.Pow(10, float64(j%4)-2))
			if j%5 == 4 && t < 3 {
				x[j] = 0
			}
		}
		compute.Write(r.Engine(), p.Grad, x)
		all[p.Name] = floats(r.Engine(), p.Grad)
	}
	return all
}

// track runs the optimizer beside a float64 rule of one entry. The rule gets
// the step's number from 1, the rate, the decay factor of the parameter and the entry's memory.
func track(t *testing.T, r *bm.Machine, o optim.Optimizer, tolerance float64, rule func(step int, rate, decay, value, grad float64, memory *[2]float64) float64) {
	t.Helper()
	want, memory := map[string][]float64{}, map[string][][2]float64{}
	for _, p := range r.Params() {
		want[p.Name] = floats(r.Engine(), p.Value)
		memory[p.Name] = make([][2]float64, p.Value.Len())
	}
	for i, rate := range rates {
		grads := gradient(r, i)
		o.Step(rate)
		for _, p := range r.Params() {
			got := floats(r.Engine(), p.Value)
			for j := range got {
				if g, ok := grads[p.Name]; ok {
					want[p.Name][j] = rule(i+1, rate, float64(p.Decay), want[p.Name][j], g[j], &memory[p.Name][j])
				}
				if w := want[p.Name][j]; !(math.Abs(got[j]-w) <= tolerance*(1+math.Abs(w))) {
					t.Fatalf("step %d: %s[%d] = %.8f, want %.8f", i+1, p.Name, j, got[j], w)
				}
			}
		}
	}
}

// machines returns the richest machine of each couplings: biases, offset, learned gain.
func machines(t *testing.T) []check.Small {
	all := check.SmallMachines(engine(t), 6, 5, 41)
	return []check.Small{all[3], all[7]}
}

func TestSGD(t *testing.T) {
	for _, s := range machines(t) {
		for _, mu := range []float64{0, 0.9} {
			for _, d := range []float64{0, 0.3} {
				t.Run(fmt.Sprintf("%s,momentum=%v,decay=%v", s.Name, mu, d), func(t *testing.T) {
					track(t, s.Machine, optim.NewSGD(s.Machine, mu, d), 1e-5,
						func(_ int, rate, decay, value, grad float64, memory *[2]float64) float64 {
							memory[0] = mu*memory[0] + grad + d*decay*value
							return value - rate*memory[0]
						})
				})
			}
		}
	}
}

// Algorithm 1 of Kingma and Ba (2014), with decoupled decay (Loshchilov and Hutter 2017). The bias
// correction counts steps: counted otherwise (by epochs, say), the second step is off.
func TestAdam(t *testing.T) {
	for _, s := range machines(t) {
		for _, b := range [][2]float64{{0.9, 0.999}, {0.5, 0.9}} {
			for _, d := range []float64{0, 0.3} {
				t.Run(fmt.Sprintf("%s,beta=%v,decay=%v", s.Name, b, d), func(t *testing.T) {
					const eps = 1e-8
					track(t, s.Machine, optim.NewAdam(s.Machine, b[0], b[1], eps, d), 1e-5,
						func(step int, rate, decay, value, grad float64, memory *[2]float64) float64 {
							memory[0] = b[0]*memory[0] + (1-b[0])*grad
							memory[1] = b[1]*memory[1] + (1-b[1])*grad*grad
							first := memory[0] / (1 - math.Pow(b[0], float64(step)))
							second := memory[1] / (1 - math.Pow(b[1], float64(step)))
							return value - rate*d*decay*value - rate*first/(math.Sqrt(second)+eps)
						})
				})
			}
		}
	}
}

// Only couplings decay.
func TestDecayIsOfCouplings(t *testing.T) {
	for _, s := range machines(t) {
		for _, p := range s.Machine.Params() {
			want := float32(0)
			if strings.HasPrefix(p.Name, "patterns.") || p.Name == "weights" {
				want = 1
			}
			if p.Decay != want {
				t.Errorf("%s: %s decays by %v, want %v", s.Name, p.Name, p.Decay, want)
			}
		}
	}
}

// An optimizer goes on from its State alone; without memory it has none.
func TestState(t *testing.T) {
	r := machines(t)[1].Machine
	e := r.Engine()
	if s := optim.NewSGD(r, 0, 0.1).State(); len(s) != 0 {
		t.Errorf("plain descent keeps %v", s)
	}
	for name, make := range map[string]func() optim.Optimizer{
		"momentum": func() optim.Optimizer { return optim.NewSGD(r, 0.9, 0.1) },
		"adam":     func() optim.Optimizer { return optim.NewAdam(r, 0.9, 0.999, 1e-8, 0.1) },
	} {
		first := make()
		values := map[string][]float64{}
		names := map[string]bool{}
		for i := range 6 {
			if i == 3 {
				fresh := make()
				for j, p := range fresh.State() {
					from := first.State()[j]
					if p.Name != from.Name || names[p.Name] || !strings.HasPrefix(p.Name, "optimizer.") {
						t.Fatalf("%s: state %q, before %q", name, p.Name, from.Name)
					}
					names[p.Name] = true
					e.Copy(p.Value, from.Value)
				}
				for _, p := range r.Params() {
					values[p.Name] = floats(e, p.Value)
				}
				for k := i; k < 6; k++ { // straight on
					gradient(r, k)
					first.Step(0.1)
				}
				straight := map[string][]float64{}
				for _, p := range r.Params() {
					straight[p.Name] = floats(e, p.Value)
					write(e, p.Value, values[p.Name])
				}
				for k := i; k < 6; k++ { // and by the fresh one
					gradient(r, k)
					fresh.Step(0.1)
				}
				for _, p := range r.Params() {
					if !slices.Equal(floats(e, p.Value), straight[p.Name]) {
						t.Errorf("%s: %s differs after going on from the state", name, p.Name)
					}
				}
				break
			}
			gradient(r, i)
			first.Step(0.1)
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

func TestSchedule(t *testing.T) {
	bars := optim.Schedule{Rate: 0.02, Factor: 0.96, Floor: 1e-5}
	mnist := optim.Schedule{Rate: 0.015, Factor: 0.99, After: 100, Floor: 1e-3}
	for _, c := range []struct {
		name  string
		s     optim.Schedule
		epoch int
		want  float64
	}{
		{"bars starts", bars, 0, 0.02},
		{"bars falls", bars, 1, 0.0192},
		{"bars falls on", bars, 10, 0.02 * math.Pow(0.96, 10)},
		{"bars on the floor", bars, 299, 1e-5},
		{"mnist full rate", mnist, 99, 0.015},
		{"mnist at the edge", mnist, 100, 0.015},
		{"mnist falls", mnist, 101, 0.01485},
		{"mnist on the floor", mnist, 499, 1e-3},
		{"factor 1", optim.Schedule{Rate: 0.3, Factor: 1, Floor: 0.5}, 50, 0.3},
		{"no factor", optim.Schedule{Rate: 0.3}, 50, 0.3},
		{"floor above the rate", optim.Schedule{Rate: 0.3, Factor: 0.5, Floor: 0.4}, 50, 0.3},
		{"no floor", optim.Schedule{Rate: 1, Factor: 0.5}, 20, 0x1p-20},
	} {
		if got := c.s.At(float64(c.epoch)); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%s: rate of epoch %d is %v, want %v", c.name, c.epoch, got, c.want)
		}
	}
}

// The learning rate of the 4x4 Bars.
func ExampleSchedule() {
	s := optim.Schedule{Rate: 0.02, Factor: 0.96, Floor: 1e-5}
	for _, epoch := range []int{0, 100, 299} {
		fmt.Printf("%.6f\n", s.At(float64(epoch)))
	}
	// Output:
	// 0.020000
	// 0.000337
	// 0.000010
}

// The forms in which a rate falls, by hand: from 0.1 to 0.01 in 4 epochs after 2, at each update or
// at the end of epochs.
func TestDecays(t *testing.T) {
	linear := optim.Schedule{Rate: 0.1, Decay: optim.Linear, After: 2, Over: 4, Floor: 0.01}
	cosine, power, steep := linear, linear, linear
	cosine.Decay, power.Decay, steep.Decay = optim.Cosine, optim.Power, optim.Exponential
	power.Power = 2
	fine, warm := linear, linear
	fine.PerUpdate = true
	warm.WarmUp = 2
	for _, c := range []struct {
		name   string
		s      optim.Schedule
		epochs float64
		want   float64
	}{
		{"linear, before", linear, 2.9, 0.1}, {"linear", linear, 3.9, 0.0775}, {"linear, end", linear, 6, 0.01}, {"linear, after", linear, 9, 0.01},
		{"cosine", cosine, 3, 0.01 + 0.045*(1+math.Sqrt2/2)}, {"cosine, half", cosine, 4, 0.055}, {"cosine, after", cosine, 7, 0.01},
		{"power", power, 6, 0.025}, {"power, floor", power, 100, 0.01},
		{"exponential over epochs", steep, 4, math.Sqrt(0.001)}, {"exponential, end", steep, 6, 0.01},
		{"an update", fine, 3.5, 0.1 - 0.09*1.5/4},
		{"warm-up", warm, 0.5, 0.025}, {"warm-up, start", warm, 0, 0}, {"warm-up, end", warm, 2, 0.1},
	} {
		if got := c.s.At(c.epochs); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%s: rate %v after %v epochs, want %v", c.name, got, c.epochs, c.want)
		}
	}
}
