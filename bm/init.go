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

// draw sets the weights of all pairs. Those of the first pair have the key's own numbers. Two spins
// of one layer have one entry, drawn at the place of the lower one's row.
func (d *Dense) draw(key rng.Key, entry func(k rng.Key, pair int, i, j uint64) float64) {
	for n, p := range d.graph.Pairs {
		k := key
		if n > 0 {
			k = key.Fold(uint64(n))
		}
		fill(d.engine, d.weights[n].Value, func(i, j uint64) float64 {
			switch {
			case p.A != p.B:
				return entry(k, n, i, j)
			case i == j:
				return 0
			}
			return entry(k, n, min(i, j), max(i, j))
		})
	}
}

// Normal draws the weights from N(0, deviation^2).
func (d *Dense) Normal(deviation float64, key rng.Key) {
	d.draw(key, func(k rng.Key, _ int, i, j uint64) float64 { return deviation * k.Normal(i, j) })
}

// Uniform draws the weights uniformly from (-bound, bound); their standard deviation is bound/sqrt
// 3.
func (d *Dense) Uniform(bound float64, key rng.Key) {
	d.draw(key, func(k rng.Key, _ int, i, j uint64) float64 { return bound * (2*float64(k.Uniform(i, j)) - 1) })
}

// Glorot draws the weights of a pair as Glorot and Bengio (2010) do: uniformly within
// sqrt(6/(N_A+N_B)), a standard deviation of sqrt(2/(N_A+N_B)).
func (d *Dense) Glorot(key rng.Key) {
	d.draw(key, func(k rng.Key, pair int, i, j uint64) float64 {
		w := d.weights[pair].Value
		return math.Sqrt(6/float64(w.Rows()+w.Cols())) * (2*float64(k.Uniform(i, j)) - 1)
	})
}

// Bernoulli draws the patterns of every layer from -scale and +scale with equal
// chances; scale 1 is the paper's.
func (a *Axons) Bernoulli(scale float64, key rng.Key) {
	a.draw(key, func(k rng.Key, i, j uint64) float64 {
		if k.Uniform(i, j) < 0.5 {
			return -scale
		}
		return scale
	})
}

// Uniform draws the patterns of every layer uniformly from (-bound, bound).
func (a *Axons) Uniform(bound float64, key rng.Key) {
	a.draw(key, func(k rng.Key, i, j uint64) float64 { return bound * (2*float64(k.Uniform(i, j)) - 1) })
}

func (a *Axons) draw(key rng.Key, entry func(k rng.Key, i, j uint64) float64) {
	for l, p := range a.layers {
		k := key.Fold(uint64(l))
		fill(a.engine, p.Value, func(i, j uint64) float64 { return entry(k, i, j) })
	}
}

// SetGain sets the g of every pair.
func (a *Axons) SetGain(g float64) {
	for pair := range a.logGains {
		a.SetPairGain(pair, g)
	}
}

// SetGainRate sets the factor of the learning rate of all gains.
func (a *Axons) SetGainRate(factor float64) {
	for pair := range a.logGains {
		a.logGains[pair].Rate = float32(factor)
	}
}

// SetPairGain sets the g of one pair.
func (a *Axons) SetPairGain(pair int, g float64) {
	compute.Write(a.engine, a.logGains[pair].Value, []float32{float32(math.Log(g))})
}
