package watch

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path"
	"time"

	"mattis/run"
)

// Curves are the lines of a run's metrics, or those behind a place up to which a reader has them.
type Curves struct {
	Generation int   `json:"generation"` // of the file
	Offset     int64 `json:"offset"`     // of the first byte that is not in them
	// they begin at the start of the file: what the reader has no longer stands there
	Anew bool `json:"anew"`
	// of several lines only the lowest and the highest value are there
	Thinned bool    `json:"thinned"`
	Series  []Curve `json:"series"`
}

// Curve is the values of one measure on one split, in the order of the file.
type Curve struct {
	Name    string `json:"name"`
	Split   string `json:"split"`
	Step    []int  `json:"step"`
	Epoch   []int  `json:"epoch"`
	Seconds column `json:"seconds"`
	Value   column `json:"value"`
	Stderr  column `json:"stderr"` // NaN where it is not known
}

// mostPoints bounds the points of a curve: more than a screen has columns, so that they are there
// for a look closer.
const mostPoints = 20_000

// thinning is points of which the extremes stay when they become too many.
type thinning struct {
	points []point
	halved bool
}

func (t *thinning) add(p point) {
	if len(t.points) == mostPoints {
		t.halve()
	}
	t.points = append(t.points, p)
}

// halve keeps of every four points the lowest and the highest, in their order.
func (t *thinning) halve() {
	t.halved = true
	out := t.points[:0]
	for i := 0; i+4 <= len(t.points); i += 4 {
		low, high := i, i
		for j := i + 1; j < i+4; j++ {
			if t.points[j].Value < t.points[low].Value || math.IsNaN(t.points[low].Value) {
				low = j
			}
			if t.points[j].Value > t.points[high].Value || math.IsNaN(t.points[high].Value) {
				high = j
			}
		}
		if low == high { // all four are equal
			high = i + 3
			if low == high {
				low = i
			}
		}
		out = append(out, t.points[min(low, high)], t.points[max(low, high)])
	}
	t.points = out
}

// Curves returns the lines of a run behind the offset, which a call before gave with the
// generation; 0 and 0 are the start. Damaged lines are left out.
func (l *Library) Curves(ctx context.Context, id string, generation int, offset int64) (*Curves, error) {
	e, err := l.entry(id)
	if err != nil {
		return nil, err
	}
	folder, err := os.OpenRoot(e.root.path)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	if !l.look(e, folder, time.Now()) {
		return nil, ErrUnknown
	}
	e.mu.Lock()
	now := e.follow.generation
	e.mu.Unlock()
	out := &Curves{Generation: now, Offset: offset, Series: []Curve{}}
	if generation != now || offset < 0 {
		out.Offset, out.Anew = 0, true
	}
	file, info, err := openRegular(folder, path.Join(e.rel, run.MetricsFile))
	if errors.Is(err, fs.ErrNotExist) {
		out.Offset, out.Anew = 0, true
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if out.Offset > info.Size() {
		out.Offset, out.Anew = 0, true
	}
	f := follower{offset: out.Offset}
	var p parser
	all := map[name]*thinning{}
	var order []name
	if _, err := f.read(ctx, file, math.MaxInt64, func(_ int, line []byte, err error) {
		if err != nil {
			return
		}
		n, x, _, err := p.parse(line)
		if err != nil {
			return
		}
		t := all[n]
		if t == nil {
			if len(all) >= mostSeries {
				return
			}
			t = &thinning{}
			all[n] = t
			order = append(order, n)
		}
		t.add(x)
	}); err != nil {
		return nil, err
	}
	out.Offset = f.offset
	for _, n := range order {
		t := all[n]
		out.Thinned = out.Thinned || t.halved
		c := Curve{Name: n.measure, Split: n.split}
		for _, x := range t.points {
			c.Step, c.Epoch = append(c.Step, x.Step), append(c.Epoch, x.Epoch)
			c.Seconds, c.Value, c.Stderr = append(c.Seconds, x.Seconds), append(c.Value, x.Value), append(c.Stderr, x.Stderr)
		}
		out.Series = append(out.Series, c)
	}
	return out, nil
}
