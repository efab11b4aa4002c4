package sampler

// Stats says how replicas wander over the rungs of a ladder. Rung 0 is the
// target, the last rung is where mixing is fast.
type Stats struct {
	Rounds int // of sweeps, each with one try of the even or of the odd pairs
	// Swaps has one entry for each pair of neighbouring rungs (r, r+1).
	Swaps []SwapRate
	// Flow is, for each rung, the share of the visits by replicas that come from the last rung,
	// among those by replicas that have been at either end; 0 without visits. It is 0 at rung 0 and
	// 1 at the last one, and a straight line between in the best of ladders; a sharp step shows the
	// bottleneck.
	Flow []float64
	// RoundTrips is how often a replica went from rung 0 to the last rung and back.
	RoundTrips int
}

// SwapRate counts the tries to exchange two neighbouring rungs.
type SwapRate struct {
	Tried, Accepted int
	// Chance is the mean acceptance probability of the tries, which varies less than
	// Accepted/Tried. 0 without tries.
	Chance float64
}

// flow counts what Stats reports.
type flow struct {
	rounds           int
	tried, accepted  []int
	chance           []float64
	fromEnd, fromTop []int  // visits of each rung
	label            []int8 // of each replica: +1 comes from rung 0, -1 from the last rung, 0 from neither
	returning        []bool // has been at rung 0 before it came to the last rung
	trips            int
}

func newFlow(rungs, replicas int) flow {
	return flow{
		tried: make([]int, rungs), accepted: make([]int, rungs), chance: make([]float64, rungs),
		fromEnd: make([]int, rungs), fromTop: make([]int, rungs),
		label: make([]int8, replicas), returning: make([]bool, replicas),
	}
}

// reset begins all counts anew, in the room that there is if it is enough.
func (f *flow) reset(rungs, replicas int) {
	if cap(f.tried) < rungs || cap(f.label) < replicas {
		*f = newFlow(rungs, replicas)
		return
	}
	f.rounds, f.trips = 0, 0
	for _, list := range []*[]int{&f.tried, &f.accepted, &f.fromEnd, &f.fromTop} {
		*list = (*list)[:rungs]
		clear(*list)
	}
	f.chance, f.label, f.returning = f.chance[:rungs], f.label[:replicas], f.returning[:replicas]
	clear(f.chance)
	clear(f.label)
	clear(f.returning)
}

// swap counts a try of the pair (rung, rung+1).
func (f *flow) swap(rung int, chance float64, accepted bool) {
	f.tried[rung]++
	f.chance[rung] += chance
	if accepted {
		f.accepted[rung]++
	}
}

// visit counts that the replica is at the rung after a round.
func (f *flow) visit(replica, rung int) {
	last := len(f.tried) - 1
	if last == 0 {
		return
	}
	switch rung {
	case 0:
		if f.label[replica] < 0 && f.returning[replica] {
			f.trips++
		}
		f.label[replica], f.returning[replica] = 1, true
	case last:
		f.label[replica] = -1
	}
	switch f.label[replica] {
	case 1:
		f.fromTop[rung]++
	case -1:
		f.fromEnd[rung]++
	}
}

// rate returns the counts of the pair (rung, rung+1).
func (f *flow) rate(rung int) SwapRate {
	w := SwapRate{Tried: f.tried[rung], Accepted: f.accepted[rung]}
	if w.Tried > 0 {
		w.Chance = f.chance[rung] / float64(w.Tried)
	}
	return w
}

func (f *flow) stats() Stats {
	s := Stats{Rounds: f.rounds, RoundTrips: f.trips}
	for r := range max(0, len(f.tried)-1) {
		s.Swaps = append(s.Swaps, f.rate(r))
	}
	for r := range f.tried {
		var share float64
		if n := f.fromEnd[r] + f.fromTop[r]; n > 0 {
			share = float64(f.fromEnd[r]) / float64(n)
		}
		s.Flow = append(s.Flow, share)
	}
	return s
}
