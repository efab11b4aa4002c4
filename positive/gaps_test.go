package positive_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/positive"
)

// Chains of rows with gaps that were moved long have the law of the hidden layers and of what is missing given what is known: their gradient is that of
// all completions, each by its probability, within the error of 16 000 chains. Coins for what is missing, and its means given hidden layers of
// other rows, fail.
func TestGradientsGivenWhatIsKnown(t *testing.T) {
	const chains = 8000
	for i, small := range check.Machines(engine(t, 2), 64) {
		m, v := small.Machine, small.Machine.Layers()[bm.Visible]
		if i%2 == 0 {
			continue
		}
		rows := someRows(m, 2)
		rows[0][0], rows[1][v-1] = 0, 0
		if v > 2 {
			rows[1][0] = 0
		}
		logs := check.ExactOf(m).LogVisible()
		var want []float64
		for _, row := range rows {
			var all exact.LogSum
			var whole [][]int8
			for state := range logs {
				x := make([]int8, v)
				exact.SetState(x, uint64(state))
				fits := true
				for j, y := range row {
					fits = fits && (y == 0 || y == x[j])
				}
				if fits {
					whole = append(whole, x)
					all.Add(logs[state])
				}
			}
			for _, x := range whole {
				state := 0
				for j, y := range x {
					state |= int(y+1) / 2 << j
				}
				g := gradients(m, check.Data(m, [][]int8{x}))
				if want == nil {
					want = make([]float64, len(g))
				}
				for k := range g {
					want[k] += g[k] * math.Exp(logs[state]-all.Log()) / 2
				}
			}
		}
		c := positive.NewClamped(m, 4, chains, 25, true, 9)
		got := gradients(m, c.Draw(rowsOf(m, rows), []int32{3, 1}, 1))
		for k := range want {
			if math.Abs(got[k]-want[k]) > 6*3/math.Sqrt(2*chains) {
				t.Errorf("%s: entry %d of the gradient is %.4f, want %.4f", small.Name, k, got[k], want[k])
			}
		}
	}
}

// What is known stays, what is missing is drawn, kept a row, and goes on from State alone; restarted chains keep nothing.
func TestGapsAreOfRows(t *testing.T) {
	e := engine(t, 2)
	for _, small := range check.Machines(e, 65) {
		m, v := small.Machine, small.Machine.Layers()[bm.Visible]
		rows := someRows(m, 2)
		rows[0][0], rows[1][1] = 0, 0
		c := positive.NewClamped(m, 5, 2, 1, true, 9)
		names := ""
		for _, p := range c.State() {
			names += p.Name + " "
		}
		if names[:17] != "positive.visible " || len(c.State()) != len(m.View().Left) {
			t.Errorf("%s: state %s", small.Name, names)
		}
		restarted := positive.NewClamped(m, 5, 0, 2, true, 9)
		if len(restarted.State()) != 0 {
			t.Errorf("%s: restarted chains keep %d parameters", small.Name, len(restarted.State()))
		}
		for n, each := range map[*positive.Clamped]int{c: 2, restarted: 1} {
			drawn := n.Draw(rowsOf(m, rows), []int32{4, 2}, 7)
			x := make([]int8, drawn.State[bm.Visible].Len())
			compute.Read(e, x, drawn.State[bm.Visible])
			for i := range 2 * each {
				for j, y := range rows[i/each] {
					if got := x[i*v+j]; got*got != 1 || y != 0 && got != y {
						t.Errorf("%s: spin %d of row %d is drawn as %d where %d is given", small.Name, j, i, got, y)
					}
				}
			}
			if n == c {
				kept := chainsOf(m, c)[0]
				for i, place := range []int{8, 9, 4, 5} {
					if !slices.Equal(kept[place*v:][:v], x[i*v:][:v]) {
						t.Errorf("%s: chain %d is kept as another than was drawn", small.Name, place)
					}
				}
			}
		}
		fresh := positive.NewClamped(m, 5, 2, 1, true, 99)
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
