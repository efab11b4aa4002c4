package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mattis/run"
	"mattis/tensorfile"
)

// Conversion says how Convert turns one form of a machine into another.
type Conversion struct {
	// To is the form wanted: axons, dense (both in spins) or bernoulli (0/1 variables, the names of
	// another program) of a restricted machine, full or hybrid of one of these (Appendix E). "" keeps
	// the form; 0/1 variables become spins with dense couplings.
	To string
	// Patterns is K of To axons; 0 keeps those of axons.
	Patterns int
	// Program is whose names To bernoulli writes, one of Dialects; "" means scikit-learn.
	Program string
	// Foreign says what the file of another program leaves open.
	Foreign Foreign
	// Height and Width are those of the images; 0 keeps what the machine has.
	Height, Width int
	// Checkpoint is the step of the run directory's checkpoint that is read; below 0 the newest
	// good one.
	Checkpoint int
	// Force lets a file be overwritten. A run directory never is.
	Force bool
	// Session describes this process for the env.json of a run directory.
	Session run.Session
}

// Converted tells what Convert did.
type Converted struct {
	Machine    *Portable   // what was written, in spins; nil of To full and hybrid
	Pairwise   *Pairwise   // what was written of To full and hybrid
	Program    string      // whose names the input had, "mattis" or one of Dialects
	Truncation *Truncation // nil where no couplings were truncated
	Refused    []error     // damaged checkpoints that were passed over
}

// forms are what To may be.
var forms = []string{"axons", "dense", "bernoulli", "full", "hybrid"}

// Forms returns what Conversion.To may be.
func Forms() []string { return slices.Clone(forms) }

// files are extensions of files that are no run directory, and what to do about them. Others are
// parts of a name.
var files = map[string]string{
	".npy": "it holds one array; use .npz or .safetensors", ".h5": "make it an npz, see docs/format.md", ".hdf5": "make it an npz, see docs/format.md",
	".pt": "make it an npz or safetensors, see docs/format.md", ".pth": "make it an npz or safetensors, see docs/format.md",
	".json": "use .npz or .safetensors", ".csv": "use .npz or .safetensors", ".txt": "use .npz or .safetensors", ".yaml": "use .npz or .safetensors",
	".zip": "use .npz or .safetensors", ".mat": "use .npz or .safetensors", ".ckpt": "use .npz or .safetensors", ".png": "use .npz or .safetensors",
	".pkl": "make it an npz, see docs/format.md", ".pickle": "make it an npz, see docs/format.md", ".joblib": "make it an npz, see docs/format.md",
}

// isArrays reports whether the path is that of an npz or safetensors file; another file is an
// error.
func isArrays(path string) (bool, error) {
	ext := strings.ToLower(filepath.Ext(path))
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return false, nil
	}
	if near := ext != ".npz" && strings.HasPrefix(ext, ".np") || ext != ".safetensors" && strings.HasPrefix(ext, ".safet"); near && files[ext] == "" {
		return false, fmt.Errorf("%s: the extension %s names no format, want .npz, .safetensors, or a run directory's name", path, ext)
	}
	if advice, ok := files[ext]; ok {
		return false, fmt.Errorf("%s: neither a run directory, an .npz nor a .safetensors file: %s", path, advice)
	}
	return ext == ".npz" || ext == ".safetensors", nil
}

// Check returns what is wrong with the conversion itself.
func (c Conversion) Check() error {
	switch {
	case c.To != "" && !slices.Contains(forms, c.To):
		return fmt.Errorf("to %q is unknown, want %s", c.To, strings.Join(forms, ", "))
	case c.Patterns < 0:
		return fmt.Errorf("patterns %d is out of range, want at least 1", c.Patterns)
	case c.Patterns > 0 && c.To != "axons":
		return errors.New("patterns are for a conversion to axons")
	case c.Program != "" && c.To != "bernoulli":
		return errors.New("the names of another program are for a conversion to bernoulli")
	case c.Program != "" && !slices.Contains(Dialects(), c.Program):
		return fmt.Errorf("no names of %q are known, only of %s", c.Program, strings.Join(Dialects(), ", "))
	}
	return nil
}

// Convert writes the machine of in, a run directory or an .npz or .safetensors file, to out. An out
// of another name is a new run directory, whose checkpoint 0 is the machine. With neither a form
// nor images wanted, a file of this program is written to a file as it is, with all its tensors.
func Convert(in, out string, c Conversion) (*Converted, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	toFile, err := isArrays(out)
	if err != nil {
		return nil, err
	}
	switch _, err := os.Lstat(out); {
	case err == nil && !toFile && !run.Unused(out):
		return nil, fmt.Errorf("%s: %w; a run directory is never overwritten, give a new one, or a .npz or .safetensors file", out, fs.ErrExist)
	case err == nil && toFile && !c.Force:
		return nil, fmt.Errorf("%s: %w; give another name, or --force to overwrite it", out, fs.ErrExist)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if c.To == "bernoulli" && !toFile {
		return nil, fmt.Errorf("%s: a run directory holds spins; 0/1 variables go to a .npz or .safetensors file", out)
	}
	file, path, from, refused, err := c.open(in)
	if err != nil {
		return nil, err
	}
	done := &Converted{Refused: refused}
	if c.To == "full" || c.To == "hybrid" {
		done.Program = "mattis"
		if done.Pairwise, err = convertPairwise(file, c.To); err == nil {
			err = reshape(c, &done.Pairwise.Height, &done.Pairwise.Width, done.Pairwise.Visible-len(done.Pairwise.LabelNames))
		}
	} else {
		done.Machine, done.Program, err = ReadPortable(file, c.Foreign)
		if err == nil {
			err = done.shape(c)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var arrays *tensorfile.File
	switch {
	case done.Pairwise != nil:
		arrays, err = done.Pairwise.file()
	case c.To == "bernoulli":
		arrays, err = done.Machine.Bernoulli(c.Program)
	case toFile && c.To == "" && done.Program == "mattis":
		arrays = &tensorfile.File{Tensors: file.Tensors, Metadata: map[string]string{}}
		maps.Copy(arrays.Metadata, file.Metadata)
		delete(arrays.Metadata, "sha256") // of the checkpoint's bytes
		if done.Machine.Height > 0 {
			arrays.Metadata["height"], arrays.Metadata["width"] = strconv.Itoa(done.Machine.Height), strconv.Itoa(done.Machine.Width)
		}
	default:
		arrays, err = done.Machine.file()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if toFile {
		return done, writeArrays(out, arrays)
	}
	origin := &run.Conversion{From: in, Program: done.Program}
	if origin.Digest, err = digestOf(path); err != nil {
		return nil, err
	}
	return done, done.writeRun(out, arrays, from, run.Environment{Session: c.Session, Converted: origin})
}

// open returns the tensors of in, the file that they are in, and the run that it belongs to, nil
// for a file alone.
func (c Conversion) open(in string) (f *tensorfile.File, path string, from *origins, refused []error, err error) {
	inFile, err := isArrays(in)
	if err != nil {
		return nil, "", nil, nil, err
	}
	if inFile {
		f, err := readArrays(in)
		return f, in, nil, nil, err
	}
	d, err := run.Open(filepath.Clean(in))
	if err != nil {
		if info, statErr := os.Stat(in); statErr == nil && !info.IsDir() {
			err = fmt.Errorf("%s: the extension %q names no array format, want a run directory, an .npz or a .safetensors file", in, filepath.Ext(in))
		}
		return nil, "", nil, nil, err
	}
	text, err := d.Recipe()
	if err != nil {
		return nil, "", nil, nil, err
	}
	from = &origins{}
	if from.recipe, err = Parse(d.Path()+"/recipe.yaml", text); err != nil {
		return nil, "", nil, nil, err
	}
	var checkpoint *run.Checkpoint
	if c.Checkpoint >= 0 {
		checkpoint, err = d.Checkpoint(c.Checkpoint)
	} else {
		checkpoint, refused, err = d.Newest()
	}
	if err != nil {
		return nil, "", nil, refused, err
	}
	from.data = checkpoint.File.Metadata["data"]
	return checkpoint.File, checkpoint.Path, from, passedOver(refused, "update %d is taken", checkpoint.Step), nil
}

// origins are the recipe of the run that a machine comes from and the digest of its training data.
type origins struct {
	recipe *Recipe
	data   string
}

// shape brings the machine into the form that is wanted.
func (d *Converted) shape(c Conversion) (err error) {
	p := d.Machine
	if err := reshape(c, &p.Height, &p.Width, p.Visible-len(p.LabelNames)); err != nil {
		return err
	}
	switch {
	case c.To == "dense":
		d.Machine = p.Dense()
	case c.To == "axons" && (c.Patterns > 0 && c.Patterns != p.Patterns):
		d.Machine, d.Truncation, err = p.Axons(c.Patterns)
	case c.To == "axons" && p.Patterns == 0:
		return fmt.Errorf("dense couplings become axons of a number of patterns: give it, from 1 to %d", min(p.Visible, p.Hidden))
	}
	return err
}

// reshape sets the shape of images to that of the conversion, if it has one.
func reshape(c Conversion, height, width *int, pixels int) error {
	if c.Height == 0 && c.Width == 0 {
		return nil
	}
	if !fitsImage(c.Height, c.Width, pixels) {
		return fmt.Errorf("images of %dx%d and %d visible spins", c.Height, c.Width, pixels)
	}
	*height, *width = c.Height, c.Width
	return nil
}

// writeArrays writes the file in one step: it is there whole or not at all. A safetensors file
// holds the digest of its content; an npz has sums of its own.
func writeArrays(path string, f *tensorfile.File) error {
	return run.WriteFile(path, func(w io.Writer) error {
		if isNPZ(path) {
			return tensorfile.WriteNPZ(w, f)
		}
		return run.WriteSealed(w, f)
	})
}

func isNPZ(path string) bool { return strings.ToLower(filepath.Ext(path)) == ".npz" }

// readArrays returns the arrays of an npz or safetensors file, whose digest, if it has one, is that
// of its content.
func readArrays(path string) (*tensorfile.File, error) {
	if isNPZ(path) {
		return tensorfile.Read(path)
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	f, _, err := run.ReadArrays(in, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// digestOf returns the SHA-256 of the file at path in hexadecimal digits.
func digestOf(path string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// writeRun makes the run directory whose checkpoint 0 is the machine, or none where that fails.
func (d *Converted) writeRun(path string, f *tensorfile.File, from *origins, env run.Environment) (err error) {
	r, err := d.recipe(from)
	if err != nil {
		return err
	}
	f.Metadata["epoch"], f.Metadata["recipe"], f.Metadata["converted"] = "0", r.Digest(), d.Program
	f.Metadata["key"] = strconv.FormatUint(uint64(r.Key().Fold(purposeTrain)), 16)
	f.Metadata["data"] = ""
	if from != nil {
		f.Metadata["data"] = from.data
	}
	w, err := run.Create(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer func() {
		w.Close()
		if err != nil {
			os.RemoveAll(w.Path())
		}
	}()
	env.Seed, env.Data = r.Seed, f.Metadata["data"]
	if err := w.WriteEnvironment(env); err != nil {
		return err
	}
	if err := w.Save(0, f); err != nil {
		return err
	}
	return w.WriteRecipe(r.YAML())
}

// recipe returns a recipe of the machine: that of the run that it comes from, or one
// without data, with the machine and the couplings that it has now and nothing to train.
func (d *Converted) recipe(from *origins) (*Recipe, error) {
	kind, patterns := "dense", 0
	if d.Machine != nil {
		kind, patterns = d.Machine.Kind(), d.Machine.Patterns
	}
	r := defaults(&Recipe{Data: Data{Name: "none"}, Couplings: Couplings{Kind: kind}, Negative: Negative{Kind: "cd"}})
	r.Train.Batch = 1
	if from != nil {
		r = from.recipe
	}
	if p := d.Machine; p != nil {
		r.Machine.Hidden = Sizes{p.Hidden}
		r.Machine.Biases = [2][2]string{{"none", "hidden"}, {"visible", "both"}}[there(p.VisibleBias)][there(p.HiddenBias)]
		r.Machine.Offset, r.Machine.OffsetRate = [2]string{"none", "mean"}[there(p.Offset)], nil // hidden ones are in the biases
	} else {
		p := d.Pairwise
		r.Machine = Machine{Kind: p.Kind(), Hidden: Sizes{p.Hidden}, Biases: [2]string{"none", "visible"}[there(p.Bias)], Offset: "none"}
		r.Positive = Positive{Kind: "marginal"}
	}
	if r.Couplings.Kind != kind || r.Couplings.storesMemories() {
		r.Couplings = defaults(&Recipe{Couplings: Couplings{Kind: kind}}).Couplings
	}
	if patterns > 0 {
		*r.Couplings.Patterns, *r.Couplings.Gain = patterns, Gains{All: math.Exp(float64(d.Machine.LogGain))}
	} else {
		if k, _ := find(negatives, r.Negative.Kind); k.axons {
			r.Negative = defaults(&Recipe{Negative: Negative{Kind: "cd"}}).Negative
		}
		r.Project = Project{Update: []Choice{}, Epoch: []Choice{}}
	}
	r.Train.Epochs = 0
	text := r.YAML()
	checked, err := Parse("recipe of the converted machine", text)
	if err != nil {
		return nil, fmt.Errorf("%w, in\n%s", err, text)
	}
	return checked, nil
}

func there(x []float64) int {
	if x == nil {
		return 0
	}
	return 1
}
