package eval

import (
	"fmt"
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
)

// BaseLaw is a law of independent visible spins that annealing starts from at inverse temperature
// 0.
type BaseLaw struct {
	Name   string    // uniform, data, mean, or the phase whose mean it is
	Fields []float32 // one a visible spin; nil for fair coins
}

// UniformLaw returns the law of fair coins.
func UniformLaw() BaseLaw { return BaseLaw{Name: BaseUniform} }

// LawOfRows returns the law of that name whose fields are the smoothed log odds of the rows of so
// many spins,
//
//	1/2 log (n_i + 1)/(n - n_i + 1)
//
// where spin i is up in n_i of the n rows that know it: no spin is certain.
func LawOfRows(name string, rows []int8, spins int) BaseLaw {
	up, known := make([]int, spins), make([]int, spins)
	n := len(rows) / spins
	for i := range n {
		for j, x := range rows[i*spins:][:spins] {
			if x > 0 {
				up[j]++
			}
			known[j] += int(x) * int(x)
		}
	}
	law := BaseLaw{name, make([]float32, spins)}
	for j, u := range up {
		law.Fields[j] = float32(0.5 * math.Log(float64(u+1)/float64(known[j]-u+1)))
	}
	return law
}

// lawOfSet returns the law of a data set, or an error where its rows do not fit the machine.
func lawOfSet(m *bm.Machine, set *data.Set) (BaseLaw, error) {
	if v := m.Layers()[bm.Visible]; set.Visible != v {
		return BaseLaw{}, fmt.Errorf("the rows of the train set %q have %d spins, the machine has %d visible ones", set.Name, set.Visible, v)
	}
	return LawOfRows(BaseData, set.Spins[:set.Rows*set.Visible], set.Visible), nil
}

// MeanLaw returns the law of the machine's own means by mean-field theory: the fixed point of
//
//	m_h = tanh(c + (m_v - m) W)    m_v = tanh(b + m_h W^T)
//
// and of the like for more layers (see bm.MeanField) that is reached, by half a step at a time,
// from m_v = tanh(b). Without biases and offset it is that of fair coins.
func MeanLaw(m *bm.Machine) BaseLaw {
	const rounds, close, rows, steps = 200, 1e-4, 1000, 100
	e := m.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	var s bm.State
	for _, n := range m.Layers() {
		s = append(s, e.Scratch(compute.Float32, 1, n))
	}
	v := s[bm.Visible]
	next := e.Scratch(compute.Float32, 1, v.Cols())
	old, means := make([]float32, v.Len()), make([]float32, v.Len())
	if b := m.Bias(bm.Visible).Value; !b.IsNone() {
		compute.Read(e, old, b)
		for i, x := range old {
			old[i] = float32(math.Tanh(float64(x)))
		}
	}
	for range rounds {
		compute.Write(e, v, old)
		inner := e.Mark()
		m.MeanField(s, steps, close)
		m.Mean(next, s, bm.Visible, bm.Law{})
		e.Release(inner)
		compute.Read(e, means, next)
		moved := 0.0
		for i, x := range means {
			moved = max(moved, math.Abs(float64(x-old[i])))
			old[i] = (old[i] + x) / 2
		}
		if !(moved > close) {
			break
		}
	}
	law := BaseLaw{BaseMean, make([]float32, v.Len())}
	for i, x := range old {
		// As certain as if so many rows had been seen.
		law.Fields[i] = float32(math.Atanh(float64(x) * rows / (rows + 2)))
	}
	return law
}

// Flat reports whether the law is that of fair coins, to rounding.
func (b BaseLaw) Flat() bool {
	for _, x := range b.Fields {
		if math.Abs(float64(x)) > 1e-3 {
			return false
		}
	}
	return true
}

// like reports whether the means of two laws are the same but for a thousandth of their size.
func (b BaseLaw) like(other BaseLaw) bool {
	var apart, size float64
	for i, x := range b.Fields {
		s, t := math.Tanh(float64(x)), math.Tanh(float64(other.Fields[i]))
		apart, size = apart+(s-t)*(s-t), size+s*s+t*t
	}
	return apart < 1e-3*size
}
