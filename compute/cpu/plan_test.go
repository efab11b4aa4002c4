package cpu

import (
	"testing"

	"mattis/compute"
)

// The pieces of every plan cover panels, slivers and blocks of the sum exactly
// once, and no plan looks at the number of threads.
func TestPlansCover(t *testing.T) {
	onArms(t, func(t *testing.T) {
		one, three := newEngine(t, 1), newEngine(t, 3)
		for _, s := range [][3]int{{1, 1, 1}, {3, 1000, 8}, {8, 16, 32768}, {200, 784, 8000}, {200, 3000, 8000}, {190, 200, 784}, {2000, 3000, 200},
			{8000, 200, 3000}, {2048, 2048, 2048}, {64, 64, 100000}, {7, 49, 2049}, {5, 5, 0}, {1000, 1, 784}, {1, 3000, 784}} {
			for row := range uint64(4) {
				plans := [2]plan{}
				for i, e := range []*Engine{one, three} {
					task := mulTask{e: e, n: s[0], m: s[1], l: s[2], a: e.Alloc(compute.Int8, 1, 1), b: e.Alloc(compute.Float32, 1, 1)}
					task.op.TransB = true
					task.op.Then.Kind, task.op.Then.Row = compute.Spin, row
					task.makePlan()
					plans[i] = task.plan
				}
				p := plans[0]
				if p != plans[1] {
					t.Fatalf("%v: plans differ: %+v and %+v", s, p, plans[1])
				}
				if p.panels*one.kernels.rows < s[0]+p.lead || p.slivers*one.kernels.cols() < s[1] || p.sums*p.sum < s[2] || p.sum > blockSum {
					t.Fatalf("%v: the plan is too small: %+v", s, p)
				}
				seen := make([]int8, p.panels*p.slivers*p.sums)
				for i := range p.pieces() {
					q := p.piece(i)
					for a := range q.panels {
						for b := range q.slivers {
							for c := range q.sums {
								seen[((q.panel0+a)*p.slivers+q.sliver0+b)*p.sums+q.sum0+c]++
							}
						}
					}
				}
				for tile, n := range seen {
					if n != 1 {
						t.Fatalf("%v: tile %d is computed %d times", s, tile, n)
					}
				}
			}
		}
	})
}
