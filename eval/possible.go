package eval

import (
	"fmt"
	"slices"

	"mattis/bm"
	"mattis/data"
	"mattis/negative"
)

// Possible returns nil where the measure can be had of the subject, a *NoValue where it has none,
// and where taking it would fail another error, under the measure's name, that says what would be
// right. It looks at sizes, data, labels and options alone: what it says holds whatever the
// parameters become, so that it can be asked before a training. What then still fails is a matter
// of the parameters, or of the machine that it runs on.
func (m Measure) Possible(s Subject, o Options) error {
	if err := m.possible(s, o); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	return nil
}

func (m Measure) possible(s Subject, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	if s.Machine == nil {
		return fmt.Errorf("no machine to judge")
	}
	if m.Data == NeedsData {
		if _, err := s.set(); err != nil {
			return err
		}
	}
	return m.can(s, o)
}

// always is for measures that every machine of any size has.
func always(Subject, Options) error { return nil }

// listable is for measures that list all states of the smaller layer.
func listable(s Subject, _ Options) error {
	_, err := s.enumeration()
	return err
}

// instead is for measures that list all states where another measure finds the best method by
// itself.
func instead(name string) func(Subject, Options) error {
	return func(s Subject, o Options) error {
		if err := listable(s, o); err != nil {
			return fmt.Errorf("%w; take %s", err, name)
		}
		return nil
	}
}

// ofDraw is for the measure of what the estimator returned.
func ofDraw(s Subject, o Options) error {
	if s.Kind == negative.Exact {
		return &NoValue{"the exact estimator returns all states"}
	}
	if s.Kind == negative.Conditional {
		return &NoValue{"the pseudo-likelihood takes no sample of the model"}
	}
	return listable(s, o)
}

// listedRows is for the exact likelihood, whose rows have exact sums too.
func listedRows(s Subject, o Options) error {
	if err := instead("nll")(s, o); err != nil || s.Machine.SumsOut() {
		return err
	}
	if _, err := freeListable(s.Machine); err != nil {
		return fmt.Errorf("%w; take nll", err)
	}
	return nil
}

// summedRows is for the exact likelihood, where what rows lack can be summed over.
func summedRows(s Subject, o Options) error {
	if err := listedRows(s, o); err != nil {
		return err
	}
	set, err := s.set()
	if err != nil {
		return err
	}
	if missing := missingOf(set.Spins[:set.Rows*set.Visible], set.Visible); missing != nil {
		if most := summable(s.Machine, missing); slices.Max(missing) > most {
			at := slices.IndexFunc(missing, func(n int) bool { return n > most })
			return fmt.Errorf("row %d of the %s set has %d missing entries, and sums over at most %d can be had of so many rows; take nll", at+1, s.SetName, missing[at], max(0, most))
		}
	}
	return nil
}

// bestMethod is for log Z by whatever can be had: only where no sum is affordable does annealing
// matter.
func bestMethod(s Subject, o Options) error {
	if _, ok := s.affordable(); ok {
		return nil
	}
	return annealed(s, o)
}

// inPhases is for what all base laws together tell.
func inPhases(s Subject, _ Options) error {
	m := s.Machine
	if known := s.known(m); known != nil {
		_, err := lawOfSet(m, known)
		return err
	}
	return nil
}

// annealed is for estimates from the base laws that are asked for.
func annealed(s Subject, o Options) error {
	if err := inPhases(s, o); err != nil || o.AIS.Base != BaseData {
		return err
	}
	_, err := s.law(s.Machine, BaseData)
	return err
}

// reversed is for estimates by paths in both directions.
func reversed(s Subject, o Options) error {
	if err := annealed(s, o); err != nil {
		return err
	}
	var set *data.Set
	if s.Split != nil {
		set = s.Split.Train
	}
	switch o.AIS.Start {
	case StartFromData:
		if set == nil || set.Rows == 0 || set.Visible != s.Machine.Layers()[bm.Visible] {
			return fmt.Errorf("ais.start: data needs a training set")
		}
		if o.AIS.StartSweeps == 0 && set.Gaps() {
			return fmt.Errorf("ais.start_sweeps: 0 leaves missing entries of the training set unknown, want at least 1")
		}
	case StartFromExact: // of axons the sum over pattern classes may serve, which the patterns decide
		m := s.Machine
		_, axons := m.Couplings().(*bm.Axons)
		if _, err := StartExact(m); err != nil && !axons {
			return fmt.Errorf("ais.start: %w; take auto", err)
		}
	}
	return nil
}

// ofFamily is for measures of samples that count images of a family.
func ofFamily(s Subject, _ Options) error {
	if s.Split == nil || s.Split.Family == nil {
		return &NoValue{"the data are no family of images (bars, bas), so no sample is known to be valid"}
	}
	v := s.Machine.Layers()[bm.Visible]
	if t := s.Split.Train; t != nil && t.Visible != v {
		return fmt.Errorf("the images of %q have %d spins, the machine has %d visible ones", t.Name, t.Visible, v)
	}
	return nil
}

// compared is for measures of the overlaps of at least so many samples.
func compared(least int, why string) func(Subject, Options) error {
	return func(s Subject, o Options) error {
		if o.Samples.Chains < least {
			return &NoValue{why + "; set samples.chains"}
		}
		if o.Samples.Chains > mostPaired {
			return fmt.Errorf("samples.chains: %d samples make too many pairs, at most %d can be compared", o.Samples.Chains, mostPaired)
		}
		return nil
	}
}

// watchable is for measures along chains.
func watchable(s Subject, o Options) error {
	if o.Autocorrelation.Sampler != "guided" {
		return nil
	}
	if s.Machine.Axons() == nil {
		return fmt.Errorf("autocorrelation.sampler: guided moves read the patterns of axons, and the couplings are dense; take tempering")
	}
	if !s.Machine.SumsOut() {
		return fmt.Errorf("autocorrelation.sampler: guided moves need hidden layers that sum out given the visible one; take tempering")
	}
	return nil
}

// ofPatterns is for measures of patterns.
func ofPatterns(s Subject, _ Options) error {
	if s.Machine.Axons() != nil {
		return nil
	}
	return &NoValue{"dense couplings have no patterns"}
}

// labelled is for measures that fit labels.
func labelled(s Subject, o Options) error {
	set, err := s.set()
	if err != nil {
		return err
	}
	train := s.Split.Train
	if set.Labels == nil || train == nil || train.Labels == nil {
		return &NoValue{"the data have no labels"}
	}
	if set.LabelNames != nil {
		return &NoValue{"the labels are visible spins, which the features would tell"}
	}
	if v := s.Machine.Layers()[bm.Visible]; train.Visible != v {
		return fmt.Errorf("the rows of the train set %q have %d spins, the machine has %d visible ones", train.Name, train.Visible, v)
	}
	if _, err := o.Probe.layer(s.Machine); err != nil && o.Probe.Features != FeaturesPixels {
		return err
	}
	if s.classes() < 2 {
		return &NoValue{"all rows have the same label"}
	}
	if o.Probe.HeldOut > 0 {
		return s.holdOut(o.Probe)
	}
	return nil
}

// classes returns the number of labels in all sets of the split.
func (s Subject) classes() int {
	classes := 0
	for _, name := range []string{"train", "test", "validation"} {
		if set := s.Split.Set(name); set != nil && len(set.Labels) > 0 {
			classes = max(classes, int(slices.Max(set.Labels))+1)
		}
	}
	return classes
}
