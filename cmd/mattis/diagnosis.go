package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mattis/eval"
	"mattis/recipe"
	"mattis/run"
	"mattis/sampler"
	"mattis/view"
)

// diagnosis is what was found of one sampler.
type diagnosis struct {
	name string
	*eval.Mixing
	verdict eval.Verdict
	reasons []string
}

// cost returns the sweeps of one row for each effective sample, and the milliseconds.
func (d diagnosis) cost() (sweeps, milliseconds float64) {
	ess := d.Effective()
	return float64(d.Chains*d.Sweeps*d.Replicas) / ess, 1000 * d.Seconds / ess
}

// disagreements says which samplers find mean energies that their errors do not explain: then one
// of them is wrong.
func disagreements(all []diagnosis) []string {
	var list []string
	for i, a := range all {
		for _, b := range all[:i] {
			off, stderr := math.Abs(a.Energy.Mean-b.Energy.Mean), 0.0
			for _, t := range []eval.Trace{a.Energy, b.Energy} {
				if !t.Constant() {
					stderr = math.Hypot(stderr, t.MeanStderr)
				}
			}
			if off > 4*stderr && off > 1e-3 {
				errors := "and neither ever changes it"
				if stderr > 0 {
					errors = fmt.Sprintf("%.1f standard errors", off/stderr)
				}
				list = append(list, fmt.Sprintf("%s and %s differ in the mean energy by %.4g kT, %s: at least one of them does not sample the machine", b.name, a.name, off, errors))
			}
		}
	}
	return list
}

func (f *diagnoseFlags) print(w io.Writer, energy string, from []string, all []diagnosis, warnings []string) error {
	for _, d := range all {
		fmt.Fprintf(w, "%-10s %s: %s\n", d.name, d.verdict, strings.Join(d.reasons, "; "))
	}
	for _, s := range warnings {
		fmt.Fprintln(w, s)
	}
	fmt.Fprintf(w, "\n%d chains from %s, %d sweeps after %d\n", all[0].Chains, strings.Join(from, ", "), all[0].Sweeps, all[0].Discarded)
	t := view.Table{Header: []string{"sampler", "verdict", "R-hat", "time, sweeps", "effective", "energy, kT", "moved", "basins", "round trips", "cost, sweeps", "cost, ms"}}
	for _, d := range all {
		row := []string{d.name, string(d.verdict), "-", "-", "-", fmt.Sprintf("%.4g", d.Energy.Mean), fmt.Sprintf("%d of %d", d.Moved, d.Chains), fmt.Sprint(len(d.Basins.Counts)), "-", "-", "-"}
		if apart, ok := d.Apart(); ok {
			slowest, _ := d.Slowest()
			sweeps, ms := d.cost()
			row[2] = short(apart.RHat)
			row[3] = fmt.Sprintf("%.3g ± %.2g", slowest.Time, slowest.Stderr)
			if !slowest.Enough {
				row[3] = fmt.Sprintf("at least %.3g", slowest.Time)
			}
			row[4], row[9], row[10] = fmt.Sprintf("%.0f", slowest.Effective), short(sweeps), short(ms)
			if !slowest.Enough {
				row[4], row[9], row[10] = "at most "+row[4], "at least "+row[9], "at least "+row[10]
			}
		}
		if !d.Energy.Constant() {
			row[5] += fmt.Sprintf(" ± %.2g", d.Energy.MeanStderr)
		}
		if d.Swaps != nil {
			row[8] = fmt.Sprint(d.Swaps.RoundTrips)
		}
		t.Rows = append(t.Rows, row)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	for _, d := range all {
		fmt.Fprintf(w, "\n%s\n", d.name)
		fmt.Fprintf(w, "  visits of %s: %s\n", basinNames[d.Basins.What], visits(d.Basins.Counts))
		if d.Betas != nil {
			fmt.Fprintf(w, "  temperatures, as a recipe has them: [%s]\n", inverse(d.Betas))
		}
		if d.Swaps != nil {
			fmt.Fprintf(w, "  exchange rates: %s\n  flow from the last rung: %s\n", rates(d.Swaps.Swaps), decimals(d.Swaps.Flow))
		}
		if p := d.Proposals; p != nil {
			fmt.Fprintf(w, "  accepted: %.3f of the mixture, %.3f of pattern exchanges, %.3f of flips\n", p.Mixture.Rate(), p.Exchange.Rate(), p.Flip.Rate())
		}
		if err := printHistogram(w, energy, d.Histogram); err != nil {
			return err
		}
	}
	return nil
}

// basinNames are the basins in words.
var basinNames = map[string]string{"patterns": "the patterns and their negatives", "minima": "the minima of the energy below the chains"}

func short(x float64) string {
	if x > 1e6 {
		return "> 1e6"
	}
	return fmt.Sprintf("%.4g", x)
}

// visits returns the shares of the visits, largest first.
func visits(counts []int) string {
	total := 0
	for _, n := range counts {
		total += n
	}
	var words []string
	const most = 12
	for i, n := range counts {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(counts)-most))
			break
		}
		words = append(words, fmt.Sprintf("%.1f%%", 100*float64(n)/float64(total)))
	}
	return strings.Join(words, " ")
}

func rates(swaps []sampler.SwapRate) string {
	var x []float64
	for _, p := range swaps {
		x = append(x, p.Chance)
	}
	return decimals(x)
}

// inverse returns inverse temperatures as negative.temperatures of a recipe takes them.
func inverse(betas []float64) string {
	var words []string
	for _, b := range betas {
		words = append(words, strconv.FormatFloat(b, 'g', 6, 64))
	}
	return strings.Join(words, ", ")
}

func decimals(x []float64) string {
	var words []string
	for _, v := range x {
		words = append(words, fmt.Sprintf("%.2f", v))
	}
	return strings.Join(words, " ")
}

// printHistogram prints a bar for each bin of the energy.
func printHistogram(w io.Writer, energy string, h sampler.Histogram) error {
	const width = 40
	largest := slices.Max(h.Counts)
	fmt.Fprintf(w, "  energy %s, kT\n", energy)
	for i, n := range h.Counts {
		if n == 0 && h.Width == 0 {
			continue
		}
		bar := strings.Repeat("█", n*width/max(1, largest))
		if bar == "" && n > 0 {
			bar = "▏"
		}
		if _, err := fmt.Fprintf(w, "  %12.5g %8d %s\n", h.Low+float64(i)*h.Width, n, bar); err != nil {
			return err
		}
	}
	return nil
}

// number is a float64 whose JSON is null where it is NaN and a word where it is infinite.
type number float64

// MarshalJSON writes the number.
func (x number) MarshalJSON() ([]byte, error) {
	switch {
	case math.IsNaN(float64(x)):
		return []byte("null"), nil
	case math.IsInf(float64(x), 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(float64(x), -1):
		return []byte(`"-Infinity"`), nil
	}
	return json.Marshal(float64(x))
}

// report returns all of it as one JSON object; data may be nil.
func (f *diagnoseFlags) report(dir string, m *recipe.Model, from []string, all []diagnosis, phases *eval.Phases, warnings []string, data *sampler.Histogram) ([]byte, error) {
	trace := func(t eval.Trace) map[string]any {
		return map[string]any{"name": t.Name, "mean": number(t.Mean), "mean_stderr": number(t.MeanStderr), "time": number(t.Time), "stderr": number(t.Stderr),
			"at_least": !t.Constant() && !t.Enough, "ess": number(t.Effective), "enough": t.Enough, "r_hat": number(t.RHat)}
	}
	var list []map[string]any
	for _, d := range all {
		traces := []map[string]any{trace(d.Energy)}
		for _, t := range d.Modes {
			traces = append(traces, trace(t))
		}
		sweeps, ms := d.cost()
		o := map[string]any{
			"sampler": d.name, "verdict": d.verdict, "reasons": d.reasons, "moved": d.Moved, "traces": traces, "ess": number(d.Effective()),
			"histogram": map[string]any{"low": d.Histogram.Low, "width": d.Histogram.Width, "counts": d.Histogram.Counts},
			"basins":    map[string]any{"of": d.Basins.What, "visits": d.Basins.Counts, "moved": d.Basins.Moved},
			"replicas":  d.Replicas, "seconds": d.Seconds, "sweeps_per_effective_sample": number(sweeps), "milliseconds_per_effective_sample": number(ms),
		}
		if s := d.Swaps; s != nil {
			var chance []number
			for _, p := range s.Swaps {
				chance = append(chance, number(p.Chance))
			}
			o["swaps"] = map[string]any{"betas": d.Betas, "rates": chance, "flow": s.Flow, "round_trips": s.RoundTrips, "rounds": s.Rounds}
		}
		if p := d.Proposals; p != nil {
			o["accepted"] = map[string]any{"mixture": p.Mixture.Rate(), "exchange": p.Exchange.Rate(), "flip": p.Flip.Rate()}
		}
		list = append(list, o)
	}
	var beside any
	if data != nil {
		beside = map[string]any{"split": "train", "histogram": map[string]any{"low": data.Low, "width": data.Width, "counts": data.Counts}}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(map[string]any{
		"data": beside, "run": dir, "step": m.Step, "chains": all[0].Chains, "sweeps": all[0].Sweeps, "discarded": all[0].Discarded, "starts": from, "seed": f.seed,
		"samplers": list, "phases": phasesJSON(phases), "warnings": append([]string{}, warnings...),
	})
	return b.Bytes(), err
}

// verdictSize is what of a report says how much it rests on.
type verdictSize struct {
	Step, Chains, Sweeps int
	Samplers             []struct{ Sampler string }
}

// sweeps returns how many sweeps of a chain were watched by all samplers together.
func (v verdictSize) sweeps() float64 {
	return float64(v.Chains) * float64(v.Sweeps) * float64(len(v.Samplers))
}

func (v verdictSize) String() string {
	var names []string
	for _, s := range v.Samplers {
		names = append(names, s.Sampler)
	}
	return fmt.Sprintf("update %d, %d chains, %d sweeps, %s", v.Step, v.Chains, v.Sweeps, strings.Join(names, ", "))
}

// keepVerdict leaves the report in the run directory, where mattis watch shows it beside the
// machine. One that rests on more sweeps of the same or a later checkpoint stays in its place. A
// folder that cannot be written does not matter.
func keepVerdict(errw io.Writer, dir string, report []byte) {
	path := filepath.Join(dir, run.DiagnosisFile)
	var old, now verdictSize
	text, err := os.ReadFile(path)
	there := err == nil && json.Unmarshal(text, &old) == nil
	if err := json.Unmarshal(report, &now); err != nil {
		panic("diagnose: its own report: " + err.Error())
	}
	if there && old.Step >= now.Step && old.sweeps() > now.sweeps() {
		fmt.Fprintf(errw, "note: %s keeps the longer verdict (%s), not this one (%s)\n", path, old, now)
		return
	}
	if err := run.WriteFile(path, func(out io.Writer) error {
		_, err := out.Write(report)
		return err
	}); err != nil {
		fmt.Fprintf(errw, "note: the verdict is not kept for mattis watch: %v\n", err)
		return
	}
	if there && old.String() != now.String() {
		fmt.Fprintf(errw, "note: %s keeps this verdict (%s) in place of the one before (%s)\n", path, now, old)
	}
}
