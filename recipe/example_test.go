package recipe_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"mattis/compute/cpu"
	"mattis/recipe"
	"mattis/run"
)

// A built-in recipe, a third of it, trained in a run directory, and its machine judged.
func Example() {
	dir, err := os.MkdirTemp("", "mattis")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := trainAndJudge(filepath.Join(dir, "bars-1")); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 400 updates, test hamming at most 0.10: true
}

func trainAndJudge(dir string) error {
	e := cpu.New(1)
	defer e.Close()
	r, err := recipe.Load("bars", "train.epochs=100", "measure.every=50", "measure.last=[]")
	if err != nil {
		return err
	}
	split, err := r.LoadData()
	if err != nil {
		return err
	}
	w, err := run.Create(dir)
	if err != nil {
		return err
	}
	defer w.Close()
	session, err := recipe.Begin(r, split, w, e, run.Session{})
	if err != nil {
		return err
	}
	if err := session.Run(context.Background()); err != nil {
		return err
	}
	m, _, err := recipe.LoadModel(&w.Directory, -1, e)
	if err != nil {
		return err
	}
	judge := recipe.Judge{Model: m, Split: split}
	result, err := judge.Measure(context.Background(), recipe.Wanted{Measure: "hamming", Set: "test"})
	if err != nil {
		return err
	}
	fmt.Printf("%d updates, test hamming at most 0.10: %v\n", m.Step, result.Value <= 0.10)
	return nil
}
