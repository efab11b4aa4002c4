package eval

import (
	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
)

// energy is E of configurations of a machine's spins without its energy constant, in float64
// throughout: two ways to the same configuration agree to the last digits, where float32 fields
// would put some of them below the ground state.
type energy struct {
	pairs  []factors
	offset [][]float64 // m of each layer; nil where there is none
	bias   [][]float64
}

// factors are the coupling of two layers: (s-m) left ((s'-m') right)^T, W and 1 or (g/sqrt K) X^T
// and X'^T. Of a layer with itself it is half of that, without the squares: self of each spin.
type factors struct {
	bm.Pair
	left, right *mat.Dense
	self        []float64
}

// newEnergy reads the parameters of m.
func newEnergy(m *bm.Machine) *energy {
	e, g := m.Engine(), m.Graph()
	row := func(x compute.Matrix) []float64 {
		if x.IsNone() {
			return nil
		}
		return host(e, x).RawRowView(0)
	}
	x := &energy{}
	for l := range g.Layers {
		x.bias = append(x.bias, row(m.Bias(l).Value))
		x.offset = append(x.offset, row(m.Couplings().Offset(l)))
	}
	for i, p := range g.Pairs {
		f := factors{Pair: p}
		switch c := m.Couplings().(type) {
		case *bm.Axons:
			f.left = mat.DenseCopyOf(host(e, c.Patterns(p.A).Value).T())
			f.right = mat.DenseCopyOf(host(e, c.Patterns(p.B).Value).T())
			f.left.Scale(c.Factor(i), f.left)
			if p.A == p.B {
				for j := range g.Layers[p.A].N {
					f.self = append(f.self, dot(f.left.RawRowView(j), f.right.RawRowView(j)))
				}
			}
		case *bm.Dense:
			f.left = host(e, c.Weights(i).Value)
		}
		x.pairs = append(x.pairs, f)
	}
	return x
}

// of returns E of the rows of all layers, BxN_l each.
func (x *energy) of(layers []*mat.Dense) []float64 {
	all := make([]float64, layers[0].RawMatrix().Rows)
	for _, f := range x.pairs {
		a, b := x.centred(layers[f.A], f.A), x.centred(layers[f.B], f.B)
		var o, s mat.Dense
		o.Mul(a, f.left)
		right := b
		if f.right != nil {
			s.Mul(b, f.right)
			right = &s
		}
		for i := range all {
			sum := dot(o.RawRowView(i), right.RawRowView(i))
			if f.A == f.B {
				for j, d := range f.self {
					sum -= d * a.At(i, j) * a.At(i, j)
				}
				sum /= 2
			}
			all[i] += sum
		}
	}
	for i := range all {
		for l, spins := range layers {
			if x.bias[l] != nil {
				all[i] += dot(x.bias[l], spins.RawRowView(i))
			}
		}
		all[i] = -all[i]
	}
	return all
}

// centred returns s - m.
func (x *energy) centred(s *mat.Dense, l int) *mat.Dense {
	m := x.offset[l]
	if m == nil {
		return s
	}
	c := mat.DenseCopyOf(s)
	c.Apply(func(_, j int, v float64) float64 { return v - m[j] }, c)
	return c
}

// settle sets the spins of each layer that is nil so that E is lowest, given the others, which all
// its pairs are with.
func (x *energy) settle(layers []*mat.Dense, sizes []int) {
	given := append([]*mat.Dense(nil), layers...)
	for l := range layers {
		if given[l] == nil {
			layers[l] = x.signs(given, l, sizes[l])
		}
	}
}

func (x *energy) signs(layers []*mat.Dense, l, n int) *mat.Dense {
	var field *mat.Dense
	for _, f := range x.pairs {
		if f.A != l && f.B != l {
			continue
		}
		var part mat.Dense
		if f.B == l {
			f.through(&part, x.centred(layers[f.A], f.A), f.left, f.right)
		} else if f.right != nil {
			f.through(&part, x.centred(layers[f.B], f.B), f.right, f.left)
		} else {
			part.Mul(x.centred(layers[f.B], f.B), f.left.T())
		}
		if field == nil {
			field = &part
		} else {
			field.Add(field, &part)
		}
	}
	field.Apply(func(_, j int, v float64) float64 {
		if x.bias[l] != nil {
			v += x.bias[l][j]
		}
		if v < 0 {
			return -1
		}
		return 1
	}, field)
	return field
}

// through sets dst to s first last^T, last being 1 where it is nil.
func (f factors) through(dst, s, first, last *mat.Dense) {
	dst.Mul(s, first)
	if last != nil {
		o := mat.DenseCopyOf(dst)
		dst.Reset()
		dst.Mul(o, last.T())
	}
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
	return rowsOf(s, x.Rows())
}

// rowsOf returns so many rows of spins as numbers.
func rowsOf(s []int8, rows int) *mat.Dense {
	y := make([]float64, len(s))
	for i, v := range s {
		y[i] = float64(v)
	}
	return mat.NewDense(rows, len(s)/rows, y)
}
