package negative

import (
	"fmt"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// Trajectory is trajectory tempering as a part of training (Béreux et al. 2024, arXiv:2405.15376):
// beside the replicas of the machine that trains it holds replicas of frozen states of its own past,
// and of independent spins before all of them. Each rung makes sweeps, neighbours exchange states
// (see sampler.Trajectory), and the model average is taken over the replicas of the present machine.
// What these cannot cross they come round by: back to a machine that was not yet frozen in, and up
// again by another way.
//
// The ladder grows by itself. As the machine moves away from its youngest frozen state (at first,
// from the independent spins) they exchange less and less often. Once the running mean of the
// probability is below TrajectoryOptions.Acceptance, or that of one draw alone below half of it, the
// state that the machine is in then becomes a rung, whose replicas begin at the present ones. The
// running mean would be too late where parameters are fast: between two rungs that hardly exchange
// any more no later one comes. Where there are as many frozen states as may be, one is given up
// first: that between whose neighbours, the present machine being one of them, states would be
// exchanged most often, by the mean probability over the replicas where they are.
type Trajectory struct {
	chains
	TrajectoryOptions
	ladder *sampler.Trajectory
	params []bm.Param // of the machine
	frozen []frozen   // the oldest first; the first of them are rungs, the others room
	still  []*bm.Machine
	state  []bm.Param
	course compute.Matrix // 1 x courseLength Float64
	host   [courseLength]float64
	due    bool // the last draw wants the machine frozen
}

// TrajectoryOptions say how trajectory tempering is done.
type TrajectoryOptions struct {
	Chains     int     // replicas of each rung
	Steps      int     // rounds a draw, a sweep and an exchange each
	Rungs      int     // frozen states at most, at least 1
	Every      int     // draws from one at which all rungs move to the next; at the others the present machine's replicas alone do, by as many sweeps
	Acceptance float64 // the running mean of the exchange probability below which a state is frozen, at once where one draw's is below half of it

	// Base are the fields of the independent spins, 1 x V Float32; none for fair coins.
	Base compute.Matrix
}

type frozen struct {
	machine *bm.Machine
	params  []bm.Param
}

// What course holds.
const (
	courseDraws  = iota // done
	courseRungs         // frozen states
	courseOdd           // 1 where the odd pairs of rungs are next
	courseChance        // running mean of the exchange probability of the present machine and its neighbour
	courseTries         // draws since the last freeze in which these two were tried
	courseLength
)

// window is how many draws in which exchanges were tried the running mean is of, and those before it
// counts.
const window = 10

// NewTrajectory returns trajectory tempering whose replicas start from fair coins, with no frozen
// state at first. Room for all of them is taken at once.
func NewTrajectory(m *bm.Machine, o TrajectoryOptions, key rng.Key) (*Trajectory, error) {
	if o.Chains < 1 || o.Steps < 0 || o.Rungs < 1 || o.Every < 1 {
		return nil, fmt.Errorf("trajectory tempering with %d chains, %d steps, %d rungs, every %d updates", o.Chains, o.Steps, o.Rungs, o.Every)
	}
	ladder, err := sampler.NewTrajectory([]*bm.Machine{m}, true)
	if err != nil {
		return nil, err
	}
	t := &Trajectory{chains: chains{machine: m}, TrajectoryOptions: o, ladder: ladder, params: m.Params()}
	ladder.Room(o.Rungs+2, o.Chains)
	t.rows(o.Chains)
	sampler.Randomize(m, ladder.All(), bm.Law{Key: key})
	left, all := m.View().Left, ladder.All()
	t.state = sampler.Kept(m, ladder.At(0))
	for _, l := range left {
		earlier := all[l].Slice(o.Chains, all[l].Rows())
		t.state = append(t.state, bm.Param{Name: "chains.earlier." + m.Graph().Layers[l].Name, Value: earlier})
	}
	if !o.Base.IsNone() {
		t.state = append(t.state, bm.Param{Name: "chains.base", Value: o.Base, Settled: true})
	}
	for i := range o.Rungs {
		f := frozen{machine: m.Still()}
		f.params = f.machine.Params()
		for _, p := range f.params {
			t.state = append(t.state, bm.Param{Name: fmt.Sprintf("chains.frozen.%d.%s", i, p.Name), Value: p.Value, Settled: true})
		}
		t.frozen, t.still = append(t.frozen, f), append(t.still, f.machine)
	}
	t.course = m.Engine().Alloc(compute.Float64, 1, courseLength)
	t.state = append(t.state, bm.Param{Name: "chains.course", Value: t.course})
	t.write()
	return t, nil
}

// Begin sets all replicas to where they begin instead of fair coins. It is an error where there is
// nothing to begin from.
func (t *Trajectory) Begin(at Start, key rng.Key) error {
	return begin(t.machine, t.ladder.All(), at, key)
}

// Draw moves the replicas and returns those of the present machine, all of weight 1/Chains. Frozen
// states stay: Settle alone changes them.
func (t *Trajectory) Draw(_ bm.Batch, key rng.Key) bm.Batch {
	t.read()
	t.due = false
	law := bm.Law{Key: key, Base: t.Base, Stop: t.stop}
	e, s := t.machine.Engine(), t.rows(t.Chains)
	for l, x := range t.ladder.At(0) {
		if !x.IsNone() {
			e.Copy(s[l], x)
		}
	}
	if int(t.host[courseDraws])%t.Every == 0 {
		t.ladder.ResetStats()
		t.ladder.Move(s, law, t.Steps)
		t.due = t.count()
	} else {
		sampler.Gibbs(t.machine, s, law, t.Steps)
		t.ladder.Put(0, s)
	}
	t.host[courseDraws]++
	t.write()
	return bm.Batch{State: s, Marginal: true}
}

// count takes the exchanges of the present machine into their running mean, and tells whether it is
// to be frozen.
func (t *Trajectory) count() bool {
	x := t.ladder.Swap(0)
	if x.Tried == 0 {
		return false
	}
	t.host[courseTries]++
	t.host[courseChance] += (x.Chance - t.host[courseChance]) / min(t.host[courseTries], window)
	return t.host[courseTries] >= window && t.host[courseChance] < t.Acceptance || x.Chance < t.Acceptance/2
}

// Settle freezes the machine as it is where the last draw wants it.
func (t *Trajectory) Settle() {
	if !t.due {
		return
	}
	t.due = false
	t.freeze()
	t.write()
}

// read takes what course holds, which a checkpoint may have set, and the machine's precision.
func (t *Trajectory) read() {
	compute.Read(t.machine.Engine(), t.host[:], t.course)
	n := int(t.host[courseRungs])
	if n < 0 || n > len(t.frozen) {
		panic(fmt.Sprintf("negative: %d frozen states, and there is room for %d", n, len(t.frozen)))
	}
	if t.ladder.Rungs() != n+2 {
		t.ladder.Earlier(t.still[:n])
	}
	t.ladder.Odd = t.host[courseOdd] != 0
	for _, m := range t.still {
		m.SetPrecision(t.machine.Precision())
	}
}

func (t *Trajectory) write() {
	t.host[courseOdd] = 0
	if t.ladder.Odd {
		t.host[courseOdd] = 1
	}
	compute.Write(t.machine.Engine(), t.course, t.host[:])
}

// freeze makes the present parameters of the machine a rung before it.
func (t *Trajectory) freeze() {
	n := int(t.host[courseRungs])
	if n == len(t.frozen) {
		t.thin()
		n--
	}
	for r := n + 1; r >= 0; r-- { // the independent spins and the frozen states, and then the present ones
		t.ladder.Put(r+1, t.ladder.At(r))
	}
	t.copyTo(t.frozen[n].params, t.params)
	n++
	t.ladder.Earlier(t.still[:n])
	t.host[courseRungs], t.host[courseChance], t.host[courseTries] = float64(n), 0, 0
}

// thin gives up the frozen state that is needed least, of as many as there may be.
func (t *Trajectory) thin() {
	law := bm.Law{Base: t.Base}
	n, least, best := len(t.frozen), 0, -1.0
	for r := 1; r <= n; r++ {
		if chance := t.ladder.Chance(r-1, r+1, law); chance > best {
			least, best = r, chance
		}
	}
	for i := n - least; i+1 < n; i++ {
		t.copyTo(t.frozen[i].params, t.frozen[i+1].params)
	}
	for r := least; r <= n; r++ {
		t.ladder.Put(r, t.ladder.At(r+1))
	}
	t.ladder.Earlier(t.still[:n-1])
}

func (t *Trajectory) copyTo(to, from []bm.Param) {
	for i, p := range to {
		t.machine.Engine().Copy(p.Value, from[i].Value)
	}
}

// State returns the replicas of the present machine, as of chains that go on; of the other rungs that
// there is room for, the youngest first and the independent spins last; the fields of these, where
// there are any; the frozen parameters; and what the course of draws has come to. It cannot be divided
// over the shards of a training: each would freeze states by its own exchanges.
func (t *Trajectory) State() []bm.Param { return append([]bm.Param(nil), t.state...) }

// Kind returns Stationary, which holds between freezes: the joint law of the replicas at all rungs
// stays. A state that is frozen begins with copies of the present replicas, which have its law and are
// not independent of them.
func (t *Trajectory) Kind() Kind { return Stationary }
