// Package train implements the training loop: one update after another until
// the epochs are done, whatever the machine, the estimator and the optimizer.
package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/negative"
	"mattis/optim"
	"mattis/positive"
	"mattis/rng"
)

// ShortBatch says what the last batch of an epoch does where it has n < B rows. B is the size of
// the first batch: of fewer rows than BatchSize, all make one whole batch. "" means Share.
type ShortBatch string

const (
	Share    ShortBatch = "share"    // both phases count n/B: every sample counts the same in an epoch
	Released ShortBatch = "released" // the positive phase is divided by B, the negative one counts in full: the released program's rule
	Drop     ShortBatch = "drop"     // it is left out
	Mean     ShortBatch = "mean"     // a full step on the mean of its rows
)

// Trainer trains a machine. Short, the projections, the observers and the key may be left out; the
// other exported fields up to BatchSize have to be set before Run, and none but Observers may
// change after it.
type Trainer struct {
	Machine     *bm.Machine
	Positive    positive.Estimator // nil where the hidden layers sum out given the visible one
	Negative    negative.Estimator
	Shards      *Shards // in the place of Negative where gradients are made shard by shard; nil for one
	Optimizer   optim.Optimizer
	Rate        func(epochs float64) float64 // learning rate where so many epochs are done
	Data        compute.Matrix               // NxV Int8, the training set
	BatchSize   int
	Short       ShortBatch
	Centring    *optim.Centring    // moves the offsets after every update; nil for none
	AfterUpdate []optim.Projection // in order, after every update
	AfterEpoch  []optim.Projection // in order, after the last update of every epoch
	Average     *optim.Average     // follows the parameters after every update; nil for none
	Redraw      func(epoch int)    // sets Data anew for an epoch counted from 0; nil where they stay
	Observers   []Observer         // in order, after every update and its projections
	Key         rng.Key
	Precision   compute.Precision // of the products of updates; float32 of everything else

	// LeaveAfter is how long an update under way may still take once the context is cancelled,
	// before it is left where its estimator can be (negative.Leavable); 0 means 2 s. The training
	// is then as it was before that update.
	LeaveAfter time.Duration

	// Step is the number of updates done. Seconds is the time they took, without the observers.
	Step    int
	Seconds float64

	order    []int32
	batch    compute.Matrix
	params   []bm.Param
	terms    bool // gradients of few rows may stay factors until the step
	positive [1]compute.Matrix
	epoch    int // whose order is in order, counted from 1; 0 for none

	leave  *atomic.Bool     // true once the update under way is to be left; nil where it cannot be
	chains []bm.Param       // what draws change of the estimator's state where they can be left
	before []compute.Matrix // as it was before the update under way
	ending context.Context  // what an update in shards tells other processes the end of; nil for none

	sharded sharded
}

// errLeft is the error of an update that was left.
var errLeft = errors.New("the update was left")

// Event is what observers are told after an update.
type Event struct {
	Step     int  // updates done; 0 before the first
	Epoch    int  // epochs done
	EpochEnd bool // the update ended an epoch; true at step 0 too
	Steps    int  // updates an epoch
	Seconds  float64
	Positive bm.Batch // the batch of the update
	// Drawn is what the estimator returned for it; empty at step 0. With shards it is that of all of
	// them together, and there at the end of the epochs that Shards.Shows.
	Drawn bm.Batch
	Asked bool // Shards.Asks was true at some process
}

// Observer watches the training. It may look at everything and change nothing
// that training depends on. An error ends the training.
type Observer interface{ Observe(Event) error }

// NonFinite says that a parameter has become NaN or infinite.
type NonFinite struct {
	Step  int
	Param string
}

func (e *NonFinite) Error() string {
	return fmt.Sprintf("update %d made %s NaN or infinite; a lower optimizer.rate or project.update: [{clip: 1}] may help", e.Step, e.Param)
}

// The purposes that the trainer's key is folded for.
const (
	purposeOrder uint64 = iota
	purposeDraw
	purposeUpdate
	purposeEpoch
	purposePositive
)

// StepsPerEpoch returns the number of updates in an epoch.
func (t *Trainer) StepsPerEpoch() int {
	if t.Short == Drop {
		return t.Data.Rows() / t.BatchSize
	}
	return data.Batches(t.Data.Rows(), t.BatchSize)
}

// Steps returns the number of updates at the end of an epoch counted from 1, or the largest number
// where it has none.
func (t *Trainer) Steps(epoch int) int {
	steps := t.StepsPerEpoch()
	if steps > 0 && epoch > math.MaxInt/steps {
		return math.MaxInt
	}
	return epoch * steps
}

// State returns all that a checkpoint has to keep beside the step. With shards the chains of all are
// copies (see Restored), and all processes have to ask for them at once.
func (t *Trainer) State() ([]bm.Param, error) {
	var s []bm.Param
	if t.Average != nil {
		s = append(s, t.Average.State()...)
	} else {
		s = append(s, t.Machine.Params()...)
	}
	s = append(s, t.Optimizer.State()...)
	if t.Shards != nil {
		all, err := t.chainsOfAll()
		if err != nil {
			return nil, err
		}
		s = append(s, all...)
	} else {
		s = append(s, t.Negative.State()...)
	}
	if t.Positive != nil {
		s = append(s, t.Positive.State()...)
	}
	return s, nil
}

// estimators returns those of the model average: one, or one for each of this process's shards.
func (t *Trainer) estimators() []negative.Estimator {
	if t.Shards != nil {
		return t.Shards.Estimators
	}
	return []negative.Estimator{t.Negative}
}

// shared reports whether other processes have a part in the updates.
func (t *Trainer) shared() bool { return t.Shards != nil && t.Shards.Comm.Size() > 1 }

// Run trains from the present step to the end of the given epoch. It returns nil there, the
// context's error after the update at which it was cancelled, or before it where that takes long
// (see LeaveAfter), a *NonFinite, an observer's error, or what is wrong with a field. Processes that
// share the shards end after the same update, whichever of them is cancelled.
func (t *Trainer) Run(ctx context.Context, epochs int) error {
	if err := t.prepare(); err != nil {
		return err
	}
	steps := t.StepsPerEpoch()
	if t.Step == 0 {
		if err := t.tell(Event{EpochEnd: true, Steps: steps}); err != nil {
			return err
		}
	}
	if ctx.Done() != nil {
		defer t.leaveOn(ctx)()
	}
	t.ending = nil
	if t.shared() {
		t.ending = ctx
	}
	for t.Step < t.Steps(epochs) {
		if err := ctx.Err(); err != nil && t.ending == nil {
			return err
		}
		start := time.Now()
		ev, err := t.update(steps)
		if err == errLeft {
			return ended(ctx)
		}
		t.Seconds += time.Since(start).Seconds()
		if err != nil {
			return err
		}
		ev.Seconds = t.Seconds
		if err := t.tell(ev); err != nil {
			return err
		}
		if t.ending != nil && t.sharded.ended {
			return ended(ctx)
		}
	}
	return nil
}

// ended returns the error of a context that is cancelled, here or at another process.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.Canceled
}

// leaveOn lets updates be left some time after ctx is cancelled, until the function that it returns
// is called.
func (t *Trainer) leaveOn(ctx context.Context) (end func()) {
	all := t.estimators()
	for _, n := range all {
		if _, ok := n.(negative.Leavable); !ok {
			return func() {}
		}
	}
	t.chains = nil
	for _, n := range all {
		for _, p := range n.State() {
			if !p.Settled {
				t.chains = append(t.chains, p)
			}
		}
	}
	if t.before == nil {
		for _, p := range t.chains {
			t.before = append(t.before, t.Machine.Engine().Alloc(p.Value.Type(), p.Value.Rows(), p.Value.Cols()))
		}
	}
	after := t.LeaveAfter
	if after == 0 {
		after = 2 * time.Second
	}
	leave := new(atomic.Bool)
	t.leave = leave
	for _, n := range all {
		n.(negative.Leavable).LeaveOn(leave)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(after):
			leave.Store(true)
		case <-ended:
		}
	})
	return func() {
		stop()
		close(ended)
		for _, n := range all {
			n.(negative.Leavable).LeaveOn(nil)
		}
		t.leave, t.chains = nil, nil
	}
}

func (t *Trainer) tell(ev Event) error {
	for _, o := range t.Observers {
		if err := o.Observe(ev); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trainer) prepare() error {
	for _, f := range []struct {
		name    string
		missing bool
	}{{"Machine", t.Machine == nil}, {"Negative", t.Negative == nil && t.Shards == nil}, {"Optimizer", t.Optimizer == nil}, {"Rate", t.Rate == nil}, {"Data", t.Data.IsNone()}} {
		if f.missing {
			return fmt.Errorf("the trainer has no %s", f.name)
		}
	}
	switch t.Short {
	case "":
		t.Short = Share
	case Share, Released, Drop, Mean:
	default:
		return fmt.Errorf("no rule %q for a short batch; take %s, %s, %s or %s", t.Short, Share, Released, Drop, Mean)
	}
	if t.Positive == nil && !t.Machine.SumsOut() {
		return fmt.Errorf("the trainer has no Positive, and the machine's hidden layers do not sum out")
	}
	if t.Shards != nil {
		if err := t.Shards.check(); err != nil {
			return err
		}
	}
	if t.BatchSize < 1 || t.StepsPerEpoch() < 1 {
		return fmt.Errorf("batches of %d leave no update an epoch of %d rows; take from 1 to %d", t.BatchSize, t.Data.Rows(), t.Data.Rows())
	}
	if t.params == nil {
		t.params = bm.Learned(t.Machine)
		t.terms = t.Shards == nil && optim.TakesTerms(t.Optimizer) && !t.gradientsKept()
		t.order = make([]int32, t.Data.Rows())
		t.batch = t.Machine.Engine().Alloc(compute.Int8, min(t.BatchSize, t.Data.Rows()), t.Data.Cols())
		if t.Shards != nil {
			t.prepareShards()
		}
	}
	return nil
}

// gradientsKept reports whether the gradients are a part of the negative phase's state: it reads
// them at its next draw.
func (t *Trainer) gradientsKept() bool {
	for _, kept := range t.Negative.State() {
		for _, p := range t.params {
			if kept.Value == p.Grad {
				return true
			}
		}
	}
	return false
}

// update does one update and its projections.
func (t *Trainer) update(steps int) (Event, error) {
	defer t.Machine.SetPrecision(t.Machine.SetPrecision(t.Precision))
	e := t.Machine.Engine()
	epoch, place := t.Step/steps, t.Step%steps
	if t.epoch != epoch+1 {
		t.shuffle(epoch)
	}
	rows := data.Batch(t.order, t.BatchSize, place)
	batch := t.batch.Slice(0, len(rows))
	e.Gather(batch, t.Data, rows)
	t.positive[bm.Visible] = batch
	positive := bm.Batch{State: t.positive[:]}
	up, down := 1.0, 1.0
	if share := float64(len(rows)) / float64(t.batch.Rows()); share < 1 {
		switch t.Short {
		case Share:
			up, down = share, share
		case Released:
			up = share
		}
	}

	for i, p := range t.chains {
		e.Copy(t.before[i], p.Value)
	}
	var drawn bm.Batch
	var left, deferred bool
	mark := e.Mark()
	if t.Shards != nil {
		var err error
		if left, err = t.gradients(batch, rows, up, down); err != nil {
			return Event{}, fmt.Errorf("update %d: %w", t.Step+1, err)
		}
	} else {
		drawn = t.Negative.Draw(positive, t.Key.Fold(purposeDraw).Fold(uint64(t.Step)))
		left = t.leave != nil && t.leave.Load()
	}
	if left { // up to here the chains are all that an update changes
		for i, p := range t.chains {
			e.Copy(p.Value, t.before[i])
		}
		e.Release(mark)
		return Event{}, errLeft
	}
	if t.Shards != nil {
		for _, n := range t.Shards.Estimators {
			settle(n)
		}
	} else {
		settle(t.Negative)
		positive, deferred = t.phases(positive, drawn, rows, up, down)
	}
	t.Optimizer.Step(t.Rate(float64(t.Step) / float64(steps)))
	for _, p := range t.params {
		p.LetGo()
	}
	e.Release(mark)
	if t.Centring != nil {
		if t.Shards == nil {
			t.Centring.Mean(positive, 1)
		}
		t.Centring.Move()
	}
	t.Step++
	for _, p := range t.params {
		if finite := deferred && p.Terms != nil && p.Terms.Finite; !finite && !e.Finite(p.Value) {
			return Event{}, &NonFinite{Step: t.Step, Param: p.Name}
		}
	}
	key := t.Key.Fold(purposeUpdate).Fold(uint64(t.Step))
	for i, p := range t.AfterUpdate {
		p.Project(key.Fold(uint64(i)))
	}
	ended := t.Step%steps == 0
	if ended {
		key = t.Key.Fold(purposeEpoch).Fold(uint64(t.Step / steps))
		for i, p := range t.AfterEpoch {
			p.Project(key.Fold(uint64(i)))
		}
	}
	if t.Average != nil {
		t.Average.Move(t.Step, steps)
	}
	if err := e.Sync(); err != nil {
		return Event{}, fmt.Errorf("update %d: %w", t.Step, err)
	}
	if ended && t.Shards != nil && t.Shards.Shows != nil && t.Shards.Shows(t.Step/steps) {
		var err error
		if drawn, err = t.bringTogether(); err != nil {
			return Event{}, fmt.Errorf("update %d: %w", t.Step, err)
		}
	}
	return Event{Step: t.Step, Epoch: t.Step / steps, EpochEnd: ended, Steps: steps, Positive: positive, Drawn: drawn, Asked: t.sharded.asked}, nil
}

// settle lets an estimator do what it has to once its draw counts.
func settle(n negative.Estimator) {
	if s, ok := n.(negative.Settling); ok {
		s.Settle()
	}
}

// phases adds the gradients of both phases, or leaves them as their factors, and returns the
// positive one.
func (t *Trainer) phases(positive, drawn bm.Batch, rows []int32, up, down float64) (bm.Batch, bool) {
	e := t.Machine.Engine()
	if t.Positive != nil {
		positive = t.Positive.Draw(positive.State[bm.Visible], rows, t.Key.Fold(purposePositive).Fold(uint64(t.Step)))
	}
	deferred := t.terms && t.Machine.Defers(positive, drawn)
	for _, p := range t.params {
		if !deferred || p.Terms == nil {
			e.Fill(p.Grad, 0)
		}
	}
	if deferred {
		t.Machine.Phases(positive, drawn, up, -down)
	} else {
		t.Machine.Phase(positive, up)
		t.Machine.Phase(drawn, -down)
	}
	return positive, deferred
}

// shuffle sets the order of the rows in an epoch, and draws them where they are drawn anew. It depends on the epoch
// alone, so that a run that starts in its midst goes on with the same batches.
func (t *Trainer) shuffle(epoch int) {
	data.Order(t.order, t.Key.Fold(purposeOrder).Fold(uint64(epoch)))
	if t.Redraw != nil {
		t.Redraw(epoch)
	}
	t.epoch = epoch + 1
}
