package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mattis/eval"
	"mattis/recipe"
	"mattis/rng"
	"mattis/view"
)

// findPhases looks for the phases of the machine.
func findPhases(cmd *cobra.Command, m *recipe.Model, key rng.Key) (*eval.Phases, error) {
	rows, err := m.Rows("train")
	if err != nil {
		rows = nil // said by what chains start from
	}
	b, err := eval.NewBases(m.Machine, rows, m.Recipe.Measure.Options)
	if err != nil {
		return nil, err
	}
	bar := newMeter(cmd, "diagnose phases", "", parts)
	defer bar.clear()
	b.Brief, b.Key = true, key
	b.Progress = func(share float64) { bar.Update(int(share*parts), "") }
	z, err := b.Estimate(cmd.Context())
	if err != nil {
		return nil, err
	}
	return z.Phases, nil
}

// printPhases prints what is known of the phases.
func printPhases(w io.Writer, p *eval.Phases) error {
	fmt.Fprintf(w, "\nphases     %s\n", strings.Join(p.Say(), "; "))
	t := view.Table{Header: []string{"phase", "holds", "chains from", "chains", "F, kT", "mean spin", "overlap", ""}}
	for i, ph := range p.All {
		row := []string{fmt.Sprint(i + 1), ph.Holds(), strings.Join(ph.From, ", "), fmt.Sprint(ph.Chains), fmt.Sprintf("%.5g", ph.FreeEnergy), fmt.Sprintf("%+.2f", ph.MeanSpin), fmt.Sprintf("%.2f", ph.Overlap), ""}
		if i == p.Data {
			row[7] = "the data lie here"
		}
		t.Rows = append(t.Rows, row)
	}
	return t.Write(w)
}

// phasesJSON returns the phases as encoding/json takes them.
func phasesJSON(p *eval.Phases) map[string]any {
	var list []map[string]any
	for _, ph := range p.All {
		list = append(list, map[string]any{"from": ph.From, "share": ph.Share(), "log_share": number(ph.LogShare), "chains": ph.Chains,
			"free_energy": number(ph.FreeEnergy), "mean_spin": ph.MeanSpin, "overlap": ph.Overlap})
	}
	o := map[string]any{"phases": list, "says": p.Say(), "data": nil}
	if p.Known {
		o["data"], o["data_stay"], o["data_bare"] = p.Data+1, p.Stays, p.Bare
	}
	return o
}

// mostPhases bounds the phases that a picture shows, and the states of each.
const mostPhases = 12

// drawPhases writes a picture with a row of states of each phase, the one with most of the mass on
// top.
func drawPhases(path string, m *recipe.Model, p *eval.Phases) error {
	const across = mostPhases
	v := m.Visible()
	var rows [][]int8
	for _, ph := range p.All[:min(mostPhases, len(p.All))] {
		states := rowsOf(ph.States, v)
		for len(states) < across {
			states = append(states, make([]int8, v)) // unknown: the row has no more
		}
		rows = append(rows, slices.Clone(states[:across])...)
	}
	return view.Tiles(path, pixelsOf(m, rows), view.Sheet{Height: m.Height, Width: m.Width, Columns: across})
}
