package experiment_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/internal/experiment"
)

func options(out string) experiment.Options {
	return experiment.Options{
		Instances: 2, Seed: 1, Threads: 2, Out: out, Miniature: true,
		Engine: func(threads int) compute.Engine { return cpu.New(threads) },
	}
}

func find(t *testing.T, name string) []*experiment.Figure {
	t.Helper()
	f, err := experiment.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ofMNIST reports whether a figure trains on MNIST at its miniature size too.
func ofMNIST(name string) bool {
	return slices.Contains([]string{"6", "7", "probe"}, strings.TrimSuffix(name, "-small"))
}

// needsDigits skips a figure of MNIST where there is none.
func needsDigits(t *testing.T, name string) {
	if ofMNIST(name) {
		if _, err := data.FindMNIST(""); err != nil {
			t.Skip(err)
		}
	}
}

// Every figure of the table at its miniature size: its files, rows that can be read, and claims with a verdict. An arm
// whose settings no recipe takes, and a point that a figure looks for and no arm gives, fail.
func TestEveryFigure(t *testing.T) {
	out := t.TempDir()
	if shown := os.Getenv("MATTIS_FIGURES"); shown != "" { // to look at
		out = shown
	}
	for i := range experiment.Figures {
		f := &experiment.Figures[i]
		t.Run(f.Name, func(t *testing.T) {
			needsDigits(t, f.Name)
			var report experiment.Report
			o := options(out)
			if ofMNIST(f.Name) {
				o.Instances = 1 // reading MNIST takes longer than training on it
			}
			o.Finished = func(r experiment.Report) { report = r }
			shares := []float64{}
			o.Progress = func(_ *experiment.Figure, share float64, _ string) { shares = append(shares, share) }
			if err := experiment.Run(context.Background(), []*experiment.Figure{f}, o); err != nil {
				t.Fatal(err)
			}
			for _, path := range report.Files {
				if info, err := os.Stat(path); err != nil || info.Size() == 0 {
					t.Errorf("%s: %v", path, err)
				}
			}
			if len(report.Files) < 2 || len(report.Claims) == 0 || report.Seconds <= 0 {
				t.Errorf("%+v", report)
			}
			if n := len(shares); n == 0 || shares[n-1] != 1 || !slices.IsSorted(shares) {
				t.Errorf("progress ends at %v", shares)
			}
			rows, err := csv.NewReader(strings.NewReader(readFile(t, out, f.Name+".csv"))).ReadAll()
			if err != nil || len(rows) < 2 || strings.Join(rows[0], ",") != "series,x,mean,sd,n" {
				t.Errorf("the data: %v, %v", err, rows[:min(2, len(rows))])
			}
			for _, row := range rows[1:] {
				if row[2] == "" {
					t.Errorf("a row without a mean: %v", row)
				}
			}
			var claims []map[string]string
			if err := json.Unmarshal([]byte(readFile(t, out, "claims.json")), &claims); err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, c := range claims {
				if c["figure"] == f.Name {
					n++
				}
				if len(c) != 5 || c["claim"] == "" || c["paper"] == "" || c["ours"] == "" || !slices.Contains([]string{"agrees", "differs", "open"}, c["verdict"]) {
					t.Errorf("claim %v", c)
				}
				if strings.Contains(c["ours"], "NaN") || strings.Contains(c["ours"], "%!") {
					t.Errorf("%s: %q", c["claim"], c["ours"])
				}
			}
			if n != len(report.Claims) {
				t.Errorf("%d claims in the file, %d reported", n, len(report.Claims))
			}
		})
	}
	if text := readFile(t, out, "results.md"); !strings.Contains(text, "\n| claim | paper, and what decides | found | verdict |\n") || strings.Contains(text, "%!") {
		t.Errorf("results.md:\n%s", text)
	}
}

// Figure 7 of two machines at reduced size has means over them beside the numbers of the one that is drawn, and its verdict is
// about both; figure 7 at full size, with other machines, is told apart.
func TestPatternsOfSeveralMachines(t *testing.T) {
	needsDigits(t, "7-small")
	o := options(t.TempDir())
	if err := experiment.Run(context.Background(), find(t, "7-small"), o); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(readFile(t, o.Out, "7-small.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]string{}
	for _, row := range rows {
		n[row[0]] = row[4]
		if over := strings.Contains(row[0], "over machines"); over && row[3] == "" {
			t.Errorf("no deviation over machines: %v", row)
		}
	}
	for name, want := range map[string]string{
		"overlap with the nearest training image, patterns": "6", "mean overlap over machines, patterns": "2", "mean overlap over machines, test images": "2",
		"mean overlap over machines, samples from one pattern": "2", "classes over machines": "2", "classes of samples from one pattern": "1",
	} {
		if n[name] != want {
			t.Errorf("%s is of %q, want %s", name, n[name], want)
		}
	}
	var claims []map[string]string
	if err := json.Unmarshal([]byte(readFile(t, o.Out, "claims.json")), &claims); err != nil || len(claims) != 2 || claims[0]["figure"] != "7-small" ||
		!strings.Contains(claims[0]["ours"], " ± ") || !strings.Contains(claims[1]["ours"], "for each machine") {
		t.Errorf("%v, %v", err, claims)
	}
}

// The same bytes on one thread and on three, whether instances were there before or not, and with the instances of a sibling.
func TestThreadsChangeNothing(t *testing.T) {
	var csvs, pictures []string
	for _, threads := range []int{1, 3} {
		o := options(t.TempDir())
		o.Threads = threads
		if threads == 3 {
			first := o
			first.Instances = 1
			if err := experiment.Run(context.Background(), find(t, "2a"), first); err != nil {
				t.Fatal(err)
			}
		}
		if err := experiment.Run(context.Background(), find(t, "3b"), o); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(o.Out, "3b", "instances", "rapid-1")); (err == nil) != (threads == 1) {
			t.Errorf("%d threads: an instance that 2a has was trained again: %v", threads, err)
		}
		csvs = append(csvs, readFile(t, o.Out, "3b.csv"))
		pictures = append(pictures, readFile(t, o.Out, "3b.png"))
	}
	if csvs[0] != csvs[1] {
		t.Errorf("one thread:\n%s\nthree:\n%s", csvs[0], csvs[1])
	}
	if !bytes.Equal([]byte(pictures[0]), []byte(pictures[1])) {
		t.Error("the pictures differ")
	}
}

// A figure that is stopped again and again ends with the bytes of one that is not. Instances
// that were finished are not trained again.
func TestInterrupted(t *testing.T) {
	whole, parts := options(t.TempDir()), options(t.TempDir())
	if err := experiment.Run(context.Background(), find(t, "3a"), whole); err != nil {
		t.Fatal(err)
	}
	stops := 0
	for ; ; stops++ {
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		parts.Progress = func(*experiment.Figure, float64, string) {
			if calls++; calls > 25 {
				cancel()
			}
		}
		err := experiment.Run(ctx, find(t, "3a"), parts)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if stops > 100 {
			t.Fatal("it never ends")
		}
	}
	if stops < 3 {
		t.Fatalf("stopped %d times: the test stops too late", stops)
	}
	if got, want := readFile(t, parts.Out, "3a.csv"), readFile(t, whole.Out, "3a.csv"); got != want {
		t.Errorf("stopped %d times:\n%s\nwant:\n%s", stops, got, want)
	}
	record := filepath.Join(parts.Out, "3a", "instances", "rapid-1", "checkpoints")
	before, err := os.Stat(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := experiment.Run(context.Background(), find(t, "3a"), parts); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(record); after.ModTime() != before.ModTime() {
		t.Error("a finished instance was trained again")
	}

	// A directory that was made and never begun, as after a crash.
	begun := filepath.Join(parts.Out, "3a", "instances", "rapid-2")
	if err := os.RemoveAll(begun); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(begun, "checkpoints"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := experiment.Run(context.Background(), find(t, "3a"), parts); err != nil {
		t.Fatal(err)
	}
	if readFile(t, parts.Out, "3a.csv") != readFile(t, whole.Out, "3a.csv") {
		t.Error("other data after a directory that was made and never begun")
	}
}

func TestRefused(t *testing.T) {
	for name, want := range map[string]string{
		"3": "", "2a": "", "6": "", "7-small": "", "6-": "is no figure", "all": "", "c1": "", "C1": "", "Cost": "", "All": "", "2C": "\"2C\" is no figure", "": "is no figure: 1, 2a,", "2c": "is no figure", "c": "is no figure", "10": "is no figure", "pro": "is no figure",
	} {
		f, err := experiment.Find(name)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
		if n := map[string]int{"3": 2, "2a": 1, "6": 1, "7-small": 1, "all": len(experiment.Figures), "All": len(experiment.Figures), "c1": 1, "C1": 1, "Cost": 1}[name]; len(f) != n {
			t.Errorf("%q is %d figures, want %d", name, len(f), n)
		}
	}
	o := options(t.TempDir())
	o.Instances = -1
	if err := experiment.Run(context.Background(), find(t, "crosstalk"), o); err == nil || err.Error() != "-1 instances are out of range, want 1 to 100000" {
		t.Error(err)
	}
	o = options(t.TempDir())
	if err := experiment.Run(context.Background(), find(t, "crosstalk"), o); err != nil {
		t.Fatal(err)
	}
	o.Miniature = false
	err := experiment.Run(context.Background(), find(t, "crosstalk"), o)
	if want := "it was made with other settings than this figure has; remove it or choose another --out"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
