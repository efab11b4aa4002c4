package mattis_test

import (
	"testing"

	"mattis/eval"
	"mattis/watch"
)

// The page calls best what the table of measures calls best: it has a list of its own, as it reads run
// directories and nothing else, and a measure that is new or has changed its mind is missed in neither.
func TestGoalsOfThePage(t *testing.T) {
	for _, m := range eval.Measures {
		if got := watch.Goals[m.Name]; got != int(m.Goal) {
			t.Errorf("%s: the page has the goal %d, the measure %d", m.Name, got, m.Goal)
		}
	}
	for name := range watch.Goals {
		if _, err := eval.Named(name); err != nil {
			t.Error(err)
		}
	}
}
