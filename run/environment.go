package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Session is one process that trained: the program, the machine and the order
// it was given.
type Session struct {
	Version string    `json:"version"` // of the program
	Go      string    `json:"go"`      // version of the compiler
	OS      string    `json:"os"`
	Arch    string    `json:"arch"`
	CPU     []string  `json:"cpu"` // features that kernels may use: "avx2", "fma"
	Arm     string    `json:"arm"` // the kernels in use: "avx512", "avx2", "generic"
	Threads int       `json:"threads"`
	Start   time.Time `json:"start"`
	Command []string  `json:"command"` // the command line, program first
	Step    int       `json:"step"`    // of the checkpoint it began with, 0 for none

	// Recipe is the recipe's name: a run directory has it under recipe.yaml whatever it was.
	Recipe string `json:"recipe,omitempty"`
	// Paths is where the files and folders were that fields of the recipe's data name, absolute.
	Paths map[string]string `json:"paths,omitempty"`
}

// Environment is the content of env.json: where a run comes from.
type Environment struct {
	Session           // the process that began the run
	Seed    uint64    `json:"seed"`
	Data    string    `json:"data_sha256"` // digest of the training data, in hexadecimal digits
	Resumes []Session `json:"resumes"`     // one entry for each time the run went on

	// Init is the log pseudo-likelihood of the training set, in nats a row, under the parameters of
	// another run that the training began with; nil for a training that began with its recipe's.
	Init *float64 `json:"init_pseudo_likelihood,omitempty"`

	// Converted says where a machine comes from that was not trained here; nil for trainings.
	Converted *Conversion `json:"converted,omitempty"`
}

// Conversion is where a machine was converted from.
type Conversion struct {
	From    string `json:"from"`    // the run directory or the file, as it was given
	Program string `json:"program"` // whose names its arrays had
	Digest  string `json:"sha256"`  // of the checkpoint or the file, in hexadecimal digits
}

// Known reports whether there is an environment at all.
func (e Environment) Known() bool { return e.Version != "" || len(e.Resumes) > 0 }

// Last returns the session that wrote last.
func (e Environment) Last() Session {
	if n := len(e.Resumes); n > 0 {
		return e.Resumes[n-1]
	}
	return e.Session
}

// Environment returns the content of env.json, or the zero Environment where there is none: nothing
// hangs on it.
func (d *Directory) Environment() (Environment, error) {
	var e Environment
	path := d.join(EnvironmentFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// WriteEnvironment sets env.json.
func (w *Writer) WriteEnvironment(e Environment) error {
	if w.beside {
		return nil
	}
	if e.Resumes == nil {
		e.Resumes = []Session{}
	}
	return WriteFile(w.join(EnvironmentFile), func(out io.Writer) error {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(e)
	})
}

// AppendSession adds s to the resumes in env.json.
func (w *Writer) AppendSession(s Session) error {
	if w.beside {
		return nil
	}
	e, err := w.Environment()
	if err != nil {
		return err
	}
	e.Resumes = append(e.Resumes, s)
	return w.WriteEnvironment(e)
}
