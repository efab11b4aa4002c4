package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/recipe"
	"mattis/rng"
	"mattis/sampler"
)

// diagnoseFlags are the flags of mattis diagnose.
type diagnoseFlags struct {
	modelFlags
	samplers      []string
	precision     precisionFlag
	chains, steps int
	seed          uint64
	asJSON        bool
	out           outFlag
}

func diagnoseCommand() *cobra.Command {
	var flags diagnoseFlags
	cmd := &cobra.Command{
		Use:   "diagnose DIR",
		Short: "Say whether the sampling of a machine mixes",
		Long: fmt.Sprintf(`Say whether the chains of each sampler mix in the machine of a run directory, in words and with the numbers.

Chains start far apart, from fair coins, from the patterns and, where the data can be had, from
training rows. They run half as many sweeps as --steps unwatched, then --steps watched. What is watched is
the energy F(v), the overlaps with the leading singular vectors of the couplings (modes) and their squares, and which
pattern, or without patterns which minimum of the energy, each chain is nearest to. Where hidden layers
meet each other the energy is that of the layers that a sweep does not draw first, F(visible, hidden2) of a
deep machine of two hidden layers.

The verdict is by the slowest of them:
  mixes               split R-hat up to %.2f, autocorrelation times that are known (chains 20 times
                      as long, and enough slow changes seen for an error), and %d effective
                      samples or more of all chains together
  too short to tell   neither; --steps or --chains may settle it
  does not mix        split R-hat above %.1f: the chains do not agree
  one state           no chain ever moves, and all are in the same place
  one energy          chains move, and neither energy nor modes tell their states apart
                      (couplings of 0)

States that no chain has found are missing from every number, so that phases are looked for beside
it: chains of Gibbs sweeps from random spins, data, their negatives, patterns and states of one
sign are put into groups that cannot be told apart by their overlaps, and the share of the mass
that each group holds is estimated by short annealing from several base laws. --out draws states
of each. The verdict is kept in the run directory, where mattis watch shows it, unless a longer one of this
checkpoint or a later one is there (chains times sweeps times samplers). "cost" is
sweeps of one row for each effective sample, all replicas counted, and milliseconds on this machine.`, eval.AgreeRHat, eval.EnoughESS, eval.ApartRHat),
		Example: `  mattis diagnose runs/bars-1
  mattis diagnose runs/bars-1 --out phases.png
  mattis diagnose runs/bars-1 --sampler gibbs,tempering --chains 60 --steps 5000 --json`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !processes.undivided() {
				return nil
			}
			if err := flags.check(); err != nil {
				return err
			}
			m, closing, err := flags.open(cmd, args[0])
			if err != nil {
				return err
			}
			defer closing()
			if err := checkPicture(flags.out, m.Height, 0); err != nil {
				return err
			}
			return flags.run(cmd, args[0], m)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringSliceVar(&flags.samplers, "sampler", nil, "samplers to look at, separated by commas: "+strings.Join(watchable(), ", ")+" (default gibbs, tempering and, where there are patterns and the hidden layers sum out, guided)")
	flags.precision.add(cmd)
	cmd.Flags().IntVar(&flags.chains, "chains", 48, "number of chains")
	cmd.Flags().IntVar(&flags.steps, "steps", 1000, "sweeps that are watched, after half as many that are not")
	cmd.Flags().Uint64Var(&flags.seed, "seed", 1, "seed of the chains")
	flags.out.add(cmd, "`file` for a picture of the phases' states, a row each, .png")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print one JSON object and nothing else")
	return cmd
}

// watchable returns the samplers whose chains go on from sweep to sweep.
func watchable() []string {
	var names []string
	for _, s := range sampler.Samplers {
		if s.Stationary {
			names = append(names, s.Name)
		}
	}
	return names
}

func (f *diagnoseFlags) check() error {
	for _, s := range f.samplers {
		if err := (samplerFlag{s}).check(); err != nil {
			return err
		}
		if !slices.Contains(watchable(), s) {
			return usageError{fmt.Errorf("--sampler %s: it starts each sample anew or comes to rest, and has no chains to watch, want some of %s", s, strings.Join(watchable(), ", "))}
		}
	}
	if err := checkCount("chains", f.chains, 4, 20_000); err != nil {
		return err
	}
	if err := checkCount("steps", f.steps, 20, mostRows); err != nil {
		return err
	}
	if err := f.precision.check(); err != nil {
		return err
	}
	return f.out.check(".png", "")
}

func (f *diagnoseFlags) run(cmd *cobra.Command, dir string, m *recipe.Model) error {
	f.precision.set(m)
	names := f.samplers
	if len(names) == 0 {
		names = []string{"gibbs", "tempering"}
		if m.Axons != nil && m.Machine.SumsOut() {
			names = append(names, "guided")
		}
	}
	start, from := eval.Scattered(m.Machine, f.chains, f.rows(m, recipe.StartKey(f.seed).Fold(1)), recipe.StartKey(f.seed))
	var all []diagnosis
	for _, name := range slices.Compact(names) {
		d, err := f.watch(cmd, dir, m, name, start)
		if err != nil {
			return err
		}
		all = append(all, d)
	}
	phases, err := findPhases(cmd, m, recipe.PhasesKey(f.seed))
	if err != nil {
		return err
	}
	if f.out.path != "" {
		if err := drawPhases(f.out.path, m, phases); err != nil {
			return err
		}
		f.out.wrote(cmd, "states of %d phases, a row each", min(mostPhases, len(phases.All)))
	}
	warnings := disagreements(all)
	data, err := f.dataEnergies(cmd, m, recipe.StartKey(f.seed).Fold(2))
	if err != nil {
		return err
	}
	report, err := f.report(dir, m, from, all, phases, warnings, data)
	if err != nil {
		return err
	}
	keepVerdict(cmd.ErrOrStderr(), dir, report)
	if f.asJSON {
		_, err := cmd.OutOrStdout().Write(report)
		return err
	}
	if err := f.print(cmd.OutOrStdout(), eval.EnergyName(m.Machine), from, all, warnings); err != nil {
		return err
	}
	return printPhases(cmd.OutOrStdout(), phases)
}

// mostEnergies bounds the training rows whose energies are looked at.
const mostEnergies = 10_000

// dataEnergies returns the histogram of the energies of training rows, beside which those of the
// chains are seen; nil where there are no data.
func (f *diagnoseFlags) dataEnergies(cmd *cobra.Command, m *recipe.Model, key rng.Key) (*sampler.Histogram, error) {
	set, err := m.Rows("train")
	if err != nil {
		return nil, nil // as rows has it: chains then do not begin there either
	}
	order := make([]int32, set.Rows)
	data.Order(order, key)
	energies, err := eval.HeldEnergies(cmd.Context(), m.Machine, set.Take(order[:min(mostEnergies, set.Rows)]).Spins, key.Fold(0))
	if err != nil {
		return nil, err
	}
	h, err := sampler.NewHistogram(energies, 40)
	return &h, err
}

// rows returns training rows in an order chosen by the key, or none where there are no data.
func (f *diagnoseFlags) rows(m *recipe.Model, key rng.Key) []int8 {
	set, err := m.Rows("train")
	if err != nil {
		return nil
	}
	order := make([]int32, set.Rows)
	data.Order(order, key)
	return set.Take(order[:min(f.chains, set.Rows)]).Spins
}

// watch moves the chains by one sampler.
func (f *diagnoseFlags) watch(cmd *cobra.Command, dir string, m *recipe.Model, name string, start compute.Matrix) (diagnosis, error) {
	moves, err := samplerFlag{name}.moves(cmd, dir, m, nil, f.seed)
	if err != nil {
		return diagnosis{}, err
	}
	mover, err := moves.Next()
	if err != nil {
		return diagnosis{}, fmt.Errorf("--sampler %w", err)
	}
	bar := newMeter(cmd, "diagnose "+name, "", parts)
	defer bar.clear()
	x, err := eval.Watch{
		Machine: m.Machine, Sampler: mover, Precision: m.Precision, Start: start, Sweeps: f.steps, Key: recipe.ChainsKey(f.seed),
		Progress: func(share float64) { bar.Update(int(share*parts), "") },
	}.Run(cmd.Context())
	if err != nil {
		return diagnosis{}, err
	}
	d := diagnosis{name: name, Mixing: x}
	d.verdict, d.reasons = x.Verdict()
	return d, nil
}
