package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mattis/data"
	"mattis/recipe"
	"mattis/run"
	"mattis/view"
)

func dataShowCommand() *cobra.Command {
	var settings []string
	var count int
	var asJSON bool
	var out outFlag
	cmd := &cobra.Command{
		Use:   "show NAME|FILE",
		Short: "Show a data set before a machine is trained on it: what it holds and how it is read",
		Long: fmt.Sprintf(`Show a data set as a recipe sees it: the rows and the SHA-256 of each part, how many rows each label has, what is missing,
constant or there twice, the likelihood that any machine has to beat (that of independent spins with the means of the training set), and the
first images, as text if they are up to %d pixels wide.

NAME is one of mattis data list; a built-in recipe, a recipe's file (.yaml) or a run
directory, whose data are shown. Of a FILE, or a folder of images, the values are counted as they are, and what reads it is found: the
kind of file, what separates values, a line of names, a column of labels, and where the values are greys a threshold of half of white. --set gives what
is not found so, and the last line is the data section of a recipe; mattis init FILE writes the whole one.

Missing entries (NaN, nothing, ?) are counted here and shown as ?; data.missing=allow trains on the others.`, textWidth),
		Example: `  mattis data show spins.csv
  mattis data show spins.csv --set labels=3 --set binarize.threshold=0.3 --json
  mattis data show bas --set size=5 --set split=random --count 4
  mattis data show bars --out bars.png`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkCount("count", count, 0, mostRows); err != nil {
				return err
			}
			if err := out.check(".png", ""); err != nil {
				return err
			}
			s, err := showable(args[0], settings)
			if err != nil {
				return err
			}
			tellNotes(cmd, s.split.Train, s.split.Test, s.split.Validation)
			if s.look != nil {
				tellLook(cmd, s.look)
			}
			if !asJSON {
				return s.print(cmd, count, out)
			}
			if err := s.draw(cmd, count, out); err != nil {
				return err
			}
			return s.json(cmd)
		},
	}
	cmd.Flags().StringArrayVar(&settings, "set", nil, "set a field of the recipe's data section by `path=value`, such as size=5 (repeatable)")
	cmd.Flags().IntVar(&count, "count", 10, "images of each part to show")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it all as one JSON line and nothing else")
	out.add(cmd, "`file` to draw the images to, .png")
	return cmd
}

// exhibit is a data set, and how it is read.
type exhibit struct {
	split *data.Split
	rule  string      // that made spins of the values, "" for sets that are made
	look  *data.Look  // of a file; nil for what a name or a recipe says
	data  recipe.Data // section of a recipe that reads it
}

// showable returns the data that name stands for.
func showable(name string, typed []string) (s *exhibit, err error) {
	settings := make([]string, len(typed))
	for i, s := range typed {
		if settings[i] = s; !strings.HasPrefix(s, "data.") {
			settings[i] = "data." + s
		}
	}
	defer func() { err = asTyped(err, settings, typed) }()
	var r *recipe.Recipe
	ext := strings.ToLower(filepath.Ext(name))
	_, builtin := recipe.Builtin(name)
	_, source := data.Named(name)
	switch {
	case source:
		r, err = recipe.Parse("data "+name, fmt.Appendf(nil, "data: {name: %s}\nmachine: {hidden: 1}\ntrain: {epochs: 0, batch: 1}\n", name), settings...)
	case builtin || ext == ".yaml" || ext == ".yml":
		r, err = recipe.Load(name, settings...)
	case !isRun(name):
		return showFile(name, settings)
	default:
		r, err = recipe.Load(filepath.Join(name, "recipe.yaml"), settings...)
	}
	var field *recipe.FieldError
	if source && errors.As(err, &field) && field.Path == "data.path" {
		return nil, usageError{fmt.Errorf("data %s: the path of the files is missing: --set path=FILE", name)}
	}
	if err != nil {
		return nil, err
	}
	s = &exhibit{data: r.Data}
	if r.Data.Path != nil {
		s.rule = noRule
	}
	if r.Data.Binarize != nil {
		s.rule = r.Data.Binarize.String()
	}
	digest := ""
	if dir, no := run.Open(name); no == nil && !source && !builtin && len(settings) == 0 {
		env, err := dir.Environment()
		if err != nil {
			return nil, err
		}
		digest = env.Data // as the run has them
	}
	s.split, _, err = r.LoadDataOf(digest)
	return s, err
}

// noRule says that no rule makes spins of values.
const noRule = "none: the values are two already"

func isRun(dir string) bool {
	_, err := run.Open(dir)
	return err == nil
}

// showFile looks at a file, reads it by what it shows and by the settings, and takes missing
// entries.
func showFile(name string, settings []string) (*exhibit, error) {
	look, err := recipe.LookAt(name, settings)
	if err != nil {
		return nil, unknownData(name, err)
	}
	if err := look.Problem(); err != nil {
		return nil, err
	}
	split, err := look.Load()
	if err != nil {
		return nil, err
	}
	s := &exhibit{split: split, rule: noRule, look: look.Look, data: look.Data()}
	if s.data.Binarize != nil {
		s.rule = s.data.Binarize.String()
		if w := s.data.White; w != nil {
			s.rule += fmt.Sprintf(" of white %v", *w)
		}
	}
	return s, nil
}

// unknownData returns the error of reading name, or where there is no such file that it is no data
// at all.
func unknownData(name string, err error) error {
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return fmt.Errorf("data %q is neither a file nor one of %s", name, strings.Join(data.SourceNames(), ", "))
}

// parts calls f with each set that there is.
func (s *exhibit) parts(f func(name string, set *data.Set)) {
	for _, name := range data.Sets {
		if set := s.split.Set(name); set != nil {
			f(name, set)
		}
	}
}

// print prints what there is to know about the parts of a data set.
func (s *exhibit) print(cmd *cobra.Command, count int, out outFlag) error {
	w := cmd.OutOrStdout()
	if s.look != nil {
		fmt.Fprintf(w, "%s: %s\nvalues %s: %s\n", s.look.Options.Path, s.look.Form, s.look.Reading.Kind, s.look.Tally.String())
	}
	t := view.Table{Header: []string{"set", "rows", "spins", "image", "share of +1", "sha256"}}
	s.parts(func(name string, set *data.Set) {
		image := "-"
		if set.Height > 0 {
			image = fmt.Sprintf("%dx%d", set.Height, set.Width)
		}
		t.Rows = append(t.Rows, []string{name, strconv.Itoa(set.Rows), strconv.Itoa(set.Visible), image, fmt.Sprintf("%.4f", shareUp(set)), set.Digest()})
	})
	if err := t.Write(w); err != nil {
		return err
	}
	if s.rule != "" {
		fmt.Fprintf(w, "binarisation: %s\n", s.rule)
	}
	if n := len(s.split.Train.LabelNames); n > 0 {
		fmt.Fprintf(w, "the last %d spins of a row tell its label\n", n)
	}
	s.parts(func(name string, set *data.Set) {
		if n := s.split.Copies(name); n > 0 && name != "train" {
			fmt.Fprintf(w, "%d of %d rows of %s have an equal row in train\n", n, set.Rows, name)
		}
	})
	s.parts(func(name string, set *data.Set) {
		if set.Labels != nil {
			fmt.Fprintf(w, "labels of %s: %s\n", name, histogram(set))
		}
	})
	v := s.split.Survey()
	train := s.split.Train
	lines := []struct {
		what, text string
		n          int
	}{
		{"missing", fmt.Sprintf("%d entries, in %d rows: data.missing=allow trains on the others", v.Missing, v.Gappy), v.Missing},
		{"constant", fmt.Sprintf("%d of %d spins of train (%s)", len(v.Constant), train.Visible, ranges(v.Constant)), len(v.Constant)},
		{"duplicates", fmt.Sprintf("%d of %d rows of train equal an earlier one", v.Duplicates, train.Rows), v.Duplicates},
		{"complements", fmt.Sprintf("%d of %d rows of train have their negative there", v.Complements, train.Rows), v.Complements},
	}
	for _, l := range lines {
		if l.n == 0 {
			l.text = "none"
		}
		fmt.Fprintf(w, "%s: %s\n", l.what, l.text)
	}
	var words []string
	s.parts(func(name string, _ *data.Set) {
		words = append(words, fmt.Sprintf("%.4f (%s)", v.Independent[name], name))
	})
	fmt.Fprintf(w, "independent spins of the same means: NLL %s nats a row; a machine is worth what it is below\n", strings.Join(words, ", "))
	if l := s.split.Lattice; l != nil {
		s.parts(func(name string, set *data.Set) {
			o := l.Observe(set.Spins[:set.Rows*set.Visible])
			fmt.Fprintf(w, "lattice of %s: energy a spin %.5f ± %.5f, |m| %.5f ± %.5f, specific heat %.4f ± %.4f\n", name, o.Energy, o.EnergyError, o.Magnetic, o.MagnetError, o.Heat, o.HeatError)
		})
	}
	if s.look != nil {
		fmt.Fprintf(w, "recipe: data: %s\n", flow(s.data))
	}
	if out.path != "" {
		return s.draw(cmd, count, out)
	}
	switch {
	case count == 0:
		return nil
	case train.Height > 0 && train.Width > textWidth:
		fmt.Fprintln(w, "the images are too wide to be printed; --out FILE.png draws them")
		return nil
	case train.Height == 0 && train.Pixels() > lineLength:
		return nil
	}
	var err error
	s.parts(func(name string, set *data.Set) {
		if err == nil {
			fmt.Fprintf(w, "%s:\n", name)
			err = printRows(w, first(set, count), train.Height, train.Width)
		}
	})
	return err
}

// first returns the first rows of the set, without label spins.
func first(set *data.Set, count int) [][]int8 {
	var rows [][]int8
	for i := range min(count, set.Rows) {
		rows = append(rows, set.Row(i)[:set.Pixels()])
	}
	return rows
}

// draw draws the first images of each part to a file, if one is named.
func (s *exhibit) draw(cmd *cobra.Command, count int, out outFlag) error {
	if out.path == "" {
		return nil
	}
	var images [][]int8
	s.parts(func(_ string, set *data.Set) { images = append(images, first(set, count)...) })
	set := s.split.Train
	if err := checkPicture(out, set.Height, len(images)); err != nil {
		return err
	}
	if err := view.Tiles(out.path, images, view.Sheet{Height: set.Height, Width: set.Width}); err != nil {
		return err
	}
	out.wrote(cmd, "%d images", len(images))
	return nil
}

// json prints all as one object.
func (s *exhibit) json(cmd *cobra.Command) error {
	type part struct {
		Name    string  `json:"name"`
		Rows    int     `json:"rows"`
		Spins   int     `json:"spins"`
		Height  int     `json:"height"`
		Width   int     `json:"width"`
		Digest  string  `json:"sha256"`
		Copies  int     `json:"copies"` // rows that have an equal one in train
		Labels  bool    `json:"labels"`
		ShareUp float64 `json:"share_up"`
	}
	v := s.split.Survey()
	answer := struct {
		Parts       []part             `json:"parts"`
		Form        string             `json:"form,omitempty"`
		Values      any                `json:"values,omitempty"`
		Missing     int                `json:"missing"`
		Constant    int                `json:"constant"`
		Duplicates  int                `json:"duplicates"`
		Complements int                `json:"complements"`
		Independent map[string]float64 `json:"independent_nll"`
		Recipe      any                `json:"recipe"`
	}{Missing: v.Missing, Constant: len(v.Constant), Duplicates: v.Duplicates, Complements: v.Complements, Independent: v.Independent,
		Recipe: map[string]any{"data": s.data.Fields()}}
	s.parts(func(name string, set *data.Set) {
		p := part{name, set.Rows, set.Visible, set.Height, set.Width, set.Digest(), s.split.Copies(name), set.Labels != nil, shareUp(set)}
		if name == "train" {
			p.Copies = 0
		}
		answer.Parts = append(answer.Parts, p)
	})
	if l := s.look; l != nil {
		counts := l.Tally.Counts()
		answer.Form = l.Form
		answer.Values = map[string]any{"kind": l.Reading.Kind, "least": l.Tally.Least, "most": l.Tally.Most, "counts": counts[:min(len(counts), 256)], "all": !l.Tally.Many && len(counts) <= 256}
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	return enc.Encode(answer)
}

// flow returns the data section of a recipe in one line.
func flow(d recipe.Data) string {
	var words []string
	for _, f := range d.Fields() {
		words = append(words, f.Name+": "+f.Text)
	}
	return "{" + strings.Join(words, ", ") + "}"
}

// ranges returns numbers that rise as a text: 1-3, 7. Of many it is the beginning.
func ranges(numbers []int) string {
	var words []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		word := strconv.Itoa(numbers[i])
		if j > i {
			word += "-" + strconv.Itoa(numbers[j])
		}
		if words = append(words, word); len(words) == 12 && j+1 < len(numbers) {
			return strings.Join(words, ", ") + ", ..."
		}
		i = j + 1
	}
	return strings.Join(words, ", ")
}

// shareUp returns the share of spins that are +1, of those that are not missing.
func shareUp(s *data.Set) float64 {
	up, known := 0, 0
	for _, x := range s.Spins {
		if x > 0 {
			up++
		}
		if x != 0 {
			known++
		}
	}
	return float64(up) / float64(max(1, known))
}

// histogram returns how many rows each label has: "0: 5923, 1: 6742".
func histogram(s *data.Set) string {
	rows := map[int32]int{}
	for _, l := range s.Labels {
		rows[l]++
	}
	var words []string
	for _, l := range slices.Sorted(maps.Keys(rows)) {
		name := strconv.Itoa(int(l))
		if s.Classes != nil {
			name = s.Classes[l]
		}
		words = append(words, fmt.Sprintf("%s: %d", name, rows[l]))
	}
	const most = 40
	if len(words) > most {
		words = append(words[:most], fmt.Sprintf("and %d labels more", len(words)-most))
	}
	return strings.Join(words, ", ")
}
