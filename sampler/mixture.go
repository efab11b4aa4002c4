package sampler

import (
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/rng"
)

// mixture is a weighted sum of product distributions of visible spins, one
// around each pattern and one around its negative:
//
//	q(v) = sum_k w_k prod_i exp(theta_ki v_i) / 2cosh(theta_ki)
//
// The means tanh(theta_k) solve the mean-field equations of the law, started from the signs of the
// pattern. The weights are exp(-G_k), G_k being the mean-field free energy, and a tenth is spread
// evenly, so that a component whose free energy is far too high is still proposed.
type mixture struct {
	visible int
	theta   []float32      // components x V
	matrix  compute.Matrix // the same on the engine
	norm    []float64      // sum_i log 2cosh(theta_ki)
	logs    []float64      // log w_k
}

const (
	meanFieldSteps = 20
	// mostTheta bounds the components' fields: a spin with the mean 1-2e-6 still flips
	// sometimes, so that every state has a chance.
	mostTheta = 7
	evenShare = 0.1
	// negligible is the logarithm below the largest term at which a term of a sum is below
	// float64's precision.
	negligible = 50
)

// newMixture returns the mixture for rows of inverse temperature beta under the
// base rate. Its matrix is scratch, unless the mixture is kept.
func newMixture(r *bm.Machine, signs []int8, beta float32, base compute.Matrix, kept bool) *mixture {
	e, n := r.Engine(), r.Layers()
	v := n[bm.Visible]
	rows := 2 * len(signs) / v
	q := &mixture{visible: v, theta: make([]float32, rows*v), norm: make([]float64, rows), logs: make([]float64, rows)}
	if kept {
		q.matrix = e.Alloc(compute.Float32, rows, v)
	} else {
		q.matrix = e.Scratch(compute.Float32, rows, v)
	}
	mark := e.Mark()
	defer e.Release(mark)
	seeds := make([]int8, rows*v)
	copy(seeds, signs)
	for i, s := range signs {
		seeds[len(signs)+i] = -s
	}
	start := e.Scratch(compute.Int8, rows, v)
	compute.Write(e, start, seeds)
	betas := make([]float32, rows)
	for i := range betas {
		betas[i] = beta
	}
	law := bm.Law{Beta: e.Scratch(compute.Float32, rows, 1), Base: base}
	compute.Write(e, law.Beta, betas)
	means, state := e.Scratch(compute.Float32, rows, v), make(bm.State, len(n))
	for l := range n[1:] {
		state[1+l] = e.Scratch(compute.Float32, rows, n[1+l])
	}
	for step := range meanFieldSteps {
		if state[bm.Visible] = means; step == 0 {
			state[bm.Visible] = start
		}
		for l := range n[1:] {
			r.Mean(state[1+l], state, 1+l, law)
		}
		r.Mean(means, state, bm.Visible, law)
	}
	compute.Read(e, q.theta, means)
	free := make([]float64, rows) // of the continuous means: F(v) - S(v)
	for i, m := range q.theta {
		t := math.Atanh(float64(m))
		q.theta[i] = float32(max(-mostTheta, min(mostTheta, t)))
		t = float64(q.theta[i])
		q.norm[i/v] += compute.LogTwoCosh(t)
		free[i/v] -= compute.LogTwoCosh(t) - t*math.Tanh(t)
	}
	f := e.Scratch(compute.Float64, rows, 1)
	r.Energy(f, bm.State{means}, law)
	compute.Read(e, q.logs, f)
	var z exact.LogSum
	for k := range free {
		free[k] += q.logs[k]
		z.Add(-free[k])
	}
	for k := range free {
		q.logs[k] = math.Log((1-evenShare)*math.Exp(-free[k]-z.Log()) + evenShare/float64(rows))
	}
	compute.Write(e, q.matrix, q.theta)
	return q
}

func (q *mixture) row(k int) []float32 { return q.theta[k*q.visible:][:q.visible] }

// dot returns theta_k . v in float64.
func (q *mixture) dot(k int, v []int8) float64 {
	var sum float64
	for i, t := range q.row(k) {
		sum += float64(t) * float64(v[i])
	}
	return sum
}

// density returns log q(v). near are theta_k . v in float32: terms that
// are negligible by them are left out, and the others are computed again in float64.
func (q *mixture) density(v []int8, near []float32) float64 {
	top := math.Inf(-1)
	for k, x := range near {
		top = max(top, q.logs[k]+float64(x)-q.norm[k])
	}
	var z exact.LogSum
	for k, x := range near {
		if q.logs[k]+float64(x)-q.norm[k] > top-negligible {
			z.Add(q.logs[k] + q.dot(k, v) - q.norm[k])
		}
	}
	return z.Log()
}

// conditioned sets w to the components' log weights given the clamped spins: each times the chance
// of those spins. Drawn from these, the free spins of a component follow q given the clamped ones.
func (q *mixture) conditioned(w []float64, clamp []int8) {
	copy(w, q.logs)
	for i, c := range clamp {
		if c == 0 {
			continue
		}
		for k := range w {
			t := float64(q.theta[k*q.visible+i])
			w[k] += t*float64(c) - compute.LogTwoCosh(t)
		}
	}
}

// draw sets v to a draw of q given the clamped spins, w being log weights; the numbers are those of
// the row.
func (q *mixture) draw(v []int8, w []float64, clamp []int8, key rng.Key, row uint64) {
	var z exact.LogSum
	for _, x := range w {
		z.Add(x)
	}
	u := key.Fold(0).Uniform64(row, 0)
	k := 0
	for sum := math.Exp(w[0] - z.Log()); sum < u && k < len(w)-1; {
		k++
		sum += math.Exp(w[k] - z.Log())
	}
	spins := key.Fold(1)
	for i, t := range q.row(k) {
		if clamp != nil && clamp[i] != 0 {
			v[i] = clamp[i]
			continue
		}
		v[i] = -1
		if spins.Uniform64(row, uint64(i))*(1+math.Exp(-2*float64(t))) < 1 {
			v[i] = 1
		}
	}
}
