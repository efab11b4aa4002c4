package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"mattis/compute"
	"mattis/internal/share"
	"mattis/recipe"
	"mattis/run"
	"mattis/view"
)

// Options say how figures are made.
type Options struct {
	// Instances of each method; 0 takes the figure's default. 100 is the paper's number.
	Instances int
	// Methods has other numbers of instances for the methods that it names, such as slow ones.
	Methods map[string]int
	// Seed of the first instance; the others follow it. More instances are added to those that are
	// there.
	Seed uint64
	// Precision of the trainings, in place of the recipes'. A figure without trainings has none but
	// compute.Single.
	Precision compute.Precision
	// Threads is the number of workers. Nothing depends on it but the time.
	Threads int
	Out     string // folder of everything that is written
	// Engine returns an engine of so many threads. It is closed when it has a Close method.
	Engine      func(threads int) compute.Engine
	Environment run.Session // what env.json of an instance says of this process
	// Part is the share of the instances that are made, and Shared has each instance made by the
	// process that comes to it first. Either makes instances and draws nothing.
	Part   share.Part
	Shared bool
	// Session is told of every training that begins, and what it returns is called when the training
	// ends. May be nil.
	Session func(*recipe.Session) (ended func())
	// Miniature makes every machine small and every training short: for tests.
	Miniature bool
	// Progress is told the share of a figure's work that is done and a note; calls do not overlap.
	// May be nil.
	Progress func(f *Figure, share float64, note string)
	// Finished is told of every figure that is drawn; may be nil.
	Finished func(Report)
	// Shares is told of every figure of which a part was made, and may be nil: how many instances of
	// the part there are, and how many of them other processes make at the moment.
	Shares func(f *Figure, instances, elsewhere int)
}

// partial reports whether instances are made and no figure is drawn.
func (o Options) partial() bool { return o.Shared || !o.Part.Whole() }

// Report is a finished figure.
type Report struct {
	Figure    *Figure
	Instances int
	Methods   map[string]int // those with another number of instances
	Seconds   float64        // of one worker, all instances together
	Files     []string
	Claims    []Claim
	Table     view.Table // without a header where there is none
}

// Run makes the figures one after the other. Instances that are finished in the folder are kept,
// begun ones go on. A figure that fails does not keep the others from being made; its error is
// returned at the end. When the context is cancelled, trainings under way write a checkpoint and
// Run returns the context's error.
func Run(ctx context.Context, figures []*Figure, o Options) error {
	if o.Threads < 1 {
		return fmt.Errorf("%d workers, want at least 1", o.Threads)
	}
	if err := CheckInstances(figures, o.Instances, o.Methods); err != nil {
		return err
	}
	var failed []error
	for _, f := range figures {
		report, err := f.run(ctx, o)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // the others may not need what it lacks
			failed = append(failed, fmt.Errorf("figure %s: %w", f.Name, err))
		case o.Finished != nil && !o.partial():
			o.Finished(report)
		}
	}
	return errors.Join(failed...)
}

const maxInstances = 100_000

// CheckInstances returns an error for a method that none of the figures has many instances of, and
// for a number out of range. n may be 0.
func CheckInstances(figures []*Figure, n int, methods map[string]int) error {
	if n < 0 || n > maxInstances {
		return fmt.Errorf("%d instances are out of range, want 1 to %d", n, maxInstances)
	}
	var known []string
	for _, f := range figures {
		for _, s := range f.studies {
			for _, a := range s.arms {
				if !a.single && !slices.Contains(known, a.name) {
					known = append(known, a.name)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		if len(known) == 0 {
			return fmt.Errorf("%s=%d: the figure has one instance of each method", name, methods[name])
		}
		if !slices.Contains(known, name) {
			return fmt.Errorf("%q is no method of the figure: %s", name, strings.Join(known, ", "))
		}
		if n := methods[name]; n < 1 || n > maxInstances {
			return fmt.Errorf("%d instances of %s are out of range, want 1 to %d", n, name, maxInstances)
		}
	}
	return nil
}

// CheckPrecision returns an error for a precision that one of the figures can't have: it has no
// training.
func CheckPrecision(figures []*Figure, p compute.Precision) error {
	for _, f := range figures {
		trains := func(s *study) bool { return slices.ContainsFunc(s.arms, func(a *arm) bool { return a.recipe != "" }) }
		if p != compute.Single && !slices.ContainsFunc(f.studies, trains) {
			return fmt.Errorf("figure %s trains no machine, and precision is a training's", f.Name)
		}
	}
	return nil
}

// instancesOf returns how many instances of an arm a figure has that was asked for n.
func (o Options) instancesOf(a *arm, n int) int {
	if k, ok := o.Methods[a.name]; ok {
		n = k
	}
	switch {
	case a.single:
		return 1
	case o.Miniature:
		return min(n, 2)
	}
	return n
}

func (f *Figure) run(ctx context.Context, o Options) (Report, error) {
	n := o.Instances
	if n == 0 {
		n = f.Instances
	}
	if o.Miniature {
		n = min(n, 2)
	}
	methods := map[string]int{} // those that differ
	var all []*instance
	left := map[*instance]bool{}
	for _, s := range f.studies {
		for _, a := range s.arms {
			count := o.instancesOf(a, n)
			if count != n && !a.single {
				methods[a.name] = count
			}
			for k := range uint64(count) {
				i := &instance{study: s, arm: a, seed: o.Seed + k, precision: o.Precision}
				finished, err := i.locate(o.Out, f.Name, o.Miniature)
				if err != nil {
					return Report{}, err
				}
				all = append(all, i)
				if !finished {
					left[i] = true
				}
			}
		}
	}
	if f.keepsRecords() {
		if err := f.fromRecords(o, all, left); err != nil {
			return Report{}, err
		}
	}
	// The longest come first; which part an instance belongs to does not depend on what is there.
	mine := slices.Clone(all)
	slices.SortStableFunc(mine, func(a, b *instance) int { return cmp.Compare(b.arm.seconds, a.arm.seconds) })
	mine = share.Of(mine, o.Part)
	locked, err := f.work(ctx, o, mine, left)
	if f.keepsRecords() && !o.partial() { // of a figure that is not finished too
		err = errors.Join(err, f.writeRecords(o, all))
	}
	if err != nil {
		return Report{}, err
	}
	switch {
	case !o.partial() && len(locked) > 0:
		return Report{}, fmt.Errorf("%d of %d instances are made by other processes at the moment, such as %s; "+
			"make the figure again when they have ended", len(locked), len(all), locked[0].dir)
	case !o.partial():
		return f.draw(ctx, o, n, methods, all)
	case o.Shares != nil:
		o.Shares(f, len(mine), len(locked))
	}
	return Report{}, nil
}

// work performs those of the instances that are left, side by side, and returns those that other
// processes make at the moment.
func (f *Figure) work(
	ctx context.Context, o Options, mine []*instance, left map[*instance]bool,
) ([]*instance, error) {
	m := newMeter(f, o, mine, left)
	todo := slices.DeleteFunc(slices.Clone(mine), func(i *instance) bool { return !left[i] })
	slices.SortStableFunc(todo, func(a, b *instance) int { // what was begun comes first
		return cmp.Compare(begun(b), begun(a))
	})
	m.tell()
	return share.Do(ctx, todo, o.Threads, func(ctx context.Context, threads int, i *instance) error {
		return f.one(ctx, o, threads, i, m)
	})
}

// begun is 1 for an instance whose directory holds anything of it, and 0 for others.
func begun(i *instance) int {
	if _, err := os.Stat(i.dir); err != nil || run.Unused(i.dir) {
		return 0
	}
	return 1
}

// one performs one instance on an engine of its own.
func (f *Figure) one(ctx context.Context, o Options, threads int, i *instance, m *meter) error {
	if i.arm.timed {
		threads = 1
	}
	e := o.Engine(threads)
	defer closeEngine(e)
	if err := i.perform(ctx, o, e, func(share float64) { m.share(i, share) }); err != nil {
		return err
	}
	m.done(i)
	return nil
}

func closeEngine(e compute.Engine) {
	if c, ok := e.(interface{ Close() }); ok {
		c.Close()
	}
}

// meter adds up what is done of a figure.
type meter struct {
	mutex  sync.Mutex
	figure *Figure
	tellTo func(f *Figure, share float64, note string)
	total  float64
	all    []*instance
	of     map[*instance]float64 // share done
	ended  int
	count  int
}

func newMeter(f *Figure, o Options, all []*instance, left map[*instance]bool) *meter {
	m := &meter{figure: f, tellTo: o.Progress, all: all, of: map[*instance]float64{}, count: len(all)}
	for _, i := range all {
		m.total += i.arm.seconds
		if !left[i] {
			m.of[i] = 1
			m.ended++
		}
	}
	return m
}

func (m *meter) share(i *instance, share float64) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.of[i] = max(m.of[i], min(share, 0.999)) // what comes after a training begins anew
	m.tell()
}

func (m *meter) done(i *instance) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.of[i] = 1
	m.ended++
	m.tell()
}

func (m *meter) tell() {
	if m.tellTo == nil {
		return
	}
	var sum float64
	for _, i := range m.all {
		sum += m.of[i] * i.arm.seconds
	}
	if len(m.all) == 0 { // more parts than instances
		sum, m.total = 1, 1
	}
	m.tellTo(m.figure, sum/m.total, fmt.Sprintf("%d of %d instances", m.ended, m.count))
}

// draw makes the figure from its instances.
func (f *Figure) draw(ctx context.Context, o Options, n int, methods map[string]int, all []*instance) (Report, error) {
	if err := os.MkdirAll(filepath.Join(o.Out, f.Name), 0o777); err != nil {
		return Report{}, err
	}
	e := o.Engine(o.Threads)
	defer closeEngine(e)
	r := &results{ctx: ctx, figure: f, options: o, engine: e, instances: all, n: n, methods: methods}
	if err := f.finish(r); err != nil {
		return Report{}, err
	}
	report := Report{Figure: f, Instances: n, Methods: methods, Claims: r.claims, Table: r.table}
	for _, i := range all {
		report.Seconds += i.Seconds
	}
	if err := r.writeCSV(); err != nil {
		return report, err
	}
	report.Files = append(r.files, filepath.Join(o.Out, f.Name+".csv"))
	if err := r.writeClaims(); err != nil {
		return report, err
	}
	if err := r.writeTable(); err != nil {
		return report, err
	}
	if err := writeJSON(filepath.Join(o.Out, f.Name, summaryName), summary{n, methods, o.Seed, precisionName(o.Precision), report.Seconds, r.picture(), o.Miniature}); err != nil {
		return report, err
	}
	return report, writeResults(o.Out)
}
