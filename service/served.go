package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mattis/bm"
	"mattis/data"
	"mattis/recipe"
	"mattis/run"
)

// served is a run that is served.
type served struct {
	Source
	service *Service
	now     atomic.Pointer[loaded]
	stamp   run.Stamp // of the file that was looked at last
	again   time.Time // when a file that gave no machine is looked at again
}

// loaded is the machine of one checkpoint. A request has one from its first line to its answer.
type loaded struct {
	*recipe.Model
	about   about
	rows    *trainingRows
	earlier earlier
	logs    logs
}

// patience between two looks at a file that gives no machine.
const retry = 10 * time.Second

// modelCopies is how often the numbers of a checkpoint are held while a machine is read: in the
// file's tensors, in the machine, and as its gradients.
const modelCopies = 3

// look loads the run's checkpoint where it is another one than before.
func (r *served) look(ctx context.Context, now time.Time) {
	step, err := r.Step()
	if err != nil {
		return // there is none at the moment: what was read serves
	}
	stamp := r.Dir.Stamp(step)
	if stamp == (run.Stamp{}) || stamp == r.stamp && (r.again.IsZero() || now.Before(r.again)) {
		return
	}
	first := stamp != r.stamp
	before := r.now.Load()
	r.again = time.Time{}
	if err := r.load(ctx); err != nil {
		r.stamp, r.again = stamp, now.Add(retry)
		r.service.meters.reloads.WithLabelValues(r.Name, "failed").Inc()
		if first && ctx.Err() == nil {
			r.service.Told(fmt.Sprintf("%s: update %d goes on: %v", r.Name, before.Step, err))
		}
		return
	}
	if l := r.now.Load(); l != before {
		r.service.meters.reloads.WithLabelValues(r.Name, "done").Inc()
		r.service.Told(fmt.Sprintf("%s: update %d", r.Name, l.Step))
	}
}

// load reads the checkpoint and lets later requests have its machine.
func (r *served) load(ctx context.Context) error {
	s := r.service
	step, err := r.Step()
	if err != nil {
		return err
	}
	stamp := r.Dir.Stamp(step)
	if err := s.Room(r.Dir.Path(), modelCopies*float64(stamp.Size)); err != nil {
		return err
	}
	saved, refused, err := recipe.ReadSaved(r.Dir, step)
	for _, x := range refused {
		s.Told(fmt.Sprintf("%s: damaged checkpoint passed over: %v", r.Name, x))
	}
	if err != nil {
		return err
	}
	before := r.now.Load()
	if before != nil && before.Checkpoint.Digest == saved.Digest {
		r.stamp = stamp
		return nil
	}
	stay, _, err := s.turn.enter(ctx, time.Hour)
	if err != nil {
		return err
	}
	m, err := saved.Model(s.engine)
	stay.leave()
	if err != nil {
		return err
	}
	l := &loaded{Model: m, rows: &trainingRows{}}
	if l.about, err = s.aboutOf(r.Name, m); err != nil {
		return err
	}
	if before != nil && before.Checkpoint.File.Metadata["data"] == m.Checkpoint.File.Metadata["data"] {
		l.rows = before.rows
	}
	r.stamp = stamp
	r.now.Store(l)
	s.meters.step.WithLabelValues(r.Name).Set(float64(m.Step))
	return nil
}

// trainingRows are the data of a run, read when something first asks for them.
type trainingRows struct {
	sync.Mutex
	split *data.Split
}

// data returns the data that the machine was trained on.
func (l *loaded) data() (*data.Split, error) {
	l.rows.Lock()
	defer l.rows.Unlock()
	if l.rows.split == nil {
		split, err := l.LoadData()
		if err != nil {
			return nil, err
		}
		l.rows.split = split
	}
	return l.rows.split, nil
}

// earlier are the machines of the checkpoints before the one that is served.
type earlier struct {
	sync.Mutex
	read     bool
	machines []*bm.Machine
}

// before returns the machines of the run's checkpoints before the one that is served. The caller has
// the engine.
func (r *served) before(l *loaded) ([]*bm.Machine, error) {
	l.earlier.Lock()
	defer l.earlier.Unlock()
	if l.earlier.read {
		return l.earlier.machines, nil
	}
	machines, _, err := l.Earlier(r.Dir)
	if err != nil {
		return nil, errors.New("the earlier checkpoints of the run cannot be read")
	}
	l.earlier.read, l.earlier.machines = true, machines
	return machines, nil
}
