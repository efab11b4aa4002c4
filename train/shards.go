package train

import (
	"fmt"
	"math"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/negative"
)

// Shards are the parts that every batch is cut in. The gradient of each is made alone, by its own
// rows and its own estimator of the model average, and they are added up in a tree that their
// number alone fixes: the sum has the same bits however many processes share the shards.
type Shards struct {
	Count int        // of a batch, at least 1
	Comm  *comm.Comm // the processes that share them, whose number divides Count; nil for one

	// Estimators are those of this process's shards, Comm.Own(Count), in their order. Each has
	// chains of its own and draws by a key of its own; what else its State holds is alike in all,
	// which that of a negative.Trajectory is not.
	Estimators []negative.Estimator
	// Shares are what the estimators of all shards count in the model average, in sum 1; nil where
	// each stands for its rows of the batch and counts as these do. Those that are
	// negative.Massive count by their masses.
	Shares []float64

	// Asks, if there is one, is called before each update, and Event.Asked tells all processes
	// whether it was true at any of them.
	Asks func() bool
	// Shows, if there is one, says whether the draws of all shards are brought together for the
	// observers of an epoch's end, epochs counted from 1: of all layers, or of the visible one alone.
	Shows   func(epoch int) bool
	Visible bool
}

// Part returns the rows [from, to) of n that are those of a shard: groups of four, by which random
// numbers are addressed and products are tiled, where each shard gets one.
func Part(n, shards, shard int) (from, to int) {
	unit := 4
	if n < 4*shards {
		unit = 1
	}
	groups := (n + unit - 1) / unit
	return min(n, unit*(groups*shard/shards)), min(n, unit*(groups*(shard+1)/shards))
}

// The entries of a shard's vector that are no gradient: at how many ranks each is true.
const (
	flagLeft  = iota // the draw under way was left
	flagEnds         // the context is cancelled
	flagAsked        // see Shards.Asks
	flagsCount
)

// sharded is what an update in shards needs room for.
type sharded struct {
	from, to int // this process's shards
	tree     *comm.Tree
	leaf     []float32 // flags, gradients, means of layers
	sum      []float32
	drawn    []bm.Batch
	kept     []bm.Param // chains of the positive phase
	masses   []float64  // of all shards
	counts   []int      // of shards, a rank
	scales   []float64  // of the draws of all shards
	row      [1]compute.Matrix
	whole    bm.State // the draws of all shards, where they are shown
	host     []int8   // room for rows that go between ranks
	sizes    []int    // of them, a rank
	ended    bool     // the context is cancelled at some rank
	asked    bool
}

// check returns what is wrong with the shards.
func (s *Shards) check() error {
	switch p := s.Comm.Size(); {
	case s.Count < 1:
		return fmt.Errorf("the trainer has %d shards, want at least 1", s.Count)
	case s.Count%p != 0:
		return fmt.Errorf("%d shards cannot be shared by %d processes; take a multiple of %d", s.Count, p, p)
	case len(s.Estimators) != s.Count/p:
		return fmt.Errorf("%d estimators for the %d shards of a process", len(s.Estimators), s.Count/p)
	case s.Shares != nil && len(s.Shares) != s.Count:
		return fmt.Errorf("%d shares for %d shards", len(s.Shares), s.Count)
	}
	return nil
}

// prepareShards makes the room for updates in shards.
func (t *Trainer) prepareShards() {
	s := &t.sharded
	c := t.Shards.Comm
	s.from, s.to = c.Own(t.Shards.Count)
	length := flagsCount
	for _, p := range t.params {
		length += p.Grad.Len()
	}
	if t.Centring != nil {
		for _, m := range t.Centring.Means() {
			length += m.Len()
		}
	}
	s.tree = c.Tree(t.Shards.Count, length)
	s.leaf, s.sum = make([]float32, length), make([]float32, length)
	s.drawn = make([]bm.Batch, s.to-s.from)
	if t.Positive != nil {
		s.kept = t.Positive.State()
	}
	s.masses, s.scales = make([]float64, t.Shards.Count), make([]float64, t.Shards.Count)
	s.counts, s.sizes = make([]int, c.Size()), make([]int, c.Size())
	for r := range s.counts {
		s.counts[r] = t.Shards.Count / c.Size()
	}
}

// gradients sets the gradients to those of the batch: it draws from the estimators of this
// process's shards, adds up each shard's phases, and sums over all shards. It reports whether the
// update is to be left.
func (t *Trainer) gradients(batch compute.Matrix, rows []int32, up, down float64) (left bool, err error) {
	s, e := &t.sharded, t.Machine.Engine()
	key := t.Key.Fold(purposeDraw).Fold(uint64(t.Step))
	clear(s.masses)
	for i, n := range t.Shards.Estimators {
		shard := s.from + i
		from, to := Part(len(rows), t.Shards.Count, shard)
		s.drawn[i] = bm.Batch{}
		if t.Shards.Shares == nil && from == to || t.Shards.Shares != nil && t.Shards.Shares[shard] == 0 {
			s.masses[shard] = math.Inf(-1)
			continue
		}
		s.row[bm.Visible] = batch.Slice(from, to)
		if from == to { // chains that start from rows take the whole batch's
			s.row[bm.Visible] = batch
		}
		s.drawn[i] = n.Draw(bm.Batch{State: s.row[:]}, key.Fold(uint64(shard)))
		if m, ok := n.(negative.Massive); ok {
			s.masses[shard] = m.LogMass()
		}
	}
	left = t.leave != nil && t.leave.Load()
	if len(s.kept) > 0 && t.ending != nil { // they are not kept twice
		if left, err = t.Shards.Comm.Any(left); left || err != nil {
			return left, err
		}
	}
	if left && t.Shards.Comm.Size() == 1 {
		return true, nil
	}
	if err := t.weigh(len(rows)); err != nil {
		return false, err
	}
	flags := [flagsCount]bool{
		flagLeft:  left,
		flagEnds:  t.ending != nil && t.ending.Err() != nil,
		flagAsked: t.Shards.Asks != nil && t.Shards.Asks(),
	}
	for i := range s.drawn {
		shard := s.from + i
		from, to := Part(len(rows), t.Shards.Count, shard)
		for _, p := range t.params {
			e.Fill(p.Grad, 0)
		}
		share := float64(to-from) / float64(len(rows))
		s.row[bm.Visible] = batch.Slice(from, to)
		positive := bm.Batch{State: s.row[:]}
		if t.Positive != nil && from < to {
			key := t.Key.Fold(purposePositive).Fold(uint64(t.Step)).Fold(uint64(shard))
			positive = t.Positive.Draw(s.row[bm.Visible], rows[from:to], key)
		}
		if from < to {
			t.Machine.Phase(positive, up*share)
		}
		t.Machine.Phase(s.drawn[i], -down*s.scales[shard])
		if t.Centring != nil {
			t.Centring.Mean(positive, share)
		}
		t.lay(flags)
		s.tree.Add(s.leaf)
	}
	if err := s.tree.Sum(s.sum); err != nil {
		return false, err
	}
	if err := t.exchangeChains(rows); err != nil {
		return false, err
	}
	s.ended, s.asked = s.sum[flagEnds] > 0, s.sum[flagAsked] > 0
	t.take()
	return s.sum[flagLeft] > 0, nil
}

// lay sets the leaf to what a shard adds.
func (t *Trainer) lay(flags [flagsCount]bool) {
	s, e := &t.sharded, t.Machine.Engine()
	for i, is := range flags {
		s.leaf[i] = 0
		if is {
			s.leaf[i] = 1
		}
	}
	at := flagsCount
	for _, p := range t.params {
		compute.Read(e, s.leaf[at:at+p.Grad.Len()], p.Grad)
		at += p.Grad.Len()
	}
	if t.Centring != nil {
		for _, m := range t.Centring.Means() {
			compute.Read(e, s.leaf[at:at+m.Len()], m)
			at += m.Len()
		}
	}
}

// take sets gradients and means of layers to the sum.
func (t *Trainer) take() {
	s, e := &t.sharded, t.Machine.Engine()
	at := flagsCount
	for _, p := range t.params {
		compute.Write(e, p.Grad, s.sum[at:at+p.Grad.Len()])
		at += p.Grad.Len()
	}
	if t.Centring != nil {
		for _, m := range t.Centring.Means() {
			compute.Write(e, m, s.sum[at:at+m.Len()])
			at += m.Len()
		}
	}
}

// weigh sets what the draw of each shard counts in the model average.
func (t *Trainer) weigh(rows int) error {
	s := &t.sharded
	if _, ok := t.Shards.Estimators[0].(negative.Massive); !ok {
		for i := range s.scales {
			if t.Shards.Shares != nil {
				s.scales[i] = t.Shards.Shares[i]
				continue
			}
			from, to := Part(rows, t.Shards.Count, i)
			s.scales[i] = float64(to-from) / float64(rows)
		}
		return nil
	}
	if err := comm.Gather(t.Shards.Comm, s.masses, s.masses[s.from:s.to], s.counts); err != nil {
		return err
	}
	top, sum := math.Inf(-1), 0.0
	for _, m := range s.masses {
		top = max(top, m)
	}
	for i, m := range s.masses {
		s.scales[i] = math.Exp(m - top)
		sum += s.scales[i]
	}
	for i := range s.scales {
		s.scales[i] /= sum
	}
	return nil
}

// exchangeChains sets the chains of the positive phase that belong to the rows of the batch to
// those of the process that has moved them.
func (t *Trainer) exchangeChains(rows []int32) error {
	s, c, e := &t.sharded, t.Shards.Comm, t.Machine.Engine()
	if c.Size() == 1 {
		return nil
	}
	first, _ := Part(len(rows), t.Shards.Count, s.from)
	for _, p := range s.kept {
		each := p.Value.Rows() / t.Data.Rows() // chains of a row
		width := each * p.Value.Cols()
		for r := range s.sizes {
			s.sizes[r] = t.rowsOf(r, len(rows)) * width
		}
		if n := len(rows) * width; cap(s.host) < n {
			s.host = make([]int8, n)
		}
		all := s.host[:len(rows)*width]
		own := all[first*width:][:s.sizes[c.Rank()]]
		for i := range t.rowsOf(c.Rank(), len(rows)) {
			row := int(rows[first+i]) * each
			compute.Read(e, own[i*width:(i+1)*width], p.Value.Slice(row, row+each))
		}
		if err := comm.Gather(c, all, own, s.sizes); err != nil {
			return err
		}
		for i, place := range rows {
			row := int(place) * each
			compute.Write(e, p.Value.Slice(row, row+each), all[i*width:(i+1)*width])
		}
	}
	return nil
}

// rowsOf returns how many of n rows of a batch are those of a rank's shards.
func (t *Trainer) rowsOf(rank, n int) int {
	each := t.Shards.Count / t.Shards.Comm.Size()
	from, _ := Part(n, t.Shards.Count, rank*each)
	_, to := Part(n, t.Shards.Count, (rank+1)*each-1)
	return to - from
}
