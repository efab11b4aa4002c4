package recipe

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
)

// rules are how the training rows xi become the couplings of a Hopfield machine of N spins, J_ii
// being 0:
//
//	hebb        J = (1/N) sum_k xi_k xi_k^T
//	projection  J = (1/N) sum_kl xi_k (C^-1)_kl xi_l^T    C_kl = xi_k.xi_l / N
var rules = []string{"hebb", "projection"}

// storesMemories reports whether the couplings begin as those of a machine that remembers the
// training rows.
func (c Couplings) storesMemories() bool { return c.Init.Name == "data" }

// patterns returns K, which of a machine of memories is known when its data are.
func (r *Recipe) patterns() int {
	if r.Couplings.Patterns == nil {
		return r.memories
	}
	return *r.Couplings.Patterns
}

// gain returns the first g of a pair. Of memories it is sqrt K/N where the recipe has none: with g
// = 1 the couplings would be those of Hebb's rule times N/sqrt K.
func (r *Recipe) gain(pair string, visible int) float64 {
	if r.Couplings.Gain == nil {
		return math.Sqrt(float64(r.memories)) / float64(visible)
	}
	g, _ := r.Couplings.Gain.of(pair)
	return g
}

// checkMemories refuses what machines of memories cannot be.
func (r *Recipe) checkMemories() error {
	c := r.Couplings
	if !c.storesMemories() {
		if c.Rule != nil {
			return wrong("couplings.rule", "is for couplings.init: data, and couplings.init is %s: leave it out", c.Init.Name)
		}
		return nil
	}
	if c.Rule == nil {
		return wrong("couplings.rule", "is missing, want one of %s, %s", rules[0], rules[1])
	}
	if r.Machine.Offset != none {
		return wrong("machine.offset", "%s shifts the spins that the rule's couplings are of, and nothing would be remembered: take none with couplings.init data", r.Machine.Offset)
	}
	if err := oneOf("couplings.rule", *c.Rule, rules); err != nil {
		return err
	}
	g, err := r.Graph(1)
	if err != nil {
		return err
	}
	if len(g.Layers) != 1 {
		return wrong("couplings.init", "data makes memories of the training rows in the couplings of the visible spins, and there are hidden ones: want machine: {kind: full, hidden: 0}")
	}
	return nil
}

// StoreMemories sets the couplings of a machine of visible spins alone to those of the rule for the
// rows of the set, up to the gain of axons. These have a pattern a row: the rows themselves, or
// C^(-1/2) times them with the symmetric root. Where rows depend on each other the root is that of
// the pseudo-inverse; dependent is how many directions there are fewer than rows.
func StoreMemories(c bm.Couplings, set *data.Set, rule string) (dependent int, err error) {
	n, x := set.Visible, rowsOf(set)
	if rule == "projection" {
		if dependent, err = decorrelate(x); err != nil {
			return 0, err
		}
	}
	g := c.Graph()
	var to compute.Matrix
	var e compute.Engine
	switch c := c.(type) {
	case *bm.Axons:
		e, to = c.Engine(), c.Patterns(bm.Visible).Value
	case *bm.Dense:
		e, to = c.Engine(), c.Weights(g.PairOf(bm.Visible, bm.Visible)).Value
		var j mat.SymDense
		j.SymOuterK(1/float64(n), x.T())
		x = mat.NewDense(n, n, nil)
		x.Copy(&j)
		for i := range n {
			x.Set(i, i, 0)
		}
	}
	entries := make([]float32, to.Len())
	for i, v := range x.RawMatrix().Data {
		entries[i] = float32(v)
	}
	compute.Write(e, to, entries)
	return dependent, nil
}

// decorrelate sets the rows of x to C^(-1/2) x, C = x x^T / N.
func decorrelate(x *mat.Dense) (dependent int, err error) {
	root, dependent, err := inverseRoot(x)
	if err != nil {
		return 0, err
	}
	var y mat.Dense
	y.Mul(root, x)
	x.Copy(&y)
	return dependent, nil
}

// OverlapRoot returns C^(-1/2), the symmetric root, of the overlaps C_kl = xi_k.xi_l / N of the rows,
// row by row.
func OverlapRoot(set *data.Set) ([]float32, error) {
	root, _, err := inverseRoot(rowsOf(set))
	if err != nil {
		return nil, err
	}
	x := make([]float32, 0, set.Rows*set.Rows)
	for _, v := range root.RawMatrix().Data {
		x = append(x, float32(v))
	}
	return x, nil
}

func rowsOf(set *data.Set) *mat.Dense {
	x := mat.NewDense(set.Rows, set.Visible, nil)
	for i := range set.Rows {
		for j, s := range set.Row(i) {
			x.Set(i, j, float64(s))
		}
	}
	return x
}

// inverseRoot returns the root of the inverse of C = x x^T / N, or of its pseudo-inverse where
// directions are missing.
func inverseRoot(x *mat.Dense) (root *mat.Dense, dependent int, err error) {
	k, n := x.Dims()
	var c mat.SymDense
	c.SymOuterK(1/float64(n), x)
	var eigen mat.EigenSym
	if !eigen.Factorize(&c, true) {
		return nil, 0, errors.New("the eigenvalues of the overlaps of the memories did not converge")
	}
	values := eigen.Values(nil) // from the least on
	var u, scaled mat.Dense
	eigen.VectorsTo(&u)
	inverse := make([]float64, k)
	for i, v := range values {
		if v > 1e-9*values[k-1] {
			inverse[i] = 1 / math.Sqrt(v)
		} else {
			dependent++
		}
	}
	scaled.Mul(&u, mat.NewDiagDense(k, inverse))
	root = &mat.Dense{}
	root.Mul(&scaled, u.T())
	return root, dependent, nil
}

// remember stores the training rows in the couplings of the training's machine.
func (t *Training) remember() error {
	dependent, err := StoreMemories(t.Machine.Couplings(), t.Split.Train, *t.Recipe.Couplings.Rule)
	if dependent > 0 {
		t.Remarks = append(t.Remarks, fmt.Sprintf("%d of the %d memories depend on the others: the projection on what all of them span is stored", dependent, t.Split.Train.Rows))
	}
	return err
}
