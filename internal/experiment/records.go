package experiment

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"mattis/run"
)

// recordsName is the table of a figure's finished instances beside its CSV, a line each. It stands for
// their run directories where these are not there: hours of training are taken to another folder, or
// kept for years, as a short text.
const recordsName = "instances.jsonl"

// kept is a finished instance as a line of the table: all that drawing takes of it.
type kept struct {
	Method    string       `json:"method"`
	Seed      uint64       `json:"seed"`
	Precision string       `json:"precision,omitempty"` // of a training in another than float32
	Recipe    string       `json:"recipe,omitempty"`    // of a training
	Metrics   []run.Metric `json:"metrics,omitempty"`   // of a training
	record
}

// is reports whether the line is of the instance.
func (k *kept) is(i *instance) bool {
	return k.Method == i.arm.name && k.Seed == i.seed && k.Precision == precisionName(i.precision)
}

// same reports whether the line has the settings that the instance has now. Defaults of a recipe that came since
// are no difference.
func (k *kept) same(i *instance, miniature bool) (bool, error) {
	if i.arm.recipe == "" {
		return slices.Equal(k.Settings, i.arm.settingsOf(miniature)), nil
	}
	want, err := i.recipeOf(miniature)
	if err != nil {
		return false, err
	}
	return want.SameAs("the recipe", []byte(k.Recipe))
}

// readRecords calls do with every line of a figure's table, and it with what it holds. No file is no lines.
func readRecords(path string, do func(line []byte, k *kept) error) error {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	lines := bufio.NewReader(in)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", path, err)
		}
		var k kept
		if err = json.Unmarshal(line, &k); err == nil {
			err = do(line, &k)
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w; remove the line, and the instance is made again", path, number, err)
		}
	}
}

// fromRecords reads those of the instances that are left from the figure's table, and takes them from left. It is
// an error where a line is of other settings than the figure has.
func (f *Figure) fromRecords(o Options, all []*instance, left map[*instance]bool) error {
	return readRecords(filepath.Join(o.Out, f.Name, recordsName), func(_ []byte, k *kept) error {
		for _, i := range all {
			if !left[i] || !k.is(i) {
				continue
			}
			same, err := k.same(i, o.Miniature)
			if err != nil {
				return err
			}
			if !same {
				return fmt.Errorf("%s was made with other settings than this figure has", i.key())
			}
			i.record, i.metrics, i.finished = k.record, k.Metrics, true
			delete(left, i)
		}
		return nil
	})
}

// writeRecords sets the figure's table to the instances that are finished, and what it has beside.
func (f *Figure) writeRecords(o Options, all []*instance) error {
	path := filepath.Join(o.Out, f.Name, recordsName)
	var table bytes.Buffer
	out := json.NewEncoder(&table)
	out.SetEscapeHTML(false)
	for _, i := range all {
		if !i.finished {
			continue
		}
		k := kept{Method: i.arm.name, Seed: i.seed, Precision: precisionName(i.precision), Metrics: i.metrics, record: i.record}
		if i.arm.recipe != "" {
			made, err := i.recipeOf(o.Miniature)
			if err != nil {
				return err
			}
			k.Recipe = string(made.YAML())
		}
		if err := out.Encode(k); err != nil {
			return err
		}
	}
	if err := readRecords(path, func(line []byte, k *kept) error {
		if !slices.ContainsFunc(all, func(i *instance) bool { return i.finished && k.is(i) }) {
			table.Write(line)
		}
		return nil
	}); err != nil || table.Len() == 0 {
		return err
	}
	return run.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(table.Bytes())
		return err
	})
}
