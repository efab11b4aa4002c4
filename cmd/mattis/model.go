package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mattis/data"
	"mattis/recipe"
	"mattis/run"
)

// modelFlags are the flags of the commands that use a trained machine.
type modelFlags struct {
	checkpoint string
	threads    int
	threshold  float64
	set        []string // of the data, see addInput
}

func (f *modelFlags) add(cmd *cobra.Command) {
	addCheckpoint(cmd, &f.checkpoint, "checkpoint to use")
	cmd.Flags().IntVar(&f.threads, "threads", 0, "threads; 0 takes one a core. Results do not depend on it")
}

// addCheckpoint adds the flag --checkpoint.
func addCheckpoint(cmd *cobra.Command, value *string, what string) {
	cmd.Flags().StringVar(value, "checkpoint", "last", what+": the `step` in its name, best (see train.best) or last, the newest good one")
}

// checkCheckpoint refuses what names no checkpoint.
func checkCheckpoint(name string) error {
	if _, err := strconv.ParseUint(name, 10, 62); err != nil && name != "best" && name != "last" {
		return usageError{fmt.Errorf("--checkpoint %q is no checkpoint, want a step, such as 600, best or last", name)}
	}
	return nil
}

// stepOf returns the step of a checkpoint that checkCheckpoint takes, -1 for the newest good one.
func stepOf(d *run.Directory, name string) (int, error) {
	switch name {
	case "last":
		return -1, nil
	case "best":
		b, err := d.Best()
		switch {
		case err != nil:
			return 0, err
		case b == nil:
			return 0, fmt.Errorf("--checkpoint best: %s has none: a training keeps the best one of the measure that train.best.measure names, once that is measured", d.Path())
		}
		return b.Step, nil
	}
	return strconv.Atoi(name)
}

// addThreshold adds the flag of the commands that read files of greys.
func (f *modelFlags) addThreshold(cmd *cobra.Command) {
	cmd.Flags().Float64Var(&f.threshold, "threshold", 0, "`grey` value in [0,1) above which a pixel of a file is +1 (default the recipe's rule)")
	cmd.Flags().Lookup("threshold").DefValue = "0" // which help leaves out
}

// addInput adds the flags of the commands that read rows, which may be those of a file.
func (f *modelFlags) addInput(cmd *cobra.Command) {
	f.addThreshold(cmd)
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "set a field of the data by `path=value`, such as data.header=true: of the input file, or of the recipe whose train, test or validation is read (repeatable)")
}

// openFor is open for a command that reads the input, a set of the recipe's data or a file.
func (f *modelFlags) openFor(cmd *cobra.Command, dir, input string) (m *recipe.Model, closing func(), err error) {
	for _, s := range f.set {
		if !strings.HasPrefix(s, "data.") {
			return nil, nil, usageError{fmt.Errorf("--set %s: want a field of the data, such as data.header=true", s)}
		}
	}
	if recipe.IsSet(input) {
		if cmd.Flags().Changed("threshold") {
			return nil, nil, usageError{fmt.Errorf("--threshold %v: is for the greys of a file; %s is binarised as the recipe says", f.threshold, input)}
		}
		return f.open(cmd, dir, f.set...)
	}
	if m, closing, err = f.open(cmd, dir); err == nil {
		m.FileSettings = f.set
	}
	return m, closing, err
}

// open returns the machine of the run directory and what gives its memory back.
func (f *modelFlags) open(cmd *cobra.Command, dir string, settings ...string) (m *recipe.Model, closing func(), err error) {
	if err := checkCheckpoint(f.checkpoint); err != nil {
		return nil, nil, err
	}
	binarize := data.Binarize{}
	if cmd.Flags().Changed("threshold") {
		if binarize.Threshold = &f.threshold; !(f.threshold >= 0 && f.threshold < 1) {
			return nil, nil, usageError{fmt.Errorf("--threshold %v is out of range, want a grey value of at least 0 and below 1", f.threshold)}
		}
	}
	engine, _, err := newEngine(f.threads)
	if err != nil {
		return nil, nil, err
	}
	d, err := run.Open(filepath.Clean(dir))
	step := -1
	if err == nil {
		step, err = stepOf(d, f.checkpoint)
	}
	if err == nil {
		err = enoughMemory(dir, modelCopies*float64(d.CheckpointSize(step)))
	}
	if err == nil {
		var refused []error
		m, refused, err = recipe.LoadModel(d, step, engine, settings...)
		for _, r := range refused {
			fmt.Fprintln(cmd.ErrOrStderr(), "damaged checkpoint passed over:", r)
		}
	}
	if err != nil {
		engine.Close()
		return nil, nil, err
	}
	m.Binarize = binarize
	return m, engine.Close, nil
}

// modelCopies is how often the numbers of a checkpoint are held while a machine is read: in the
// file's tensors, in the machine, and as its gradients.
const modelCopies = 3

// typedError is an error that quotes settings as they were typed.
type typedError struct {
	error
	text string
}

func (e typedError) Error() string { return e.text }
func (e typedError) Unwrap() error { return e.error }

// asTyped returns err with settings quoted as they were typed where a recipe has longer paths for
// them.
func asTyped(err error, settings, typed []string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for i, s := range settings {
		if s == typed[i] || !strings.Contains(text, "--set "+s) {
			continue
		}
		text = strings.ReplaceAll(text, strings.TrimSuffix(s, typed[i]), "")
	}
	return typedError{err, text}
}

// outFlag is the flag --out, or another name for it, and --force beside it.
type outFlag struct {
	name  string // "" for out
	path  string
	force bool
}

// flag returns the flag as it is typed.
func (o outFlag) flag() string { return "--" + cmp.Or(o.name, "out") }

func (o *outFlag) add(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVar(&o.path, cmp.Or(o.name, "out"), "", usage)
	cmd.Flags().BoolVar(&o.force, "force", false, "overwrite the file of "+o.flag())
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return o.blame(run(cmd, args)) }
}

// check refuses a path whose extension is none of those given, "" meaning that the flag may be left
// out.
func (o outFlag) check(extensions ...string) error {
	ext := strings.ToLower(filepath.Ext(o.path))
	var named []string
	for _, e := range extensions {
		if e == ext && (e != "" || o.path == "") {
			return o.checkPlace()
		}
		if e != "" {
			named = append(named, "FILE"+e)
		}
	}
	if o.path == "" {
		return usageError{fmt.Errorf("%s is missing, want %s", o.flag(), strings.Join(named, " or "))}
	}
	return usageError{fmt.Errorf("%s %s: want %s", o.flag(), o.path, strings.Join(named, " or "))}
}

// checkPlace refuses a path where no file can be, or where one is already, before the work is done.
func (o outFlag) checkPlace() error {
	if o.path == "" {
		if o.force {
			return usageError{fmt.Errorf("--force is for %s FILE", o.flag())}
		}
		return nil
	}
	folder := filepath.Dir(o.path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("%s %s: there is no folder %s", o.flag(), o.path, folder)
	}
	if info, err := os.Stat(o.path); err == nil && info.IsDir() {
		return fmt.Errorf("%s %s: is a folder, want a file", o.flag(), o.path)
	}
	if _, err := os.Lstat(o.path); err == nil && !o.force {
		return fmt.Errorf("%s %s: %w; give another name, or --force to overwrite it", o.flag(), o.path, fs.ErrExist)
	}
	return nil
}

// blame returns the error of writing the file under the flag's name.
func (o outFlag) blame(err error) error {
	var call *fs.PathError
	if errors.As(err, &call) && call.Path == o.path {
		return fmt.Errorf("%s %s: %w", o.flag(), o.path, call.Err)
	}
	return err
}

func (o outFlag) is(ext string) bool { return strings.ToLower(filepath.Ext(o.path)) == ext }

// wrote tells where the output is.
func (o outFlag) wrote(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s: %s\n", o.path, fmt.Sprintf(format, args...))
}

// tellNotes prints what users should know of how the rows were read.
func tellNotes(cmd *cobra.Command, sets ...*data.Set) {
	var told []string
	for _, s := range sets {
		if s == nil {
			continue
		}
		for _, n := range s.Notes {
			if !slices.Contains(told, n) {
				fmt.Fprintln(cmd.ErrOrStderr(), "note:", n)
				told = append(told, n)
			}
		}
	}
}

// checkCount refuses the value of a flag that is not least to most.
func checkCount(flag string, value, least, most int) error {
	if value < least || value > most {
		return usageError{fmt.Errorf("--%s %d is out of range, want %d to %d", flag, value, least, most)}
	}
	return nil
}

// mostRows bounds the counts that flags give where nothing else does.
const mostRows = 1 << 30

// required refuses an empty flag that has to be given.
func required(flag, value, want string) error {
	if value == "" {
		return usageError{fmt.Errorf("--%s is missing, want %s", flag, want)}
	}
	return nil
}

// textWidth is the width of the widest images that are shown as text, and
// lineLength that of the longest plain rows.
const textWidth, lineLength = 16, 256

// columns returns the columns of the terminal that w is, 80 for none.
func columns(w io.Writer) int {
	if _, width := terminal(w); width > 0 {
		return width
	}
	return 80
}
