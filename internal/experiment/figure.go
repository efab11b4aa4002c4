// Package experiment implements the figures and tables of the paper: many
// trainings side by side, what is measured on them, the pictures, and the
// verdict on each claim.
package experiment

import (
	"fmt"
	"slices"
	"strings"
)

// Figure is a figure or a table of the paper, or one beside it.
type Figure struct {
	Name  string // "3a"
	Title string
	Place string // where the paper has it
	// Instances is the default number of instances, which ends in minutes on two cores, and Paper
	// the paper's; 0 where one machine is shown.
	Instances, Paper int

	studies []*study
	finish  func(r *results) error // draws, and judges the claims
}

// study is a set of arms that several figures may look at. Figures that share a study
// share its instances.
type study struct{ arms []*arm }

// arm is a method: what one instance of it does.
type arm struct {
	name string // in legends and in the names of instances

	// recipe is the built-in recipe that is trained, with settings laid over it; epochs among them,
	// and why so many. An arm without recipe is not trained: draw gives its points, and settings
	// say what it draws.
	recipe   string
	settings []string
	why      string
	draw     func(w *work) error
	// after gives the points of a trained machine beside its metrics; may be nil.
	after func(w *work, t *trained) error

	miniature []string // laid over the settings at miniature scale
	seconds   float64  // about what an instance takes on one core
	single    bool     // one instance is enough: a table of costs
	timed     bool     // its seconds count: an instance has one thread, however many there are
}

// Figures are all figures in the order of the paper, the extras last.
var Figures = []Figure{
	{"1", "Accessibility of untrained machines", "Fig. 1", 100, 100, []*study{untrained}, finishUntrained},
	{"2a", "Gibbs accessibility during training on 4x4 Bars", "Fig. 2a", 6, 100, []*study{rapidBars, otherBars}, finishGibbs},
	{"2b", "Method accessibility during training on 4x4 Bars", "Fig. 2b", 6, 100, []*study{rapidBars, otherBars}, finishMethod},
	{"3a", "Reconstruction of the training set of 4x4 Bars", "Fig. 3a", 6, 100, []*study{rapidBars, otherBars}, finishMemory},
	{"3b", "Reconstruction of the test set of 4x4 Bars", "Fig. 3b", 6, 100, []*study{rapidBars, otherBars}, finishGeneralization},
	{"4", "Singular values after training on 4x4 Bars", "Fig. 4", 6, 0, []*study{rapidBars, otherBars}, finishSpectra},
	{"5", "RAPID on 12x12 Bars and Stripes", "Fig. 5", 4, 100, []*study{stripes}, finishStripes},
	{"6", "RAPID on MNIST: likelihood and samples", "Fig. 6", 1, 25, []*study{digits, frozenDigits, moreDigits}, finishDigits},
	{"7", "Patterns after training on MNIST", "Fig. 7", 1, 0, []*study{digits}, finishPatterns},
	{"probe", "Labels of MNIST from the hidden layer", "Sec. V.B", 1, 100, []*study{digits, frozenDigits, standardDigits}, finishProbe},
	{"6-small", "RAPID on MNIST at reduced size: likelihood and samples", "Fig. 6", 10, 0, []*study{reducedDigits, reducedFrozenDigits, reducedMoreDigits}, finishDigits},
	{"7-small", "Patterns after training on MNIST at reduced size", "Fig. 7", 10, 0, []*study{reducedDigits}, finishPatterns},
	{"probe-small", "Labels of MNIST from the hidden layer at reduced size", "Sec. V.B", 10, 0, []*study{reducedDigits, reducedFrozenDigits, reducedStandardDigits}, finishProbe},
	{"c1", "What reconstruction starts from", "Fig. C.1", 1, 0, []*study{rapidBars}, finishCorrupted},
	{"cost", "Cost of the negative phase", "App. D", 1, 0, []*study{costs}, finishCosts},
	{"ultrametricity", "Overlaps and ultrametricity of samples", "Sec. IV.B", 4, 0, []*study{glassy}, finishUltrametricity},
	{"crosstalk", "Crosstalk of random patterns", "Sec. IV.C", 8, 0, []*study{noise}, finishCrosstalk},
	{"cooling", "Samplers in machines that are cooled", "refs. 8 and 9", 1, 0, []*study{cooled}, finishCooling},
	{"likelihood", "Estimates of log Z where it is known", "ref. 39", 200, 0, []*study{likely}, finishLikelihood},
	{"phases", "Estimates of log Z where phases are far apart", "ref. 39", 200, 0, []*study{hiddenPhases}, finishPhases},
	{"graphs", "Estimates of log Z on other graphs of layers", "Sec. VII", 200, 0, []*study{graphs}, finishGraphs},
	{"hopfield", "Memories in Hopfield machines and what axons add", "App. E", 10, 0, []*study{remembered}, finishHopfield},
	{"hybrid", "Hybrid machines and their Hopfield machines", "App. E", 4, 0, []*study{summedOut}, finishHybrid},
	{"deep", "RAPID on two hidden layers", "Sec. VI", 4, 0, []*study{deeper}, finishDeep},
	{"full", "Fully connected machines", "Secs. III and IV", 4, 0, []*study{fullyCoupled}, finishFull},
	{"quality", "Likelihood over the time of training on MNIST", "beside the paper", 3, 0, []*study{qualities}, finishQuality},
	{"calibration", "Standard errors of measures where the truth is known", "beside the paper", 100, 0, []*study{calibrated}, finishCalibration},
}

// keepsRecords reports whether a table keeps the figure's finished instances: they take hours, and drawing needs no
// machine of them.
func (f *Figure) keepsRecords() bool { return slices.Contains(f.studies, qualities) }

// Find returns the figures that a name in letters of either case stands for: one by its name, all
// parts of one by its number ("2" is 2a and 2b), or "all".
func Find(name string) ([]*Figure, error) {
	asked, name := name, strings.ToLower(name)
	var found []*Figure
	for i := range Figures {
		f := &Figures[i]
		rest, part := strings.CutPrefix(f.Name, name)
		if name == "all" || f.Name == name || part && len(rest) == 1 && name != "" && rest[0] >= 'a' && rest[0] <= 'z' && isNumber(name) {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%q is no figure: %s, or all", asked, strings.Join(Names(), ", "))
	}
	return found, nil
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// Names returns the names of all figures.
func Names() []string {
	var names []string
	for _, f := range Figures {
		names = append(names, f.Name)
	}
	return names
}

// sharing returns the names of the figures that look at the study, the given one first.
func (s *study) sharing(first string) []string {
	names := []string{first}
	for _, f := range Figures {
		if f.Name != first && slices.Contains(f.studies, s) {
			names = append(names, f.Name)
		}
	}
	return names
}
