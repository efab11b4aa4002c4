package recipe

import (
	"context"
	"errors"
	"runtime"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/train"
)

// Meter is an engine that computes nothing and counts the memory that computing would take.
type Meter interface {
	compute.Engine
	Bytes() float64 // taken by now
}

// LeastMemory returns a lower bound of the memory in bytes that training on so many rows of so many
// visible spins takes, from the sizes alone, and the path of the field that takes most of it.
func (r *Recipe) LeastMemory(rows, visible int) (bytes float64, path string) {
	g, err := r.Graph(visible)
	if err != nil {
		return 0, "machine" // Parse has looked at it
	}
	v, spins, most, couplings, size := float64(visible), 0.0, 0, 0.0, "machine.hidden"
	if r.Machine.Layers != nil {
		size = "machine.layers"
	}
	for _, l := range g.Layers {
		spins += float64(l.N)
		if l.Name != "visible" {
			most = max(most, l.N)
		}
	}
	for _, p := range g.Pairs {
		couplings += float64(g.Layers[p.A].N) * float64(g.Layers[p.B].N)
	}
	if r.Couplings.Kind == "axons" {
		k := rows
		if !r.Couplings.storesMemories() {
			k = r.patterns()
		}
		couplings = float64(k) * spins
		if k > most {
			size = "couplings.patterns"
		}
	}
	copies := 2.0 // values and gradients
	switch o := r.Optimizer; {
	case o.Kind == "adam":
		copies += 2
	case o.Momentum != nil && *o.Momentum > 0:
		copies++
	}
	if r.Train.Shards > 1 {
		copies += 3 // that of a shard, the sum, and one that waits for another
	}
	chains := 0.0
	if n := r.Negative; n.Chains != nil {
		chains = float64(*n.Chains / r.Train.Shards) // as many processes may share them
		if n.Rungs != nil {
			copies += float64(*n.Rungs)
			chains *= 3 + float64(*n.Rungs) // with the independent spins, and those of the present machine once more
		}
		if n.Temperatures != nil {
			chains *= 1 + float64(len(*n.Temperatures)) // the replicas, and those at rung 0 once more
		}
	}
	kept := 0.0 // of the positive phase: visible spins where rows lack some
	if c := r.Positive.Chains; c != nil && r.Data.gaps() {
		kept = float64(*c) * float64(rows) * v
	}
	largest := 0.0
	for _, part := range []struct {
		path  string
		bytes float64
	}{{"data", 2 * float64(rows) * v}, {size, 4 * copies * couplings}, {"negative.chains", chains * spins}, {"positive.chains", kept}, {"train.batch", float64(min(rows, r.Train.Batch)) * v}} {
		bytes += part.bytes
		if part.bytes >= largest {
			largest, path = part.bytes, part.path
		}
	}
	return bytes, path
}

// ownMemory is what a process of this program takes that does next to nothing, in bytes.
const ownMemory = 24 << 20

// Memory returns the memory in bytes that a process takes which trains the recipe on the split, its
// measures and its checkpoints included: what an update and its projections take on the meter, what
// they take beside it, and the data. LeastMemory has to fit: what is beside the engine is really
// taken.
func (r *Recipe) Memory(split *data.Split, meter Meter) (bytes float64, err error) {
	return r.MemoryShared(1, split, meter)
}

// MemoryShared is Memory of each of as many processes that share the training.
func (r *Recipe) MemoryShared(processes int, split *data.Split, meter Meter) (bytes float64, err error) {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	taken := float64(now.HeapSys - now.HeapReleased) // by reading the data, until now
	var c *comm.Comm
	if processes > 1 {
		c = comm.New(silent(processes))
	}
	bytes, m, err := r.updating(c, split, meter)
	if err != nil {
		return 0, err
	}
	bytes += r.measuring(split, m, meter)
	for _, set := range []*data.Set{split.Train, split.Test, split.Validation} {
		if set != nil {
			bytes += float64(len(set.Spins) + 4*len(set.Labels))
		}
	}
	return ownMemory + max(bytes*(1+GCPercent/100.), taken), nil
}

// updating returns the bytes that a training holds after an update beside its split, and its
// machine on the meter.
func (r *Recipe) updating(c *comm.Comm, split *data.Split, meter Meter) (bytes float64, m *bm.Machine, err error) {
	few := *r // sweeps more than two take the memory of two
	if n := few.Negative.Steps; n != nil {
		few.Negative.Steps = ptr(min(*n, 2))
	}
	for _, list := range []*[]Choice{&few.Project.Update, &few.Project.Epoch} {
		short := make([]Choice, len(*list))
		for i, c := range *list {
			if short[i] = c; c.Name == "gibbs" {
				short[i].Value = ptr(1.0)
			}
		}
		*list = short
	}
	before := held()
	t, err := few.BuildShared(c, split, meter)
	if err != nil {
		return 0, nil, err
	}
	if err := t.updateOnce(); err != nil {
		return 0, nil, err
	}
	bytes = held() - before + meter.Bytes()
	runtime.KeepAlive(t)
	return bytes, t.Machine, nil
}

// silent is the first of as many processes, the others of which say nothing.
type silent int

func (silent) Rank() int                               { return 0 }
func (s silent) Size() int                             { return int(s) }
func (silent) Exchange(int, []byte, int, []byte) error { return nil }
func (silent) Close() error                            { return nil }

// updateOnce does one update, and the projections of an epoch's end.
func (t *Training) updateOnce() error {
	t.Trainer.Observers = []train.Observer{observe(func(ev train.Event) error {
		if ev.Step == 0 {
			return nil
		}
		return errUpdated
	})}
	// A context that can end, as that of a training: the chains are then kept twice.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := t.Trainer.Run(ctx, 1); err != nil && !errors.Is(err, errUpdated) {
		return err
	}
	for _, p := range t.Trainer.AfterEpoch {
		p.Project(0)
	}
	return nil
}

// errUpdated ends a training after an update.
var errUpdated = errors.New("one update is done")

// GCPercent is how far the heap may grow beyond what is held in a training that takes much memory,
// for debug.SetGCPercent: matrices have no pointers, so that collecting costs next to nothing.
const GCPercent = 10

// observe is an observer of one function.
type observe func(train.Event) error

func (o observe) Observe(ev train.Event) error { return o(ev) }

// held returns the bytes of the heap that are in use.
func held() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// measuring returns the memory beside the training's of the measure that takes most.
func (r *Recipe) measuring(split *data.Split, m *bm.Machine, meter Meter) float64 {
	most := 0.0
	for _, w := range r.Wanted(split, true) {
		set := split.Set(w.Set)
		if set == nil {
			set = split.Train
		}
		before := meter.Bytes()
		host := eval.Memory(w.Measure, m, set, r.Measure.Options)
		most = max(most, meter.Bytes()-before+host)
	}
	return most
}
