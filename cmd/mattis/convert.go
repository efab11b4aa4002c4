package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mattis/compute/cpu"
	"mattis/recipe"
	"mattis/run"
)

func convertCommand() *cobra.Command {
	var c recipe.Conversion
	var image, checkpoint string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "convert IN OUT",
		Aliases: []string{"import", "export"}, // as other programs call it
		Short:   "Convert a machine between files, parameterisations and programs",
		Long: `Convert a machine between run directories, npz and safetensors files, between dense couplings
and axons, and between spins and the 0/1 variables of other programs.

IN is a run directory (its newest checkpoint, or that of --checkpoint) or a file; whose machine a file holds is told by the names of its
arrays: this program's own, or those of ` + strings.Join(recipe.Dialects(), ", ") + `. A machine of 0/1 variables becomes
one of spins with the same energies: what is left over is its energy constant, part of every free energy
and of log Z. OUT is a file (.npz or .safetensors) or a new run directory that sample, score, features, reconstruct and eval work on.

--to full sums the Gaussian layer of a hybrid machine out, which leaves a fully connected one with the same
free energies and log Z (Appendix E); --to hybrid goes back. The diagonal is part of the energy constant.

--to dense multiplies patterns out; --to axons --patterns K keeps the K largest singular values of the couplings
and says what share of the sum of their squares is lost; --to bernoulli writes 0/1 variables for another program.
docs/format.md shows how to make an npz from HDF5, pickle and PyTorch files.`,
		Example: `  mattis convert runs/bars-1 bars.npz
  mattis convert runs/bars-1 bars-dense.npz --to dense
  mattis convert runs/bars-1 sklearn.npz --to bernoulli
  mattis convert sklearn.npz runs/imported --image 4x4
  mattis convert runs/hybrid-1 runs/hopfield --to full
  mattis convert runs/imported runs/imported-4 --to axons --patterns 4`,
		Args: exactly("IN", "OUT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkConversion(cmd, &c, image); err != nil {
				return err
			}
			if err := checkCheckpoint(checkpoint); err != nil {
				return err
			}
			if c.Checkpoint = -1; cmd.Flags().Changed("checkpoint") {
				d, err := run.Open(filepath.Clean(args[0]))
				if err != nil {
					return fmt.Errorf("--checkpoint is for a run directory: %w", err)
				}
				if c.Checkpoint, err = stepOf(d, checkpoint); err != nil {
					return err
				}
			}
			arm, err := cpu.Arch()
			if err != nil {
				return err
			}
			c.Session = environment(1, arm)
			done, err := recipe.Convert(args[0], args[1], c)
			if err != nil {
				return err
			}
			for _, r := range done.Refused {
				fmt.Fprintln(cmd.ErrOrStderr(), "damaged checkpoint passed over:", r)
			}
			if asJSON {
				return encodeConverted(cmd.OutOrStdout(), args[1], done, c)
			}
			tellConverted(cmd.OutOrStdout(), args[1], done, c)
			return nil
		},
	}
	cmd.Flags().StringVar(&c.To, "to", "", "form to convert to: axons, dense or bernoulli, which is 0/1 variables, full or hybrid (default as it is, in spins)")
	cmd.Flags().IntVar(&c.Patterns, "patterns", 0, "number `K` of patterns of --to axons")
	cmd.Flags().StringVar(&c.Program, "names", "", "program whose `names` --to bernoulli writes: "+strings.Join(recipe.Dialects(), ", ")+" (default scikit-learn)")
	cmd.Flags().StringVar(&c.Foreign.Layout, "layout", "", "order of the weights' sizes in IN where it cannot be told: vh or hv")
	cmd.Flags().StringVar(&c.Foreign.Units, "units", "", "variables of another program's machine: 01 or spins (default 01)")
	cmd.Flags().StringVar(&image, "image", "", "shape of the images, `HEIGHTxWIDTH` (default that of IN)")
	addCheckpoint(cmd, &checkpoint, "checkpoint of the run directory IN")
	cmd.Flags().BoolVar(&c.Force, "force", false, "overwrite the file OUT")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was written as one JSON line and nothing else")
	return cmd
}

// checkConversion refuses flags that no conversion has, and sets the shape of the images.
func checkConversion(cmd *cobra.Command, c *recipe.Conversion, image string) error {
	for _, f := range []struct {
		name, value string
		allowed     []string
	}{
		{"to", c.To, recipe.Forms()}, {"names", c.Program, recipe.Dialects()},
		{"layout", c.Foreign.Layout, []string{"vh", "hv"}}, {"units", c.Foreign.Units, []string{"01", "spins"}},
	} {
		if cmd.Flags().Changed(f.name) && !slices.Contains(f.allowed, f.value) {
			return usageError{fmt.Errorf("--%s %q is unknown, want one of %s", f.name, f.value, strings.Join(f.allowed, ", "))}
		}
	}
	switch {
	case cmd.Flags().Changed("patterns") && c.To != "axons":
		return usageError{fmt.Errorf("--patterns is for --to axons")}
	case cmd.Flags().Changed("patterns") && c.Patterns < 1:
		return usageError{fmt.Errorf("--patterns %d is out of range, want at least 1", c.Patterns)}
	case c.Program != "" && c.To != "bernoulli":
		return usageError{fmt.Errorf("--names is for --to bernoulli")}
	}
	if cmd.Flags().Changed("image") {
		if n, err := fmt.Sscanf(image+"\n", "%dx%d\n", &c.Height, &c.Width); n != 2 || err != nil || c.Height < 1 || c.Width < 1 {
			return usageError{fmt.Errorf("--image %q is no shape, want HEIGHTxWIDTH, such as 28x28", image)}
		}
	}
	return nil
}

// encodeConverted prints what was written and what was lost as a JSON line.
func encodeConverted(w io.Writer, out string, d *recipe.Converted, c recipe.Conversion) error {
	answer := struct {
		Out      string    `json:"out"`
		Visible  int       `json:"visible"`
		Hidden   int       `json:"hidden"`
		Patterns int       `json:"patterns"` // 0 of dense couplings
		Units    string    `json:"units"`    // of what was written
		Program  string    `json:"program"`  // whose names IN has
		Constant float64   `json:"energy_constant"`
		Values   []float64 `json:"singular_values,omitempty"` // kept
		Lost     float64   `json:"lost"`                      // share of the squared couplings
	}{Out: out, Units: "spins", Program: d.Program}
	if p := d.Pairwise; p != nil {
		answer.Visible, answer.Hidden, answer.Constant = p.Visible, p.Hidden, p.Constant
	} else {
		m := d.Machine
		answer.Visible, answer.Hidden, answer.Patterns, answer.Constant = m.Visible, m.Hidden, m.Patterns, m.Constant
	}
	if c.To == "bernoulli" {
		answer.Units = "01"
	}
	if t := d.Truncation; t != nil {
		answer.Values, answer.Lost = t.Values, t.Lost
	}
	return json.NewEncoder(w).Encode(answer)
}

// tellConverted says what was written and what was lost.
func tellConverted(w io.Writer, out string, d *recipe.Converted, c recipe.Conversion) {
	if p := d.Pairwise; p != nil {
		what := "a fully connected machine of"
		if p.Hidden > 0 {
			what = fmt.Sprintf("a hybrid machine of %d Gaussian units and", p.Hidden)
		}
		fmt.Fprintf(w, "wrote %s: %s %d visible spins, dense couplings; energy constant %.10g kT, of which %.10g are the diagonal\n", out, what, p.Visible, p.Constant, p.Shift)
		return
	}
	m := d.Machine
	how := "dense couplings"
	if m.Patterns > 0 {
		how = fmt.Sprintf("axons of %d patterns", m.Patterns)
	}
	if c.To == "bernoulli" {
		how = "0/1 variables"
	}
	fmt.Fprintf(w, "wrote %s: a machine of %d visible and %d hidden spins, %s, from the names of %s", out, m.Visible, m.Hidden, how, d.Program)
	if m.Constant != 0 && c.To != "bernoulli" {
		fmt.Fprintf(w, "; energy constant %.10g kT", m.Constant)
	}
	fmt.Fprintln(w)
	if t := d.Truncation; t != nil {
		fmt.Fprintf(w, "singular values kept: %s\n", shorten(t.Values))
		fmt.Fprintf(w, "lost: %.4g of the sum of the squared couplings\n", t.Lost)
	}
}
