package eval

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mattis/bm"
	"mattis/comm"
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

// Bases estimates log Z by annealed importance sampling from several base laws. One base may miss a
// phase that holds nearly all of the mass while every sign of its weights is healthy: nothing in
// the paths speaks of what they have not seen. But an estimate from whatever base exceeds Z e^t
// with a chance of at most e^-t (Markov's inequality, the mean of the weights being Z), so of two
// that differ the larger one is to be believed.
//
// Where phases are of like mass and each base finds one, the largest alone is too small. So Z is
// the sum of its parts,
//
//	Z = sum_g Z_g    Z_g = E[w 1(the path ends in cell g)]
//
// over a partition of all states that is fixed before: cells of the groups that ends of chains and
// of short pilots fall into. Every base estimates every part without bias; each part is that of the
// leading base unless another one finds clearly more. A phase that no base reaches well gets a base
// of its own, the means of its chains.
type Bases struct {
	Machine *bm.Machine
	Laws    []BaseLaw
	Rows    *data.Set // whose rows chains that look for phases start from; nil for none
	Survey  PhasesOptions

	Runs, Betas, Sweeps int // as of AIS, of each base that leads
	// Error is the standard error wanted in nats, 0 for none: runs or betas are doubled until it is
	// met.
	Error float64
	// Seconds bounds the time of doubling, 0 without bound; where no Error is wanted, they are
	// spent.
	Seconds float64
	// Brief leaves it at the pilots, which tell phases and are worth little as estimates.
	Brief bool
	Key   rng.Key
	// Progress, if there is one, is told the share done of each stage, in [0,1].
	Progress func(share float64)
	Comm     *comm.Comm // see AIS.Comm
}

// NewBases returns the estimate from fair coins, from the means of the rows where there are some,
// and from the machine's own means, by the options of annealing and of phases; the error is of rows
// that do not fit the machine.
func NewBases(m *bm.Machine, rows *data.Set, o Options) (*Bases, error) {
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

// The streams that Bases folds its key for.
const (
	streamSurvey uint64 = iota
	streamPick
	streamFull
	streamBase // and those after it, one a base
)

const (
	pilotShare  = 8   // of the runs
	pilotRuns   = 128 // at most
	endsOf      = "ends of "
	ownBases    = 4       // phases that get bases of their own
	refinements = 3       // bases round ends of paths that carry much alone
	mostKept    = 1 << 26 // bytes of ends that are kept for that
	reached     = 20      // effective paths from which a base has reached a phase; of fewer, a third of the pilot
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
		spent += 2 * last
		over, err := decided(b.Comm, b.Seconds > 0 && spent.Seconds() > b.Seconds)
		if err != nil {
			return nil, err
		}
		if over || r > most || t > most {
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
			return l.like(o)
		})
		if !same {
			laws = append(laws, l)
		}
	}
	return laws
}

// pilot adds the short run of base number i. Its ends are kept in z until the survey has placed
// them.
func (b *Bases) pilot(ctx context.Context, z *OfBases, law BaseLaw, i int) error {
	a := &AIS{
		Machine: b.Machine, Base: law.Fields, Runs: min(b.Runs, max(32, min(pilotRuns, b.Runs/pilotShare))), Betas: max(1, b.Betas/2), Sweeps: b.Sweeps,
		Key: b.Key.Fold(streamBase + uint64(i)), Progress: b.Progress, Comm: b.Comm,
	}
	o := OfBase{Law: law, Pilot: true, ais: a}
	if err := o.anneal(ctx, z.Phases, z.Phases == nil); err != nil {
		return err
	}
	z.Bases = append(z.Bases, o)
	return nil
}

// aligned turns rows of so many spins that overlap with the first one by less than half.
func aligned(rows []int8, spins int) {
	for i := spins; i < len(rows); i += spins {
		row, dot := rows[i:i+spins], 0
		for j, x := range row {
			dot += int(x) * int(rows[j])
		}
		if dot < 0 {
			copy(row, negated(row))
		}
	}
}

// survey finds the phases from chains and from ends of the pilots, places the latter, and adds
// bases for phases that none of them has reached.
func (b *Bases) survey(ctx context.Context, z *OfBases) error {
	s := Survey{Machine: b.Machine, Rows: b.Rows, Chains: b.Survey.Chains, Sweeps: b.Survey.Sweeps, Key: b.Key.Fold(streamSurvey)}
	ends, err := s.run(ctx)
	if err != nil {
		return err
	}
	left := leftOf(b.Machine)
	v := left.visible
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
		rows := pack(left.visibleOf(o.kept), v)
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
		if slices.ContainsFunc(z.Bases, func(o OfBase) bool { return weigh(o.inGroup(z.Phases, g)).ess >= min(reached, float64(len(o.logs))/3) }) {
			continue
		}
		if err := b.pilot(ctx, z, LawOfRows(ph.name, ph.States, v), len(z.Bases)); err != nil {
			return err
		}
		z.Bases[len(z.Bases)-1].part(len(z.Phases.cells) + 1)
	}
	return nil
}

// heavy returns chains (rows of the left side) that began at ends of the paths of base number i,
// drawn by their weights: what few paths that carry the weight have found becomes many states of
// the phase around it.
func (b *Bases) heavy(ctx context.Context, o *OfBase, logs []float64, i int) ([]int8, error) {
	width := leftOf(b.Machine).width
	key := b.Key.Fold(streamPick).Fold(uint64(i))
	var spins []int8
	for _, j := range resample(logs, b.Survey.Chains, float64(key.Fold(0).Uniform(0, 0))) {
		spins = append(spins, o.kept[j*width:(j+1)*width]...)
	}
	return spins, swept(ctx, b.Machine, spins, b.Survey.Chains, b.Survey.Sweeps, key.Fold(1))
}

// refine adds a base for the first part of the mass that few paths carry: the means of chains from
// the ends of these. It reports whether there was one.
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
		rows, err := b.heavy(ctx, o, logs, i)
		if err != nil {
			return false, err
		}
		spins := leftOf(b.Machine).visibleOf(rows)
		root, _, _ := strings.Cut(strings.TrimPrefix(o.Law.Name, endsOf), " again")
		name := endsOf + root
		for slices.ContainsFunc(z.Bases, func(o OfBase) bool { return o.Law.Name == name }) {
			name += " again"
		}
		if b.Machine.Symmetric() {
			aligned(spins, b.Machine.Layers()[bm.Visible])
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
		// Other numbers than the pilot's: what was chosen by these is judged by others.
		o.ais.Key = b.Key.Fold(streamFull).Fold(uint64(next))
		if err := o.anneal(ctx, z.Phases, runs*leftOf(b.Machine).width <= mostKept); err != nil {
			return err
		}
		o.part(len(z.Phases.cells) + 1)
	}
}
