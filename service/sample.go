package service

import (
	"context"
	"slices"

	"mattis/bm"
	"mattis/data"
	"mattis/recipe"
	"mattis/view"
)

// mostPictured bounds the images of one picture.
const mostPictured = 4096

// sample answers with samples.
func (s *Service) sample(run *served, q *request) error {
	m, o := q.loaded, &q.options
	count, steps := o.whole(optCount, 16), o.whole(optSteps, 100)
	chains := o.whole(optChains, count)
	label, seed := o.text(optLabel, ""), o.seed(1)
	if chains > count {
		return wrong(o.at(optChains), "%d, want 1 to the number of samples, %d", chains, count)
	}
	if err := m.CheckLabel(label); err != nil {
		return wrong(o.at(optLabel), "%v", err)
	}
	if err := q.pictured(count); err != nil {
		return err
	}
	if err := s.answerRoom(q, count, 2*m.Visible()); err != nil {
		return err
	}
	from := o.text(optFrom, "random")
	var rows *data.Set
	if from == "data" {
		split, err := m.data()
		if err != nil {
			s.Told("sample from data: " + err.Error())
			return wrong(o.at(optFrom), "the training rows of this run are not where the service runs")
		}
		rows = split.Train
	}
	spins := make([]int8, 0, count*m.Pixels())
	err := s.alone(q, func(ctx context.Context, stay *stay) error {
		var start recipe.Start
		var err error
		switch from {
		case "random":
			start = m.RandomStart(seed)
		case "patterns":
			if start, err = m.PatternStart(); err != nil {
				return wrong(o.at(optFrom), "%v", err)
			}
		case "data":
			start = m.ShuffledStart(rows, seed)
		}
		clamp := m.LabelClamp(label)
		moves, err := s.moves(ctx, run, q, clamp)
		if err != nil {
			return err
		}
		_, err = m.Sample(ctx, recipe.Sampling{Count: count, Steps: steps, Chains: chains, Start: start, Moves: moves, Clamp: clamp,
			Seed: seed, Progress: func(int) { stay.pass() }}, func(x []int8) error {
			for row := range slices.Chunk(x, m.Visible()) {
				spins = append(spins, row[:m.Pixels()]...)
			}
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	s.meters.rows.WithLabelValues("sample").Add(float64(count))
	return q.sendSpins(spins, func() error {
		return view.EncodeTiles(q.w, slices.Collect(slices.Chunk(spins, m.Pixels())), view.Sheet{Height: m.Height, Width: m.Width})
	})
}

// moves prepares the sampler that the request names. The caller has the engine.
func (s *Service) moves(ctx context.Context, run *served, q *request, clamp []int8) (*recipe.Moves, error) {
	name := q.options.text(optSampler, "gibbs")
	var earlier []*bm.Machine
	if name == "trajectory" {
		var err error
		if earlier, err = run.before(q.loaded); err != nil {
			return nil, samplerError(q, err)
		}
	}
	moves, err := q.loaded.Moves(ctx, name, q.options.seed(1), clamp, earlier)
	if err != nil {
		return nil, samplerError(q, err)
	}
	return moves, nil
}

// pictured returns an error where the answer is a picture and so many rows make none.
func (q *request) pictured(rows int) error {
	switch {
	case q.kind != kindPNG:
	case q.loaded.Height == 0:
		return at(406, "header.Accept", "%s: the machine's rows are plain, not images; want %s or %s", kindPNG, kindJSON, kindNPY)
	case rows > mostPictured:
		return refused(413, "a picture shows at most %d images, not %d", mostPictured, rows)
	}
	return nil
}

// sendSpins answers with rows of pixels.
func (q *request) sendSpins(spins []int8, picture func() error) error {
	m := q.loaded
	n := m.Pixels()
	rows := len(spins) / n
	switch q.kind {
	case kindPNG:
		q.w.Header().Set("Content-Type", kindPNG)
		patient(q.w, 0)
		return gone(picture())
	case kindNPY:
		if m.Height > 0 {
			return sendArray(q, spins, rows, m.Height, m.Width)
		}
		return sendArray(q, spins, rows, n)
	}
	a := q.json()
	a.list("rows", rows, func(i int) {
		a.inner(n, func(j int) { a.whole(int64(spins[i*n+j])) })
	})
	return a.end()
}
