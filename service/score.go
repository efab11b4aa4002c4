package service

import (
	"context"
	"errors"
	"strings"

	"mattis/compute"
	"mattis/data"
)

// mostAnswer bounds the numbers of an answer, in bytes of its npy file.
const mostAnswer = 64 << 20

// score answers with F(v) of the rows.
func (s *Service) score(_ *served, q *request) error {
	set, err := q.labelled()
	if err != nil {
		return err
	}
	if err := s.answerRoom(q, q.rows, 8); err != nil {
		return err
	}
	var f []float64
	var way string
	if q.loaded.RowsApart() {
		p := &piece{task: task{loaded: q.loaded}, spins: set.Spins, rows: set.Rows, free: make([]float64, set.Rows)}
		err = s.batcher.do(q.ctx, p)
		f, way = p.free, p.way
	} else {
		err = s.alone(q, func(ctx context.Context, stay *stay) error {
			var err error
			f, way, err = q.loaded.FreeEnergies(ctx, set, func(int) { stay.pass() })
			return err
		})
	}
	if err != nil {
		return err
	}
	for _, x := range f {
		if x-x != 0 {
			return q.notFinite("free energies")
		}
	}
	s.meters.rows.WithLabelValues("score").Add(float64(q.rows))
	if q.kind == kindNPY {
		return sendArray(q, f, len(f))
	}
	a := q.json()
	a.list("free_energy", len(f), func(i int) { a.real(f[i], 64) })
	a.text("way", way)
	return a.end()
}

// features answers with a hidden layer of the rows.
func (s *Service) features(_ *served, q *request) error {
	m, o := q.loaded, &q.options
	if o[optMean].truth && o[optSample].truth {
		return wrong(o.at(optSample), "true beside mean, which excludes it")
	}
	if o[optSeed].given && !o[optSample].truth {
		return wrong(o.at(optSeed), "is for a draw: set sample to true")
	}
	layer, err := m.HiddenLayer(o.text(optLayer, ""))
	if err != nil {
		return wrong(o.at(optLayer), "%v", err)
	}
	set, err := q.labelled()
	if err != nil {
		return err
	}
	h := m.Machine.Layers()[layer]
	name := m.Machine.Graph().Layers[layer].Name
	drawn := o[optSample].truth && m.Machine.TypeOf(layer) == compute.Int8
	size := 4
	if drawn {
		size = 1
	}
	if err := s.answerRoom(q, q.rows, size*h); err != nil {
		return err
	}
	s.meters.rows.WithLabelValues("features").Add(float64(q.rows))
	if drawn {
		spins := make([]int8, 0, q.rows*h)
		err := s.alone(q, func(ctx context.Context, stay *stay) error {
			return m.HiddenSpins(ctx, set, layer, o.seed(1), func(int) { stay.pass() }, func(x []int8) error {
				spins = append(spins, x...)
				return nil
			})
		})
		if err != nil {
			return err
		}
		return q.sendHidden(name, len(spins), h, func() error { return sendArray(q, spins, q.rows, h) }, func(a *answer, i int) { a.whole(int64(spins[i])) })
	}
	var x []float32
	switch {
	case o[optSample].truth:
		err = s.alone(q, func(ctx context.Context, stay *stay) error {
			return m.HiddenNumbers(ctx, set, layer, o.seed(1), func(int) { stay.pass() }, func(part []float32) error {
				x = append(x, part...)
				return nil
			})
		})
	case m.RowsApart():
		p := &piece{task: task{loaded: m, layer: layer}, spins: set.Spins, rows: set.Rows, means: make([]float32, set.Rows*h)}
		err = s.batcher.do(q.ctx, p)
		x = p.means
	default:
		err = s.alone(q, func(ctx context.Context, stay *stay) error {
			return m.HiddenMeans(ctx, set, layer, func(int) { stay.pass() }, func(part []float32) error {
				x = append(x, part...)
				return nil
			})
		})
	}
	if err != nil {
		return err
	}
	for _, v := range x {
		if v-v != 0 {
			return q.notFinite("hidden means")
		}
	}
	return q.sendHidden(name, len(x), h, func() error { return sendArray(q, x, q.rows, h) }, func(a *answer, i int) { a.real(float64(x[i]), 32) })
}

// sendHidden answers with n numbers of a hidden layer, h of each row.
func (q *request) sendHidden(layer string, n, h int, array func() error, number func(a *answer, i int)) error {
	if q.kind == kindNPY {
		return array()
	}
	a := q.json()
	a.list("hidden", n/h, func(i int) {
		a.inner(h, func(j int) { number(a, i*h+j) })
	})
	a.text("layer", layer)
	return a.end()
}

// notFinite is the error of a machine that gives no numbers.
func (q *request) notFinite(what string) error {
	return refused(422, "the %s of the machine of update %d are not finite", what, q.loaded.Step)
}

// labelled returns the rows with the label laid over them. Rows whose label is not known are
// refused.
func (q *request) labelled() (*data.Set, error) {
	m, label := q.loaded, q.options.text(optLabel, "")
	if err := m.CheckLabel(label); err != nil {
		return nil, wrong(q.options.at(optLabel), "%v", err)
	}
	v := m.Visible()
	m.LayLabel(label, q.spins)
	if v > m.Pixels() && label == "" {
		for i := range q.rows {
			if q.spins[i*v+m.Pixels()] == 0 {
				return nil, wrong(numbered("body.rows", i), "has no label, and the machine has %d visible spins for it: give a label (%s)", v-m.Pixels(), strings.Join(m.LabelNames, ", "))
			}
		}
	}
	return &data.Set{Rows: q.rows, Visible: v, Spins: q.spins}, nil
}

// answerRoom sets the memory of the answer aside, so many bytes for each of some rows.
func (s *Service) answerRoom(q *request, rows, each int) error {
	if rows > mostAnswer/max(1, each) {
		return refused(413, "an answer of %d rows of %d bytes is too large: ask for at most %d at a time", rows, each, mostAnswer/each)
	}
	return s.hold(q, int64(rows)*int64(each))
}

// alone has the engine to itself, turn by turn, as one of few.
func (s *Service) alone(q *request, do func(ctx context.Context, stay *stay) error) error {
	select {
	case s.long <- struct{}{}:
	case <-q.ctx.Done():
		return errGone
	}
	defer func() { <-s.long }()
	stay, ctx, err := s.turn.enter(q.ctx, s.MaxTime)
	if err != nil {
		return errGone
	}
	defer stay.leave()
	err = do(ctx, stay)
	switch {
	case q.ctx.Err() != nil:
		return errGone
	case errors.Is(context.Cause(ctx), errTime) && err != nil:
		return refused(422, "the request takes more than the %s of the engine that the service allows: ask for fewer rows or steps", s.MaxTime)
	}
	return err
}

// samplerError says that an error is about the sampler that the request names.
func samplerError(q *request, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return wrong(q.options.at(optSampler), "%v", err)
}
