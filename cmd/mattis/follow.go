package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mattis/data"
	"mattis/eval"
	"mattis/recipe"
	"mattis/run"
	"mattis/train"
	"mattis/view"
)

// follow trains the session under the eyes of its user: progress, a table of
// the measures at the end, figures, and the page, if there is one, all the while.
func follow(cmd *cobra.Command, s *recipe.Session, asJSON bool, page *trainingPage) error {
	errw, out := cmd.ErrOrStderr(), cmd.OutOrStdout()
	outliveReaders()
	defer onRequest(s.Checkpoint)()
	announce("stopping after this update; again quits at once")
	tellSession(errw, s)
	tty, width := terminal(errw)
	p := view.NewProgress(errw, view.ProgressOptions{Label: s.Recipe.Name, Unit: "updates", Total: s.Steps(), Start: s.Trainer.Step, TTY: tty, Width: width})
	if err := page.show(s.Dir.Path(), errw); err != nil {
		return err
	}
	defer page.farewell(p.Println)
	w := &watcher{progress: p, session: s, page: page, began: s.Trainer.Seconds}
	var written error // the first failure to write JSON: training goes on, the run directory has it all
	if asJSON {
		enc := json.NewEncoder(out)
		s.Measured = func(m run.Metric) {
			w.note(m)
			if err := enc.Encode(m); written == nil {
				written = err
			}
		}
	} else {
		s.Measured = w.note
	}
	s.Watch = append(s.Watch, w)
	s.Told = p.Println
	began, seconds := s.Trainer.Step, s.Trainer.Seconds
	err := s.Run(cmd.Context())
	processes.agreed = errors.Is(err, context.Canceled) // at an update's boundary
	if processes.agreed {
		p.Set(s.Trainer.Step)
		p.Finish("interrupted")
		fmt.Fprintf(errw, "stopped at update %d with a checkpoint%s; go on with: mattis resume %s\n", s.Saved(), owed(s), s.Dir.Path())
		return err
	}
	if err != nil {
		return err
	}
	if s.Stopped() != "" {
		p.Finish("stopped early")
	} else {
		p.Finish("")
	}
	processes.tellTraffic(errw, s.Trainer.Step-began, s.Trainer.Seconds-seconds)
	if processes.first() {
		if err := drawFigures(s); err != nil {
			return err
		}
	}
	if asJSON {
		return unread(written)
	}
	if t := lastMeasures(s); len(t.Rows) > 0 {
		if err := t.Write(out); err != nil {
			return unread(err)
		}
		fmt.Fprintln(out)
	}
	// The measures above are of the last update.
	if b, err := s.Dir.Best(); err == nil && b != nil && b.Step != s.Trainer.Step {
		fmt.Fprintf(out, "best checkpoint: update %d, %s %.4f; --checkpoint best takes it\n", b.Step, strings.TrimSpace(b.Measure+" "+b.Split), b.Value)
	}
	_, err = fmt.Fprintf(out, "run directory: %s\n", s.Dir.Path())
	return unread(err)
}

// tellSession says what a session began with.
func tellSession(errw io.Writer, s *recipe.Session) {
	for _, err := range s.Refused {
		fmt.Fprintln(errw, "damaged checkpoint passed over:", err)
	}
	for _, w := range s.Warnings {
		fmt.Fprintln(errw, "warning:", w)
	}
	if t := s.Taken; len(t.From) > 0 {
		fmt.Fprintf(errw, "started from %s", strings.Join(t.From, ", "))
		if len(t.Drawn) > 0 {
			fmt.Fprintf(errw, "; as drawn are %s", strings.Join(t.Drawn, ", "))
		}
		fmt.Fprintln(errw)
	}
	if p := s.Trainer.Positive; p != nil {
		bytes, names := 0, []string(nil)
		for _, x := range p.State() {
			bytes += x.Value.Len()
			names = append(names, x.Name)
		}
		if bytes > 0 {
			fmt.Fprintf(errw, "chains of the training rows (%s): %.1f MiB of memory, and of each checkpoint\n", strings.Join(names, ", "), float64(bytes)/(1<<20))
		}
	}
	if left := s.Taken.Left; len(left) > 0 {
		fmt.Fprintf(errw, "warning: the other machine's %s are not taken, for which this one has no place\n", strings.Join(left, ", "))
	}
}

// owed says in a message which measures of the step are still to be taken.
func owed(s *recipe.Session) string {
	var names []string
	for _, w := range s.Owed() {
		if !slices.Contains(names, w.Measure) {
			names = append(names, w.Measure)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " before it was measured (" + strings.Join(names, ", ") + ")"
}

// watcher shows the progress of a session.
type watcher struct {
	progress *view.Progress
	session  *recipe.Session
	page     *trainingPage
	latest   []run.Metric // of each set, the first set that was measured first
	began    float64      // seconds of the training before
}

func (w *watcher) note(m run.Metric) {
	m.Detail = nil
	for i := range w.latest {
		if w.latest[i].Split == m.Split {
			w.latest[i] = m
			return
		}
	}
	w.latest = append(w.latest, m)
}

// notes are the last measures of all sets, the name of one that all have once, and the epoch alone
// where they are too long.
func (w *watcher) notes(epoch int) (long, short string) {
	short = fmt.Sprintf("epoch %d", epoch)
	long = short
	for i, m := range w.latest {
		name := m.Name + " "
		if i > 0 && w.latest[i-1].Name == m.Name {
			name = ""
		}
		if m.Split != "" {
			name += m.Split + " "
		}
		long += fmt.Sprintf("  %s%.4g", name, m.Value)
	}
	return long, short
}

// Observe updates the progress line.
func (w *watcher) Observe(ev train.Event) error {
	w.progress.Worked(ev.Seconds - w.began)
	w.progress.Set(ev.Step)
	w.page.tell(w.progress.Println)
	if w.progress.Due() { // notes cost more than small updates
		long, short := w.notes(ev.Epoch)
		w.progress.Update(ev.Step, long, short)
	}
	return nil
}

// lastMeasures returns the table of what was measured at the end.
func lastMeasures(s *recipe.Session) view.Table {
	var results []eval.Result
	for _, x := range s.History {
		if p := x.Points[len(x.Points)-1]; p.Step == s.Trainer.Step {
			results = append(results, eval.Result{Measure: x.Name, Split: x.Split, Value: p.Value, Stderr: p.Stderr})
		}
	}
	return measureTable(results)
}

// figure is a picture that a training draws at its end.
type figure struct {
	name string
	draw func(path string) error
}

// figuresOf returns the figures of a training: the learning curves and, of images, a tile of
// reconstructions.
func figuresOf(s *recipe.Session) []figure {
	var list []figure
	curves := map[string][]view.Series{}
	for _, x := range s.History {
		c := view.Series{Name: cmp.Or(x.Split, "machine"), Deviation: make([]float64, len(x.Points))}
		for _, p := range x.Points {
			c.X, c.Mean = append(c.X, float64(p.Epoch)), append(c.Mean, p.Value)
		}
		if curves[x.Name] == nil && len(x.Points) > 1 {
			name := x.Name
			list = append(list, figure{name + ".png", func(path string) error {
				chart := view.Chart{Title: s.Recipe.Name + ", seed " + fmt.Sprint(s.Recipe.Seed), X: view.Axis{Label: "epoch"}, Y: view.Axis{Label: name}}
				return view.Curves(path, chart, curves[name])
			}})
		}
		curves[x.Name] = append(curves[x.Name], c)
	}
	set := s.Split.Test
	if set == nil {
		set = s.Split.Train
	}
	if set.Height > 0 {
		list = append(list, figure{"reconstructions.png", func(path string) error { return drawReconstructions(s, set, path) }})
	}
	return list
}

func drawFigures(s *recipe.Session) error {
	if err := os.MkdirAll(filepath.Dir(s.Dir.Figure("x.png")), 0o777); err != nil {
		return err
	}
	for _, f := range figuresOf(s) {
		if err := f.draw(s.Dir.Figure(f.name)); err != nil {
			return fmt.Errorf("draw figures: %w", err)
		}
	}
	return nil
}

// completeFigures draws the figures of a run that ended if one is not there or is older than what
// it shows: the process may have ended before it had drawn them.
func completeFigures(s *recipe.Session) error {
	drawn, err := s.Dir.Changed()
	if err != nil {
		return err
	}
	for _, f := range figuresOf(s) {
		if info, err := os.Stat(s.Dir.Figure(f.name)); err != nil || info.ModTime().Before(drawn) {
			return drawFigures(s)
		}
	}
	return nil
}

// reconstructed is how many images the tile of reconstructions shows at most,
// and with how many sweeps they are made.
const reconstructed, reconstructionSweeps = 12, 10

func drawReconstructions(s *recipe.Session, set *data.Set, path string) error {
	given, result, original := s.Reconstructions(set, min(reconstructed, set.Rows), reconstructionSweeps, s.Recipe.Key())
	return view.Reconstructions(path, given, result, original, view.Sheet{Height: set.Height, Width: set.Width})
}
