package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mattis/run"
	"mattis/view"
	"mattis/watch"
)

func runsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "runs [DIR]",
		Short: "List the runs in a folder, compare them, remove some",
		Long: `List the runs in a folder (default runs), with their states and last measures. States: training,
ended, interrupted (by Ctrl-C), killed (its process is gone), diverged, failed, waiting (not begun).`,
		Example: `  mattis runs
  mattis runs docs/figures --json
  mattis runs compare runs/bars-1 runs/bars-2
  mattis runs rm runs --state killed --older-than 7d`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "runs"
			if len(args) > 0 {
				dir = args[0]
			}
			if dir == "" {
				return usageError{errors.New("DIR is empty")}
			}
			list, notices, err := readRuns(cmd, dir)
			if err != nil {
				return err
			}
			for _, n := range notices {
				fmt.Fprintln(cmd.ErrOrStderr(), "note:", n)
			}
			if asJSON {
				return encodeRuns(cmd.OutOrStdout(), list)
			}
			return printRuns(cmd.OutOrStdout(), list, time.Now())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print every run as a JSON line and nothing else")
	cmd.AddCommand(compareRunsCommand(), removeRunsCommand())
	return cmd
}

// readRuns reads all runs in a folder to their ends.
func readRuns(cmd *cobra.Command, dirs ...string) ([]watch.Summary, []string, error) {
	library, err := watch.Open(dirs...)
	if err != nil {
		return nil, nil, err
	}
	library.Refresh(time.Now())
	if err := library.Settle(cmd.Context()); err != nil {
		return nil, nil, err
	}
	list, notices := library.Runs()
	return list, notices, nil
}

// printRuns prints a table: a line a run, with the measures that most runs have.
func printRuns(w io.Writer, list []watch.Summary, now time.Time) error {
	if len(list) == 0 {
		return nil
	}
	const mostColumns = 4
	count := map[string]int{}
	var names []string
	for _, r := range list {
		for _, m := range r.Measures {
			n := measureName(m)
			if count[n] == 0 {
				names = append(names, n)
			}
			count[n]++
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return count[b] - count[a] })
	names = names[:min(len(names), mostColumns)]
	t := view.Table{Header: append([]string{"run", "state", "epoch", "age"}, names...)}
	for _, r := range list {
		epoch := fmt.Sprint(r.Epoch)
		if r.Epochs > 0 {
			epoch = fmt.Sprintf("%d/%d", r.Epoch, r.Epochs)
		}
		row := []string{printable(r.Path), r.State, epoch, age(r.Updated, now)}
		for _, n := range names {
			cell := ""
			for _, m := range r.Measures {
				if measureName(m) == n {
					cell = fmt.Sprintf("%.4g", float64(m.Last.Value))
				}
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	for _, r := range list {
		for _, p := range r.Problems {
			if _, err := fmt.Fprintf(w, "%s: %s\n", printable(r.Path), printable(p)); err != nil {
				return err
			}
		}
	}
	return nil
}

func measureName(m watch.Measure) string { return strings.TrimSpace(m.Name + " " + m.Split) }

// printable returns a name as it is, or quoted where a terminal would not show it as it is.
func printable(name string) string {
	for _, r := range name {
		if !strconv.IsPrint(r) {
			return strconv.Quote(name)
		}
	}
	return name
}

// age returns how long ago a moment was, in the largest unit.
func age(unix int64, now time.Time) string {
	if unix == 0 {
		return "-"
	}
	d := max(0, now.Sub(time.Unix(unix, 0)))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// encodeRuns prints a JSON object a run.
func encodeRuns(w io.Writer, list []watch.Summary) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, r := range list {
		recipe := map[string]string{}
		for _, s := range r.Settings {
			recipe[s.Path] = s.Value
		}
		type measured struct {
			Measure string       `json:"measure"`
			Split   string       `json:"split"`
			N       int          `json:"n"`
			Last    watch.Value  `json:"last"`
			Best    *watch.Value `json:"best"`
		}
		measures := []measured{}
		for _, m := range r.Measures {
			measures = append(measures, measured{m.Name, m.Split, m.N, m.Last, m.Best})
		}
		stamp := func(unix int64) any {
			if unix == 0 {
				return nil
			}
			return time.Unix(unix, 0).UTC().Format(time.RFC3339)
		}
		if err := enc.Encode(map[string]any{
			"run": r.Path, "state": r.State, "message": r.Message, "step": r.Step, "epoch": r.Epoch, "epochs": r.Epochs, "seconds": r.Seconds,
			"begun": stamp(r.Begun), "updated": stamp(r.Updated), "checkpoints": r.Checkpoints, "best": r.Best,
			"measures": measures, "recipe": recipe, "problems": r.Problems,
		}); err != nil {
			return err
		}
	}
	return nil
}

func compareRunsCommand() *cobra.Command {
	var asCSV bool
	cmd := &cobra.Command{
		Use:   "compare A B...",
		Short: "Show what differs between runs: recipe keys and measures",
		Long: `Show under which recipe keys runs differ, and their last and best measures side by side.
A run without a key shows nothing there. A folder stands for all runs in it.`,
		Example: `  mattis runs compare runs/bars-1 runs/bars-2
  mattis runs compare runs --csv > runs.csv`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, a := range args {
				if a == "" {
					return usageError{errors.New("a name of a run is empty")}
				}
			}
			if len(args) == 0 {
				return usageError{errors.New("run directories are missing, want two or more, or a folder of them")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []watch.Summary
			for _, dir := range args { // each on its own: the order is the caller's
				found, _, err := readRuns(cmd, dir)
				if err != nil {
					return err
				}
				if len(found) == 0 {
					return fmt.Errorf("%s: there is no run in it", dir)
				}
				for _, r := range found {
					if !slices.ContainsFunc(list, func(o watch.Summary) bool { return o.Path == r.Path }) {
						list = append(list, r)
					}
				}
			}
			if len(list) < 2 {
				return usageError{fmt.Errorf("%s is one run, want two or more to compare", list[0].Path)}
			}
			for _, r := range list {
				for _, p := range r.Problems {
					fmt.Fprintf(cmd.ErrOrStderr(), "note: %s: %s\n", printable(r.Path), printable(p))
				}
			}
			t := comparison(list, asCSV)
			if !asCSV {
				return t.Write(cmd.OutOrStdout())
			}
			c := csv.NewWriter(cmd.OutOrStdout())
			if err := c.WriteAll(append([][]string{t.Header}, t.Rows...)); err != nil {
				return err
			}
			return c.Error()
		},
	}
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print CSV: a line a run, exact numbers")
	return cmd
}

// comparison returns the table of what differs: a line a key, or a line a run with exact numbers.
func comparison(list []watch.Summary, exact bool) view.Table {
	number := func(x float64) string {
		if exact {
			return strconv.FormatFloat(x, 'g', -1, 64)
		}
		return fmt.Sprintf("%.5g", x)
	}
	name := func(r watch.Summary) string {
		if exact {
			return r.Path
		}
		return printable(r.Path)
	}
	var columns [][]string // the key, then a value a run
	first := []string{"run"}
	state, epoch := []string{"state"}, []string{"epoch"}
	var settings [][]watch.Setting
	for _, r := range list {
		first = append(first, name(r))
		state, epoch = append(state, r.State), append(epoch, fmt.Sprint(r.Epoch))
		settings = append(settings, r.Settings)
	}
	columns = append(columns, first, state, epoch)
	for _, d := range watch.Differences(settings...) {
		columns = append(columns, append([]string{d.Path}, d.Values...))
	}
	seen := map[string]bool{}
	for _, r := range list {
		for _, m := range r.Measures {
			n := measureName(m)
			if seen[n] {
				continue
			}
			seen[n] = true
			last, best, any := []string{n + " last"}, []string{n + " best"}, false
			for _, o := range list {
				l, b := "", ""
				for _, x := range o.Measures {
					if measureName(x) == n {
						l = number(float64(x.Last.Value))
						if x.Best != nil {
							b, any = number(float64(x.Best.Value)), true
						}
					}
				}
				last, best = append(last, l), append(best, b)
			}
			columns = append(columns, last)
			if any {
				columns = append(columns, best)
			}
		}
	}
	if !exact {
		return view.Table{Header: columns[0], Rows: columns[1:]}
	}
	t := view.Table{}
	for i := range columns[0] {
		var row []string
		for _, c := range columns {
			row = append(row, c[i])
		}
		t.Rows = append(t.Rows, row)
	}
	t.Header, t.Rows = t.Rows[0], t.Rows[1:]
	return t
}

// runStates are the states that --state takes.
var runStates = []string{run.Training, run.Ended, run.Interrupted, run.Killed, run.Diverged, run.Failed, run.Waiting}

// removal says which runs are to go.
type removal struct {
	older  string
	states []string
	match  string
	yes    bool
}

func removeRunsCommand() *cobra.Command {
	var f removal
	cmd := &cobra.Command{
		Use:   "rm DIR",
		Short: "Remove runs by age, state or name; without --yes only say which",
		Long: `Remove the runs in DIR that all given conditions hold for, or DIR itself where it is a run.
Without --yes nothing is removed: it says what would be. A run that is being written is never
removed, nor are files that no run writes, nor the folder where there are such.`,
		Example: `  mattis runs rm runs --older-than 7d --state interrupted,killed
  mattis runs rm runs --match 'bars-cd-*' --yes`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().StringVar(&f.older, "older-than", "", "runs whose last sign of life is so `long` ago: 90m, 36h, 7d, 4w")
	cmd.Flags().StringSliceVar(&f.states, "state", nil, "runs in one of these `states`, separated by commas: "+strings.Join(runStates, ", "))
	cmd.Flags().StringVar(&f.match, "match", "", "runs whose name, or path within DIR, is of this `pattern`: 'bars-*'")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "remove them")
	return cmd
}

func (f *removal) run(cmd *cobra.Command, dir string) error {
	var least time.Duration
	if f.older != "" {
		var err error
		if least, err = span(f.older); err != nil {
			return usageError{fmt.Errorf("--older-than %s: want a number and a unit, as in 90m, 36h, 7d or 4w", f.older)}
		}
	}
	for _, s := range f.states {
		if !slices.Contains(runStates, s) {
			return usageError{fmt.Errorf("--state %s: want some of %s", s, strings.Join(runStates, ", "))}
		}
	}
	if _, err := filepath.Match(f.match, ""); err != nil {
		return usageError{fmt.Errorf("--match %s: %w", f.match, err)}
	}
	list, notices, err := readRuns(cmd, dir)
	if err != nil {
		return err
	}
	itself := len(list) == 1 && filepath.Clean(list[0].Path) == filepath.Clean(dir)
	if f.older == "" && len(f.states) == 0 && f.match == "" && !itself {
		return usageError{errors.New("which runs? want --older-than, --state or --match ('*' is all of them)")}
	}
	if len(list) == 0 {
		return fmt.Errorf("%s", strings.Join(notices, "; "))
	}
	now := time.Now()
	total, removed, refused := int64(0), 0, 0
	for _, r := range list {
		inside, err := filepath.Rel(dir, r.Path)
		if err != nil {
			return err
		}
		base, _ := filepath.Match(f.match, filepath.Base(r.Path))
		whole, _ := filepath.Match(f.match, inside)
		switch {
		case f.match != "" && !base && !whole,
			len(f.states) > 0 && !slices.Contains(f.states, r.State),
			least > 0 && (r.Updated == 0 || now.Sub(time.Unix(r.Updated, 0)) < least):
			continue
		}
		bytes := size(r.Path)
		line := fmt.Sprintf("%s  %s  %s  %s", printable(r.Path), r.State, age(r.Updated, now), megabytes(bytes))
		if r.State == run.Training {
			refused++
			fmt.Fprintln(cmd.ErrOrStderr(), "kept, it is being written:", line)
			continue
		}
		if f.yes {
			left, err := run.Remove(r.Path)
			if err != nil {
				refused++
				fmt.Fprintln(cmd.ErrOrStderr(), "kept:", err)
				continue
			}
			if len(left) > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "kept in %s, as no run writes it: %s\n", printable(r.Path), printable(strings.Join(left, ", ")))
			}
		}
		removed++
		total += bytes
		what := "would remove"
		if f.yes {
			what = "removed"
		}
		fmt.Fprintln(cmd.OutOrStdout(), what, line)
	}
	switch {
	case removed == 0 && refused == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "no run is of that kind")
	case !f.yes && removed > 0:
		fmt.Fprintf(cmd.ErrOrStderr(), "nothing was removed; --yes removes %d %s, %s\n", removed, plural(removed, "run"), megabytes(total))
	}
	if refused > 0 {
		return fmt.Errorf("%d %s kept", refused, plural(refused, "run"))
	}
	return nil
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// span returns the duration of a text like 36h or 7d.
func span(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if n := len(text); n > 1 && units[text[n-1]] > 0 {
		x, err := strconv.ParseFloat(text[:n-1], 64)
		if err != nil || !(x > 0 && x < 10_000) {
			return 0, errors.New("no duration")
		}
		return time.Duration(x * float64(units[text[n-1]])), nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = errors.New("no duration")
	}
	return d, err
}

// size returns the bytes of the files in a folder; links count as what they are.
func size(dir string) int64 {
	total := int64(0)
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return total
}

func megabytes(n int64) string {
	switch {
	case n < 1e6:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}
