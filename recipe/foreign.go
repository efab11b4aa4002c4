package recipe

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mattis/tensorfile"
)

// Foreign says what the file of another program does not.
type Foreign struct {
	// Layout is the order of the weights' two sizes: "vh" or "hv"; "" takes the program's
	// own, or the order that the lengths of the biases leave.
	Layout string
	// Units is what the variables are: "01" (or "") or "spins", -1 and +1.
	Units string
}

// dialect is how another program names the parameters of
//
//	E(v,h) = -(v-ov) W (h-oh) - a.(v-ov) - b.(h-oh)
//
// ov = oh = 0 where it has no names for them.
type dialect struct {
	name                        string
	weights, visible, hidden    string // W, a, b
	visibleOffset, hiddenOffset string // ov, oh, which a file need not have
	layout                      string // of W: vh or hv; that of exports where either is read
	either                      bool   // W is read in both layouts
	row                         bool   // vectors are 1xN
}

var dialects = []dialect{
	{name: "scikit-learn", weights: "components_", visible: "intercept_visible_", hidden: "intercept_hidden_", layout: "hv"},
	{name: "ebm-torch", weights: "weights", visible: "vbias", hidden: "hbias", layout: "hv", either: true},
	{name: "rbms", weights: "weight_matrix", visible: "vbias", hidden: "hbias", layout: "vh"},
	{name: "pydeep", weights: "w", visible: "bv", hidden: "bh", visibleOffset: "ov", hiddenOffset: "oh", layout: "vh", row: true},
	{name: "torch", weights: "W", visible: "v_bias", hidden: "h_bias", layout: "hv", either: true},
}

// Dialects returns the names of the programs whose machines are read and written.
func Dialects() []string { return names(dialects) }

// tensors returns the names that a file of the dialect has, for messages.
func (d dialect) tensors() string { return d.weights + ", " + d.visible + " and " + d.hidden }

// ReadPortable returns the machine in a file, in spins, and whose names the file has: "mattis" or
// one of Dialects.
func ReadPortable(f *tensorfile.File, o Foreign) (p *Portable, program string, err error) {
	if o.Layout != "" && o.Layout != "vh" && o.Layout != "hv" {
		return nil, "", fmt.Errorf("layout %q is unknown, want vh or hv", o.Layout)
	}
	if o.Units != "" && o.Units != "01" && o.Units != "spins" {
		return nil, "", fmt.Errorf("units %q are unknown, want 01 or spins", o.Units)
	}
	if err := refuseGraph(f); err != nil {
		return nil, "", err
	}
	if isOwn(f) {
		if o != (Foreign{}) {
			return nil, "", fmt.Errorf("a layout or units are for the files of other programs; this one has the names of mattis, which are spins with weights of (V,H)")
		}
		p, err = readOwn(f)
		return p, "mattis", err
	}
	r := newReader(f)
	for _, d := range dialects {
		if r.has(d.weights) && (r.has(d.visible) || r.has(d.hidden)) {
			p, err = d.read(r, o)
			if err != nil {
				return nil, "", fmt.Errorf("as a machine of %s: %w", d.name, err)
			}
			return p, d.name, nil
		}
	}
	var want []string
	for _, d := range dialects {
		want = append(want, fmt.Sprintf("%s (%s)", d.tensors(), d.name))
	}
	return nil, "", fmt.Errorf("no machine found among %s; want %s, %s and %s, or %s (mattis), or %s", holdings(f),
		visiblePatternsName, hiddenPatternsName, logGainName, weightsName, strings.Join(want, ", or "))
}

// read returns the dialect's machine in spins.
func (d dialect) read(r *reader, o Foreign) (*Portable, error) {
	rows, cols, w, err := r.matrix(d.weights)
	if err != nil {
		return nil, err
	}
	a, err := r.vector(d.visible, 0)
	if err != nil {
		return nil, err
	}
	b, err := r.vector(d.hidden, 0)
	if err != nil {
		return nil, err
	}
	layout, err := d.layoutOf(rows, cols, len(a), len(b), o.Layout)
	if err != nil {
		return nil, err
	}
	p := &Portable{Visible: len(a), Hidden: len(b), Weights: w, VisibleBias: a, HiddenBias: b}
	if layout == "hv" {
		p.Weights = transposed(w, rows, cols)
	}
	ov, err := r.optional(d.visibleOffset, p.Visible)
	if err != nil {
		return nil, err
	}
	oh, err := r.optional(d.hiddenOffset, p.Hidden)
	if err != nil {
		return nil, err
	}
	if p.Constant, err = r.constant(); err != nil {
		return nil, err
	}
	if rest := r.rest(); len(rest) > 0 {
		return nil, fmt.Errorf("tensor %s is no part of it: want %s alone", rest[0], d.tensors())
	}
	p.decentre(ov, oh)
	if o.Units != "spins" {
		p.fromBits()
	}
	return p, nil
}

// layoutOf returns the layout of weights of rows x cols between so many visible and hidden
// variables.
func (d dialect) layoutOf(rows, cols, visible, hidden int, given string) (string, error) {
	if !d.either && given != "" && given != d.layout {
		return "", fmt.Errorf("layout %s: %s of %s are always %s", given, d.weights, d.name, d.layout)
	}
	var possible []string
	if rows == visible && cols == hidden {
		possible = append(possible, "vh")
	}
	if rows == hidden && cols == visible {
		possible = append(possible, "hv")
	}
	if !d.either {
		given = d.layout
	}
	sizes := fmt.Sprintf("tensor %s is %dx%d, where %s has %d numbers and %s %d", d.weights, rows, cols, d.visible, visible, d.hidden, hidden)
	switch {
	case len(possible) == 0:
		return "", fmt.Errorf("%s: the sizes disagree", sizes)
	case given != "" && !slices.Contains(possible, given):
		return "", fmt.Errorf("%s: that is layout %s, not %s", sizes, possible[0], given)
	case given != "":
		return given, nil
	case len(possible) == 2:
		return "", fmt.Errorf("%s: as many visible as hidden ones, give the layout: vh or hv", sizes)
	}
	return possible[0], nil
}

func transposed(x []float64, rows, cols int) []float64 {
	y := make([]float64, len(x))
	for i := range rows {
		for j := range cols {
			y[j*rows+i] = x[i*cols+j]
		}
	}
	return y
}

// margins returns the sums of W over the hidden (V numbers) and over the visible side (H numbers).
func (p *Portable) margins() (visible, hidden []float64) {
	visible, hidden = make([]float64, p.Visible), make([]float64, p.Hidden)
	for i := range visible {
		for a := range hidden {
			w := p.Weights[i*p.Hidden+a]
			visible[i] += w
			hidden[a] += w
		}
	}
	return visible, hidden
}

// decentre turns the energy -(v-ov) W (h-oh) - a.(v-ov) - b.(h-oh) into one without offsets:
//
//	a' = a - W oh    b' = b - ov W    constant += a.ov + b.oh - ov W oh
func (p *Portable) decentre(ov, oh []float64) {
	if ov == nil && oh == nil {
		return
	}
	if ov == nil {
		ov = make([]float64, p.Visible)
	}
	if oh == nil {
		oh = make([]float64, p.Hidden)
	}
	a, b := slices.Clone(p.VisibleBias), slices.Clone(p.HiddenBias)
	for i := range ov {
		for j := range oh {
			w := p.Weights[i*p.Hidden+j]
			a[i] -= w * oh[j]
			b[j] -= ov[i] * w
			p.Constant -= ov[i] * w * oh[j]
		}
	}
	p.Constant += dot(p.VisibleBias, ov) + dot(p.HiddenBias, oh)
	p.VisibleBias, p.HiddenBias = a, b
}

func dot(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

// fromBits turns the energy of 0/1 variables, -v W h - a.v - b.h, into the same energy of the spins
// s = 2v-1, t = 2h-1:
//
//	W' = W/4    a'_i = a_i/2 + sum_j W'_ij    b'_j = b_j/2 + sum_i W'_ij
//	constant -= sum_ij W'_ij + sum_i a_i/2 + sum_j b_j/2
func (p *Portable) fromBits() {
	w := make([]float64, len(p.Weights))
	for i, x := range p.Weights {
		w[i] = x / 4
	}
	p.Weights = w
	rows, cols := p.margins()
	a, b := slices.Clone(p.VisibleBias), slices.Clone(p.HiddenBias)
	for i, x := range a {
		a[i] = x/2 + rows[i]
		p.Constant -= rows[i] + x/2
	}
	for j, x := range b {
		b[j] = x/2 + cols[j]
		p.Constant -= x / 2
	}
	p.VisibleBias, p.HiddenBias = a, b
}

// bits returns W, a, b and the constant of the same energy in 0/1 variables: the inverse of
// fromBits.
func (p *Portable) bits() (w, a, b []float64, constant float64) {
	p = p.Dense()
	rows, cols := p.margins()
	w, a, b = make([]float64, len(p.Weights)), make([]float64, p.Visible), make([]float64, p.Hidden)
	for i, x := range p.Weights {
		w[i] = 4 * x
	}
	copy(a, p.VisibleBias)
	copy(b, p.HiddenBias)
	if p.Offset != nil { // -(v-m) W h = -v W h + (m W).h
		for i, m := range p.Offset {
			for j := range b {
				b[j] -= m * p.Weights[i*p.Hidden+j]
			}
		}
	}
	constant = p.Constant
	size := math.Abs(constant) // of the terms, to tell a sum from its rounding
	add := func(x float64) {
		constant += x
		size += math.Abs(x)
	}
	for i := range a {
		add(a[i]) // a_i/2 + row i of W' is the bias in spins
		a[i] = 2 * (a[i] - rows[i])
	}
	for j := range b {
		b[j] = 2 * (b[j] - cols[j])
		add(b[j] / 2)
	}
	if math.Abs(constant) <= 0x1p-40*size {
		constant = 0
	}
	return w, a, b, constant
}

// Bernoulli returns the file of the machine in 0/1 variables under the names of one of Dialects; ""
// means scikit-learn. energy_constant is there where the energies differ by it; other programs pass
// it over.
func (p *Portable) Bernoulli(program string) (*tensorfile.File, error) {
	if program == "" {
		program = dialects[0].name
	}
	d, ok := find(dialects, program)
	if !ok {
		return nil, fmt.Errorf("no names of %q are known, only of %s", program, strings.Join(Dialects(), ", "))
	}
	w, a, b, constant := p.bits()
	for _, x := range [][]float64{w, a, b, {constant}} {
		for _, v := range x {
			if math.IsInf(v, 0) || math.IsNaN(v) {
				return nil, fmt.Errorf("a parameter in 0/1 units is %v: the couplings or biases are too large", v)
			}
		}
	}
	shape := []int{p.Visible, p.Hidden}
	if d.layout == "hv" {
		w = transposed(w, p.Visible, p.Hidden)
		slices.Reverse(shape)
	}
	f := &tensorfile.File{Tensors: []tensorfile.Tensor{tensorfile.New(d.weights, w, shape...)}}
	vector := func(name string, x []float64) {
		shape := []int{len(x)}
		if d.row {
			shape = []int{1, len(x)}
		}
		f.Tensors = append(f.Tensors, tensorfile.New(name, x, shape...))
	}
	vector(d.visible, a)
	vector(d.hidden, b)
	if d.visibleOffset != "" {
		vector(d.visibleOffset, make([]float64, p.Visible))
		vector(d.hiddenOffset, make([]float64, p.Hidden))
	}
	if constant != 0 {
		f.Tensors = append(f.Tensors, tensorfile.New(constantName, []float64{constant}))
	}
	return f, nil
}
