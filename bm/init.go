package bm

import (
	"math"

	"mattis/compute"
	"mattis/rng"
)

// fill sets the Float32 matrix m entry by entry, row by row.
func fill(e compute.Engine, m compute.Matrix, entry func(row, col uint64) float64) {
	x := make([]float32, m.Cols())
	for i := range m.Rows() {
		for j := range x {
			x[j] = float32(entry(uint64(i), uint64(j)))
		}
		compute.Write(e, m.Slice(i, i+1), x)
	}
}

// Normal draws the weights from N(0, deviation^2).
func (d *Dense) Normal(deviation float64, key rng.Key) {
	fill(d.engine, d.weights.Value, func(i, j uint64) float64 { return deviation * key.Normal(i, j) })
}

// Uniform draws the weights uniformly from (-bound, bound); their standard deviation is bound/sqrt 3.
func (d *Dense) Uniform(bound float64, key rng.Key) {
	fill(d.engine, d.weights.Value, func(i, j uint64) float64 { return bound * (2*float64(key.Uniform(i, j)) - 1) })
}

// Glorot draws the weights as Glorot and Bengio (2010) do: uniformly within
// sqrt(6/(V+H)), a standard deviation of sqrt(2/(V+H)).
func (d *Dense) Glorot(key rng.Key) {
	v, h := d.Sizes()
	d.Uniform(math.Sqrt(6/float64(v+h)), key)
}

// Bernoulli draws both parts of the patterns from -scale and +scale with equal
// chances; scale 1 is the paper's.
func (a *Axons) Bernoulli(scale float64, key rng.Key) {
	a.draw(key, func(k rng.Key, i, j uint64) float64 {
		if k.Uniform(i, j) < 0.5 {
			return -scale
		}
		return scale
	})
}

// Uniform draws both parts of the patterns uniformly from (-bound, bound).
func (a *Axons) Uniform(bound float64, key rng.Key) {
	a.draw(key, func(k rng.Key, i, j uint64) float64 { return bound * (2*float64(k.Uniform(i, j)) - 1) })
}

func (a *Axons) draw(key rng.Key, entry func(k rng.Key, i, j uint64) float64) {
	for l, p := range [...]Param{a.visible, a.hidden} {
		k := key.Fold(uint64(l))
		fill(a.engine, p.Value, func(i, j uint64) float64 { return entry(k, i, j) })
	}
}

// SetGain sets g.
func (a *Axons) SetGain(g float64) {
	compute.Write(a.engine, a.logGain.Value, []float32{float32(math.Log(g))})
}
