package data

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"

	"mattis/rng"
)

// kaufman returns log Z of the Ising model on a periodic n x n lattice at the inverse temperature k, by Kaufman's sum (1949).
func kaufman(n int, k float64) float64 {
	gamma := func(r int) float64 {
		if r == 0 {
			return 2*k + math.Log(math.Tanh(k))
		}
		return math.Acosh(math.Cosh(2*k)/math.Tanh(2*k) - math.Cos(float64(r)*math.Pi/float64(n)))
	}
	type signed struct{ log, sign float64 }
	product := func(first int, sinh bool) signed {
		p := signed{0, 1}
		for r := first; r < 2*n; r += 2 {
			x := float64(n) * gamma(r) / 2
			s := math.Log1p(math.Exp(-2 * math.Abs(x)))
			if sinh {
				s = math.Log(-math.Expm1(-2 * math.Abs(x)))
				if x < 0 {
					p.sign = -p.sign
				}
			}
			p.log += math.Abs(x) + s
		}
		return p
	}
	all := []signed{product(1, false), product(1, true), product(0, false), product(0, true)}
	sum := 0.0
	for _, p := range all {
		sum += p.sign * math.Exp(p.log-all[0].log)
	}
	return -math.Ln2 + float64(n*n)/2*math.Log(2*math.Sinh(2*k)) + all[0].log + math.Log(sum)
}

// energies returns the exact mean and variance of E at a temperature, as differences of log Z.
func energies(logZ func(k float64) float64, temperature float64) (mean, variance float64) {
	const step = 1e-4
	k := 1 / temperature
	down, at, up := logZ(k-step), logZ(k), logZ(k+step)
	return -(up - down) / (2 * step), (up - 2*at + down) / (step * step)
}

// Kaufman's sum is that over all states where these can be listed, so that tests may trust it.
func TestKaufman(t *testing.T) {
	for _, n := range []int{3, 4} {
		l := Lattice{n, 0}
		s := make([]int8, n*n)
		for _, k := range []float64{0.1, 1 / 2.4, 1} {
			sum := 0.0
			for state := range 1 << (n * n) {
				for i := range s {
					s[i] = int8(state>>i&1)*2 - 1
				}
				sum += math.Exp(-k * l.Energy(s))
			}
			if got, want := kaufman(n, k), math.Log(sum); math.Abs(got-want) > 1e-9*want {
				t.Errorf("%dx%d at K = %g: log Z = %.10f, the sum is %.10f", n, n, k, got, want)
			}
		}
	}
}

// The rows have the exact mean energy and its variance, of lattices below, at and above the critical temperature: at 5 standard errors a right
// program fails once in a million. Joining with exp(-2/T), or with 1/T for 2/T, and a lattice without its boundary fail by hundreds.
func TestIsingEnergies(t *testing.T) {
	for _, c := range []struct {
		side, rows  int
		temperature float64
	}{{3, 8000, 3}, {4, 8000, 2.4}, {8, 8000, 2.4}, {8, 4000, 1.8}, {16, 2000, 2.269}, {16, 2000, 4}} {
		split, err := Ising(Options{Size: c.side, Temperature: c.temperature, Count: c.rows, Key: 11})
		if err != nil {
			t.Fatal(err)
		}
		e := make([]float64, c.rows)
		up := 0.0
		for i := range e {
			e[i] = split.Lattice.Energy(split.Train.Row(i))
			for _, x := range split.Train.Row(i) {
				up += float64(x)
			}
		}
		mean, variance := energies(func(k float64) float64 { return kaufman(c.side, k) }, c.temperature)
		got, spread := stat.MeanVariance(e, nil)
		if z := (got - mean) / math.Sqrt(variance/float64(c.rows)); math.Abs(z) > 5 {
			t.Errorf("%dx%d at T = %g: mean energy %.4f, exactly %.4f: %.1f standard errors", c.side, c.side, c.temperature, got, mean, z)
		}
		fourth := stat.Moment(4, e, nil)
		if z := (spread - variance) / math.Sqrt((fourth-variance*variance)/float64(c.rows)); math.Abs(z) > 5 {
			t.Errorf("%dx%d at T = %g: variance of the energy %.3f, exactly %.3f: %.1f standard errors", c.side, c.side, c.temperature, spread, variance, z)
		}
		if n := float64(len(split.Train.Spins)); math.Abs(up/n) > 5/math.Sqrt(float64(c.rows)) { // rows are worth at least one coin each
			t.Errorf("%dx%d at T = %g: mean spin %.4f", c.side, c.side, c.temperature, up/n)
		}
	}
}

// Rows that follow each other in a chain are as good as independent: their energies and their |m| are correlated by less than 0.05, at the critical
// temperature and on a large lattice too. The error of a correlation of 1500 pairs is 0.026.
func TestIsingIsIndependentEnough(t *testing.T) {
	for _, c := range []struct {
		side, rows  int
		temperature float64
	}{{8, 6000, 2.4}, {32, 1500, 2.269}} {
		split, err := Ising(Options{Size: c.side, Temperature: c.temperature, Count: c.rows, Key: 12})
		if err != nil {
			t.Fatal(err)
		}
		look := func(name string, of func(s []int8) float64) {
			var x, y []float64
			for i := range c.rows - 1 {
				if (i+1)%(c.rows/isingChains) != 0 {
					x, y = append(x, of(split.Train.Row(i))), append(y, of(split.Train.Row(i+1)))
				}
			}
			if r := stat.Correlation(x, y, nil); math.Abs(r) > 0.05+3/math.Sqrt(float64(len(x))) {
				t.Errorf("%dx%d at T = %g: %s of successive rows are correlated by %.3f", c.side, c.side, c.temperature, name, r)
			} else {
				t.Logf("%dx%d at T = %g: %s: %.3f", c.side, c.side, c.temperature, name, r)
			}
		}
		look("energies", split.Lattice.Energy)
		look("|m|", func(s []int8) float64 {
			m := 0
			for _, x := range s {
				m += int(x)
			}
			return math.Abs(float64(m))
		})
	}
}

// The rows depend on the key and on nothing else: not on threads.
func TestIsingDependsOnTheKey(t *testing.T) {
	o := Options{Size: 5, Temperature: 2, Count: 333, Key: 13}
	digest := func() string {
		s, err := Ising(o)
		if err != nil {
			t.Fatal(err)
		}
		return s.Train.Digest()
	}
	first := digest()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if digest() != first {
		t.Error("other rows on one thread")
	}
	if o.Key = rng.Key(14); digest() == first {
		t.Error("the same rows by another key")
	}
	o.Split, o.Test = "random", 0.25
	s, err := Ising(o)
	if err != nil || s.Test == nil || s.Train.Rows+s.Test.Rows != 333 || s.Lattice == nil {
		t.Errorf("split at random: %v, %v", s, err)
	}
}

func TestIsingRefuses(t *testing.T) {
	for want, o := range map[string]Options{
		"data.size: 2 is out of range for ising: 3 to 64":                                                                  {Size: 2},
		"data.temperature: -1 is no temperature, want a positive number, such as 2.4 (2.269 is critical)":                  {Temperature: -1},
		fmt.Sprintf("data.count: -5 is out of range for lattices of 64 spins: 1 to %d", math.MaxInt32/64):                  {Count: -5},
		"data.split: paper has no meaning for ising: take all or random":                                                   {Split: "paper"},
		"data.test: 0.2 has no meaning for data.split all, which takes no share of the rows: leave it out, or take random": {Test: 0.2},
		"data.path has no meaning for ising: leave it out":                                                                 {Path: "x"},
	} {
		if _, err := Ising(o); err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if !slices.Contains(SourceNames(), "ising") {
		t.Error("ising is no source")
	}
}
