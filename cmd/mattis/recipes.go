package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mattis/recipe"
	"mattis/view"
)

func recipesCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "recipes [NAME]",
		Short:   "List the built-in recipes, or print one",
		Example: "  mattis recipes\n  mattis recipes bars > mine.yaml",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				text, ok := recipe.Builtin(args[0])
				if !ok {
					return fmt.Errorf("recipe %q is not built in, only %s", args[0], strings.Join(recipe.Builtins(), ", "))
				}
				_, err := cmd.OutOrStdout().Write(text)
				return err
			}
			t := view.Table{Header: []string{"recipe", "about"}}
			for _, name := range recipe.Builtins() {
				text, _ := recipe.Builtin(name)
				t.Rows = append(t.Rows, []string{name, recipe.About(text)})
			}
			return t.Write(cmd.OutOrStdout())
		},
	}
}
