package train_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"mattis/train"
)

func TestNonFinite(t *testing.T) {
	tr := plain.trainer(t, 1)
	events := 0
	tr.Observers = []train.Observer{observe(func(ev train.Event) error { events++; return nil })}
	tr.Rate = func(epoch float64) float64 {
		if epoch == 1 {
			return math.Inf(1)
		}
		return 0.01
	}
	err := tr.Run(context.Background(), 3)
	var bad *train.NonFinite
	if !errors.As(err, &bad) || bad.Step != 5 || bad.Param != "weights" {
		t.Fatalf("error %v, want *NonFinite of weights at update 5", err)
	}
	if want := "update 5 made weights NaN or infinite; a lower optimizer.rate or project.update: [{clip: 1}] may help"; err.Error() != want {
		t.Errorf("message %q, want %q", err, want)
	}
	if events != 5 { // before the first and after four good updates
		t.Errorf("observers heard %d events, want 5", events)
	}
}

// A projection must not hide an infinite parameter.
func TestNonFiniteBeforeClip(t *testing.T) {
	tr := configuration{"axons", true, "pid", "sgd", "clip"}.trainer(t, 1)
	tr.Rate = func(float64) float64 { return 1e39 }
	var bad *train.NonFinite
	if err := tr.Run(context.Background(), 1); !errors.As(err, &bad) || bad.Step != 1 || bad.Param != "patterns.visible" {
		t.Errorf("error %v, want *NonFinite of patterns.visible at update 1", err)
	}
}
