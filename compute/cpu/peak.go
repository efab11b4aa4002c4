package cpu

import (
	"sync"
	"time"
)

// peakAdds is the number of multiply-adds in a turn of the peak's loop.
const peakAdds = 24

// Peak returns the billions of float32 operations a second that so many threads
// reach together, all at once and for so long, on independent fused
// multiply-adds in registers. It is a mean over that time, so that it has a part
// in every state of the clock as other work of the same length has. The generic
// arm has no fused multiply-adds; its figure is that of plain Go.
func Peak(threads int, long time.Duration) float64 {
	const turns = 1 << 13 // some 30 microseconds
	k := current()
	lanes := k.lanes
	if k == generic {
		lanes = 1
	}
	rates := make([]float64, threads)
	var wait sync.WaitGroup
	for i := range rates {
		wait.Go(func() {
			done, start := 0, time.Now()
			for {
				k.peak(turns)
				done += turns * peakAdds * 2 * lanes
				if d := time.Since(start); d >= long {
					rates[i] = float64(done) / d.Seconds() / 1e9
					return
				}
			}
		})
	}
	wait.Wait()
	var sum float64
	for _, r := range rates {
		sum += r
	}
	return sum
}
