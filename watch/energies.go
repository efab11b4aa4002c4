package watch

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"mattis/tensorfile"
)

// Histogram counts values in bins of equal width from Low.
type Histogram struct {
	Low    number `json:"low"`
	Width  number `json:"width"`
	Counts []int  `json:"counts"`
	Mean   number `json:"mean"`
}

// energies returns the histogram of the free energies F(v) of the chains of a restricted machine in
// kT; nil where there are none:
//
//	F(v) = -b.v - sum_j log 2cosh(c_j + sum_i (v_i - m_i) W_ij) + constant
func energies(f *tensorfile.File) *Histogram {
	chains := matrix(f, "chains.visible")
	if chains == nil {
		return nil
	}
	// tempering: those at the target's temperature
	if rungs := matrix(f, "chains.rungs"); rungs != nil {
		x, ladders := rungs.RawMatrix().Data, rungs.RawMatrix().Rows
		if len(x) != chains.RawMatrix().Rows {
			return nil
		}
		var rows []float64
		for i, rung := range x {
			if rung == 0 {
				rows = append(rows, chains.RawRowView(i)...)
			}
		}
		if len(rows) != ladders*chains.RawMatrix().Cols {
			return nil
		}
		chains = mat.NewDense(ladders, chains.RawMatrix().Cols, rows)
	}
	m, visible := chains.Dims()
	vector := func(name string, n int) []float64 {
		if t, ok := f.Tensor(name); ok && t.Len() == n {
			return tensorfile.Floats[float64](t)
		}
		return make([]float64, n)
	}
	shifted := mat.DenseCopyOf(chains)
	offset := vector("offset.visible", visible)
	for i := range m {
		for j := range visible {
			shifted.Set(i, j, shifted.At(i, j)-offset[j])
		}
	}
	var field mat.Dense
	if w := matrix(f, "weights"); w != nil && w.RawMatrix().Rows == visible {
		if float64(m)*float64(visible)*float64(w.RawMatrix().Cols) > mostWork {
			return nil
		}
		field.Mul(shifted, w)
	} else if xv, xh := matrix(f, "patterns.visible"), matrix(f, "patterns.hidden"); xv != nil && xh != nil {
		k := xv.RawMatrix().Rows
		if _, ok := f.Tensor("log_gain"); !ok || xv.RawMatrix().Cols != visible || xh.RawMatrix().Rows != k ||
			float64(m)*float64(k)*float64(visible+xh.RawMatrix().Cols) > mostWork {
			return nil
		}
		var overlap mat.Dense
		overlap.Mul(shifted, xv.T())
		field.Mul(&overlap, xh)
		field.Scale(math.Exp(scalar(f, "log_gain", 0))/math.Sqrt(float64(k)), &field)
	} else {
		return nil
	}
	_, hidden := field.Dims()
	b, c, constant := vector("bias.visible", visible), vector("bias.hidden", hidden), scalar(f, "energy_constant", 0)
	hiddenOffset := vector("offset.hidden", hidden) // (v-m) W (h-n)
	values := make([]float64, m)
	for i := range m {
		values[i] = constant
		for j, v := range chains.RawRowView(i) {
			values[i] -= b[j] * v
		}
		for j, x := range field.RawRowView(i) {
			y := math.Abs(c[j] + x)
			values[i] -= y + math.Log1p(math.Exp(-2*y)) - hiddenOffset[j]*x
		}
	}
	return histogram(values, 40)
}

// histogram returns the histogram of finite values; nil where there are none.
func histogram(values []float64, bins int) *Histogram {
	if len(values) == 0 {
		return nil
	}
	low, high, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		low, high, sum = min(low, x), max(high, x), sum+x
	}
	if high == low {
		return &Histogram{number(low), 0, []int{len(values)}, number(low)}
	}
	h := &Histogram{number(low), number((high - low) / float64(bins)), make([]int, bins), number(sum / float64(len(values)))}
	for _, x := range values {
		h.Counts[min(bins-1, int((x-low)/(high-low)*float64(bins)))]++
	}
	return h
}
