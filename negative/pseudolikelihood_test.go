package negative_test

import (
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/negative"
	"mattis/rng"
)

// pseudoNLL returns the mean over the rows of - sum_i log p(v_i | all other v), from the exact probabilities of all states.
func pseudoNLL(m *bm.Machine, rows [][]int8) float64 {
	logs := check.ExactOf(m).LogVisible()
	var sum float64
	for _, v := range rows {
		state := number(v)
		for i := range v {
			sum += math.Log1p(math.Exp(logs[state^1<<i] - logs[state]))
		}
	}
	return sum / float64(len(rows))
}

// Both phases together are the gradient of the negative log-pseudo-likelihood, by finite differences, with dense couplings and axons, plain and
// with biases, offsets and learned gains: a wrong weight, means that hold the spin's own field, and a diagonal of the axons that is not taken out fail.
func TestPseudoLikelihoodGradient(t *testing.T) {
	seen := 0
	for _, small := range check.Machines(engine(t, 2), 53) {
		m := small.Machine
		if len(m.Layers()) > 1 {
			continue
		}
		seen++
		n, err := negative.NewPseudoLikelihood(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, count := range []int{5, 1, 9} {
			rows := make([][]int8, count)
			for i := range rows {
				rows[i] = make([]int8, m.Layers()[bm.Visible])
				exact.SetState(rows[i], rng.Key(54).Uint64(uint64(i), 0))
			}
			positive := check.Data(m, rows)
			for _, p := range bm.Learned(m) {
				m.Engine().Fill(p.Grad, 0)
			}
			m.Phase(positive, 1)
			m.Phase(n.Draw(positive, 0), -1)
			check.Differences(t, m, small.Name+": pseudo-NLL", func() float64 { return pseudoNLL(m, rows) })
		}
	}
	if seen != 4 {
		t.Errorf("%d machines without hidden layers, want 4", seen)
	}
}

func TestPseudoLikelihoodNamesHiddenLayers(t *testing.T) {
	e := engine(t, 1)
	_, err := negative.NewPseudoLikelihood(bm.New(e, bm.NewDense(e, bm.Deep(4, 3, 2))))
	const want = "pseudo-likelihood is of machines of visible spins alone, and there are hidden ones (hidden1, hidden2): take pcd, or machine={kind: full, hidden: 0}"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// Trained on all states with their frequencies under a machine, another one comes to its couplings: the estimator is consistent. Whole counts of 3000
// rows stand for the frequencies; they move the couplings by a few hundredths.
func TestPseudoLikelihoodFindsTheCouplings(t *testing.T) {
	e := engine(t, 2)
	truth := bm.NewDense(e, bm.Full(5, 0))
	truth.Normal(0.4, 55)
	var rows []int8
	row := make([]int8, 5)
	for state, log := range check.ExactOf(bm.New(e, truth)).LogVisible() {
		exact.SetState(row, uint64(state))
		for range int(math.Round(3000 * math.Exp(log))) {
			rows = append(rows, row...)
		}
	}
	d := bm.NewDense(e, bm.Full(5, 0))
	m := bm.New(e, d)
	n, err := negative.NewPseudoLikelihood(m)
	if err != nil {
		t.Fatal(err)
	}
	v := e.Alloc(compute.Int8, len(rows)/5, 5)
	compute.Write(e, v, rows)
	data, w := bm.Batch{State: bm.State{v}}, d.Weights(0)
	for range 300 {
		e.Fill(w.Grad, 0)
		m.Phase(data, 1)
		m.Phase(n.Draw(data, 0), -1)
		e.Axpby(w.Value, -0.1, w.Grad, 1)
	}
	got, want := floats(e, d.Weights(0).Value), floats(e, truth.Weights(0).Value)
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(got[i]-want[i]))
	}
	if worst > 0.03 || slices.Max(got) == 0 {
		t.Errorf("couplings are off by up to %.3f: %.3f, want %.3f", worst, got, want)
	}
}
