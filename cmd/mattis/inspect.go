package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mattis/bm"
	"mattis/compute"
	"mattis/recipe"
	"mattis/run"
	"mattis/view"
)

func inspectCommand() *cobra.Command {
	var flags modelFlags
	couplings := outFlag{name: "couplings"}
	cmd := &cobra.Command{
		Use:   "inspect DIR",
		Short: "Show what a run directory holds",
		Long: `Show the recipe of a run directory in short, where the run comes from, its checkpoints, whether
each is whole, and the machine of the newest one: its parameters, the singular values of
its couplings, and how much its patterns overlap.

--couplings FILE writes the couplings of the newest checkpoint, or that of --checkpoint, as a table: the J_ij of
E = - sum of J_ij s_i s_j over pairs of spins -1 and +1, each pair counted once, in kT. FILE.csv has a line
pair,i,j,coupling for each two spins that are coupled, the pair by the names of its two layers, spins counted
from 0 within their layer. FILE.npy is one symmetric matrix over the spins of all layers, the visible ones first, 0
where nothing couples. Axons are multiplied out. Offsets change no coupling.`,
		Example: `  mattis inspect runs/bars-1
  mattis inspect runs/ising-1 --couplings J.npy`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := couplings.check(".csv", ".npy", ""); err != nil {
				return err
			}
			d, err := run.Open(filepath.Clean(args[0]))
			if err != nil {
				return err
			}
			text, err := d.Recipe()
			if err != nil {
				return err
			}
			r, err := recipe.Parse(d.Path()+"/recipe.yaml", text)
			if err != nil {
				return err
			}
			var checkpoints bytes.Buffer
			good, err := showCheckpoints(&checkpoints, d)
			if err != nil {
				return err
			}
			var m *recipe.Model
			if good > 0 || cmd.Flags().Changed("checkpoint") {
				errors := cmd.ErrOrStderr()
				cmd.SetErr(io.Discard) // the damaged ones are shown
				var closing func()
				m, closing, err = flags.open(cmd, args[0])
				cmd.SetErr(errors)
				if err != nil {
					return err
				}
				defer closing()
			}
			var out bytes.Buffer // printed once nothing can fail any more
			showRecipe(&out, r, m != nil && m.Checkpoint.File.Metadata["converted"] != "")
			if err := showProvenance(&out, d); err != nil {
				return err
			}
			checkpoints.WriteTo(&out)
			if m != nil {
				if err := showMachine(&out, m); err != nil {
					return err
				}
			}
			if couplings.path != "" {
				if m == nil {
					return fmt.Errorf("--couplings %s: %s has no good checkpoint yet", couplings.path, args[0])
				}
				if err := writeCouplings(couplings, m); err != nil {
					return err
				}
			}
			if _, err = out.WriteTo(cmd.OutOrStdout()); err == nil && couplings.path != "" {
				layers := "the visible layer"
				if g := m.Machine.Graph(); len(g.Layers) > 1 {
					var names []string
					for _, l := range g.Layers {
						names = append(names, fmt.Sprintf("%s (%d)", l.Name, l.N))
					}
					layers = "the layers " + strings.Join(names, ", ")
				}
				couplings.wrote(cmd, "couplings J_ij of %s, each pair of spins once in E = - sum J_ij s_i s_j", layers)
			}
			return err
		},
	}
	flags.add(cmd)
	couplings.add(cmd, "write the couplings to a `file` .csv or .npy")
	return cmd
}

// layersOf says what hidden layers the recipe's machine has, and which pairs where they are more
// than a list tells.
func layersOf(r *recipe.Recipe) string {
	g, err := r.Graph(1)
	if err != nil {
		return err.Error()
	}
	if g.IsRestricted() {
		return fmt.Sprintf("%d hidden spins", g.Layers[bm.Hidden].N)
	}
	layers, pairs := describeGraph(g)
	return layers + ", pairs " + pairs
}

// showRecipe prints the recipe in short, without the training of a machine that was converted: its
// recipe says how one like it could be trained on, and not what became of this one.
func showRecipe(w io.Writer, r *recipe.Recipe, converted bool) {
	c := r.Couplings
	how := fmt.Sprintf("dense couplings, init %s", c.Init)
	if c.Rule != nil {
		how = fmt.Sprintf("dense couplings of the training rows by the rule %s", *c.Rule)
	}
	if c.Kind == "axons" {
		if c.Patterns == nil {
			how = fmt.Sprintf("axons of the training rows by the rule %s", *c.Rule)
		} else {
			how = fmt.Sprintf("axons of %d patterns, gain %v at first, init %s", *c.Patterns, *c.Gain, c.Init)
		}
		if *c.LearnGain {
			how += ", the gain learned"
		}
	}
	fmt.Fprintf(w, "machine     %s, %s, biases %s, offset %s; %s\n", r.Machine.Kind, layersOf(r), r.Machine.Biases, r.Machine.Offset, how)
	if converted {
		return
	}
	n := r.Negative
	negative := n.Kind
	if n.Steps != nil {
		negative += fmt.Sprintf(", %d steps", *n.Steps)
	}
	if n.Chains != nil {
		negative += fmt.Sprintf(", %d chains", *n.Chains)
	}
	if n.Temperatures != nil {
		negative += fmt.Sprintf(", inverse temperatures %v", *n.Temperatures)
	}
	if n.Seeds != nil {
		negative += ", seeds " + *n.Seeds
	}
	fmt.Fprintf(w, "trained by  %s; %s at rate %g; after updates %v, after epochs %v\n", negative, r.Optimizer.Kind, r.Optimizer.Rate, r.Project.Update, r.Project.Epoch)
	rule := ""
	if r.Data.Binarize != nil {
		rule = ", binarised by " + r.Data.Binarize.String()
	}
	fmt.Fprintf(w, "on          %s%s; %d epochs in batches of %d; seed %d\n", r.Data.Name, rule, r.Train.Epochs, r.Train.Batch, r.Seed)
}

// showProvenance prints where the run comes from.
func showProvenance(w io.Writer, d *run.Directory) error {
	env, err := d.Environment()
	if err != nil {
		return err
	}
	if !env.Known() {
		fmt.Fprintln(w, "begun       unknown: there is no env.json")
		return nil
	}
	if c := env.Converted; c != nil {
		fmt.Fprintf(w, "converted   from %s, with the names of %s, SHA-256 %s\n", c.From, c.Program, c.Digest)
	}
	for i, s := range append([]run.Session{env.Session}, env.Resumes...) {
		what := "begun      "
		if env.Converted != nil {
			what = "made       "
		}
		if i > 0 {
			what = fmt.Sprintf("resumed    from update %d,", s.Step)
		}
		fmt.Fprintf(w, "%s %s, mattis %s, %s %s/%s, kernels %s, %d threads: %s\n", what, s.Start.Format("2006-01-02 15:04 MST"), s.Version, s.Go, s.OS, s.Arch, s.Arm, s.Threads, strings.Join(s.Command, " "))
	}
	if env.Data == "" {
		fmt.Fprintln(w, "data        none: the machine was converted from elsewhere")
		return nil
	}
	fmt.Fprintf(w, "data        SHA-256 %s\n", env.Data)
	return nil
}

// showCheckpoints prints the checkpoints and whether they are whole, and returns how many are.
func showCheckpoints(w io.Writer, d *run.Directory) (good int, err error) {
	steps, err := d.Checkpoints()
	if err != nil {
		return 0, err
	}
	if len(steps) == 0 {
		fmt.Fprintln(w, "checkpoints none yet")
	}
	best, err := d.Best()
	if err != nil {
		fmt.Fprintf(w, "best        damaged: %v\n", err)
	}
	for _, step := range steps {
		c, err := d.Checkpoint(step)
		if err != nil {
			fmt.Fprintf(w, "checkpoint  %d damaged: %v\n", step, err)
			continue
		}
		good++
		fmt.Fprintf(w, "checkpoint  %d good, epoch %s, SHA-256 %s", step, c.File.Metadata["epoch"], c.Digest)
		if best != nil && best.Step == step {
			fmt.Fprintf(w, ", the best: %s %.4g", strings.TrimSpace(best.Split+" "+best.Measure), best.Value)
		}
		fmt.Fprintln(w)
	}
	return good, nil
}

// showMachine prints the parameters, the spectrum and the overlaps of the patterns.
func showMachine(w io.Writer, m *recipe.Model) error {
	e := m.Machine.Engine()
	fmt.Fprintf(w, "\nthe machine at update %d, epoch %d: V = %d", m.Step, m.Epoch, m.Visible())
	if m.Height > 0 {
		fmt.Fprintf(w, " (%dx%d)", m.Height, m.Width)
	}
	if m.LabelNames != nil {
		fmt.Fprintf(w, ", the last %d of them the labels %s", len(m.LabelNames), strings.Join(m.LabelNames, ", "))
	}
	g := m.Machine.Graph()
	if g.IsRestricted() {
		fmt.Fprintf(w, ", H = %d\n", g.Layers[bm.Hidden].N)
	} else {
		showGraph(w, g)
	}
	bound := 0.0
	for _, p := range m.Recipe.Project.Update {
		if p.Name == "clip" {
			bound = *p.Value
		}
	}
	t := view.Table{Header: []string{"parameter", "shape", "count", "min", "max", "mean |x|"}}
	if bound > 0 {
		t.Header = append(t.Header, fmt.Sprintf("at ±%g", bound))
	}
	total := 0
	for _, p := range m.Machine.Params() {
		x := entries(e, p.Value)
		total += len(x)
		lo, hi, sum, at := math.Inf(1), math.Inf(-1), 0.0, 0
		for _, y := range x {
			lo, hi, sum = min(lo, y), max(hi, y), sum+math.Abs(y)
			if math.Abs(y) >= bound {
				at++
			}
		}
		row := []string{p.Name, fmt.Sprintf("%dx%d", p.Value.Rows(), p.Value.Cols()), fmt.Sprint(len(x)), fmt.Sprintf("%.4g", lo), fmt.Sprintf("%.4g", hi), fmt.Sprintf("%.4g", sum/float64(len(x)))}
		if bound > 0 {
			share := "-"
			if strings.HasPrefix(p.Name, "patterns.") {
				share = fmt.Sprintf("%.1f%%", 100*float64(at)/float64(len(x)))
			}
			row = append(row, share)
		}
		t.Rows = append(t.Rows, row)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d numbers in all\n", total)
	if m.Axons != nil {
		showPatterns(w, m.Machine)
	}
	all, err := spectra(m.Machine)
	if err != nil {
		fmt.Fprintf(w, "singular values of W: %v\n", err)
		return nil
	}
	for _, s := range all {
		what, of := "singular values", s.Pair
		if s.Signed {
			what = "eigenvalues"
		} else if len(all) == 1 {
			of = "W"
		}
		fmt.Fprintf(w, "%s of %s: %s\n", what, of, shorten(s.Values))
	}
	return nil
}

// showGraph prints the hidden layers and the pairs of a machine that is not restricted.
func showGraph(w io.Writer, g bm.Graph) {
	layers, pairs := describeGraph(g)
	fmt.Fprintf(w, "; %s; pairs %s\n", layers, pairs)
}

// describeGraph lists the hidden layers and the pairs.
func describeGraph(g bm.Graph) (layers, pairs string) {
	var hidden, names []string
	for _, l := range g.Layers[1:] {
		unit := "spins"
		if l.Kind == bm.Gaussian {
			unit = "Gaussian units"
		}
		hidden = append(hidden, fmt.Sprintf("%s of %d %s", l.Name, l.N, unit))
	}
	for i := range g.Pairs {
		names = append(names, g.PairName(i))
	}
	if len(hidden) == 0 {
		hidden = []string{"no hidden layers"}
	}
	return strings.Join(hidden, ", "), strings.Join(names, ", ")
}

// showPatterns prints the gains of the pairs and how much the patterns of each layer overlap.
func showPatterns(w io.Writer, m *bm.Machine) {
	e, g, a := m.Engine(), m.Graph(), m.Axons()
	for i, p := range g.Pairs {
		var log [1]float32
		compute.Read(e, log[:], a.LogGain(i).Value)
		gain := math.Exp(float64(log[0]))
		factor := gain / math.Sqrt(float64(a.K()))
		if g.IsRestricted() {
			fmt.Fprintf(w, "gain g = %.4g, so W = %.4g Xv^T Xh\n", gain, factor)
			continue
		}
		without := ""
		if p.A == p.B {
			without = " without its diagonal"
		}
		fmt.Fprintf(w, "gain of %s g = %.4g, so W = %.4g X_%s^T X_%s%s\n", g.PairName(i), gain, factor, g.Layers[p.A].Name, g.Layers[p.B].Name, without)
	}
	if k := a.K(); k < 2 || k > mostSpectrum {
		return
	}
	fmt.Fprint(w, "|cos| between two patterns: ")
	for l, layer := range g.Layers {
		largest, mean := overlaps(dense(e, a.Patterns(l).Value))
		if l > 0 {
			fmt.Fprint(w, "; ")
		}
		fmt.Fprintf(w, "%s at most %.3f, mean %.3f", layer.Name, largest, mean)
	}
	fmt.Fprintln(w)
}

// entries returns the entries of a Float32 or Float64 matrix.
func entries(e compute.Engine, m compute.Matrix) []float64 {
	x := make([]float64, m.Len())
	if m.Type() == compute.Float64 {
		compute.Read(e, x, m)
		return x
	}
	y := make([]float32, m.Len())
	compute.Read(e, y, m)
	for i, v := range y {
		x[i] = float64(v)
	}
	return x
}

// shorten prints the first and the last of many values.
func shorten(values []float64) string {
	var words []string
	for i, x := range values {
		switch {
		case len(values) <= 16 || i < 12 || i >= len(values)-2:
			words = append(words, fmt.Sprintf("%.4g", x))
		case i == 12:
			words = append(words, fmt.Sprintf("... (%d in all) ...", len(values)))
		}
	}
	return strings.Join(words, " ")
}
