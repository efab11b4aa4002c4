package positive_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/positive"
	"mattis/rng"
)

func engine(t *testing.T, threads int) *cpu.Engine {
	e := cpu.New(threads)
	t.Cleanup(e.Close)
	return e
}

// gradients returns <dE/dtheta> of the batch for all learned parameters in a row.
func gradients(m *bm.Machine, b bm.Batch) (all []float64) {
	e := m.Engine()
	for _, p := range bm.Learned(m) {
		e.Fill(p.Grad, 0)
	}
	m.Phase(b, 1)
	for _, p := range bm.Learned(m) {
		x := make([]float32, p.Grad.Len())
		compute.Read(e, x, p.Grad)
		for _, y := range x {
			all = append(all, float64(y))
		}
	}
	return all
}

func rowsOf(m *bm.Machine, rows [][]int8) compute.Matrix {
	v := m.Engine().Alloc(compute.Int8, len(rows), len(rows[0]))
	compute.Write(m.Engine(), v, slices.Concat(rows...))
	return v
}

func someRows(m *bm.Machine, n int) [][]int8 {
	rows := make([][]int8, n)
	for i := range rows {
		rows[i] = make([]int8, m.Layers()[bm.Visible])
		exact.SetState(rows[i], rng.Key(3).Uint64(uint64(i), 0))
	}
	return rows
}

// The marginal phase is the exact one, and is refused where hidden layers meet, which are named.
func TestMarginal(t *testing.T) {
	for _, small := range check.Machines(engine(t, 2), 61) {
		m, rows := small.Machine, someRows(small.Machine, 5)
		p, err := positive.NewMarginal(m)
		if m.SumsOut() != (err == nil) {
			t.Errorf("%s: error %v", small.Name, err)
		}
		if err != nil {
			continue
		}
		got, want := gradients(m, p.Draw(rowsOf(m, rows), nil, 1)), gradients(m, check.Data(m, rows))
		for i := range want {
			if math.Abs(got[i]-want[i]) > 2e-5*(1+math.Abs(want[i])) {
				t.Errorf("%s: entry %d of the gradient is %.7f, want %.7f", small.Name, i, got[i], want[i])
			}
		}
	}
	e := engine(t, 1)
	_, err := positive.NewMarginal(bm.New(e, bm.NewDense(e, bm.Full(3, 2))))
	const want = "the hidden layers do not sum out given the visible one: there are the pairs hidden-hidden; take mean-field or clamped"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// Clamped chains that were moved long have the law of the hidden layers given the data: their gradient is the exact one within its
// error, of 20 000 chains on each row; and mean field's where it is exact, in machines whose hidden layers sum out.
func TestGradientsGivenData(t *testing.T) {
	const chains = 20000
	for i, small := range check.Machines(engine(t, 2), 62) {
		m, rows := small.Machine, someRows(small.Machine, 2)
		if len(m.Layers()) == 1 {
			continue
		}
		want := gradients(m, check.Data(m, rows))
		if m.SumsOut() {
			got := gradients(m, positive.NewMeanField(m, 10, 0).Draw(rowsOf(m, rows), nil, 1))
			for k := range want {
				if math.Abs(got[k]-want[k]) > 2e-5*(1+math.Abs(want[k])) {
					t.Errorf("%s: mean field's entry %d is %.7f, want %.7f", small.Name, k, got[k], want[k])
				}
			}
		}
		if i%2 == 0 {
			continue
		}
		c := positive.NewClamped(m, 4, chains, 20, false, 9)
		got := gradients(m, c.Draw(rowsOf(m, rows), []int32{3, 1}, 1))
		for k := range want {
			// Entries are means of products of at most 9 spins and patterns below 2 in size, over 40 000 chains: 6 standard errors.
			if math.Abs(got[k]-want[k]) > 6*3/math.Sqrt(2*chains) {
				t.Errorf("%s: clamped entry %d is %.4f, want %.4f", small.Name, k, got[k], want[k])
			}
		}
	}
}

// Chains of a row go on where they were whatever its place in a batch, those of others stay, and a fresh estimator goes on from State alone.
func TestClampedChainsAreOfRows(t *testing.T) {
	e := engine(t, 2)
	for _, small := range check.Machines(e, 63) {
		m := small.Machine
		if m.SumsOut() {
			continue
		}
		c := positive.NewClamped(m, 5, 2, 1, false, 9)
		before := chainsOf(m, c)
		rows := someRows(m, 2)
		drawn := c.Draw(rowsOf(m, rows), []int32{4, 2}, 7)
		after := chainsOf(m, c)
		for l, x := range after {
			n := len(x) / 10
			moved := false
			for i := range 10 {
				same := slices.Equal(x[i*n:][:n], before[l][i*n:][:n])
				if row := i / 2; row != 4 && row != 2 {
					if !same {
						t.Errorf("%s: chain %d of layer %d moved, which was not in the batch", small.Name, i, l)
					}
				} else {
					moved = moved || !same
					at := map[int]int{4: 0, 2: 1}[row]*2 + i%2
					layer := m.View().Left[1+l]
					y := make([]int8, drawn.State[layer].Len())
					compute.Read(e, y, drawn.State[layer])
					if !slices.Equal(x[i*n:][:n], y[at*n:][:n]) {
						t.Errorf("%s: chain %d of layer %d is kept as another than was drawn", small.Name, i, l)
					}
				}
			}
			if !moved && n > 2 {
				t.Errorf("%s: no chain of layer %d moved", small.Name, l)
			}
		}
		fresh := positive.NewClamped(m, 5, 2, 1, false, 99)
		for i, p := range fresh.State() {
			e.Copy(p.Value, c.State()[i].Value)
		}
		c.Draw(rowsOf(m, rows), []int32{0, 4}, 8)
		fresh.Draw(rowsOf(m, rows), []int32{0, 4}, 8)
		if fmt.Sprint(chainsOf(m, c)) != fmt.Sprint(chainsOf(m, fresh)) {
			t.Errorf("%s: a fresh estimator does not go on from the state", small.Name)
		}
	}
}

func chainsOf(m *bm.Machine, c *positive.Clamped) (all [][]int8) {
	for _, p := range c.State() {
		x := make([]int8, p.Value.Len())
		compute.Read(m.Engine(), x, p.Value)
		all = append(all, x)
	}
	return all
}
