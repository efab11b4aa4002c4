// Package comm implements sums and exchanges between the processes of one job, with the same bits for
// any number of them.
//
// All processes run the same program on the same data. What is not divided is computed by each of
// them, with equal results; what is divided is divided into contiguous blocks (Own), and put together
// in an order that does not depend on how many processes there are (Tree, Gather). Every method is
// called by all processes of the job, in the same order and with the same sizes.
package comm

import (
	"fmt"
	"time"
)

// Transport moves bytes between the processes of one job: all that an implementation has to bring.
type Transport interface {
	// Rank is the number of this process, from 0 to Size()-1.
	Rank() int
	// Size is the number of processes.
	Size() int
	// Exchange sends out to rank to and receives len(in) bytes from rank from at the same time; -1 is
	// no rank. It returns when out may be written again and in is there. Messages from one rank to
	// another arrive in the order in which they were sent.
	Exchange(to int, out []byte, from int, in []byte) error
	// Close leaves the job.
	Close() error
}

// Comm is the processes of one job. The nil *Comm is a process on its own, and every method works on
// it. One goroutine at a time may use a Comm and what is made of it.
type Comm struct {
	transport  Transport
	rank, size int
	sent       int64
	waited     time.Duration
	flag       [2]byte // of Any: what is sent, what is received
}

// New returns the processes that t joins.
func New(t Transport) *Comm {
	c := &Comm{transport: t, rank: t.Rank(), size: t.Size()}
	if c.size < 1 || c.rank < 0 || c.rank >= c.size {
		panic(fmt.Sprintf("comm: rank %d of %d processes", c.rank, c.size))
	}
	return c
}

// Rank returns the number of this process, from 0 to Size()-1; 0 for a process on its own.
func (c *Comm) Rank() int {
	if c == nil {
		return 0
	}
	return c.rank
}

// Size returns the number of processes, 1 for a process on its own.
func (c *Comm) Size() int {
	if c == nil {
		return 1
	}
	return c.size
}

// Own returns the block [from, to) of n items that is this rank's; see Block.
func (c *Comm) Own(n int) (from, to int) { return c.Block(n, c.Rank()) }

// Block returns the block [from, to) of n items that is a rank's. The blocks of all ranks follow each
// other and cover [0, n). The first ranks have one item more where they cannot have equally many:
// the last have none where n < Size(), and rank 0 has one wherever there is any.
func (c *Comm) Block(n, rank int) (from, to int) {
	share, rest := n/c.Size(), n%c.Size()
	return rank*share + min(rank, rest), (rank+1)*share + min(rank+1, rest)
}

// Traffic returns the bytes that this process has sent so far and the seconds that it has spent in
// exchanges, waiting for others included.
func (c *Comm) Traffic() (bytes int64, seconds float64) {
	if c == nil {
		return 0, 0
	}
	return c.sent, c.waited.Seconds()
}

// Close leaves the job. Nothing of c may be used after it.
func (c *Comm) Close() error {
	if c == nil {
		return nil
	}
	return c.transport.Close()
}

// exchange is Transport.Exchange, counted. The error names the ranks.
func (c *Comm) exchange(to int, out []byte, from int, in []byte) error {
	begin := time.Now()
	err := c.transport.Exchange(to, out, from, in)
	c.waited += time.Since(begin)
	if to >= 0 {
		c.sent += int64(len(out))
	}
	if err != nil {
		return fmt.Errorf("rank %d of %d: %w", c.rank, c.size, err)
	}
	return nil
}
