package experiment

import (
	"math"
	"testing"

	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
	"mattis/internal/check"
	"mattis/rng"
)

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.12g, want %.12g", what, got, want)
	}
}

// The law of a machine against log Z of the oracle, and against sums written out over all histories of spins: two sweeps, a
// reconstruction, the overlap of two draws and the triangles of three. Transposed couplings, a bias left out and a mistaken bit fail.
func TestLaw(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	for i := range 4 {
		m, name := randomMachine(e, i, 4, 3, 1.5, rng.Key(40+i))
		l := lawOf(m)
		within(t, name+": log Z", l.logZ, check.LogZ(m), 1e-5)

		// p(v,h) = exp(-E)/Z gives both conditional laws.
		energy := func(v, h int) (sum float64) {
			for a, x := range l.b {
				sum -= x * spinOf(v, a)
				for j := range l.c {
					sum -= l.w[a][j] * spinOf(v, a) * spinOf(h, j)
				}
			}
			for j, y := range l.c {
				sum -= y * spinOf(h, j)
			}
			return sum
		}
		const states, hiddenStates = 16, 8
		ground, mean := math.Inf(1), 0.0
		up, down := [states][hiddenStates]float64{}, [hiddenStates][states]float64{}
		for v := range states {
			for h := range hiddenStates {
				w := math.Exp(-energy(v, h))
				ground = min(ground, energy(v, h))
				var row, column float64
				for k := range hiddenStates {
					row += math.Exp(-energy(v, k))
				}
				for k := range states {
					column += math.Exp(-energy(k, h))
				}
				up[v][h], down[h][v] = w/row, w/column
			}
		}
		within(t, name+": ground", l.ground, ground, 1e-12)
		// v0 h1 v1 h2 v2, all of them
		var twice [states]float64
		for v0 := range states {
			for h1 := range hiddenStates {
				for v1 := range states {
					for h2 := range hiddenStates {
						p := up[v0][h1] * down[h1][v1] * up[v1][h2] / states
						for v2 := range states {
							twice[v2] += p * down[h2][v2]
							mean += p * down[h2][v2] * energy(v2, h2)
						}
					}
				}
			}
		}
		v, h := l.after(2)
		for s, p := range twice {
			within(t, name+": after two sweeps", v[s], p, 1e-12)
		}
		within(t, name+": mean energy", l.meanEnergy(h), mean, 1e-11)

		// The chain's memory, sweep by sweep: rho falls by a factor below 1 in each.
		f := make([]float64, states)
		var average, variance float64
		for s := range f {
			average += l.p[s] * l.free[s]
		}
		for s := range f {
			f[s] = l.free[s] - average
			variance += l.p[s] * f[s] * f[s]
		}
		g, time := append([]float64(nil), f...), 0.5
		for range 20000 {
			g = times(l.up, times(l.down, g))
			for s := range f {
				time += l.p[s] * f[s] * g[s] / variance
			}
		}
		within(t, name+": time", l.time(), time, 1e-7*time)

		// One step from a row with an unknown half, and three with the known half clamped.
		row, known := []int8{1, -1, -1, 1}, []bool{true, true, false, false}
		var one, clamped float64
		begin := l.given([]float64{1, -1, 0, 0})
		wrong := func(v int) (n float64) {
			for a, x := range row {
				if spinOf(v, a) != float64(x) {
					n++
				}
			}
			return n / 4
		}
		consistent := func(v int) bool { return v&3 == 1 }
		share := func(h, v int) float64 { // p(v|h) among the consistent ones
			var all float64
			for k := range states {
				if consistent(k) {
					all += down[h][k]
				}
			}
			return down[h][v] / all
		}
		for h1, p := range begin {
			for v1 := range states {
				one += p * down[h1][v1] * wrong(v1)
				if !consistent(v1) {
					continue
				}
				for h2 := range hiddenStates {
					for v2 := range states {
						if consistent(v2) {
							clamped += p * share(h1, v1) * up[v1][h2] * share(h2, v2) * wrong(v2)
						}
					}
				}
			}
		}
		within(t, name+": one step", l.wrong(row, known, 1, false), one, 1e-12)
		within(t, name+": two clamped steps", l.wrong(row, known, 2, true), clamped, 1e-12)

		overlap := func(a, b int) (q float64) {
			for k := range 4 {
				q += spinOf(a, k) * spinOf(b, k) / 4
			}
			return q
		}
		distance := func(a, b int) float64 {
			q := overlap(a, b)
			if m.Symmetric() {
				q = math.Abs(q)
			}
			return (1 - q) / 2
		}
		gap := func(x, y, z float64) float64 {
			if y > x {
				x, y = y, x
			}
			if z > x {
				return z - x
			}
			return x - max(y, z)
		}
		var squared, triangles, unrelated float64
		for a, p := range v {
			for b, q := range v {
				squared += p * q * overlap(a, b) * overlap(a, b)
				for c, r := range v {
					triangles += p * q * r * gap(distance(a, b), distance(a, c), distance(b, c))
				}
			}
		}
		pairs := map[float64]float64{}
		for a, p := range v {
			for b, q := range v {
				pairs[distance(a, b)] += p * q
			}
		}
		for x, p := range pairs {
			for y, q := range pairs {
				for z, r := range pairs {
					unrelated += p * q * r * gap(x, y, z)
				}
			}
		}
		within(t, name+": squared overlap", l.squaredOverlap(v), squared, 1e-12)
		within(t, name+": ultrametricity", l.ultrametricity(v), triangles/unrelated, 1e-9)

		// 2x2 bars and stripes are the states with two spins up but those of the diagonals.
		valid, covered := l.images(v, data.BASImages(2), 3)
		var share4, seen float64
		for _, s := range []int{3, 5, 10, 12} {
			share4 += v[s]
			seen += (1 - math.Pow(1-v[s], 3)) / 4
		}
		within(t, name+": valid", valid, share4, 1e-12)
		within(t, name+": covered", covered, seen, 1e-12)

		// Mean free energy and pseudo-likelihood over all states.
		var free, pseudo float64
		for s := range states {
			free += l.free[s] / states
			for k := range 4 {
				pseudo += math.Log(l.p[s]/(l.p[s]+l.p[s^1<<k])) / states
			}
		}
		within(t, name+": mean F", l.meanFree(), free, 1e-12)
		within(t, name+": pseudo-likelihood", l.meanPseudo(), pseudo, 1e-12)
	}
}

// Errors that are half as large as they should be, or ten times, differ; luck does not, and neither do misses that are all warned of.
func TestCalibrationVerdict(t *testing.T) {
	for _, c := range []struct {
		calibration
		want Verdict
	}{
		{calibration{intervals: 30, held: 28, missed: 2}, Agrees},
		{calibration{intervals: 30, held: 30}, Agrees},
		{calibration{intervals: 30, held: 25, missed: 5}, Agrees},     // chance 0.17 of 90 %
		{calibration{intervals: 30, held: 20, missed: 10}, Differs},   // 67 % is what half an error holds
		{calibration{intervals: 600, held: 600}, Differs},             // 0.99^600 = 0.2 %
		{calibration{intervals: 300, held: 255, missed: 45}, Differs}, // 85 %
		{calibration{intervals: 30, held: 20, missed: 10, missedWarned: 10}, Agrees},
		{calibration{intervals: 30, held: 20, missed: 10, missedWarned: 9}, Differs},
		{calibration{none: 30}, Open},
		{calibration{none: 1, exact: 500}, Agrees},
	} {
		if got := c.verdict(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.calibration, got, c.want)
		}
	}
	most, least := eval.TailsOfBinomial(2, 3, 0.5)
	within(t, "at most 2 of 3", most, 7./8, 1e-12)
	within(t, "at least 2 of 3", least, 0.5, 1e-12)

	// Intervals, exact values, warnings and errors that are not known are told apart.
	w := &work{}
	w.addCalibration(eval.Result{Measure: "x", Value: 1, Stderr: 0.1}, 1.19)
	w.addCalibration(eval.Result{Measure: "x", Value: 1, Stderr: 0.1}, 1.2)
	w.addCalibration(eval.Result{Measure: "x", Value: 1, Stderr: eval.Unknown}, 1)
	w.addCalibration(eval.Result{Measure: "x", Value: 0, Stderr: eval.Unknown, Detail: map[string]any{"interval": []float64{0, 0.1}}}, 0.05)
	w.addCalibration(eval.Result{Measure: "x", Value: 5, Stderr: 0.1, Detail: map[string]any{"warnings": []string{"no good"}}}, 1)
	w.addCalibration(eval.Result{Measure: "x", Value: 5, Stderr: 0.1, Detail: map[string]any{"enough": false}}, 1)
	w.addCalibration(eval.Result{Measure: "x", Value: 5}, 5)
	w.addCalibration(eval.Result{Measure: "x", Value: 5}, 5.1)
	r := &results{instances: []*instance{{arm: &arm{name: "machines"}, record: record{Points: w.points}}}}
	if got, want := r.calibrationOf("x"), (calibration{"x", 6, 2, 4, 2, 2, 1, 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
