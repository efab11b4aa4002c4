package eval_test

import (
	"errors"
	"math"
	"testing"

	"mattis/bm"
	"mattis/data"
	"mattis/eval"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/rng"
)

// logKnown returns the logarithm of the probability of what is known of a row, from those of all visible states.
func logKnown(logs []float64, row []int8) float64 {
	var sum exact.LogSum
	full := make([]int8, len(row))
	for state, log := range logs {
		exact.SetState(full, uint64(state))
		fits := true
		for i, x := range row {
			fits = fits && (x == 0 || x == full[i])
		}
		if fits {
			sum.Add(log)
		}
	}
	return sum.Log()
}

// gappy returns rows of a machine's size of which some entries are missing: none of the first, all of the second.
func gappy(m *bm.Machine, n int) [][]int8 {
	rows := randomRows(n, m.Layers()[bm.Visible], 32)
	for i, row := range rows {
		for j := range row {
			if i == 1 || i > 1 && rng.Key(33).Uniform(uint64(i), uint64(j)) < 0.4 {
				row[j] = 0
			}
		}
	}
	return rows
}

// The likelihood of what is known of rows, on every topology: exactly by sums over what is missing, whatever the measure, and by annealing within 5
// standard errors of each row. Entries that are taken for -1, and completions that are weighed alike, fail.
func TestLikelihoodsOfRowsWithGaps(t *testing.T) {
	for _, small := range check.Machines(engine(t), 14) {
		m := small.Machine
		m.SetConstant(0.3)
		rows := gappy(m, 6)
		logs := check.ExactOf(m).LogVisible()
		_, logZ := check.ExactOf(m).Probabilities()
		want := 0.0
		for _, row := range rows {
			want -= logKnown(logs, row) / float64(len(rows))
		}
		s := eval.Subject{Machine: m, Split: &data.Split{Train: rowsOf(rows...)}, SetName: "train", Key: 8}
		for _, name := range []string{"nll_exact", "nll"} {
			near(t, small.Name+": "+name, measure(t, name, s, eval.Defaults()).Value, want, 1e-5)
		}
		for _, name := range []string{"nll_bound", "probe_accuracy", "recall"} {
			x, err := eval.Named(name)
			if err != nil {
				t.Fatal(err)
			}
			var none *eval.NoValue
			if _, err := x.Run(t.Context(), s, eval.Defaults()); !errors.As(err, &none) {
				t.Errorf("%s: %s has the error %v, want that it has no value", small.Name, name, err)
			}
		}
		f, way, err := eval.FreeEnergies(t.Context(), m, s.Split.Train.Spins, nil)
		if err != nil || way != eval.FreeKnown {
			t.Fatalf("%s: free energies %s, %v", small.Name, way, err)
		}
		h := eval.Held{Machine: m, Runs: 400, Betas: 8, Sweeps: 1, MeanField: eval.Defaults().MeanField, Key: 9}
		held, stderr, _, err := h.FreeEnergies(t.Context(), s.Split.Train.Spins)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			exact := -logKnown(logs, row) - logZ
			near(t, small.Name+": free energy", f[i], exact, 1e-5)
			if math.Abs(held[i]-exact) > 5*stderr[i]+1e-4 || stderr[i] > 0.1 {
				t.Errorf("%s: F of row %d by annealing is %.4f ± %.4f, exactly %.4f", small.Name, i, held[i], stderr[i], exact)
			}
		}
	}
}

// A row that lacks more than can be summed over is annealed by nll, and refused by nll_exact, which names it.
func TestRowsThatLackTooMuch(t *testing.T) {
	e := engine(t)
	d := bm.NewDense(e, bm.Restricted(30, 4, false))
	d.Normal(0.3, 5)
	m := bm.New(e, d, true, true)
	rows := randomRows(3, 30, 6)
	clear(rows[1][:eval.MostMissing+1])
	s := eval.Subject{Machine: m, Split: &data.Split{Train: rowsOf(rows...)}, SetName: "train", Key: 8}
	x, err := eval.Named("nll_exact")
	if err != nil {
		t.Fatal(err)
	}
	const want = "nll_exact: row 2 of the train set has 21 missing entries, and sums over at most 20 can be had of so many rows; take nll"
	if _, err := x.Run(t.Context(), s, eval.Defaults()); err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	annealed := measure(t, "nll", s, eval.Defaults())
	if annealed.Detail["annealed_rows"] != 1 || annealed.Detail["missing"] != 21 {
		t.Errorf("%+v", annealed)
	}
	rows[1][0] = 1 // one less: the sum, and nearly the same
	s.Split.Train, s.Memo = rowsOf(rows...), nil
	first := measure(t, "nll_exact", s, eval.Defaults())
	rows[1][0] = -1
	s.Split.Train, s.Memo = rowsOf(rows...), nil
	second := measure(t, "nll_exact", s, eval.Defaults())
	log := func(x float64) float64 { return -3 * x } // of all three rows; the sum of both is that of neither
	both := log(first.Value) + math.Log1p(math.Exp(log(second.Value)-log(first.Value)))
	near(t, "nll by annealing", annealed.Value, -both/3, 0.02)
}

// nll_tracked of rows with gaps is of what is known: F is that of nll_exact, and not of rows whose
// missing entries are 0.
func TestTrackedOfRowsWithGaps(t *testing.T) {
	e := engine(t)
	machines := [2]*bm.Machine{}
	for i := range machines {
		d := bm.NewDense(e, bm.Restricted(5, 4, false))
		d.Normal(0.5, 3)
		machines[i] = bm.New(e, d, true, true)
	}
	m := machines[0]
	s := eval.Subject{Machine: m, Split: &data.Split{Train: rowsOf(gappy(m, 6)...)}, SetName: "train", Key: 8, Tracked: eval.NewTracked(machines[1], 20)}
	s.Tracked.Follow(m, 0, 4, eval.Chains{}, 1)
	got := measure(t, "nll_tracked", s, eval.Defaults()).Detail["mean_free_energy"].(float64)
	want := measure(t, "nll_exact", s, eval.Defaults()).Detail["mean_free_energy"].(float64)
	if math.Abs(got-want) > 1e-6 {
		t.Errorf("mean F %.6f, want %.6f", got, want)
	}
}
