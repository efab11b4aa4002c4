package watch

import (
	"fmt"
	"math"
)

// Goals says of each measure whether less (-1) or more (+1) of it is better, as the measures' own
// table does, which the page has no part in. What is not here has no best value.
var Goals = map[string]int{
	"hamming": -1, "hamming_clamped": -1, "recall": -1,
	"nll": -1, "nll_exact": -1, "nll_tracked": -1, "nll_bound": -1, "nll_ais": -1, "nll_reverse_ais": -1, "nll_bridge": -1,
	"pseudo_likelihood": +1, "valid_share": +1, "coverage": +1, "probe_accuracy": +1, "phases": +1,
	"gibbs_accessibility": +1, "gibbs_accessibility_mean": +1, "method_accessibility": +1,
	"autocorrelation": -1, "crosstalk": -1,
}

// Most of what is kept of a run, whatever its files hold.
const (
	mostSeries  = 200 // measures times splits
	mostDamaged = 20  // lines that are named
)

// series is what the table shows of one measure on one split.
type series struct {
	n     int
	last  point
	best  point // the earliest of the best values
	has   bool  // there is a best value: the measure has a goal
	spark spark
}

func (s *series) add(measure string, x point) {
	s.n++
	s.last = x
	if goal := Goals[measure]; goal != 0 && !math.IsNaN(x.Value) && (!s.has || float64(goal)*(x.Value-s.best.Value) > 0) {
		s.best, s.has = x, true
	}
	s.spark.add(x.Value)
}

// spark is a curve in at most sparkLength means of equally many values, the last perhaps of fewer.
type spark struct {
	means []float64
	each  int // values in a mean
	in    int // values in the last one
}

const sparkLength = 64

func (s *spark) add(x float64) {
	if s.each == 0 {
		s.each, s.in = 1, 1
	}
	if s.in == s.each || len(s.means) == 0 {
		if len(s.means) == sparkLength {
			for i := range sparkLength / 2 {
				s.means[i] = (s.means[2*i] + s.means[2*i+1]) / 2
			}
			s.means = s.means[:sparkLength/2]
			s.each *= 2
		}
		s.means = append(s.means, x)
		s.in = 1
		return
	}
	last := &s.means[len(s.means)-1]
	s.in++
	*last += (x - *last) / float64(s.in)
}

// damage is a line that could not be read.
type damage struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// paceLength is how many steps with measures the rate is taken over.
const paceLength = 8

// index is what is known of a run's metrics.
type index struct {
	series  map[name]*series
	order   []name // as they were met
	last    point  // of the newest line
	pace    []point
	damaged []damage
	broken  int  // damaged lines in all
	more    bool // names above mostSeries were met
}

func (x *index) add(n name, p point) {
	s := x.series[n]
	if s == nil {
		if len(x.series) >= mostSeries {
			x.more = true
			return
		}
		if x.series == nil {
			x.series = map[name]*series{}
		}
		s = &series{}
		x.series[n] = s
		x.order = append(x.order, n)
	}
	s.add(n.measure, p)
	x.last = p
	if k := len(x.pace); k == 0 || x.pace[k-1].Step < p.Step {
		if k == paceLength {
			x.pace = append(x.pace[:0], x.pace[1:]...)
		}
		x.pace = append(x.pace, p)
	}
}

// line adds a line of the file.
func (x *index) line(p *parser, number int, line []byte, err error) {
	var n name
	var at point
	if err == nil {
		n, at, _, err = p.parse(line)
	}
	if err != nil {
		x.broken++
		if len(x.damaged) < mostDamaged {
			x.damaged = append(x.damaged, damage{number, shorten(err.Error(), 200)})
		}
		return
	}
	x.add(n, at)
}

// rate returns the updates and the epochs in a second of training, 0 where they are not known yet.
func (x *index) rate() (steps, epochs float64) {
	if len(x.pace) < 2 {
		return 0, 0
	}
	a, b := x.pace[0], x.pace[len(x.pace)-1]
	if b.Seconds <= a.Seconds {
		return 0, 0
	}
	return float64(b.Step-a.Step) / (b.Seconds - a.Seconds), float64(b.Epoch-a.Epoch) / (b.Seconds - a.Seconds)
}

// shorten cuts a text off after so many bytes.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return fmt.Sprintf("%s... (%d bytes)", s[:most], len(s))
}
