package recipe

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
	"mattis/tensorfile"
)

// Pairwise is a machine in which visible spins alone meet, as plain numbers,
//
//	E(v) = -1/2 v J v - b.v + Constant        J symmetric, J_ii = 0
//
// or the hybrid machine that it is the sum of (Appendix E), if W is there, whose units z have the
// measure dz/sqrt(2 pi):
//
//	E(v,z) = -v W z - b.v + 1/2 |z|^2 + Constant
type Pairwise struct {
	Visible, Hidden int        // Hidden is 0 without W
	J               *mat.Dense // VxV
	W               *mat.Dense // VxH, in place of J
	Bias            []float64  // b; nil for none
	Constant        float64    // in kT
	Shift           float64    // what the conversion added to the constant
	Height, Width   int
	LabelNames      []string
}

// Kind returns hybrid or full.
func (p *Pairwise) Kind() string {
	if p.W != nil {
		return "hybrid"
	}
	return "full"
}

// layersRead are the layers of a machine in a file.
type layersRead struct {
	*reader
	layers []layerOf
	pairs  [][2]string
}

// layer returns the layer of that name, and whether there is one.
func (l layersRead) layer(name string) (layerOf, bool) {
	i := slices.IndexFunc(l.layers, func(x layerOf) bool { return x.Name == name })
	if i < 0 {
		return layerOf{}, false
	}
	return l.layers[i], true
}

// couplings returns the W of a pair in float64; that of a layer with itself has a diagonal of 0,
// and own is the sum of what stood there. root are rows x with W = x^T x, if it is made of some.
func (l layersRead) couplings(p [2]string) (w, root *mat.Dense, own float64, err error) {
	a, aOK := l.layer(p[0])
	b, bOK := l.layer(p[1])
	if !aOK || !bOK {
		return nil, nil, 0, fmt.Errorf("metadata: the pair %s-%s is of layers that there are not", p[0], p[1])
	}
	wanted := func(name string, rows, cols int) (*mat.Dense, error) {
		r, c, x, err := l.matrix(name)
		if err == nil && (rows > 0 && r != rows || c != cols) {
			err = fmt.Errorf("tensor %s has the shape [%d %d], want [%d %d]", name, r, c, rows, cols)
		}
		if err != nil {
			return nil, err
		}
		return mat.NewDense(r, c, x), nil
	}
	pair := p[0] + "-" + p[1]
	if !l.has("patterns." + p[0]) {
		w, err = wanted(weightsName+"."+pair, a.Size, b.Size)
		if err == nil && a.Name == b.Name {
			for i := range a.Size {
				for j := range i + 1 {
					if x := w.At(i, j); x != w.At(j, i) || i == j && x != 0 {
						return nil, nil, 0, fmt.Errorf("tensor %s.%s is not symmetric with a diagonal of 0", weightsName, pair)
					}
				}
			}
		}
		return w, nil, 0, err
	}
	x, err := wanted("patterns."+p[0], 0, a.Size)
	if err != nil {
		return nil, nil, 0, err
	}
	k, _ := x.Dims()
	y := x
	if p[0] != p[1] {
		if y, err = wanted("patterns."+p[1], k, b.Size); err != nil {
			return nil, nil, 0, err
		}
	}
	g, err := l.vector(logGainName+"."+pair, 1)
	if err != nil {
		return nil, nil, 0, err
	}
	factor := float64(compute.Factor(1/math.Sqrt(float64(k)), float32(g[0])))
	w = &mat.Dense{}
	w.Mul(x.T(), y)
	w.Scale(factor, w)
	if p[0] == p[1] {
		for i := range a.Size {
			own += w.At(i, i)
			w.Set(i, i, 0)
		}
		root = &mat.Dense{}
		root.Scale(math.Sqrt(factor), x)
	}
	return w, root, own, nil
}

// readPairwise returns the machine of visible spins that is left when the Gaussian layers of the
// machine in the file are summed out: E1 of Appendix E with each two spins counted once. With
// offsets m of the spins and n of the units, and biases a of these, c = a - m W, these add
//
//	J += W W^T    b += W (c - n)    Constant -= trace(W W^T)/2 + |c|^2/2 + m W n
//
// root are rows x with J = x^T x but for the diagonal, whose sum is own; none where the machine
// does not have them.
func readPairwise(f *tensorfile.File) (p *Pairwise, root *mat.Dense, own float64, hybrid bool, err error) {
	layers, pairs, err := layersOf(f.Metadata)
	if f.Metadata["format"] != graphFormat || err != nil || len(layers) == 0 {
		return nil, nil, 0, false, errors.New("hybrid and fully connected machines are converted to each other; the hidden spins of a restricted one leave couplings of more than two spins when they are summed out")
	}
	l := layersRead{newReader(f), layers, pairs}
	n := layers[0].Size
	p = &Pairwise{Visible: n, J: mat.NewDense(n, n, nil)}
	b := make([]float64, n)
	read := func(name string, n int) []float64 {
		x, e := l.optional(name, n)
		if err = errors.Join(err, e); x == nil {
			return make([]float64, n)
		}
		return x
	}
	biased := l.has(visibleBiasName)
	copy(b, read(visibleBiasName, n))
	m := mat.NewVecDense(n, read(offsetName, n))
	if p.Constant, err = l.constant(); err != nil {
		return nil, nil, 0, false, err
	}
	for _, pair := range pairs {
		other, ok := l.layer(pair[1])
		if pair[0] != layers[0].Name || !ok || pair[1] != pair[0] && other.Kind != bm.Gaussian {
			return nil, nil, 0, false, fmt.Errorf("the pair %s-%s is of hidden spins: want visible spins that meet each other and Gaussian layers alone", pair[0], pair[1])
		}
		w, x, trace, err := l.couplings(pair)
		if err != nil {
			return nil, nil, 0, false, err
		}
		var t mat.VecDense
		if pair[0] == pair[1] { // -1/2 (v-m) J (v-m)
			p.J.Add(p.J, w)
			t.MulVec(w, m)
			for i := range b {
				b[i] -= t.AtVec(i)
			}
			p.Constant -= mat.Dot(m, &t) / 2
			biased = biased || mat.Norm(m, 2) > 0
			root, own = x, trace
			continue
		}
		hybrid = true
		h := other.Size
		shift := mat.NewVecDense(h, read("offset."+pair[1], h))
		c := mat.NewVecDense(h, read("bias."+pair[1], h))
		t.MulVec(w.T(), m)
		p.Constant -= mat.Dot(&t, shift)
		c.SubVec(c, &t)
		p.Constant -= mat.Dot(c, c) / 2
		c.SubVec(c, shift)
		biased = biased || mat.Norm(c, 2) > 0
		t.Reset()
		t.MulVec(w, c)
		for i := range b {
			b[i] += t.AtVec(i)
		}
		var j mat.SymDense
		j.SymOuterK(1, w)
		p.Shift -= mat.Trace(&j) / 2
		for i := range n {
			j.SetSym(i, i, 0)
		}
		p.J.Add(p.J, &j)
	}
	if err != nil {
		return nil, nil, 0, false, err
	}
	p.Constant += p.Shift
	if biased {
		p.Bias = b
	}
	if p.LabelNames, err = decodeLabels(f.Metadata); err == nil {
		p.Height, p.Width, err = imageOf(f.Metadata, n-len(p.LabelNames))
	}
	return p, root, own, hybrid, err
}

// hybrid returns the hybrid machine that p is the sum of: W with W W^T = J + D, where the diagonal
// D is a constant, trace(D)/2. root are rows x with J = x^T x but for a diagonal of the sum own; of
// other couplings D is lambda 1, lambda minus the least eigenvalue of J.
func (p *Pairwise) hybrid(root *mat.Dense, own float64) (*Pairwise, error) {
	q := *p
	q.J, q.Shift = nil, own/2
	if root != nil {
		q.W = mat.DenseCopyOf(root.T())
	} else {
		n := p.Visible
		j := mat.NewSymDense(n, nil)
		for i := range n {
			for k := range i + 1 {
				j.SetSym(i, k, p.J.At(i, k))
			}
		}
		var eigen mat.EigenSym
		if !eigen.Factorize(j, true) {
			return nil, errors.New("the eigenvalues of the couplings did not converge")
		}
		values := eigen.Values(nil) // from the least on
		lambda, most := -values[0], values[n-1]-values[0]
		if !(most > 0) {
			return nil, errors.New("all couplings are 0: there is no hybrid machine of them")
		}
		q.Shift = float64(n) * lambda / 2
		var u mat.Dense
		eigen.VectorsTo(&u)
		from := slices.IndexFunc(values, func(v float64) bool { return v+lambda > 1e-12*most })
		q.W = mat.NewDense(n, n-from, nil)
		for k := from; k < n; k++ {
			for i := range n {
				q.W.Set(i, n-1-k, math.Sqrt(values[k]+lambda)*u.At(i, k))
			}
		}
	}
	_, q.Hidden = q.W.Dims()
	q.Constant += q.Shift
	return &q, nil
}

// convertPairwise returns the machine in the file as one of the kind, full or hybrid.
func convertPairwise(f *tensorfile.File, kind string) (*Pairwise, error) {
	p, root, own, isHybrid, err := readPairwise(f)
	if err != nil || kind == "full" {
		return p, err
	}
	if isHybrid {
		return nil, errors.New("it has Gaussian layers already: take --to full, and --to hybrid from there")
	}
	return p.hybrid(root, own)
}

// file returns the tensors of the machine as checkpoints have them.
func (p *Pairwise) file() (*tensorfile.File, error) {
	r := defaults(&Recipe{})
	r.Machine.Kind, r.Machine.Hidden = p.Kind(), Sizes{p.Hidden}
	f := &tensorfile.File{Metadata: map[string]string{"format": graphFormat, "height": strconv.Itoa(p.Height), "width": strconv.Itoa(p.Width)}}
	r.describe(f.Metadata, p.Visible)
	if p.LabelNames != nil {
		f.Metadata[labelsKey] = encodeLabels(p.LabelNames)
	}
	name, w := weightsName+".visible-visible", p.J
	if p.W != nil {
		name, w = weightsName+".visible-hidden", p.W
	}
	rows, cols := w.Dims()
	if err := addTensor(f, name, w.RawMatrix().Data, rows, cols); err != nil {
		return nil, err
	}
	if p.Bias != nil {
		if err := addTensor(f, visibleBiasName, p.Bias, p.Visible); err != nil {
			return nil, err
		}
	}
	return f, addConstant(f, p.Constant)
}
