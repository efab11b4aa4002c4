package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/negative"
	"mattis/optim"
	"mattis/positive"
	"mattis/rng"
	"mattis/train"
)

// The purposes that the seed's key is folded for.
const (
	purposeData uint64 = iota
	purposeInit
	purposeTrain
	purposeChains
	purposeMeasure
	purposeSample // from a trained machine
	purposeDraw   // by the estimator of a trained machine
	purposeUnreached
	purposeLooks    // for divergence
	purposePictures // during training
	purposeClamped  // chains of the positive phase
	purposeGreys    // the training set drawn anew
	purposeTracked  // log Z along the training
)

// Key returns the key of the recipe's seed.
func (r *Recipe) Key() rng.Key { return rng.Key(r.Seed) }

// measureKey returns the key of the measures taken after so many updates.
func (r *Recipe) measureKey(step int) rng.Key {
	return r.Key().Fold(purposeMeasure).Fold(uint64(step))
}

// SampleKey returns the key of what a trained machine draws under a seed, apart
// from the keys of a training with that seed.
func SampleKey(seed uint64) rng.Key { return rng.Key(seed).Fold(purposeSample) }

// LoadData makes or reads the data.
func (r *Recipe) LoadData() (*data.Split, error) {
	if text := r.noShare(); text != "" {
		return nil, r.origin.place(wrong("data.test", "%s", text))
	}
	if d := r.Data; d.Closed != nil && !*d.Closed && d.Split != nil && *d.Split == "paper" {
		return nil, r.origin.place(wrong("data.closed", "false has no meaning for data.split paper, which keeps an image and its negative together: leave it out, or take random"))
	}
	return r.load(r.dataOptions())
}

// noShare returns why data.test: 0 has no meaning for the split; "" where it is not given or has one.
func (r *Recipe) noShare() string {
	d := r.Data
	if d.Test == nil || *d.Test != 0 || d.Split == nil || *d.Split == "random" || *d.Split == "paper" && (d.Name != "bars" || *d.Size != 4) {
		return ""
	}
	return fmt.Sprintf("0 has no meaning for data.split %s, which takes no share of the rows: leave it out, or take all", *d.Split)
}

// LoadDataOf makes or reads the data of a run whose training set has that digest. Where they have
// another by the present rules they are made as first versions made them (data.Options.Former), and
// former is true where that gives the digest; where neither does they are those of LoadData, if it
// takes the recipe.
func (r *Recipe) LoadDataOf(digest string) (split *data.Split, former bool, err error) {
	split, err = r.LoadData()
	if digest == "" || err == nil && split.Train.Digest() == digest {
		return split, false, err
	}
	o := r.dataOptions()
	o.Former = true
	if old, other := r.load(o); other == nil && (err != nil || old.Train.Digest() == digest) {
		return old, old.Train.Digest() == digest, nil
	}
	return split, false, err
}

func (r *Recipe) load(o data.Options) (*data.Split, error) {
	s, _ := data.Named(r.Data.Name)
	split, err := s.Load(o)
	return split, r.ofData(err)
}

// ofData returns an error of the data with the place of the field that it names.
func (r *Recipe) ofData(err error) error {
	if err == nil {
		return nil
	}
	if path, text, ok := strings.Cut(err.Error(), ": "); ok && strings.HasPrefix(path, "data.") && !strings.Contains(path, " ") {
		err = r.origin.place(&FieldError{Path: path, Message: text})
	}
	return r.missing(err)
}

func (r *Recipe) dataOptions() data.Options {
	o := data.Options{Key: r.Key().Fold(purposeData)}
	r.Data.lay(&o)
	if t := r.Data.Test; t != nil && *t == 0 { // no share of the rows: all are trained on
		o.Split, o.Closed = "all", false
	}
	for field := range r.Data.places() {
		place, _ := o.Field(strings.TrimPrefix(field, "data."))
		place.SetString(r.at(field))
	}
	return o
}

// decisive is what of a recipe decides about the parameters. Checkpoints hold its digest: a field
// that is added here has to be left out of the YAML where it changes nothing, or runs of earlier
// versions cannot go on.
type decisive struct {
	Seed       uint64    `yaml:"seed"`
	Data       Data      `yaml:"data"`
	Machine    Machine   `yaml:"machine"`
	Couplings  Couplings `yaml:"couplings"`
	Positive   *Positive `yaml:"positive,omitempty"` // where it is not marginal
	Negative   Negative  `yaml:"negative"`
	Optimizer  Optimizer `yaml:"optimizer"`
	Project    Project   `yaml:"project"`
	Batch      int       `yaml:"batch"`
	ShortBatch string    `yaml:"short_batch"`
	Average    *Choice   `yaml:"average,omitempty"`   // where there is one
	Precision  string    `yaml:"precision,omitempty"` // where it is not float32
	Shards     int       `yaml:"shards,omitempty"`    // where there are several
}

func give[T any](dst *T, src *T) {
	if src != nil {
		*dst = *src
	}
}

// Digest returns the SHA-256, in hexadecimal, of all that decides about the
// parameters after a given step: not of the epochs, the checkpoints and the
// measures, nor of where the data lie, whose content has a digest of its own.
func (r *Recipe) Digest() string {
	d := r.Data
	d.Dir, d.Path, d.TestPath, d.Labels, d.TestLabels = nil, nil, nil, nil, nil
	if !d.gaps() { // that is the default, which was not there at first
		d.Missing = nil
	}
	var given *Positive
	if r.Positive.Kind != "marginal" {
		given = &r.Positive
	}
	what := decisive{r.Seed, d, r.Machine, r.Couplings, given, r.Negative, r.Optimizer, r.Project, r.Train.Batch, r.Train.ShortBatch, nil, "", 0}
	if r.Train.Average.Name != none {
		what.Average = &r.Train.Average
	}
	if r.precision() != compute.Single {
		what.Precision = r.Train.Precision
	}
	if r.Train.Shards > 1 {
		what.Shards = r.Train.Shards
	}
	sum := sha256.Sum256(encode(what))
	return hex.EncodeToString(sum[:])
}

// precision returns what factors of products are rounded to.
func (r *Recipe) precision() compute.Precision {
	p, err := compute.ParsePrecision(r.Train.Precision)
	if err != nil {
		panic("recipe: " + err.Error()) // Parse has looked at it
	}
	return p
}

// decisiveOf returns how an error begins that quotes what of the settings, laid over the recipe's
// text, changes its digest: the first that does so alone, or all of them.
func (r *Recipe) decisiveOf(text []byte, settings []string) string {
	quoted := ""
	for _, s := range settings {
		alone, err := Parse(r.origin.source, text, s)
		if err == nil && alone.Digest() != r.Digest() {
			return fmt.Sprintf("--set %s: ", s)
		}
		quoted += fmt.Sprintf("--set %s: ", s)
	}
	return quoted
}

// BuildMachine returns the recipe's machine of so many visible spins with all parameters 0 and the
// gains set.
func (r *Recipe) BuildMachine(visible int, e compute.Engine) *bm.Machine {
	g, err := r.Graph(visible)
	if err != nil {
		panic("recipe: " + err.Error()) // Parse has looked at it
	}
	c, m := r.Couplings, r.Machine
	var w bm.Couplings
	if c.Kind == "axons" {
		a := bm.NewAxons(e, g, r.patterns(), *c.LearnGain)
		for pair := range g.Pairs {
			a.SetPairGain(pair, r.gain(g.PairName(pair), visible))
		}
		if c.GainRate != nil {
			a.SetGainRate(*c.GainRate)
		}
		w = a
	} else {
		w = bm.NewDense(e, g)
	}
	biased := make([]bool, len(g.Layers))
	for l := range biased {
		biased[l] = m.Biases == "both" || l == bm.Visible && m.Biases == "visible" || l != bm.Visible && m.Biases == "hidden"
	}
	machine := bm.New(e, w, biased...)
	if m.BiasRate != nil {
		machine.SetBiasRate(*m.BiasRate)
	}
	return machine
}

// Training is a recipe made into objects.
type Training struct {
	Recipe  *Recipe
	Split   *data.Split
	Machine *bm.Machine // what is measured and drawn from: the Trainer's, or its average
	Axons   *bm.Axons   // its axons, nil for dense couplings
	Trainer *train.Trainer
	Remarks []string // what users should know of how it begins, a line each

	tracking

	comm  *comm.Comm // the processes that share it; nil for one
	start reference  // what a training that has diverged is worse than
}

// Build returns the training of the recipe on the split's data, at step 0. A measure that would
// fail, whatever the parameters become, is an error: it is not found out at the training's end.
func (r *Recipe) Build(split *data.Split, e compute.Engine) (*Training, error) {
	return r.BuildShared(nil, split, e)
}

// BuildShared is Build of a training whose shards the processes of c share; nil is Build.
func (r *Recipe) BuildShared(c *comm.Comm, split *data.Split, e compute.Engine) (*Training, error) {
	t, err := r.build(c, split, e)
	if err != nil {
		return nil, err
	}
	return t, t.refuseImpossible()
}

func (r *Recipe) build(c *comm.Comm, split *data.Split, e compute.Engine) (*Training, error) {
	if err := r.divides(c); err != nil {
		return nil, err
	}
	set := split.Train
	r.memories = set.Rows
	m := r.BuildMachine(set.Visible, e)
	kind, _ := find(couplings, r.Couplings.Kind)
	init, _ := find(kind.inits, r.Couplings.Init.Name)
	var value float64
	give(&value, r.Couplings.Init.Value)
	t := &Training{Recipe: r, Split: split, Machine: m, Axons: m.Axons(), comm: c}
	if _, dry := e.(Meter); !dry { // numbers that nothing holds are not worth their time
		if init.draw == nil {
			if err := t.remember(); err != nil {
				return nil, r.origin.place(wrong("couplings.init", "%v", err))
			}
		} else {
			init.draw(m.Couplings(), value, r.Key().Fold(purposeInit))
		}
		if init.name == principalName {
			principal(m.Axons(), e, set, value)
		}
	}
	if offset := m.Couplings().Offset(bm.Visible); !offset.IsNone() && !m.Graph().Layers[bm.Visible].Off {
		compute.Write(e, offset, pixelMeans(set))
	}
	if r.Machine.Start != nil && *r.Machine.Start == "data" {
		compute.Write(e, m.Bias(bm.Visible).Value, eval.LawOfRows(eval.BaseData, set.Spins, set.Visible).Fields)
	}
	given, err := r.given(m, set.Rows)
	if err != nil {
		return nil, err
	}
	var estimator negative.Estimator
	var shards *train.Shards
	if r.Train.Shards > 1 {
		shards, err = r.shards(c, m, set)
	} else {
		estimator, err = r.estimator(m, set, whole)
	}
	if err != nil {
		return nil, err
	}
	opt, _ := find(optimizers, r.Optimizer.Kind)
	rows := e.Alloc(compute.Int8, set.Rows, set.Visible)
	compute.Write(e, rows, set.Spins)
	afterUpdate, err := r.projections(m, "project.update", r.Project.Update)
	if err != nil {
		return nil, err
	}
	afterEpoch, err := r.projections(m, "project.epoch", r.Project.Epoch)
	if err != nil {
		return nil, err
	}
	var centring *optim.Centring
	if rate := r.Machine.OffsetRate; rate != nil && *rate > 0 {
		if centring, err = optim.NewCentring(m, *rate); err != nil {
			return nil, r.origin.place(wrong("machine.offset", "%v", err))
		}
	}
	t.Trainer = &train.Trainer{
		Machine: m, Positive: given, Negative: estimator, Shards: shards, Centring: centring, Optimizer: sparse(m, opt.build(m, r.Optimizer), r.Optimizer.L1), Rate: r.schedule().At,
		Data: rows, BatchSize: r.Train.Batch, Short: train.ShortBatch(r.Train.ShortBatch),
		AfterUpdate: afterUpdate, AfterEpoch: afterEpoch, Average: r.averaged(m),
		Key: r.Key().Fold(purposeTrain), Precision: r.precision(),
	}
	if set.Greys != nil {
		t.Trainer.Redraw = redraw(e, rows, set, r.Key().Fold(purposeGreys))
	}
	if a := t.Trainer.Average; a != nil {
		t.Machine = a.Machine()
	}
	t.Axons = t.Machine.Axons()
	if t.Trainer.StepsPerEpoch() < 1 {
		return nil, r.origin.place(wrong("train.batch", "batches of %d leave no update: there are %d rows and short_batch is %s", r.Train.Batch, set.Rows, r.Train.ShortBatch))
	}
	if split.Test == nil && len(r.Measure.Test) > 0 {
		return nil, r.origin.place(wrong("measure.test", "there is no test set; set data.split or data.test_path, or measure.test=[]"))
	}
	return t, nil
}

// redraw returns what sets the rows of the training to the set's with its greys drawn for an epoch.
func redraw(e compute.Engine, rows compute.Matrix, set *data.Set, key rng.Key) func(epoch int) {
	spins := make([]int8, set.Visible)
	return func(epoch int) {
		k := key.Fold(uint64(epoch))
		for i := range set.Rows {
			copy(spins, set.Row(i))
			set.Greys.Draw(spins, i, k)
			compute.Write(e, rows.Slice(i, i+1), spins)
		}
	}
}

// sparse returns the optimizer with the l1 penalty, if there is one.
func sparse(m *bm.Machine, o optim.Optimizer, l1 float64) optim.Optimizer {
	if l1 == 0 {
		return o
	}
	return optim.NewSparse(m, o, l1)
}

// given returns the estimator of the data average for a training set of so many rows.
func (r *Recipe) given(m *bm.Machine, rows int) (positive.Estimator, error) {
	p, _ := find(positives, r.Positive.Kind)
	given, err := p.build(m, r.Positive, rows, r.Data.gaps(), r.Key().Fold(purposeClamped))
	if err != nil {
		return nil, r.origin.place(wrong("positive.kind", "%v", err))
	}
	return given, nil
}

// estimator returns that of the model average, or of a part of it; set is the training set, nil where
// the estimator's state is set after, and no rows start anew from the means of the set.
func (r *Recipe) estimator(m *bm.Machine, set *data.Set, of part) (negative.Estimator, error) {
	n, _ := find(negatives, r.Negative.Kind)
	x := basis{r.patternsGiven(m), of, of.key(r.Key().Fold(purposeChains)), compute.Matrix{}}
	if r.Negative.fromMeans() || r.Negative.Rungs != nil && r.Machine.Start != nil && *r.Machine.Start == "data" {
		x.fields = m.Engine().Alloc(compute.Float32, 1, m.Layers()[bm.Visible])
	}
	if !x.fields.IsNone() && set != nil {
		compute.Write(m.Engine(), x.fields, eval.LawOfRows(eval.BaseData, set.Spins[:set.Rows*set.Visible], set.Visible).Fields)
	}
	estimator, err := n.build(m, r.Negative.part(of), x)
	if err != nil {
		return nil, r.origin.place(wrong("negative.kind", "%v", err))
	}
	return estimator, nil
}

// patternsGiven returns what stands for the hidden layers given the visible parts of patterns, as
// the positive phase has it: one of its own, for its configurations are needed beside the other's.
func (r *Recipe) patternsGiven(m *bm.Machine) positive.Estimator {
	alone := r.Positive
	if alone.Chains != nil {
		alone.Chains = ptr(0)
	}
	p, _ := find(positives, alone.Kind)
	given, err := p.build(m, alone, 0, false, 0)
	if err != nil {
		panic("recipe: " + err.Error()) // given has looked at it
	}
	return given
}

func (r *Recipe) projections(m *bm.Machine, path string, choices []Choice) ([]optim.Projection, error) {
	var list []optim.Projection
	for i, c := range choices {
		k, _ := find(projections, c.Name)
		var value float64
		give(&value, c.Value)
		p, err := k.build(m, value)
		if err != nil {
			return nil, r.origin.place(wrong(fmt.Sprintf("%s[%d]", path, i), "%v", err))
		}
		list = append(list, p)
	}
	return list, nil
}

// pixelMeans returns the means of the spins over the rows that know them, 0 where none does.
func pixelMeans(s *data.Set) []float32 {
	sum, known := make([]float64, s.Visible), make([]int, s.Visible)
	for i := range s.Rows {
		for j, v := range s.Row(i) {
			sum[j] += float64(v)
			known[j] += int(v) * int(v)
		}
	}
	mean := make([]float32, s.Visible)
	for j, x := range sum {
		mean[j] = float32(x / float64(max(1, known[j])))
	}
	return mean
}
