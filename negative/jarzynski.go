package negative

import (
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// Jarzynski is PCD whose chains carry weights for what the law has moved under them since they were
// last in it (Carbone et al. 2023, arXiv:2305.19414):
//
//	log w += F_old(s) - F_new(s)
//
// at each draw, s being the spins on the left side of the data view, before the sweeps. Weighted
// means are then those of the model whatever the mixing, as far as there are chains enough. Where
// fewer than half of them are left in effect they are drawn anew by their weights. At the first
// draw the chains count as in equilibrium, which couplings near 0 bring about at once. The shards of
// a training have weights of their own each: the mean is then that over the shards.
type Jarzynski struct {
	PCD
	begun   compute.Matrix // 1x1 Float64: 0 before the first draw
	logs    compute.Matrix // n x 1 Float64: logarithms of the weights
	before  compute.Matrix // n x 1 Float64: F of the chains after the last draw's sweeps
	now     compute.Matrix
	weights compute.Matrix // n x 1 Float32

	part                      bool // see Part
	flag, log64, old64, new64 []float64
	weight32                  []float32
	rows32                    []int32
	left, other               bm.State
}

// NewJarzynski returns the estimator with count chains that start from fair coins and move by steps
// sweeps an update.
func NewJarzynski(m *bm.Machine, count, steps int, key rng.Key) *Jarzynski {
	e := m.Engine()
	column := func() compute.Matrix { return e.Alloc(compute.Float64, count, 1) }
	return &Jarzynski{PCD: *NewPCD(m, count, steps, key), begun: e.Alloc(compute.Float64, 1, 1), logs: column(), before: column(), now: column(),
		weights: e.Alloc(compute.Float32, count, 1), flag: make([]float64, 1), log64: make([]float64, count), old64: make([]float64, count),
		new64: make([]float64, count), weight32: make([]float32, count), rows32: make([]int32, count), left: make(bm.State, len(m.Layers())), other: m.State(count)}
}

// Part makes the chains a part of those of a checkpoint: weights are kept with the mean 1, by which
// the chains of all parts are weighed against each other where they are taken for those of one.
// Without it weights grow with Z, from the last time on that the part has been drawn anew.
func (j *Jarzynski) Part() { j.part = true }

// Draw moves the chains and returns them with their weights, which sum to 1; none where all are
// alike.
func (j *Jarzynski) Draw(positive bm.Batch, key rng.Key) bm.Batch {
	e := j.machine.Engine()
	s := j.rows(j.count)
	compute.Read(e, j.flag, j.begun)
	if j.flag[0] != 0 {
		compute.Read(e, j.log64, j.logs)
		compute.Read(e, j.old64, j.before)
		j.freeEnergies(s, j.now)
		compute.Read(e, j.new64, j.now)
		for i := range j.log64 {
			j.log64[i] += j.old64[i] - j.new64[i]
		}
		if _, variance := sampler.MeanWeight(j.log64); variance > 1 {
			sampler.Redraw(j.rows32, j.log64, key.Fold(jarzynskiStream))
			for l, x := range s {
				e.Gather(j.other[l], x, j.rows32)
				e.Copy(x, j.other[l])
			}
			clear(j.log64)
		}
		compute.Write(e, j.logs, j.log64)
	}
	j.flag[0] = 1
	compute.Write(e, j.begun, j.flag)
	drawn := j.PCD.Draw(positive, key)
	j.freeEnergies(drawn.State, j.before)
	compute.Read(e, j.log64, j.logs)
	mean, variance := sampler.MeanWeight(j.log64)
	if j.part {
		for i := range j.log64 {
			j.log64[i] -= mean
		}
		mean = 0
		compute.Write(e, j.logs, j.log64)
	}
	if variance == 0 {
		return drawn
	}
	for i, x := range j.log64 {
		j.weight32[i] = float32(math.Exp(x-mean) / float64(j.count))
	}
	compute.Write(e, j.weights, j.weight32)
	drawn.Weights = j.weights
	return drawn
}

// jarzynskiStream is what the key of a draw is folded for beside its sweeps.
const jarzynskiStream = 1 << 40

// freeEnergies sets dst to F of the left side of s.
func (j *Jarzynski) freeEnergies(s bm.State, dst compute.Matrix) {
	for _, l := range j.machine.View().Left {
		j.left[l] = s[l]
	}
	j.machine.Energy(dst, j.left, bm.Law{})
}

// State returns that of the chains and their weights.
func (j *Jarzynski) State() []bm.Param {
	return append(j.PCD.State(), bm.Param{Name: "chains.begun", Value: j.begun}, bm.Param{Name: "chains.weights", Value: j.logs, Divided: true},
		bm.Param{Name: "chains.free_energy", Value: j.before, Divided: true})
}
