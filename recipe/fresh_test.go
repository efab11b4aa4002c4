package recipe

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/negative"
)

// The chains of a training that start from the mean law have the means of the training set, smoothed as machine.start has them,
// before the first update: within five standard errors of 4000 chains, pixel by pixel; by every kind of chains that last.
func TestChainsStartFromTheMeans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	var text strings.Builder
	for i := range 40 { // up in 0, 10, 20, 30 and 40 of them
		for j := range 5 {
			if j > 0 {
				text.WriteByte(',')
			}
			if i < 10*j {
				text.WriteByte('1')
			} else {
				text.WriteByte('0')
			}
		}
		text.WriteByte('\n')
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"kind: pcd", "kind: fpcd", "kind: jarzynski", "kind: tempering, temperatures: [1, 0.5]", "kind: trajectory, rungs: 2"} {
		r := parse(t, "data: {name: csv, path: "+path+", split: all}\nmachine: {hidden: 3, biases: both}\ncouplings: {kind: dense, init: {normal: 1}}\nnegative: {"+kind+", chains: 4000, start: mean}\ntrain: {epochs: 1, batch: 4}\n")
		x := built(t, r, engine(t))
		chains := x.Trainer.Negative.State()[0].Value
		spins := make([]int8, chains.Len())
		compute.Read(x.Machine.Engine(), spins, chains)
		for j := range 5 {
			var sum float64
			for i := range chains.Rows() {
				sum += float64(spins[5*i+j])
			}
			n, up := float64(chains.Rows()), float64(10*j+1)/42
			want := 2*up - 1
			if mean := sum / n; math.Abs(mean-want) > 5*math.Sqrt((1-want*want)/n) {
				t.Errorf("%s: pixel %d has the mean %.4f, want %.4f", kind, j, mean, want)
			}
		}
	}
}

// The independent spins of a trajectory have the means of the training set where the machine or its chains start there, those
// that machine.start gives the visible biases, and are coins elsewhere.
func TestTrajectoryBase(t *testing.T) {
	for settings, want := range map[string]bool{"": false, "negative.start=mean": true, "machine.start=data": true, "negative.start=uniform": false, "machine.start=zero": false} {
		all := []string{"machine={hidden: 3, biases: both}", "negative={kind: trajectory, rungs: 2}"}
		if settings != "" {
			all = append(all, settings)
		}
		r := parse(t, least, all...)
		x := built(t, r, engine(t))
		base := x.Trainer.Negative.(*negative.Trajectory).Base
		if base.IsNone() == want {
			t.Errorf("%q: the fields of the independent spins are %v", settings, base)
			continue
		}
		if settings != "machine.start=data" {
			continue
		}
		fields, bias := make([]float32, base.Len()), make([]float32, base.Len())
		compute.Read(x.Machine.Engine(), fields, base)
		compute.Read(x.Machine.Engine(), bias, x.Machine.Bias(bm.Visible).Value)
		if !slices.Equal(fields, bias) {
			t.Errorf("the independent spins have the fields %v, the visible biases are %v", fields, bias)
		}
	}
}
