package recipe

import (
	"runtime"
	"testing"

	"mattis/compute/cpu"
)

// TestLeastMemory fails for a bound above what a training takes, and for one that misses gradients, moments, chains
// or replicas.
func TestLeastMemory(t *testing.T) {
	const bars = "data: {name: bars}\nmachine: {hidden: 1000}\ntrain: {epochs: 1, batch: 1}\n"
	for _, c := range []struct {
		name     string
		settings []string
		want     float64
		path     string
	}{
		{"axons", nil, 336 + 2*4*8*1016, "machine.hidden"},
		{"many patterns", []string{"couplings.patterns=2000"}, 336 + 2*4*2000*1016, "couplings.patterns"},
		{"dense", []string{"couplings={kind: dense}", "negative={kind: cd}"}, 336 + 2*4*16*1000, "machine.hidden"},
		{"adam", []string{"optimizer={kind: adam}"}, 336 + 4*4*8*1016, "machine.hidden"},
		{"momentum", []string{"optimizer.momentum=0.5"}, 336 + 3*4*8*1016, "machine.hidden"},
		{"chains", []string{"negative={kind: pcd, chains: 500}"}, 336 + 2*4*8*1016 + 500*1016, "negative.chains"},
		{"shards", []string{"negative={kind: pcd, chains: 500}", "train={epochs: 1, batch: 2, shards: 2}"}, 336 + 5*4*8*1016 + 250*1016 + 16, "negative.chains"},
		{"frozen states", []string{"negative={kind: trajectory, chains: 500, rungs: 5}"}, 336 + 7*4*8*1016 + 4000*1016, "negative.chains"},
		{"replicas", []string{"negative={kind: tempering, chains: 500, temperatures: [1, 0.5]}"}, 336 + 2*4*8*1016 + 1500*1016, "negative.chains"},
	} {
		r, err := Parse("test", []byte(bars), c.settings...)
		if err != nil {
			t.Fatal(err)
		}
		if got, path := r.LeastMemory(10, 16); got != c.want || path != c.path {
			t.Errorf("%s: %v bytes, most by %s, want %v by %s", c.name, got, path, c.want, c.path)
		}
	}
}

// TestMemory compares the estimate with what a training on the engine holds after an update, 8 MB or more: what the tests before it held
// is half a megabyte that may go meanwhile. It fails for what is missing
// (gradients, moments, chains, replicas, scratch, listed states, the data on the engine) and for what is counted twice.
func TestMemory(t *testing.T) {
	const tolerance = 0.1
	for name, settings := range map[string][]string{
		"axons, momentum":     {"machine.hidden=30000", "couplings.patterns=20", "optimizer.momentum=0.5"},
		"dense, Adam":         {"machine.hidden=400000", "couplings={kind: dense}", "negative={kind: cd, steps: 1}", "optimizer={kind: adam}", "project={}"},
		"PCD":                 {"negative={kind: pcd, chains: 30000, steps: 1}"},
		"tempering":           {"machine.hidden=200", "negative={kind: tempering, chains: 3000, steps: 1}"},
		"trajectory":          {"machine.hidden=3000", "negative={kind: trajectory, chains: 500, steps: 1, rungs: 20}"},
		"frozen states":       {"machine.hidden=30000", "couplings={kind: dense}", "negative={kind: trajectory, chains: 4, steps: 1, rungs: 20}", "project={}"},
		"annealing":           {"negative={kind: annealing, chains: 200000, steps: 1}"},
		"exact":               {"data={name: bars, size: 4}", "machine.hidden=2000", "negative={kind: exact}"},
		"projections":         {"machine.hidden=3000", "couplings.patterns=400", "project={update: [{clip: 1}], epoch: [{gibbs: 3}]}"},
		"shards":              {"machine.hidden=30000", "couplings.patterns=20", "negative={kind: pcd, chains: 9000, steps: 1}", "train.shards=3"},
		"all rows in a batch": {"data={name: bas, size: 13}", "machine.hidden=100", "train.batch=100000"},
	} {
		t.Run(name, func(t *testing.T) {
			r := parse(t, least+"measure: {every: 0}\n", settings...)
			split, err := r.LoadData()
			if err != nil {
				t.Fatal(err)
			}
			e := cpu.New(2)
			defer e.Close()
			before := held()
			tr, err := r.Build(split, e)
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.updateOnce(); err != nil {
				t.Fatal(err)
			}
			used := held() - before
			runtime.KeepAlive(tr)
			said, _, err := r.updating(nil, split, cpu.NewDry(2))
			if err != nil {
				t.Fatal(err)
			}
			if off := said/used - 1; off < -tolerance || off > tolerance {
				t.Errorf("%.1f MB said, %.1f MB used: %+.0f %%", said/1e6, used/1e6, 100*off)
			}
		})
	}
}
