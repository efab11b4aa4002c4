package service

import (
	"context"
	"encoding/json"
	"sync"

	"mattis/recipe"
)

// logs keeps what log Z is by some seeds.
type logs struct {
	sync.Mutex
	found map[uint64][]byte
}

// mostLogs bounds the seeds whose log Z is kept.
const mostLogs = 64

// logz answers with log Z.
func (s *Service) logz(_ *served, q *request) error {
	m, seed := q.loaded, q.options.seed(0)
	m.logs.Lock()
	text := m.logs.found[seed]
	m.logs.Unlock()
	if text == nil {
		var err error
		if text, err = s.measure(q, seed); err != nil {
			return err
		}
		m.logs.Lock()
		if m.logs.found == nil || len(m.logs.found) >= mostLogs {
			m.logs.found = map[uint64][]byte{}
		}
		m.logs.found[seed] = text
		m.logs.Unlock()
	}
	sendJSON(q.w, text)
	return nil
}

// measure returns the answer. One request at a time measures: a measure leaves things in the engine's
// arena where it lets others have their turn, which two of them would take from each other.
func (s *Service) measure(q *request, seed uint64) ([]byte, error) {
	select {
	case s.measuring <- struct{}{}:
		defer func() { <-s.measuring }()
	case <-q.ctx.Done():
		return nil, errGone
	}
	q.loaded.logs.Lock()
	text := q.loaded.logs.found[seed] // of the request before this one
	q.loaded.logs.Unlock()
	if text != nil {
		return text, nil
	}
	const name = "logz"
	j := &recipe.Judge{Model: q.loaded.Model, Seed: seed}
	if looks, needs := j.NeedsData([]string{name}); looks {
		split, err := q.loaded.data()
		if err != nil && needs {
			return nil, refused(422, "the training rows of this run are not where the service runs")
		}
		j.Split = split
	}
	wanted := recipe.Wanted{Measure: name}
	if err := s.Measurable(j, []recipe.Wanted{wanted}); err != nil {
		return nil, refused(413, "%v", err)
	}
	err := s.alone(q, func(ctx context.Context, stay *stay) error {
		j.Progress = func(float64) { stay.pass() }
		r, err := j.Measure(ctx, wanted)
		if err != nil {
			return err
		}
		result, err := json.Marshal(r)
		if err != nil {
			return err
		}
		var x struct {
			Value  json.RawMessage `json:"value"`
			Stderr json.RawMessage `json:"stderr"`
			Detail json.RawMessage `json:"detail"`
			Step   int             `json:"step"`
		}
		if err := json.Unmarshal(result, &x); err != nil {
			return err
		}
		x.Step = q.loaded.Step
		text, err = json.Marshal(x)
		return err
	})
	return text, err
}
