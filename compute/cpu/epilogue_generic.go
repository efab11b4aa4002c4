package cpu

import (
	"math"

	"mattis/compute"
)

// finish applies the epilogue to the products y of row i and the columns from
// j0 on, which are those of column tile jt.
func (t *mulTask) finish(y []float32, i, j0, jt int) {
	op, th := &t.op, &t.op.Then
	for j := range y {
		y[j] *= t.factor
	}
	if op.Accumulate {
		for j, x := range t.dst.Float32s()[i*t.dst.Stride()+j0:][:len(y)] {
			y[j] += x
		}
	}
	if !th.Bias.IsNone() {
		for j, x := range th.Bias.Float32s()[j0:][:len(y)] {
			y[j] += x
		}
	}
	if !th.Scale.IsNone() {
		s := th.Scale.Float32s()[i*th.Scale.Stride()]
		for j := range y {
			y[j] *= s
		}
		if !th.Base.IsNone() {
			for j, x := range th.Base.Float32s()[j0:][:len(y)] {
				y[j] += (1 - s) * x
			}
		}
	}
	if !th.LogCosh.IsNone() {
		var sum float64
		for _, x := range y {
			sum += compute.LogTwoCosh(float64(x))
		}
		t.partial.Float64s()[i*t.colTiles+jt] = sum
	}
	switch th.Kind {
	case compute.Store:
		copy(t.dst.Float32s()[i*t.dst.Stride()+j0:], y)
	case compute.Tanh:
		d := t.dst.Float32s()[i*t.dst.Stride()+j0:][:len(y)]
		for j, x := range y {
			d[j] = float32(math.Tanh(float64(x)))
		}
	case compute.Spin:
		d := t.dst.Int8s()[i*t.dst.Stride()+j0:][:len(y)]
		row := th.Row + uint64(i)
		for j, x := range y {
			d[j] = compute.SpinOf(x, compute.SpinUniform(th.Key.Uint32(row, th.Col+uint64(j0+j))))
		}
		if !th.Clamp.IsNone() {
			for j, c := range th.Clamp.Int8s()[i*th.Clamp.Stride()+j0:][:len(y)] {
				if c != 0 {
					d[j] = c
				}
			}
		}
	}
}
