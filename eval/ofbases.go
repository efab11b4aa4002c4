package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"mattis/bm"
)

// OfBases is the estimate from several bases.
type OfBases struct {
	LogZ
	Base  string   // that leads
	Bases []OfBase // in the order of the laws, then those of phases
	// LowerBound is below log Z with a chance of at least 99 %, whatever the paths have missed.
	LowerBound float64
	Phases     *Phases

	lead *OfBase
}

// next returns the base that a full run is wanted of: the leading one, those that may have found
// more for all that their pilots say, and those that other parts of the mass are from; -1 for none.
func (z *OfBases) next() int {
	for i := range z.Bases {
		o := &z.Bases[i]
		if !o.Pilot {
			continue
		}
		if o == z.lead || o.Value+2*o.Stderr > z.Value {
			return i
		}
		if _, share := z.of(i); share > faintShare {
			return i
		}
	}
	return -1
}

// leader returns the base whose estimate is largest; of those that cannot be told from it, the one
// with the least variance.
func (z *OfBases) leader() *OfBase {
	floor := math.Inf(-1)
	for _, o := range z.Bases {
		floor = max(floor, hardlyBelow(o.Value, o.Stderr))
	}
	var lead *OfBase
	var least float64
	for i := range z.Bases {
		o := &z.Bases[i]
		if math.IsInf(o.Value, -1) || o.Value+3*o.Stderr < floor {
			continue
		}
		variance := weigh(o.logs).logVar
		if o.Pilot { // a full run of the same variance is better known
			variance *= 2
		}
		if lead == nil || variance < least {
			lead, least = o, variance
		}
	}
	return lead
}

// hardlyBelow returns what Z hardly is below: three standard errors less than the estimate, and no
// more than Markov's inequality allows at 99 %, however wide the weights are.
func hardlyBelow(value, stderr float64) float64 { return value - min(3*stderr, math.Log(100)) }

// chosen returns the base that each cell's part is taken from: the leading one, or the one that
// finds most beyond what chance explains. By chance the logarithm of a part has a deviation of
// 1/sqrt(n) for n effective paths in its cell, and single paths may carry far too much; where the
// leading base has none, a few must have been expected there.
func (z *OfBases) chosen() []int {
	const clearly, single, expected = 3, 2, 4.6
	lead := slices.IndexFunc(z.Bases, func(o OfBase) bool { return o.ais == z.lead.ais })
	whole := weigh(z.lead.logs)
	from := make([]int, len(z.Phases.cells)+1)
	for c := range from {
		from[c] = lead
		own := z.lead.parts[c]
		most, _ := z.lead.value(c)
		for i := range z.Bases {
			v, _ := z.Bases[i].value(c)
			other := z.Bases[i].parts[c]
			switch {
			case i == lead || math.IsInf(v, -1) || v <= most:
				continue
			case own.ess == 0 && whole.ess*math.Exp(v-z.lead.Value-single/other.ess) < expected:
				continue
			case own.ess > 0 && v-z.lead.ais.baseLogZ()-own.logMean < clearly*math.Sqrt(1/other.ess+1/own.ess)+single/other.ess:
				continue
			}
			from[c], most = i, v
		}
	}
	return from
}

// of returns the standard error of what is taken from base number i, and its share of Z.
func (z *OfBases) of(i int) (stderr, share float64) {
	o := &z.Bases[i]
	from := z.chosen()
	w := weigh(o.in(func(g int) bool { return from[g] == i }))
	if math.IsInf(w.logMean, -1) {
		return 0, 0
	}
	return w.stderr, math.Exp(o.ais.baseLogZ() + w.logMean - z.Value)
}

// combine sets what z says from its bases.
func (b *Bases) combine(z *OfBases) error {
	z.lead = z.leader()
	if z.lead == nil {
		return fmt.Errorf("no estimate from any base is finite")
	}
	from := z.chosen()
	var sum bm.LogSum
	values := make([]float64, len(from))
	for g, i := range from {
		values[g], _ = z.Bases[i].value(g)
		if !math.IsInf(values[g], -1) {
			sum.Add(values[g])
		}
	}
	z.Value = sum.Log()
	var warnings []string
	var square, most float64
	for i := range z.Bases {
		stderr, share := z.of(i)
		square += math.Pow(min(1, share)*stderr, 2)
		if share > most { // runs, betas and ESS are those of the base that most is taken from
			most, z.Base = share, z.Bases[i].Law.Name
			value := z.Value
			z.LogZ = z.Bases[i].LogZ
			z.Value = value
		}
		if share > 0.01 {
			o := &z.Bases[i]
			w := weigh(o.in(func(g int) bool { return from[g] == i }))
			warnings = append(warnings, w.warn("AIS from the base "+o.Law.Name, int(math.Round(float64(len(o.logs))*min(1, share))))...)
		}
	}
	z.Stderr = math.Hypot(math.Sqrt(square), rounding(b.Machine.Layers()[bm.Hidden], z.Value))
	z.Side = NoSide
	if most > 1-faintShare { // the largest of independent means has no side, one of them has
		z.Side = LowerBound
	}
	z.bound()
	z.share(values)
	z.Warnings = append(append(warnings, z.missed()...), z.Phases.astray()...)
	return nil
}

// share sets the parts of Z that the phases hold, from those of the cells, and orders them.
func (z *OfBases) share(values []float64) {
	p := z.Phases
	in, out := make([]bm.LogSum, len(p.All)+1), make([]bm.LogSum, len(p.All)+1)
	for c, v := range values {
		for g := range in {
			switch {
			case math.IsInf(v, -1):
			case g == p.groupOf(c):
				in[g].Add(v)
			default:
				out[g].Add(v)
			}
		}
	}
	for g := range p.All {
		// Too little for the sum to notice, or for its leading base to have met: what any base
		// found.
		if most := z.most(g); math.IsInf(in[g].Log(), -1) && !math.IsInf(most, -1) {
			in[g].Add(most)
			for other := range out {
				if other != g {
					out[other].Add(most)
				}
			}
		}
	}
	shares := make([]float64, len(values))
	for c, v := range values {
		shares[c] = v - z.Value
	}
	p.bare(shares)
	order := make([]int, len(p.All))
	for k, g := range p.index {
		p.All[k].LogShare, p.All[k].rest = in[g].Log()-z.Value, out[g].Log()-z.Value
		order[k] = k
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.All[b].LogShare, p.All[a].LogShare) })
	all, index, at := make([]Phase, len(order)), make([]int, len(order)), p.Data
	for k, from := range order {
		all[k], index[k] = p.All[from], p.index[from]
		if from == p.Data {
			at = k
		}
	}
	p.All, p.index, p.Data = all, index, at
}

// most returns the largest estimate of a group's part of log Z from any base; -Inf where none found
// it.
func (z *OfBases) most(g int) float64 {
	most := math.Inf(-1)
	for i := range z.Bases {
		o := &z.Bases[i]
		most = max(most, o.ais.baseLogZ()+weigh(o.inGroup(z.Phases, g)).logMean)
	}
	return most
}

// bound sets the lower bound: the least of m independent means of weights exceeds Z e^t with a
// chance of at most e^(-t m), by Markov's inequality for each of them. The number of bases and of
// choices of m is allowed for.
func (z *OfBases) bound() {
	const doubt = 0.01
	parts := []int{1, 4, 16}
	full := 0
	for _, o := range z.Bases {
		if !o.Pilot {
			full++
		}
	}
	z.LowerBound = math.Inf(-1)
	for _, o := range z.Bases {
		if o.Pilot && full > 0 {
			continue
		}
		for _, m := range parts {
			if m > len(o.logs) {
				continue
			}
			least := math.Inf(1)
			for k := range m {
				least = min(least, weigh(o.logs[k*len(o.logs)/m:(k+1)*len(o.logs)/m]).logMean)
			}
			t := math.Log(float64(max(1, full)*len(parts))/doubt) / float64(m)
			z.LowerBound = max(z.LowerBound, o.ais.baseLogZ()+least-t)
		}
	}
}

// missed says which bases lack a phase and how far their estimates are off for it.
func (z *OfBases) missed() (warnings []string) {
	const much = 0.1 // nats
	for _, o := range z.Bases {
		off := z.Value - o.Value
		if off < much || off < 4*math.Hypot(z.Stderr, o.Stderr) {
			continue
		}
		for k, ph := range z.Phases.All {
			// What the base has of the phase, against what it has of all: a base that only anneals
			// badly has its share.
			if own := math.Exp(weigh(o.inGroup(z.Phases, z.Phases.index[k])).logMean - weigh(o.logs).logMean); ph.Share() > 0.05 && own < ph.Share()/2 {
				warnings = append(warnings, fmt.Sprintf("AIS from the base %s is %.3g nats low: it misses %s, which holds %s of the mass", o.Law.Name, off, ph.name, ph.Holds()))
				break
			}
		}
	}
	return warnings
}
