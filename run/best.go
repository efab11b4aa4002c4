package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Best is the content of checkpoints/best.json: the step whose measure is the best of the run so
// far, the earliest of equal ones. The checkpoint of that step is there.
type Best struct {
	Step    int     `json:"step"`
	Epoch   int     `json:"epoch"`
	Measure string  `json:"measure"`
	Split   string  `json:"split"` // "" where the measure refers to no data
	Value   float64 `json:"value"`
}

func (d *Directory) bestPath() string { return filepath.Join(d.path, CheckpointsFolder, BestFile) }

// Best returns the content of best.json, or nil where there is none.
func (d *Directory) Best() (*Best, error) {
	text, err := os.ReadFile(d.bestPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b := Best{Step: -1}
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("%s: %w", d.bestPath(), err)
	}
	if b.Step < 0 {
		return nil, fmt.Errorf("%s: step is missing or negative, want that of a checkpoint", d.bestPath())
	}
	return &b, nil
}

// WriteBest sets best.json, and removes it for nil.
func (w *Writer) WriteBest(b *Best) error {
	if w.beside {
		return nil
	}
	if b == nil {
		if err := os.Remove(w.bestPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return WriteFile(w.bestPath(), func(out io.Writer) error { return json.NewEncoder(out).Encode(b) })
}
