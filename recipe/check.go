package recipe

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/sampler"
	"mattis/train"
)

// check returns the first thing that is wrong with r as a FieldError, and fills in
// the numbers that choices leave out.
func (r *Recipe) check() error {
	for _, f := range []func() error{r.checkData, r.checkMachine, r.checkCouplings, r.checkPositive, r.checkNegative, r.checkOptimizer, r.checkProject, r.checkTrain, r.checkMeasure, r.checkBest} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// given checks that the pointer fields of a section are those that have a
// meaning for its kind: the ones that the kind's defaults set and those that may or must be given.
func given(section, kind string, value, defaults any, required, optional []string) error {
	v, d := reflect.ValueOf(value), reflect.ValueOf(defaults)
	for i := range v.NumField() {
		name := yamlName(v.Type().Field(i))
		if v.Field(i).Kind() != reflect.Pointer {
			continue
		}
		path := section + "." + name
		has, needs := !v.Field(i).IsNil(), slices.Contains(required, name) || !d.Field(i).IsNil()
		switch {
		case has && !needs && !slices.Contains(optional, name):
			return wrong(path, "has no meaning for %s: leave it out (--set %s=null, or set %s as a whole: --set %s='{...}')", kind, path, section, section)
		case !has && needs:
			return wrong(path, "is missing; %s needs it", kind)
		}
	}
	return nil
}

func (r *Recipe) checkData() error {
	all := data.SourceNames()
	if r.Data.Name == "" { // no set is so much the usual one that a machine may be trained on it unasked
		return wrong("data.name", "is missing, such as bars, mnist, or csv with path; want one of %s", strings.Join(all, ", "))
	}
	if err := oneOf("data.name", r.Data.Name, all); err != nil {
		return err
	}
	s, _ := data.Named(r.Data.Name)
	if err := given("data", "data "+s.Name, r.Data, defaults(r).Data, s.Needs, s.Takes); err != nil {
		return err
	}
	if err := checkGiven(r.Data); err != nil {
		return err
	}
	if r.Data.Binarize != nil {
		switch b := r.Data.Binarize; {
		case b.Name == "stochastic" && b.Value != nil:
			return wrong("data.binarize", "stochastic takes no number, only epoch")
		case b.Name == "threshold" && b.Word != "":
			return wrong("data.binarize", "threshold: %s is no number, such as 0.3; epoch is of stochastic", b.Word)
		case b.Name == "threshold" && b.Value == nil:
			return wrong("data.binarize", "threshold needs its number, such as {threshold: 0.3}")
		case b.Name != "stochastic" && b.Name != "threshold":
			return wrong("data.binarize", "%q is unknown, want {threshold: t} or stochastic", b.Name)
		}
	}
	return nil
}

// checkGiven refuses values that package data takes for none given: here, none given is a field
// left out.
func checkGiven(d Data) error {
	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		if text, ok := v.Field(i).Interface().(*string); ok && text != nil && *text == "" {
			return wrong("data."+yamlName(v.Type().Field(i)), "is empty: give it a value or leave it out")
		}
	}
	source, _ := data.Named(d.Name)
	if n, sizes := d.Size, source.Sizes; n != nil && (*n < sizes[0] || *n > sizes[1]) {
		return wrong("data.size", "%d is out of range for %s: %d to %d", *n, d.Name, sizes[0], sizes[1])
	}
	if t := d.Temperature; t != nil && !(*t > 0 && *t <= math.MaxFloat32) {
		return wrong("data.temperature", "%v is no temperature, want a positive number, such as 2.4 (2.269 is critical)", *t)
	}
	if n := d.Count; n != nil {
		if err := between("data.count", *n, 1, max(source.Count, 1)); err != nil {
			return err
		}
	}
	for _, side := range []struct {
		path  string
		value *int
	}{{"data.height", d.Height}, {"data.width", d.Width}} {
		if side.value != nil && *side.value < 1 {
			return wrong(side.path, "%d is out of range, want at least 1 (plain rows have no such shape: leave it out)", *side.value)
		}
	}
	if w := d.White; w != nil {
		if !(*w > 0 && *w <= math.MaxFloat32) {
			return wrong("data.white", "%v is no value of white, want a positive number, such as 255, of at most %v", *w, largest)
		}
		if err := notLost("data.white", *w); err != nil {
			return err
		}
	}
	if s := d.Split; s != nil {
		splits := []string{"files", "random", "all"}
		switch {
		case d.Temperature != nil:
			splits = splits[1:]
		case d.Size != nil: // made and not read
			splits[0] = "paper"
		}
		if err := oneOf("data.split", *s, splits); err != nil {
			return err
		}
	}
	if d.Missing != nil {
		if err := oneOf("data.missing", *d.Missing, []string{data.Refuse, data.Allow}); err != nil {
			return err
		}
	}
	if d.Delimiter != nil {
		if text := data.CheckDelimiter(*d.Delimiter); text != "" {
			return wrong("data.delimiter", "%s", text)
		}
	}
	if t := d.Test; t != nil && !(*t >= 0 && *t < 1) {
		return wrong("data.test", "%v is no share of the rows, want a number from 0 to below 1, such as 0.2; 0 trains on all", *t)
	}
	for _, count := range []struct {
		path  string
		value *int
	}{{"data.validation", d.Validation}, {"data.limit", d.Limit}} {
		if count.value != nil {
			if err := atLeast(count.path, *count.value, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// mostSpins bounds a layer: the sizes of all matrices stay within an int32 index.
const mostSpins = 1 << 26

func (r *Recipe) checkCouplings() error {
	c := &r.Couplings
	if err := oneOf("couplings.kind", c.Kind, names(couplings)); err != nil {
		return err
	}
	k, _ := find(couplings, c.Kind)
	if err := oneOf("couplings.init", c.Init.Name, names(k.inits)); err != nil {
		return err
	}
	what, optional := c.Kind+" couplings", []string{"gain_rate"}
	if c.storesMemories() {
		what = what + " of init data, whose patterns are the training rows"
		if c.Kind == "axons" {
			optional = append(optional, "gain")
		}
	}
	if err := r.checkMemories(); err != nil {
		return err
	}
	if err := given("couplings", what, *c, defaults(r).Couplings, nil, optional); err != nil {
		return err
	}
	i, _ := find(k.inits, c.Init.Name)
	if err := number("couplings.init", &c.Init, i.value, 0); err != nil {
		return err
	}
	if c.Patterns != nil {
		if *c.Patterns < 1 || *c.Patterns > 1<<20 {
			return wrong("couplings.patterns", "%d is out of range, want 1 to %d", *c.Patterns, 1<<20)
		}
	}
	if c.Gain != nil {
		if err := r.checkGains(*c.Gain); err != nil {
			return err
		}
	}
	if c.GainRate != nil {
		if !*c.LearnGain {
			return wrong("couplings.gain_rate", "has no meaning where the gain is not learned: leave it out (--set couplings.gain_rate=null), or set couplings.learn_gain=true")
		}
		return within("couplings.gain_rate", *c.GainRate, 0, math.MaxFloat32)
	}
	return nil
}

// checkGains refuses gains that are out of range, of pairs that there are not, or left out of a
// pair.
func (r *Recipe) checkGains(gains Gains) error {
	g, err := r.Graph(1)
	if err != nil {
		return err
	}
	var pairs []string
	for i := range g.Pairs {
		pairs = append(pairs, g.PairName(i))
	}
	for _, name := range gains.names() {
		if !slices.Contains(pairs, name) {
			return wrong("couplings.gain", "there is no pair %s, only %s", name, strings.Join(pairs, ", "))
		}
	}
	for _, name := range pairs {
		gain, ok := gains.of(name)
		if !ok {
			return wrong("couplings.gain", "the pair %s is missing, of %s", name, strings.Join(pairs, ", "))
		}
		if !(gain > 0) || math.IsInf(gain, 0) {
			return wrong("couplings.gain", "%v is out of range, want a positive number, and a finite one", gain)
		}
		factor := compute.Factor(1/math.Sqrt(float64(max(1, r.patterns()))), float32(math.Log(gain)))
		if factor == 0 || math.IsInf(float64(factor), 0) {
			return wrong("couplings.gain", "%v makes the factor of W = (g/sqrt K) Xv^T Xh %v in float32, want a gain nearer to 1", gain, factor)
		}
	}
	return nil
}

// number fills in the default of a choice's number and refuses one that has
// no meaning or is below least.
func number(path string, c *Choice, value, least float64) error {
	switch {
	case math.IsNaN(value) && c.Value != nil:
		return wrong(path, "%s takes no number", c.Name)
	case math.IsNaN(value):
	case c.Value == nil:
		c.Value = ptr(value)
	case !(*c.Value >= least) || *c.Value > math.MaxFloat32:
		return wrong(path, "%s: %v is out of range, want %s", c.Name, *c.Value, span(*c.Value, least, math.MaxFloat32))
	default:
		return notLost(path, *c.Value)
	}
	return nil
}

func (r *Recipe) checkPositive() error {
	p := r.Positive
	if err := oneOf("positive.kind", p.Kind, names(positives)); err != nil {
		return err
	}
	if err := given("positive", p.Kind, p, defaults(r).Positive, nil, nil); err != nil {
		return err
	}
	if r.Data.gaps() && p.Kind != "clamped" {
		return wrong("positive.kind", "%s wants whole rows, and data.missing is allow: take clamped, whose chains draw the missing spins", p.Kind)
	}
	if p.Steps != nil {
		if err := between("positive.steps", *p.Steps, 1, mostCount); err != nil {
			return err
		}
	}
	if p.Tolerance != nil {
		if err := within("positive.tolerance", *p.Tolerance, 0, math.MaxFloat32); err != nil {
			return err
		}
	}
	if p.Chains != nil {
		return between("positive.chains", *p.Chains, 0, 1<<20)
	}
	return nil
}

// mostRungs bounds the frozen states of a training, each of which is as large as the machine.
const mostRungs = 1 << 10

func (r *Recipe) checkNegative() error {
	n := r.Negative
	if err := oneOf("negative.kind", n.Kind, Estimators()); err != nil {
		return err
	}
	k, _ := find(negatives, n.Kind)
	if k.axons && r.Couplings.Kind != "axons" {
		return wrong("negative.kind", "%s reads the patterns of axons, and couplings.kind is %s: take cd or pcd", n.Kind, r.Couplings.Kind)
	}
	var takes []string
	if k.fresh {
		takes = append(takes, "fresh")
	}
	if k.growing {
		takes = append(takes, "restart", "grow")
	}
	if k.lasting {
		takes = append(takes, "start")
	}
	if err := given("negative", n.Kind, n, defaults(r).Negative, nil, takes); err != nil {
		return err
	}
	if r.Data.gaps() && n.Kind == "pseudo-likelihood" {
		return wrong("negative.kind", "pseudo-likelihood is of each spin given all others of its row, and data.missing is allow: take pcd")
	}
	if n.Steps != nil {
		if err := between("negative.steps", *n.Steps, 1, mostCount); err != nil {
			return err
		}
	}
	if n.Chains != nil {
		if err := between("negative.chains", *n.Chains, 1, mostCount); err != nil {
			return err
		}
	}
	if n.Rungs != nil {
		if err := between("negative.rungs", *n.Rungs, 1, mostRungs); err != nil {
			return err
		}
	}
	if n.Acceptance != nil {
		if err := within("negative.acceptance", *n.Acceptance, 0, 1); err != nil {
			return err
		}
	}
	if n.Every != nil {
		if err := between("negative.every", *n.Every, 1, mostCount); err != nil {
			return err
		}
	}
	if n.FastRate != nil {
		if err := within("negative.fast_rate", *n.FastRate, 0, math.MaxFloat32); err != nil {
			return err
		}
	}
	if n.FastKeep != nil {
		if err := within("negative.fast_keep", *n.FastKeep, 0, 1); err != nil {
			return err
		}
	}
	if err := r.checkFresh(); err != nil {
		return err
	}
	if n.Temperatures != nil {
		if err := sampler.CheckLadder(*n.Temperatures); err != nil {
			return wrong("negative.temperatures", "%v", err)
		}
		if top := (*n.Temperatures)[0]; top != 1 {
			return wrong("negative.temperatures", "the first inverse temperature is %v, want 1: the machine's own", top)
		}
		for _, t := range *n.Temperatures {
			if err := notLost("negative.temperatures", t); err != nil {
				return err
			}
		}
	}
	if n.Seeds != nil {
		return oneOf("negative.seeds", *n.Seeds, []string{"sign", "continuous"})
	}
	return nil
}

func (r *Recipe) checkOptimizer() error {
	o := r.Optimizer
	if err := oneOf("optimizer.kind", o.Kind, names(optimizers)); err != nil {
		return err
	}
	if err := given("optimizer", o.Kind, o, defaults(r).Optimizer, nil, []string{"warm_up"}); err != nil {
		return err
	}
	for _, f := range []struct {
		name   string
		value  *float64
		lo, hi float64
	}{
		{"rate", &o.Rate, 0, math.MaxFloat32},
		{"momentum", o.Momentum, 0, 0.9999},
		{"beta1", o.Beta1, 0, 0.999999},
		{"beta2", o.Beta2, 0, 0.9999999},
		{"eps", o.Eps, 0, 1},
		{"weight_decay", &o.WeightDecay, 0, math.MaxFloat32},
		{"l1", &o.L1, 0, math.MaxFloat32},
		{"decay.factor", &o.Decay.Factor, 0, 1},
		{"decay.floor", &o.Decay.Floor, 0, math.MaxFloat32},
	} {
		if f.value != nil {
			if err := within("optimizer."+f.name, *f.value, f.lo, f.hi); err != nil {
				return err
			}
		}
	}
	return r.checkDecay()
}

func (r *Recipe) checkProject() error {
	all := names(projections)
	for _, list := range []struct {
		path    string
		choices []Choice
	}{{"project.update", r.Project.Update}, {"project.epoch", r.Project.Epoch}} {
		for i := range list.choices {
			c, path := &list.choices[i], fmt.Sprintf("%s[%d]", list.path, i)
			if err := oneOf(path, c.Name, all); err != nil {
				return err
			}
			if r.Couplings.Kind != "axons" {
				return wrong(path, "%s projects the patterns of axons, and couplings.kind is %s", c.Name, r.Couplings.Kind)
			}
			p, _ := find(projections, c.Name)
			least := 0.0
			if c.Name == "gibbs" {
				least = 1
				if c.Value != nil && (*c.Value != math.Trunc(*c.Value) || *c.Value > mostCount) {
					return wrong(path, "gibbs: %v is not a number of steps, want a whole one from 1 to %d", *c.Value, mostCount)
				}
			}
			if err := number(path, c, p.value, least); err != nil {
				return err
			}
			if c.Name == "clip" && *c.Value == 0 {
				return wrong(path, "clip: 0 would clear the patterns, want a positive bound")
			}
		}
	}
	return nil
}

func (r *Recipe) checkTrain() error {
	t := r.Train
	if t.Epochs == unset {
		return wrong("train.epochs", "is missing: the number of epochs, such as 100")
	}
	if t.Batch == unset {
		return wrong("train.batch", "is missing: the rows in a batch, such as 100")
	}
	for _, f := range []struct {
		path         string
		value, least int
	}{{"train.epochs", t.Epochs, 0}, {"train.batch", t.Batch, 1}, {"train.checkpoint.epochs", t.Checkpoint.Epochs, 0},
		{"train.checkpoint.keep", t.Checkpoint.Keep, 0}, {"measure.every", r.Measure.Every, 0}, {"train.stop.patience", t.Stop.Patience, 0},
		{"measure.pictures.every", r.Measure.Pictures.Every, 0}} {
		if err := atLeast(f.path, f.value, f.least); err != nil {
			return err
		}
	}
	if err := r.checkAverage(); err != nil {
		return err
	}
	if err := r.checkShards(); err != nil {
		return err
	}
	if m := t.Checkpoint.Minutes; !(m >= 0 && m <= math.MaxFloat32) { // which bounds it, and is not what holds it
		return wrong("train.checkpoint.minutes", "%v is out of range, want 0 to %v", m, largest)
	}
	if _, err := compute.ParsePrecision(t.Precision); err != nil {
		return oneOf("train.precision", t.Precision, []string{compute.Single.String(), compute.BF16.String()})
	}
	return oneOf("train.short_batch", t.ShortBatch, []string{string(train.Share), string(train.Released), string(train.Drop), string(train.Mean)})
}

func (r *Recipe) checkMeasure() error {
	for _, l := range []struct {
		path  string
		names []string
	}{{"measure.test", r.Measure.Test}, {"measure.train", r.Measure.Train}, {"measure.last", r.Measure.Last}} {
		for i, n := range l.names {
			if err := oneOf(fmt.Sprintf("%s[%d]", l.path, i), n, eval.Names()); err != nil {
				return err
			}
		}
	}
	if err := r.Measure.Options.Check(); err != nil {
		path, text, _ := strings.Cut(err.Error(), ": ")
		return wrong("measure.options."+path, "%s", text)
	}
	return between("measure.pictures.count", r.Measure.Pictures.Count, 1, mostPictures)
}
