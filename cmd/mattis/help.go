package main

import (
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// helpWidth is the width of help texts in columns.
const helpWidth = 100

// layOutHelp wraps the help texts of a command and of those below it, and lets them wrap their
// flags.
func layOutHelp(cmd *cobra.Command) {
	cmd.SetUsageTemplate(strings.ReplaceAll(cmd.UsageTemplate(), "FlagUsages |", "FlagUsagesWrapped 100 |"))
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		c.Long = wrapped(c.Long, helpWidth)
		for _, below := range c.Commands() {
			each(below)
		}
	}
	each(cmd)
}

// wrapped returns the text with its paragraphs filled to the width. A line that begins with a space
// or has columns, two spaces in a row, stands for itself: where it is too long it goes on below its
// last column.
func wrapped(text string, width int) string {
	var out []string
	var words []string // of the paragraph under way
	fill := func(words []string, indent string) {
		line := ""
		for i, w := range words {
			switch {
			case i == 0:
				line = w
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > width:
				out = append(out, line)
				line = indent + w
			default:
				line += " " + w
			}
		}
		if len(words) > 0 {
			out = append(out, line)
		}
	}
	end := func() { fill(words, ""); words = nil }
	for line := range strings.SplitSeq(text, "\n") {
		body := strings.TrimLeft(line, " ")
		own := len(line) - len(body)
		at := strings.LastIndex(strings.TrimRight(body, " "), "  ")
		switch {
		case body == "":
			end()
			out = append(out, "")
		case own == 0 && at < 0:
			words = append(words, strings.Fields(line)...)
		case utf8.RuneCountInString(line) <= width:
			end()
			out = append(out, strings.TrimRight(line, " "))
		default:
			end()
			first := own // where the last column begins
			if at >= 0 {
				first += at + 2
			}
			indent := strings.Repeat(" ", utf8.RuneCountInString(line[:first]))
			parts := strings.Fields(line[first:])
			parts[0] = line[:first] + parts[0]
			fill(parts, indent)
		}
	}
	end()
	return strings.Join(out, "\n")
}
