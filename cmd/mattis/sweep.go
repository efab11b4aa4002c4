package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/sweep"
	"mattis/run"
	"mattis/view"
)

func sweepCommand() *cobra.Command {
	var o sweep.Options
	var share shareFlags
	var list, asJSON bool
	cmd := &cobra.Command{
		Use:   "sweep SWEEP.yaml --out OUT",
		Short: "Train a recipe with many settings and seeds, and tell which are best",
		Long: `Train a recipe many times, each in a run directory OUT/KEY that says what was set, and write the table
OUT/sweep.csv: settings, seed, state, and the measures of the end. The file is strict YAML:

    recipe: bars                          # a file, or a built-in name
    grid:                                 # all combinations of these values
      optimizer.rate: [0.01, 0.02]
      couplings.patterns: [4, 8]
    random:                               # and all of them with each of 20 draws; either may be left out
      count: 20
      seed: 1
      draw:
        machine.hidden: {uniform: [100, 1000]}      # whole numbers, since both ends are
        optimizer.momentum: {uniform: [0.0, 0.9]}
        couplings.gain: {log: [0.1, 1.0]}
        negative.kind: [pid, pcd]
    seeds: 3                              # of each combination, from the recipe's seed on
    best: {measure: hamming, split: test} # by the mean over seeds at the end; goal: min or max

Trainings run side by side, one a thread; those that have ended are kept, and those that were begun go on.
A training that fails is a row with its message and stops no other; the exit code is 1 then. Settings that are
no recipe, such as values out of range, are told before the first training starts. --part and
--shared divide the trainings over processes as they do in mattis figure; the command without either trains
what is missing and writes the table, with the bytes of one process. --list shows how far a sweep is.`,
		Example: `  mattis sweep sweep.yaml --out sweeps/rates
  mattis sweep sweep.yaml --out sweeps/rates --part 2/4
  mattis sweep sweep.yaml --out sweeps/rates --list`,
		Args: exactly("SWEEP.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("out") {
				return usageError{errors.New("--out is missing: name a folder for the run directories and the table")}
			}
			if err := share.read(o.Out); err != nil {
				return err
			}
			o.Part, o.Shared = share.part, share.shared
			acceptRequests()
			s, err := sweep.Read(args[0])
			if err != nil {
				return err
			}
			if list {
				return listSweep(cmd.OutOrStdout(), s, o.Out, asJSON)
			}
			return makeSweep(cmd, s, o, asJSON, func(out sweep.Outcome) string {
				after := fmt.Sprintf("mattis sweep %s --out %s writes the table", args[0], o.Out)
				return share.note("trainings", out.Made, out.Elsewhere, after)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Out, "out", "", "`folder` of the run directories and of the table")
	f.IntVar(&o.Threads, "threads", 0, "trainings side by side; 0 takes one a core. Results do not depend on it")
	f.BoolVar(&list, "list", false, "list the trainings and how far they are, and train nothing")
	f.BoolVar(&asJSON, "json", false, "print every training as a JSON line and nothing else")
	share.add(cmd, "trainings")
	return cmd
}

func makeSweep(
	cmd *cobra.Command, s *sweep.Sweep, o sweep.Options, asJSON bool, note func(sweep.Outcome) string,
) error {
	var arm string
	var err error
	if o.Threads, arm, err = workers(o.Threads); err != nil {
		return err
	}
	o.Engine = func(threads int) compute.Engine { return cpu.New(threads) }
	o.Environment = environment(1, arm)
	var under trainings
	o.Session = under.begin
	defer onRequest(under.ask)()
	outliveReaders()
	announce("stopping after the updates under way; again quits at once")

	out, errw := cmd.OutOrStdout(), cmd.ErrOrStderr()
	tty, width := terminal(errw)
	look := view.ProgressOptions{Label: "sweep", Total: parts, TTY: tty, Width: width}
	progress := view.NewProgress(errw, look)
	last := ""
	o.Progress = func(share float64, ready, of int) {
		last = fmt.Sprintf("%d of %d trainings", ready, of)
		progress.Update(int(share*parts), last)
	}
	o.Failed = func(p sweep.Point, message string) { progress.Println(p.Key + ": " + message) }
	result, err := s.Run(cmd.Context(), o)
	if cmd.Context().Err() != nil {
		progress.Finish("interrupted")
		fmt.Fprintln(errw, "stopped; the same command goes on from here")
		return cmd.Context().Err()
	}
	progress.Finish(last)
	if err != nil {
		return err
	}
	switch {
	case o.Partial() && !asJSON:
		fmt.Fprintln(out, note(result))
	case asJSON:
		err = printPoints(out, s, result.Results)
	default:
		err = printRanking(out, s, o.Out, result.Results)
	}
	if err == nil && result.Failed > 0 {
		err = fmt.Errorf("%d of %d trainings failed", result.Failed, result.Made)
	}
	return unread(err)
}

// listSweep prints the points and how far they are.
func listSweep(out io.Writer, s *sweep.Sweep, folder string, asJSON bool) error {
	results, err := s.Look(folder)
	if err != nil {
		return err
	}
	if asJSON {
		return printPoints(out, s, results)
	}
	t := view.Table{Header: []string{"training", "state", "epoch"}}
	for _, r := range results {
		t.Rows = append(t.Rows, []string{r.Key, r.State, fmt.Sprint(r.Epoch)})
	}
	return t.Write(out)
}

// printPoints prints a JSON line a point.
func printPoints(out io.Writer, s *sweep.Sweep, results []sweep.Result) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, r := range results {
		settings := map[string]string{}
		for i, v := range r.Values {
			settings[s.Paths[i]] = v
		}
		metrics := r.Metrics
		if metrics == nil {
			metrics = []run.Metric{}
		}
		if err := enc.Encode(struct {
			Key      string            `json:"key"`
			Settings map[string]string `json:"settings"` // as YAML
			Seed     uint64            `json:"seed"`
			State    string            `json:"state"`
			Epoch    int               `json:"epoch"`
			Metrics  []run.Metric      `json:"metrics"`
			Message  string            `json:"message,omitempty"`
		}{r.Key, settings, r.Seed, r.State, r.Epoch, metrics, r.Message}); err != nil {
			return err
		}
	}
	return nil
}

// ranked is how many combinations are shown.
const ranked = 10

// printRanking prints the best combinations and where the table is.
func printRanking(out io.Writer, s *sweep.Sweep, folder string, results []sweep.Result) error {
	ranks, err := s.Ranking(results)
	if err != nil {
		return err
	}
	if len(ranks) > 0 {
		t := view.Table{Header: []string{"settings", s.Best.Measure + " " + s.Best.Split, "seeds", "run"}}
		for _, r := range ranks[:min(len(ranks), ranked)] {
			value := fmt.Sprintf("%.4f", r.Mean)
			if r.Seeds > 1 {
				value += fmt.Sprintf(" ± %.4f", r.Stderr)
			}
			t.Rows = append(t.Rows, []string{r.Settings, value, fmt.Sprint(r.Seeds), r.Key})
		}
		if err := t.Write(out); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	_, err = fmt.Fprintf(out, "table: %s%c%s\n", folder, os.PathSeparator, sweep.TableName)
	return err
}
