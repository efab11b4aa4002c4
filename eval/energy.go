package eval

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
)

// energy is E(v,h) of a machine without its energy constant, in float64 throughout: two ways to the same configuration agree to the last
// digits, where float32 fields would put some of them below the ground state.
type energy struct {
	left, right *mat.Dense // the coupling of v and h is (v-m) left (h right)^T: W and 1, or the patterns, (g/sqrt K) Xv^T and Xh^T
	offset      []float64  // m; nil where there is none
	bias        [2][]float64
}

// newEnergy reads the parameters of m.
func newEnergy(m *bm.RBM) *energy {
	e := m.Engine()
	row := func(x compute.Matrix) []float64 {
		if x.IsNone() {
			return nil
		}
		return host(e, x).RawRowView(0)
	}
	x := &energy{bias: [2][]float64{row(m.Bias(bm.Visible).Value), row(m.Bias(bm.Hidden).Value)}}
	switch c := m.Couplings().(type) {
	case *bm.Axons:
		v, h := c.Patterns()
		x.left, x.right = mat.DenseCopyOf(host(e, v.Value).T()), mat.DenseCopyOf(host(e, h.Value).T())
		x.left.Scale(math.Exp(row(c.LogGain().Value)[0])/math.Sqrt(float64(v.Value.Rows())), x.left)
	case *bm.Dense:
		x.left = host(e, c.Weights().Value)
	default:
		return nil
	}
	for _, p := range m.Params() {
		if p.Name == "offset.visible" {
			x.offset = row(p.Value)
		}
	}
	return x
}

// of returns E of each row of v (BxV) and h (BxH).
func (x *energy) of(v, h *mat.Dense) []float64 {
	o := x.overlap(v)
	if x.right != nil {
		var s mat.Dense
		s.Mul(h, x.right)
		return x.sum(v, h, o, &s)
	}
	return x.sum(v, h, o, h)
}

// overlap returns (v-m) left.
func (x *energy) overlap(v *mat.Dense) *mat.Dense {
	shifted := v
	if x.offset != nil {
		shifted = mat.DenseCopyOf(v)
		shifted.Apply(func(_, j int, s float64) float64 { return s - x.offset[j] }, shifted)
	}
	var o mat.Dense
	o.Mul(shifted, x.left)
	return &o
}

// sum returns -b.v - c.h - o.s of each row.
func (x *energy) sum(v, h, o, s *mat.Dense) []float64 {
	all := make([]float64, 0, 64)
	for i := range v.RawMatrix().Rows {
		sum := dot(o.RawRowView(i), s.RawRowView(i))
		for l, spins := range [...]*mat.Dense{v, h} {
			if x.bias[l] != nil {
				sum += dot(x.bias[l], spins.RawRowView(i))
			}
		}
		all = append(all, -sum)
	}
	return all
}

// best sets the other layer of the one row of spins x in the layer l so that E is lowest, and returns both.
func (x *energy) best(l int, spins *mat.Dense) (v, h *mat.Dense) {
	var field mat.Dense
	if l == bm.Visible {
		field.CloneFrom(x.overlap(spins))
		if x.right != nil {
			o := mat.DenseCopyOf(&field)
			field.Reset()
			field.Mul(o, x.right.T())
		}
	} else {
		s := spins
		if x.right != nil {
			s = new(mat.Dense)
			s.Mul(spins, x.right)
		}
		field.Mul(s, x.left.T())
	}
	other := x.bias[1-l]
	field.Apply(func(_, j int, f float64) float64 {
		if other != nil {
			f += other[j]
		}
		if f < 0 {
			return -1
		}
		return 1
	}, &field)
	if l == bm.Visible {
		return spins, &field
	}
	return &field, spins
}

func dot(x, y []float64) (sum float64) {
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

// spinsOf returns the spins of x as numbers.
func spinsOf(e compute.Engine, x compute.Matrix) *mat.Dense {
	s := make([]int8, x.Len())
	compute.Read(e, s, x)
	y := make([]float64, len(s))
	for i, v := range s {
		y[i] = float64(v)
	}
	return mat.NewDense(x.Rows(), x.Cols(), y)
}
