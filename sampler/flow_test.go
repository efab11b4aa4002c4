package sampler

import "testing"

// A round trip begins at rung 0: a replica that starts at the last rung has made none when it first comes to rung 0.
func TestRoundTripsBeginAtTheTarget(t *testing.T) {
	f := newFlow(3, 2)
	for _, rung := range []int{2, 1, 0, 1, 2, 1, 2, 0} {
		f.visit(0, rung)
	}
	for _, rung := range []int{1, 2, 1, 0} {
		f.visit(1, rung)
	}
	if got := f.stats().RoundTrips; got != 1 {
		t.Errorf("%d round trips, want the first replica's second coming to rung 0 alone", got)
	}
	// Visits of rung 1: from the last rung at places 2 and 6 of the first replica and 3 of the second, from rung 0 at place 4 of
	// the first. The second one's first visit comes from neither.
	if got := f.stats().Flow; got[0] != 0 || got[1] != 0.75 || got[2] != 1 {
		t.Errorf("flow %v, want 0, 3/4, 1", got)
	}
}
