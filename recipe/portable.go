package recipe

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"

	"mattis/compute"
	"mattis/tensorfile"
)

// Portable is a restricted machine of spins as plain numbers, on its way between files,
// parameterisations and programs (an offset of its hidden spins is in its biases and Constant):
//
//	E(v,h) = -(v-m) W h - b.v - c.h + Constant
//
// Its couplings are either Weights or the two Patterns.
type Portable struct {
	Visible, Hidden int
	Weights         []float64 // W, VxH; nil for axons
	VisiblePatterns []float64 // Xv, KxV; nil for dense couplings
	HiddenPatterns  []float64 // Xh, KxH
	Patterns        int       // K, 0 for dense couplings
	LogGain         float32   // log g in W = (g/sqrt K) Xv^T Xh
	VisibleBias     []float64 // b, V numbers; nil for none
	HiddenBias      []float64 // c, H numbers; nil for none
	Offset          []float64 // m, V numbers; nil for none
	Constant        float64   // in kT
	Height, Width   int       // of the images, 0 for plain rows
	LabelNames      []string  // the labels that the last visible spins tell, nil for none
}

// Kind returns axons or dense.
func (p *Portable) Kind() string {
	if p.Patterns > 0 {
		return "axons"
	}
	return "dense"
}

// Factor returns g/sqrt K, rounded to float32 as every product with the patterns has it.
func (p *Portable) Factor() float64 {
	return float64(compute.Factor(1/math.Sqrt(float64(p.Patterns)), p.LogGain))
}

// Dense returns the same machine with dense couplings: W is the product of the patterns in float64.
func (p *Portable) Dense() *Portable {
	q := *p
	if p.Patterns == 0 {
		return &q
	}
	var w mat.Dense
	w.Mul(mat.NewDense(p.Patterns, p.Visible, p.VisiblePatterns).T(), mat.NewDense(p.Patterns, p.Hidden, p.HiddenPatterns))
	w.Scale(p.Factor(), &w)
	q.Weights = w.RawMatrix().Data
	q.Patterns, q.VisiblePatterns, q.HiddenPatterns, q.LogGain = 0, nil, nil, 0
	return &q
}

// Truncation says what Axons kept of the couplings.
type Truncation struct {
	Values []float64 // the singular values kept, from the largest on
	Lost   float64   // share of the sum of all squared entries of W that is gone, in [0,1]
}

// Axons returns the machine whose couplings are the nearest to W of rank K in the sum of squares:
// the truncated singular value decomposition W = U S V^T. Pattern k is the pair of singular vectors
// k, scaled such that the entries of both of its parts have the same mean square, and those of all
// patterns the mean square 1.
func (p *Portable) Axons(patterns int) (*Portable, *Truncation, error) {
	least := min(p.Visible, p.Hidden)
	if patterns < 1 || patterns > least {
		return nil, nil, fmt.Errorf("%d patterns of couplings between %d and %d spins, want 1 to %d", patterns, p.Visible, p.Hidden, least)
	}
	w := p.Dense()
	rows, cols := float64(p.Visible), float64(p.Hidden)
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(p.Visible, p.Hidden, w.Weights), mat.SVDThin) {
		return nil, nil, errors.New("the singular values of the couplings did not converge")
	}
	values := svd.Values(nil)
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	t := &Truncation{Values: values[:patterns]}
	if all := squares(values); all > 0 {
		t.Lost = squares(values[patterns:]) / all
	}
	var sum float64
	for _, s := range t.Values {
		sum += s
	}
	q := w
	q.Weights, q.Patterns = nil, patterns
	if sum > 0 {
		q.LogGain = float32(math.Log(sum / math.Sqrt(float64(patterns)*rows*cols)))
	}
	q.VisiblePatterns, q.HiddenPatterns = make([]float64, patterns*p.Visible), make([]float64, patterns*p.Hidden)
	factor := q.Factor()
	for k, s := range t.Values {
		square := s / (factor * math.Sqrt(rows*cols)) // mean square of the pattern's entries
		for i := range p.Visible {
			q.VisiblePatterns[k*p.Visible+i] = math.Sqrt(square*rows) * u.At(i, k)
		}
		for a := range p.Hidden {
			q.HiddenPatterns[k*p.Hidden+a] = math.Sqrt(square*cols) * v.At(a, k)
		}
	}
	return q, t, nil
}

// squares returns the sum of the squares of falling values, the small ones first.
func squares(values []float64) float64 {
	var sum float64
	for _, s := range slices.Backward(values) {
		sum += s * s
	}
	return sum
}

// The tensors of a machine in files of this program.
const (
	visiblePatternsName = "patterns.visible"
	hiddenPatternsName  = "patterns.hidden"
	logGainName         = "log_gain"
	weightsName         = "weights"
	visibleBiasName     = "bias.visible"
	hiddenBiasName      = "bias.hidden"
	offsetName          = "offset.visible"
	hiddenOffsetName    = "offset.hidden"
	constantName        = "energy_constant"
)

// besides are the beginnings of the names of tensors that checkpoints have beside the machine.
var besides = []string{"chains.", "optimizer.", "training.", "tracked."}

// reader reads tensors as float64, once each, and remembers which are left.
type reader struct {
	file *tensorfile.File
	left map[string]bool
}

func newReader(f *tensorfile.File) *reader {
	r := &reader{f, map[string]bool{}}
	for _, t := range f.Tensors {
		r.left[t.Name] = true
	}
	return r
}

func (r *reader) has(name string) bool {
	_, ok := r.file.Tensor(name)
	return name != "" && ok
}

// numbers returns the tensor's shape and entries, which have to be finite floats.
func (r *reader) numbers(name string) (shape []int, x []float64, err error) {
	t, ok := r.file.Tensor(name)
	if !ok {
		return nil, nil, fmt.Errorf("tensor %s is missing; there are %s", name, holdings(r.file))
	}
	delete(r.left, name)
	if t.Type() != tensorfile.F32 && t.Type() != tensorfile.F64 {
		return nil, nil, fmt.Errorf("tensor %s holds %v, want F32 or F64", name, t.Type())
	}
	x = tensorfile.Floats[float64](t)
	for i, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, nil, fmt.Errorf("tensor %s: entry %d is %v, want a finite number", name, i, v)
		}
	}
	return t.Shape, x, nil
}

// matrix returns the tensor's two sizes, none of which is 0, and its entries.
func (r *reader) matrix(name string) (rows, cols int, x []float64, err error) {
	shape, x, err := r.numbers(name)
	if err == nil && (len(shape) != 2 || shape[0] < 1 || shape[1] < 1 || shape[0] > mostSpins || shape[1] > mostSpins) {
		err = fmt.Errorf("tensor %s has the shape %v, want two sizes from 1 to %d", name, shape, mostSpins)
	}
	if err != nil {
		return 0, 0, nil, err
	}
	return shape[0], shape[1], x, nil
}

// vector returns the entries of a tensor of n of them, whether as one row, one column or neither;
// any number for n = 0.
func (r *reader) vector(name string, n int) ([]float64, error) {
	shape, x, err := r.numbers(name)
	if err != nil {
		return nil, err
	}
	longer := 0
	for _, d := range shape {
		if d != 1 {
			longer++
		}
	}
	switch {
	case longer > 1 || len(shape) > 2 || len(x) == 0:
		return nil, fmt.Errorf("tensor %s has the shape %v, want one number a spin", name, shape)
	case n > 0 && len(x) != n:
		return nil, fmt.Errorf("tensor %s has %d numbers (shape %v), want %d", name, len(x), shape, n)
	}
	return x, nil
}

// optional is vector, and nil for a tensor that is not there.
func (r *reader) optional(name string, n int) ([]float64, error) {
	if !r.has(name) {
		return nil, nil
	}
	return r.vector(name, n)
}

// rest returns the names that were not read, in order.
func (r *reader) rest() []string {
	var names []string
	for name := range r.left {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// holdings lists the tensors of a file.
func holdings(f *tensorfile.File) string {
	var all []string
	for _, t := range f.Tensors {
		all = append(all, fmt.Sprintf("%s %v %v", t.Name, t.Type(), t.Shape))
	}
	slices.Sort(all)
	const most = 12
	if n := len(all); n > most {
		all = append(all[:most], fmt.Sprintf("and %d more", n-most))
	}
	if len(all) == 0 {
		return "no tensors"
	}
	return strings.Join(all, ", ")
}

// isOwn reports whether the file has the names of this program.
func isOwn(f *tensorfile.File) bool {
	r := newReader(f)
	return r.has(visiblePatternsName) || r.has(hiddenPatternsName) ||
		r.has(weightsName) && !slices.ContainsFunc(dialects, func(d dialect) bool { return d.weights == weightsName && (r.has(d.visible) || r.has(d.hidden)) })
}

// refuseGraph returns an error where the file is of a machine of this program that is not a
// restricted one.
func refuseGraph(f *tensorfile.File) error {
	_, pairs, err := layersOf(f.Metadata)
	if f.Metadata["format"] == graphFormat && err == nil {
		var names []string
		for _, p := range pairs {
			names = append(names, p[0]+"-"+p[1])
		}
		return fmt.Errorf("restricted machines are converted; this one has the pairs %s: --to full and --to hybrid take some others, and mattis inspect --couplings writes those of any", strings.Join(names, ", "))
	}
	for _, t := range f.Tensors {
		if strings.HasPrefix(t.Name, weightsName+".") || strings.HasPrefix(t.Name, logGainName+".") {
			return fmt.Errorf("restricted machines are converted; the tensor %s is of another one", t.Name)
		}
	}
	return nil
}

// readOwn returns the machine in a file with the names of this program.
func readOwn(f *tensorfile.File) (*Portable, error) {
	r, p := newReader(f), &Portable{}
	var err error
	if r.has(visiblePatternsName) || r.has(hiddenPatternsName) {
		if r.has(weightsName) {
			return nil, fmt.Errorf("it holds both %s and patterns, want one of them", weightsName)
		}
		var k int
		if p.Patterns, p.Visible, p.VisiblePatterns, err = r.matrix(visiblePatternsName); err != nil {
			return nil, err
		}
		if k, p.Hidden, p.HiddenPatterns, err = r.matrix(hiddenPatternsName); err != nil {
			return nil, err
		}
		if k != p.Patterns {
			return nil, fmt.Errorf("%d visible and %d hidden parts of patterns (tensors %s and %s), want as many", p.Patterns, k, visiblePatternsName, hiddenPatternsName)
		}
		g, err := r.vector(logGainName, 1)
		if err != nil {
			return nil, err
		}
		p.LogGain = float32(g[0])
		if f := p.Factor(); f == 0 || math.IsInf(f, 0) {
			return nil, fmt.Errorf("tensor %s: a gain of exp(%v) does not fit float32", logGainName, g[0])
		}
	} else if p.Visible, p.Hidden, p.Weights, err = r.matrix(weightsName); err != nil {
		return nil, err
	}
	for _, v := range []struct {
		name string
		n    int
		dst  *[]float64
	}{{visibleBiasName, p.Visible, &p.VisibleBias}, {hiddenBiasName, p.Hidden, &p.HiddenBias}, {offsetName, p.Visible, &p.Offset}} {
		if *v.dst, err = r.optional(v.name, v.n); err != nil {
			return nil, err
		}
	}
	if p.Constant, err = r.constant(); err != nil {
		return nil, err
	}
	hidden, err := r.optional(hiddenOffsetName, p.Hidden)
	if err != nil {
		return nil, err
	}
	p.foldHidden(hidden)
	for _, name := range r.rest() {
		if !slices.ContainsFunc(besides, func(b string) bool { return strings.HasPrefix(name, b) }) {
			return nil, fmt.Errorf("tensor %s is no part of a machine; there are %s", name, holdings(f))
		}
	}
	if p.LabelNames, err = decodeLabels(f.Metadata); err != nil {
		return nil, err
	}
	if p.Height, p.Width, err = imageOf(f.Metadata, p.Visible-len(p.LabelNames)); err != nil {
		return nil, err
	}
	return p, nil
}

// foldHidden takes the offset n of the hidden spins, or none, into the visible biases:
//
//	-(v-m) W (h-n) = -(v-m) W h + v.(W n) - m.(W n)    b' = b - W n    Constant -= m.(W n)
func (p *Portable) foldHidden(n []float64) {
	if n == nil {
		return
	}
	weights, b := p.Dense().Weights, make([]float64, p.Visible)
	copy(b, p.VisibleBias)
	for i := range b {
		field := dot(weights[i*p.Hidden:(i+1)*p.Hidden], n)
		b[i] -= field
		if p.Offset != nil {
			p.Constant -= p.Offset[i] * field
		}
	}
	p.VisibleBias = b
}

// constant returns the energy constant, 0 where there is none.
func (r *reader) constant() (float64, error) {
	x, err := r.optional(constantName, 1)
	if err != nil || x == nil {
		return 0, err
	}
	return x[0], nil
}

// imageOf returns the shape of the images in the metadata, 0 and 0 where there is none.
func imageOf(metadata map[string]string, visible int) (height, width int, err error) {
	if metadata["height"] == "" && metadata["width"] == "" {
		return 0, 0, nil
	}
	height, errH := strconv.Atoi(metadata["height"])
	width, errW := strconv.Atoi(metadata["width"])
	if errH != nil || errW != nil || !fitsImage(height, width, visible) {
		return 0, 0, fmt.Errorf("metadata: images of %q x %q and %d visible spins", metadata["height"], metadata["width"], visible)
	}
	return height, width, nil
}

// fitsImage reports whether images of the shape have so many pixels, or the shape is 0x0.
func fitsImage(height, width, visible int) bool {
	if height == 0 && width == 0 {
		return true
	}
	return height > 0 && width > 0 && visible%height == 0 && visible/height == width
}

// file returns the tensors of the machine as checkpoints have them. It is an error where a number
// does not fit float32.
func (p *Portable) file() (*tensorfile.File, error) {
	f := &tensorfile.File{Metadata: map[string]string{
		"format": formatName, "height": strconv.Itoa(p.Height), "width": strconv.Itoa(p.Width),
	}}
	if p.LabelNames != nil {
		f.Metadata[labelsKey] = encodeLabels(p.LabelNames)
	}
	for _, t := range []struct {
		name  string
		x     []float64
		shape []int
	}{
		{weightsName, p.Weights, []int{p.Visible, p.Hidden}},
		{visiblePatternsName, p.VisiblePatterns, []int{p.Patterns, p.Visible}},
		{hiddenPatternsName, p.HiddenPatterns, []int{p.Patterns, p.Hidden}},
		{visibleBiasName, p.VisibleBias, []int{p.Visible}},
		{hiddenBiasName, p.HiddenBias, []int{p.Hidden}},
		{offsetName, p.Offset, []int{p.Visible}},
	} {
		if t.x == nil {
			continue
		}
		if err := addTensor(f, t.name, t.x, t.shape...); err != nil {
			return nil, err
		}
	}
	if p.Patterns > 0 {
		f.Tensors = append(f.Tensors, tensorfile.New(logGainName, []float32{p.LogGain}))
	}
	return f, addConstant(f, p.Constant)
}

// addTensor adds numbers to the file as float32. It is an error where one does not fit.
func addTensor(f *tensorfile.File, name string, numbers []float64, shape ...int) error {
	y := make([]float32, len(numbers))
	for i, x := range numbers {
		if y[i] = float32(x); math.IsInf(float64(y[i]), 0) {
			return fmt.Errorf("entry %d of %s is %v, beyond float32", i, name, x)
		}
	}
	f.Tensors = append(f.Tensors, tensorfile.New(name, y, shape...))
	return nil
}

// addConstant adds the energy constant to the file, unless it is 0.
func addConstant(f *tensorfile.File, c float64) error {
	if math.IsNaN(c) || math.IsInf(c, 0) {
		return fmt.Errorf("the energy constant is %v: the biases or weights are too large", c)
	}
	if c != 0 {
		f.Tensors = append(f.Tensors, tensorfile.New(constantName, []float64{c}))
	}
	return nil
}
