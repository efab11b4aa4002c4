package recipe

import (
	"fmt"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/rng"
	"mattis/run"
	"mattis/train"
)

// A sharp machine whose ladder goes from 1 to 0 in one step is parted, one with rungs between and a flat
// one are not; it is told once, until it has exchanged well, and never of few tries, of rates that
// earlier epochs had, in the middle of an epoch, or of estimators without temperatures.
func TestParted(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	const source = `data: {name: bars, size: 8, split: all}
machine: {hidden: 6}
couplings: {kind: dense, init: {normal: %s}}
negative: {kind: %s}
train: {epochs: 10, batch: 20}
measure: {every: 0, last: []}
`
	const (
		step   = "tempering, chains: 40, steps: 1, temperatures: [1, 0]"
		ladder = "tempering, chains: 40, steps: 1, temperatures: [1, 0.75, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0]"
		beside = step + ", fresh: {share: 0.2, steps: 1, from: uniform}"
	)
	session := func(scale, negative string) (*parted, *[]string, func(int)) {
		b := built(t, parse(t, fmt.Sprintf(source, scale, negative)), e)
		dir, err := run.Create(t.TempDir() + "/run")
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		s := &Session{Training: b, Dir: dir, Told: func(text string) { told = append(told, text) }}
		drawn := 0
		draw := func(n int) {
			for range n {
				mark := e.Mark()
				b.Trainer.Estimator().Draw(bm.Batch{}, rng.Key(3).Fold(uint64(drawn)))
				e.Release(mark)
				drawn++
			}
		}
		return &parted{Session: s}, &told, draw
	}
	for _, c := range []struct {
		name, scale, negative string
		draws                 int
		parted                bool
	}{
		{"sharp, one step", "2", step, 100, true},
		{"sharp, chains from coins beside it", "2", beside, 100, true},
		{"sharp, rungs between", "2", ladder, 100, false},
		{"flat, one step", "0.01", step, 100, false},
		{"few tries", "2", step, 20, false},
		{"no temperatures", "2", "pcd, chains: 40, steps: 1", 100, false},
	} {
		p, told, draw := session(c.scale, c.negative)
		draw(c.draws)
		if err := p.Observe(train.Event{Step: 40, EpochEnd: true}); err != nil || len(*told) > 0 != c.parted {
			t.Errorf("%s: %v, told %q, want a line: %t", c.name, err, *told, c.parted)
		}
		if c.parted {
			if text := (*told)[0]; !strings.HasPrefix(text, "update 40: tempering hardly ever exchanges the temperatures 1 and 0 (probability ") || !strings.Contains(text, "of 1 pairs 1 are below 0.02") {
				t.Errorf("%s: %q", c.name, text)
			}
		}
	}

	p, told, draw := session("2", step)
	look := func(ev train.Event, want int) {
		t.Helper()
		if err := p.Observe(ev); err != nil || len(*told) != want {
			t.Errorf("%v, %d lines, want %d: %q", err, len(*told), want, *told)
		}
	}
	weights := func(scale float32) {
		for _, x := range p.Machine.Couplings().Params() {
			w := make([]float32, x.Value.Len())
			compute.Read(e, w, x.Value)
			for i := range w {
				w[i] *= scale
			}
			compute.Write(e, x.Value, w)
		}
	}
	end := train.Event{Step: 40, EpochEnd: true}
	draw(100)
	look(train.Event{Step: 40}, 0)
	look(end, 1)
	look(end, 1) // of no tries since
	draw(100)
	look(end, 1)
	weights(1e-3)
	draw(200)
	look(end, 1)
	weights(1e3)
	draw(100)
	look(end, 2)
}
