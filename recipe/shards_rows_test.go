package recipe

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rowFiles writes 21 rows of greys, and of spins some of which are missing.
func rowFiles(t *testing.T) (greys, gaps string) {
	dir := t.TempDir()
	var a, b strings.Builder
	for i := range 21 {
		for j := range 6 {
			fmt.Fprintf(&a, "%.1f,", float64((i*7+j*5)%11)/10)
			fmt.Fprint(&b, [...]string{"", "1", "1", "0", "0", "1", "0"}[(i*5+j*3+i*j)%7], ",")
		}
		a.WriteString("1\n")
		b.WriteString("1\n")
	}
	greys, gaps = filepath.Join(dir, "greys.csv"), filepath.Join(dir, "gaps.csv")
	for path, text := range map[string]string{greys: a.String(), gaps: b.String()} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return greys, gaps
}

// Rows that are drawn anew for each epoch, rows with gaps, whose chains go between processes, and a
// training that ends by its patience leave the same checkpoints and metrics at one, two and four
// processes, and interrupted under four and resumed under two.
func TestProcessesShareRowsAndEnds(t *testing.T) {
	greys, gaps := rowFiles(t)
	csv := func(path, field string) string {
		return "data={name: csv, path: " + path + ", split: all, " + field + "}"
	}
	for _, settings := range [][]string{
		{csv(greys, "binarize: {stochastic: epoch}"), "negative={kind: pcd, chains: 8, steps: 1}", "measure={every: 1, train: [nll_exact], test: []}"},
		{csv(gaps, "missing: allow"), "positive={kind: clamped, chains: 2, steps: 2}", "negative={kind: pcd, chains: 8, steps: 1}", "measure={every: 1, train: [pseudo_likelihood], test: []}"},
		{csv(gaps, "missing: allow"), "machine={hidden: 4, offset: all, offset_rate: 0.1, biases: both}", "negative={kind: cd, steps: 1}", "measure={every: 0, test: []}"},
		{"negative={kind: cd, steps: 2}", "measure={every: 1, test: [nll_tracked, nll], last: [nll_reverse_ais]}",
			"train.best={measure: nll}", "train.stop={patience: 1}", "optimizer.rate=2", "train.epochs=9"},
	} {
		settings = append([]string{dense}, settings...)
		t.Run(strings.Join(settings[1:3], " "), func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			whole := filepath.Join(root, "1")
			if err := job(t, 1, whole, 0, false, settings...); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(whole, "checkpoints", "*"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			newest := files[len(files)-1]
			want, err := os.ReadFile(newest)
			if err != nil {
				t.Fatal(err)
			}
			alike := func(what string, dir string) {
				t.Helper()
				got, err := os.ReadFile(filepath.Join(dir, "checkpoints", filepath.Base(newest)))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: another checkpoint than one process alone, %v", what, err)
				}
				if a, b := timeless(t, whole), timeless(t, dir); a != b {
					t.Errorf("%s: metrics\n%swant\n%s", what, b, a)
				}
			}
			for _, p := range []int{2, 4} {
				dir := filepath.Join(root, fmt.Sprint(p))
				if err := job(t, p, dir, 0, false, settings...); err != nil {
					t.Fatal(err)
				}
				alike(fmt.Sprint(p, " processes"), dir)
			}
			dir := filepath.Join(root, "cut")
			if err := job(t, 4, dir, 2, false, settings...); err != nil {
				t.Fatal(err)
			}
			if err := job(t, 2, dir, 0, true); err != nil {
				t.Fatal(err)
			}
			alike("4 processes, cut at update 2, 2 processes", dir)
		})
	}
}
