package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/exact"
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
// with the least variance. A base that misses a little has the least of all, so that two errors of
// the difference are enough to leave it.
func (z *OfBases) leader() *OfBase {
	const tail = 30 // of few effective paths one may carry far too much
	var lead *OfBase
	var least float64
	for i := range z.Bases {
		o := &z.Bases[i]
		below := func(other OfBase) bool {
			return o.Value+2*o.Stderr < hardlyBelow(other.Value, other.Stderr) ||
				other.Value-o.Value > 2*math.Hypot(o.Stderr, other.Stderr)+tail/(other.ESS*other.ESS)
		}
		if math.IsInf(o.Value, -1) || slices.ContainsFunc(z.Bases, below) {
			continue
		}
		w := weigh(o.logs)
		variance := max(w.logVar, float64(len(o.logs))/w.ess-1) // that of the weights is the better one of heavy tails
		if o.Pilot {                                            // a full run of the same variance is better known
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
// finds more there beyond what chance explains. Groups come first, and those that the leading base
// keeps are looked at cell by cell: what it lacks may be spread thin over the cells of a phase.
func (z *OfBases) chosen() []int {
	p := z.Phases
	lead := slices.IndexFunc(z.Bases, func(o OfBase) bool { return o.ais == z.lead.ais })
	from := make([]int, len(p.cells)+1)
	groups := make([]int, len(p.grouping.groups)+1)
	for g := range groups {
		parts := make([]weighed, len(z.Bases))
		for i := range z.Bases {
			parts[i] = weigh(z.Bases[i].inGroup(p, g))
		}
		groups[g] = z.more(parts, lead)
	}
	for c := range from {
		from[c] = groups[p.groupOf(c)]
		if from[c] != lead {
			continue
		}
		parts := make([]weighed, len(z.Bases))
		for i := range z.Bases {
			parts[i] = z.Bases[i].parts[c]
		}
		from[c] = z.more(parts, lead)
	}
	return from
}

// more returns the base that finds clearly more than the leading one in a region of which these are
// the parts by base; of several the one with most effective paths there. By chance the logarithm of
// a part has a deviation of 1/sqrt(n) for n effective paths, and single paths may carry far too
// much; where the leading base has none, a few must have been expected.
func (z *OfBases) more(parts []weighed, lead int) int {
	const clearly, single, expected = 3, 2, 4.6
	whole := weigh(z.lead.logs)
	own, at, most := parts[lead], lead, 0.0
	for i, other := range parts {
		v := z.Bases[i].ais.baseLogZ() + other.logMean
		switch {
		case i == lead || other.ess == 0 || other.ess <= most:
			continue
		case own.ess == 0 && whole.ess*math.Exp(v-z.lead.Value-single/other.ess) < expected:
			continue
		case own.ess > 0 && v-z.lead.ais.baseLogZ()-own.logMean < clearly*math.Sqrt(1/other.ess+1/own.ess)+single/other.ess:
			continue
		}
		at, most = i, other.ess
	}
	return at
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
	var sum exact.LogSum
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
	// So many paths cannot see what one of them would be of all.
	unseen := 1 / weigh(z.lead.logs).ess
	z.Stderr = math.Hypot(math.Hypot(math.Sqrt(square), unseen), rounding(b.Machine, z.Value))
	z.Side = NoSide
	if most > 1-faintShare { // the largest of independent means has no side, one of them has
		z.Side = LowerBound
	}
	z.bound(b.Machine)
	z.Warnings = warnings
	z.share(values, from)
	z.Warnings = append(append(z.Warnings, z.missed()...), z.Phases.astray()...)
	return nil
}

// share sets the parts of Z that the phases hold, from those of the cells, and orders them.
func (z *OfBases) share(values []float64, from []int) {
	p := z.Phases
	in, out := make([]exact.LogSum, len(p.All)+1), make([]exact.LogSum, len(p.All)+1)
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
		// Too little for the sum to notice: what any base found. What is not little and yet not in
		// the sum is some base's word alone.
		most := z.most(g)
		switch {
		case !math.IsInf(in[g].Log(), -1) || math.IsInf(most, -1):
		case most-z.Value >= math.Log(faintShare):
			z.Warnings = append(z.Warnings, fmt.Sprintf("one base finds %.2g %% of the mass in %s, which others do not find and which is not counted", 100*math.Exp(most-z.Value), z.nameOf(g)))
		default:
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
		p.All[k].Stderr = z.shareStderr(g, from, p.All[k].Share())
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

// shareStderr returns the standard error of a group's share p of Z: paths j of base i, of weight w
// and n in all, move it by w (1 - p)/(n Z) in the group and by -w p/(n Z) elsewhere. Unknown where
// no path fell on one side.
func (z *OfBases) shareStderr(g int, from []int, p float64) float64 {
	var square, inside, outside, ess float64
	for i := range z.Bases {
		o := &z.Bases[i]
		n := float64(len(o.logs))
		for j, l := range o.in(func(c int) bool { return from[c] == i }) {
			if math.IsInf(l, -1) {
				continue
			}
			w := math.Exp(o.ais.baseLogZ()+l-z.Value) / n
			d := -p
			if z.Phases.groupOf(o.where[j]) == g {
				d = 1 - p
				inside += w
			} else {
				outside += w
			}
			square += w * w * d * d
			ess += w * w
		}
	}
	if inside == 0 || outside == 0 {
		return Unknown
	}
	sum := inside + outside
	return math.Sqrt(square) / sum * Student(sum*sum/ess)
}

// nameOf returns the name of the phase that is group number g.
func (z *OfBases) nameOf(g int) string {
	return z.Phases.All[slices.Index(z.Phases.index, g)].name
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
func (z *OfBases) bound(machine *bm.Machine) {
	const doubt = 0.01
	parts := []int{1, 4, 16}
	used := slices.Clone(z.Bases)
	if slices.ContainsFunc(used, func(o OfBase) bool { return !o.Pilot }) {
		used = slices.DeleteFunc(used, func(o OfBase) bool { return o.Pilot })
	}
	z.LowerBound = math.Inf(-1)
	for _, o := range used {
		for _, m := range parts {
			if m > len(o.logs) {
				continue
			}
			least := math.Inf(1)
			for k := range m {
				least = min(least, weigh(o.logs[k*len(o.logs)/m:(k+1)*len(o.logs)/m]).logMean)
			}
			t := math.Log(float64(len(used)*len(parts))/doubt) / float64(m)
			z.LowerBound = max(z.LowerBound, o.ais.baseLogZ()+least-t-3*rounding(machine, z.Value))
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
