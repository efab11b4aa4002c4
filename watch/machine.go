package watch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/mat"

	"mattis/run"
	"mattis/tensorfile"
)

// Machine is what the checkpoints of a run say of its machine.
type Machine struct {
	Step      int             `json:"step"` // of the newest checkpoint that is whole
	Epoch     int             `json:"epoch"`
	Height    int             `json:"height"` // of the images, 0 for plain rows
	Width     int             `json:"width"`
	Layers    []Layer         `json:"layers"`
	Pairs     []Pair          `json:"pairs"`
	Arrays    []Array         `json:"arrays"`
	History   []Snapshot      `json:"history"`  // of the checkpoints, oldest first
	Measured  []Spectrum      `json:"measured"` // what the measure spectrum found
	Chains    *Histogram      `json:"chains"`   // energies of the chains; nil where there are none, or the machine is not restricted
	Diagnosis json.RawMessage `json:"diagnosis"`
	Refused   []string        `json:"refused"` // checkpoints that could not be read, and what was left out
}

// Layer is a layer of spins.
type Layer struct {
	Name string `json:"name"`
	Size int    `json:"size"`
	Bias bool   `json:"bias"`
	Kind string `json:"kind"` // spin, or what the checkpoint says
}

// Pair is the couplings between two layers.
type Pair struct {
	A        string `json:"a"`
	B        string `json:"b"`
	Kind     string `json:"kind"`     // axons or dense
	Patterns int    `json:"patterns"` // of axons
}

func (p Pair) name() string { return p.A + "-" + p.B }

// Array is a tensor of a checkpoint.
type Array struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// Snapshot is what one checkpoint says.
type Snapshot struct {
	Step     int                 `json:"step"`
	Epoch    int                 `json:"epoch"`
	Gains    map[string]float64  `json:"gains"`    // g of each pair with axons
	Spectrum map[string][]number `json:"spectrum"` // singular values of each pair, largest first
	Overlap  map[string][]number `json:"overlap"`  // of each pattern with itself in the oldest checkpoint, by layer: the cosine
	start    int                 // step of that checkpoint
	stamp    stamp
}

// Spectrum is the singular values that a measure found.
type Spectrum struct {
	Step   int      `json:"step"`
	Epoch  int      `json:"epoch"`
	Values []number `json:"values"`
}

// Histogram counts values in bins of equal width from Low.
type Histogram struct {
	Low    number `json:"low"`
	Width  number `json:"width"`
	Counts []int  `json:"counts"`
	Mean   number `json:"mean"`
}

// Bounds on what a page makes the server do.
const (
	mostCheckpoint = 256 << 20 // bytes of a checkpoint that is read
	mostHistory    = 24        // checkpoints that are looked at
	mostSpectra    = 200       // lines of the measure spectrum
	mostSingular   = 64        // singular values that are sent of a spectrum
	mostWork       = 4e8       // multiplications of a spectrum
	mostDiagnosis  = 4 << 20
)

// checkpoint returns a checkpoint of the run that is whole.
func (e *entry) checkpoint(folder *os.Root, step int) (*run.Checkpoint, stamp, error) {
	file := fmt.Sprintf("%s/%08d.safetensors", checkpointsDir, step)
	f, info, err := openRegular(folder, path.Join(e.rel, file)) // which follows no link out of the folder
	if err != nil {
		return nil, stamp{}, fmt.Errorf("%s: %s", file, reason(err))
	}
	defer f.Close()
	if info.Size() > mostCheckpoint {
		return nil, stamp{}, fmt.Errorf("%s: has %d MiB, the page reads up to %d; mattis inspect reads any", file, info.Size()>>20, mostCheckpoint>>20)
	}
	b, err := io.ReadAll(io.LimitReader(f, mostCheckpoint+1))
	if err != nil {
		return nil, stamp{}, fmt.Errorf("%s: %s", file, reason(err))
	}
	c, err := run.ParseCheckpoint(step, b)
	if err != nil {
		return nil, stamp{}, fmt.Errorf("%s: %w", file, err)
	}
	return c, stampOf(info), nil
}

// Machine reads the checkpoints of a run.
func (l *Library) Machine(ctx context.Context, id string) (*Machine, error) {
	e, err := l.entry(id)
	if err != nil {
		return nil, err
	}
	folder, err := os.OpenRoot(e.root.path)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	e.mu.Lock()
	steps := slices.Clone(e.summary.Checkpoints)
	e.mu.Unlock()
	m := &Machine{Step: -1, Layers: []Layer{}, Pairs: []Pair{}, Arrays: []Array{}, History: []Snapshot{}, Measured: []Spectrum{}, Refused: []string{}}
	e.looking.Lock() // two pages ask for one work
	defer e.looking.Unlock()
	if err := e.history(ctx, folder, spread(steps, mostHistory), m); err != nil {
		return nil, err
	}
	if err := e.spectra(ctx, folder, m); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.Refused = append(m.Refused, metricsFile+": "+reason(err))
	}
	b, err := readSmall(folder, path.Join(e.rel, DiagnosisFile), mostDiagnosis)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		m.Refused = append(m.Refused, DiagnosisFile+": "+reason(err))
	case !json.Valid(b) || len(bytes.TrimSpace(b)) == 0 || bytes.TrimSpace(b)[0] != '{':
		m.Refused = append(m.Refused, DiagnosisFile+": is no JSON object; mattis diagnose writes it anew")
	default:
		m.Diagnosis = b
	}
	return m, nil
}

// history fills in what checkpoints say. Of those that were read before only what was found is left.
func (e *entry) history(ctx context.Context, folder *os.Root, steps []int, m *Machine) error {
	found := map[int]Snapshot{}
	var start *tensorfile.File
	first := -1
	for i, step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		newest := i == len(steps)-1
		info, err := folder.Stat(path.Join(e.rel, checkpointsDir, fmt.Sprintf("%08d.safetensors", step)))
		if err != nil {
			continue // a writer may delete one under a reader
		}
		if old, ok := e.snapshots[step]; ok && old.stamp == stampOf(info) && old.start == e.start && first >= 0 && first == e.start && !newest {
			found[step] = old
			continue
		}
		c, at, err := e.checkpoint(folder, step)
		if err != nil {
			m.Refused = append(m.Refused, err.Error())
			continue
		}
		if start == nil {
			if first < 0 {
				first = step
			}
			if start = c.File; first != step {
				if old, _, err := e.checkpoint(folder, first); err == nil {
					start = old.File
				}
			}
		}
		m.describe(c)
		s, notes := snapshot(c, start, m.Pairs)
		s.start, s.stamp = first, at
		found[step] = s
		if newest {
			m.Refused = append(m.Refused, notes...)
			m.Chains = energies(c.File)
		}
	}
	e.snapshots, e.start = found, first
	m.History = slices.SortedFunc(maps.Values(found), func(a, b Snapshot) int { return cmp.Compare(a.Step, b.Step) })
	return nil
}

// describe sets the layers and pairs to those of a checkpoint.
func (m *Machine) describe(c *run.Checkpoint) {
	meta := c.File.Metadata
	whole := func(key string) int { n, _ := strconv.Atoi(meta[key]); return max(n, 0) }
	m.Step, m.Epoch, m.Height, m.Width = c.Step, whole("epoch"), whole("height"), whole("width")
	m.Layers, m.Pairs, m.Arrays = []Layer{}, []Pair{}, []Array{}
	sizes := map[string]int{}
	var order []string
	layer := func(name string, size int) {
		if _, ok := sizes[name]; !ok {
			order = append(order, name)
		}
		sizes[name] = max(sizes[name], size)
	}
	// Other machines than the restricted one list their layers and pairs in the metadata.
	kinds := map[string]string{}
	var listed []struct {
		Name string `json:"name"`
		Size int    `json:"size"`
		Kind string `json:"kind"`
	}
	if json.Unmarshal([]byte(meta["layers"]), &listed) == nil {
		for _, x := range listed {
			layer(x.Name, x.Size)
			kinds[x.Name] = x.Kind
		}
	}
	tensors := c.File.Tensors
	for _, t := range tensors {
		m.Arrays = append(m.Arrays, Array{t.Name, append([]int{}, t.Shape...)})
	}
	pair := func(name string) (a, b string, ok bool) {
		if name == "" {
			return "visible", "hidden", true
		}
		a, b, ok = strings.Cut(strings.TrimPrefix(name, "."), "-")
		return a, b, ok && a != "" && b != ""
	}
	if _, ok := c.File.Tensor("patterns.visible"); ok { // visible comes first
		layer("visible", 0)
	}
	gains := map[string]bool{}
	for _, t := range tensors {
		if rest, ok := strings.CutPrefix(t.Name, "weights"); ok && len(t.Shape) == 2 {
			if a, b, ok := pair(rest); ok {
				layer(a, t.Shape[0])
				layer(b, t.Shape[1])
				m.Pairs = append(m.Pairs, Pair{A: a, B: b, Kind: "dense"})
			}
		}
		if rest, ok := strings.CutPrefix(t.Name, "patterns."); ok && len(t.Shape) == 2 {
			layer(rest, t.Shape[1])
		}
		if rest, ok := strings.CutPrefix(t.Name, "log_gain"); ok {
			gains[rest] = true
		}
	}
	for _, rest := range slices.Sorted(maps.Keys(gains)) {
		a, b, ok := pair(rest)
		pa, okA := c.File.Tensor("patterns." + a)
		_, okB := c.File.Tensor("patterns." + b)
		if ok && okA && okB && len(pa.Shape) == 2 {
			m.Pairs = append(m.Pairs, Pair{A: a, B: b, Kind: "axons", Patterns: pa.Shape[0]})
		}
	}
	for _, n := range order {
		_, bias := c.File.Tensor("bias." + n)
		m.Layers = append(m.Layers, Layer{n, sizes[n], bias, cmp.Or(kinds[n], "spin")})
	}
	place := func(n string) int { return slices.Index(order, n) }
	slices.SortStableFunc(m.Pairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(place(a.A), place(b.A)), cmp.Compare(place(a.B), place(b.B)))
	})
}

// matrix returns a tensor of two dimensions, or nil.
func matrix(f *tensorfile.File, name string) *mat.Dense {
	t, ok := f.Tensor(name)
	if !ok || len(t.Shape) != 2 || t.Len() == 0 {
		return nil
	}
	x := tensorfile.Floats[float64](t)
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	}
	return mat.NewDense(t.Shape[0], t.Shape[1], x)
}

// scalar returns the only value of a tensor, or other.
func scalar(f *tensorfile.File, name string, other float64) float64 {
	t, ok := f.Tensor(name)
	if !ok || t.Len() != 1 {
		return other
	}
	return tensorfile.Floats[float64](t)[0]
}

// gainName returns the name of a pair's log gain.
func gainName(f *tensorfile.File, p Pair) string {
	if n := "log_gain." + p.name(); p.A != "visible" || p.B != "hidden" {
		return n
	} else if _, ok := f.Tensor(n); ok {
		return n
	}
	return "log_gain"
}

// snapshot returns what a checkpoint says beside the one of the start, and what was left out.
func snapshot(c *run.Checkpoint, start *tensorfile.File, pairs []Pair) (Snapshot, []string) {
	epoch, _ := strconv.Atoi(c.File.Metadata["epoch"])
	s := Snapshot{Step: c.Step, Epoch: epoch, Gains: map[string]float64{}, Spectrum: map[string][]number{}, Overlap: map[string][]number{}}
	var notes []string
	for _, p := range pairs {
		if p.Kind == "axons" {
			if g := math.Exp(scalar(c.File, gainName(c.File, p), 0)); !math.IsInf(g, 0) && !math.IsNaN(g) {
				s.Gains[p.name()] = g
			}
		}
		values, err := singularValues(c.File, p)
		if err != nil {
			notes = append(notes, fmt.Sprintf("singular values of %s: %v", p.name(), err))
			continue
		}
		for _, x := range values[:min(len(values), mostSingular)] {
			s.Spectrum[p.name()] = append(s.Spectrum[p.name()], number(x))
		}
	}
	for _, t := range c.File.Tensors {
		layer, ok := strings.CutPrefix(t.Name, "patterns.")
		now, then := matrix(c.File, t.Name), matrix(start, t.Name)
		if !ok || now == nil || then == nil {
			continue
		}
		rows, columns := now.Dims()
		if r, c := then.Dims(); r != rows || c != columns {
			continue
		}
		for k := range rows {
			a, b := now.RowView(k), then.RowView(k)
			s.Overlap[layer] = append(s.Overlap[layer], number(mat.Dot(a, b)/(mat.Norm(a, 2)*mat.Norm(b, 2))))
		}
	}
	return s, notes
}

// singularValues returns the singular values of a pair's couplings, largest first. Those of axons come from a K x K
// problem: with Xa^T = Qa Ra and Xb^T = Qb Rb they are those of (g/sqrt K) Ra Rb^T.
func singularValues(f *tensorfile.File, p Pair) ([]float64, error) {
	work := func(a, b, c int) error {
		if float64(a)*float64(b)*float64(c) > mostWork {
			return fmt.Errorf("too large for the page; measure.test=[spectrum] measures them while it trains")
		}
		return nil
	}
	var w mat.Dense
	if p.Kind == "axons" {
		a, b := matrix(f, "patterns."+p.A), matrix(f, "patterns."+p.B)
		if a == nil || b == nil || a.RawMatrix().Rows != b.RawMatrix().Rows {
			return nil, errors.New("the patterns are no finite matrices with as many rows")
		}
		k := a.RawMatrix().Rows
		if err := work(k, k, max(k, a.RawMatrix().Cols, b.RawMatrix().Cols)); err != nil {
			return nil, err
		}
		w.Mul(triangle(a), triangle(b).T())
		w.Scale(math.Exp(scalar(f, gainName(f, p), 0))/math.Sqrt(float64(k)), &w)
	} else {
		name := "weights." + p.name()
		if _, ok := f.Tensor(name); !ok {
			name = "weights"
		}
		x := matrix(f, name)
		if x == nil {
			return nil, fmt.Errorf("%s is no finite matrix", name)
		}
		rows, columns := x.Dims()
		if err := work(rows, columns, min(rows, columns)); err != nil {
			return nil, err
		}
		w.CloneFrom(x)
	}
	var svd mat.SVD
	if !svd.Factorize(&w, mat.SVDNone) {
		return nil, errors.New("they did not converge")
	}
	return svd.Values(nil), nil
}

// triangle returns R of X^T = Q R, KxK, or X^T itself (NxK) where it has fewer rows than that.
func triangle(x *mat.Dense) mat.Matrix {
	k, n := x.Dims()
	if n <= k {
		return x.T()
	}
	var qr mat.QR
	qr.Factorize(x.T())
	var r mat.Dense
	qr.RTo(&r)
	return r.Slice(0, k, 0, k)
}

// energies returns the histogram of the free energies F(v) of the chains of a restricted machine in kT; nil where there are none:
//
//	F(v) = -b.v - sum_j log 2cosh(c_j + sum_i (v_i - m_i) W_ij) + constant
func energies(f *tensorfile.File) *Histogram {
	chains := matrix(f, "chains.visible")
	if chains == nil {
		return nil
	}
	if rungs := matrix(f, "chains.rungs"); rungs != nil { // tempering: those at the target's temperature
		x, ladders := rungs.RawMatrix().Data, rungs.RawMatrix().Rows
		if len(x) != chains.RawMatrix().Rows {
			return nil
		}
		var rows []float64
		for i, rung := range x {
			if rung == 0 {
				rows = append(rows, chains.RawRowView(i)...)
			}
		}
		if len(rows) != ladders*chains.RawMatrix().Cols {
			return nil
		}
		chains = mat.NewDense(ladders, chains.RawMatrix().Cols, rows)
	}
	m, visible := chains.Dims()
	vector := func(name string, n int) []float64 {
		if t, ok := f.Tensor(name); ok && t.Len() == n {
			return tensorfile.Floats[float64](t)
		}
		return make([]float64, n)
	}
	shifted := mat.DenseCopyOf(chains)
	offset := vector("offset.visible", visible)
	for i := range m {
		for j := range visible {
			shifted.Set(i, j, shifted.At(i, j)-offset[j])
		}
	}
	var field mat.Dense
	if w := matrix(f, "weights"); w != nil && w.RawMatrix().Rows == visible {
		if float64(m)*float64(visible)*float64(w.RawMatrix().Cols) > mostWork {
			return nil
		}
		field.Mul(shifted, w)
	} else if xv, xh := matrix(f, "patterns.visible"), matrix(f, "patterns.hidden"); xv != nil && xh != nil {
		k := xv.RawMatrix().Rows
		if _, ok := f.Tensor("log_gain"); !ok || xv.RawMatrix().Cols != visible || xh.RawMatrix().Rows != k ||
			float64(m)*float64(k)*float64(visible+xh.RawMatrix().Cols) > mostWork {
			return nil
		}
		var overlap mat.Dense
		overlap.Mul(shifted, xv.T())
		field.Mul(&overlap, xh)
		field.Scale(math.Exp(scalar(f, "log_gain", 0))/math.Sqrt(float64(k)), &field)
	} else {
		return nil
	}
	_, hidden := field.Dims()
	b, c, constant := vector("bias.visible", visible), vector("bias.hidden", hidden), scalar(f, "energy_constant", 0)
	values := make([]float64, m)
	for i := range m {
		values[i] = constant
		for j, v := range chains.RawRowView(i) {
			values[i] -= b[j] * v
		}
		for j, x := range field.RawRowView(i) {
			y := math.Abs(c[j] + x)
			values[i] -= y + math.Log1p(math.Exp(-2*y))
		}
	}
	return histogram(values, 40)
}

// histogram returns the histogram of finite values; nil where there are none.
func histogram(values []float64, bins int) *Histogram {
	if len(values) == 0 {
		return nil
	}
	low, high, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		low, high, sum = min(low, x), max(high, x), sum+x
	}
	if high == low {
		return &Histogram{number(low), 0, []int{len(values)}, number(low)}
	}
	h := &Histogram{number(low), number((high - low) / float64(bins)), make([]int, bins), number(sum / float64(len(values)))}
	for _, x := range values {
		h.Counts[min(bins-1, int((x-low)/(high-low)*float64(bins)))]++
	}
	return h
}

// spectra fills in what the measure spectrum has found.
func (e *entry) spectra(ctx context.Context, folder *os.Root, m *Machine) error {
	e.mu.Lock()
	any := slices.ContainsFunc(e.summary.Measures, func(x Measure) bool { return x.Name == "spectrum" })
	e.mu.Unlock()
	if !any {
		return nil
	}
	file, _, err := openRegular(folder, path.Join(e.rel, metricsFile))
	if err != nil {
		return err
	}
	defer file.Close()
	var f follower
	var p parser
	every, met := 1, 0
	_, err = f.read(ctx, file, math.MaxInt64, func(_ int, line []byte, err error) {
		if err != nil || !bytes.Contains(line, []byte(`"spectrum"`)) {
			return
		}
		n, at, detail, err := p.parse(line)
		var d struct {
			Values []float64 `json:"singular_values"`
		}
		if err != nil || n.measure != "spectrum" {
			return
		}
		if met++; (met-1)%every != 0 {
			return
		}
		if json.Unmarshal(detail, &d) != nil || len(d.Values) == 0 {
			return
		}
		s := Spectrum{Step: at.Step, Epoch: at.Epoch}
		for _, x := range d.Values[:min(len(d.Values), mostSingular)] {
			s.Values = append(s.Values, number(x))
		}
		if len(m.Measured) == mostSpectra { // every second one from here on
			for i := range mostSpectra / 2 {
				m.Measured[i] = m.Measured[2*i]
			}
			m.Measured, every = m.Measured[:mostSpectra/2], 2*every
			if (met-1)%every != 0 {
				return
			}
		}
		m.Measured = append(m.Measured, s)
	})
	return err
}

// spread returns most of the values, the first, the last and even steps between them.
func spread(values []int, most int) []int {
	if len(values) <= most {
		return values
	}
	var out []int
	for i := range most {
		out = append(out, values[i*(len(values)-1)/(most-1)])
	}
	return out
}

// Figure returns a picture that the run has drawn, a PNG, and when.
func (l *Library) Figure(id, file string) ([]byte, time.Time, error) {
	e, err := l.entry(id)
	if err != nil {
		return nil, time.Time{}, err
	}
	if filepath.Base(file) != file || !strings.HasSuffix(file, ".png") || strings.HasPrefix(file, ".") {
		return nil, time.Time{}, fmt.Errorf("%w: no figure %s", ErrUnknown, shorten(strconv.Quote(file), 100))
	}
	folder, err := os.OpenRoot(e.root.path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer folder.Close()
	full := path.Join(e.rel, figuresDir, file)
	info, err := folder.Stat(full)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%w: figures/%s: %s", ErrUnknown, shorten(file, 100), reason(err))
	}
	b, err := readSmall(folder, full, 16<<20)
	if err == nil && !bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) {
		err = errors.New("is no PNG")
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("figures/%s: %s", shorten(file, 100), reason(err))
	}
	return b, info.ModTime(), nil
}
