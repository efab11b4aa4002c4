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
	MeanField        MeanFieldOptions       `yaml:"mean_field"`
	ClampedAIS       ClampedAISOptions      `yaml:"clamped_ais"`
	Recall           RecallOptions          `yaml:"recall"`
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
		MeanField:        meanFieldDefaults,
		ClampedAIS:       clampedAISDefaults,
		Recall:           recallDefaults,
	}
}

// Readers returns the names of the measures that read the option, hamming.draws or ais.base, or
// some of a group, ais; none where there is no such group. Each measure's line of the table says
// what it reads; an option that has a name of its own there is not read by those that name the
// group alone.
func Readers(option string) []string {
	if list := readers(option); len(list) > 0 {
		return list
	}
	group, _, _ := strings.Cut(option, ".")
	return readers(group)
}

func readers(name string) (list []string) {
	for _, m := range Measures {
		if slices.Contains(m.reads, name) {
			list = append(list, m.Name)
		}
	}
	return list
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
