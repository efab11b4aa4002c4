// Package positive implements estimators of the data average in the gradient (the positive phase of
// Eq. 4): configurations whose visible layer is a batch of data, and whose hidden layers stand for
// their law given it.
package positive

import (
	"fmt"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// Estimator stands for the hidden layers given the data.
type Estimator interface {
	// Draw returns configurations whose visible layer is v (BxV Int8). rows are the places of the
	// batch in the training set, nil for rows that are not of it. They are valid until the next
	// Draw.
	Draw(v compute.Matrix, rows []int32, key rng.Key) bm.Batch
	// State returns what a checkpoint has to keep: chains.
	State() []bm.Param
}

// Marginal integrates the hidden layers out exactly. It is for machines whose hidden layers do not
// meet each other.
type Marginal struct{ state [1]compute.Matrix }

// NewMarginal returns the estimator, or an error that names layers that meet.
func NewMarginal(m *bm.Machine) (*Marginal, error) {
	if !m.SumsOut() {
		return nil, fmt.Errorf("the hidden layers do not sum out given the visible one: %s; take mean-field or clamped", meeting(m))
	}
	return &Marginal{}, nil
}

// meeting names the pairs of hidden layers.
func meeting(m *bm.Machine) string {
	var names []string
	for i, p := range m.Graph().Pairs {
		if p.A != bm.Visible {
			names = append(names, m.Graph().PairName(i))
		}
	}
	return "there are the pairs " + strings.Join(names, ", ")
}

// Draw returns the rows themselves.
func (p *Marginal) Draw(v compute.Matrix, _ []int32, _ rng.Key) bm.Batch {
	p.state[bm.Visible] = v
	return bm.Batch{State: p.state[:]}
}

// State returns nothing.
func (p *Marginal) State() []bm.Param { return nil }
