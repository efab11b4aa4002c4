package service

import (
	"context"
	"slices"
	"strings"

	"mattis/data"
	"mattis/recipe"
	"mattis/view"
)

// reconstruct answers with the rows, what is unknown of them drawn given the rest.
func (s *Service) reconstruct(run *served, q *request) error {
	m, o := q.loaded, &q.options
	label := o.text(optLabel, "")
	if err := m.CheckLabel(label); err != nil {
		return wrong(o.at(optLabel), "%v", err)
	}
	known, err := q.known()
	if err != nil {
		return err
	}
	if err := q.pictured(q.rows); err != nil {
		return err
	}
	v := m.Visible()
	if err := s.answerRoom(q, q.rows, 4*v); err != nil {
		return err
	}
	given, original, result := make([][]int8, q.rows), make([][]int8, q.rows), make([]int8, q.rows*v)
	flat := make([]int8, q.rows*v)
	for i := range given {
		original[i], given[i] = q.spins[i*v:(i+1)*v], flat[i*v:(i+1)*v]
		data.Corrupt(given[i], original[i], known)
		m.LayLabel(label, given[i])
	}
	err = s.alone(q, func(ctx context.Context, stay *stay) error {
		moves, err := s.moves(ctx, run, q, nil)
		if err != nil {
			return err
		}
		_, err = m.Complete(ctx, recipe.Completion{Steps: o.whole(optSteps, 10), Moves: moves, Seed: o.seed(1), Progress: func(int) { stay.pass() }}, given, result)
		return err
	})
	if err != nil {
		return err
	}
	s.meters.rows.WithLabelValues("reconstruct").Add(float64(q.rows))
	n := m.Pixels()
	pixels := make([]int8, 0, q.rows*n)
	for row := range slices.Chunk(result, v) {
		pixels = append(pixels, row[:n]...)
	}
	return q.sendSpins(pixels, func() error {
		for i := range given {
			given[i], original[i] = given[i][:n], original[i][:n]
		}
		return view.EncodeReconstructions(q.w, given, slices.Collect(slices.Chunk(pixels, n)), original, view.Sheet{Height: m.Height, Width: m.Width})
	})
}

// known returns the mask of the known visible spins; label spins are unknown. Where the request
// names none the rows say themselves what is missing of them.
func (q *request) known() ([]bool, error) {
	m, v := q.loaded, q.options[optKnown]
	n := m.Pixels()
	place := q.options.at(optKnown)
	mask := v.mask
	switch {
	case !v.given:
		gaps := false
		for row := range slices.Chunk(q.spins, m.Visible()) {
			gaps = gaps || slices.Contains(row[:n], 0)
		}
		if !gaps {
			return nil, wrong(place, "is missing, and every value of the rows is known: name the known ones, or give null for those that are not")
		}
		mask = make([]bool, n)
		for i := range mask {
			mask[i] = true
		}
	case mask != nil:
		if len(mask) != n {
			return nil, wrong(place, "%d values, want one for each of the %d spins of a row", len(mask), n)
		}
	default:
		// Nothing else: other words are names of files to the command.
		if !strings.HasPrefix(v.text, "rows:") && !strings.HasPrefix(v.text, "spins:") {
			return nil, wrong(place, "%s, want rows:a-b, spins:a-b or a list of 1 and 0", shown(v.text, true))
		}
		var err error
		if mask, err = data.ParseMask(v.text, n, m.Height, m.Width); err != nil {
			return nil, wrong(place, "%v", err)
		}
	}
	return append(slices.Clip(mask), make([]bool, m.Visible()-n)...), nil
}
