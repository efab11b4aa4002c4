package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// The help of every command stays within its width, and names each default once.
func TestHelp(t *testing.T) {
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		var b bytes.Buffer
		c.SetOut(&b)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			line = strings.TrimRight(line, "\n")
			if n := utf8.RuneCountInString(line); n > helpWidth {
				t.Errorf("%s --help: %d columns, want at most %d: %s", c.CommandPath(), n, helpWidth, line)
			}
			if strings.Contains(line, "(default )") || strings.Count(line, "(default") > 1 {
				t.Errorf("%s --help: %s", c.CommandPath(), line)
			}
		}
		for _, below := range c.Commands() {
			each(below)
		}
	}
	each(command())
}

func TestWrapped(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"one two\nthree\nfour five six", "one two three\nfour five six"},
		{"a\n\nb c\n  own line\nd\ne", "a\n\nb c\n  own line\nd e"},
		{"name    what it is that is long\nnext", "name    what it\n        is that\n        is long\nnext"},
		{"  name  ± ± ± ± ± ±", "  name  ± ± ± ± ±\n        ±"}, // columns are runes
		{"  a.b=1 c.d=2 e.f=3 g", "  a.b=1 c.d=2\n  e.f=3 g"},
		{"endless-word-that-has-no-end x", "endless-word-that-has-no-end\nx"},
		{"", ""},
	} {
		width := 17
		if strings.HasPrefix(c.text, "one") {
			width = 13
		}
		if d := cmp.Diff(c.want, wrapped(c.text, width)); d != "" {
			t.Errorf("%q: %s", c.text, d)
		}
	}
}
