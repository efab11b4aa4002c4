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
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"

	"mattis/run"
	"mattis/tensorfile"
)

// Machine is what the checkpoints of a run say of its machine.
type Machine struct {
	Step     int        `json:"step"` // of the newest checkpoint that is whole
	Epoch    int        `json:"epoch"`
	Height   int        `json:"height"` // of the images, 0 for plain rows
	Width    int        `json:"width"`
	Layers   []Layer    `json:"layers"`
	Pairs    []Pair     `json:"pairs"`
	Arrays   []Array    `json:"arrays"`
	History  []Snapshot `json:"history"`  // of the checkpoints, oldest first
	Measured []Spectrum `json:"measured"` // what the measure spectrum found
	// energies of the chains; nil where there are none, or the machine is not restricted
	Chains    *Histogram      `json:"chains"`
	Diagnosis json.RawMessage `json:"diagnosis"`
	// checkpoints that could not be read, and what was left out
	Refused []string `json:"refused"`
}

// Snapshot is what one checkpoint says.
type Snapshot struct {
	Step     int                 `json:"step"`
	Epoch    int                 `json:"epoch"`
	Gains    map[string]float64  `json:"gains"`    // g of each pair with axons
	Spectrum map[string][]number `json:"spectrum"` // singular values of each pair, largest first
	// of each pattern with itself in the oldest checkpoint, by layer: the cosine
	Overlap map[string][]number `json:"overlap"`
	start   int                 // step of that checkpoint
	stamp   stamp
}

// Bounds on what a page makes the server do.
const (
	mostCheckpoint = 256 << 20 // bytes of a checkpoint that is read
	mostHistory    = 24        // checkpoints that are looked at
	mostWork       = 4e8       // multiplications of a spectrum
	mostDiagnosis  = 4 << 20
	mostReaders    = 2 // of checkpoints at a time: they hold a few times its size
)

// begin waits until fewer than mostReaders read checkpoints; who was let in calls end.
func (l *Library) begin(ctx context.Context) error {
	select {
	case l.readers <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Library) end() { <-l.readers }

// checkpoint returns a checkpoint of the run that is whole.
func (e *entry) checkpoint(folder *os.Root, step int) (*run.Checkpoint, stamp, error) {
	file := path.Join(run.CheckpointsFolder, run.CheckpointFile(step))
	// which follows no link out of the folder
	f, info, err := openRegular(folder, path.Join(e.rel, file))
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
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.end()
	e.looking.Lock() // two pages ask for one work
	defer e.looking.Unlock()
	if err := e.history(ctx, folder, spread(steps, mostHistory), m); err != nil {
		return nil, err
	}
	if err := e.spectra(ctx, folder, m); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.Refused = append(m.Refused, run.MetricsFile+": "+reason(err))
	}
	b, err := readSmall(folder, path.Join(e.rel, run.DiagnosisFile), mostDiagnosis)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		m.Refused = append(m.Refused, run.DiagnosisFile+": "+reason(err))
	case !json.Valid(b) || len(bytes.TrimSpace(b)) == 0 || bytes.TrimSpace(b)[0] != '{':
		m.Refused = append(m.Refused, run.DiagnosisFile+": is no JSON object; mattis diagnose writes it anew")
	default:
		m.Diagnosis = b
	}
	return m, nil
}

// history fills in what checkpoints say. Of those that were read before only what was found is
// left.
func (e *entry) history(ctx context.Context, folder *os.Root, steps []int, m *Machine) error {
	found := map[int]Snapshot{}
	var start *tensorfile.File
	first := -1
	for i, step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		newest := i == len(steps)-1
		info, err := folder.Stat(path.Join(e.rel, run.CheckpointsFolder, run.CheckpointFile(step)))
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
