package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mattis/rng"
)

// mattis runs a command in this process and returns its standard output.
func mattis(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	c := command()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&errs)
	if err := c.ExecuteContext(context.Background()); err != nil {
		t.Fatalf("mattis %q: %v; %s", args, err, errs.String())
	}
	return out.String()
}

// serving runs mattis serve in this process until the function that it returns is called, which
// returns its error; url is its address without the last slash.
func serving(t *testing.T, args ...string) (address string, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	in, out := io.Pipe()
	c := command()
	c.SetArgs(append([]string{"serve", "--address", "127.0.0.1:0"}, args...))
	c.SetOut(out)
	c.SetErr(io.Discard)
	ended := make(chan error, 1)
	go func() {
		err := c.ExecuteContext(ctx)
		out.CloseWithError(fmt.Errorf("it has ended: %w", err))
		ended <- err
	}()
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("mattis serve %q: %v", args, err)
	}
	once := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { once() })
	return strings.TrimSuffix(strings.TrimSpace(line), "/"), once
}

// sent posts a body and returns the answer's, which has to be a good one.
func sent(t *testing.T, address, kind, accept string, body []byte) []byte {
	t.Helper()
	r, err := http.NewRequest("POST", address, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return nil
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		t.Errorf("%s: %d %v %.300s", address, answer.StatusCode, err, b)
	}
	return b
}

const labelled = `seed: 1
data: {name: csv, path: %q, header: true, labels: kind, labels_visible: true, height: 3, width: 3}
machine: {hidden: 20, biases: both}
couplings: {kind: dense}
negative: {kind: cd}
train: {epochs: 5, batch: 4}
measure: {every: 0, last: []}
`

// Every answer is byte by byte the file that the command writes, while others are asked for: scores,
// features, draws by every sampler, completions, pictures and log Z, of machines whose rows share
// calls of the engine and of one whose rows do not, with and without labels.
func TestServeIsTheCommands(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	table := "kind,a,b,c,d,e,f,g,h,i\n"
	for i := range 12 {
		table += []string{"cross,0,1,0,1,1,1,0,1,0\n", "flat,0,0,0,1,1,1,0,0,0\n", "wall,1,0,0,1,0,0,1,0,0\n"}[i%3]
	}
	for name, text := range map[string]string{"kinds.csv": table, "kinds.yaml": fmt.Sprintf(labelled, at("kinds.csv"))} {
		if err := os.WriteFile(at(name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	few := []string{"--set", "train.epochs=4", "--set", "measure.last=[]"}
	mattis(t, append([]string{"train", "bars", "--run", at("axons"), "--set", "machine.hidden=40", "--set", "train.checkpoint.epochs=1"}, few...)...)
	mattis(t, append([]string{"train", "bars-deep", "--run", at("deep"), "--set", "machine.hidden=[9, 5]"}, few...)...)
	mattis(t, "train", at("kinds.yaml"), "--run", at("kinds"))
	address, _ := serving(t, at("axons"), at("deep"), at("kinds"))

	rows := func(n, width int) []byte {
		x := make([]int8, n*width)
		for i := range x {
			x[i] = int8(rng.Key(n).Uint64(uint64(i), 0)&1)*2 - 1
		}
		return npy(x, n, width)
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	defer func() { close(stop); others.Wait() }()
	for i := range 3 {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					sent(t, address+"/v1/runs/axons/score", "application/x-npy", "application/x-npy", rows(1+i*40, 16))
					sent(t, address+"/v1/runs/axons/features", "application/x-npy", "application/x-npy", rows(3+i*20, 16))
				}
			}
		})
	}
	const asNPY, asPNG = "application/x-npy", "image/png"
	for i, c := range []struct {
		run, op, width, accept string
		options                []string // name and value
	}{
		{"axons", "score", "16", asNPY, nil},
		{"deep", "score", "16", asNPY, nil},
		{"kinds", "score", "9", asNPY, []string{"label", "wall"}},
		{"axons", "features", "16", asNPY, nil},
		{"axons", "features", "16", asNPY, []string{"sample", "true", "seed", "5"}},
		{"deep", "features", "16", asNPY, []string{"layer", "hidden2"}},
		{"deep", "features", "16", asNPY, []string{"sample", "true"}},
		{"kinds", "features", "9", asNPY, []string{"label", "flat"}},
		{"axons", "reconstruct", "16", asNPY, []string{"known", "rows:1-2", "seed", "18446744073709551615"}},
		{"axons", "reconstruct", "16", asPNG, []string{"known", "rows:1-1", "steps", "3"}},
		{"deep", "reconstruct", "16", asNPY, []string{"known", "spins:3-9", "sampler", "tempering"}},
		{"kinds", "reconstruct", "9", asNPY, []string{"known", "rows:1", "label", "cross"}},
		{"axons", "sample", "", asNPY, nil},
		{"axons", "sample", "", asNPY, []string{"count", "7", "chains", "2", "steps", "30", "from", "patterns", "seed", "3"}},
		{"axons", "sample", "", asNPY, []string{"count", "6", "from", "data", "sampler", "guided", "steps", "12"}},
		{"axons", "sample", "", asNPY, []string{"sampler", "trajectory", "steps", "9", "count", "4"}},
		{"axons", "sample", "", asNPY, []string{"sampler", "annealing", "steps", "9", "count", "4"}},
		{"deep", "sample", "", asNPY, []string{"sampler", "tempering", "steps", "20", "count", "5"}},
		{"kinds", "sample", "", asNPY, []string{"label", "wall", "count", "9"}},
		{"axons", "sample", "", asPNG, []string{"count", "10", "steps", "2"}},
	} {
		file := at(fmt.Sprintf("%d.%s", i, map[string]string{asNPY: "npy", asPNG: "png"}[c.accept]))
		args := []string{c.op, at(c.run), "--out", file}
		q := url.Values{}
		for j := 0; j < len(c.options); j += 2 {
			args = append(args, "--"+c.options[j]+"="+c.options[j+1])
			q.Set(c.options[j], c.options[j+1])
		}
		place := address + "/v1/runs/" + c.run + "/" + c.op + "?" + q.Encode()
		var body []byte
		kind := "application/json"
		if c.width == "" {
			body = []byte("{}")
		} else {
			width := 16
			if c.width == "9" {
				width = 9
			}
			body, kind = rows(11, width), "application/x-npy"
			if err := os.WriteFile(at("rows.npy"), body, 0o666); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--input", at("rows.npy"))
			if c.accept == asPNG {
				args = append(args, "--count=11")
			}
		}
		mattis(t, args...)
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := sent(t, place, kind, c.accept, body); !bytes.Equal(got, want) {
			t.Errorf("%s of %s with %v: %d bytes, the command's %d are others", c.op, c.run, c.options, len(got), len(want))
		}
	}
	for _, name := range []string{"axons", "deep", "kinds"} {
		type number struct{ Value, Stderr float64 }
		var want, got number
		if err := json.Unmarshal([]byte(mattis(t, "eval", at(name), "--measure", "logz", "--seed", "4", "--json")), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(sent(t, address+"/v1/runs/"+name+"/logz", "application/json", "*/*", []byte(`{"seed": 4}`)), &got); err != nil || got != want {
			t.Errorf("log Z of %s is %v, the command's %v: %v", name, got, want, err)
		}
	}
}

// A request under way is answered when the service is ended, and the command ends well.
func TestServeEndsWell(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bars-1")
	mattis(t, "train", "bars", "--run", dir, "--set", "train.epochs=1", "--set", "machine.hidden=200", "--set", "measure.last=[]")
	address, end := serving(t, dir)
	answered := make(chan []byte, 1)
	go func() {
		answered <- sent(t, address+"/v1/runs/bars-1/sample", "application/json", "*/*", []byte(`{"steps": 3000, "count": 64}`))
	}()
	for { // until it is there
		answer, err := http.Get(address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if strings.Contains(string(b), "mattis_queue_requests 1\n") {
			break
		}
		select {
		case b := <-answered: // before it was seen
			answered <- b
		default:
			time.Sleep(time.Millisecond)
			continue
		}
		break
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if b := <-answered; !strings.HasPrefix(string(b), `{"rows":[[`) || !strings.HasSuffix(string(b), "\"step\":4}\n") {
		t.Errorf("the request under way was told %.100s", b)
	}
	if _, err := http.Get(address + "/healthz"); err == nil {
		t.Error("it answers still")
	}
}
