package recipe

import (
	"context"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/train"
)

// A machine of weak couplings, whose random chains are near to coins: chains that hold the uniform image are said to be where
// these do not go, once until they are back among coins; between measured epochs, of estimators without chains and when much time was
// spent on it already nothing is looked at.
func TestUnreached(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	const source = `data: {name: bars, size: 8, split: all}
machine: {hidden: 6}
couplings: {kind: dense, init: {normal: 0.001}}
negative: {kind: %s}
train: {epochs: 10, batch: 20}
measure: {every: 2, last: []}
`
	session := func(negative string) (*unreached, *[]string) {
		b := built(t, parse(t, strings.Replace(source, "%s", negative, 1)), e)
		var told []string
		s := &Session{Training: b, total: 1000, Told: func(text string) { told = append(told, text) }}
		return &unreached{Session: s, ctx: context.Background()}, &told
	}
	up, coins := e.Alloc(compute.Int8, 40, 64), e.Alloc(compute.Int8, 40, 64)
	compute.Write(e, up, slices.Repeat([]int8{1}, up.Len()))
	e.Spins(coins, 3, 0, 0)
	u, told := session("pcd, chains: 40, steps: 1")
	for i, c := range []struct {
		epoch int
		end   bool
		held  compute.Matrix
		want  int // lines so far
	}{{2, true, coins, 0}, {3, true, up, 0}, {4, false, up, 0}, {4, true, up, 1}, {6, true, up, 1}, {8, true, coins, 1}, {10, true, up, 2}} {
		ev := train.Event{Step: 10 * c.epoch, Epoch: c.epoch, EpochEnd: c.end, Seconds: 1e6, Drawn: bm.Batch{State: bm.State{c.held}}}
		if err := u.Observe(ev); err != nil {
			t.Fatal(err)
		}
		if len(*told) != c.want {
			t.Errorf("event %d: %d lines, want %d: %q", i, len(*told), c.want, *told)
		}
	}
	if text := (*told)[0]; !strings.HasPrefix(text, "update 40: chains from random spins end elsewhere") || !strings.Contains(text, "the measure phases") {
		t.Errorf("%q", text)
	}
	ev := train.Event{Step: 40, Epoch: 4, EpochEnd: true, Drawn: bm.Batch{State: bm.State{up}}}
	u.spent, u.said = 1e9, false
	if err := u.Observe(ev); err != nil || len(*told) != 2 {
		t.Errorf("after a second of looking and none of training: %v, %q", err, *told)
	}
	none, told := session("cd, steps: 1")
	if err := none.Observe(ev); err != nil || len(*told) > 0 {
		t.Errorf("without persistent chains: %v, %q", err, *told)
	}
}
