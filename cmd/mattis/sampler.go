package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mattis/bm"
	"mattis/recipe"
	"mattis/rng"
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

// movers makes the samplers that move the chains of a command, part by part.
type movers struct {
	named   sampler.Named
	machine *bm.Machine
	options sampler.Options
}

// movers prepares the sampler for the machine of the run directory. clamp is the row of spins that stay in all chains, nil for none.
func (f samplerFlag) movers(cmd *cobra.Command, dir string, m *recipe.Model, clamp bm.State, key rng.Key) (*movers, error) {
	named, err := sampler.Find(f.name)
	if err != nil {
		return nil, err
	}
	s := &movers{named: named, machine: m.Machine, options: sampler.Options{Key: key, Law: bm.Law{Clamp: clamp}}}
	if f.name == "trajectory" {
		if s.options.Earlier, err = earlier(cmd.ErrOrStderr(), dir, m); err != nil {
			return nil, err
		}
	}
	first, err := s.next()
	if err != nil {
		return nil, err
	}
	if t, ok := first.(*sampler.Tempering); ok {
		s.options.Betas = t.Betas() // adapted once
	}
	return s, nil
}

// next returns a sampler for the next part of the chains.
func (s *movers) next() (sampler.Sampler, error) {
	x, err := s.named.New(s.machine, s.options)
	if err != nil {
		return nil, fmt.Errorf("--sampler %s: %w", s.named.Name, err)
	}
	return x, nil
}

// block returns how many of so many sweeps are made at a time, between which a command can be stopped.
func (s *movers) block(steps int) int {
	switch {
	case !s.named.Stationary:
		return steps // one cooling
	case s.named.Name == "gibbs":
		return 1
	}
	return min(steps, 8)
}

// earlier returns the machines of the run's checkpoints before the model's, the oldest first.
func earlier(warn io.Writer, dir string, m *recipe.Model) ([]*bm.Machine, error) {
	d, err := run.Open(filepath.Clean(dir))
	if err != nil {
		return nil, err
	}
	steps, err := d.Checkpoints()
	if err != nil {
		return nil, err
	}
	var machines []*bm.Machine
	for _, step := range steps {
		if step >= m.Step {
			break
		}
		x, _, err := recipe.LoadModel(d, step, m.Machine.Engine())
		if err != nil {
			fmt.Fprintln(warn, "damaged checkpoint passed over:", err)
			continue
		}
		machines = append(machines, x.Machine)
	}
	return machines, nil
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
