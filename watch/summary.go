package watch

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"mattis/run"
)

// Summary is a run as the table of runs shows it.
type Summary struct {
	Seq     int64   `json:"seq"` // grows with every change of any run
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Path    string  `json:"path"` // as commands take it
	State   string  `json:"state"`
	Message string  `json:"message"`
	Step    int     `json:"step"`
	Epoch   int     `json:"epoch"`
	Epochs  int     `json:"epochs"` // at the end; 0 where it is not known
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"` // updates in a second of training, 0 where it is not known
	ETA     float64 `json:"eta"`  // seconds of training left, 0 where it is not known
	Begun   int64   `json:"begun"`
	// Unix seconds of the last sign of life; 0 where there was none
	Updated     int64     `json:"updated"`
	Settings    []Setting `json:"settings"`
	Environment []Setting `json:"environment"`
	Measures    []Measure `json:"measures"`
	// all lines have been read: best values and curves are those of the whole run
	Indexed     bool     `json:"indexed"`
	Lines       int      `json:"lines"`
	Size        int64    `json:"size"` // of the metrics
	Generation  int      `json:"generation"`
	Damaged     []damage `json:"damaged"`
	Broken      int      `json:"broken"` // damaged lines in all
	Problems    []string `json:"problems"`
	Checkpoints []int    `json:"checkpoints"`
	Best        *int     `json:"best"` // the step of the best checkpoint, where the run keeps one
	Pictures    []int    `json:"pictures"`
	Figures     []string `json:"figures"`
	Diagnosed   bool     `json:"diagnosed"`
}

// Measure is what the table shows of one measure on one split.
type Measure struct {
	Name  string `json:"name"`
	Split string `json:"split"`
	N     int    `json:"n"`
	Last  Value  `json:"last"`
	Best  *Value `json:"best"` // nil where no value of the measure is better than another
	Spark means  `json:"spark"`
}

// Value is a measured value and when it was.
type Value struct {
	Step   int    `json:"step"`
	Epoch  int    `json:"epoch"`
	Value  number `json:"value"`
	Stderr known  `json:"stderr"`
}

func valueOf(p point) Value { return Value{p.Step, p.Epoch, number(p.Value), known(p.Stderr)} }

// known is a standard error: null where it is NaN, not known.
type known float64

// MarshalJSON writes the standard error.
func (x known) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(x)) {
		return []byte("null"), nil
	}
	return number(x).MarshalJSON()
}

// number is a float64 whose JSON is a word where JSON has no such number, as in metrics.jsonl.
type number float64

// MarshalJSON writes the number.
func (x number) MarshalJSON() ([]byte, error) { return appendNumber(nil, float64(x), -1), nil }

// means are the values of a spark in four digits.
type means []float64

// MarshalJSON writes the values as a list.
func (m means) MarshalJSON() ([]byte, error) { return appendList(nil, m, 4), nil }

// column is values as exact as they are.
type column []float64

// MarshalJSON writes the values as a list.
func (c column) MarshalJSON() ([]byte, error) { return appendList(nil, c, -1), nil }

func appendList(b []byte, values []float64, digits int) []byte {
	b = append(b, '[')
	for i, x := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNumber(b, x, digits)
	}
	return append(b, ']')
}

func appendNumber(b []byte, x float64, digits int) []byte {
	switch {
	case math.IsNaN(x):
		return append(b, `"NaN"`...)
	case math.IsInf(x, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(x, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, x, 'g', digits, 64)
}

// What is named of a run's checkpoints and pictures each, and of its figures.
const (
	mostFiles   = 10_000
	mostFigures = 50
)

// summarize publishes what is known of a run, which is locked. Without folder its lists of files
// stay.
func (l *Library) summarize(e *entry, folder *os.Root, now time.Time) {
	s := e.summary
	s.Seq = 0
	s.ID, s.Name, s.Path = e.id, e.name, e.path
	s.Settings, s.Environment = append([]Setting{}, e.settings...), append([]Setting{}, e.environment...)
	x := &e.index
	if !e.indexed && len(e.last.series) > 0 {
		x = &e.last
	}
	s.Step, s.Epoch, s.Seconds, s.Epochs = x.last.Step, x.last.Epoch, x.last.Seconds, e.epochs
	s.Measures = measures(&e.index, &e.last, e.indexed)
	s.Indexed, s.Lines, s.Size, s.Generation = e.indexed, e.follow.lines, e.size, e.follow.generation
	s.Damaged, s.Broken = append([]damage{}, e.index.damaged...), e.index.broken
	s.Best = e.best
	if folder != nil {
		names := func(sub, extension string, most int) []string {
			return listing(folder, path.Join(e.rel, sub), most, func(n string) bool {
				return strings.HasSuffix(n, extension) && !strings.HasPrefix(n, ".")
			})
		}
		s.Checkpoints = run.CheckpointSteps(names(run.CheckpointsFolder, ".safetensors", mostFiles))
		s.Pictures = run.PictureSteps(names(run.PicturesFolder, ".npy", mostFiles))
		s.Figures = append([]string{}, names(run.FiguresFolder, ".png", mostFigures)...)
		_, err := folder.Stat(path.Join(e.rel, run.DiagnosisFile))
		s.Diagnosed = err == nil
	}
	if n := len(s.Checkpoints); n > 0 && s.Step < s.Checkpoints[n-1] {
		s.Step = s.Checkpoints[n-1]
		if x.last.Step > 0 && x.last.Epoch > 0 {
			s.Epoch = s.Step * x.last.Epoch / x.last.Step
			if s.Epochs > 0 {
				s.Epoch = min(s.Epoch, s.Epochs)
			}
		}
	}
	if e.state != nil && e.state.Step >= s.Step {
		s.Step, s.Epoch = e.state.Step, e.state.Epoch
	}
	s.State, s.Message = e.stateNow(l.host, now, s)
	s.Begun, s.Updated = 0, 0
	if !e.begun.IsZero() {
		s.Begun, s.Updated = e.begun.Unix(), e.begun.Unix()
	}
	if !e.updated.IsZero() {
		s.Updated = max(s.Updated, e.updated.Unix())
	}
	if e.state != nil {
		s.Updated = max(s.Updated, e.state.Updated.Unix())
	}
	steps, epochs := x.rate()
	s.Rate, s.ETA = steps, 0
	if left := s.Epochs - s.Epoch; epochs > 0 && left > 0 && s.State == run.Training {
		s.ETA = float64(left) / epochs
	}
	s.Problems = []string{}
	for _, file := range slices.Sorted(maps.Keys(e.faults)) {
		s.Problems = append(s.Problems, file+": "+e.faults[file])
	}
	if e.index.broken > 0 {
		d := e.index.damaged[0]
		text := fmt.Sprintf("%s:%d: %s", run.MetricsFile, d.Line, d.Reason)
		if e.index.broken > 1 {
			text += fmt.Sprintf(", and %d more damaged lines", e.index.broken-1)
		}
		s.Problems = append(s.Problems, text)
	}
	if e.index.more {
		s.Problems = append(s.Problems, fmt.Sprintf("%s: of more than %d measures only the first are shown", run.MetricsFile, mostSeries))
	}
	l.publish(e, s)
}

// measures returns what the table shows. Until all lines have been read, the last values are those
// of the end of the file.
func measures(all, end *index, whole bool) []Measure {
	list := []Measure{}
	have := map[name]bool{}
	for _, n := range all.order {
		s := all.series[n]
		last := s.last
		if t := end.series[n]; !whole && t != nil {
			last = t.last
		}
		m := Measure{Name: n.measure, Split: n.split, N: s.n, Last: valueOf(last), Spark: slices.Clone(s.spark.means)}
		if s.has {
			best := valueOf(s.best)
			m.Best = &best
		}
		list = append(list, m)
		have[n] = true
	}
	if whole {
		return list
	}
	for _, n := range end.order {
		if s := end.series[n]; !have[n] {
			list = append(list, Measure{Name: n.measure, Split: n.split, N: s.n, Last: valueOf(s.last)})
		}
	}
	return list
}

// stateNow returns the state in a word, and why where that is known. A run without state.json, of a
// version that wrote none, tells by its lock file: it holds the number of the process while one
// writes.
func (e *entry) stateNow(host string, now time.Time, s Summary) (state, message string) {
	if e.state != nil {
		state = e.state.Now(host, now)
		message = e.state.Message
		if state == run.Killed && message == "" {
			message = "its process is gone; mattis resume goes on from the newest checkpoint"
		}
		return state, message
	}
	switch {
	case e.pid > 0 && run.Alive(e.pid, e.pidTime):
		return run.Training, ""
	case s.Epochs > 0 && s.Epoch >= s.Epochs:
		return run.Ended, ""
	case e.pid > 0:
		return run.Killed, "its process is gone; mattis resume goes on from the newest checkpoint"
	case len(s.Measures) == 0 && len(s.Checkpoints) == 0:
		return run.Waiting, ""
	case len(s.Measures) == 0: // a machine from elsewhere, or a run that measures nothing
		return run.Ended, ""
	}
	return run.Interrupted, "mattis resume goes on from the newest checkpoint"
}

// environment returns where a run comes from as settings, the last session first where a run was
// resumed.
func environment(env run.Environment) []Setting {
	if env.Version == "" && env.Go == "" {
		return []Setting{}
	}
	last := env.Last()
	list := []Setting{
		{"version", last.Version}, {"go", last.Go}, {"system", last.OS + "/" + last.Arch}, {"kernels", last.Arm},
		{"cpu", strings.Join(last.CPU, " ")}, {"threads", strconv.Itoa(last.Threads)},
		{"begun", env.Start.Format(time.RFC3339)}, {"resumes", strconv.Itoa(len(env.Resumes))},
		{"seed", strconv.FormatUint(env.Seed, 10)}, {"data_sha256", env.Data}, {"command", strings.Join(last.Command, " ")},
	}
	for i := range list {
		list[i].Value = shorten(list[i].Value, 2000)
	}
	return list
}
