package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func manCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands to a folder",
		Long: `Write a manual page for every command, as --help has it, to a folder, which is made where it is not there: mattis.1, mattis-train.1, ...
Pages of the same names are overwritten.`,
		Example: "  mattis man ~/.local/share/man/man1\n  man mattis-train",
		Args:    exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o777); err != nil {
				return err
			}
			n := 0
			var each func(c *cobra.Command) error
			each = func(c *cobra.Command) error {
				if c.Hidden || c.Name() == "help" {
					return nil
				}
				if err := os.WriteFile(filepath.Join(args[0], pageName(c)+".1"), []byte(manPage(c)), 0o666); err != nil {
					return err
				}
				n++
				for _, below := range c.Commands() {
					if err := each(below); err != nil {
						return err
					}
				}
				return nil
			}
			if err := each(root); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "wrote %d pages to %s\n", n, args[0])
			return nil
		},
	}
}

// pageName returns the name of a command's page: mattis-data-show.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// roff is a page under way.
type roff struct{ strings.Builder }

// line writes a line of text, in which nothing is a request or an escape.
func (r *roff) line(text string) {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	r.WriteString(text + "\n")
}

// text writes paragraphs, which the reader fills, and lines with columns or a margin, which stand
// as they are.
func (r *roff) text(text string) {
	asItIs := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		own := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") || strings.Contains(strings.TrimSpace(line), "  ")
		switch {
		case line == "" && !asItIs:
			r.WriteString(".PP\n")
			continue
		case own && !asItIs:
			r.WriteString(".nf\n")
		case !own && asItIs && line != "":
			r.WriteString(".fi\n.PP\n")
		}
		asItIs = own || asItIs && line == ""
		r.line(line)
	}
	if asItIs {
		r.WriteString(".fi\n")
	}
}

// manPage returns the page of a command.
func manPage(c *cobra.Command) string {
	var r roff
	fmt.Fprintf(&r, ".TH %q 1 \"\" \"mattis\" \"Mattis\"\n", strings.ToUpper(pageName(c)))
	r.WriteString(".SH NAME\n")
	r.line(pageName(c) + " - " + c.Short)
	r.WriteString(".SH SYNOPSIS\n.nf\n")
	if c.Runnable() && c.HasParent() {
		r.line(c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		r.line(c.CommandPath() + " COMMAND")
	}
	r.WriteString(".fi\n")
	if c.Long != "" {
		r.WriteString(".SH DESCRIPTION\n")
		r.text(c.Long)
	}
	if c.HasAvailableSubCommands() {
		r.WriteString(".SH COMMANDS\n")
		for _, below := range c.Commands() {
			if below.IsAvailableCommand() {
				r.WriteString(".TP\n.B ")
				r.line(pageName(below) + "(1)")
				r.line(below.Short)
			}
		}
	}
	c.InitDefaultHelpFlag()
	r.WriteString(".SH OPTIONS\n")
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		r.WriteString(".TP\n.B ")
		flag := "--" + f.Name
		if f.Shorthand != "" {
			flag = "-" + f.Shorthand + ", " + flag
		}
		r.line(strings.TrimSpace(flag + " " + name))
		if !slices.Contains([]string{"", "0", "false", "[]"}, f.DefValue) {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		r.line(usage)
	})
	if c.Example != "" {
		r.WriteString(".SH EXAMPLES\n.nf\n")
		for line := range strings.Lines(c.Example) {
			r.line(strings.TrimRight(line, "\n"))
		}
		r.WriteString(".fi\n")
	}
	r.WriteString(".SH EXIT STATUS\n")
	r.line("0: it worked. 1: it failed, and a line on the standard error says why. 2: it was called wrongly. 130: it was interrupted.")
	if c.HasParent() {
		r.WriteString(".SH SEE ALSO\n")
		see := []string{pageName(c.Parent()) + "(1)"}
		for _, other := range c.Parent().Commands() {
			if other != c && other.IsAvailableCommand() && c.Parent().HasParent() {
				see = append(see, pageName(other)+"(1)")
			}
		}
		r.line(strings.Join(see, ", "))
	}
	return r.String()
}
