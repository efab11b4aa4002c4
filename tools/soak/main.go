// Command soak asks mattis serve for many things at a time and looks for what must not be: a status of
// 5xx, an answer that is not the command line's to the last byte, memory that grows.
//
//	go build -o /tmp/mattis ./cmd/mattis && go -C tools run ./soak -mattis /tmp/mattis -seconds 600
//
// It trains small machines in a temporary folder, serves them on 127.0.0.1, and asks with -clients
// clients: requests whose answers the commands have given before, and requests that are wrong. One run
// gets newer checkpoints all the while; each of its answers is compared with what the command gives for
// the checkpoint that it names. At the end the service is killed and started again. Before that it
// prints how many requests a second there are of score and sample, one at a time and all together. It
// exits with 1 if something was wrong.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// asked is a request whose answer is known.
type asked struct {
	name, place, kind string
	body              []byte
	want              []byte
}

// soak is one run of the program.
type soak struct {
	mattis, folder string
	clients        int
	threads        string
	server         *exec.Cmd
	address        string
	client         http.Client
	good           []asked
	moving         []byte // rows for the run that moves on

	mu       sync.Mutex
	statuses map[string]int
	wrong    []string
	seen     map[string][]byte // of the moving run, by step
}

func (s *soak) fail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.wrong) < 20 {
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
}

// run runs a command of the program and returns its output.
func (s *soak) run(args ...string) []byte {
	cmd := exec.Command(s.mattis, args...)
	cmd.Dir = s.folder
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		fmt.Fprintf(os.Stderr, "soak: mattis %s: %v: %s\n", strings.Join(args, " "), err, errs.String())
		os.Exit(1)
	}
	return out
}

// file returns what a command writes.
func (s *soak) file(args ...string) []byte {
	s.run(append(args, "--out", "out.npy", "--force")...)
	b, err := os.ReadFile(filepath.Join(s.folder, "out.npy"))
	if err != nil {
		panic(err)
	}
	return b
}

// spins returns an npy file of random rows.
func spins(r *rand.Rand, rows, width int) []byte {
	h := fmt.Sprintf("{'descr': '|i1', 'fortran_order': False, 'shape': (%d, %d), }", rows, width)
	h += strings.Repeat(" ", 117-len(h)) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(h)), 0)
	b = append(b, h...)
	for range rows * width {
		b = append(b, byte(r.IntN(2)))
	}
	return b
}

const (
	npy  = "application/x-npy"
	json = "application/json"
)

// prepare trains the machines and asks the commands for all answers.
func (s *soak) prepare(r *rand.Rand) {
	none := []string{"--set", "measure={every: 0, test: [], train: [], last: []}"}
	s.run(append([]string{"train", "bars", "--run", "axons", "--set", "train.epochs=20", "--set", "machine.hidden=500"}, none...)...)
	s.run(append([]string{"train", "bas12", "--run", "dense", "--set", "train.epochs=1", "--set", "machine.hidden=400", "--set", "couplings={kind: dense}",
		"--set", "negative={kind: cd}", "--set", "project={}"}, none...)...)
	s.run(append([]string{"train", "bars-deep", "--run", "deep", "--set", "train.epochs=3", "--set", "machine.hidden=[10, 6]"}, none...)...)
	s.run(append([]string{"train", "bars", "--run", "moving", "--set", "train.epochs=1", "--set", "machine.hidden=50", "--set", "train.checkpoint={epochs: 1, keep: 0}"}, none...)...)
	s.moving = spins(r, 30, 16)
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(s.folder, name), b, 0o666); err != nil {
			panic(err)
		}
	}
	write("moving.npy", s.moving)
	for run, width := range map[string]int{"axons": 16, "dense": 144, "deep": 16} {
		for _, rows := range []int{1, 64} {
			body := spins(r, rows, width)
			write("rows.npy", body)
			s.good = append(s.good, asked{"score", run + "/score", npy, body, s.file("score", run, "--input", "rows.npy")},
				asked{"features", run + "/features", npy, body, s.file("features", run, "--input", "rows.npy")})
			if rows == 1 {
				continue
			}
			s.good = append(s.good, asked{"features", run + "/features?sample=true&seed=3", npy, body,
				s.file("features", run, "--input", "rows.npy", "--sample", "--seed", "3")},
				asked{"reconstruct", run + "/reconstruct?known=rows:1-2&steps=3&seed=4", npy, body,
					s.file("reconstruct", run, "--input", "rows.npy", "--known", "rows:1-2", "--steps", "3", "--seed", "4")},
				asked{"sample", run + "/sample", json, []byte(`{"count": 16, "steps": 20, "seed": 1}`),
					s.file("sample", run, "--count", "16", "--steps", "20", "--seed", "1")})
		}
		s.good = append(s.good, asked{"sample", run + "/sample", json, []byte(`{"count": 3, "steps": 5, "sampler": "annealing", "from": "random"}`),
			s.file("sample", run, "--count", "3", "--steps", "5", "--sampler", "annealing")})
	}
}

// bad are requests that are wrong.
var bad = []asked{
	{place: "axons/score", kind: json, body: []byte(`{"rows": [[0,1]]}`)},
	{place: "axons/score", kind: json, body: []byte(`{"rows": ` + strings.Repeat("[", 5000))},
	{place: "axons/score", kind: json, body: []byte(`{"rows": [[0.5]]}`)},
	{place: "axons/score", kind: json, body: []byte(`{"rows"`)},
	{place: "axons/score", kind: "text/plain", body: []byte("x")},
	{place: "axons/score", kind: npy, body: []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff")},
	{place: "axons/score", kind: npy, body: []byte("no npy")},
	{place: "dense/sample", kind: json, body: []byte(`{"steps": 1000000000}`)},
	{place: "dense/sample", kind: json, body: []byte(`{"seed": -1}`)},
	{place: "dense/sample", kind: json, body: []byte(`{"from": "patterns"}`)},
	{place: "dense/sample?x=1", kind: json, body: []byte(`{}`)},
	{place: "deep/reconstruct", kind: json, body: []byte(`{"known": "/etc/passwd"}`)},
	{place: "nowhere/score", kind: json, body: []byte(`{}`)},
	{place: "..%2f..%2fetc/score", kind: json, body: []byte(`{}`)},
	{place: "axons/train", kind: json, body: []byte(`{}`)},
}

// start serves the runs.
func (s *soak) start() {
	s.server = exec.Command(s.mattis, "serve", "axons", "dense", "deep", "moving", "--address", "127.0.0.1:0", "--threads", s.threads)
	s.server.Dir = s.folder
	out, err := s.server.StdoutPipe()
	if err == nil {
		err = s.server.Start()
	}
	var line string
	if err == nil {
		line, err = bufio.NewReader(out).ReadString('\n')
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak: mattis serve:", err)
		os.Exit(1)
	}
	s.address = strings.TrimSpace(line) + "v1/runs/"
}

// ask sends a request and returns what came of it.
func (s *soak) ask(a asked) (status int, step string, body []byte, err error) {
	r, err := http.NewRequest("POST", s.address+a.place, bytes.NewReader(a.body))
	if err != nil {
		return 0, "", nil, err
	}
	r.Header.Set("Content-Type", a.kind)
	r.Header.Set("Accept", npy)
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, answer.Header.Get("X-Mattis-Step"), body, err
}

// one sends a random request and judges its answer.
func (s *soak) one(r *rand.Rand) {
	kind := r.IntN(10)
	a := asked{name: "moving", place: "moving/score", kind: npy, body: s.moving}
	switch {
	case kind < 2:
		a = bad[r.IntN(len(bad))]
		a.name = "wrong"
	case kind < 9:
		a = s.good[r.IntN(len(s.good))]
	}
	if a.name == "score" && r.IntN(8) == 0 { // cut somewhere
		a.name, a.body = "cut", a.body[:r.IntN(len(a.body))]
	}
	status, step, body, err := s.ask(a)
	if err != nil {
		s.fail("%s: %v", a.place, err)
		return
	}
	s.mu.Lock()
	s.statuses[fmt.Sprintf("%s %d", a.name, status)]++
	if a.name == "moving" && status == 200 {
		if before, ok := s.seen[step]; !ok {
			s.seen[step] = body
		} else if !bytes.Equal(before, body) {
			s.mu.Unlock()
			s.fail("two answers of update %s differ", step)
			return
		}
	}
	s.mu.Unlock()
	switch refused := a.name == "wrong" || a.name == "cut"; {
	case status == 429:
	case status >= 500, refused != (status >= 400):
		s.fail("%s %s: %d %.200s", a.name, a.place, status, body)
	case a.want != nil && !refused && !bytes.Equal(body, a.want):
		s.fail("%s %.100s: another answer than the command's", a.place, a.body)
	}
}

// memory returns the megabytes that the server's pages take.
func (s *soak) memory() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.server.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1024
		}
	}
	return 0
}

// rate asks for one thing for some time and prints how many answers there were and how long they took.
func (s *soak) rate(a asked, clients int, d time.Duration) {
	var mu sync.Mutex
	var times []time.Duration
	until := time.Now().Add(d)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for time.Now().Before(until) {
				begun := time.Now()
				status, _, body, err := s.ask(a)
				took := time.Since(begun)
				if err != nil || status != 200 || !bytes.Equal(body, a.want) {
					s.fail("%s: %d, %v, or another answer", a.place, status, err)
					return
				}
				mu.Lock()
				times = append(times, took)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(times)
	if len(times) == 0 {
		return
	}
	ms := func(share float64) float64 {
		return float64(times[int(share*float64(len(times)-1))].Microseconds()) / 1000
	}
	fmt.Printf("%-28s %2d clients  %8.0f requests/s  p50 %7.2f ms  p99 %7.2f ms\n", a.place, clients, float64(len(times))/d.Seconds(), ms(0.5), ms(0.99))
}

// mostCompared bounds the checkpoints whose answers the command has to give.
const mostCompared = 25

func main() {
	s := &soak{statuses: map[string]int{}, seen: map[string][]byte{}}
	seconds := flag.Float64("seconds", 60, "of random requests")
	each := flag.Float64("each", 3, "seconds of each rate")
	seed := flag.Uint64("seed", 1, "of the requests")
	flag.StringVar(&s.mattis, "mattis", "mattis", "the program")
	flag.IntVar(&s.clients, "clients", 16, "at a time")
	flag.StringVar(&s.threads, "threads", "0", "of the service")
	flag.Parse()
	path, err := exec.LookPath(s.mattis)
	if err == nil {
		s.mattis, err = filepath.Abs(path)
	}
	if err == nil {
		s.folder, err = os.MkdirTemp("", "soak")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	s.client.Transport = &http.Transport{MaxIdleConnsPerHost: s.clients}
	code := s.all(*seconds, *each, *seed)
	os.RemoveAll(s.folder)
	os.Exit(code)
}

func (s *soak) all(seconds, each float64, seed uint64) int {
	s.prepare(rand.New(rand.NewPCG(seed, 0)))
	s.start()
	defer func() { s.server.Process.Kill(); s.server.Wait() }()
	for _, a := range s.good {
		if rows := len(a.body) - 128; a.place == "dense/sample" && bytes.Contains(a.body, []byte(`"seed"`)) || a.name == "score" && (rows == 144 || rows == 64*144) {
			s.rate(a, 1, time.Duration(each*float64(time.Second)))
			s.rate(a, s.clients, time.Duration(each*float64(time.Second)))
		}
	}
	begun := time.Now()
	var count atomic.Int64
	var all sync.WaitGroup
	for i := range s.clients {
		r := rand.New(rand.NewPCG(seed, uint64(i+1)))
		all.Go(func() {
			for time.Since(begun).Seconds() < seconds {
				s.one(r)
				count.Add(1)
			}
		})
	}
	moved := make(chan struct{})
	go func() {
		defer close(moved)
		for epochs := 2; time.Since(begun).Seconds() < seconds-2; epochs++ {
			s.run("resume", "moving", "--set", fmt.Sprintf("train.epochs=%d", epochs))
			time.Sleep(3 * time.Second)
		}
	}()
	first := min(60, seconds/4)
	time.Sleep(time.Duration(first * float64(time.Second)))
	at := s.memory()
	fmt.Printf("memory after %.0f s: %.1f MB\n", first, at)
	all.Wait()
	<-moved
	last := s.memory()
	fmt.Printf("memory after %.0f s: %.1f MB\n", time.Since(begun).Seconds(), last)
	fmt.Printf("%d requests, by what they were and the status:\n", count.Load())
	for _, k := range slices.Sorted(maps.Keys(s.statuses)) {
		fmt.Printf("  %-18s %d\n", k, s.statuses[k])
	}
	if last > 1.25*at+16 {
		s.fail("memory grew from %.1f to %.1f MB", at, last)
	}
	compared := 0
	for step, body := range s.seen { // in no order
		if compared++; compared > mostCompared {
			break
		}
		if !bytes.Equal(body, s.file("score", "moving", "--input", "moving.npy", "--checkpoint", step)) {
			s.fail("the answers of update %s are not the command's", step)
		}
	}
	fmt.Printf("checkpoints that were served while they came: %d, of which %d were compared with the command\n", len(s.seen), min(compared, mostCompared))
	s.server.Process.Kill()
	s.server.Wait()
	s.client.CloseIdleConnections()
	begun = time.Now()
	s.start()
	status, _, body, err := s.ask(s.good[0])
	if err != nil || status != 200 || !bytes.Equal(body, s.good[0].want) {
		s.fail("after kill -9 and a new start: %d, %v", status, errors.Join(err))
	}
	fmt.Printf("killed and started again: the first answer after %.2f s\n", time.Since(begun).Seconds())
	for _, w := range s.wrong {
		fmt.Println("wrong:", w)
	}
	if len(s.wrong) > 0 {
		return 1
	}
	fmt.Println("nothing wrong")
	return 0
}
