package main

import (
	"sync"
	"testing"

	"mattis/comm"
	"mattis/data"
	"mattis/recipe"
)

// Processes that have opened different checkpoints, recipes or data say so, at every rank and with the
// first rank that differs, before they put their parts together.
func TestProcessesWantTheSameModel(t *testing.T) {
	load := func(settings ...string) *recipe.Recipe {
		r, err := recipe.Load("bars", settings...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	coins := func(spin int8) *data.Split {
		return &data.Split{Train: &data.Set{Rows: 1, Visible: 2, Spins: []int8{1, spin}}}
	}
	type process struct {
		model *recipe.Model
		data  *data.Split
	}
	bars, seed2 := load(), load("seed=2")
	alike := process{&recipe.Model{Recipe: bars, Step: 10}, coins(1)}
	for _, c := range []struct {
		what  string
		third process
		want  string
	}{
		{"alike", alike, ""},
		{"a newer checkpoint", process{&recipe.Model{Recipe: bars, Step: 20}, coins(1)},
			"rank 2 has the checkpoint of update 20, and rank 0 of update 10: all processes of a job want the same"},
		{"another recipe", process{&recipe.Model{Recipe: seed2, Step: 10}, coins(1)}, "rank 2 has the recipe bars "},
		{"other data", process{alike.model, coins(-1)}, "rank 2 has the data of SHA-256 "},
		{"no data", process{alike.model, nil}, "rank 2 has the data that cannot be read, and rank 0 of SHA-256 "},
	} {
		all := []process{alike, alike, c.third}
		var wait sync.WaitGroup
		for rank, own := range comm.Local(len(all)) {
			wait.Go(func() {
				defer own.Close()
				job := team{Comm: own}
				err := job.sameModel(all[rank].model)
				if err == nil {
					err = job.sameData(all[rank].data)
				}
				if got := told(err); c.want == "" && got != "" || c.want != "" && (len(got) < len(c.want) || got[:len(c.want)] != c.want) {
					t.Errorf("%s: rank %d says %q, want %q", c.what, rank, got, c.want)
				}
			})
		}
		wait.Wait()
	}
}

func told(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
