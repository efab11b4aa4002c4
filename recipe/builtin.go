package recipe

import (
	"embed"
	"path"
	"slices"
	"strings"
)

//go:embed builtin/*.yaml
var builtin embed.FS

// Builtins returns the names of the built-in recipes in order.
func Builtins() []string {
	entries, err := builtin.ReadDir("builtin")
	if err != nil {
		panic(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Builtin returns the text of a built-in recipe.
func Builtin(name string) ([]byte, bool) {
	text, err := builtin.ReadFile(path.Join("builtin", name+".yaml"))
	return text, err == nil
}

// About returns the first comment line of a recipe's text.
func About(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	if c, ok := strings.CutPrefix(line, "#"); ok {
		return strings.TrimSpace(c)
	}
	return ""
}
