package experiment

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mattis/compute"
	"mattis/recipe"
	"mattis/run"
	"mattis/view"
)

// results are the finished instances of a figure, and what is made of them.
type results struct {
	ctx       context.Context
	figure    *Figure
	options   Options
	engine    compute.Engine
	instances []*instance
	n         int
	methods   map[string]int // with another number of instances

	curves []Curve
	claims []Claim
	files  []string
	table  view.Table // beside the picture; none without a header

	caption string // of the table
}

// Curve is a series of a figure: mean and standard deviation over instances at each X.
type Curve struct {
	Name  string
	X     []float64
	Mean  []float64
	SD    []float64 // of the instances, NaN where there is one
	N     []int
	lists [][]float64 // the values themselves, in the order of the instances
}

// of returns the finished instances of an arm in the order of their seeds.
func (r *results) of(arm string) []*instance {
	var list []*instance
	for _, i := range r.instances {
		if i.arm.name == arm {
			list = append(list, i)
		}
	}
	return list
}

// curve gathers the points of a name over the instances of an arm. Points of trainings
// are the measures: "hamming test" over the epochs.
func (r *results) curve(series, arm, point string) Curve {
	at := map[float64]int{}
	c := Curve{Name: series}
	for _, i := range r.of(arm) {
		for _, p := range i.all() {
			if p.Name != point {
				continue
			}
			k, ok := at[p.X]
			if !ok {
				k = len(c.X)
				at[p.X] = k
				c.X = append(c.X, p.X)
				c.lists = append(c.lists, nil)
			}
			c.lists[k] = append(c.lists[k], p.Value)
		}
	}
	c.sort()
	return c
}

// all returns the points of the record and those of the metrics.
func (i *instance) all() []Point {
	points := slices.Clone(i.Points)
	for _, m := range i.metrics {
		name := strings.TrimSpace(m.Name + " " + m.Split)
		points = append(points, Point{name, float64(m.Epoch), m.Value})
		if m.Name == "spectrum" {
			for rank, x := range floats(m.Detail["singular_values"]) {
				points = append(points, Point{fmt.Sprintf("spectrum %d", m.Epoch), float64(rank + 1), x})
			}
		}
	}
	return points
}

// floats returns the numbers of a JSON array.
func floats(x any) []float64 {
	list, _ := x.([]any)
	out := make([]float64, 0, len(list))
	for _, v := range list {
		if f, ok := v.(float64); ok {
			out = append(out, f)
		}
	}
	return out
}

// sort orders the curve by x and computes its means and deviations.
func (c *Curve) sort() {
	order := make([]int, len(c.X))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case c.X[a] < c.X[b]:
			return -1
		case c.X[a] > c.X[b]:
			return 1
		}
		return 0
	})
	x, lists := c.X, c.lists
	c.X, c.lists, c.Mean, c.SD, c.N = nil, nil, nil, nil, nil
	for _, k := range order {
		mean, sd := moments(lists[k])
		c.X, c.lists = append(c.X, x[k]), append(c.lists, lists[k])
		c.Mean, c.SD, c.N = append(c.Mean, mean), append(c.SD, sd), append(c.N, len(lists[k]))
	}
}

// moments returns the mean of x and the deviation of its entries, NaN of fewer than two.
func moments(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		sd += (v - mean) * (v - mean)
	}
	if len(x) < 2 {
		return mean, math.NaN()
	}
	return mean, math.Sqrt(sd / float64(len(x)-1))
}

// exactly returns a curve of numbers that are no means: theory, or one table.
func exactly(name string, x, y []float64) Curve {
	c := Curve{Name: name, X: x, Mean: y}
	for i := range x {
		c.SD, c.N, c.lists = append(c.SD, math.NaN()), append(c.N, 1), append(c.lists, []float64{y[i]})
	}
	return c
}

// at returns the place of the point whose x is nearest, the last one for +Inf, -1 in an empty
// curve.
func (c Curve) at(x float64) int {
	if math.IsInf(x, 1) {
		return len(c.X) - 1
	}
	best := -1
	for i, v := range c.X {
		if best < 0 || math.Abs(v-x) < math.Abs(c.X[best]-x) {
			best = i
		}
	}
	return best
}

// value returns the mean at the nearest x, NaN in an empty curve.
func (c Curve) value(x float64) float64 {
	if i := c.at(x); i >= 0 {
		return c.Mean[i]
	}
	return math.NaN()
}

// last returns the mean at the largest x.
func (c Curve) last() float64 { return c.value(math.Inf(1)) }

// stderr returns the standard error of the mean at the nearest x, NaN of one instance.
func (c Curve) stderr(x float64) float64 {
	i := c.at(x)
	if i < 0 {
		return math.NaN()
	}
	return c.SD[i] / math.Sqrt(float64(c.N[i]))
}

// settles returns the smallest x from which the mean stays at or below bound, +Inf where it never
// does.
func (c Curve) settles(bound float64) float64 {
	x := math.Inf(1)
	for i := len(c.X) - 1; i >= 0 && c.Mean[i] <= bound; i-- {
		x = c.X[i]
	}
	return x
}

// reaches returns the smallest x from which the mean stays at or above bound, +Inf where it never
// does.
func (c Curve) reaches(bound float64) float64 {
	x := math.Inf(1)
	for i := len(c.X) - 1; i >= 0 && c.Mean[i] >= bound; i-- {
		x = c.X[i]
	}
	return x
}

// add puts curves into the figure's data.
func (r *results) add(curves ...Curve) { r.curves = append(r.curves, curves...) }

// series returns curves as they are drawn, with their bands.
func series(curves ...Curve) []view.Series {
	var list []view.Series
	for _, c := range curves {
		s := view.Series{Name: c.Name, X: c.X, Mean: c.Mean}
		for _, n := range c.N {
			if n > 1 {
				s.Deviation = c.SD
			}
		}
		list = append(list, s)
	}
	return list
}

// paint draws the panels as NAME.png and NAME.svg.
func (r *results) paint(rows ...[]view.Panel) error {
	for _, ext := range []string{".png", ".svg"} {
		path := filepath.Join(r.options.Out, r.figure.Name+ext)
		if err := view.Panels(path, rows...); err != nil {
			return err
		}
		r.files = append(r.files, path)
	}
	return nil
}

// picture returns the name of the drawn PNG.
func (r *results) picture() string {
	for _, f := range r.files {
		if strings.HasSuffix(f, ".png") {
			return filepath.Base(f)
		}
	}
	return ""
}

// pm writes a mean with its standard error where that is known.
func pm(mean, stderr float64, digits int) string {
	if math.IsNaN(stderr) {
		return fmt.Sprintf("%.*f", digits, mean)
	}
	return fmt.Sprintf("%.*f ± %.*f", digits, mean, digits, stderr)
}

// title returns the figure's title with the number of instances.
func (r *results) title() string {
	if r.n == 1 && len(r.methods) == 0 {
		return r.figure.Title
	}
	if len(r.methods) > 2 { // more than a line has room for
		all := append(slices.Collect(maps.Values(r.methods)), r.n)
		return fmt.Sprintf("%s, %d to %d instances", r.figure.Title, slices.Min(all), slices.Max(all))
	}
	text := fmt.Sprintf("%s, %d instances", r.figure.Title, r.n)
	for _, name := range slices.Sorted(maps.Keys(r.methods)) {
		text += fmt.Sprintf(", %d of %s", r.methods[name], name)
	}
	return text
}

// writeCSV writes one row a point: series, x, mean, sd, n.
func (r *results) writeCSV() error {
	return run.WriteFile(filepath.Join(r.options.Out, r.figure.Name+".csv"), func(w io.Writer) error {
		out := csv.NewWriter(w)
		rows := [][]string{{"series", "x", "mean", "sd", "n"}}
		for _, c := range r.curves {
			for i := range c.X {
				rows = append(rows, []string{c.Name, number(c.X[i]), number(c.Mean[i]), number(c.SD[i]), strconv.Itoa(c.N[i])})
			}
		}
		return out.WriteAll(rows)
	})
}

// number returns x in as many digits as it has, "" where it is not known.
func number(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// model returns the trained machine of an instance, on the figure's engine.
func (r *results) model(i *instance) (*recipe.Model, error) {
	d, err := run.Open(i.dir)
	if err != nil {
		return nil, err
	}
	m, _, err := recipe.LoadModel(d, -1, r.engine)
	return m, err
}
