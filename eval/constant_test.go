package eval_test

import (
	"testing"

	"mattis/bm"
	"mattis/eval"
	"mattis/negative"
)

// An energy constant moves energies and log Z, and no probability and no share of the ground-state energy. Chains
// that start anywhere have the same spins with it and without.
func TestConstantMovesNoShare(t *testing.T) {
	const constant = 123.5
	s := barsSubject(t, engine(t))
	r := s.Machine
	s.Drawn = negative.NewPID(r, r.Couplings().(*bm.Axons), nil).Draw(bm.Batch{}, 0)
	all := []struct {
		name  string
		moves float64
	}{
		{"gibbs_accessibility", 0}, {"gibbs_accessibility_mean", 0}, {"method_accessibility", 0}, {"hamming", 0}, {"nll_exact", 0}, {"pseudo_likelihood", 0},
		{"ground_energy", constant}, {"logz_exact", -constant}, {"logz", -constant},
	}
	without := make([]float64, len(all))
	for i, m := range all {
		without[i] = measure(t, m.name, s, eval.Defaults()).Value
	}
	r.SetConstant(constant)
	for i, m := range all {
		near(t, m.name, measure(t, m.name, s, eval.Defaults()).Value, without[i]+m.moves, 1e-9*constant)
	}
}
