package watch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"slices"

	"mattis/internal/spectrum"
	"mattis/run"
	"mattis/tensorfile"
)

// Bounds on the spectra of a page.
const (
	mostSpectra  = 200 // lines of the measure spectrum
	mostSingular = 64  // singular values that are sent of a pair
	mostPairs    = 32
)

// Spectrum is the singular values that a measure found, largest first.
type Spectrum struct {
	Step   int                 `json:"step"`
	Epoch  int                 `json:"epoch"`
	Values map[string][]number `json:"values"` // of each pair; "" of the only one
}

// singularValues returns the singular values of a pair's couplings, largest first.
func singularValues(f *tensorfile.File, p Pair) ([]float64, error) {
	work := func(a, b, c int) error {
		if float64(a)*float64(b)*float64(c) > mostWork {
			return fmt.Errorf("too large for the page; measure.test=[spectrum] measures them while it trains")
		}
		return nil
	}
	if p.Kind == "axons" {
		a, b := matrix(f, "patterns."+p.A), matrix(f, "patterns."+p.B)
		if a == nil || b == nil || a.RawMatrix().Rows != b.RawMatrix().Rows {
			return nil, errors.New("the patterns are no finite matrices with as many rows")
		}
		k, gain := a.RawMatrix().Rows, scalar(f, gainName(f, p), 0)
		if p.A == p.B { // with a diagonal of zero it is no product of two patterns
			n := a.RawMatrix().Cols
			if err := work(n, n, max(n, k)); err != nil {
				return nil, err
			}
			return spectrum.Values(spectrum.Self(a, gain))
		}
		if err := work(k, k, max(k, a.RawMatrix().Cols, b.RawMatrix().Cols)); err != nil {
			return nil, err
		}
		return spectrum.Values(spectrum.Core(a, b, gain))
	}
	name := "weights." + p.name()
	if _, ok := f.Tensor(name); !ok {
		name = "weights"
	}
	w := matrix(f, name)
	if w == nil {
		return nil, fmt.Errorf("%s is no finite matrix", name)
	}
	rows, columns := w.Dims()
	if err := work(rows, columns, min(rows, columns)); err != nil {
		return nil, err
	}
	return spectrum.Values(w)
}

// spectra fills in what the measure spectrum has found.
func (e *entry) spectra(ctx context.Context, folder *os.Root, m *Machine) error {
	e.mu.Lock()
	any := slices.ContainsFunc(e.summary.Measures, func(x Measure) bool { return x.Name == "spectrum" })
	e.mu.Unlock()
	if !any {
		return nil
	}
	file, _, err := openRegular(folder, path.Join(e.rel, run.MetricsFile))
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
		type found struct {
			Pair        string    `json:"pair"`
			Values      []float64 `json:"singular_values"`
			Eigenvalues []float64 `json:"eigenvalues"` // of a layer with itself
		}
		var d struct {
			found
			Pairs []found `json:"pairs"`
		}
		if err != nil || n.measure != "spectrum" {
			return
		}
		if met++; (met-1)%every != 0 {
			return
		}
		if json.Unmarshal(detail, &d) != nil {
			return
		}
		if len(d.Pairs) == 0 {
			d.Pairs = []found{d.found}
		}
		s := Spectrum{Step: at.Step, Epoch: at.Epoch, Values: map[string][]number{}}
		for _, p := range d.Pairs[:min(len(d.Pairs), mostPairs)] {
			values := p.Values
			if len(p.Eigenvalues) > 0 {
				for _, x := range p.Eigenvalues {
					values = append(values, math.Abs(x))
				}
				slices.SortFunc(values, func(a, b float64) int { return cmp.Compare(b, a) })
			}
			for _, x := range values[:min(len(values), mostSingular)] {
				s.Values[p.Pair] = append(s.Values[p.Pair], number(x))
			}
		}
		if len(s.Values) == 0 {
			return
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
