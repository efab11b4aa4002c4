package check

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/train"
)

// Resume tests that a training which is interrupted ends with the bits of one that is not. make
// returns a trainer at its start on an engine with so many threads, with the same data, key and
// initial parameters each time; its observers are replaced. Training runs steps updates straight on
// with 1, 2 and 3 threads, and again with an interruption after each number of updates in at: there
// a fresh trainer takes over the State and the step, and nothing else.
func Resume(t *testing.T, make func(threads int) *train.Trainer, steps int, at ...int) {
	t.Helper()
	if err := resume(make, steps, at...); err != nil {
		t.Error(err)
	}
}

func resume(make func(threads int) *train.Trainer, steps int, at ...int) error {
	straight, err := ride(make, []leg{{1, steps}})
	if err != nil {
		return err
	}
	tours := [][]leg{{{2, steps}}, {{3, steps}}}
	for _, cut := range at {
		tours = append(tours, []leg{{1, cut}, {1, steps}}, []leg{{2, cut}, {2, steps}}, []leg{{3, cut}, {1, steps}})
	}
	for _, legs := range tours {
		got, err := ride(make, legs)
		if err == nil {
			err = straight.differs(got)
		}
		if err != nil {
			return fmt.Errorf("trainers with %v {threads, up to update}: %w", legs, err)
		}
	}
	return nil
}

// leg is a trainer's part of a training: it has so many threads and trains up to an update.
type leg struct{ threads, to int }

// ride trains leg after leg, each with a fresh trainer, and returns the last one's state.
func ride(make func(threads int) *train.Trainer, legs []leg) (state, error) {
	var s state
	for i, l := range legs {
		t := make(l.threads)
		if i > 0 {
			if err := s.copyTo(t); err != nil {
				return nil, err
			}
			t.Step = legs[i-1].to
		}
		if err := trainTo(t, l.to); err != nil {
			return nil, err
		}
		var err error
		if s, err = stateOf(t); err != nil {
			return nil, err
		}
	}
	return s, nil
}

var errStop = errors.New("the wanted step is reached")

type stopAt int

func (s stopAt) Observe(ev train.Event) error {
	if ev.Step >= int(s) {
		return errStop
	}
	return nil
}

// trainTo trains up to the step, which may be anywhere in an epoch.
func trainTo(t *train.Trainer, step int) error {
	if t.Step >= step {
		return nil
	}
	t.Observers = []train.Observer{stopAt(step)}
	err := t.Run(context.Background(), step)
	if t.Step != step || !errors.Is(err, errStop) {
		return fmt.Errorf("trained to update %d, want %d: %w", t.Step, step, err)
	}
	return nil
}

// state is what a checkpoint keeps: the bits of each matrix under its name, in order.
type state []kept

type kept struct {
	name string
	bits []uint64
}

func stateOf(t *train.Trainer) (s state, err error) {
	params, err := t.State()
	for _, p := range params {
		s = append(s, kept{p.Name, bitsOf(t.Machine.Engine(), p.Value)})
	}
	return s, err
}

func bitsOf(e compute.Engine, m compute.Matrix) []uint64 {
	x := make([]uint64, m.Len())
	switch m.Type() {
	case compute.Float32:
		y := make([]float32, len(x))
		compute.Read(e, y, m)
		for i, v := range y {
			x[i] = uint64(math.Float32bits(v))
		}
	case compute.Float64:
		y := make([]float64, len(x))
		compute.Read(e, y, m)
		for i, v := range y {
			x[i] = math.Float64bits(v)
		}
	case compute.Int8:
		y := make([]int8, len(x))
		compute.Read(e, y, m)
		for i, v := range y {
			x[i] = uint64(uint8(v))
		}
	}
	return x
}

// copyTo sets the state of a fresh trainer.
func (s state) copyTo(t *train.Trainer) error {
	params, err := t.State()
	if err != nil {
		return err
	}
	if len(params) != len(s) {
		return fmt.Errorf("a fresh trainer keeps %d matrices, the interrupted one kept %d", len(params), len(s))
	}
	for i, p := range params {
		if p.Name != s[i].name || p.Value.Len() != len(s[i].bits) {
			return fmt.Errorf("a fresh trainer keeps %s (%v), the interrupted one kept %s (%d entries)", p.Name, p.Value, s[i].name, len(s[i].bits))
		}
		setBits(t.Machine.Engine(), p, s[i].bits)
	}
	t.Restored(params)
	return nil
}

func setBits(e compute.Engine, p bm.Param, bits []uint64) {
	switch p.Value.Type() {
	case compute.Float32:
		y := make([]float32, len(bits))
		for i, v := range bits {
			y[i] = math.Float32frombits(uint32(v))
		}
		compute.Write(e, p.Value, y)
	case compute.Float64:
		y := make([]float64, len(bits))
		for i, v := range bits {
			y[i] = math.Float64frombits(v)
		}
		compute.Write(e, p.Value, y)
	case compute.Int8:
		y := make([]int8, len(bits))
		for i, v := range bits {
			y[i] = int8(v)
		}
		compute.Write(e, p.Value, y)
	}
}

// differs returns an error that names the first matrix and entry that differ in a bit.
func (s state) differs(other state) error {
	if len(s) != len(other) {
		return fmt.Errorf("%d matrices, want %d", len(other), len(s))
	}
	for i, k := range s {
		if k.name != other[i].name || len(k.bits) != len(other[i].bits) {
			return fmt.Errorf("%s of %d entries, want %s of %d", other[i].name, len(other[i].bits), k.name, len(k.bits))
		}
		for j, x := range k.bits {
			if y := other[i].bits[j]; x != y {
				return fmt.Errorf("%s[%d] has the bits %#x, want %#x", k.name, j, y, x)
			}
		}
	}
	return nil
}
