package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mattis/compute"
	"mattis/recipe"
)

// precisionFlag is the flag --precision of the commands that draw from a trained machine.
type precisionFlag struct{ name string }

func (f *precisionFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "precision", "", "what factors of products are rounded to: float32 or bf16 (default the run's)")
}

func (f precisionFlag) check() error {
	if f.name == "" {
		return nil
	}
	if _, err := compute.ParsePrecision(f.name); err != nil {
		return usageError{fmt.Errorf("--precision %q is unknown, want float32 or bf16", f.name)}
	}
	return nil
}

// set sets the precision of what is drawn from the model, where the flag is given.
func (f precisionFlag) set(m *recipe.Model) {
	if p, err := compute.ParsePrecision(f.name); err == nil {
		m.Precision = p
	}
}
