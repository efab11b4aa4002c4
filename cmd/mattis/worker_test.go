package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mattis/compute/cpu"
	"mattis/recipe"
	"mattis/run"
	"mattis/tensorfile"
)

// client talks to a worker in this process.
type client struct {
	t     *testing.T
	w     *bufio.Writer
	r     *bufio.Reader
	close func() error
	ended chan error
	id    int
}

func startWorker(t *testing.T) *client {
	in, toWorker := io.Pipe()
	fromWorker, out := io.Pipe()
	c := &client{t: t, w: bufio.NewWriter(toWorker), r: bufio.NewReader(fromWorker), close: toWorker.Close, ended: make(chan error, 1)}
	engine := cpu.New(1)
	go func() {
		w := &worker{engine: engine, arm: "test", threads: 1, out: bufio.NewWriter(out)}
		c.ended <- w.serve(t.Context(), bufio.NewReader(in))
		out.Close()
		engine.Close()
	}()
	t.Cleanup(func() { toWorker.Close(); go io.Copy(io.Discard, fromWorker) })
	return c
}

// send sends a request and returns its number.
func (c *client) send(op string, fields map[string]any, bodies ...[]byte) int {
	c.t.Helper()
	c.id++
	head := map[string]any{"op": op, "id": c.id}
	maps.Copy(head, fields)
	if err := writeFrame(c.w, head, bodies...); err != nil {
		c.t.Fatal(err)
	}
	return c.id
}

// receive returns the next event.
func (c *client) receive() (map[string]any, [][]byte) {
	c.t.Helper()
	f, err := readFrame(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	var head map[string]any
	if err := json.Unmarshal(f.head, &head); err != nil {
		c.t.Fatal(err)
	}
	return head, f.bodies
}

// ask returns the answer to a request, past its events.
func (c *client) ask(op string, fields map[string]any, bodies ...[]byte) (map[string]any, [][]byte) {
	c.t.Helper()
	c.send(op, fields, bodies...)
	for {
		if head, bodies := c.receive(); head["event"] == "done" || head["event"] == "error" {
			return head, bodies
		}
	}
}

func numbers[E tensorfile.Element](t *testing.T, body []byte) []E {
	t.Helper()
	x, err := tensorfile.ReadNPY(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	v, err := tensorfile.Values[E](x)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const workerRecipe = `seed: 3
machine: {hidden: 5, biases: both, offset: mean}
couplings: {kind: dense}
negative: {kind: pcd, steps: 1, chains: 8}
optimizer: {kind: adam, rate: 0.01}
train: {epochs: 4, batch: 5}
`

// barRows are 16 rows of 16 spins.
func barRows() []int8 {
	var x []int8
	for i := range 16 {
		for j := range 16 {
			s := int8(-1)
			if i>>(j%4)&1 == 1 {
				s = 1
			}
			x = append(x, s)
		}
	}
	return x
}

func names(list ...string) map[string]any { return map[string]any{"names": list} }

func with(m map[string]any, key string, value any) map[string]any {
	n := maps.Clone(m)
	n[key] = value
	return n
}

// What a worker trains and then says is what the packages say of a training of the same recipe on the same rows: a program
// that trained by a loop of its own, or forgot the offset, a bias or the constant, would not agree.
func TestWorkerIsTheTraining(t *testing.T) {
	c := startWorker(t)
	dir := filepath.Join(t.TempDir(), "run")
	rows := npy(barRows(), 16, 16)
	fit := map[string]any{"names": []string{"train"}, "recipe": workerRecipe, "run": dir, "keep": true, "height": 4, "width": 4}
	if head, _ := c.ask("fit", fit, rows); head["event"] != "done" || head["epoch"] != 4.0 {
		t.Fatal(head)
	}
	d, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	engine := cpu.New(1)
	defer engine.Close()
	m, _, err := recipe.LoadModel(d, -1, engine)
	if err != nil {
		t.Fatal(err)
	}
	split, err := m.LoadData() // of the rows that the run keeps, with the digest of those that it was trained on
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.Recipe()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse("again", text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := run.Create(filepath.Join(t.TempDir(), "again"))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	s, err := recipe.Begin(r, split, again, engine, run.Session{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, errA := os.ReadFile(filepath.Join(dir, "checkpoints", "00000016.safetensors"))
	b, errB := os.ReadFile(filepath.Join(again.Path(), "checkpoints", "00000016.safetensors"))
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("the checkpoints differ (%v, %v)", errA, errB)
	}
	want, _, err := m.FreeEnergies(t.Context(), split.Train, nil)
	if err != nil {
		t.Fatal(err)
	}
	head, bodies := c.ask("free_energy", names("rows"), rows)
	if head["event"] != "done" {
		t.Fatal(head)
	}
	parameters, _ := c.ask("parameters", nil)
	constant := parameters["constant"].(float64)
	for i, f := range numbers[float64](t, bodies[0]) {
		if math.Abs(f+constant-want[i]) > 1e-12*math.Abs(want[i]) {
			t.Errorf("row %d: F = %v and the constant %v, want together %v", i, f, constant, want[i])
		}
	}
	if constant == 0 {
		t.Error("the constant between the conventions is 0")
	}
}

// A state that is loaded in another worker goes on as the first one does.
func TestWorkerState(t *testing.T) {
	a, b := startWorker(t), startWorker(t)
	rows := npy(barRows(), 16, 16)
	part := map[string]any{"names": []string{"train"}, "recipe": workerRecipe}
	for range 3 {
		if head, _ := a.ask("partial_fit", part, rows); head["event"] != "done" {
			t.Fatal(head)
		}
	}
	head, state := a.ask("state", nil)
	load := map[string]any{"names": []string{"state", "rows"}, "recipe": head["recipe"], "step": head["step"]}
	if head, _ := b.ask("load", load, state...); head["event"] != "done" || head["step"] != 3.0 {
		t.Fatal(head)
	}
	var after [2][]byte
	for i, c := range []*client{a, b} {
		if head, _ := c.ask("partial_fit", part, rows); head["event"] != "done" {
			t.Fatal(head)
		}
		_, bodies := c.ask("state", nil)
		after[i] = bodies[0]
	}
	if !bytes.Equal(after[0], after[1]) {
		t.Error("an update after load is not the one without")
	}
	if bytes.Equal(after[0], state[0]) {
		t.Error("an update changed nothing")
	}
	state[0][len(state[0])-1] ^= 1
	if head, _ := b.ask("load", load, state...); head["event"] != "error" || !strings.Contains(head["message"].(string), "the state") {
		t.Errorf("a damaged state: %v", head)
	}
	if head, _ := b.ask("transform", names("rows"), rows); head["event"] != "done" {
		t.Errorf("after a damaged state: %v", head)
	}
}

func TestWorkerRefuses(t *testing.T) {
	c := startWorker(t)
	rows := npy(barRows(), 16, 16)
	fit := map[string]any{"names": []string{"train"}, "recipe": workerRecipe, "run": filepath.Join(t.TempDir(), "run")}
	refused := func(kind, words, op string, fields map[string]any, bodies ...[]byte) {
		t.Helper()
		head, _ := c.ask(op, fields, bodies...)
		text, _ := head["message"].(string)
		if head["event"] != "error" || head["kind"] != kind || !strings.Contains(text, words) || strings.Contains(text, "\n") {
			t.Errorf("%s: %v, want an error of kind %s with %q", op, head, kind, words)
		}
	}
	refused("value", "no machine yet", "transform", names("rows"), rows)
	refused("value", `called "nope"`, "nope", nil)
	refused("value", "unknown field", "hello", map[string]any{"foo": 1})
	refused("value", "2 names of 1 bodies", "fit", with(fit, "names", []string{"train", "test"}), rows)
	refused("value", "no training rows", "fit", with(fit, "names", []string{}))
	refused("value", "no npy file", "fit", fit, []byte("nonsense"))
	refused("value", "want I8", "fit", fit, npy([]float32{1, 1}, 1, 2))
	refused("value", "want I8 of two sizes", "fit", fit, npy([]int8{1, 1}, 2))
	refused("value", "row 2 has the value 0", "fit", fit, npy([]int8{1, 1, 1, 0}, 2, 2))
	refused("value", "no rows", "fit", fit, npy([]int8{}, 0, 2))
	refused("value", "rows of no values", "fit", fit, npy([]int8{}, 2, 0))
	refused("value", "no images of 3x5", "fit", with(with(fit, "height", 3), "width", 5), rows)
	refused("value", "train.batch", "fit", with(fit, "settings", []string{"train.batch=0"}), rows)
	refused("value", "deep is no restricted machine", "fit", with(fit, "recipe", strings.Replace(workerRecipe, "hidden: 5,", "kind: deep, hidden: [5, 4],", 1)), rows)
	best := []string{"measure.every=1", "measure.test=[pseudo_likelihood]", "train.best={measure: pseudo_likelihood}", "train.stop.patience=3"}
	refused("value", "there are no test rows: give some", "fit", with(fit, "settings", best), rows)
	refused("value", "recipe:1", "fit", with(fit, "recipe", "machine: {hiden: 1}"), rows)
	refused("failed", "no such run directory", "open", map[string]any{"run": "nowhere", "checkpoint": "last"})
	if head, _ := c.ask("fit", fit, rows); head["event"] != "done" {
		t.Fatal(head)
	}
	refused("failed", "already exists", "fit", fit, rows)
	refused("value", "15 values", "transform", names("rows"), npy(barRows()[:30], 2, 15))
	refused("value", "1 flips of 16 rows", "score_samples", names("rows", "flips"), rows, npy([]int32{0}, 1))
	refused("value", "no spin of 16", "score_samples", names("rows", "flips"), npy(barRows()[:16], 1, 16), npy([]int32{16}, 1))
	refused("value", "count 0", "sample", map[string]any{"count": 0})
	refused("value", "chains 9", "sample", map[string]any{"count": 3, "chains": 9})
	refused("value", "more than a frame holds", "sample", map[string]any{"count": mostBody})
	refused("value", "steps 0", "reconstruct", names("rows"), rows)
	refused("value", "logz_magic", "log_partition", map[string]any{"measure": "logz_magic"})
	if head, _ := c.ask("transform", names("rows"), rows); head["event"] != "done" { // it is still there
		t.Fatal(head)
	}
	c.close()
	if err := <-c.ended; err != nil {
		t.Errorf("the end of the input: %v", err)
	}
}

// Whatever comes in place of a frame ends the worker with a word about it; nothing makes it wait or take memory.
func TestWorkerGarbage(t *testing.T) {
	head := func(text string) []byte {
		return append(binary.LittleEndian.AppendUint32([]byte(frameMagic), uint32(len(text))), text...)
	}
	for _, c := range []struct{ in, words string }{
		{"", ""},
		{"MT", "ends after 2 bytes"},
		{"MTW1\x00", "ends after 5 bytes"},
		{"GET / HTTP/1.1\r\n", "another protocol"},
		{"MTW1\xff\xff\xff\xff", "4294967295 bytes"},
		{"MTW1\x10\x00\x00\x00{}", "within a frame's head"},
		{string(head("[]")), "no JSON object"},
		{string(head(`{"bodies":[-1]}`)), "has -1 bytes"},
		{string(head(`{"bodies":[1073741825]}`)), "has 1073741825 bytes"},
		{string(head(`{"bodies":[` + strings.Repeat("0,", mostBodies) + `0]}`)), "1025 bodies"},
		{string(head(`{"bodies":[1000000000]}`)) + "abc", "after 3 of the 1000000000 bytes of body 1"},
	} {
		w := &worker{out: bufio.NewWriter(io.Discard)}
		err := w.serve(t.Context(), bufio.NewReader(strings.NewReader(c.in)))
		if (err == nil) != (c.words == "") || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%.40q: %v, want %q", c.in, err, c.words)
		}
	}
}

// A request to stop ends a training with a checkpoint and a machine; one that comes late stops nothing else.
func TestWorkerStops(t *testing.T) {
	c := startWorker(t)
	rows := npy(barRows(), 16, 16)
	dir := filepath.Join(t.TempDir(), "run")
	fit := map[string]any{"names": []string{"train"}, "recipe": workerRecipe, "run": dir, "settings": []string{"train.epochs=1000000000"}}
	id := c.send("fit", fit, rows)
	for {
		head, _ := c.receive()
		if head["event"] == "epoch" && head["epoch"].(float64) >= 2 {
			break
		}
		if head["event"] != "epoch" {
			t.Fatal(head)
		}
	}
	go func() { writeFrame(c.w, map[string]any{"op": "stop", "id": id}) }()
	var head map[string]any
	for head, _ = c.receive(); head["event"] == "epoch"; head, _ = c.receive() {
	}
	if head["event"] != "done" || head["interrupted"] != true {
		t.Fatal(head)
	}
	d, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := d.Newest(); err != nil || c.Step < 8 {
		t.Errorf("the checkpoint: %v, %v", c, err)
	}
}

// The end of the input ends a training that nobody waits for.
func TestWorkerEndsWithItsInput(t *testing.T) {
	c := startWorker(t)
	fit := map[string]any{"names": []string{"train"}, "recipe": workerRecipe, "run": filepath.Join(t.TempDir(), "run"), "settings": []string{"train.epochs=1000000000"}}
	c.send("fit", fit, npy(barRows(), 16, 16))
	c.receive()
	c.close()
	go io.Copy(io.Discard, c.r)
	select {
	case err := <-c.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
}

// Chains of gibbs requests are those of the machine: one sweep under the seed.
func TestWorkerGibbs(t *testing.T) {
	c := startWorker(t)
	rows := npy(barRows(), 16, 16)
	if head, _ := c.ask("partial_fit", map[string]any{"names": []string{"train"}, "recipe": workerRecipe}, rows); head["event"] != "done" {
		t.Fatal(head)
	}
	sweep := func(seed int) []int8 {
		head, bodies := c.ask("gibbs", map[string]any{"names": []string{"rows"}, "steps": 1, "seed": seed}, rows)
		if head["event"] != "done" {
			t.Fatal(head)
		}
		return numbers[int8](t, bodies[0])
	}
	a, b, other := sweep(1), sweep(1), sweep(2)
	if !bytes.Equal(spinBytes(a), spinBytes(b)) || bytes.Equal(spinBytes(a), spinBytes(other)) || len(a) != 256 {
		t.Errorf("%d spins; seeds do not decide", len(a))
	}
}

func spinBytes(x []int8) []byte {
	b := make([]byte, len(x))
	for i, s := range x {
		b[i] = byte(s)
	}
	return b
}

// FuzzFrame reads whatever there is as a frame: an error or a frame that is written back to the same bytes of bodies.
func FuzzFrame(f *testing.F) {
	var b bytes.Buffer
	writeFrame(bufio.NewWriter(&b), map[string]any{"op": "fit", "id": 1, "names": []string{"train"}}, npy([]int8{1, -1}, 1, 2))
	f.Add(b.Bytes())
	f.Add([]byte("MTW1\x02\x00\x00\x00{}"))
	f.Add([]byte("MTW1\x0e\x00\x00\x00{\"bodies\":[3]}ab"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := readFrame(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			return
		}
		total := 8 + len(got.head)
		for _, body := range got.bodies {
			total += len(body)
		}
		if got.refuse == nil && total > len(in) {
			t.Errorf("a frame of %d bytes from %d", total, len(in))
		}
	})
}
