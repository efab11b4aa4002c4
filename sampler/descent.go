package sampler

import (
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
)

// Descent is the dynamics of zero temperature, as in a Hopfield machine: layer by layer in the
// order of a sweep, and within a layer coupled to itself one spin after the other, each spin
// follows the sign of its field. One whose field is 0 stays. No random number takes part, so
// that a chain ends in a minimum that its start alone decides.
type Descent struct{ Machine *bm.Machine }

var _ Sampler = Descent{}

// Move is Descend by at most so many sweeps, fewer where no spin flips any more.
func (d Descent) Move(s bm.State, law bm.Law, sweeps int) { Descend(d.Machine, s, law, sweeps) }

// MostDescents bounds a descent that goes on until nothing flips. Energies fall with every flip,
// so chains settle long before.
const MostDescents = 1000

// frozen is an inverse temperature at which a spin follows the sign of its field, whatever its
// field.
const frozen = 1e30

// flat is the share of a row's largest field up to which a field counts as 0: fields are float32
// sums, in which one that is 0 seldom comes out as it. leastFlat stands for it where all are 0.
const flat, leastFlat = 0x1p-20, 1e-20

// Descend sets the layers by turns, in the order of a sweep, to the signs of their fields under
// law.Field, the spins of one that is coupled to itself one after the other, clamped ones aside,
// until a sweep flips no spin on the left side of the data view, and for so many sweeps at most. A
// spin whose field is 0, but for rounding, stays, so a descent cannot go in circles; one that was
// not set is +1. Gaussian layers take their fields. It returns the last sweep, counted from 1, in
// which a spin of each row flipped, and how many rows the last sweep left as they were.
func Descend(m *bm.Machine, s bm.State, law bm.Law, sweeps int) (last []int, settled int) {
	e, view, rows, widest := m.Engine(), m.View(), s.Rows(), 0
	mark := e.Mark()
	defer e.Release(mark)
	for _, l := range view.Left {
		overlay(e, s[l], law.Clamp.Layer(l))
	}
	for _, n := range m.Layers() {
		widest = max(widest, n)
	}
	d := descending{machine: m, s: s, law: law, cold: e.Scratch(compute.Float32, rows, 1),
		fields: make([]float32, rows*widest), old: make([]int8, rows*widest), now: make([]int8, rows*widest)}
	e.Fill(d.cold, frozen)
	last = make([]int, rows)
	for sweep := 1; sweep <= sweeps && settled < rows && !law.Stopped(); sweep++ {
		for _, l := range view.Right {
			d.follow(l, sweep > 1, nil, sweep)
		}
		for _, l := range view.Left[1:] {
			d.follow(l, true, last, sweep)
		}
		d.follow(bm.Visible, true, last, sweep)
		settled = 0
		for _, n := range last {
			if n < sweep {
				settled++
			}
		}
	}
	return last, settled
}

// descending is what the layers of a descent share.
type descending struct {
	machine  *bm.Machine
	s        bm.State
	law      bm.Law
	cold     compute.Matrix // rows x 1: inverse temperatures
	fields   []float32      // room for those of a layer
	old, now []int8         // and for its spins
}

// follow lets the spins of a layer follow their fields, and sets last to the sweep for the rows in
// which one flips. known says that the layer is set: what it holds in place of spins counts for
// nothing otherwise.
func (d *descending) follow(l int, known bool, last []int, sweep int) {
	m, e, s := d.machine, d.machine.Engine(), d.s[l]
	if s.Type() == compute.Float32 {
		m.Mean(s, d.s, l, bm.Law{})
		return
	}
	mark := e.Mark()
	defer e.Release(mark)
	rows, n := s.Rows(), s.Cols()
	fields, old, now := d.fields[:rows*n], d.old[:rows*n], d.now[:rows*n]
	if clear(old); known {
		compute.Read(e, old, s)
	}
	x := e.Scratch(compute.Float32, rows, n)
	then := compute.Epilogue{Bias: m.Bias(l).Value}
	if f := d.law.Field.Layer(l); !f.IsNone() {
		then.Add = e.Scratch(compute.Float32, rows, n)
		e.Copy(then.Add, f)
	}
	m.Fields(x, d.s, l, then)
	compute.Read(e, fields, x)
	if m.Self(l) {
		d.scan(l, x, fields, old)
		compute.Read(e, now, s)
	} else {
		copy(now, old)
		for r := range rows {
			settle(now[r*n:][:n], fields[r*n:][:n])
		}
		compute.Write(e, s, now)
		overlay(e, s, d.law.Clamp.Layer(l))
		compute.Read(e, now, s)
	}
	for r := range last {
		if !slices.Equal(old[r*n:][:n], now[r*n:][:n]) {
			last[r] = sweep
		}
	}
}

// scan draws a layer coupled to itself at a temperature of next to nothing. Beside its own field
// each spin has a small one that keeps it as it was.
func (d *descending) scan(l int, x compute.Matrix, fields []float32, old []int8) {
	m, e, n := d.machine, d.machine.Engine(), x.Cols()
	for r := range x.Rows() {
		row := fields[r*n:][:n]
		small := flatOf(row)
		for i := range row {
			row[i] = small
			if old[r*n+i] < 0 {
				row[i] = -small
			}
		}
	}
	compute.Write(e, x, fields)
	if f := d.law.Field.Layer(l); !f.IsNone() {
		e.Axpby(x, 1, f, 1)
	}
	keep := make(bm.State, len(d.s))
	keep[l] = x
	m.Sample(d.s, l, bm.Law{Beta: d.cold, Clamp: d.law.Clamp, Field: keep})
}

// settle sets the spins to the signs of their fields.
func settle(spins []int8, fields []float32) {
	small := flatOf(fields)
	for i, x := range fields {
		switch {
		case x > small, x >= -small && spins[i] == 0:
			spins[i] = 1
		case x < -small:
			spins[i] = -1
		}
	}
}

// flatOf returns up to what size the fields of a row count as 0.
func flatOf(fields []float32) float32 {
	var most float64
	for _, x := range fields {
		most = max(most, math.Abs(float64(x)))
	}
	return float32(max(leastFlat, flat*most))
}
