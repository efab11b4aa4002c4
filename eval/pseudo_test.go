package eval_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/data"
	"mattis/eval"
	"mattis/internal/check"
)

// conditional returns log p(v_i | all other v) from the two free energies in float64.
func conditional(r *bm.Machine, v []int8, i int) float64 {
	here := check.FreeEnergy(r, v)
	v[i] = -v[i]
	there := check.FreeEnergy(r, v)
	v[i] = -v[i]
	return -here - math.Log(math.Exp(-here)+math.Exp(-there))
}

// All spins of all rows against a float64 loop: a wrong sign, a mean for the
// sum over spins, and a forgotten bias fail.
func TestPseudoLikelihood(t *testing.T) {
	names, all, rows := subjects(t, 6, 4)
	for i, s := range all {
		var want float64
		for _, v := range rows {
			for j := range v {
				want += conditional(s.Machine, v, j) / float64(len(rows))
			}
		}
		for _, flips := range []int{0, 6, 100} {
			got := measure(t, "pseudo_likelihood", s, options(func(o *eval.Options) { o.PseudoLikelihood.Spins = flips }))
			near(t, names[i], got.Value, want, 1e-5)
			near(t, names[i]+" a spin", got.Detail["per_spin"].(float64), want/6, 1e-5)
			if got.Detail["spins"] != "all" || got.N != len(rows) {
				t.Errorf("%+v", got)
			}
		}
	}
}

// Spins drawn by the key, on 4000 copies of one row: the mean is V times that
// over spins within 5 standard errors (a right program fails one of the eight machines with
// probability 5e-6), and so is the reported error within 10 %. Always the first spin, one draw
// for all rows and a missing factor V fail.
func TestPseudoLikelihoodDrawn(t *testing.T) {
	const n, flips = 4000, 2
	names, all, _ := subjects(t, 6, 4)
	v := spins("+-++-+")
	rows := make([][]int8, n)
	for i := range rows {
		rows[i] = v
	}
	o := options(func(o *eval.Options) { o.PseudoLikelihood.Spins, o.PseudoLikelihood.Rows = flips, n })
	for i, s := range all {
		s.Split = &data.Split{Train: rowsOf(rows...)}
		var mean, square float64
		for j := range v {
			c := 6 * conditional(s.Machine, v, j)
			mean += c / 6
			square += c * c / 6
		}
		sd := math.Sqrt((square - mean*mean) / (n * flips))
		got := measure(t, "pseudo_likelihood", s, o)
		near(t, names[i], got.Value, mean, 5*sd)
		near(t, names[i]+" stderr", got.Stderr, sd, 0.1*sd)
		if got.Detail["spins"] != "drawn" || got.Detail["flips"] != flips || sd == 0 {
			t.Errorf("%+v", got)
		}
	}
}

// Without couplings each spin is a fair coin, whatever the number of spins: -V ln 2. Beyond 256 spins one is
// drawn in a row.
func TestPseudoLikelihoodOfCoins(t *testing.T) {
	e := engine(t)
	for _, v := range []int{256, 257} {
		r := bm.New(e, bm.NewDense(e, bm.Restricted(v, 3, false)), false, false)
		s := eval.Subject{Machine: r, Split: &data.Split{Test: rowsOf(randomRows(5, v, 1)...)}, SetName: "test"}
		got := measure(t, "pseudo_likelihood", s, eval.Defaults())
		near(t, "coins", got.Value, -float64(v)*math.Ln2, 1e-9)
		if want := map[int]int{256: 256, 257: 1}[v]; got.Detail["flips"] != want {
			t.Errorf("%d spins: %v flips, want %d", v, got.Detail["flips"], want)
		}
	}
}
