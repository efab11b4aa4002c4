package eval

import (
	"fmt"
	"slices"
	"strings"
)

// Options are the settings of the measures. The zero Options are the protocols'
// defaults; a field of 0 or "" takes its default (see Defaults).
type Options struct {
	Hamming          HammingOptions         `yaml:"hamming"`
	HammingClamped   HammingClampedOptions  `yaml:"hamming_clamped"`
	Accessibility    AccessibilityOptions   `yaml:"gibbs_accessibility"`
	PseudoLikelihood PseudoOptions          `yaml:"pseudo_likelihood"`
	Samples          SampleOptions          `yaml:"samples"`
	Probe            ProbeOptions           `yaml:"probe"`
	AIS              AISOptions             `yaml:"ais"`
	Integration      IntegrationOptions     `yaml:"integration"`
	Autocorrelation  AutocorrelationOptions `yaml:"autocorrelation"`
}

// HammingOptions set the released protocol; its single step is no option.
type HammingOptions struct {
	// Draws is the number of reconstructions of each row; 0 means the released 100.
	Draws int `yaml:"draws"`
	// Rows bounds the rows that are reconstructed, chosen by the key where a set has more; 0 means 1000.
	// Bars is always taken whole. The time grows with rows times draws, the memory with neither.
	Rows int `yaml:"rows"`
}

// HammingClampedOptions set the clamped protocol.
type HammingClampedOptions struct {
	Draws int `yaml:"draws"` // as for hamming
	Rows  int `yaml:"rows"`  // as for hamming
	// Sweeps is the number of Gibbs sweeps with the known pixels clamped; 0 means 10.
	Sweeps int `yaml:"sweeps"`
}

// AccessibilityOptions set the chains of gibbs_accessibility and gibbs_accessibility_mean.
type AccessibilityOptions struct {
	Chains int `yaml:"chains"` // 0 means the released 10
	Sweeps int `yaml:"sweeps"` // Gibbs sweeps of each chain; 0 means the released 10
}

// PseudoOptions set the pseudo-likelihood.
type PseudoOptions struct {
	// Spins is the number of spins flipped in each row, drawn by the key with replacement; V or
	// more flips each spin once. 0 means all of them for up to 256 visible spins, and one beyond.
	Spins int `yaml:"spins"`
	// Rows bounds the rows, as for hamming; 0 means 1000.
	Rows int `yaml:"rows"`
}

// SampleOptions set the samples that valid_share and coverage look at: both see the same ones.
type SampleOptions struct {
	// Chains is the number of samples, the last configuration of a chain each; 0 means 400.
	Chains int `yaml:"chains"`
	// Sweeps is the number of Gibbs sweeps of each chain; 0 means 100. Samples are judged as
	// they are after so many, in equilibrium or not.
	Sweeps int `yaml:"sweeps"`
	// From is where chains start: random (fair coins) or data (the rows of the set, of train where none is named, in turn and in an order chosen by the key); "" means random.
	From string `yaml:"from"`
}

// ProbeOptions set the logistic regression of probe_accuracy.
type ProbeOptions struct {
	// Features is what the probe reads: sample, mean, untrained, random or pixels; "" means sample.
	Features string `yaml:"features"`
	// Rows bounds the training rows that it is fitted to, chosen by the key; 0 means 60000.
	Rows int `yaml:"rows"`
	// Iterations bounds those of L-BFGS; 0 means 1000.
	Iterations int `yaml:"iterations"`
	// Penalty is the factor of |w|^2/2 beside the mean cross-entropy; 0 means 1 over the number of rows.
	Penalty float64 `yaml:"penalty"`
	// Tolerance is the largest entry of the gradient at which the fit has converged; 0 means 1e-5.
	Tolerance float64 `yaml:"tolerance"`
}

// AISOptions set the paths of annealed importance sampling, which logz, nll and all ais and bridge
// measures share. The time of each direction grows with runs times betas times sweeps; where an estimate warns of few effective runs, betas
// help most. The defaults take a minute or so at MNIST size.
type AISOptions struct {
	Runs   int `yaml:"runs"`   // independent paths in each direction, at least 2; 0 means 500
	Betas  int `yaml:"betas"`  // steps of inverse temperature from 0 to 1; 0 means 1000
	Sweeps int `yaml:"sweeps"` // Gibbs sweeps after each step; 0 means 1
	// Base is the law at inverse temperature 0: uniform (fair coins), data (the smoothed log odds of each training pixel) or
	// auto, which is data where the machine has visible biases; "" means auto.
	Base string `yaml:"base"`
	// Start is what reverse paths start from: exact (samples by enumeration or by pattern classes), data (training rows),
	// annealing (ends of forward paths) or auto, the first of these that can be had; "" means auto. Only from
	// exact samples is reverse AIS a bound.
	Start       string `yaml:"start"`
	StartSweeps int    `yaml:"start_sweeps"` // Gibbs sweeps that data and annealing starts are moved by; 0 means 100
}

// IntegrationOptions set the tempering that logz_integration integrates over.
type IntegrationOptions struct {
	Ladders int `yaml:"ladders"` // independent ladders that start hot and cold in turn, at least 2, and 3 for the two kinds to be compared; 0 means 8
	Betas   int `yaml:"betas"`   // intervals of inverse temperature, rounded up to a multiple of 4; 0 means 64
	Sweeps  int `yaml:"sweeps"`  // sweeps measured, after a quarter as many that are not, or up to as many, until halves agree; 0 means 400
}

// AutocorrelationOptions set the chains that autocorrelation watches.
type AutocorrelationOptions struct {
	Chains int `yaml:"chains"` // at least 2; 0 means 40
	Sweeps int `yaml:"sweeps"` // looked at, after half as many that are not, at least 8; 0 means 1000
	// Sampler is how they move: gibbs, tempering or guided; "" means gibbs.
	Sampler string `yaml:"sampler"`
}

// movers are the samplers whose chains can be watched without more than the machine.
var movers = []string{"gibbs", "tempering", "guided"}

// The words of AISOptions.
var (
	bases  = []string{"auto", "uniform", "data"}
	starts = []string{"auto", "exact", "data", "annealing"}
)

// Defaults returns the options with all defaults written out. PseudoLikelihood.Spins stays 0: it depends on V.
func Defaults() Options {
	return Options{
		Hamming:          HammingOptions{Draws: 100, Rows: 1000},
		HammingClamped:   HammingClampedOptions{Draws: 100, Rows: 1000, Sweeps: 10},
		Accessibility:    AccessibilityOptions{Chains: 10, Sweeps: 10},
		PseudoLikelihood: PseudoOptions{Rows: 1000},
		Samples:          SampleOptions{Chains: 400, Sweeps: 100, From: "random"},
		Probe:            ProbeOptions{Features: FeaturesSample, Rows: 60000, Iterations: 1000, Tolerance: 1e-5},
		AIS:              AISOptions{Runs: 500, Betas: 1000, Sweeps: 1, Base: "auto", Start: "auto", StartSweeps: 100},
		Integration:      IntegrationOptions{Ladders: 8, Betas: 64, Sweeps: 400},
		Autocorrelation:  AutocorrelationOptions{Chains: 40, Sweeps: 1000, Sampler: "gibbs"},
	}
}

// most bounds every count of the options.
const most = 1_000_000

// count is one number of the options under the path that sets it.
type count struct {
	path  string
	value *int
}

func (o *Options) counts() []count {
	return []count{
		{"hamming.draws", &o.Hamming.Draws},
		{"hamming.rows", &o.Hamming.Rows},
		{"hamming_clamped.draws", &o.HammingClamped.Draws},
		{"hamming_clamped.rows", &o.HammingClamped.Rows},
		{"hamming_clamped.sweeps", &o.HammingClamped.Sweeps},
		{"gibbs_accessibility.chains", &o.Accessibility.Chains},
		{"gibbs_accessibility.sweeps", &o.Accessibility.Sweeps},
		{"pseudo_likelihood.spins", &o.PseudoLikelihood.Spins},
		{"pseudo_likelihood.rows", &o.PseudoLikelihood.Rows},
		{"samples.chains", &o.Samples.Chains},
		{"samples.sweeps", &o.Samples.Sweeps},
		{"probe.rows", &o.Probe.Rows},
		{"probe.iterations", &o.Probe.Iterations},
		{"ais.runs", &o.AIS.Runs},
		{"ais.betas", &o.AIS.Betas},
		{"ais.sweeps", &o.AIS.Sweeps},
		{"ais.start_sweeps", &o.AIS.StartSweeps},
		{"integration.ladders", &o.Integration.Ladders},
		{"integration.betas", &o.Integration.Betas},
		{"integration.sweeps", &o.Integration.Sweeps},
		{"autocorrelation.chains", &o.Autocorrelation.Chains},
		{"autocorrelation.sweeps", &o.Autocorrelation.Sweeps},
	}
}

// Filled returns o with the default in place of every 0 and "".
func (o Options) Filled() Options {
	d := Defaults()
	defaults := d.counts()
	for i, c := range o.counts() {
		if *c.value == 0 {
			*c.value = *defaults[i].value
		}
	}
	if o.Samples.From == "" {
		o.Samples.From = d.Samples.From
	}
	if o.Probe.Features == "" {
		o.Probe.Features = d.Probe.Features
	}
	if o.Probe.Tolerance == 0 {
		o.Probe.Tolerance = d.Probe.Tolerance
	}
	if o.AIS.Base == "" {
		o.AIS.Base = d.AIS.Base
	}
	if o.AIS.Start == "" {
		o.AIS.Start = d.AIS.Start
	}
	if o.Autocorrelation.Sampler == "" {
		o.Autocorrelation.Sampler = d.Autocorrelation.Sampler
	}
	return o
}

// Check returns an error that names the first field out of range by its path.
func (o Options) Check() error {
	d := Defaults()
	defaults := d.counts()
	for i, c := range o.counts() {
		if *c.value < 0 || *c.value > most {
			takes := fmt.Sprintf("0 takes %d", *defaults[i].value)
			if *defaults[i].value == 0 {
				takes = "0 takes all up to 256, and 1 beyond"
			}
			return fmt.Errorf("%s: %d is out of range: 1 to %d (%s)", c.path, *c.value, most, takes)
		}
	}
	if b := o.AIS.Base; b != "" && !slices.Contains(bases, b) {
		return fmt.Errorf("ais.base: %q is no base law: %s", b, strings.Join(bases, ", "))
	}
	if b := o.AIS.Start; b != "" && !slices.Contains(starts, b) {
		return fmt.Errorf("ais.start: %q is no start of reverse paths: %s", b, strings.Join(starts, ", "))
	}
	if a := o.Autocorrelation; a.Sampler != "" && !slices.Contains(movers, a.Sampler) {
		return fmt.Errorf("autocorrelation.sampler: %q cannot be watched: %s", a.Sampler, strings.Join(movers, ", "))
	}
	if f := o.Probe.Features; f != "" && !slices.Contains(Features, f) {
		return fmt.Errorf("probe.features: %q is none of %s", f, strings.Join(Features, ", "))
	}
	for _, x := range []struct {
		path  string
		value float64
	}{{"probe.penalty", o.Probe.Penalty}, {"probe.tolerance", o.Probe.Tolerance}} {
		if !(x.value >= 0 && x.value <= 1e6) {
			return fmt.Errorf("%s: %v is out of range: 0 to 1e6", x.path, x.value)
		}
	}
	switch o.Samples.From {
	case "", "random", "data":
		return nil
	}
	return fmt.Errorf("samples.from: %q is no start of a chain: random or data", o.Samples.From)
}
