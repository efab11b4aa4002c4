package experiment

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mattis/compute"
	"mattis/run"
)

const (
	summaryName = "summary.json"
	tableName   = "table.md"
	resultsName = "results.md"
)

// summary is OUT/NAME/summary.json: how a figure was made.
type summary struct {
	Instances int            `json:"instances"`
	Methods   map[string]int `json:"methods,omitempty"` // with another number of instances
	Seed      uint64         `json:"seed"`
	Precision string         `json:"precision,omitempty"` // of trainings, where it is not float32
	Seconds   float64        `json:"seconds"`             // of all instances, added up
	Picture   string         `json:"picture"`
	Miniature bool           `json:"miniature,omitempty"` // tiny machines, for tests
}

// counts writes the numbers of instances as --instances takes them.
func (s summary) counts() string {
	text := fmt.Sprint(s.Instances)
	for _, name := range slices.Sorted(maps.Keys(s.Methods)) {
		text += fmt.Sprintf(",%s=%d", name, s.Methods[name])
	}
	return text
}

// precisionName is what a summary has of a precision.
func precisionName(p compute.Precision) string {
	if p == compute.Single {
		return ""
	}
	return p.String()
}

// asked writes the precision as the command takes it.
func (s summary) asked() string {
	if s.Precision == "" {
		return ""
	}
	return " --precision " + s.Precision
}

// writeResults writes OUT/results.md from the claims and the summaries of all figures that were
// made in the folder.
func writeResults(out string) error {
	claims, err := readClaims(out)
	if err != nil {
		return err
	}
	return run.WriteFile(filepath.Join(out, resultsName), func(f io.Writer) error {
		w := bufio.NewWriter(f)
		fmt.Fprint(w, resultsHead)
		for _, f := range Figures {
			var s summary
			path := filepath.Join(out, f.Name, summaryName)
			b, err := os.ReadFile(path)
			if os.IsNotExist(err) {
				continue
			}
			if err == nil {
				err = json.Unmarshal(b, &s)
			}
			if err != nil {
				return fmt.Errorf("%s: %w; remove it and make the figure again", path, err)
			}
			fmt.Fprintf(w, "\n## %s: %s\n\n", f.Name, f.Title)
			if s.Picture != "" {
				fmt.Fprintf(w, "![%s](%s)\n\n", f.Title, s.Picture)
			}
			fmt.Fprintf(w, "%s. `mattis figure %s --instances %s --seed %d%s`; %s, instances added up", f.Place, f.Name, s.counts(), s.Seed, s.asked(), duration(s.Seconds))
			if f.Paper > 0 && f.Paper != s.Instances {
				fmt.Fprintf(w, " (the paper has %d instances)", f.Paper)
			}
			if s.Miniature {
				fmt.Fprint(w, "; **tiny machines, short trainings: a test of the program and no result**")
			}
			if data := f.Name + ".csv"; exists(filepath.Join(out, data)) {
				fmt.Fprintf(w, "; [data](%s)", data)
			}
			fmt.Fprint(w, ".\n")
			for _, line := range f.reasons() {
				fmt.Fprintf(w, "- %s\n", line)
			}
			table, err := os.ReadFile(filepath.Join(out, f.Name, tableName))
			if err != nil && !os.IsNotExist(err) {
				return err
			}
			w.Write(table)
			any := false
			for _, c := range claims {
				if c.Figure != f.Name {
					continue
				}
				if !any {
					fmt.Fprint(w, "\n| claim | paper, and what decides | found | verdict |\n|---|---|---|---|\n")
					any = true
				}
				fmt.Fprintf(w, "| %s | %s | %s | %s |\n", cell(c.Claim), cell(c.Paper), cell(c.Ours), c.Verdict)
			}
		}
		return w.Flush()
	})
}

const resultsHead = `# Results

Each figure of the paper, made by one command: the picture, the claims, and what the data say. The verdicts are computed
from the data by the criterion in the second column; *open* means that the data do not decide. Bands are one standard deviation over instances, errors
in the text are standard errors of means. Times are wall-clock times of the instances added up: longer where the machine did other work beside. Where the paper's text and programs differ, see the errata in paper.md and errata.md.

This page is written by the program: ` + "`mattis figure NAME --out docs/figures`, then `make results`" + `.
`

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// writeTable writes OUT/NAME/table.md, if the figure has a table.
func (r *results) writeTable() error {
	if len(r.table.Header) == 0 {
		return nil
	}
	return run.WriteFile(filepath.Join(r.options.Out, r.figure.Name, tableName), func(w io.Writer) error {
		text := "\n" + r.caption + "\n\n| " + strings.Join(r.table.Header, " | ") + " |\n|" + strings.Repeat("---|", len(r.table.Header)) + "\n"
		for _, row := range r.table.Rows {
			text += "| " + strings.Join(row, " | ") + " |\n"
		}
		_, err := io.WriteString(w, text)
		return err
	})
}

// reasons returns what is said of the arms' trainings, each once.
func (f *Figure) reasons() []string {
	var lines []string
	for _, s := range f.studies {
		for _, a := range s.arms {
			if a.why != "" {
				lines = append(lines, a.name+": "+a.why+".")
			}
		}
	}
	return lines
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// duration returns seconds in words.
func duration(seconds float64) string {
	switch {
	case seconds < 90:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 5400:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}
