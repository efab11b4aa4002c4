package cpu

import (
	"sync"
	"time"

	"mattis/compute"
)

// peakAdds is the number of multiply-adds in a turn of the peak's loop.
const peakAdds = 24

// Peak returns the billions of operations a second that so many threads
// reach together, all at once and for so long, on independent fused
// multiply-adds in registers, or of BF16 on the instruction that adds two products. It is a mean over
// that time, so that it has a part
// in every state of the clock as other work of the same length has. The generic
// arm has no fused multiply-adds; its figure is that of plain Go, and so is that of BF16 where an
// arm has no such instruction.
func Peak(p compute.Precision, threads int, long time.Duration) float64 {
	const turns = 1 << 13 // some 30 microseconds
	k := current()
	lanes, loop := k.lanes, k.peak
	if p == compute.BF16 {
		lanes, loop = 2*k.lanes, k.bf16.peak
	}
	if k == generic || loop == nil {
		lanes, loop = 1, generic.peak
	}
	rates := make([]float64, threads)
	var wait sync.WaitGroup
	for i := range rates {
		wait.Go(func() {
			done, start := 0, time.Now()
			for {
				loop(turns)
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
