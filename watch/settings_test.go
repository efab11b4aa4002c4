package watch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSettings(t *testing.T) {
	got, err := settings([]byte("seed: 1\ndata: {name: bars, split: paper}\nproject:\n  update: []\n  epoch:\n    - sign\n    - clip: 1.0\ncouplings:\n  init:\n    bernoulli: 1.0\nempty:\n"))
	want := []Setting{{"seed", "1"}, {"data.name", "bars"}, {"data.split", "paper"}, {"project.update", "[]"}, {"project.epoch", "[sign, {clip: 1}]"},
		{"couplings.init.bernoulli", "1"}, {"empty", "null"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, c := range []struct{ text, want string }{
		{"", "no keys and values"},
		{"- a\n- b\n", "no keys and values"},
		{"a: [1\n", ""},
		{"a: b: c\n", ""},
		{"\x00\xff", ""},
		{"a: &x [1,2]\nb: [*x, *x]\n", "no anchors and no aliases"},
		{strings.Repeat("[", 20_000), ""},
	} {
		if got, err := settings([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.30q: %v, %v, want an error with %q", c.text, got, err, c.want)
		}
	}
}

func TestDifferences(t *testing.T) {
	a := []Setting{{"seed", "1"}, {"kind", "cd"}, {"steps", "3"}}
	b := []Setting{{"seed", "1"}, {"kind", "pcd"}, {"chains", "8"}}
	want := []Difference{{"kind", []string{"cd", "pcd"}}, {"steps", []string{"3", ""}}, {"chains", []string{"", "8"}}}
	if diff := cmp.Diff(want, Differences(a, b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d := Differences(a, a, a); len(d) > 0 {
		t.Errorf("equal recipes differ in %v", d)
	}
}
