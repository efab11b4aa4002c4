package eval

import (
	"fmt"
	"math"
)

// Verdict is what a sampler's chains say of it.
type Verdict string

const (
	Mixes       Verdict = "mixes"
	TooShort    Verdict = "too short to tell"
	DoesNotMix  Verdict = "does not mix"
	NothingSeen Verdict = "one state"
	NothingTold Verdict = "one energy" // chains move, and nothing that is looked at tells their states apart
)

// What Verdict decides by.
const (
	AgreeRHat = 1.01 // split R-hat up to which chains have forgotten their starts
	ApartRHat = 1.1  // above it they have not met
	EnoughESS = 400  // effective samples, of all chains together, that the other numbers can be trusted from
	slowSwaps = 0.05 // exchange rate below which a pair of rungs is a bottleneck
	rareJumps = 0.01 // acceptance below which guided jumps do nothing
)

// Verdict returns whether the chains mix, with the reasons in words. Chains mix where they agree
// (split R-hat up to AgreeRHat for the energy and every mode), the autocorrelation time of each is
// known, and the slowest leaves EnoughESS effective samples. They do not where R-hat is above
// ApartRHat. A mode that no chain has found is seen by no verdict.
func (m *Mixing) Verdict() (v Verdict, reasons []string) {
	say := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	apart, ok := m.Apart()
	if !ok && m.Moved > 0 {
		say("%d of %d chains moved, but the energy and every mode have one value: nothing here tells the states apart", m.Moved, m.Chains)
		return NothingTold, reasons
	}
	if !ok {
		say("all %d chains sit in one state, or in states that nothing here tells apart, and none moved", m.Chains)
		return NothingSeen, reasons
	}
	slowest, _ := m.Slowest()
	v = Mixes
	switch {
	case apart.RHat > ApartRHat:
		v = DoesNotMix
		say("R-hat %.3g (%s): the chains do not agree", apart.RHat, apart.Name)
	case apart.RHat > AgreeRHat:
		v = TooShort
		say("R-hat %.3f (%s): the chains nearly agree, at most %.2f is wanted", apart.RHat, apart.Name, AgreeRHat)
	default:
		say("R-hat %.3f: the chains agree", apart.RHat)
	}
	if b := m.Basins; len(b.Counts) > 1 && b.Moved < m.Chains {
		if m.Moved == 0 {
			say("%d chains sit in %d basins of %s and none moved", m.Chains, len(b.Counts), b.What)
		} else {
			say("%d of %d chains never left their basin, of %d basins of %s", m.Chains-b.Moved, m.Chains, len(b.Counts), b.What)
		}
	}
	unknown, some := m.Unknown()
	if some {
		say("autocorrelation time of %s at least %.3g sweeps: %d chains of %d are too short or saw its slowest changes too rarely to know it", unknown.Name, unknown.Time, m.Chains, m.Sweeps)
	}
	if slowest.Enough {
		say("autocorrelation time %.3g ± %.2g sweeps (%s)", slowest.Time, slowest.Stderr, slowest.Name)
	}
	ess := slowest.Effective
	most := ""
	if !slowest.Enough {
		most = "at most "
	}
	say("%s%.0f effective samples of %d", most, ess, slowest.N)
	if v == Mixes && (some || ess < EnoughESS) {
		v = TooShort
		if ess < EnoughESS {
			reasons[len(reasons)-1] += fmt.Sprintf(", %d are wanted", EnoughESS)
		}
	}
	if s := m.Swaps; s != nil {
		least, at := math.Inf(1), 0
		for i, p := range s.Swaps {
			if p.Tried > 0 && p.Chance < least {
				least, at = p.Chance, i
			}
		}
		if s.RoundTrips == 0 {
			say("no replica went from the first rung to the last and back")
		}
		if least < slowSwaps {
			say("rungs %d and %d exchange at a rate of %.2g: a bottleneck", at+1, at+2, least)
		}
	}
	if p := m.Proposals; p != nil && p.Mixture.Rate() < rareJumps && p.Exchange.Rate() < rareJumps {
		say("the jumps to patterns are accepted at rates of %.2g and %.2g: they do nothing here", p.Mixture.Rate(), p.Exchange.Rate())
	}
	return v, reasons
}
