package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/negative"
	"mattis/optim"
	"mattis/rng"
	"mattis/train"
)

func spins(e compute.Engine, m compute.Matrix) []int8 {
	x := make([]int8, m.Len())
	compute.Read(e, x, m)
	return x
}

func floats(e compute.Engine, m compute.Matrix) []float64 {
	x := make([]float32, m.Len())
	compute.Read(e, x, m)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// observe makes a function an Observer.
type observe func(ev train.Event) error

func (f observe) Observe(ev train.Event) error { return f(ev) }

// log is what a trainer did, in order.
type log struct {
	lines []string
	keys  []rng.Key
}

type noted struct {
	negative.Estimator
	*log
}

func (n noted) Draw(b bm.Batch, key rng.Key) bm.Batch {
	n.keys = append(n.keys, key)
	n.lines = append(n.lines, "draw")
	return n.Estimator.Draw(b, key)
}

type notedStep struct {
	optim.Optimizer
	*log
}

func (n notedStep) Step(rate float64) {
	n.lines = append(n.lines, fmt.Sprintf("step %.4f", rate))
	n.Optimizer.Step(rate)
}

type notedProjection struct {
	name string
	*log
}

func (n notedProjection) Project(key rng.Key) {
	n.keys = append(n.keys, key)
	n.lines = append(n.lines, n.name)
}

// instrument makes a trainer write down all that it does.
func instrument(tr *train.Trainer, l *log) {
	tr.Negative = noted{tr.Negative, l}
	tr.Optimizer = notedStep{tr.Optimizer, l}
	tr.AfterUpdate = []optim.Projection{notedProjection{"update a", l}, notedProjection{"update b", l}}
	tr.AfterEpoch = []optim.Projection{notedProjection{"epoch a", l}, notedProjection{"epoch b", l}}
	tr.Observers = []train.Observer{observe(func(ev train.Event) error {
		l.lines = append(l.lines, fmt.Sprintf("event %d of %d, epoch %d, ended %v", ev.Step, ev.Steps, ev.Epoch, ev.EpochEnd))
		return nil
	}), observe(func(train.Event) error {
		l.lines = append(l.lines, "second observer")
		return nil
	})}
}

var plain = configuration{"dense", true, "cd", "sgd", ""}

// What is done in an update and an epoch, in which order, and what observers hear.
func TestOrderOfWork(t *testing.T) {
	tr := plain.trainer(t, 1)
	tr.Data = tr.Data.Slice(0, 6)
	var l log
	instrument(tr, &l)
	if err := tr.Run(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"event 0 of 2, epoch 0, ended true", "second observer",
		"draw", "step 0.0500", "update a", "update b",
		"event 1 of 2, epoch 0, ended false", "second observer",
		"draw", "step 0.0500", "update a", "update b", "epoch a", "epoch b",
		"event 2 of 2, epoch 1, ended true", "second observer",
		"draw", "step 0.0450", "update a", "update b",
		"event 3 of 2, epoch 1, ended false", "second observer",
		"draw", "step 0.0450", "update a", "update b", "epoch a", "epoch b",
		"event 4 of 2, epoch 2, ended true", "second observer",
	}
	if !slices.Equal(l.lines, want) {
		t.Errorf("did\n%q\nwant\n%q", l.lines, want)
	}
	// Nothing is left to do, and the first event is not told again.
	n := len(l.lines)
	if err := tr.Run(context.Background(), 2); err != nil || len(l.lines) != n || tr.Step != 4 {
		t.Errorf("a finished training went on: %v, %q", err, l.lines[n:])
	}
	if !(tr.Seconds > 0) {
		t.Errorf("%v seconds of training", tr.Seconds)
	}
	sorted := slices.Clone(l.keys)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != len(l.keys) {
		t.Errorf("a key was used twice: %x", l.keys)
	}
}

// batches trains up to an update and returns the numbers of the rows of each batch; the data are numbered first.
func batches(t *testing.T, tr *train.Trainer, to int) (all [][]int) {
	t.Helper()
	e := tr.Machine.Engine()
	x := make([]int8, tr.Data.Len())
	for i := range tr.Data.Rows() {
		exact.SetState(x[i*visible:][:visible], uint64(i))
	}
	compute.Write(e, tr.Data, x)
	done := errors.New("done")
	tr.Observers = []train.Observer{observe(func(ev train.Event) error {
		if ev.Step == 0 {
			if ev.Positive.State != nil || ev.Drawn.State != nil {
				t.Error("a batch before the first update")
			}
			return nil
		}
		v := ev.Positive.State[bm.Visible]
		var rows []int
		for i, x := 0, spins(e, v); i < v.Rows(); i++ {
			n := 0
			for j, s := range x[i*visible:][:visible] {
				n += int(s+1) / 2 << j
			}
			rows = append(rows, n)
		}
		all = append(all, rows)
		if ev.Step == to {
			return done
		}
		return nil
	})}
	if err := tr.Run(context.Background(), to); !errors.Is(err, done) || tr.Step != to {
		t.Fatalf("trained to update %d, want %d: %v", tr.Step, to, err)
	}
	return all
}

// Each epoch goes through all rows once, each in an order of its own that the
// key decides; a trainer that starts in the middle of an epoch goes on with the same batches.
func TestBatches(t *testing.T) {
	for _, c := range []struct {
		short train.ShortBatch
		sizes []int
	}{
		{train.Share, []int{3, 3, 3, 1}}, {train.Released, []int{3, 3, 3, 1}}, {train.Mean, []int{3, 3, 3, 1}}, {train.Drop, []int{3, 3, 3}},
	} {
		make := func(key rng.Key) *train.Trainer {
			tr := plain.trainer(t, 1)
			tr.Short, tr.Key = c.short, key
			return tr
		}
		tr := make(3)
		steps := tr.StepsPerEpoch()
		if steps != len(c.sizes) {
			t.Fatalf("%s: %d updates an epoch, want %d", c.short, steps, len(c.sizes))
		}
		all := batches(t, tr, 3*steps)
		orders := map[string]bool{}
		for i := range 3 {
			epoch := all[i*steps:][:steps]
			for b, rows := range epoch {
				if len(rows) != c.sizes[b] {
					t.Errorf("%s: batch %d of %d rows, want %d", c.short, b, len(rows), c.sizes[b])
				}
			}
			flat := slices.Concat(epoch...)
			orders[fmt.Sprint(flat)] = true
			slices.Sort(flat)
			if len(slices.Compact(flat)) != len(flat) || flat[0] < 0 || flat[len(flat)-1] >= rows {
				t.Errorf("%s: epoch %d goes through the rows %v", c.short, i, flat)
			}
		}
		orders[fmt.Sprint(slices.Concat(batches(t, make(4), steps)...))] = true
		if len(orders) != 4 {
			t.Errorf("%s: %d orders in 3 epochs and one of another key, want 4", c.short, len(orders))
		}
		for _, from := range []int{1, steps, 2*steps - 1} {
			late := make(3)
			late.Step = from
			if got := batches(t, late, 3*steps); !slices.EqualFunc(got, all[from:], slices.Equal) {
				t.Errorf("%s: from update %d on the batches are %v, want %v", c.short, from, got, all[from:])
			}
		}
	}
}

// fixed is an estimator that always returns the same configurations.
type fixed struct{ batch bm.Batch }

func (f fixed) Draw(bm.Batch, rng.Key) bm.Batch { return f.batch }
func (fixed) State() []bm.Param                 { return nil }
func (fixed) Kind() negative.Kind               { return negative.Heuristic }

// gradientOf is an optimizer that keeps the gradient of each step and moves nothing.
type gradientOf struct {
	param bm.Param
	e     compute.Engine
	all   *[][]float64
}

func (g gradientOf) Step(float64)    { *g.all = append(*g.all, floats(g.e, g.param.Grad)) }
func (gradientOf) State() []bm.Param { return nil }

// Ten rows in batches of three: what each rule makes of the last batch, of one row, against
// sums by hand of dF/dW = -v tanh x (Eq. A6). Share scales both phases by 1/3, released the
// positive one, mean none; full batches are the same for all.
func TestShortBatch(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	d := bm.NewDense(e, bm.Restricted(visible, hidden, false))
	d.Normal(0.3, 1)
	r := bm.New(e, d, false, false)
	data, model := e.Alloc(compute.Int8, rows, visible), e.Alloc(compute.Int8, 4, visible)
	e.Spins(data, 1, 0, 0)
	e.Spins(model, 2, 0, 0)
	mean := func(v []int8) []float64 { // <dF/dW> over the rows
		sum := make([]float64, visible*hidden)
		n := len(v) / visible
		for b := range n {
			row := v[b*visible:][:visible]
			for a, x := range check.HiddenFields(r, row) {
				for i, s := range row {
					sum[i*hidden+a] -= float64(s) * math.Tanh(x) / float64(n)
				}
			}
		}
		return sum
	}
	negativePhase := mean(spins(e, model))
	for _, c := range []struct {
		short    train.ShortBatch
		steps    int
		up, down float64 // factors of the last batch
	}{
		{train.Share, 4, 1. / 3, 1. / 3}, {train.Released, 4, 1. / 3, 1}, {train.Mean, 4, 1, 1}, {train.Drop, 3, 1, 1},
	} {
		var got, batch [][]float64
		tr := &train.Trainer{
			Machine: r, Negative: fixed{bm.Batch{State: bm.State{model}}}, Optimizer: gradientOf{d.Weights(0), e, &got},
			Rate: func(float64) float64 { return 1 }, Data: data, BatchSize: batchSize, Short: c.short,
			Observers: []train.Observer{observe(func(ev train.Event) error {
				if ev.Step > 0 {
					batch = append(batch, mean(spins(e, ev.Positive.State[bm.Visible])))
				}
				return nil
			})},
		}
		if err := tr.Run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		if len(got) != c.steps {
			t.Fatalf("%s: %d updates, want %d", c.short, len(got), c.steps)
		}
		for i := range got {
			up, down := 1.0, 1.0
			if i == 3 {
				up, down = c.up, c.down
			}
			for j, g := range got[i] {
				if want := up*batch[i][j] - down*negativePhase[j]; math.Abs(g-want) > 1e-5 {
					t.Fatalf("%s: batch %d: gradient of entry %d is %.6f, want %.6f", c.short, i, j, g, want)
				}
			}
		}
	}
}

// Batches larger than the data make one whole batch of all rows, whose phases count in full.
func TestOneBatch(t *testing.T) {
	for _, short := range []train.ShortBatch{train.Share, train.Released, train.Mean} {
		var want []float64
		for _, size := range []int{rows, 7 * rows} {
			tr := plain.trainer(t, 1)
			tr.BatchSize, tr.Short = size, short
			if err := tr.Run(context.Background(), 3); err != nil || tr.Step != 3 {
				t.Fatalf("%s: %d updates, %v", short, tr.Step, err)
			}
			got := floats(tr.Machine.Engine(), tr.Machine.Params()[0].Value)
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: batches of %d train otherwise than batches of %d", short, size, rows)
			}
		}
	}
}

// Cancelling ends the training after the update in which it happens; another Run goes on from there.
func TestCancel(t *testing.T) {
	straight, tr := plain.trainer(t, 1), plain.trainer(t, 1)
	if err := straight.Run(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	var steps []int
	ctx, cancel := context.WithCancel(context.Background())
	tr.Observers = []train.Observer{observe(func(ev train.Event) error {
		steps = append(steps, ev.Step)
		if ev.Step == 3 {
			cancel()
		}
		return nil
	})}
	if err := tr.Run(ctx, 2); !errors.Is(err, context.Canceled) || tr.Step != 3 {
		t.Fatalf("stopped at update %d with %v, want 3 and context.Canceled", tr.Step, err)
	}
	if err := tr.Run(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8}; !slices.Equal(steps, want) {
		t.Errorf("events of the updates %v, want %v", steps, want)
	}
	if !slices.Equal(floats(tr.Machine.Engine(), tr.Machine.Params()[0].Value), floats(straight.Machine.Engine(), straight.Machine.Params()[0].Value)) {
		t.Error("a cancelled training ends elsewhere than a straight one")
	}
}

func TestObserverEndsTraining(t *testing.T) {
	full := errors.New("the disk is full")
	for _, at := range []int{0, 1, 5} {
		tr := plain.trainer(t, 1)
		second := -1
		tr.Observers = []train.Observer{observe(func(ev train.Event) error {
			if ev.Step == at {
				return full
			}
			return nil
		}), observe(func(ev train.Event) error { second = ev.Step; return nil })}
		if err := tr.Run(context.Background(), 3); !errors.Is(err, full) || tr.Step != at || second != at-1 {
			t.Errorf("observer's error at update %d: ended at %d with %v, the second observer at %d", at, tr.Step, err, second)
		}
	}
}

// Observers see the configurations of the update, not others drawn again.
func TestObserversSeeTheDraw(t *testing.T) {
	tr := configuration{"axons", false, "pcd", "sgd", ""}.trainer(t, 1)
	e := tr.Machine.Engine()
	tr.Observers = []train.Observer{observe(func(ev train.Event) error {
		if ev.Step > 0 && !slices.Equal(spins(e, ev.Drawn.State[bm.Visible]), spins(e, tr.Negative.State()[0].Value)) {
			t.Errorf("update %d: the drawn rows are not the chains", ev.Step)
		}
		return nil
	})}
	if err := tr.Run(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
}

func TestNoUpdates(t *testing.T) {
	for _, c := range []struct {
		batch int
		short train.ShortBatch
		want  string
	}{
		{0, train.Share, "batches of 0 leave no update an epoch of 10 rows; take from 1 to 10"},
		{3, "shares", `no rule "shares" for a short batch; take share, released, drop or mean`},
		{11, train.Drop, "batches of 11 leave no update an epoch of 10 rows; take from 1 to 10"},
	} {
		tr := plain.trainer(t, 1)
		tr.BatchSize, tr.Short = c.batch, c.short
		if err := tr.Run(context.Background(), 1); err == nil || err.Error() != c.want {
			t.Errorf("batch %d, %s: error %v, want %q", c.batch, c.short, err, c.want)
		}
	}
}

// A trainer without a field that it needs says which; without a rule for short batches it takes Share.
func TestLeftOut(t *testing.T) {
	for name, leave := range map[string]func(*train.Trainer){
		"Machine": func(tr *train.Trainer) { tr.Machine = nil }, "Negative": func(tr *train.Trainer) { tr.Negative = nil },
		"Optimizer": func(tr *train.Trainer) { tr.Optimizer = nil }, "Rate": func(tr *train.Trainer) { tr.Rate = nil },
		"Data": func(tr *train.Trainer) { tr.Data = compute.Matrix{} },
	} {
		tr := plain.trainer(t, 1)
		leave(tr)
		if err := tr.Run(context.Background(), 1); err == nil || err.Error() != "the trainer has no "+name {
			t.Errorf("without %s: error %v", name, err)
		}
	}
	tr := plain.trainer(t, 1)
	tr.Short = ""
	if err := tr.Run(context.Background(), 1); err != nil || tr.Short != train.Share {
		t.Errorf("rule %q, error %v, want share", tr.Short, err)
	}
}

// Every configuration goes on with the same bits after an interruption in the
// middle of an epoch and at its end, on 1, 2 and 3 threads.
func TestResume(t *testing.T) {
	for _, c := range configurations() {
		t.Run(c.name(), func(t *testing.T) {
			check.Resume(t, func(threads int) *train.Trainer { return c.trainer(t, threads) }, 10, 4, 6)
		})
	}
}

// A larger machine, whose products are cut in several tiles, on any number of threads.
func TestResumeTiles(t *testing.T) {
	check.Resume(t, func(threads int) *train.Trainer {
		e := cpu.New(threads)
		t.Cleanup(e.Close)
		a := bm.NewAxons(e, bm.Restricted(70, 300, true), 20, true)
		a.Uniform(1, 1)
		a.SetGain(0.4)
		r := bm.New(e, a, true, true)
		data := e.Alloc(compute.Int8, 200, 70)
		e.Spins(data, 1, 0, 0)
		return &train.Trainer{
			Machine: r, Negative: negative.NewPCD(r, 90, 1, 2), Optimizer: optim.NewAdam(r, 0.9, 0.999, 1e-8, 0),
			Rate: func(float64) float64 { return 0.01 }, Data: data, BatchSize: 130, Short: train.Share, Key: 3,
			AfterUpdate: []optim.Projection{optim.Clip{Machine: r, Axons: a, Bound: 1}},
		}
	}, 4, 3)
}

// Two bars are learned by heart: with exact gradients the negative log-likelihood comes near its bound, log 2.
func ExampleTrainer() {
	e := cpu.New(1)
	defer e.Close()
	d := bm.NewDense(e, bm.Restricted(4, 3, false))
	d.Normal(0.1, 1)
	m := bm.New(e, d, false, false)
	data := e.Alloc(compute.Int8, 2, 4)
	compute.Write(e, data, []int8{1, 1, -1, -1, -1, -1, 1, 1})
	sums, err := negative.NewExact(m)
	if err != nil {
		fmt.Println(err)
		return
	}
	t := &train.Trainer{
		Machine: m, Negative: sums, Optimizer: optim.NewAdam(m, 0.9, 0.999, 1e-8, 0),
		Rate: optim.Schedule{Rate: 0.1, Factor: 1}.At, Data: data, BatchSize: 2, Short: train.Share, Key: 1,
	}
	if err := t.Run(context.Background(), 100); err != nil {
		fmt.Println(err)
		return
	}
	states, _ := exact.Enumerate(m, bm.Visible)
	f := e.Alloc(compute.Float64, 2, 1)
	m.Energy(f, bm.State{data}, bm.Law{})
	free := make([]float64, 2)
	compute.Read(e, free, f)
	fmt.Printf("%d updates, %.2f nats\n", t.Step, (free[0]+free[1])/2+states.LogZ())
	// Output: 100 updates, 0.69 nats
}
