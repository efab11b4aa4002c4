package service

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mattis/compute/cpu"
	"mattis/recipe"
	"mattis/run"
)

// The machines of the tests: one of each kind that a service treats in its own way.
var machines = map[string][]string{
	"axons": {"machine.hidden=30"},
	"dense": {"machine={hidden: 20, biases: both}", "couplings={kind: dense}", "negative={kind: cd}", "project={}"},
	"deep":  {"machine={kind: deep, hidden: [9, 6]}", "couplings={kind: dense}", "negative={kind: pcd}", "project={}", "positive={kind: mean-field}"},
}

// world is a service and what the test needs of it.
type world struct {
	*Service
	t      *testing.T
	folder string
	url    string
	told   []string
	mu     sync.Mutex
}

// train makes or goes on with the run of the name.
func train(t *testing.T, folder, name string, epochs int) {
	t.Helper()
	e := cpu.New(1)
	defer e.Close()
	dir := filepath.Join(folder, name)
	limit := fmt.Sprintf("train.epochs=%d", epochs)
	w, err := run.Resume(dir)
	var s *recipe.Session
	if err == nil {
		s, err = recipe.Continue(w, e, run.Session{Version: "test"}, limit)
	} else {
		kind, _, _ := strings.Cut(name, "-")
		var r *recipe.Recipe
		if r, err = recipe.Load("bars", append(machines[kind], limit, "measure={every: 0, test: [], train: [], last: []}")...); err != nil {
			t.Fatal(err)
		}
		split, err := r.LoadData()
		if err != nil {
			t.Fatal(err)
		}
		if w, err = run.Create(dir); err != nil {
			t.Fatal(err)
		}
		s, err = recipe.Begin(r, split, w, e, run.Session{Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

var defaults = Options{
	MaxBody: 1 << 20, MaxRows: 500, MaxSteps: 100_000, MaxQueue: 64, MaxMemory: 1 << 24, MaxTime: time.Minute, Look: time.Hour, Version: "test",
	Room:       func(string, float64) error { return nil },
	Measurable: func(*recipe.Judge, []recipe.Wanted) error { return nil },
}

// begin trains the runs and serves them.
func begin(t *testing.T, change func(o *Options), names ...string) *world {
	t.Helper()
	w := &world{t: t, folder: t.TempDir()}
	o := defaults
	o.Told = func(line string) { w.mu.Lock(); w.told = append(w.told, line); w.mu.Unlock() }
	if change != nil {
		change(&o)
	}
	var sources []Source
	for _, name := range names {
		train(t, w.folder, name, 3)
		d, err := run.Open(filepath.Join(w.folder, name))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, Source{name, d, func() (int, error) { return -1, nil }})
	}
	e := cpu.New(2)
	t.Cleanup(e.Close)
	var err error
	if w.Service, err = New(e, sources, o); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(nil)
	h.Config = w.HTTPServer()
	h.Start()
	t.Cleanup(h.Close)
	w.url = h.URL
	return w
}

// ask sends a request whose headers are given by pairs, and returns its answer.
func (w *world) ask(method, place string, body io.Reader, header ...string) (*http.Response, []byte) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+place, body)
	if err != nil {
		w.t.Error(err)
		return &http.Response{}, nil
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Error(err)
		return &http.Response{}, nil
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Error(err)
	}
	return answer, b
}

// post sends JSON and returns what is in the answer, which has to be a good one.
func (w *world) post(place string, body any) answered {
	w.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	got, b := w.ask("POST", "/v1/runs/"+place, bytes.NewReader(text), "Content-Type", "application/json")
	var a answered
	if got.StatusCode != 200 {
		w.t.Errorf("%s %.200s: %d %s", place, text, got.StatusCode, b)
	} else if err := json.Unmarshal(b, &a); err != nil {
		w.t.Errorf("%s: %v: %s", place, err, b)
	}
	return a
}

// answered is any answer.
type answered struct {
	Free   []float64       `json:"free_energy"`
	Hidden [][]float64     `json:"hidden"`
	Rows   [][]int8        `json:"rows"`
	Value  float64         `json:"value"`
	Stderr *float64        `json:"stderr"`
	Step   int             `json:"step"`
	Detail json.RawMessage `json:"detail"`
}

// rows returns rows of 0 and 1.
func rows(n, width int, seed uint64) [][]int {
	r := rand.New(rand.NewPCG(seed, 0))
	out := make([][]int, n)
	for i := range out {
		for range width {
			out[i] = append(out[i], r.IntN(2))
		}
	}
	return out
}

// sameBits reports whether two lists hold the same numbers to the last bit.
func sameBits(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			return false
		}
	}
	return true
}
