package cpu

import (
	"sync"
	"time"
)

// PeakGFLOPS returns the billions of float32 operations a second that so many
// threads reach together on independent fused multiply-adds in registers: the
// best of five rounds of about 20 ms. The generic arm has no fused
// multiply-adds; its figure is that of plain Go.
func PeakGFLOPS(threads int) float64 {
	k := current()
	turns := uintptr(1 << 20)
	var best float64
	for range 6 {
		var wait sync.WaitGroup
		start := time.Now()
		for range threads {
			wait.Go(func() { k.peak(turns) })
		}
		wait.Wait()
		seconds := time.Since(start).Seconds()
		lanes := k.lanes
		if k == generic {
			lanes = 1
		}
		best = max(best, float64(threads)*float64(turns)*16*2*float64(lanes)/seconds/1e9)
		turns = max(1<<16, uintptr(float64(turns)*0.02/seconds))
	}
	return best
}
