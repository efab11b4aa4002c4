package eval

import (
	"context"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/stat"

	"mattis/bm"
	"mattis/rng"
)

// Unreached says in one sentence that chains from random spins do not reach what the held
// configurations (V spins a row) are in, or nothing: where they do not, there may be a phase far
// from these that holds most of the mass, and that persistent chains never see. At most 64 of the
// rows are looked at beside as many chains of 100 sweeps.
func Unreached(ctx context.Context, m *bm.Machine, held []int8, key rng.Key) (string, error) {
	const chains, sweeps, few, least = 64, 100, 0.1, 4
	s := Survey{Machine: m, Chains: chains, Sweeps: sweeps, Key: key}
	left := leftOf(m)
	v := left.visible
	if len(held) < least*v {
		return "", nil // so few are no region that one could be outside of
	}
	held = held[:min(len(held), chains*v)]
	random := left.around(randomOrigin.spins(s, chains, key.Fold(0)))
	if err := swept(ctx, m, random, chains, sweeps, key.Fold(1)); err != nil {
		return "", err
	}
	n := len(held) / v
	p := s.newPhases([]ended{{fromData, left.around(held)}, {fromRandom, random}})
	met := 0 // chains from random spins that end where two of the held ones are
	for _, members := range p.grouping.groups {
		in := 0
		for _, i := range members {
			if i < n {
				in++
			}
		}
		if in >= 2 {
			met += len(members) - in
		}
	}
	if float64(met) >= few*chains {
		return "", nil
	}
	free := "" // of machines whose hidden layers do not sum out F(v) is not at hand
	if left.alone() {
		f := left.energies(append(slices.Clone(held), random...))
		free = fmt.Sprintf("F %.0f against %.0f kT, ", stat.Mean(f[n:], nil), stat.Mean(f[:n], nil))
	}
	return fmt.Sprintf("chains from random spins end elsewhere than the persistent chains (%smean spin %+.2f against %+.2f): another phase may hold most of the mass",
		free, meanSpin(left.visibleOf(random)), meanSpin(held)), nil
}
