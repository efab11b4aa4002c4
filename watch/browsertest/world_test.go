package browsertest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// patience bounds the wait for anything on the page: the machine may be slow, the page is not
// allowed to be wrong.
const patience = 45 * time.Second

// world is one browser on one page over one folder of runs.
type world struct {
	*testing.T
	ctx     context.Context
	mattis  string
	dir     string // of the runs
	address string

	whole  *testing.T // of which T is a part
	mu     *sync.Mutex
	places *[]string // addresses of pages
	faults *[]string // what the browser complained of, and requests to elsewhere
}

func browser() string {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	return ""
}

func newWorld(t *testing.T, chromium string) *world {
	w := &world{T: t, whole: t, mu: &sync.Mutex{}, faults: &[]string{}, dir: filepath.Join(t.TempDir(), "runs")}
	w.mattis = os.Getenv("MATTIS")
	if w.mattis == "" {
		w.mattis = filepath.Join(t.TempDir(), "mattis")
		build := exec.Command("go", "build", "-o", w.mattis, "./cmd/mattis")
		build.Dir = filepath.Join("..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
	}
	if err := os.MkdirAll(w.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	w.finished("done", 1)
	serve := exec.Command(w.mattis, "watch", w.dir)
	out, err := serve.StdoutPipe()
	if err == nil {
		err = serve.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(serve, os.Interrupt) })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	w.address = strings.TrimSpace(line)
	w.places = &[]string{w.address}

	profile, err := os.MkdirTemp("", "mattis-browser")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocator)
	ctx, late := context.WithTimeout(ctx, 170*time.Second) // of the three minutes that this test may take
	t.Cleanup(func() {
		late()
		closeTab()
		cancel()
		os.RemoveAll(profile)
	})
	w.ctx = ctx
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1400, 900)); err != nil {
		t.Fatal(err)
	}
	console := chromedp.Console(ctx)
	go func() {
		for m, err := range console {
			if err != nil {
				return
			}
			if m.IsException() || m.Type == "error" || m.Type == "warning" {
				// The browser logs every answer that is no success; the page shows what they say.
				if m.Source != "network" {
					w.fault("console: %s %s %s:%d", m.Type, m.Text, m.URL, m.Line)
				}
			}
		}
	}()
	if err := chromedp.Listen(ctx, func(ev any) {
		if r, ok := ev.(*network.EventRequestWillBeSent); ok && !w.served(r.Request.URL) && !regexp.MustCompile(`^(data|blob|about):`).MatchString(r.Request.URL) {
			w.fault("a request to %s", r.Request.URL)
		}
	}); err != nil {
		t.Fatal(err)
	}
	w.open("view=runs")
	return w
}

// served reports whether an address is of a page under test.
func (w *world) served(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(*w.places, func(p string) bool { return strings.HasPrefix(address, p) })
}

func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(*w.faults) < 20 {
		*w.faults = append(*w.faults, fmt.Sprintf(format, args...))
	}
}

// train starts a training that does not end by itself.
func (w *world) train(name string) *exec.Cmd {
	w.Helper()
	return w.start("train", "bars-pcd", "--run", filepath.Join(w.dir, name), "--threads", "1", "--set", "train.epochs=100000000", "--set", "machine.hidden=20",
		"--set", "negative.chains=64", "--set", "measure.every=40", "--set", "measure.train=[hamming, nll_exact]", "--set", "measure.test=[hamming]",
		"--set", "train.checkpoint.epochs=400", "--set", "train.checkpoint.keep=4")
}

// finished makes a run that has ended.
func (w *world) finished(name string, seed int) {
	w.Helper()
	cmd := w.start("train", "bars", "--run", filepath.Join(w.dir, name), "--threads", "1", "--seed", strconv.Itoa(seed), "--set", "train.epochs=60", "--set", "machine.hidden=30", "--set", "project={update: [{clip: 1}]}",
		"--set", "measure.every=2", "--set", "measure.train=[hamming, nll_exact]", "--set", "measure.test=[hamming, spectrum]", "--set", "train.checkpoint.epochs=10", "--set", "train.checkpoint.keep=0")
	if err := cmd.Wait(); err != nil {
		w.Fatal(err)
	}
}

func (w *world) start(args ...string) *exec.Cmd {
	w.Helper()
	cmd := exec.Command(w.mattis, args...)
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.whole.Cleanup(func() { stop(cmd, os.Kill) })
	return cmd
}

// stop ends a process and waits for it; a second time does nothing.
func stop(cmd *exec.Cmd, how os.Signal) {
	if cmd.ProcessState == nil {
		cmd.Process.Signal(how)
		cmd.Wait()
	}
}

func (w *world) open(place string) {
	w.Helper()
	// The address before # stays the same from view to view, as for people.
	if err := chromedp.Do(w.ctx, chromedp.Navigate(w.address+"#"+place), chromedp.WaitVisible("#main .view")); err != nil {
		w.Fatalf("open %s: %v", place, err)
	}
	// The page hears of a new place in a task of its own: until then it shows the one before.
	w.until("the page shows "+place, `document.getElementById("main").dataset.place === location.hash`)
}

// js returns the value of an expression, which may be a promise.
func js[T any](w *world, expression string) T {
	w.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to be true.
func (w *world) until(what, expression string) {
	w.Helper()
	deadline := time.Now().Add(patience)
	for {
		v, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool]("!!("+expression+")", chromedp.EvalAwaitPromise))
		if err == nil && v {
			return
		}
		if errors.Is(err, context.DeadlineExceeded) || time.Now().After(deadline) {
			w.shot("failed-" + what)
			w.Fatalf("waited in vain: %s (%v)", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (w *world) do(actions ...chromedp.Action[chromedp.Void]) {
	w.Helper()
	if err := chromedp.Do(w.ctx, actions...); err != nil {
		w.Fatal(err)
	}
}

func (w *world) shot(name string) {
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	b, err := chromedp.Run(w.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, regexp.MustCompile(`\W+`).ReplaceAllString(name, "-")+".png"), b, 0o666)
	}
	if err != nil {
		w.Log(err)
	}
}

// last is the step of the newest point of the first curve in the legend of a measure's chart.
func last(measure string) string {
	return fmt.Sprintf(`Number(document.querySelector('[data-measure=%q] .legend .at')?.textContent.slice(2).replace("e", "e") || NaN)`, measure)
}

func sel(names ...string) string {
	var ids []string
	for _, n := range names {
		ids = append(ids, "0/"+n)
	}
	b, _ := json.Marshal(ids)
	return strings.NewReplacer(`"`, "%22", "[", "%5B", "]", "%5D", "/", "%2F", ",", "%2C", " ", "+").Replace(string(b))
}

// plotted is the rectangle of a chart's plot in the window.
type plotted struct{ X, Y, W, H float64 }

func (w *world) plot(measure string) plotted {
	w.Helper()
	return js[plotted](w, fmt.Sprintf(`(() => { const e = document.querySelector('[data-measure=%q] .u-over'); e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return {X: r.x, Y: r.y, W: r.width, H: r.height}; })()`, measure))
}

// away takes the pointer off the charts, which otherwise show the values under it and not the last ones.
func (w *world) away() {
	w.Helper()
	w.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, 1, 1))
}

// metrics returns the values of a measure by step, as the file has them.
func (w *world) metrics(run, measure, split string) map[int]float64 {
	w.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, run, "metrics.jsonl"))
	if err != nil {
		w.Fatal(err)
	}
	out := map[int]float64{}
	for _, line := range strings.Split(string(b), "\n") {
		var m struct {
			Step        int
			Name, Split string
			Value       float64
		}
		if json.Unmarshal([]byte(line), &m) == nil && m.Name == measure && m.Split == split {
			out[m.Step] = m.Value
		}
	}
	return out
}
