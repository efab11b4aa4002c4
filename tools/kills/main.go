// Command kills kills mattis at random moments and looks for what that costs: bits that differ from
// those of a run that was left alone, messages that name a checkpoint that is not there, files that
// nobody asked for.
//
//	go build -o /tmp/mattis ./cmd/mattis && go -C tools run ./kills -mattis /tmp/mattis -kills 2000
//
// Each story is a training, or another command, that is sent one signal after another (KILL, INT,
// TERM or HUP; USR1 on the way) and gone on with until it ends by itself. The settings, the moments
// and the numbers of threads are drawn by -seed. It exits with 1 if something was lost.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// recipes are trainings of a fraction of a second: every estimator, both couplings, checkpoints and
// measures at every turn.
var recipes = [][]string{
	{"negative={kind: pcd, chains: 20, steps: 2}", "couplings={kind: dense}", "project={}", "machine={hidden: 12, biases: both, offset: mean}", "optimizer={kind: adam}",
		"train={epochs: 60, batch: 4, checkpoint: {epochs: 3, keep: 2}}", "measure={every: 2, test: [hamming, method_accessibility], last: [nll_ais, overlap, spectrum], options: {hamming: {draws: 2000}, ais: {runs: 200, betas: 300}}}"},
	{"negative={kind: pid-gibbs, steps: 3}", "couplings={patterns: 3, learn_gain: true}", "machine={hidden: 30}", "optimizer={momentum: 0.9}", "project={update: [{clip: 1}]}",
		"train={epochs: 80, batch: 3, checkpoint: {epochs: 7, keep: 1}}", "measure={every: 1, test: [pseudo_likelihood], train: [hamming], last: [nll, gibbs_accessibility, method_accessibility], options: {hamming: {draws: 300}}}"},
	{"negative={kind: tempering, chains: 5, steps: 3, temperatures: [1, 0.5, 0]}", "machine={hidden: 12}", "couplings={patterns: 4}",
		"train={epochs: 30, batch: 5, checkpoint: {epochs: 1, keep: 3}}", "measure={every: 10, test: [hamming], last: [logz_integration, valid_share, coverage], options: {integration: {ladders: 2, betas: 8, sweeps: 300}}}"},
	{"negative={kind: cd, steps: 2}", "couplings={kind: dense}", "project={}", "machine={hidden: 9}",
		"train={epochs: 100, batch: 3, checkpoint: {epochs: 0, minutes: 0}}", "measure={every: 20, train: [method_accessibility, hamming_clamped], last: [logz_bridge, autocorrelation], options: {ais: {runs: 60, betas: 400}}}"},
	{"negative={kind: annealing, chains: 8, steps: 20}", "machine={hidden: 10, biases: visible}", "couplings={patterns: 3}",
		"train={epochs: 20, batch: 2, checkpoint: {epochs: 5}}", "measure={every: 4, test: [hamming, nll_exact], last: [probe_accuracy, crosstalk, ultrametricity, method_accessibility]}"},
	{"negative={kind: pcd, chains: 16, steps: 2, fresh: {share: 0.25, steps: 3, from: patterns}}", "machine={hidden: 30, biases: both, offset: mean}", "optimizer={kind: adam}", "couplings={patterns: 5}", "project={}",
		"train={epochs: 60, batch: 4, precision: bf16, average: {exponential: 0.9}, checkpoint: {epochs: 3, keep: 2}}", "measure={every: 2, test: [hamming], last: [nll_ais, overlap], options: {hamming: {draws: 500}, ais: {runs: 200, betas: 300}}}"},
	{"negative={kind: exact}", "machine={hidden: 8}", "couplings={patterns: 3}", "data={name: bars, size: 3, split: random}",
		"train={epochs: 40, batch: 4, checkpoint: {epochs: 1, keep: 1}}", "measure={every: 1, test: [hamming, logz_exact], last: [nll_exact, method_accessibility], options: {hamming: {draws: 200}}}"},
}

// tally is what was found.
type tally struct {
	sync.Mutex
	sent  map[string]int // by command and signal
	wrong []string
}

func (t *tally) count(what string) { t.Lock(); t.sent[what]++; t.Unlock() }

func (t *tally) fail(format string, args ...any) {
	t.Lock()
	t.wrong = append(t.wrong, fmt.Sprintf(format, args...))
	fmt.Println("WRONG:", t.wrong[len(t.wrong)-1])
	t.Unlock()
}

// program runs mattis in a folder.
type program struct {
	path string
	dir  string
	tally
	left atomic.Int64 // kills that are still to be sent
}

type outcome struct {
	code           int
	stdout, stderr string
	seconds        float64
}

// run runs the program, and sends it the signals at their times.
func (p *program) run(sent []moment, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(p.path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), "MATTIS_MINIATURE=1")
	start := time.Now()
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	limit := time.After(5 * time.Minute)
	for {
		var next <-chan time.Time
		if len(sent) > 0 {
			next = time.After(time.Until(start.Add(sent[0].after)))
		}
		select {
		case <-next:
			cmd.Process.Signal(sent[0].signal)
			sent = sent[1:]
		case <-limit:
			p.fail("%v did not end: %s", args, stderr.String())
			cmd.Process.Kill()
		case <-ended:
			return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), time.Since(start).Seconds()}
		}
	}
}

type moment struct {
	after  time.Duration
	signal syscall.Signal
}

var signals = []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// kill draws an end within the time that the work takes, at times with a second signal, or a USR1
// before it.
func (p *program) kill(r *rand.Rand, command string, seconds float64) []moment {
	at := time.Duration(r.Float64() * 1.1 * seconds * float64(time.Second))
	s := signals[r.IntN(len(signals))]
	p.count(command + " " + strings.ToUpper(strings.TrimPrefix(name(s), "SIG")))
	p.left.Add(-1)
	list := []moment{{at, s}}
	if (command == "train" || command == "resume") && r.IntN(4) == 0 {
		list = append([]moment{{at * time.Duration(r.IntN(100)) / 100, syscall.SIGUSR1}}, list...)
		if list[0].after < 100*time.Millisecond { // before the program listens it ends by it
			list = list[1:]
		}
	}
	if s != syscall.SIGKILL && r.IntN(6) == 0 { // impatience
		list = append(list, moment{at + time.Duration(r.IntN(600))*time.Millisecond, s})
	}
	return list
}

func name(s syscall.Signal) string {
	return map[syscall.Signal]string{syscall.SIGKILL: "KILL", syscall.SIGINT: "INT", syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP"}[s]
}

// reference is a piece of work that was left alone.
type reference struct {
	args    []string
	dir     string
	seconds float64
	files   map[string]string // the SHA-256 of every file that is compared
}

var seconds = regexp.MustCompile(`"seconds":[^,]*`)

// digest returns the SHA-256 of a file, without the seconds of metrics.
func digest(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if filepath.Base(path) == "metrics.jsonl" {
		b = seconds.ReplaceAll(b, nil)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// filesOf returns all files below a folder or the file itself, by their relative names.
func filesOf(root string) map[string]string {
	files := map[string]string{}
	filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(root, path)
			files[filepath.ToSlash(rel)] = digest(path)
		}
		return nil
	})
	return files
}

// anyway are files whose content tells of the process, and checkpoints before the last: which of
// them are kept depends on interruptions.
var anyway = regexp.MustCompile(`(^|/)(\.lock|env\.json|state\.json|summary\.json|instance\.json|results\.md)$`)

// compare reports what differs from the reference.
func (p *program) compare(what string, ref reference, dir string) {
	got := filesOf(filepath.Join(p.dir, dir))
	last := map[string]string{} // newest checkpoint of each folder
	for _, files := range []map[string]string{ref.files, got} {
		for f := range files {
			if strings.HasSuffix(f, ".safetensors") && strings.Contains(f, "checkpoints/") {
				last[filepath.Dir(f)] = max(last[filepath.Dir(f)], f)
			}
		}
	}
	earlier := func(f string) bool { return last[filepath.Dir(f)] > f }
	for _, f := range slices.Sorted(maps.Keys(ref.files)) {
		switch sum, ok := got[f]; {
		case earlier(f):
		case !ok:
			p.fail("%s: %s is missing", what, f)
		case sum != ref.files[f] && !anyway.MatchString(f):
			p.fail("%s: %s differs from %s", what, f, ref.dir)
		}
	}
	for f := range got {
		if _, ok := ref.files[f]; !ok && !earlier(f) {
			p.fail("%s: stray file %s", what, f)
		}
	}
}

var stopped = regexp.MustCompile(`(?:stopped at update (\d+) with a checkpoint|checkpoint of update (\d+) written)`)

// checkMessages looks whether the checkpoints that messages name are there. Those that a request
// asked for may have gone since.
func (p *program) checkMessages(what, dir, text string) {
	for _, m := range stopped.FindAllStringSubmatch(text, -1) {
		if m[1] == "" {
			continue
		}
		n, _ := strconv.Atoi(m[1])
		if _, err := os.Stat(filepath.Join(p.dir, dir, "checkpoints", fmt.Sprintf("%08d.safetensors", n))); err != nil {
			p.fail("%s said %q: %v", what, m[0], err)
		}
	}
}

func (p *program) threads(r *rand.Rand) string { return fmt.Sprint(1 + r.IntN(3)) }

// training is the story of a training that is killed up to several times.
func (p *program) training(r *rand.Rand, ref reference, dir string) {
	defer os.RemoveAll(filepath.Join(p.dir, dir))
	killed := 1 + r.IntN(6)
	for n := 0; ; n++ {
		command := "resume"
		if _, err := os.Stat(filepath.Join(p.dir, dir, "recipe.yaml")); err != nil { // ended before there was a run
			os.RemoveAll(filepath.Join(p.dir, dir))
			command = "train"
		}
		args := []string{"resume", dir, "--threads", p.threads(r)}
		if command == "train" {
			args = append(slices.Clone(ref.args), "--run", dir, "--threads", p.threads(r))
		}
		var sent []moment
		if n < killed {
			sent = p.kill(r, command, ref.seconds)
		}
		o := p.run(sent, args...)
		what := fmt.Sprintf("%s %s after %v", command, dir, sent)
		p.checkMessages(what, dir, o.stderr)
		if len(sent) == 0 && o.code != 0 || o.code != 0 && o.code != 130 && o.code != -1 {
			p.fail("%s: exit code %d: %s", what, o.code, o.stderr)
			return
		}
		if o.code == 130 && len(sent) < 2 && !strings.Contains(o.stderr, "stopped at update") && strings.Contains(o.stderr, "stopping after") {
			p.fail("%s: stopped without a word about the checkpoint: %s", what, o.stderr)
		}
		if o.code == 0 && n >= killed {
			break
		}
	}
	if o := p.run(nil, "resume", dir); o.code != 0 || !strings.Contains(o.stderr, "nothing is left to do") {
		p.fail("%s: resume at its end: exit code %d: %s", dir, o.code, o.stderr)
	}
	p.compare(dir, ref, dir)
}

// command is the story of another command: killed, what it wrote is whole or absent, and begun
// again it ends as if it had been left alone.
func (p *program) command(r *rand.Rand, ref reference, dir string) {
	where := filepath.Join(p.dir, dir)
	if err := os.MkdirAll(where, 0o777); err != nil {
		panic(err)
	}
	defer os.RemoveAll(where)
	args := func() []string {
		a := slices.Clone(ref.args)
		for i := range a {
			a[i] = strings.ReplaceAll(a[i], "OUT", dir)
		}
		if a[0] != "convert" {
			a = append(a, "--threads", p.threads(r))
		}
		return a
	}
	figure := ref.args[0] == "figure"
	for range 1 + r.IntN(4) {
		sent := p.kill(r, ref.args[0], ref.seconds)
		o := p.run(sent, args()...)
		what := fmt.Sprintf("%v after %v", ref.args, sent)
		if o.code != 0 && o.code != 130 && o.code != -1 {
			p.fail("%s: exit code %d: %s", what, o.code, o.stderr)
		}
		if figure {
			continue
		}
		for f, sum := range filesOf(where) { // what is there is whole
			temporary := strings.HasPrefix(filepath.Base(f), ".") // of the killed process; the next one removes it
			if want, ok := ref.files[f]; !temporary && (!ok || sum != want && !anyway.MatchString(f)) {
				if _, err := os.Stat(filepath.Join(where, filepath.Dir(f), "recipe.yaml")); err == nil || !strings.Contains(f, "/") {
					p.fail("%s: left %s, whole: %t", what, f, ok && sum == want)
				}
			}
			if !temporary {
				os.RemoveAll(filepath.Join(where, strings.Split(f, "/")[0])) // what is there is not written over
			}
		}
		if entries, err := os.ReadDir(where); err == nil {
			for _, e := range entries {
				if e.IsDir() { // a run directory that was not finished
					os.RemoveAll(filepath.Join(where, e.Name()))
				}
			}
		}
	}
	o := p.run(nil, args()...)
	if o.code != 0 {
		p.fail("%v: exit code %d: %s", ref.args, o.code, o.stderr)
	}
	p.keepOutput(ref.args[0], dir, o)
	p.compare(fmt.Sprint(ref.args, " ", dir), ref, dir)
}

// keepOutput keeps what a command printed beside what it wrote. A figure's output depends on which
// instances were there.
func (p *program) keepOutput(command, dir string, o outcome) {
	text := strings.ReplaceAll(o.stdout, dir, "OUT")
	if command == "figure" {
		text = ""
	}
	if err := os.WriteFile(filepath.Join(p.dir, dir, "stdout"), []byte(text), 0o666); err != nil {
		panic(err)
	}
}

// refer does the work undisturbed.
func (p *program) refer(dir string, args ...string) reference {
	training := args[0] == "train"
	ref := reference{args: args, dir: dir}
	a := slices.Clone(args)
	for i := range a {
		a[i] = strings.ReplaceAll(a[i], "OUT", dir)
	}
	if training {
		a = append(a, "--run", dir)
	} else if err := os.MkdirAll(filepath.Join(p.dir, dir), 0o777); err != nil {
		panic(err)
	}
	o := p.run(nil, a...)
	if o.code != 0 {
		panic(fmt.Sprint(a, o.stderr))
	}
	if !training {
		p.keepOutput(args[0], dir, o)
	}
	ref.seconds = o.seconds
	ref.files = filesOf(filepath.Join(p.dir, dir))
	return ref
}

func run() error {
	p := &program{}
	p.sent = map[string]int{}
	flag.StringVar(&p.path, "mattis", "", "the program")
	kills := flag.Int64("kills", 2000, "signals to send")
	seed := flag.Uint64("seed", 1, "of all that is drawn")
	workers := flag.Int("workers", 2, "stories at once")
	flag.Parse()
	if p.path == "" {
		return errors.New("-mattis is missing: the program to kill")
	}
	var err error
	if p.path, err = filepath.Abs(p.path); err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp("", "kills"); err != nil {
		return err
	}
	defer os.RemoveAll(p.dir)
	p.left.Store(*kills)

	var trainings, commands []reference
	for i, settings := range recipes {
		args := []string{"train", "bars"}
		for _, s := range settings {
			args = append(args, "--set", s)
		}
		trainings = append(trainings, p.refer(fmt.Sprint("whole", i), args...))
	}
	for i, args := range [][]string{
		{"eval", "whole0", "--json"},
		{"eval", "whole1", "--measure", "nll_ais,hamming,spectrum", "--set", "ais.betas=300"},
		{"sample", "whole0", "--count", "4000", "--steps", "100", "--out", "OUT/samples.npy"},
		{"sample", "whole1", "--count", "400", "--steps", "100", "--sampler", "tempering", "--out", "OUT/samples.png"},
		{"convert", "whole1", "OUT/machine.npz", "--to", "dense"},
		{"convert", "whole0", "OUT/converted"},
		{"figure", "3a", "--instances", "2", "--out", "OUT"},
		{"figure", "crosstalk", "--out", "OUT"},
	} {
		commands = append(commands, p.refer(fmt.Sprint("made", i), args...))
	}
	start := time.Now()
	var story atomic.Uint64
	var group sync.WaitGroup
	for range *workers {
		group.Go(func() {
			for p.left.Load() > 0 {
				n := story.Add(1)
				r := rand.New(rand.NewPCG(*seed, n))
				if dir := fmt.Sprint("story", n); r.IntN(3) > 0 {
					p.training(r, trainings[r.IntN(len(trainings))], dir)
				} else {
					p.command(r, commands[r.IntN(len(commands))], dir)
				}
				if n%50 == 0 {
					fmt.Printf("%d stories, %d kills, %d wrong, %.0f s\n", n, *kills-p.left.Load(), len(p.wrong), time.Since(start).Seconds())
				}
			}
		})
	}
	group.Wait()
	for _, what := range slices.Sorted(maps.Keys(p.sent)) {
		fmt.Printf("%6d  %s\n", p.sent[what], what)
	}
	fmt.Printf("%d kills in %d stories, %.0f s: %d things went wrong\n", *kills-p.left.Load(), story.Load(), time.Since(start).Seconds(), len(p.wrong))
	if len(p.wrong) > 0 {
		return errors.New("something was lost")
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "kills:", err)
		os.Exit(1)
	}
}
