package recipe

import (
	"math"

	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/train"
)

// unset is the value of a number that has to be given.
const unset = math.MinInt

// defaults returns the recipe of all defaults for the kinds that k names.
func defaults(k *Recipe) *Recipe {
	r := &Recipe{
		Seed:      1,
		Machine:   Machine{Kind: "rbm", Biases: "none", Offset: "none"},
		Couplings: Couplings{Kind: "axons"},
		Negative:  Negative{Kind: "pid"},
		Optimizer: Optimizer{Kind: "sgd", Decay: Decay{Factor: 1, Floor: 1e-5}},
		Project:   Project{Update: []Choice{}, Epoch: []Choice{}},
		Train: Train{Epochs: unset, Batch: unset, ShortBatch: string(train.Share), Shards: 1, Precision: compute.Single.String(),
			Checkpoint: Checkpoint{Epochs: 50, Minutes: 5, Keep: 3}, Best: Best{Measure: none}, Average: Choice{Name: none}},
		Measure: Measure{Every: 10, Test: []string{}, Train: []string{}, Last: []string{}, Pictures: Pictures{Count: 16}, Options: eval.Defaults()},
	}
	take := func(dst *string, name string) string {
		if name != "" {
			*dst = name
		}
		return *dst
	}
	if s, ok := data.Named(take(&r.Data.Name, k.Data.Name)); ok {
		r.Data.take(s.Defaults, s.Says...)
	}
	// A random split takes a share of the rows; Bars and BAS keep an image and its negative
	// together, for F(v) = F(-v).
	if k.Data.Split != nil && *k.Data.Split == "random" {
		r.Data.Test, r.Data.Closed = ptr(0.2), ptr(r.Data.Name == "bars" || r.Data.Name == "bas")
	}
	if t, ok := find(machines, take(&r.Machine.Kind, k.Machine.Kind)); ok && k.Machine.Hidden == nil {
		r.Machine.Hidden = t.ownDefault
	}
	if k.Machine.Offset == "all" {
		r.Machine.OffsetRate = ptr(0.01)
	}
	if t, ok := find(couplings, take(&r.Couplings.Kind, k.Couplings.Kind)); ok {
		t.defaults(&r.Couplings)
	}
	if k.Couplings.storesMemories() {
		r.Couplings.Patterns, r.Couplings.Gain, r.Couplings.Rule = nil, nil, &rules[0]
	}
	r.Positive.Kind = "marginal"
	if !k.sumsOut() {
		r.Positive.Kind = "mean-field"
	}
	if k.Data.gaps() {
		r.Positive.Kind = "clamped"
	}
	if t, ok := find(positives, take(&r.Positive.Kind, k.Positive.Kind)); ok {
		t.defaults(&r.Positive)
	}
	if t, ok := find(negatives, take(&r.Negative.Kind, k.Negative.Kind)); ok {
		t.defaults(&r.Negative)
	}
	if t, ok := find(optimizers, take(&r.Optimizer.Kind, k.Optimizer.Kind)); ok {
		t.defaults(&r.Optimizer)
	}
	return r
}
