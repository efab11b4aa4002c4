package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mattis/bm"
	"mattis/recipe"
	"mattis/run"
	"mattis/sampler"
)

// samplerFlag is the flag --sampler.
type samplerFlag struct{ name string }

func (f *samplerFlag) add(cmd *cobra.Command) {
	var help []string
	for _, s := range sampler.Samplers {
		help = append(help, fmt.Sprintf("%s (%s)", s.Name, s.What))
	}
	cmd.Flags().StringVar(&f.name, "sampler", "gibbs", "how chains move: "+strings.Join(help, ", "))
}

func (f samplerFlag) check() error {
	if _, err := sampler.Find(f.name); err != nil {
		return usageError{fmt.Errorf("--sampler %q is unknown, want one of %s", f.name, strings.Join(sampler.Names(), ", "))}
	}
	return nil
}

// moves prepares the sampler for the machine of the run directory. clamp is the row of spins that
// stay in all chains, nil for none.
func (f samplerFlag) moves(cmd *cobra.Command, dir string, m *recipe.Model, clamp []int8, seed uint64) (*recipe.Moves, error) {
	var machines []*bm.Machine
	if f.name == "trajectory" {
		d, err := run.Open(filepath.Clean(dir))
		if err != nil {
			return nil, err
		}
		var refused []error
		if machines, refused, err = m.Earlier(d); err != nil {
			return nil, err
		}
		for _, r := range refused {
			fmt.Fprintln(cmd.ErrOrStderr(), "damaged checkpoint passed over:", r)
		}
	}
	moves, err := m.Moves(cmd.Context(), f.name, seed, clamp, machines)
	if err != nil && cmd.Context().Err() == nil {
		err = fmt.Errorf("--sampler %w", err)
	}
	return moves, err
}

// tellMoves says in one line how a sampler's exchanges and proposals fared; Gibbs chains have none.
func tellMoves(w io.Writer, s sampler.Sampler) {
	switch s := s.(type) {
	case *sampler.Tempering:
		tellSwaps(w, "temperatures", s.Stats())
	case *sampler.Trajectory:
		tellSwaps(w, "rungs", s.Stats())
	case *sampler.Guided:
		st := s.Stats()
		fmt.Fprintf(w, "proposals accepted: %.3f of the mixture, %.3f of pattern exchanges, %.3f of flips\n", st.Mixture.Rate(), st.Exchange.Rate(), st.Flip.Rate())
	}
}

func tellSwaps(w io.Writer, what string, st sampler.Stats) {
	least, most, tried := 1.0, 0.0, false
	for _, p := range st.Swaps {
		if p.Tried > 0 {
			least, most, tried = min(least, p.Chance), max(most, p.Chance), true
		}
	}
	if tried {
		fmt.Fprintf(w, "%d %s exchanged at rates from %.2f to %.2f, %d round trips\n", len(st.Flow), what, least, most, st.RoundTrips)
	}
}
