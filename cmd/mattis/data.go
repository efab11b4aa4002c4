package main

import (
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

func dataCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "data",
		Short:   "List, show and fetch data sets",
		Example: "  mattis data list\n  mattis data show bas --set size=5",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(dataListCommand(), dataShowCommand(), dataFetchCommand())
	return cmd
}

func dataListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the data that a recipe can name",
		Example: "  mattis data list",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t := view.Table{Header: []string{"data", "about", "where"}}
			for _, s := range data.Sources() {
				t.Rows = append(t.Rows, []string{s.Name, s.About, s.Where()})
			}
			return t.Write(cmd.OutOrStdout())
		},
	}
}

func dataShowCommand() *cobra.Command {
	var settings []string
	var count int
	var out outFlag
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a data set: its parts, labels, digest and some images",
		Long: fmt.Sprintf(`Show a data set as a recipe sees it: the rows and the SHA-256 of each part, how many rows
each label has, and the first images, as text if they are up to %d pixels wide.

NAME is one of mattis data list; a built-in recipe, a recipe's file (.yaml) or a run
directory, whose data are shown; or else a data file or a folder of images, whose greys are cut at
0.5 unless --set binarize says otherwise.`, textWidth),
		Example: `  mattis data show bars
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
			rule, split, err := showable(args[0], settings)
			if err != nil {
				return err
			}
			tellNotes(cmd, split.Train, split.Test, split.Validation)
			return showData(cmd, rule, split, count, out)
		},
	}
	cmd.Flags().StringArrayVar(&settings, "set", nil, "set a field of the recipe's data section by `path=value`, such as size=5 (repeatable)")
	cmd.Flags().IntVar(&count, "count", 10, "images of each part to show")
	out.add(cmd, "`file` to draw the images to, .png")
	return cmd
}

// showable returns the data that name stands for, and the rule that made spins of them.
func showable(name string, typed []string) (rule string, split *data.Split, err error) {
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
	source := slices.ContainsFunc(data.Sources(), func(s data.Source) bool { return s.Name == name })
	file := !source && !builtin && ext != ".yaml" && ext != ".yml" && !isRun(name)
	if file && len(settings) == 0 {
		return showFile(name)
	}
	switch {
	case source:
		r, err = recipe.Parse("data "+name, fmt.Appendf(nil, "data: {name: %s}\nmachine: {hidden: 1}\ntrain: {epochs: 0, batch: 1}\n", name), settings...)
	case builtin || ext == ".yaml" || ext == ".yml":
		r, err = recipe.Load(name, settings...)
	case file:
		kind := "csv" // or what a setting names
		if !slices.ContainsFunc(settings, func(s string) bool { return strings.HasPrefix(s, "data.name=") }) {
			if kind, err = data.KindOf(name); err != nil {
				return "", nil, unknownData(name, err)
			}
		}
		r, err = recipe.Parse("data "+name, fmt.Appendf(nil, "data: {name: %s, path: %q}\nmachine: {hidden: 1}\ntrain: {epochs: 0, batch: 1}\n", kind, name), settings...)
	default:
		r, err = recipe.Load(filepath.Join(name, "recipe.yaml"), settings...)
	}
	var field *recipe.FieldError
	if source && errors.As(err, &field) && field.Path == "data.path" {
		return "", nil, usageError{fmt.Errorf("data %s: the path of the files is missing: --set path=FILE", name)}
	}
	if err != nil {
		return "", nil, err
	}
	if r.Data.Path != nil {
		rule = "none: the values are two already"
	}
	if r.Data.Binarize != nil {
		rule = r.Data.Binarize.String()
	}
	digest := ""
	if dir, no := run.Open(name); no == nil && !source && !builtin && !file && len(settings) == 0 {
		env, err := dir.Environment()
		if err != nil {
			return "", nil, err
		}
		digest = env.Data // as the run has them
	}
	split, _, err = r.LoadDataOf(digest)
	return rule, split, err
}

func isRun(dir string) bool {
	_, err := run.Open(dir)
	return err == nil
}

// showFile reads one file, whose grey values are cut at 0.5 where it holds more than two.
func showFile(name string) (rule string, split *data.Split, err error) {
	middle := 0.5
	set, by, err := data.ReadSpins("", name, data.Options{}, data.Binarize{Threshold: &middle})
	if err != nil {
		return "", nil, unknownData(name, err)
	}
	if rule = "none: the values are two already"; by.Threshold != nil {
		rule = "{threshold: 0.5}"
	}
	return rule, &data.Split{Train: set}, nil
}

// unknownData returns the error of reading name, or where there is no such file that it is no data at all.
func unknownData(name string, err error) error {
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var names []string
	for _, s := range data.Sources() {
		names = append(names, s.Name)
	}
	return fmt.Errorf("data %q is neither a file nor one of %s", name, strings.Join(names, ", "))
}

// showData prints what there is to know about the parts of a data set.
func showData(cmd *cobra.Command, rule string, split *data.Split, count int, out outFlag) error {
	w := cmd.OutOrStdout()
	parts := []struct {
		name string
		set  *data.Set
	}{{"train", split.Train}, {"test", split.Test}, {"validation", split.Validation}}
	t := view.Table{Header: []string{"set", "rows", "spins", "image", "share of +1", "sha256"}}
	var images [][]int8
	for _, p := range parts {
		if s := p.set; s != nil {
			image := "-"
			if s.Height > 0 {
				image = fmt.Sprintf("%dx%d", s.Height, s.Width)
			}
			t.Rows = append(t.Rows, []string{p.name, strconv.Itoa(s.Rows), strconv.Itoa(s.Visible), image, fmt.Sprintf("%.4f", shareUp(s)), s.Digest()})
			for i := range min(count, s.Rows) {
				images = append(images, s.Row(i)[:s.Pixels()])
			}
		}
	}
	if err := t.Write(w); err != nil {
		return err
	}
	if rule != "" {
		fmt.Fprintf(w, "binarisation: %s\n", rule)
	}
	if n := len(split.Train.LabelNames); n > 0 {
		fmt.Fprintf(w, "the last %d spins of a row tell its label\n", n)
	}
	for _, p := range parts[1:] {
		if n := split.Copies(p.name); n > 0 {
			fmt.Fprintf(w, "%d of %d rows of %s have an equal row in train\n", n, p.set.Rows, p.name)
		}
	}
	for _, p := range parts {
		if p.set != nil && p.set.Labels != nil {
			fmt.Fprintf(w, "labels of %s: %s\n", p.name, histogram(p.set))
		}
	}
	set := split.Train
	if out.path != "" {
		if err := checkPicture(out, set.Height, len(images)); err != nil {
			return err
		}
		if err := view.Tiles(out.path, images, view.Sheet{Height: set.Height, Width: set.Width}); err != nil {
			return err
		}
		out.wrote(cmd, "%d images", len(images))
		return nil
	}
	switch {
	case count == 0:
		return nil
	case set.Height > 0 && set.Width > textWidth:
		fmt.Fprintln(w, "the images are too wide to be printed; --out FILE.png draws them")
		return nil
	case set.Height == 0 && set.Pixels() > lineLength:
		return nil
	}
	for _, p := range parts {
		if p.set != nil {
			fmt.Fprintf(w, "%s:\n", p.name)
			n := min(count, len(images), p.set.Rows)
			if err := printRows(w, images[:n], set.Height, set.Width); err != nil {
				return err
			}
			images = images[n:]
		}
	}
	return nil
}

// shareUp returns the share of spins that are +1.
func shareUp(s *data.Set) float64 {
	up := 0
	for _, x := range s.Spins {
		if x > 0 {
			up++
		}
	}
	return float64(up) / float64(max(1, len(s.Spins)))
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

func dataFetchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fetch NAME",
		Short: "Download a data set into the user's cache and check it",
		Long: `Download a data set from public mirrors into the user's cache. Every file is checked
against its SHA-256; those that are there and whole are kept. Only mnist is to be fetched.`,
		Example: "  mattis data fetch mnist",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != "mnist" {
				return fmt.Errorf("data %q cannot be fetched, only mnist (bars and bas are made, other data are read from your files)", args[0])
			}
			bar := newMeter(cmd, "fetch", "KiB", 0)
			dir, err := data.Fetch{Progress: func(file string, done, _ int64) { bar.Update(int(done>>10), file) }}.MNIST(cmd.Context())
			bar.clear()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "mnist is in %s\n", dir)
			return nil
		},
	}
}
