package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/recipe"
	"mattis/run"
	"mattis/sampler"
	"mattis/train"
	"mattis/view"
)

// follow trains the session under the eyes of its user: progress, a table of
// the measures at the end, and figures.
func follow(cmd *cobra.Command, s *recipe.Session, asJSON bool) error {
	errw, out := cmd.ErrOrStderr(), cmd.OutOrStdout()
	for _, err := range s.Refused {
		fmt.Fprintln(errw, "damaged checkpoint passed over:", err)
	}
	for _, w := range s.Warnings {
		fmt.Fprintln(errw, "warning:", w)
	}
	tty, width := terminal(errw)
	p := view.NewProgress(errw, view.ProgressOptions{Label: s.Recipe.Name, Unit: "updates", Total: s.Steps(), Start: s.Trainer.Step, TTY: tty, Width: width})
	w := &watcher{progress: p, session: s, began: s.Trainer.Seconds}
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
	err := s.Run(cmd.Context())
	if errors.Is(err, context.Canceled) {
		p.Set(s.Trainer.Step)
		p.Finish("interrupted")
		fmt.Fprintf(errw, "stopped at update %d with a checkpoint; go on with: mattis resume %s\n", s.Trainer.Step, s.Dir.Path())
		return err
	}
	if err != nil {
		return err
	}
	p.Finish("")
	if err := drawFigures(s); err != nil {
		return fmt.Errorf("draw figures: %w", err)
	}
	if asJSON {
		return written
	}
	if t := lastMeasures(s); len(t.Rows) > 0 {
		if err := t.Write(out); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "run directory: %s\n", s.Dir.Path())
	return nil
}

// watcher shows the progress of a session.
type watcher struct {
	progress *view.Progress
	session  *recipe.Session
	latest   string
	began    float64 // seconds of the training before
}

func (w *watcher) note(m run.Metric) {
	w.latest = fmt.Sprintf("%s %s %.4g", m.Split, m.Name, m.Value)
}

// Observe updates the progress line.
func (w *watcher) Observe(ev train.Event) error {
	w.progress.Worked(ev.Seconds - w.began)
	w.progress.Update(ev.Step, fmt.Sprintf("epoch %d  %s", ev.Epoch, w.latest))
	return nil
}

// lastMeasures returns the table of what was measured at the end.
func lastMeasures(s *recipe.Session) view.Table {
	metrics, err := s.Dir.Metrics()
	if err != nil {
		return view.Table{}
	}
	var results []eval.Result
	for _, m := range metrics {
		if m.Step == s.Trainer.Step {
			results = append(results, eval.Result{Measure: m.Name, Split: m.Split, Value: m.Value, Stderr: m.Stderr})
		}
	}
	return measureTable(results)
}

// drawFigures draws the learning curves and, of images, a tile of reconstructions.
func drawFigures(s *recipe.Session) error {
	metrics, err := s.Dir.Metrics()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.Dir.Figure("x.png")), 0o777); err != nil {
		return err
	}
	var names []string
	curves := map[string][]view.Series{}
	for _, m := range metrics {
		if !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
		label := m.Split
		if label == "" {
			label = "machine"
		}
		series := curves[m.Name]
		i := slices.IndexFunc(series, func(x view.Series) bool { return x.Name == label })
		if i < 0 {
			series = append(series, view.Series{Name: label})
			i = len(series) - 1
		}
		series[i].X = append(series[i].X, float64(m.Epoch))
		series[i].Mean = append(series[i].Mean, m.Value)
		series[i].Deviation = append(series[i].Deviation, 0)
		curves[m.Name] = series
	}
	for _, n := range names {
		if len(curves[n][0].X) < 2 {
			continue
		}
		chart := view.Chart{Title: s.Recipe.Name + ", seed " + fmt.Sprint(s.Recipe.Seed), X: view.Axis{Label: "epoch"}, Y: view.Axis{Label: n}}
		if err := view.Curves(s.Dir.Figure(n+".png"), chart, curves[n]); err != nil {
			return err
		}
	}
	set := s.Split.Test
	if set == nil {
		set = s.Split.Train
	}
	if set.Height == 0 {
		return nil
	}
	return drawReconstructions(s, set)
}

// reconstructed is how many images the tile of reconstructions shows at most,
// and with how many sweeps they are made.
const reconstructed, reconstructionSweeps = 12, 10

func drawReconstructions(s *recipe.Session, set *data.Set) error {
	n := min(reconstructed, set.Rows)
	given, original := make([][]int8, n), make([][]int8, n)
	known := make([]bool, set.Visible)
	for i := range given {
		row := i * set.Rows / n
		original[i] = set.Row(row)
		given[i] = make([]int8, set.Visible)
		set.Known(row, known)
		data.Corrupt(given[i], original[i], known)
	}
	e := s.Machine.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	state := bm.State{e.Scratch(compute.Int8, n, set.Visible), e.Scratch(compute.Int8, n, s.Machine.Layers()[bm.Hidden])}
	e.Write(state[bm.Visible], slices.Concat(given...))
	sampler.Reconstruct(s.Machine, state, bm.Law{Key: s.Recipe.Key()}, reconstructionSweeps)
	flat := make([]int8, n*set.Visible)
	e.Read(flat, state[bm.Visible])
	result := slices.Collect(slices.Chunk(flat, set.Visible))
	for _, rows := range [][][]int8{given, result, original} { // label spins are no pixels
		for i, row := range rows {
			rows[i] = row[:set.Pixels()]
		}
	}
	return view.Reconstructions(s.Dir.Figure("reconstructions.png"), given, result, original, view.Sheet{Height: set.Height, Width: set.Width})
}
