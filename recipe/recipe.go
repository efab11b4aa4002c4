// Package recipe implements a training as data: a strict YAML file that names
// the data, the machine, the estimator and all their settings, and what
// becomes of it: objects, checkpoints and a run directory.
package recipe

import (
	"bytes"

	"github.com/goccy/go-yaml"

	"mattis/eval"
)

// Recipe is a training as data. Parse fills in every default, so that the
// recipe written out is complete: training it again gives the same bits.
// Pointer fields have a meaning for some kinds only and are nil for the others.
type Recipe struct {
	Name string `yaml:"-"` // of the file or the built-in recipe; run directories are named after it

	Seed      uint64    `yaml:"seed"` // of all random numbers
	Data      Data      `yaml:"data"`
	Machine   Machine   `yaml:"machine"`
	Couplings Couplings `yaml:"couplings"`
	Positive  Positive  `yaml:"positive"`
	Negative  Negative  `yaml:"negative"`
	Optimizer Optimizer `yaml:"optimizer"`
	Project   Project   `yaml:"project"`
	Train     Train     `yaml:"train"`
	Measure   Measure   `yaml:"measure"`

	origin   origin
	memories int // training rows, once they are known: K where couplings.init is data
}

// Machine is what meets what.
type Machine struct {
	Kind   string      `yaml:"kind"`             // rbm, deep, full, hybrid or graph
	Hidden Sizes       `yaml:"hidden,omitempty"` // H, or those of all hidden layers
	Layers *[]Layer    `yaml:"layers,omitempty"` // of a graph, the visible one first
	Pairs  *[][]string `yaml:"pairs,omitempty"`  // of a graph: the names of two layers each
	Biases string      `yaml:"biases"`           // none, visible, hidden or both; 0 at first
	Offset string      `yaml:"offset"`           // none; mean: the mean of the training set is taken from v; all: each layer has one, which follows the data; off: each layer of spins has -1, so that gradients are those of 0/1 variables; sparse: mean of v and off of the others

	// OffsetRate is how far offsets move towards the means of the positive phase in an update.
	OffsetRate *float64 `yaml:"offset_rate,omitempty"`

	// BiasRate is the factor of the learning rate of all biases; 1 where it is not given.
	BiasRate *float64 `yaml:"bias_rate,omitempty"`

	// Start says what the visible biases are at first: zero, or data for those of independent spins
	// with the means of the training set.
	Start *string `yaml:"start,omitempty"`
}

// Couplings is how W is kept.
type Couplings struct {
	Kind      string   `yaml:"kind"`                 // axons or dense
	Patterns  *int     `yaml:"patterns,omitempty"`   // K
	Gain      *Gains   `yaml:"gain,omitempty"`       // g at first
	LearnGain *bool    `yaml:"learn_gain,omitempty"` // give g a gradient
	GainRate  *float64 `yaml:"gain_rate,omitempty"`  // factor of its learning rate; 1 of runs that do not have it
	Init      Choice   `yaml:"init"`
	Rule      *string  `yaml:"rule,omitempty"` // of init data: hebb or projection
}

// Positive is the estimator of the data average.
type Positive struct {
	Kind      string   `yaml:"kind"`
	Steps     *int     `yaml:"steps,omitempty"`     // sweeps
	Tolerance *float64 `yaml:"tolerance,omitempty"` // of mean field: the change of a row's means that ends it
	Chains    *int     `yaml:"chains,omitempty"`    // of each training row; 0 for one that is restarted
}

// Negative is the estimator of the model average.
type Negative struct {
	Kind   string  `yaml:"kind"`
	Steps  *int    `yaml:"steps,omitempty"`  // Gibbs sweeps
	Chains *int    `yaml:"chains,omitempty"` // persistent chains
	Seeds  *string `yaml:"seeds,omitempty"`  // sign or continuous

	// Temperatures is the ladder of tempering: inverse temperatures, falling from 1.
	Temperatures *[]float64 `yaml:"temperatures,omitempty"`

	// Of trajectory: frozen states at most, the exchange probability below which another is made, and
	// the updates from one at which all rungs move to the next.
	Rungs      *int     `yaml:"rungs,omitempty"`
	Acceptance *float64 `yaml:"acceptance,omitempty"`
	Every      *int     `yaml:"every,omitempty"`

	FastRate *float64 `yaml:"fast_rate,omitempty"` // of the fast parameters of fpcd
	FastKeep *float64 `yaml:"fast_keep,omitempty"` // the share of them that an update leaves

	Start   *string  `yaml:"start,omitempty"`   // of chains that go on: uniform, patterns or mean
	Restart *Restart `yaml:"restart,omitempty"` // of chains that go on
	Grow    *Grow    `yaml:"grow,omitempty"`    // of the sweeps

	Fresh *Fresh `yaml:"fresh,omitempty"` // chains that start anew at each update
}

// Restart says how often a chain of a negative phase starts anew.
type Restart struct {
	Rate *float64 `yaml:"rate,omitempty"` // the probability before an update
	From *string  `yaml:"from,omitempty"` // uniform, patterns, data or mean
}

// Grow says how the sweeps of an update become more.
type Grow struct {
	To   *int `yaml:"to,omitempty"`
	Over *int `yaml:"over,omitempty"` // updates
}

// Fresh are the chains of a negative phase that start anew at each update.
type Fresh struct {
	Share *float64 `yaml:"share,omitempty"` // of all rows
	Steps *int     `yaml:"steps,omitempty"` // Gibbs sweeps of each
	From  *string  `yaml:"from,omitempty"`  // uniform, patterns, data or mean
	Until *int     `yaml:"until,omitempty"` // updates after which none does; all of them where it is left out
}

// Optimizer is how parameters move.
type Optimizer struct {
	Kind        string   `yaml:"kind"`
	Rate        float64  `yaml:"rate"`
	Momentum    *float64 `yaml:"momentum,omitempty"`
	Beta1       *float64 `yaml:"beta1,omitempty"`
	Beta2       *float64 `yaml:"beta2,omitempty"`
	Eps         *float64 `yaml:"eps,omitempty"`
	WeightDecay float64  `yaml:"weight_decay"` // of couplings: half of it times the sum of their squares is added to the NLL (l2)
	L1          float64  `yaml:"l1,omitempty"` // of couplings: it times the sum of their sizes is
	Decay       Decay    `yaml:"decay"`
	WarmUp      *float64 `yaml:"warm_up,omitempty"` // epochs in which the rate rises from 0
}

// Decay lets the learning rate fall: by default rate * factor^(epoch-after), not below floor.
type Decay struct {
	Factor float64  `yaml:"factor"`
	After  int      `yaml:"after"`
	Floor  float64  `yaml:"floor"`
	Kind   *string  `yaml:"kind,omitempty"`  // exponential, linear, cosine or power
	Over   *int     `yaml:"over,omitempty"`  // epochs in which it comes to the floor; of power, those of (1 + n/over)^-power
	Power  *float64 `yaml:"power,omitempty"` // of power
	Per    *string  `yaml:"per,omitempty"`   // epoch, or update for a rate that falls at each
}

// Project lists the projections of Appendix B and when they happen.
type Project struct {
	Update []Choice `yaml:"update"` // after every update
	Epoch  []Choice `yaml:"epoch"`  // after every epoch
}

// Train is the loop.
type Train struct {
	Epochs     int        `yaml:"epochs"`
	Batch      int        `yaml:"batch"`
	ShortBatch string     `yaml:"short_batch"` // share, released, drop or mean
	Shards     int        `yaml:"shards"`      // parts of a batch, whose gradients are made apart: what processes can share
	Precision  string     `yaml:"precision"`   // float32 or bf16: what factors of products are rounded to
	Checkpoint Checkpoint `yaml:"checkpoint"`
	Best       Best       `yaml:"best"`
	Stop       Stop       `yaml:"stop"`

	// Average is what is measured and drawn from in place of the parameters: none, {exponential: f}
	// for a mean whose past counts f less an update, {from: E} for the mean from epoch E on.
	Average Choice `yaml:"average"`
}

// Checkpoint says when checkpoints are written and how many are kept; 0 turns
// a trigger off, and keep 0 keeps all. One is always written at the end.
type Checkpoint struct {
	Epochs  int     `yaml:"epochs"`
	Minutes float64 `yaml:"minutes"`
	Keep    int     `yaml:"keep"`
}

// Best names the measure whose best checkpoint is kept: one of those that are measured every so
// many epochs, on the set test or train.
type Best struct {
	Measure string  `yaml:"measure"`         // none: no checkpoint is better than another
	Split   *string `yaml:"split,omitempty"` // nil for a measure of the machine alone, which refers to no set
}

// Stop says what ends a training before its last epoch.
type Stop struct {
	Diverged bool `yaml:"diverged"` // that it has diverged
	Patience int  `yaml:"patience"` // so many measurements in a row that are no better than the best; 0 for no end
}

// Pictures says when samples and reconstructions are drawn during the training, and how many.
type Pictures struct {
	Every int `yaml:"every"` // epochs; 0 for none
	Count int `yaml:"count"`
}

// Measure lists what is measured: test and train on their sets every so many
// epochs, at the start and at the end; last at the end alone, on every set there is.
type Measure struct {
	Every int      `yaml:"every"`
	Test  []string `yaml:"test"`
	Train []string `yaml:"train"`
	Last  []string `yaml:"last"`

	Pictures Pictures `yaml:"pictures"`

	Options eval.Options `yaml:"options"`
}

// YAML returns the complete recipe. Parse reads it back to an equal one.
func (r *Recipe) YAML() []byte { return encode(r) }

func encode(v any) []byte {
	var b bytes.Buffer
	if err := yaml.NewEncoder(&b, yaml.Indent(2), yaml.IndentSequence(true)).Encode(v); err != nil {
		panic("recipe: " + err.Error())
	}
	return b.Bytes()
}
