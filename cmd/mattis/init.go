package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mattis/data"
	"mattis/recipe"
)

func initCommand() *cobra.Command {
	var settings []string
	var out outFlag
	cmd := &cobra.Command{
		Use:   "init FILE",
		Short: "Write a recipe that suits a data file",
		Long: `Write a complete recipe for the rows of a file, or a folder of images: how it is read, as mattis data show finds it, and a
machine and a training whose sizes follow from the rows. mattis train takes it as it is; the reasons stand in it as comments, and the rules in
docs/data.md. Without --out it goes to the standard output.

--set data.FIELD=VALUE says what the file does not show, such as a column of labels or a threshold.`,
		Example: `  mattis init spins.csv --out spins.yaml
  mattis train spins.yaml
  mattis eval runs/spins-1 --measure nll
  mattis init digits.npy --set data.binarize.threshold=0.3 > digits.yaml`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(".yaml", ".yml", ""); err != nil {
				return err
			}
			typed := append([]string(nil), settings...)
			for i, s := range settings {
				if !strings.HasPrefix(s, "data.") {
					settings[i] = "data." + s
				}
			}
			look, err := recipe.LookAt(args[0], settings)
			if err != nil {
				return asTyped(unknownData(args[0], err), settings, typed)
			}
			if err := look.Problem(); err != nil {
				return err
			}
			tellLook(cmd, look.Look)
			path, err := placeFrom(out.path, args[0])
			if err != nil {
				return err
			}
			text, err := look.Suit(path)
			if err != nil {
				return asTyped(err, settings, typed)
			}
			if out.path == "" {
				_, err := cmd.OutOrStdout().Write(text)
				return err
			}
			if err := os.WriteFile(out.path, text, 0o666); err != nil {
				return err
			}
			out.wrote(cmd, "mattis train %s", out.path)
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&settings, "set", nil, "set a field of the recipe's data section by `path=value`, such as data.labels=3 (repeatable)")
	out.add(cmd, "recipe to write, a `file` .yaml")
	return cmd
}

// tellLook says what of a file may be another thing than it is taken for.
func tellLook(cmd *cobra.Command, l *data.Look) {
	for _, n := range l.Notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "note:", n)
	}
}

// placeFrom returns the path of a file as a recipe in the file out names it, so that it is found
// from the recipe's folder.
func placeFrom(out, path string) (string, error) {
	if out == "" || filepath.IsAbs(path) || filepath.Dir(out) == "." {
		return path, nil
	}
	folder, err := filepath.Abs(filepath.Dir(out))
	if err != nil {
		return "", err
	}
	file, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if relative, err := filepath.Rel(folder, file); err == nil {
		return relative, nil
	}
	return file, fmt.Errorf("%s: no path from %s leads there: name it by an absolute path", path, folder)
}
