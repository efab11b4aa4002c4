package negative

import (
	"fmt"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// PseudoLikelihood stands for the model average by what the machine says of each spin given all
// others of the batch (Besag 1975): training by it descends the negative log-pseudo-likelihood
//
//   - sum_i log p(v_i | all other v)
//
// exactly, without a sample of the model. Its minimum is that of the likelihood where rows are many
// (it is consistent), and is less sharp where they are few.
//
// The energy of a machine without hidden layers is quadratic in each row and has no squares of
// spins. With t_i the mean of v_i given the others the gradient is that of the positive phase less
// dE(v) + sum_i (dE(v with t_i for v_i) - dE(v)), which is linear in t - v, so that it is
//
//	dE(v) + 1/2 dE(t) - 1/2 dE(2v-t)
//
// to the letter: three weighted configurations a row.
type PseudoLikelihood struct {
	machine *bm.Machine
	rows    compute.Matrix // 3 x as many as the largest batch had
	weights compute.Matrix
	state   [1]compute.Matrix
	given   [1]compute.Matrix
}

// NewPseudoLikelihood returns the estimator, or an error that names the hidden layers.
func NewPseudoLikelihood(m *bm.Machine) (*PseudoLikelihood, error) {
	var hidden []string
	for _, l := range m.Graph().Layers[1:] {
		hidden = append(hidden, l.Name)
	}
	if len(hidden) > 0 {
		return nil, fmt.Errorf("pseudo-likelihood is of machines of visible spins alone, and there are hidden ones (%s): take pcd, or machine={kind: full, hidden: 0}", strings.Join(hidden, ", "))
	}
	return &PseudoLikelihood{machine: m}, nil
}

// Draw returns the rows of the batch, the means of their spins each given all others, and what is
// as far from the rows on the other side, of weights 1, 1/2 and -1/2 over the number of rows.
func (p *PseudoLikelihood) Draw(positive bm.Batch, _ rng.Key) bm.Batch {
	e, v := p.machine.Engine(), positive.State[bm.Visible]
	n := v.Rows()
	if p.rows.Rows() < 3*n {
		p.rows = e.Alloc(compute.Float32, 3*n, v.Cols())
		p.weights = e.Alloc(compute.Float32, 3*n, 1)
	}
	own, mean, beyond := p.rows.Slice(0, n), p.rows.Slice(n, 2*n), p.rows.Slice(2*n, 3*n)
	p.given[bm.Visible] = v
	p.machine.Mean(mean, p.given[:], bm.Visible, bm.Law{})
	e.Axpby(own, 1, v, 0)
	e.Axpby(beyond, 2, v, 0)
	e.Axpby(beyond, -1, mean, 1)
	weights := p.weights.Slice(0, 3*n)
	for i, w := range [...]float64{1, 0.5, -0.5} {
		e.Fill(weights.Slice(i*n, (i+1)*n), w/float64(n))
	}
	p.state[bm.Visible] = p.rows.Slice(0, 3*n)
	return bm.Batch{State: p.state[:], Weights: weights}
}

// State returns nothing.
func (p *PseudoLikelihood) State() []bm.Param { return nil }

// Kind returns Conditional.
func (p *PseudoLikelihood) Kind() Kind { return Conditional }
