package recipe

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"mattis/compute/cpu"
)

// Trainings whose patterns are signs now and then, and machines of signs that are not trained, write the same checkpoints and metrics
// whether products of integers are worked out as such or not.
func TestIntegersKeepCheckpoints(t *testing.T) {
	for name, settings := range map[string][]string{
		"bars":                        {"train.epochs=4", "machine.hidden=300", "measure.every=2"},
		"bars, signs at every update": {"train.epochs=3", "machine.hidden=300", "measure.every=2", "project={update: [sign]}"},
		"bas12":                       {"train.epochs=1", "machine.hidden=100", "couplings.patterns=24", "measure.last=[]", "project={update: [sign]}"},
		"hopfield":                    {"data.size=120", "data.count=10"},
		"mattis":                      {"machine.hidden=200", "couplings.patterns=2", "measure.last=[ground_energy, gibbs_accessibility, overlap]"},
	} {
		t.Run(name, func(t *testing.T) {
			var first string
			for _, mode := range []string{"off", "auto", "always"} {
				undo, err := cpu.Integers(mode)
				if err != nil {
					t.Fatal(err)
				}
				dir := filepath.Join(t.TempDir(), mode)
				builtin, _, _ := strings.Cut(name, ",")
				text, _ := Builtin(builtin)
				s := begin(t, dir, string(text), append(settings, "train.checkpoint={epochs: 1, minutes: 0, keep: 0}")...)
				undo()
				finish(t, s)
				steps := s.Recipe.Train.Epochs * s.Trainer.StepsPerEpoch()
				if mode == "off" {
					first = dir
					continue
				}
				if !bytes.Equal(lastCheckpoint(t, first, steps), lastCheckpoint(t, dir, steps)) {
					t.Errorf("%s: other checkpoints than in float32", mode)
				}
				if timeless(t, first) != timeless(t, dir) {
					t.Errorf("%s: other metrics than in float32", mode)
				}
				if n := s.Trainer.Machine.Engine().(*cpu.Engine).IntegerProducts(); n == 0 && mode == "always" {
					t.Error("no product of integers: this tests nothing")
				}
			}
		})
	}
}
