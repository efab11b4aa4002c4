package optim_test

import (
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
	"mattis/optim"
)

// Offsets go to the means of the positive phase by their rate, and no probability changes: a bias that does not take the change up, or
// with the wrong sign, changes all of them.
func TestCentring(t *testing.T) {
	e := cpu.New(2)
	defer e.Close()
	moved := 0
	for _, small := range check.Machines(e, 91) {
		stays := slices.ContainsFunc(small.Machine.Graph().Layers, func(l bm.Layer) bool { return l.Off || !l.Offset })
		if stays {
			continue
		}
		moved++
		m := small.Machine
		c, err := optim.NewCentring(m, 0.25)
		if err != nil {
			t.Fatal(err)
		}
		before := check.ExactOf(m).LogVisible()
		var old [][]float32
		for l := range m.Layers() {
			x := make([]float32, m.Layers()[l])
			compute.Read(e, x, m.Couplings().Offset(l))
			old = append(old, x)
		}
		rows := [][]int8{make([]int8, m.Layers()[bm.Visible]), make([]int8, m.Layers()[bm.Visible])}
		for j := range rows[0] {
			rows[0][j], rows[1][j] = 1, int8(1-2*(j%2))
		}
		v := e.Alloc(compute.Int8, 2, len(rows[0]))
		compute.Write(e, v, append(append([]int8(nil), rows[0]...), rows[1]...))
		data := bm.State{v}
		for l, n := range m.Layers() {
			if l != bm.Visible {
				data = append(data, e.Alloc(compute.Float32, 2, n))
			}
		}
		m.MeanField(data, 50, 1e-6)
		c.Mean(bm.Batch{State: data}, 1)
		c.Move()
		for s, p := range check.ExactOf(m).LogVisible() {
			if math.Abs(p-before[s]) > 1e-5*(1+math.Abs(p)) {
				t.Fatalf("%s: log p of state %d was %.6f and is %.6f", small.Name, s, before[s], p)
			}
		}
		x := make([]float32, len(old[0]))
		compute.Read(e, x, m.Couplings().Offset(bm.Visible))
		for j := range x {
			mean := float32(rows[0][j]+rows[1][j]) / 2
			if want := old[0][j] + 0.25*(mean-old[0][j]); math.Abs(float64(x[j]-want)) > 1e-6 {
				t.Errorf("%s: offset of visible spin %d is %v, want %v", small.Name, j, x[j], want)
			}
		}
		for l := range m.Layers()[1:] {
			y := make([]float32, len(old[l+1]))
			compute.Read(e, y, m.Couplings().Offset(l+1))
			same := true
			for j := range y {
				same = same && y[j] == old[l+1][j]
			}
			if same {
				t.Errorf("%s: the offset of layer %d stands still", small.Name, l+1)
			}
		}
	}
	if want := 2 * len(check.Topologies); moved != want {
		t.Errorf("%d machines have offsets that move, want %d", moved, want)
	}
	g := bm.Restricted(3, 2, true)
	if _, err := optim.NewCentring(bm.New(e, bm.NewDense(e, g), true, false), 0.1); err == nil {
		t.Error("offsets move where the hidden layer has no biases")
	}
}
