package recipe

import "testing"

// TestMemory fails for a bound above what a training takes, and for one that misses gradients, moments, chains
// or replicas.
func TestMemory(t *testing.T) {
	const bars = "data: {name: bars}\nmachine: {hidden: 1000}\ntrain: {epochs: 1, batch: 1}\n"
	for _, c := range []struct {
		name     string
		settings []string
		want     float64
		path     string
	}{
		{"axons", nil, 160 + 2*4*8*1016, "machine.hidden"},
		{"many patterns", []string{"couplings.patterns=2000"}, 160 + 2*4*2000*1016, "couplings.patterns"},
		{"dense", []string{"couplings={kind: dense}", "negative={kind: cd}"}, 160 + 2*4*16*1000, "machine.hidden"},
		{"adam", []string{"optimizer={kind: adam}"}, 160 + 4*4*8*1016, "machine.hidden"},
		{"momentum", []string{"optimizer.momentum=0.5"}, 160 + 3*4*8*1016, "machine.hidden"},
		{"chains", []string{"negative={kind: pcd, chains: 500}"}, 160 + 2*4*8*1016 + 500*1016, "negative.chains"},
		{"replicas", []string{"negative={kind: tempering, chains: 500, temperatures: [1, 0.5]}"}, 160 + 2*4*8*1016 + 1000*1016, "negative.chains"},
	} {
		r, err := Parse("test", []byte(bars), c.settings...)
		if err != nil {
			t.Fatal(err)
		}
		if got, path := r.Memory(10, 16); got != c.want || path != c.path {
			t.Errorf("%s: %v bytes, most by %s, want %v by %s", c.name, got, path, c.want, c.path)
		}
	}
}
