package eval

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Options are the settings of all measures: one group for each family of measures, which declares
// its numbers, their defaults and their ranges beside its code. Whoever sets some starts from
// Defaults, for every value is what it says: a 0 or "" is no default, and refused where it makes
// no sense.
type Options struct {
	Hamming          HammingOptions         `yaml:"hamming"`
	HammingClamped   HammingClampedOptions  `yaml:"hamming_clamped"`
	Accessibility    AccessibilityOptions   `yaml:"gibbs_accessibility"`
	PseudoLikelihood PseudoOptions          `yaml:"pseudo_likelihood"`
	Samples          SampleOptions          `yaml:"samples"`
	Probe            ProbeOptions           `yaml:"probe"`
	AIS              AISOptions             `yaml:"ais"`
	Phases           PhasesOptions          `yaml:"phases"`
	Integration      IntegrationOptions     `yaml:"integration"`
	Autocorrelation  AutocorrelationOptions `yaml:"autocorrelation"`
}

// Defaults returns the options of the protocols, complete.
func Defaults() Options {
	return Options{
		Hamming:          hammingDefaults,
		HammingClamped:   hammingClampedDefaults,
		Accessibility:    accessibilityDefaults,
		PseudoLikelihood: pseudoDefaults,
		Samples:          sampleDefaults,
		Probe:            probeDefaults,
		AIS:              aisDefaults,
		Phases:           phasesDefaults,
		Integration:      integrationDefaults,
		Autocorrelation:  autocorrelationDefaults,
	}
}

// likelihoods are the measures of likelihoods by annealed importance sampling, and reversals those of them that go back.
var (
	reversals   = []string{"nll_reverse_ais", "logz_reverse_ais", "nll_bridge", "logz_bridge"}
	likelihoods = append([]string{"nll", "logz", "nll_ais", "logz_ais"}, reversals...)
)

// readers names the measures that read a group of options, or an option that others read than the rest of its group.
var readers = map[string][]string{
	"hamming":             {"hamming"},
	"hamming_clamped":     {"hamming_clamped"},
	"gibbs_accessibility": {"gibbs_accessibility", "gibbs_accessibility_mean"},
	"pseudo_likelihood":   {"pseudo_likelihood"},
	"samples":             {"valid_share", "coverage", "overlap", "ultrametricity"},
	"probe":               {"probe_accuracy"},
	"ais":                 append(slices.Clone(likelihoods), "phases"),
	"ais.base":            append(slices.Clone(likelihoods), "logz_integration"),
	"ais.start":           reversals,
	"ais.start_sweeps":    reversals,
	"phases":              append(slices.Clone(likelihoods), "phases"),
	"integration":         {"logz_integration"},
	"autocorrelation":     {"autocorrelation"},
}

// Readers returns the names of the measures that read the option, hamming.draws or ais.base, or some of a group, ais; none where
// there is no such group.
func Readers(option string) []string {
	if list, ok := readers[option]; ok {
		return list
	}
	group, _, _ := strings.Cut(option, ".")
	return readers[group]
}

// group is the options of one family of measures.
type group interface {
	// check returns an error that opens with the name of the first field out of range, as YAML
	// has it, and a colon.
	check() error
}

// Check returns an error that opens with the path of the first field out of range and a colon.
func (o Options) Check() error {
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		if err := v.Field(i).Interface().(group).check(); err != nil {
			return fmt.Errorf("%s.%w", v.Type().Field(i).Tag.Get("yaml"), err)
		}
	}
	return nil
}

// most bounds every count of the options.
const most = 1_000_000

// inRange returns an error unless lo <= x <= hi.
func inRange[T int | float64](name string, x, lo, hi T) error {
	if x >= lo && x <= hi {
		return nil
	}
	return fmt.Errorf("%s: %v is out of range: %v to %v", name, x, lo, hi)
}

// oneOf returns an error unless the word is one of those allowed; what says what it is not then.
func oneOf(name, word, what string, allowed []string) error {
	if slices.Contains(allowed, word) {
		return nil
	}
	return fmt.Errorf("%s: %q is %s: %s", name, word, what, strings.Join(allowed, ", "))
}
