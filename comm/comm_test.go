package comm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"mattis/comm"
)

// each runs f at every rank of a local job of so many processes; 0 stands for no Comm.
func each(t *testing.T, size int, f func(*comm.Comm) error) {
	t.Helper()
	all := []*comm.Comm{nil}
	if size > 0 {
		all = comm.Local(size)
	}
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for r, c := range all {
		wait.Go(func() {
			defer c.Close()
			errs[r] = f(c)
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Errorf("%d processes: %v", size, err)
	}
}

// TestOwn: blocks follow each other, cover all, and differ by one at most; those of P that divides n are
// equal, and rank 0 has an item where there is any.
func TestOwn(t *testing.T) {
	for _, n := range []int{0, 1, 2, 5, 8, 9, 60, 1 << 40} {
		for size := 0; size <= 9; size++ {
			all := []*comm.Comm{nil}
			if size > 0 {
				all = comm.Local(size)
			}
			next := 0
			for r, c := range all {
				from, to := c.Own(n)
				if from != next || to-from < n/len(all) || to-from > (n+len(all)-1)/len(all) {
					t.Errorf("rank %d of %d has [%d, %d) of %d, want it to begin at %d", r, size, from, to, n, next)
				}
				if b, e := c.Block(n, (r+1)%len(all)); r+1 < len(all) && b != to || e < b {
					t.Errorf("rank %d of %d says that the next has [%d, %d) of %d, and has [%d, %d) itself", r, size, b, e, n, from, to)
				}
				if r == 0 && n > 0 && to == 0 {
					t.Errorf("rank 0 of %d has none of %d items", size, n)
				}
				if next = to; c.Rank() != r || c.Size() != len(all) {
					t.Errorf("rank %d of %d, want %d of %d", c.Rank(), c.Size(), r, len(all))
				}
			}
			if next != n {
				t.Errorf("%d processes have %d of %d items", size, next, n)
			}
		}
	}
}

// TestSpread: each sets its block and has those of the others then, empty ones too.
func TestSpread(t *testing.T) {
	for size := 0; size <= 9; size++ {
		for _, n := range []int{0, 1, 5, 9, 31} {
			each(t, size, func(c *comm.Comm) error {
				x := make([]int32, 2*n)
				block := func(rank int) (from, to int) {
					from, to = c.Block(n, rank)
					return 2 * from, 2 * to
				}
				from, to := block(c.Rank())
				for i := from; i < to; i++ {
					x[i] = int32(i + 1)
				}
				if err := comm.Spread(c, x, block); err != nil {
					return err
				}
				for i, got := range x {
					if got != int32(i+1) {
						return fmt.Errorf("entry %d of %d is %d, want %d", i, 2*n, got, i+1)
					}
				}
				return nil
			})
		}
	}
}

// TestGather with blocks of different lengths, empty ones too; own beside all, and in it.
func TestGather(t *testing.T) {
	for size := 0; size <= 9; size++ {
		for _, inside := range []bool{false, true} {
			each(t, size, func(c *comm.Comm) error {
				var sizes []int
				var want []float64
				for r := range c.Size() {
					sizes = append(sizes, (r*5+3)%4) // 3 0 1 2 3 0 ...
					for i := range sizes[r] {
						want = append(want, float64(100*r+i)+0.25)
					}
				}
				begin := 0
				for _, n := range sizes[:c.Rank()] {
					begin += n
				}
				all := make([]float64, len(want))
				own := slices.Clone(want[begin : begin+sizes[c.Rank()]])
				if inside {
					copy(all[begin:], own)
					own = all[begin : begin+len(own)]
				}
				if err := comm.Gather(c, all, own, sizes); err != nil {
					return err
				}
				if !slices.Equal(all, want) {
					t.Errorf("rank %d of %d: %v, want %v", c.Rank(), size, all, want)
				}
				bytes := make([]byte, c.Size())
				one := slices.Repeat([]int{1}, c.Size())
				if err := c.Gather(bytes, []byte{byte(c.Rank() + 1)}, one); err != nil {
					return err
				}
				for r, b := range bytes {
					if int(b) != r+1 {
						t.Errorf("rank %d of %d: byte %d is %d", c.Rank(), size, r, b)
					}
				}
				return nil
			})
		}
	}
}

// TestBroadcast: every rank has rank 0's numbers, and rank 0 keeps them; nothing at all is sent of none.
func TestBroadcast(t *testing.T) {
	for size := 0; size <= 9; size++ {
		each(t, size, func(c *comm.Comm) error {
			x := []float32{float32(c.Rank()) + 0.5, 7 - float32(c.Rank())}
			if err := comm.Broadcast(c, x); err != nil {
				return err
			}
			if x[0] != 0.5 || x[1] != 7 {
				t.Errorf("rank %d of %d has %v", c.Rank(), size, x)
			}
			return comm.Broadcast(c, []int8{})
		})
	}
}

// TestAny: a flag at any one rank is seen at all, and none where there is none; flags do not stay.
func TestAny(t *testing.T) {
	for size := 0; size <= 9; size++ {
		each(t, size, func(c *comm.Comm) error {
			for who := range c.Size() + 1 {
				got, err := c.Any(c.Rank() == who)
				if err != nil {
					return err
				}
				if got != (who < c.Size()) {
					t.Errorf("rank %d of %d: %v where rank %d has a flag", c.Rank(), size, got, who)
				}
			}
			return nil
		})
	}
}

// TestLeft: where a rank has left, the others get an error that names it, and none waits for ever.
func TestLeft(t *testing.T) {
	for size := 2; size <= 5; size++ {
		all := comm.Local(size)
		errs := make([]error, size)
		var wait sync.WaitGroup
		for r, c := range all {
			wait.Go(func() {
				defer c.Close()
				if r == size-1 {
					return
				}
				for errs[r] == nil {
					_, errs[r] = c.Any(false)
				}
			})
		}
		wait.Wait()
		var named bool
		for r, err := range errs[:size-1] {
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("rank %d of %d: rank ", r, size)) {
				t.Errorf("rank %d of %d: %v", r, size, err)
				continue
			}
			named = named || strings.HasSuffix(err.Error(), fmt.Sprintf("rank %d has left", size-1))
		}
		if !named {
			t.Errorf("none of %v names rank %d", errs, size-1)
		}
	}
}

// TestLengths: a message of another length than is expected is an error.
func TestLengths(t *testing.T) {
	all := comm.Local(2)
	errs := make([]error, 2)
	var wait sync.WaitGroup
	for r, c := range all {
		wait.Go(func() {
			defer c.Close()
			errs[r] = c.Broadcast(make([]byte, 3+r))
		})
	}
	wait.Wait()
	if want := "rank 1 of 2: rank 0 sends 3 bytes where 4 are expected"; errs[1] == nil || errs[1].Error() != want {
		t.Errorf("%v, want %s", errs[1], want)
	}
}

// TestGatherPanics names the lengths.
func TestGatherPanics(t *testing.T) {
	var c *comm.Comm
	for _, x := range []struct {
		want  string
		all   int
		own   int
		sizes []int
	}{
		{"comm: sizes of 2 blocks for 1 processes", 2, 1, []int{1, 1}},
		{"comm: a block of 4 bytes, sizes[0] says 8", 2, 1, []int{2}},
		{"comm: 4 bytes for all blocks, sizes say 8", 1, 2, []int{2}},
		{"comm: sizes[0] is -1", 1, 1, []int{-1}},
	} {
		func() {
			defer func() {
				if got := recover(); got != x.want {
					t.Errorf("panic %q, want %q", got, x.want)
				}
			}()
			_ = comm.Gather(c, make([]float32, x.all), make([]float32, x.own), x.sizes)
		}()
	}
}
