// Package browsertest looks at the page of mattis watch with a browser, as its users do: on a
// training that goes on, is killed and goes on again. It is a module of its own: the program needs
// no browser.
//
//	go test ./...            in this folder; skips where there is no Chromium
//	CHROMIUM=FILE            the browser, if it has another name than chromium, chromium-browser or google-chrome
//	AXE=FILE                 axe.min.js of axe-core; without it findings of accessibility are not looked for
//	SHOTS=DIR                keep pictures of the page there
package browsertest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

func TestPage(t *testing.T) {
	chromium := browser()
	if chromium == "" {
		t.Skip("no Chromium here: the page was not looked at")
	}
	w := newWorld(t, chromium)
	train := w.train("live")
	for _, step := range []struct {
		name string
		run  func(*world)
	}{
		{"a curve grows", (*world).grows},
		{"the value under the pointer is that of the file", (*world).pointer},
		{"the value stays under a pointer at rest", (*world).rest},
		{"zoom stays", (*world).zoom},
		{"logarithmic axes", (*world).logarithmic},
		{"exports", (*world).exports},
		{"two runs", (*world).compare},
		{"pictures and machine", (*world).pictures},
		{"rows that are no images", (*world).rows},
		{"beside a training", (*world).beside},
		{"theme", (*world).theme},
		{"keyboard", (*world).keyboard},
		{"names are text", (*world).names},
		{"killed and resumed", func(w *world) { train = w.killed(train) }},
		{"phone", (*world).phone},
		{"accessible", (*world).accessible},
		{"deleted", func(w *world) { stop(train, os.Kill); w.deleted() }},
		{"200 runs", (*world).many},
	} {
		ok := t.Run(step.name, func(t *testing.T) {
			begun := time.Now()
			now := *w // the subtest's own T; the rest is shared
			now.T = t
			step.run(&now)
			t.Logf("%.1f s", time.Since(begun).Seconds())
		})
		if !ok {
			w.shot("failed-" + step.name)
			break
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range *w.faults {
		t.Error(f)
	}
}

func (w *world) grows() {
	w.until("the run is in the table, and trains", `[...document.querySelectorAll("tr[data-id='0/live'] .state.training")].length`)
	w.until("its values are there", `document.querySelector("tr[data-id='0/live'] .last")`)
	w.shot("runs")
	w.open("view=curves&sel=" + sel("live"))
	w.until("a curve", last("hamming")+" > 0")
	first := js[float64](w, last("hamming"))
	w.until("the curve grows", fmt.Sprintf("%s > %v", last("hamming"), first))
	if n := js[int](w, `performance.getEntriesByType("navigation").length`); n != 1 {
		w.Errorf("the page was loaded %d times", n)
	}
}

func (w *world) pointer() {
	w.open("view=curves&sel=" + sel("done"))
	w.until("the curves", last("hamming")+" === 240")
	p := w.plot("hamming")
	file := w.metrics("done", "hamming", "test")
	for _, share := range []float64{0.2, 0.55, 0.9} {
		w.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, p.X+share*p.W, p.Y+p.H/2))
		w.until("a value under the pointer", `document.querySelector('[data-measure="hamming"] .readout').textContent.startsWith("updates ")`)
		got := js[[]string](w, `(() => { const li = [...document.querySelectorAll('[data-measure="hamming"] .legend li')].find((e) => e.querySelector(".label").textContent === "test"); return [li.querySelector("b").textContent, li.querySelector(".at").textContent]; })()`)
		value, err1 := strconv.ParseFloat(strings.Fields(got[0])[0], 64)
		step, err2 := strconv.Atoi(strings.TrimPrefix(got[1], "@ "))
		want, ok := file[step]
		if err1 != nil || err2 != nil || !ok || value < want-1e-4 || value > want+1e-4 {
			w.Errorf("at %v of the plot the page says %q, the file %v at step %d", share, got, want, step)
		}
		if off := float64(step) - share*240; off < -9 || off > 9 { // 60 epochs of 4 updates, measured every 8
			w.Errorf("at %v of 240 updates the value is that of update %d", share, step)
		}
	}
}

// rest leaves the pointer where it is while lines arrive, and while the chart is built anew.
func (w *world) rest() {
	w.open("view=curves&sel=" + sel("live"))
	w.until("the curves", last("hamming")+" > 0")
	p := w.plot("hamming")
	w.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, p.X+0.4*p.W, p.Y+p.H/2))
	const readout = `document.querySelector('[data-measure="hamming"] .readout').textContent`
	w.until("a value under the pointer", readout+`.startsWith("updates ")`)
	// Every update of the page is looked at: a value that goes and comes again flickers.
	js[bool](w, `(window.gone = 0, new MutationObserver(() => { if (!`+readout+`) window.gone++; }).observe(document.querySelector('[data-measure="hamming"] .readout'), {childList: true, characterData: true, subtree: true}), true)`)
	step := js[float64](w, last("nll_exact"))
	w.until("new lines arrive", fmt.Sprintf("%s > %v", last("nll_exact"), step))
	w.open("view=curves&ly=1&sel=" + sel("live"))
	w.until("the axis is logarithmic", `[...document.querySelectorAll(".chips [aria-pressed=true]")].some((e) => e.textContent === "log y")`)
	w.until("a value on the new axis", readout+`.startsWith("updates ")`)
	if n := js[int](w, `window.gone`); n > 0 {
		w.Errorf("the value under a pointer at rest went %d times", n)
	}
	w.away()
	w.until("the last value again", fmt.Sprintf("!%s && %s > %v", readout, last("hamming"), step))
}

const seen = `document.querySelector('[data-measure="hamming"] .plot').dataset.x`

func (w *world) zoom() {
	w.open("view=curves&sel=" + sel("live"))
	w.until("the curves", last("hamming")+" > 0")
	p := w.plot("hamming")
	before := js[string](w, seen)
	w.do(chromedp.DragAndDropXY(p.X+0.3*p.W, p.Y+p.H/2, p.X+0.6*p.W, p.Y+p.H/2))
	w.until("the drag zooms", seen+" !== "+strconv.Quote(before)+` && document.querySelector('[data-measure="hamming"] .tools .all')`)
	w.away()
	zoomed := js[string](w, seen)
	other := js[string](w, `document.querySelector('[data-measure="nll_exact"] .plot').dataset.x`)
	if other != zoomed {
		w.Errorf("the charts look at %s and %s", zoomed, other)
	}
	step := js[float64](w, last("hamming"))
	w.until("new lines arrive", fmt.Sprintf("%s > %v", last("hamming"), step))
	time.Sleep(300 * time.Millisecond)
	if now := js[string](w, seen); now != zoomed {
		w.Errorf("new lines changed what is looked at from %s to %s", zoomed, now)
	}
	w.shot("zoomed")
	w.do(chromedp.Click(`[data-measure="hamming"] .tools .all`))
	w.until("all is shown again", fmt.Sprintf(`%s.split(" ")[1] >= %v`, seen, step))
}

// logarithmic looks at the marks of a logarithmic axis that begins just below a power of ten.
func (w *world) logarithmic() {
	got := js[string](w, `(async () => (await import("./chart.js")).decades(9.7, 130).join())()`)
	if want := "10,20,30,40,50,60,70,80,90,100"; got != want {
		w.Errorf("marks %s, want %s", got, want)
	}
	if got := js[string](w, `(async () => (await import("./chart.js")).decades(3e-9, 0.2).join())()`); got != "1e-8,1e-7,0.000001,0.00001,0.0001,0.001,0.01,0.1" {
		w.Errorf("marks of many decades: %s", got)
	}
}

func (w *world) exports() {
	w.open("view=curves&sel=" + sel("done", "live"))
	w.until("the curves of both", `document.querySelectorAll('[data-measure="hamming"] .legend li').length === 4`)
	// What the browser would save is caught where it is handed over.
	js[bool](w, `window.caught = {}, HTMLAnchorElement.prototype.click = function () { const name = this.download; window.caught[name] = null; window.blobs.get(this.href).text().then((t) => window.caught[name] = t); }, window.blobs = new Map(), URL.createObjectURL = ((f) => (b) => { const u = f.call(URL, b); window.blobs.set(u, b); return u; })(URL.createObjectURL), true`)
	for i, kind := range []string{"csv", "png", "svg"} {
		js[bool](w, fmt.Sprintf(`(document.querySelectorAll('[data-measure="hamming"] .tools button')[%d].click(), true)`, i))
		w.until("a "+kind, fmt.Sprintf(`Object.keys(window.caught).some((k) => k.endsWith(".%s") && window.caught[k])`, kind))
	}
	text := func(kind string) string {
		return js[string](w, fmt.Sprintf(`Object.entries(window.caught).find(([k]) => k.endsWith(".%s"))[1]`, kind))
	}
	csv := strings.Split(strings.TrimSpace(text("csv")), "\n")
	file := w.metrics("done", "hamming", "test")
	n := 0
	for _, line := range csv[1:] {
		f := strings.Split(line, ",")
		if f[0] != "done · test" {
			continue
		}
		n++
		step, _ := strconv.Atoi(f[3])
		if v, err := strconv.ParseFloat(f[6], 64); err != nil || v != file[step] {
			w.Errorf("CSV line %q, the file has %v", line, file[step])
		}
	}
	if csv[0] != "series,measure,split,step,epoch,seconds,value,stderr" || n != len(file) {
		w.Errorf("CSV of %d lines, %d of the run, want %d; head %q", len(csv), n, len(file), csv[0])
	}
	if !strings.Contains(text("png"), "PNG") {
		w.Error("the picture is no PNG")
	}
	svg := text("svg")
	if ok := js[bool](w, `!new DOMParser().parseFromString(Object.entries(window.caught).find(([k]) => k.endsWith(".svg"))[1], "image/svg+xml").querySelector("parsererror")`); !ok || strings.Count(svg, `stroke-width="2"`) < 8 || strings.Contains(svg, "NaN") {
		w.Errorf("the SVG is broken: %.300s", svg)
	}
	js[bool](w, `(location.reload(), true)`)
	w.until("the page is back", `!window.caught && document.querySelector('[data-measure="hamming"] .legend .at')`)
}

func (w *world) compare() {
	w.open("view=compare&a=0%2Fdone&b=0%2Flive")
	w.until("what differs", `[...document.querySelectorAll(".differs th")].some((e) => e.textContent === "negative.kind")`)
	if js[bool](w, `[...document.querySelectorAll(".plain th")].some((e) => e.textContent === "data.name")`) {
		w.Error("what is equal is shown as a difference")
	}
	w.until("curves over each other", `[...document.querySelectorAll(".legend .label")].map((e) => e.textContent).join().match(/done.*live/s)`)
	w.until("pictures side by side", `document.querySelectorAll(".pair canvas").length >= 2`)
	w.shot("compare")
}

func (w *world) pictures() {
	w.open("view=pictures&run=0%2Fdone")
	w.until("patterns", `document.querySelector(".tiles canvas")?.width > 100`)
	w.until("a slider over time", `document.querySelector('[data-focus="time"]')?.max === "5"`)
	pixels := `document.querySelector(".tiles canvas").toDataURL()`
	newest := js[string](w, pixels)
	js[bool](w, `(() => { const s = document.querySelector('[data-focus="time"]'); s.value = 0; s.dispatchEvent(new Event("input")); return true; })()`)
	w.until("the first checkpoint", `document.querySelector(".time output").textContent.startsWith("40 (1 of 6)") && `+pixels+" !== "+strconv.Quote(newest))
	w.shot("pictures")
	w.open("view=machine&run=0%2Fdone")
	w.until("layers", `document.querySelector(".layers")?.getAttribute("aria-label").includes("hidden with 30 spins")`)
	w.until("singular values", `[...document.querySelectorAll("h2")].some((e) => e.textContent === "Singular values of visible-hidden") && document.querySelector(".legend .at")`)
	if !js[bool](w, `document.querySelector("pre").textContent.startsWith("mattis diagnose ")`) {
		w.Error("no word of diagnose")
	}
	diagnose := exec.Command(w.mattis, "diagnose", filepath.Join(w.dir, "done"), "--chains", "8", "--steps", "40", "--json")
	out, err := diagnose.Output()
	if err == nil {
		err = os.WriteFile(filepath.Join(w.dir, "done", "diagnose.json"), out, 0o666)
	}
	if err != nil {
		w.Fatal(err)
	}
	w.until("the verdict, without a reload", `document.querySelectorAll(".verdict").length >= 2`)
	w.shot("machine")
}

// rows looks at spin chains, which are no images.
func (w *world) rows() {
	var table strings.Builder
	for i := range 40 {
		for j := range 12 {
			fmt.Fprintf(&table, "%d ", 2*((i+j)/4%2)-1)
		}
		table.WriteString("\n")
	}
	data := filepath.Join(w.TempDir(), "chains.csv")
	text := strings.ReplaceAll(strings.ReplaceAll(table.String(), " \n", "\n"), " ", ",")
	if err := os.WriteFile(data, []byte(text), 0o666); err != nil {
		w.Fatal(err)
	}
	cmd := w.start("train", "bars", "--run", filepath.Join(w.dir, "chains"), "--threads", "1", "--set", "data={name: csv, path: "+data+", split: random}",
		"--set", "machine.hidden=20", "--set", "train.epochs=20", "--set", "measure.last=[]", "--set", "measure.pictures={every: 10, count: 6}")
	if err := cmd.Wait(); err != nil {
		w.Fatal(err)
	}
	w.open("view=pictures&run=0%2Fchains")
	w.until("four groups of bars", `[...document.querySelectorAll(".tiles figcaption")].filter((e) => e.textContent.endsWith(" 6 rows of 12 spins")).length === 4`)
	// Each group has its bars up and down from the line, of 13 pixels each, and what was not given is tinted.
	if got := js[string](w, `[...document.querySelectorAll(".tiles canvas")].map((c) => { const d = c.getContext("2d").getImageData(0, 0, 12 * 13, 44).data, at = (x, y) => [...d.slice(4 * (156 * y + x), 4 * (156 * y + x) + 3)].join();
		return [...Array(12).keys()].map((j) => { const up = at(13 * j + 5, 5), down = at(13 * j + 5, 38), back = at(13 * j + 12, 5); return up === down ? "?" : up === back ? "-" : "+"; }).join(""); })[1]`); !regexp.MustCompile(`^[+-]{6}\?{6}$`).MatchString(got) {
		w.Errorf("the bars of what is given are %q, want six spins that are known and six that are not", got)
	}
	w.shot("rows")
	w.open("view=pictures&run=0%2Fchains&source=patterns.visible")
	w.until("patterns as bars", `document.querySelector(".tiles figcaption").textContent.includes("rows of 12")`)
	if err := os.RemoveAll(filepath.Join(w.dir, "chains")); err != nil {
		w.Fatal(err)
	}
}

// beside looks at the page that a training serves itself, to its end.
func (w *world) beside() {
	dir := filepath.Join(w.TempDir(), "own")
	cmd := exec.Command(w.mattis, "train", "bars-pcd", "--run", dir, "--watch", "--threads", "1", "--set", "train.epochs=100000000", "--set", "machine.hidden=20",
		"--set", "negative.chains=64", "--set", "measure.every=40", "--set", "measure.last=[]")
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.Fatal(err)
	}
	defer stop(cmd, os.Kill)
	lines := bufio.NewScanner(said)
	place := ""
	for place == "" && lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == "page:" {
			place = f[1]
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	address, _, _ := strings.Cut(place, "#")
	w.mu.Lock()
	*w.places = append(*w.places, address)
	w.mu.Unlock()
	w.do(chromedp.Navigate(place))
	w.until("a curve", last("hamming")+" > 0")
	step := js[float64](w, last("hamming"))
	w.until("it grows", fmt.Sprintf("%s > %v", last("hamming"), step))
	stop(cmd, os.Interrupt)
	w.until("the end is said", `document.querySelector("#notices").textContent.includes("mattis watch `+dir+` shows the run again") && document.querySelector("#live").textContent === "ended"`)
	w.until("and how it ended", `document.querySelector(".side .state.interrupted")`)
	now := *w
	now.dir = filepath.Dir(dir)
	most := 0
	for step := range now.metrics("own", "hamming", "test") {
		most = max(most, step)
	}
	w.until("the last line is there", fmt.Sprintf("%s === %d", last("hamming"), most))
	w.shot("ended")
	w.open("view=runs")
}

func (w *world) theme() {
	background := `getComputedStyle(document.body).backgroundColor`
	before, was := js[string](w, background), js[string](w, `document.documentElement.dataset.theme`)
	w.do(chromedp.Click("#theme"))
	if after, is := js[string](w, background), js[string](w, `document.documentElement.dataset.theme`); after == before || is == was {
		w.Errorf("the switch left %s, %s", is, after)
	}
	js[bool](w, `(window.before = true, location.reload(), true)`)
	w.until("it is kept", `!window.before && document.readyState === "complete" && document.documentElement.dataset.theme !== `+strconv.Quote(was))
	w.open("view=curves&sel=" + sel("done", "live"))
	w.until("curves in the dark", last("hamming")+" > 0")
	w.shot("dark")
	w.do(chromedp.Click("#theme"))
}

func (w *world) keyboard() {
	key := func(k string) { w.do(chromedp.KeyEvent(k)) }
	w.open("view=machine")
	js[bool](w, `(document.activeElement.blur(), true)`)
	key("1")
	w.until("1 is the runs", `document.querySelector(".v-runs tbody tr[data-id]")`)
	key("/")
	w.until("/ filters", `document.activeElement.id === "filter"`)
	js[bool](w, `(document.getElementById("filter").value = "", true)`) // a key of the protocol types its character whatever the page says to it
	key("state:ended")
	w.until("one is left", `document.querySelectorAll("tbody tr[data-id]").length === 1`)
	js[bool](w, `(document.getElementById("filter").select(), true)`)
	key("\b")
	w.until("both again", `document.querySelectorAll("tbody tr[data-id]").length === 2`)
	js[bool](w, `(document.activeElement.blur(), true)`)
	key("j")
	key("x")
	w.until("x chooses", `document.querySelectorAll("tr.chosen.cursor").length === 1`)
	key("2")
	w.until("2 is the curves", `document.querySelector(".v-curves .legend .at")`)
	js[bool](w, `(document.querySelector(".plot").focus(), true)`)
	js[bool](w, `(document.querySelector(".plot").dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true})), true)`)
	w.until("an arrow reads a value", `document.querySelector(".chart [aria-live]").textContent.startsWith("updates ")`)
}

func (w *world) names() {
	const evil = `<img src=x onerror="window.pwned=1"> "q' & more`
	dir := filepath.Join(w.dir, evil)
	b, err := os.ReadFile(filepath.Join(w.dir, "done", "recipe.yaml"))
	if err == nil {
		err = os.MkdirAll(dir, 0o777)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "recipe.yaml"), append(b, "evil: \"<script>window.pwned=1</script>\"\n"...), 0o666)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "metrics.jsonl"), []byte(`{"step":1,"epoch":1,"seconds":1,"name":"<b onclick=x>m</b>","split":"<i>","value":1,"stderr":0,"detail":{}}`+"\n"), 0o666)
	}
	if err != nil {
		w.Fatal(err)
	}
	w.open("view=runs")
	w.until("it is in the table, as text", `[...document.querySelectorAll("tbody th a")].some((e) => e.textContent === `+strconv.Quote(evil)+`)`)
	for _, view := range []string{"curves", "pictures", "machine", "compare"} {
		id, _ := json.Marshal([]string{"0/" + evil})
		js[bool](w, `(location.hash = new URLSearchParams({view: `+strconv.Quote(view)+`, sel: `+strconv.Quote(string(id))+`, run: `+strconv.Quote("0/"+evil)+`, a: `+strconv.Quote("0/"+evil)+`}), true)`)
		w.until(view+" of it", `document.querySelector(".v-`+view+`") && document.body.textContent.includes(`+strconv.Quote(evil)+`)`)
	}
	if js[bool](w, `!!window.pwned || !!document.querySelector("#main img[src='x'], #main b[onclick], #main script")`) {
		w.Error("a name was read as markup")
	}
	if err := os.RemoveAll(dir); err != nil {
		w.Fatal(err)
	}
}

// killed kills the training behind the page and resumes it. The page has to follow, without a
// reload, and in the end to have exactly the lines of the file.
func (w *world) killed(train *exec.Cmd) *exec.Cmd {
	w.open("view=curves&sel=" + sel("live"))
	w.until("the curves", last("hamming")+" > 0")
	js[bool](w, `(window.same = true)`)
	stop(train, os.Kill)
	w.until("it is said to be killed", `document.querySelector(".side .state.killed")`)
	at := js[float64](w, last("hamming"))
	train = w.start("resume", filepath.Join(w.dir, "live"), "--threads", "1")
	w.until("it trains again", `document.querySelector(".side .state.training")`)
	w.until("the curve goes on", fmt.Sprintf("%s > %v", last("hamming"), at))
	stop(train, os.Interrupt)
	w.until("it is interrupted", `document.querySelector(".side .state.interrupted")`)
	file := w.metrics("live", "hamming", "train")
	w.until("the page has the lines of the file", fmt.Sprintf(`(async () => {
		const { lines } = await import("./lines.js"), { runs } = await import("./runs.js");
		const s = lines(runs.get("0/live"), () => {}).series.get("hamming train");
		window.got = s.step.length;
		return s.step.length === %d && s.step.every((v, i) => i === 0 || v > s.step[i - 1]);
	})()`, len(file)))
	sum := 0.0
	for _, v := range file {
		sum += v
	}
	got := js[float64](w, `(async () => (await import("./lines.js")).lines((await import("./runs.js")).runs.get("0/live"), () => {}).series.get("hamming train").value.reduce((a, b) => a + b, 0))()`)
	if d := got - sum; d < -1e-9 || d > 1e-9 {
		w.Errorf("the page's values add up to %v, those of the file to %v", got, sum)
	}
	if !js[bool](w, `window.same === true`) {
		w.Error("the page was loaded anew")
	}
	return w.start("resume", filepath.Join(w.dir, "live"), "--threads", "1")
}

func (w *world) phone() {
	w.do(chromedp.EmulateViewport(390, 844))
	for _, view := range []string{"runs", "curves", "pictures", "machine", "compare"} {
		w.open("view=" + view + "&sel=" + sel("done", "live"))
		w.until(view+" is there", `document.querySelector(".v-`+view+` tr[data-id], .v-`+view+` canvas")`)
		time.Sleep(300 * time.Millisecond)
		if width := js[int](w, `document.documentElement.scrollWidth`); width > 390 {
			w.Errorf("%s is %d pixels wide on a screen of 390", view, width)
		}
		w.shot("phone-" + view)
	}
	w.do(chromedp.EmulateViewport(1400, 900))
}

func (w *world) accessible() {
	path := os.Getenv("AXE")
	if path == "" {
		w.Skip("AXE names no axe.min.js: findings of accessibility were not looked for")
	}
	script, err := os.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	for _, dark := range []bool{false, true} {
		for _, view := range []string{"runs", "curves", "pictures", "machine", "compare"} {
			w.open("view=" + view + "&sel=" + sel("done", "live"))
			js[bool](w, fmt.Sprintf(`(window.theme.dark !== %v && window.theme.toggle(), true)`, dark))
			w.until(view+" is there", `document.querySelector(".v-`+view+` tr[data-id], .v-`+view+` canvas")`)
			time.Sleep(400 * time.Millisecond)
			js[bool](w, string(script)+"\n;true")
			found := js[[]string](w, `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120) + " " + (n.any[0]?.message ?? "")).join(" | ")))`)
			for _, f := range found {
				w.Errorf("%s, dark %v: %s", view, dark, f)
			}
		}
	}
	js[bool](w, `(window.theme.dark && window.theme.toggle(), true)`)
}

func (w *world) deleted() {
	w.open("view=runs")
	w.until("it is there", `document.querySelector("tr[data-id='0/live']")`)
	if err := os.RemoveAll(filepath.Join(w.dir, "live")); err != nil {
		w.Fatal(err)
	}
	w.until("its row goes", `!document.querySelector("tr[data-id='0/live']")`)
}

func (w *world) many() {
	recipe, err := os.ReadFile(filepath.Join(w.dir, "done", "recipe.yaml"))
	if err != nil {
		w.Fatal(err)
	}
	lines, err := os.ReadFile(filepath.Join(w.dir, "done", "metrics.jsonl"))
	if err != nil {
		w.Fatal(err)
	}
	for i := range 200 {
		dir := filepath.Join(w.dir, fmt.Sprintf("many-%d", i))
		if err := os.MkdirAll(dir, 0o777); err != nil {
			w.Fatal(err)
		}
		text := strings.Replace(string(recipe), "hidden: 30", fmt.Sprintf("hidden: %d", 1000+i), 1)
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "recipe.yaml"), []byte(text), 0o666), os.WriteFile(filepath.Join(dir, "metrics.jsonl"), lines, 0o666)); err != nil {
			w.Fatal(err)
		}
	}
	w.until("200 more rows, with curves", `document.querySelectorAll("tbody tr[data-id]").length === 201 && document.querySelectorAll("svg.spark").length === 201`)
	w.until("the recipe key that differs is a column", `[...document.querySelectorAll("thead button")].some((e) => e.title === "machine.hidden")`)
	js[bool](w, `([...document.querySelectorAll("thead button")].find((e) => e.title === "machine.hidden").click(), true)`)
	w.until("sorted by it", `document.querySelector("th[aria-sort=ascending]")?.textContent.startsWith("hidden") && document.querySelector("tbody tr").dataset.id === "0/done"`)
	js[bool](w, `([...document.querySelectorAll("thead button")].find((e) => e.title === "machine.hidden").click(), true)`)
	w.until("and the other way", `document.querySelector("tbody tr").dataset.id === "0/many-199"`)
	js[bool](w, `(() => { const f = document.getElementById("filter"); f.value = "hidden>1189"; f.dispatchEvent(new Event("input")); return true; })()`)
	w.until("the filter leaves ten", `document.querySelectorAll("tbody tr[data-id]").length === 10`)
	w.shot("many")
}
