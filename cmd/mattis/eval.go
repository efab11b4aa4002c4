package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
	"mattis/recipe"
	"mattis/view"
)

func evalCommand() *cobra.Command {
	var flags modelFlags
	var measures, settings []string
	var split string
	var asJSON bool
	var seed uint64
	cmd := &cobra.Command{
		Use:   "eval DIR",
		Short: "Measure a trained machine",
		Long: "Measure the machine of a run directory, on every set of its data or on the one that\n" +
			"--split names. The measures are those of the recipe, or of --measure:\n\n" + measureList() + `
--set OPTION=VALUE sets their options, which measures of a kind share:

` + optionList() + `
A value is what it says, and 0 is 0: only pseudo_likelihood.spins and probe.penalty have a 0 that
asks for what the machine or the data suggest. probe.held_out=N has N training rows choose the penalty.
The numbers of the last checkpoint are those that training wrote, but for method_accessibility:
training looks at what the estimator returned before its last update, eval at a fresh draw. With --seed all
random numbers are others: what changes by more than its error is not known as well as it says.

± is the standard error; ± - (null in JSON) one that is not known; a number alone is exact, and "at least" a bound.`,
		Example: `  mattis eval runs/bars-1
  mattis eval runs/bars-1 --measure hamming,nll_exact --split test --json
  mattis eval runs/bars-1 --measure hamming --set hamming.draws=1000`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				if _, err := eval.Named(strings.Split(args[1], ",")[0]); err == nil {
					return usageError{fmt.Errorf("unexpected argument %q: it is a measure: mattis eval %s --measure %s", args[1], args[0], strings.Join(args[1:], ","))}
				}
			}
			return exactly("DIR")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			typed := slices.Clone(settings)
			for i, s := range typed {
				var err error
				if settings[i], err = measureSetting(s); err != nil {
					return err
				}
			}
			for _, n := range measures {
				if _, err := eval.Named(n); err != nil {
					return usageError{fmt.Errorf("--measure: %w", err)}
				}
			}
			if split != "" && !slices.Contains(data.Sets, split) {
				return usageError{fmt.Errorf("--split %q is no set, want train, test or validation", split)}
			}
			if err := idle(settings, typed, measures, true); err != nil {
				return err
			}
			m, closing, err := flags.open(cmd, args[0], settings...)
			if err != nil {
				return asTyped(err, settings, typed)
			}
			defer closing()
			if err := processes.sameModel(m); err != nil {
				return err
			}
			if len(measures) == 0 {
				r := m.Recipe.Measure
				if err := idle(settings, typed, slices.Concat(r.Test, r.Train, r.Last), false); err != nil {
					return err
				}
			}
			return judge(cmd, &recipe.Judge{Model: m, Seed: seed, Comm: processes.Comm}, measures, split, asJSON)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringSliceVar(&measures, "measure", nil, "measures, separated by commas (default those of the recipe)")
	cmd.Flags().StringVar(&split, "split", "", "set to measure on: train, test or validation (default every one there is)")
	cmd.Flags().StringArrayVar(&settings, "set", nil, "set an option of a measure by `path=value`, such as hamming.draws=1000, or a place of the data, such as data.dir (repeatable)")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "draw other random numbers, by this seed (default those of training)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print every measure as a JSON line and nothing else")
	return cmd
}

// measureSetting returns the setting with its path in a recipe: what is none of the data or the
// measures is an option of a measure.
func measureSetting(s string) (string, error) {
	path, _, _ := strings.Cut(s, "=")
	group, _, _ := strings.Cut(path, ".")
	if group == "data" || group == "measure" {
		return s, nil
	}
	var groups []string
	options := reflect.TypeFor[eval.Options]()
	for i := range options.NumField() {
		groups = append(groups, options.Field(i).Tag.Get("yaml"))
	}
	if !slices.Contains(groups, group) {
		return "", usageError{fmt.Errorf("--set %s: %q is no option of a measure, want data, measure, or one of %s", s, group, strings.Join(groups, ", "))}
	}
	return "measure.options." + s, nil
}

// idle returns an error for a setting that nothing reads: an option of none of the measures, or a
// list of measures where --measure names them.
func idle(settings, typed, measures []string, named bool) error {
	for i, s := range settings {
		path, _, _ := strings.Cut(s, "=")
		parts := strings.Split(path, ".")
		switch {
		case parts[0] != "measure" || len(parts) == 1:
		case parts[1] != "options":
			if !slices.Contains([]string{"test", "train", "last"}, parts[1]) {
				return usageError{fmt.Errorf("--set %s: %s is for training, and eval does not read it", typed[i], path)}
			}
			if named && len(measures) > 0 {
				return usageError{fmt.Errorf("--set %s: --measure names what is measured, and %s is not read beside it", typed[i], path)}
			}
		case len(parts) > 2 && len(measures) > 0:
			readers := eval.Readers(strings.Join(parts[2:], "."))
			if len(readers) > 0 && !slices.ContainsFunc(readers, func(r string) bool { return slices.Contains(measures, r) }) {
				return usageError{fmt.Errorf("--set %s: none of %s reads it; %s would", typed[i], strings.Join(slices.Compact(slices.Sorted(slices.Values(measures))), ", "), strings.Join(readers, ", "))}
			}
		}
	}
	return nil
}

func measureList() string {
	t := view.Table{Header: []string{"measure", "about"}}
	for _, m := range eval.Measures {
		t.Rows = append(t.Rows, []string{m.Name, m.Summary})
	}
	var b strings.Builder
	t.Write(&b)
	return b.String()
}

// optionList returns the options of the measures with their defaults, a group a line.
func optionList() string {
	var b strings.Builder
	groups := reflect.ValueOf(eval.Defaults())
	for i := range groups.NumField() {
		group, name := groups.Field(i), groups.Type().Field(i).Tag.Get("yaml")
		var words []string
		for j := range group.NumField() {
			words = append(words, fmt.Sprintf("%s.%s=%v", name, group.Type().Field(j).Tag.Get("yaml"), group.Field(j)))
		}
		fmt.Fprintf(&b, "  %s\n", strings.Join(words, " "))
	}
	return b.String()
}

// judge prints the measures of the machine.
func judge(cmd *cobra.Command, j *recipe.Judge, measures []string, split string, asJSON bool) (err error) {
	out, errw := cmd.OutOrStdout(), cmd.ErrOrStderr()
	if looks, needs := j.NeedsData(measures); looks {
		if j.Split, err = j.LoadData(); err != nil && needs {
			return err
		} else if err != nil {
			fmt.Fprintln(errw, "warning: measured without the data:", err)
		}
		if err := processes.sameData(j.Split); err != nil {
			return err
		}
		if j.Split != nil {
			tellNotes(cmd, j.Split.Train, j.Split.Test, j.Split.Validation)
		}
	}
	list, err := j.Wanted(measures, split)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("there is nothing to measure: the recipe names no measure for %s, name some by --measure", cmp.Or(split, "any set"))
	}
	var results []eval.Result
	var none []error
	var warned []string
	if !asJSON {
		defer func() {
			if len(results) > 0 {
				err = errors.Join(err, measureTable(results).Write(out))
			}
			for _, w := range slices.Compact(warned) {
				fmt.Fprintln(errw, "warning:", w)
			}
		}()
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := measurable(j, list); err != nil {
		return err
	}
	for _, w := range list {
		bar := newMeter(cmd, strings.TrimSpace(w.Measure+" "+w.Set), "", parts)
		j.Progress = func(share float64) { bar.Update(int(share*parts), "") }
		r, err := j.Measure(cmd.Context(), w)
		bar.clear()
		var no *eval.NoValue
		if errors.As(err, &no) {
			if !slices.ContainsFunc(none, func(e error) bool { return e.Error() == err.Error() }) { // of another set
				none = append(none, err)
			}
			continue
		}
		if err != nil {
			return err
		}
		results = append(results, r)
		warned = append(warned, warningsOf(r)...)
		if asJSON {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
	}
	if len(results) == 0 {
		return errors.Join(none...)
	}
	for _, err := range none {
		fmt.Fprintln(errw, err)
	}
	return nil
}

// warningsOf returns why the error of a result may be larger than it says.
func warningsOf(r eval.Result) []string {
	list, _ := r.Detail["warnings"].([]string)
	var lines []string
	for _, w := range list {
		lines = append(lines, strings.TrimSpace(r.Measure+" "+r.Split)+": "+w)
	}
	return lines
}

// measurable returns an error where a measure takes more memory than there is.
func measurable(j *recipe.Judge, list []recipe.Wanted) error {
	for _, w := range list {
		meter := cpu.NewDry(0)
		m := j.Recipe.BuildMachine(j.Visible(), meter)
		machine := meter.Bytes()
		beside := eval.Memory(w.Measure, m, j.Split.Set(w.Set), j.Recipe.Measure.Options)
		if err := enoughMemory(w.Measure, meter.Bytes()-machine+beside); err != nil {
			return err
		}
	}
	return nil
}

// parts is how finely progress is counted where work has no natural count.
const parts = 1000

// measureTable returns a table of the measures, a column a set and one for the machine alone. An
// exact value stands alone, and "± -" says that its error is not known.
func measureTable(results []eval.Result) view.Table {
	var sets, names []string
	for _, set := range append(slices.Clone(data.Sets), "") {
		if slices.ContainsFunc(results, func(r eval.Result) bool { return r.Split == set }) {
			sets = append(sets, set)
		}
	}
	t := view.Table{Header: []string{"measure"}}
	for _, s := range sets {
		t.Header = append(t.Header, cmp.Or(s, "machine"))
	}
	for _, r := range results {
		if !slices.Contains(names, r.Measure) {
			names = append(names, r.Measure)
			t.Rows = append(t.Rows, append([]string{r.Measure}, make([]string, len(sets))...))
		}
		text := fmt.Sprintf("%.4f", r.Value)
		switch {
		case r.AtLeast():
			text = "at least " + text
		case eval.IsUnknown(r.Stderr):
			text += " ± -"
		case r.Stderr > 0:
			text += fmt.Sprintf(" ± %.4f", r.Stderr)
		}
		t.Rows[slices.Index(names, r.Measure)][1+slices.Index(sets, r.Split)] = text
	}
	return t
}
