package experiment

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/recipe"
)

// A figure whose run directories are gone is drawn from its table to the byte and trains nothing; it is
// added to, lines of seeds that are not asked for stay, and lines that can't be taken are named.
func TestFigureFromItsTable(t *testing.T) {
	out := t.TempDir()
	figures, err := Find("quality")
	if err != nil {
		t.Fatal(err)
	}
	var made int // trainings
	ctx := context.Background()
	draw := func(instances int, seed uint64) error {
		made = 0
		return Run(ctx, figures, Options{Instances: instances, Seed: seed, Threads: 1, Out: out, Miniature: true,
			Engine:  func(n int) compute.Engine { return cpu.New(n) },
			Session: func(*recipe.Session) func() { made++; return func() {} }})
	}
	table, picture := filepath.Join(out, "quality", recordsName), filepath.Join(out, "quality.csv")
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	forget := func() {
		if err := os.RemoveAll(filepath.Join(out, "quality", "instances")); err != nil {
			t.Fatal(err)
		}
	}
	arms := len(qualities.arms)
	if err := draw(1, 1); err != nil || made != arms-1 {
		t.Fatalf("%v, %d trainings", err, made)
	}
	lines, drawn := read(table), read(picture)
	if strings.Count(lines, "\n") != arms {
		t.Fatalf("%d lines of %d instances", strings.Count(lines, "\n"), arms)
	}
	forget()
	if err := draw(1, 1); err != nil || made != 0 || read(table) != lines || read(picture) != drawn {
		t.Errorf("%v, %d trainings; the table or the picture differs", err, made)
	}
	if err := draw(1, 2); err != nil || made != arms-1 || strings.Count(read(table), "\n") != 2*arms || !strings.HasSuffix(read(table), lines) {
		t.Errorf("another seed: %v, %d trainings, %d lines", err, made, strings.Count(read(table), "\n"))
	}
	forget()
	if err := draw(2, 1); err != nil || made != 0 || strings.Count(read(table), "\n") != 2*arms || read(picture) == drawn {
		t.Errorf("both seeds: %v, %d trainings, %d lines", err, made, strings.Count(read(table), "\n"))
	}
	// A table that lacks an instance.
	update, trained, _ := strings.Cut(read(table), "\n")
	first, rest, _ := strings.Cut(trained, "\n")
	rest += update + "\n"
	put := func(text string) {
		if err := os.WriteFile(table, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	put(rest)
	var stop context.CancelFunc
	ctx, stop = context.WithCancel(ctx)
	stop()
	if err := draw(2, 1); !errors.Is(err, context.Canceled) || made != 0 || strings.Count(read(table), "\n") != 2*arms-1 {
		t.Errorf("interrupted: %v after %d trainings, %d lines", err, made, strings.Count(read(table), "\n"))
	}
	ctx = context.Background()
	if err := draw(2, 1); err != nil || made != 1 || strings.Count(read(table), "\n") != 2*arms {
		t.Errorf("a line less: %v, %d trainings", err, made)
	}
	forget()
	for _, c := range []struct{ line, want string }{
		{strings.Replace(first, "hidden: 4", "hidden: 5", 1), "line 1: k50-1min-1 was made with other settings"},
		{first[:len(first)-9], "line 1: "},
		{strings.Replace(first, "seed: 1", "sead: 1", 1), "line 1: the recipe"},
	} {
		put(c.line + "\n" + rest)
		if err := draw(2, 1); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), recordsName) || made != 0 {
			t.Errorf("%v after %d trainings, want %q", err, made, c.want)
		}
	}
}
