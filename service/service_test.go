package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mattis/run"
)

// hold keeps the engine until the function that it returns is called.
func (w *world) hold() (free func()) {
	w.turn <- struct{}{}
	return func() { <-w.turn }
}

// waits returns once so many requests are in the service.
func (w *world) waits(n int) {
	w.t.Helper()
	for range 10_000 {
		if w.queued.Load() == int64(n) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	w.t.Fatalf("%d requests are in the service, want %d", w.queued.Load(), n)
}

// Fails for a batch that changes a bit of an answer, that mixes up whose rows are whose, or that is
// none: requests that come while the engine is busy share a call.
func TestTogether(t *testing.T) {
	w := begin(t, nil, "axons", "dense", "deep")
	for name := range machines {
		asked := make([][][]int, 12)
		alone, beside := make([]answered, len(asked)), make([]answered, len(asked))
		means, meansBeside := make([]answered, len(asked)), make([]answered, len(asked))
		for i := range asked {
			asked[i] = rows(1+i*i*i%150, 16, uint64(i))
			alone[i] = w.post(name+"/score", map[string]any{"rows": asked[i]})
			means[i] = w.post(name+"/features", map[string]any{"rows": asked[i]})
		}
		free := w.hold()
		var all sync.WaitGroup
		for i := range asked {
			all.Go(func() { beside[i] = w.post(name+"/score", map[string]any{"rows": asked[i]}) })
			all.Go(func() { meansBeside[i] = w.post(name+"/features", map[string]any{"rows": asked[i]}) })
		}
		w.waits(2 * len(asked))
		free()
		all.Wait()
		for i := range asked {
			if len(alone[i].Free) != len(asked[i]) || !sameBits(alone[i].Free, beside[i].Free) {
				t.Errorf("%s: score of %d rows beside others is %v, alone %v", name, len(asked[i]), beside[i].Free, alone[i].Free)
			}
			if len(means[i].Hidden) != len(asked[i]) || len(meansBeside[i].Hidden) != len(asked[i]) {
				t.Fatalf("%s: features of %d rows: %d and %d", name, len(asked[i]), len(means[i].Hidden), len(meansBeside[i].Hidden))
			}
			for r := range asked[i] {
				if !sameBits(means[i].Hidden[r], meansBeside[i].Hidden[r]) {
					t.Errorf("%s: features of row %d of %d beside others differ", name, r, len(asked[i]))
				}
			}
		}
	}
	_, text := w.ask("GET", "/metrics", nil)
	for _, want := range []string{`mattis_batch_requests_bucket{operation="score",le="1"}`, `mattis_batch_requests_count{operation="features"}`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	var shared, calls float64
	for line := range strings.Lines(string(text)) {
		fmt.Sscanf(line, `mattis_batch_requests_sum{operation="score"} %g`, &shared)
		fmt.Sscanf(line, `mattis_batch_requests_count{operation="score"} %g`, &calls)
	}
	if shared <= calls {
		t.Errorf("%v requests in %v calls: none shared one", shared, calls)
	}
}

// What is drawn depends on the request and its seed, whatever else is drawn at the time and however
// the requests take turns.
func TestDrawsBesideOthers(t *testing.T) {
	w := begin(t, func(o *Options) { o.MaxQueue = 1000 }, "axons", "dense", "deep")
	type draw struct {
		place string
		body  map[string]any
	}
	var draws []draw
	for name := range machines {
		for _, sampler := range []string{"gibbs", "tempering", "annealing"} {
			draws = append(draws, draw{name + "/sample", map[string]any{"count": 5, "steps": 400, "chains": 3, "seed": 9, "sampler": sampler}},
				draw{name + "/reconstruct", map[string]any{"rows": rows(7, 16, 3), "known": "rows:1-2", "steps": 60, "seed": 4, "sampler": sampler}})
		}
		draws = append(draws, draw{name + "/logz", map[string]any{"seed": 5}}, draw{name + "/features", map[string]any{"rows": rows(90, 16, 8), "sample": true, "seed": 2}})
	}
	alone := make([]answered, len(draws))
	for i, d := range draws {
		alone[i] = w.post(d.place, d.body)
	}
	for _, r := range w.runs {
		r.now.Load().logs.found = nil
	}
	var all sync.WaitGroup
	for range 3 {
		for i, d := range draws {
			all.Go(func() {
				x, y := alone[i], w.post(d.place, d.body)
				x.Stderr, y.Stderr = nil, nil
				if a, b := fmt.Sprint(x), fmt.Sprint(y); a != b {
					t.Errorf("%s %.100v: %.200s beside others, %.200s alone", d.place, d.body, b, a)
				}
			})
		}
	}
	all.Wait()
}

// A small request is answered while a long one is at work, and the long one ends when its client
// goes, or when it has used the engine too long.
func TestTurns(t *testing.T) {
	w := begin(t, func(o *Options) { o.MaxSteps = 1 << 30 }, "axons")
	ctx, leave := context.WithCancel(context.Background())
	r, _ := http.NewRequestWithContext(ctx, "POST", w.url+"/v1/runs/axons/sample", strings.NewReader(`{"steps": 1000000000, "count": 500}`))
	r.Header.Set("Content-Type", "application/json")
	ended := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(r)
		ended <- err
	}()
	w.waits(1)
	for range 5 {
		w.post("axons/score", map[string]any{"rows": rows(3, 16, 1)})
		w.post("axons/sample", map[string]any{"steps": 10})
	}
	if w.queued.Load() != 1 {
		t.Fatal("the long request has ended early")
	}
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.waits(0)
	w.MaxTime = 20 * time.Millisecond
	for _, body := range []string{`{"steps": 1000000000}`, `{"steps": 1000000000, "sampler": "annealing"}`, `{"steps": 1000000000, "sampler": "tempering"}`} {
		got, b := w.ask("POST", "/v1/runs/axons/sample", strings.NewReader(body), "Content-Type", "application/json")
		if got.StatusCode != 422 || !strings.Contains(string(b), "more than the 20ms") {
			t.Errorf("%s: %d %s", body, got.StatusCode, b)
		}
	}
}

// Fails for a queue without an end, and for one whose places are lost.
func TestQueue(t *testing.T) {
	w := begin(t, func(o *Options) { o.MaxQueue = 3 }, "dense")
	free := w.hold()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { w.post("dense/score", map[string]any{"rows": rows(2, 16, 1)}) })
	}
	w.waits(3)
	got, b := w.ask("POST", "/v1/runs/dense/score", strings.NewReader(`{"rows": [[1]]}`), "Content-Type", "application/json")
	if got.StatusCode != 429 || got.Header.Get("Retry-After") != "1" || !strings.Contains(string(b), "3 requests wait") {
		t.Errorf("%d, Retry-After %q: %s", got.StatusCode, got.Header.Get("Retry-After"), b)
	}
	free()
	all.Wait()
	w.post("dense/score", map[string]any{"rows": rows(2, 16, 1)})
}

// A newer checkpoint is taken, a damaged one is not, and no answer mixes two.
func TestReload(t *testing.T) {
	w := begin(t, nil, "dense")
	x := map[string]any{"rows": rows(40, 16, 5)}
	want := map[int]answered{}
	first := w.post("dense/score", x)
	want[first.Step] = first
	stop := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[int][]answered{}
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a := w.post("dense/score", x)
				mu.Lock()
				seen[a.Step] = append(seen[a.Step], a)
				mu.Unlock()
			}
		})
	}
	for epochs := 4; epochs < 9; epochs++ {
		train(t, w.folder, "dense", epochs)
		w.runs[0].look(context.Background(), time.Now())
		a := w.post("dense/score", x)
		if want[a.Step].Step != 0 {
			t.Errorf("after epoch %d update %d is served still", epochs, a.Step)
		}
		want[a.Step] = a
	}
	close(stop)
	all.Wait()
	for step, list := range seen {
		for _, a := range list {
			if !sameBits(a.Free, want[step].Free) {
				t.Fatalf("an answer of update %d has the numbers %v, want %v", step, a.Free, want[step].Free)
			}
		}
	}
	if len(want) != 6 {
		t.Errorf("%d checkpoints were served, want 6", len(want))
	}

	// A damaged newest one: the last good one goes on, and it is said once.
	last := w.runs[0].now.Load().Step
	path := filepath.Join(w.folder, "dense", "checkpoints", run.CheckpointFile(last))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(w.folder, "dense", "checkpoints", run.CheckpointFile(last+1))
	if err := os.WriteFile(newer, b[:len(b)/2], 0o666); err != nil {
		t.Fatal(err)
	}
	w.told = nil
	for range 3 {
		w.runs[0].look(context.Background(), time.Now())
	}
	if a := w.post("dense/score", x); a.Step != last || len(w.told) != 1 || !strings.Contains(w.told[0], "damaged checkpoint passed over") {
		t.Errorf("update %d is served, want %d; told %q", a.Step, last, w.told)
	}
	// A run that is gone is served on.
	if err := os.RemoveAll(filepath.Join(w.folder, "dense")); err != nil {
		t.Fatal(err)
	}
	w.runs[0].look(context.Background(), time.Now())
	if a := w.post("dense/score", x); !sameBits(a.Free, want[last].Free) {
		t.Error("a run that is gone has other numbers")
	}
}

// The document names every option, and what it names is taken.
func TestDocument(t *testing.T) {
	w := begin(t, nil, "axons")
	_, text := w.ask("GET", "/openapi.json", nil)
	var doc struct {
		OpenAPI    string `json:"openapi"`
		Components map[string]map[string]any
		Paths      map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || len(doc.Paths) != 5+len(operations) {
		t.Errorf("version %s, %d paths", doc.OpenAPI, len(doc.Paths))
	}
	for part := range strings.SplitSeq(string(text), `"$ref":"#/components/`) {
		if name, _, ok := strings.Cut(part, `"`); ok && !strings.HasPrefix(part, "{") {
			group, key, _ := strings.Cut(name, "/")
			if doc.Components[group][key] == nil {
				t.Errorf("a reference to components/%s, which is not there", name)
			}
		}
	}
	for _, op := range operations {
		var post struct {
			RequestBody struct {
				Content map[string]struct {
					Schema struct{ Properties map[string]map[string]any }
				}
			}
		}
		if err := json.Unmarshal(doc.Paths["/v1/runs/{run}/"+op.name]["post"], &post); err != nil {
			t.Fatal(err)
		}
		properties := post.RequestBody.Content["application/json"].Schema.Properties
		if len(properties) != len(op.takes) {
			t.Errorf("%s has %d options in the document and %d in the table", op.name, len(properties), len(op.takes))
		}
		body := map[string]any{}
		if op.rows {
			body["rows"] = rows(2, 16, 1)
		}
		if op.gaps {
			body["known"] = "rows:1-2"
		}
		for name, x := range properties { // every default, said aloud
			if x["default"] != nil && name != "seed" {
				body[name] = x["default"]
			}
		}
		w.post("axons/"+op.name, body)
	}
}

// With a token nothing but the health is told without it.
func TestToken(t *testing.T) {
	const token = "0123456789abcdef-secret"
	w := begin(t, func(o *Options) { o.Token = token }, "axons")
	for place, method := range map[string]string{"/v1/runs": "GET", "/v1/runs/axons": "GET", "/v1/runs/axons/sample": "POST", "/metrics": "GET", "/openapi.json": "GET", "/nowhere": "GET"} {
		for given, want := range map[string]int{"": 401, "Bearer wrong": 401, "Basic " + token: 401, "Bearer " + token + "x": 401, "Bearer  " + token: 200, "bearer " + token: 200} {
			if place == "/nowhere" && want == 200 {
				want = 404
			}
			got, b := w.ask(method, place, nil, "Authorization", given, "Host", "machines.example")
			if got.StatusCode != want || want == 401 && (got.Header.Get("WWW-Authenticate") == "" || bytes.Contains(b, []byte("axons"))) {
				t.Errorf("%s %s with %q: %d, want %d: %s", method, place, given, got.StatusCode, want, b)
			}
		}
	}
	if got, _ := w.ask("GET", "/healthz", nil, "Host", "10.0.0.1"); got.StatusCode != 200 {
		t.Errorf("healthz: %d", got.StatusCode)
	}
	if got, _ := w.ask("GET", "/v1/runs", nil, "Authorization", "Bearer "+token, "Origin", "http://evil.example"); got.StatusCode != 403 {
		t.Errorf("another origin with the token: %d, want 403", got.StatusCode)
	}
}
