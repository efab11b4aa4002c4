package recipe

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mattis/comm"
	"mattis/compute"
)

// What cannot be divided is refused in a line with the field and what would do.
func TestBadShards(t *testing.T) {
	for _, c := range []struct{ setting, want string }{
		{"train.shards=0", "train.shards: 0 is out of range, want at least 1"},
		{"train.shards=-4", "train.shards: -4 is out of range, want at least 1"},
		{"train.shards=1.5", "train.shards"},
		{"train.shards=5", "train.shards: 5 shards of batches of 4 rows leave some without any; want at most train.batch"},
		{"negative={kind: pcd, chains: 30}", "negative.chains: 30 cannot be divided over the 4 shards of train.shards: want a multiple, such as 32"},
		{"negative={kind: tempering, chains: 2}", "negative.chains: 2 cannot be divided over the 4 shards of train.shards: want a multiple, such as 4"},
		{"negative={kind: pcd, chains: 40, fresh: {share: 0.25}}", "negative.fresh.share: 0.25 of 40 chains starts 10 anew, which cannot be divided over the 4 shards of train.shards: want a multiple, such as a share of 0.2"},
	} {
		_, err := Parse("r.yaml", []byte(shardsBase), c.setting)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.setting, err, c.want)
		}
	}
	for _, c := range []struct {
		shards, processes int
		want              string
	}{
		{1, 4, "train.shards: 4 processes cannot share 1: their number has to divide it; a new training takes --set train.shards=4"},
		{4, 3, "train.shards: 3 processes cannot share 4: their number has to divide it; a new training takes --set train.shards=6"},
	} {
		r, split := load(t, shardsBase, fmt.Sprint("train.shards=", c.shards))
		if _, err := r.BuildShared(comm.Local(c.processes)[0], split, engine(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d shards, %d processes: %v, want %q", c.shards, c.processes, err, c.want)
		}
	}
}

// What goes on learning from rows as they come has the chains of all shards, in their order.
func TestLearnersHaveTheChainsOfShards(t *testing.T) {
	_, tr := inShards(t, 2, dense, "negative={kind: pcd, chains: 8, steps: 1}")
	l := tr.Learner()
	e, want := tr.Machine.Engine(), []int8(nil)
	for _, n := range tr.Trainer.Shards.Estimators {
		x := n.State()[0].Value
		own := make([]int8, x.Len())
		compute.Read(e, own, x)
		want = append(want, own...)
	}
	x := l.negative.State()[0].Value
	got := make([]int8, x.Len())
	compute.Read(e, got, x)
	if !slices.Equal(got, want) || len(got) != 8*16 {
		t.Errorf("chains %v, want those of the shards, %v", got, want)
	}
	if err := l.Update(tr.Split.Train); err != nil {
		t.Error(err)
	}
}

// Shards are a part of what a run is, one of them is not: runs of versions without them go on.
func TestShardsInTheDigest(t *testing.T) {
	one, four := parse(t, shardsBase, "train.shards=1"), parse(t, shardsBase)
	if one.Digest() == four.Digest() {
		t.Error("a run may go on with other shards")
	}
	without := parse(t, strings.Replace(shardsBase, " shards: 4,", "", 1))
	if without.Train.Shards != 1 || without.Digest() != one.Digest() {
		t.Errorf("%d shards by default", without.Train.Shards)
	}
}
