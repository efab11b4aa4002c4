package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mattis/data"
	"mattis/eval"
	"mattis/internal/experiment"
	"mattis/recipe"
	"mattis/run"
	"mattis/sampler"
)

// completer returns what can stand for the word under way, each with what it is after a tab.
type completer = cobra.CompletionFunc

// words completes with what list returns.
func words(list func() []string) completer {
	return func(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return list(), cobra.ShellCompDirectiveNoFileComp
	}
}

// wordsAndFiles completes with what list returns, and the shell with files.
func wordsAndFiles(list func() []string) completer {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		if strings.ContainsRune(begun, filepath.Separator) {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return list(), cobra.ShellCompDirectiveDefault
	}
}

// listed completes one after the other of what list returns, between commas.
func listed(list func() []string) completer {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		at := strings.LastIndex(begun, ",") + 1
		var all []string
		for _, word := range list() {
			name, _, _ := strings.Cut(word, "\t")
			if !slices.Contains(strings.Split(begun[:at], ","), name) {
				all = append(all, begun[:at]+word)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

func fixed(list ...string) func() []string { return func() []string { return list } }

// recipeNames are the built-in recipes and what they are.
func recipeNames() (list []string) {
	for _, name := range recipe.Builtins() {
		text, _ := recipe.Builtin(name)
		list = append(list, name+"\t"+recipe.About(text))
	}
	return list
}

func measureNames() (list []string) {
	for _, m := range eval.Measures {
		list = append(list, m.Name+"\t"+m.Summary)
	}
	return list
}

func samplerNames() (list []string) {
	for _, s := range sampler.Samplers {
		list = append(list, s.Name+"\t"+s.What)
	}
	return list
}

func sourceNames() (list []string) {
	for _, s := range data.Sources() {
		list = append(list, s.Name+"\t"+s.About)
	}
	return list
}

// runDirectories completes run directories, and the folders on the way to them. Of nothing begun it
// looks into the folder runs first.
func runDirectories(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	dir, base := filepath.Split(begun)
	if begun == "" {
		if found, _ := runsIn("runs", ""); len(found) > 0 {
			dir, base = "runs"+string(filepath.Separator), ""
		}
	}
	found, folders := runsIn(dir, base)
	directive := cobra.ShellCompDirectiveNoFileComp
	if len(found) == 0 { // further down
		found = folders
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return found, directive
}

// runsIn returns the run directories in dir whose names begin so, and the other folders.
func runsIn(dir, base string) (found, folders []string) {
	entries, err := os.ReadDir(filepath.Clean("./" + dir))
	if filepath.IsAbs(dir) {
		entries, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil, nil
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case !strings.HasPrefix(e.Name(), base) || strings.HasPrefix(e.Name(), ".") && base == "":
		case isRun(path):
			found = append(found, path)
		case e.IsDir():
			folders = append(folders, path+string(filepath.Separator))
		}
	}
	return found, folders
}

// checkpoints completes the steps of the checkpoints of the run directory that the first argument
// names.
func checkpoints(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list := []string{"best\tsee train.best", "last\tthe newest good one"}
	if len(args) > 0 {
		if d, err := run.Open(args[0]); err == nil {
			steps, _ := d.Checkpoints()
			for _, step := range steps {
				list = append(list, strconv.Itoa(step))
			}
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// sets completes the sets of data, and files.
var sets = wordsAndFiles(fixed(data.Sets...))

// positions completes the first argument of commands, by their paths; further completes those after
// it.
var positions = map[string]completer{
	"train": wordsAndFiles(recipeNames), "recipes": words(recipeNames), "data show": wordsAndFiles(sourceNames), "data fetch": words(fixed("mnist")),
	"figure": words(func() []string { return append(experiment.Names(), "all") }), "bench": words(fixed("update", "sweep", "gemm", "exact")),
	"resume": runDirectories, "eval": runDirectories, "sample": runDirectories, "reconstruct": runDirectories, "features": runDirectories, "score": runDirectories,
	"inspect": runDirectories, "diagnose": runDirectories, "watch": runDirectories, "runs compare": runDirectories, "convert": runDirectories,
}

// further are the commands that take any number of the same arguments.
var further = []string{"watch", "runs compare"}

// values completes the values of flags, by their names.
var values = map[string]completer{
	"measure": listed(measureNames), "sampler": words(samplerNames), "split": words(fixed(data.Sets...)), "checkpoint": checkpoints, "init": runDirectories,
	"input": sets, "from": wordsAndFiles(fixed("random", "patterns", "data")), "to": words(fixed("axons", "dense", "bernoulli")), "names": words(recipe.Dialects),
	"layout": words(fixed("vh", "hv")), "units": words(fixed("01", "spins")), "state": listed(fixed(runStates...)),
}

// several are flags that take a list between commas in one command and one value in others.
var several = map[string]completer{"diagnose sampler": listed(samplerNames)}

// completeAll gives the commands below cmd their completions.
func completeAll(cmd *cobra.Command, path string) {
	for _, c := range cmd.Commands() {
		at := strings.TrimSpace(path + " " + c.Name())
		completeAll(c, at)
		if first, ok := positions[at]; ok {
			c.ValidArgs = nil
			c.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
				switch {
				case len(args) == 0 || slices.Contains(further, at):
					return first(cmd, args, begun)
				case at == "convert":
					return nil, cobra.ShellCompDirectiveDefault
				}
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
		}
		for name, complete := range values {
			if c.Flags().Lookup(name) == nil {
				continue
			}
			if own, ok := several[at+" "+name]; ok {
				complete = own
			}
			if err := c.RegisterFlagCompletionFunc(name, complete); err != nil {
				panic(err) // one of that name is there
			}
		}
	}
}
