package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mattis/bm"
	"mattis/data"
	"mattis/rng"
)

// The names of base laws.
const (
	BaseAuto    = "auto"    // all of them
	BaseUniform = "uniform" // fair coins
	BaseData    = "data"    // the smoothed log odds of the training rows
	BaseMean    = "mean"    // the machine's own means by mean-field theory
)

// Bases estimates log Z by annealed importance sampling from several base laws. One base may miss a phase that holds nearly all
// of the mass while every sign of its weights is healthy: nothing in the paths speaks of what they have not seen. But an estimate from
// whatever base exceeds Z e^t with a chance of at most e^-t (Markov's inequality, the mean of the weights being Z), so of two
// that differ the larger one is to be believed.
//
// Where phases are of like mass and each base finds one, the largest alone is too small. So Z is the sum of its parts,
//
//	Z = sum_g Z_g    Z_g = E[w 1(the path ends in cell g)]
//
// over a partition of all states that is fixed before: cells of the groups that ends of chains and of short pilots fall into. Every base estimates every part
// without bias; each part is that of the leading base unless another one finds clearly more. A phase that no base
// reaches well gets a base of its own, the means of its chains.
type Bases struct {
	Machine *bm.RBM
	Laws    []BaseLaw
	Rows    *data.Set // whose rows chains that look for phases start from; nil for none
	Survey  PhasesOptions

	Runs, Betas, Sweeps int // as of AIS, of each base that leads
	// Error is the standard error wanted in nats, 0 for none: runs or betas are doubled until it is met.
	Error float64
	// Seconds bounds the time of doubling, 0 without bound; where no Error is wanted, they are spent.
	Seconds float64
	// Brief leaves it at the pilots, which tell phases and are worth little as estimates.
	Brief bool
	Key   rng.Key
	// Progress, if there is one, is told the share done of each stage, in [0,1].
	Progress func(share float64)
}

// NewBases returns the estimate from fair coins, from the means of the rows where there are some, and from the machine's own
// means, by the options of annealing and of phases; the error is of rows that do not fit the machine.
func NewBases(m *bm.RBM, rows *data.Set, o Options) (*Bases, error) {
	b := &Bases{
		Machine: m, Laws: []BaseLaw{UniformLaw()}, Rows: rows, Survey: o.Phases,
		Runs: o.AIS.Runs, Betas: o.AIS.Betas, Sweeps: o.AIS.Sweeps, Error: o.AIS.Error, Seconds: o.AIS.Seconds,
	}
	if rows != nil {
		law, err := lawOfSet(m, rows)
		if err != nil {
			return nil, err
		}
		b.Laws = append(b.Laws, law)
	}
	b.Laws = append(b.Laws, MeanLaw(m))
	return b, nil
}

// OfBase is the estimate from one base.
type OfBase struct {
	Law BaseLaw
	LogZ
	Pilot bool // a short run only, as other bases lead

	ais     *AIS
	kept    []int8    // ends of the paths, where they are needed
	refined bool      // a base round its ends has been added
	logs    []float64 // weights of the paths, turned to stand for -v too where the machine is symmetric
	where   []int     // groups that the paths ended in
	parts   []weighed // by group
}

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

// The streams that Bases folds its key for.
const (
	streamSurvey uint64 = iota
	streamPick
	streamBase // and those after it, one a base
)

const (
	pilotShare  = 8   // of the runs
	pilotRuns   = 128 // at most
	likeLaws    = 0.999
	endsOf      = "ends of "
	ownBases    = 4       // phases that get bases of their own
	refinements = 3       // bases round ends of paths that carry much alone
	mostKept    = 1 << 26 // bytes of ends that are kept for that
	reached     = 5       // effective paths from which a base has reached a phase
	faintShare  = 1e-3    // of a part that no full run is made for
)

// Estimate returns the estimate.
func (b *Bases) Estimate(ctx context.Context) (*OfBases, error) {
	began := time.Now()
	z := &OfBases{}
	laws := b.distinct()
	for i, law := range laws {
		if err := b.pilot(ctx, z, law, i); err != nil {
			return nil, err
		}
	}
	if err := b.survey(ctx, z); err != nil {
		return nil, err
	}
	if b.Brief {
		return z, b.combine(z)
	}
	if err := b.full(ctx, z, b.Runs, b.Betas); err != nil {
		return nil, err
	}
	for range refinements {
		more, err := b.refine(ctx, z)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if err := b.full(ctx, z, b.Runs, b.Betas); err != nil {
			return nil, err
		}
	}
	runs, betas := b.Runs, b.Betas
	last, spent := time.Since(began), time.Since(began)
	for (b.Error > 0 && z.Stderr > b.Error) || (b.Error == 0 && b.Seconds > 0) {
		// Where log weights are wide, finer steps help more than more paths.
		r, t := 2*runs, betas
		if weigh(z.lead.logs).logVar > 1 {
			r, t = runs, 2*betas
		}
		if spent += 2 * last; r > most || t > most || b.Seconds > 0 && spent.Seconds() > b.Seconds {
			if b.Error > 0 {
				z.Warnings = append(z.Warnings, fmt.Sprintf("the standard error wanted, %g, is not met with %d runs and %d steps", b.Error, runs, betas))
			}
			break
		}
		before := time.Now()
		runs, betas = r, t
		for i := range z.Bases {
			z.Bases[i].Pilot = true
		}
		if err := b.full(ctx, z, runs, betas); err != nil {
			return nil, err
		}
		last, spent = time.Since(before), time.Since(began)
	}
	return z, nil
}

// distinct returns the laws without those that are the same to rounding.
func (b *Bases) distinct() []BaseLaw {
	var laws []BaseLaw
	for _, l := range b.Laws {
		if l.Flat() {
			l.Fields = nil
		}
		same := slices.ContainsFunc(laws, func(o BaseLaw) bool {
			if l.Fields == nil || o.Fields == nil {
				return l.Fields == nil && o.Fields == nil
			}
			return l.likeness(o) > likeLaws
		})
		if !same {
			laws = append(laws, l)
		}
	}
	return laws
}

// pilot adds the short run of base number i. Its ends are kept in z until the survey has placed them.
func (b *Bases) pilot(ctx context.Context, z *OfBases, law BaseLaw, i int) error {
	a := &AIS{
		Machine: b.Machine, Base: law.Fields, Runs: min(b.Runs, max(32, min(pilotRuns, b.Runs/pilotShare))), Betas: max(1, b.Betas/2), Sweeps: b.Sweeps,
		Key: b.Key.Fold(streamBase + uint64(i)), Progress: b.Progress,
	}
	o := OfBase{Law: law, Pilot: true, ais: a}
	if err := o.anneal(ctx, z.Phases, z.Phases == nil); err != nil {
		return err
	}
	z.Bases = append(z.Bases, o)
	return nil
}

// anneal draws the forward paths of o and notes the groups that they end in, where there are phases. The ends themselves
// are kept where that is asked for.
func (o *OfBase) anneal(ctx context.Context, p *Phases, keep bool) error {
	a := o.ais
	visible := a.Machine.Layers()[bm.Visible]
	o.where, o.kept = make([]int, a.Runs), nil
	turned := make([]float64, a.Runs)
	a.ends = func(first int, spins []int8) {
		if keep {
			o.kept = append(o.kept, spins...)
		}
		rows := pack(spins, visible)
		for i := range rows.len() {
			if p != nil {
				o.where[first+i] = p.cell(rows.row(i))
			}
			turned[first+i] = o.turn(spins[i*visible:][:visible])
		}
	}
	logs, err := a.forward(ctx)
	a.ends = nil
	if err != nil {
		return err
	}
	o.logs = make([]float64, len(logs))
	for i, l := range logs {
		o.logs[i] = l + turned[i]
	}
	w := weigh(o.logs)
	o.LogZ = a.estimate(w, 1, LowerBound, w.warn("AIS from the base "+o.Law.Name, len(logs)), len(logs))
	return nil
}

// turn returns the logarithm of the factor by which an end's weight changes where v and -v are as
// likely but the base prefers one: half of Z is on the base's side, so ends on it count twice and
// others not at all. Paths hardly ever cross over, and half of Z would be missing.
func (o *OfBase) turn(row []int8) float64 {
	if o.Law.Fields == nil || !o.ais.Machine.Symmetric() {
		return 0
	}
	var dot float64
	for i, x := range row {
		dot += float64(o.Law.Fields[i]) * float64(x)
	}
	switch {
	case dot > 0:
		return math.Ln2
	case dot < 0:
		return math.Inf(-1)
	}
	return 0
}

// survey finds the phases from chains and from ends of the pilots, places the latter, and adds bases for
// phases that none of them has reached.
func (b *Bases) survey(ctx context.Context, z *OfBases) error {
	s := Survey{Machine: b.Machine, Rows: b.Rows, Chains: b.Survey.Chains, Sweeps: b.Survey.Sweeps, Key: b.Key.Fold(streamSurvey)}
	ends, err := s.run(ctx)
	if err != nil {
		return err
	}
	v := s.spins()
	for i := range z.Bases {
		picked, err := b.heavy(ctx, &z.Bases[i], z.Bases[i].logs, i)
		if err != nil {
			return err
		}
		ends = append(ends, ended{fromAnnealing, picked})
	}
	z.Phases = s.newPhases(ends)
	for i := range z.Bases {
		o := &z.Bases[i]
		rows := pack(o.kept, v)
		for j := range o.where {
			o.where[j] = z.Phases.cell(rows.row(j))
		}
		o.kept = nil
		o.part(len(z.Phases.cells) + 1)
	}
	first := len(z.Bases)
	for g, ph := range z.Phases.All {
		if len(z.Bases)-first == ownBases {
			break
		}
		if slices.ContainsFunc(z.Bases, func(o OfBase) bool { return weigh(o.inGroup(z.Phases, g)).ess >= reached }) {
			continue
		}
		if err := b.pilot(ctx, z, LawOfRows(ph.name, ph.States, v), len(z.Bases)); err != nil {
			return err
		}
		z.Bases[len(z.Bases)-1].part(len(z.Phases.cells) + 1)
	}
	return nil
}

// heavy returns chains that began at ends of the paths of base number i, drawn by their weights: what few
// paths that carry the weight have found becomes many states of the phase around it.
func (b *Bases) heavy(ctx context.Context, o *OfBase, logs []float64, i int) ([]int8, error) {
	v := b.Machine.Layers()[bm.Visible]
	key := b.Key.Fold(streamPick).Fold(uint64(i))
	var spins []int8
	for _, j := range resample(logs, b.Survey.Chains, float64(key.Fold(0).Uniform(0, 0))) {
		spins = append(spins, o.kept[j*v:(j+1)*v]...)
	}
	return spins, swept(ctx, b.Machine, spins, b.Survey.Chains, b.Survey.Sweeps, key.Fold(1))
}

// refine adds a base for the first part of the mass that few paths carry: the means of chains from the ends of these. It
// reports whether there was one.
func (b *Bases) refine(ctx context.Context, z *OfBases) (bool, error) {
	const much = 0.05
	from := z.chosen()
	for i := range z.Bases {
		o := &z.Bases[i]
		if o.kept == nil || o.refined {
			continue
		}
		logs := o.in(func(g int) bool { return from[g] == i })
		if _, share := z.of(i); share < much || weigh(logs).ess >= LeastSilent(len(logs)) {
			continue
		}
		o.refined = true
		spins, err := b.heavy(ctx, o, logs, i)
		if err != nil {
			return false, err
		}
		root, _, _ := strings.Cut(strings.TrimPrefix(o.Law.Name, endsOf), " again")
		name := endsOf + root
		for slices.ContainsFunc(z.Bases, func(o OfBase) bool { return o.Law.Name == name }) {
			name += " again"
		}
		law := LawOfRows(name, spins, b.Machine.Layers()[bm.Visible])
		if err := b.pilot(ctx, z, law, len(z.Bases)); err != nil {
			return false, err
		}
		z.Bases[len(z.Bases)-1].part(len(z.Phases.cells) + 1)
		return true, nil
	}
	return false, nil
}

// part sets the estimate of each of n cells.
func (o *OfBase) part(n int) {
	o.parts = make([]weighed, n)
	for g := range o.parts {
		o.parts[g] = weigh(o.in(func(at int) bool { return at == g }))
	}
}

// in returns the log weights of the paths that ended in cells that are wanted, those of the others being -Inf.
func (o *OfBase) in(want func(cell int) bool) []float64 {
	logs := slices.Clone(o.logs)
	for i, at := range o.where {
		if !want(at) {
			logs[i] = math.Inf(-1)
		}
	}
	return logs
}

// inGroup is in of the cells of a group.
func (o *OfBase) inGroup(p *Phases, g int) []float64 {
	return o.in(func(c int) bool { return p.groupOf(c) == g })
}

// value returns the part of log Z, and its standard error.
func (o *OfBase) value(g int) (value, stderr float64) {
	return o.ais.baseLogZ() + o.parts[g].logMean, o.parts[g].stderr
}

// full runs the bases that lead at full size, until no other one is ahead of them.
func (b *Bases) full(ctx context.Context, z *OfBases, runs, betas int) error {
	for {
		if err := b.combine(z); err != nil {
			return err
		}
		next := z.next()
		if next < 0 {
			return nil
		}
		o := &z.Bases[next]
		o.ais, o.Pilot = o.ais.resized(runs, betas), false
		if err := o.anneal(ctx, z.Phases, runs*b.Machine.Layers()[bm.Visible] <= mostKept); err != nil {
			return err
		}
		o.part(len(z.Phases.cells) + 1)
	}
}

// next returns the base that a full run is wanted of: the leading one, those that may have found more for all that their pilots say, and those that other
// parts of the mass are from; -1 for none.
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

// leader returns the base whose estimate is largest; of those that cannot be told from it, the one with the least variance.
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

// hardlyBelow returns what Z hardly is below: three standard errors less than the estimate, and no more
// than Markov's inequality allows at 99 %, however wide the weights are.
func hardlyBelow(value, stderr float64) float64 { return value - min(3*stderr, math.Log(100)) }

// chosen returns the base that each cell's part is taken from: the leading one, or the one that finds most beyond what chance
// explains. By chance the logarithm of a part has a deviation of 1/sqrt(n) for n effective paths in
// its cell, and single paths may carry far too much; where the leading base has none, a few must have been expected there.
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
		// Too little for the sum to notice, or for its leading base to have met: what any base found.
		if most := z.most(g); math.IsInf(in[g].Log(), -1) && !math.IsInf(most, -1) {
			in[g].Add(most)
			for other := range out {
				if other != g {
					out[other].Add(most)
				}
			}
		}
	}
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

// most returns the largest estimate of a group's part of log Z from any base; -Inf where none found it.
func (z *OfBases) most(g int) float64 {
	most := math.Inf(-1)
	for i := range z.Bases {
		o := &z.Bases[i]
		most = max(most, o.ais.baseLogZ()+weigh(o.inGroup(z.Phases, g)).logMean)
	}
	return most
}

// bound sets the lower bound: the least of m independent means of weights exceeds Z e^t with a chance of at
// most e^(-t m), by Markov's inequality for each of them. The number of bases and of choices of m is allowed for.
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
			// What the base has of the phase, against what it has of all: a base that only anneals badly has its share.
			if own := math.Exp(weigh(o.inGroup(z.Phases, z.Phases.index[k])).logMean - weigh(o.logs).logMean); ph.Share() > 0.05 && own < ph.Share()/2 {
				warnings = append(warnings, fmt.Sprintf("AIS from the base %s is %.3g nats low: it misses %s, which holds %s of the mass", o.Law.Name, off, ph.name, ph.Holds()))
				break
			}
		}
	}
	return warnings
}
