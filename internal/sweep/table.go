package sweep

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mattis/run"
)

// Result is what a point has come to.
type Result struct {
	Point
	State   string // as state.json has it, or new
	Epoch   int
	Metrics []run.Metric // of the last step, by name and split
	Message string       // why it failed, or diverged
}

// unbegun is the state of a point of which there is no directory.
const unbegun = "new"

// Look returns what every point has come to by its directory alone.
func (s *Sweep) Look(out string) ([]Result, error) {
	host, _ := os.Hostname()
	var list []Result
	for _, p := range s.Points {
		r, err := look(p, filepath.Join(out, p.Key), host)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func look(p Point, path, host string) (Result, error) {
	r := Result{Point: p, State: unbegun}
	d, err := run.Open(path)
	if errors.Is(err, fs.ErrNotExist) || err != nil && run.Unused(path) {
		if p.fault != "" {
			r.State, r.Message = run.Failed, p.fault
		}
		return r, nil
	}
	if err != nil {
		return r, err
	}
	state, err := d.State()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if err == nil {
		r.State, r.Message = state.Now(host, time.Now()), state.Message
	}
	all, err := d.Metrics()
	if err != nil || len(all) == 0 {
		return r, err
	}
	last := slices.MaxFunc(all, func(a, b run.Metric) int { return a.Step - b.Step })
	r.Epoch = last.Epoch
	for _, m := range all {
		if m.Step == last.Step {
			m.Detail, m.Seconds = nil, 0 // that a table is the same whoever makes it
			r.Metrics = append(r.Metrics, m)
		}
	}
	slices.SortStableFunc(r.Metrics, func(a, b run.Metric) int { return strings.Compare(column(a), column(b)) })
	return r, nil
}

// column names a measure in the table.
func column(m run.Metric) string { return strings.TrimSpace(m.Name + " " + m.Split) }

// results returns what all points have come to, after this call has trained what was left: those that
// did not fail have ended, whatever a process that was killed at its very end has left as their state.
func (m *making) results() ([]Result, error) {
	list, err := m.Look(m.Out)
	for i := range list {
		r := &list[i]
		if message, ok := m.failed[r.Key]; ok {
			r.State, r.Message = run.Failed, message
		} else if r.State != run.Diverged {
			r.State, r.Message = run.Ended, ""
		}
	}
	return list, err
}

// TableName is the file of the table in the folder of a sweep.
const TableName = "sweep.csv"

// writeTable writes a row a point: key, what is set, seed, state, epoch, the measures of the last step
// with their standard errors where any is known, and why it failed. Nothing in it depends on how many
// processes there were, or when.
func (s *Sweep) writeTable(out string, list []Result) error {
	var columns []string
	known := map[string]bool{}
	for _, r := range list {
		for _, m := range r.Metrics {
			if !slices.Contains(columns, column(m)) {
				columns = append(columns, column(m))
			}
			if m.Stderr > 0 {
				known[column(m)] = true
			}
		}
	}
	slices.Sort(columns)
	head := slices.Concat([]string{"key"}, s.Paths, []string{"seed", "state", "epoch"})
	for _, c := range columns {
		head = append(head, c)
		if known[c] {
			head = append(head, c+" stderr")
		}
	}
	rows := [][]string{append(head, "message")}
	for _, r := range list {
		row := slices.Concat([]string{r.Key}, r.Values)
		row = append(row, strconv.FormatUint(r.Seed, 10), r.State, strconv.Itoa(r.Epoch))
		for _, c := range columns {
			value, stderr := r.measured(c)
			row = append(row, text(value))
			if known[c] {
				row = append(row, text(stderr))
			}
		}
		rows = append(rows, append(row, r.Message))
	}
	return run.WriteFile(filepath.Join(out, TableName), func(w io.Writer) error {
		return csv.NewWriter(w).WriteAll(rows)
	})
}

// measured returns the value of a column, NaN where it was not measured.
func (r Result) measured(c string) (value, stderr float64) {
	for _, m := range r.Metrics {
		if column(m) == c {
			return m.Value, m.Stderr
		}
	}
	return math.NaN(), math.NaN()
}

// text returns x in as many digits as it has, "" where it is not known.
func text(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// Rank is a combination of settings: the mean of the measure of Best over its seeds.
type Rank struct {
	Settings string // path=value, with blanks between
	Key      string // of its first seed
	Mean     float64
	Stderr   float64 // of the mean over seeds, NaN of one
	Seeds    int
}

// Ranking returns the combinations of which every seed has the measure of Best, the best first; equal
// ones in the order of the table.
func (s *Sweep) Ranking(list []Result) ([]Rank, error) {
	if s.Best == nil {
		return nil, nil
	}
	by := strings.TrimSpace(s.Best.Measure + " " + s.Best.Split)
	var ranks []Rank
	columns := map[string]bool{}
	for k := 0; k+s.Seeds <= len(list); k += s.Seeds {
		r := Rank{Key: list[k].Key, Stderr: math.NaN(), Seeds: s.Seeds}
		for i, v := range list[k].Values {
			r.Settings = strings.TrimSpace(r.Settings + " " + s.Paths[i] + "=" + v)
		}
		var values []float64
		for _, one := range list[k : k+s.Seeds] {
			for _, m := range one.Metrics {
				columns[column(m)] = true
			}
			if v, _ := one.measured(by); one.State != run.Failed && !math.IsNaN(v) {
				values = append(values, v)
			}
		}
		if len(values) == s.Seeds {
			r.Mean, r.Stderr = mean(values)
			ranks = append(ranks, r)
		}
	}
	if len(ranks) == 0 && !columns[by] {
		there := strings.Join(slices.Sorted(maps.Keys(columns)), ", ")
		return nil, fmt.Errorf("best: %s is not measured at the end of the trainings (there are: %s)", by, there)
	}
	slices.SortStableFunc(ranks, func(a, b Rank) int {
		switch {
		case s.goal.Better(a.Mean, b.Mean):
			return -1
		case s.goal.Better(b.Mean, a.Mean):
			return 1
		}
		return 0
	})
	return ranks, nil
}

// mean returns the mean and its standard error, NaN of one value.
func mean(x []float64) (mean, stderr float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		stderr += (v - mean) * (v - mean)
	}
	n := float64(len(x))
	return mean, math.Sqrt(stderr / (n - 1) / n)
}
