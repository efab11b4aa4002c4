package watch

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mattis/run"
	"mattis/tensorfile"
)

// Pictures is rows of numbers that are looked at as images, or as bars of values where they are
// none.
type Pictures struct {
	Step    int      `json:"step"`
	Sources []string `json:"sources"` // what there is to see at that step
	Source  string   `json:"source"`
	Groups  []Group  `json:"groups"`
	Height  int      `json:"height"` // 0 where the rows are no images
	Width   int      `json:"width"`
	Spins   bool     `json:"spins"` // the values are -1 and +1, and 0 for what is not known
	Ink     number   `json:"ink"`   // the value of 127, the largest that occurs
}

// Group is pictures that belong together.
type Group struct {
	Label string `json:"label"`
	Total int    `json:"total"` // rows that there are
	Rows  int    `json:"rows"`  // rows that are here
	// base64 of int8: rows of Width (times Height) values in units of Ink/127
	Data string `json:"data"`
}

const (
	mostPictured = 400     // rows of a group
	mostPixels   = 4 << 20 // bytes of all groups
	fromRecord   = "samples"
	mostRecorded = 64 << 20
)

// Pictures returns what a source ("patterns.visible", "weights", "chains.visible", or "samples" of
// the folder pictures; "" for the first there is) looks like at a step; count bounds the rows of a
// group, 0 means 100.
func (l *Library) Pictures(
	ctx context.Context, id, source string, step, count int,
) (*Pictures, error) {
	e, err := l.entry(id)
	if err != nil {
		return nil, err
	}
	if count <= 0 {
		count = 100
	}
	count = min(count, mostPictured)
	folder, err := os.OpenRoot(e.root.path)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	e.mu.Lock()
	checkpoints, recorded := e.summary.Checkpoints, e.summary.Pictures
	e.mu.Unlock()
	p := &Pictures{Step: step, Sources: []string{}, Groups: []Group{}}
	if source == fromRecord {
		at := slices.Index(recorded, step)
		if at < 0 {
			return nil, fmt.Errorf("%w at step %d: no pictures were drawn then", ErrUnknown, step)
		}
		p.Sources, p.Source = []string{fromRecord}, fromRecord
		return p, e.recorded(folder, p, count)
	}
	if !slices.Contains(checkpoints, step) {
		return nil, fmt.Errorf("%w at step %d: it has no checkpoint of that step", ErrUnknown, step)
	}
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.end()
	c, _, err := e.checkpoint(folder, step)
	if err != nil {
		return nil, err
	}
	for _, prefix := range []string{"patterns.", "weights", "chains.", "positive."} {
		for _, t := range c.File.Tensors {
			if strings.HasPrefix(t.Name, prefix) && len(t.Shape) == 2 && t.Len() > 0 && !beside(t.Name) {
				p.Sources = append(p.Sources, t.Name)
			}
		}
	}
	for i, n := range p.Sources { // what is seen comes first
		if strings.HasSuffix(n, ".visible") && strings.HasPrefix(n, "patterns.") {
			p.Sources = slices.Insert(slices.Delete(p.Sources, i, i+1), 0, n)
		}
	}
	if source == "" && len(p.Sources) > 0 {
		source = p.Sources[0]
	}
	p.Source = source
	t, ok := c.File.Tensor(source)
	if !ok || !slices.Contains(p.Sources, source) {
		return nil, fmt.Errorf("%w: the checkpoint of step %d has no rows %q", ErrUnknown, step, shorten(source, 100))
	}
	values, rows, columns := tensorfile.Floats[float64](t), t.Shape[0], t.Shape[1]
	label := source
	// what each spin of the second layer sees in the first
	if strings.HasPrefix(source, "weights") {
		values, rows, columns = transpose(values, rows, columns), columns, rows
		label = fmt.Sprintf("columns of %s", source)
	}
	p.Spins = t.Type() == tensorfile.I8
	h, w := number0(c.File.Metadata["height"]), number0(c.File.Metadata["width"])
	visible := strings.HasSuffix(source, ".visible") || source == "weights" || strings.HasPrefix(source, "weights.visible-")
	p.Width = columns
	if visible && h > 0 && w > 0 && h*w <= columns { // spins behind the pixels tell labels
		p.shape(h, w)
		values = firstColumns(values, rows, columns, h*w)
		columns = h * w
	}
	p.group([]rowsOf{{label, values, rows}}, columns, count)
	return p, nil
}

// besideChains are tensors, and those of names that go on by a dot, which stand beside the chains of an
// estimator and are no rows of theirs: what it counts and decides by, and rungs before the last.
var besideChains = []string{
	"chains.rungs", "chains.parity", // tempering
	"chains.earlier", "chains.base", "chains.frozen", "chains.course", // trajectory
	"chains.draws",                                         // pcd
	"chains.anew",                                          // of chains beside which some start anew
	"chains.begun", "chains.weights", "chains.free_energy", // jarzynski
}

func beside(tensor string) bool {
	return slices.ContainsFunc(besideChains, func(name string) bool { return tensor == name || strings.HasPrefix(tensor, name+".") })
}

// shape sets what the rows are: images, or plain rows where all pixels stand in one line.
func (p *Pictures) shape(height, width int) {
	p.Height, p.Width = height, width
	if height == 1 || width == 1 {
		p.Height, p.Width = 0, height*width
	}
}

// rowsOf is a group before it is packed.
type rowsOf struct {
	label  string
	values []float64
	rows   int
}

// group packs rows of so many columns. Their largest magnitude is the ink, so that all groups have
// one scale.
func (p *Pictures) group(list []rowsOf, columns, count int) {
	ink := 0.0
	for i := range list {
		r := &list[i]
		n := min(r.rows, count, max(1, mostPixels/max(1, columns*len(list))))
		r.values = r.values[:n*columns]
		for _, v := range r.values {
			if a := math.Abs(v); a > ink && !math.IsInf(a, 0) {
				ink = a
			}
		}
	}
	if ink == 0 {
		ink = 1
	}
	p.Ink = number(ink)
	for _, r := range list {
		b := make([]byte, len(r.values))
		for i, v := range r.values {
			if v == v {
				b[i] = byte(int8(math.Round(127 * min(1, max(-1, v/ink)))))
			}
		}
		p.Groups = append(p.Groups, Group{r.label, r.rows, len(b) / max(1, columns), base64.StdEncoding.EncodeToString(b)})
	}
}

// recorded reads a file of the folder pictures: rows (N,V), images (N,H,W), or several groups of
// images (G,N,H,W).
func (e *entry) recorded(folder *os.Root, p *Pictures, count int) error {
	file := path.Join(run.PicturesFolder, run.PictureFile(p.Step))
	b, err := readSmall(folder, path.Join(e.rel, file), mostRecorded)
	if err != nil {
		return fmt.Errorf("%s: %s", file, reason(err))
	}
	t, err := tensorfile.ReadNPY(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	shape := t.Shape
	groups := 1
	if len(shape) == 4 {
		groups, shape = shape[0], shape[1:]
	}
	columns := 0
	switch len(shape) {
	case 2:
		columns, p.Width = shape[1], shape[1]
	case 3:
		columns = shape[1] * shape[2]
		p.shape(shape[1], shape[2])
	default:
		return fmt.Errorf("%s: has the shape %v, want (N,V), (N,H,W) or (G,N,H,W)", file, t.Shape)
	}
	if t.Len() == 0 || groups > 8 {
		return fmt.Errorf("%s: has the shape %v, which shows nothing", file, t.Shape)
	}
	p.Spins = t.Type() == tensorfile.I8
	values := tensorfile.Floats[float64](t)
	labels := []string{"samples", "given", "reconstructions", "originals"}
	var list []rowsOf
	for g := range groups {
		label := fmt.Sprintf("group %d", g+1)
		if g < len(labels) {
			label = labels[g]
		}
		list = append(list, rowsOf{label, values[g*shape[0]*columns : (g+1)*shape[0]*columns], shape[0]})
	}
	p.group(list, columns, count)
	return nil
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
	full := path.Join(e.rel, run.FiguresFolder, file)
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

// number0 returns a whole number above 0, else 0.
func number0(s string) int {
	n := 0
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil || n < 0 || n > 1<<20 {
		return 0
	}
	return n
}

func transpose(x []float64, rows, columns int) []float64 {
	out := make([]float64, len(x))
	for i := range rows {
		for j := range columns {
			out[j*rows+i] = x[i*columns+j]
		}
	}
	return out
}

func firstColumns(x []float64, rows, columns, n int) []float64 {
	out := make([]float64, 0, rows*n)
	for i := range rows {
		out = append(out, x[i*columns:i*columns+n]...)
	}
	return out
}
