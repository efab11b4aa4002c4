package recipe

import (
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/rng"
	"mattis/sampler"
	"mattis/tensorfile"
	"mattis/train"
)

// How long the chains of pictures are, in sweeps: those of samples start at random spins.
const sampleSweeps, reconstructionSweeps = 30, 10

// mostPictures bounds measure.pictures.count.
const mostPictures = 1000

// Reconstructions returns n rows of the set, spread over it and repeated where it has fewer: what
// is given of them (0 elsewhere), what sweeps of the machine make of that, and the rows themselves.
// Label spins are cut off.
func (t *Training) Reconstructions(set *data.Set, n, sweeps int, key rng.Key) (given, result, original [][]int8) {
	given, original = make([][]int8, n), make([][]int8, n)
	known := make([]bool, set.Visible)
	for i := range given {
		row := i * set.Rows / n
		original[i] = set.Row(row)
		given[i] = make([]int8, set.Visible)
		set.Known(row, known)
		data.Corrupt(given[i], original[i], known)
	}
	e := t.Machine.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	state := t.Machine.Scratch(n)
	compute.Write(e, state[bm.Visible], slices.Concat(given...))
	sampler.Reconstruct(t.Machine, state, bm.Law{Key: key}, sweeps)
	result = t.rows(state[bm.Visible])
	pixels := set.Pixels()
	for _, rows := range [][][]int8{given, result, original} {
		for i, row := range rows {
			rows[i] = row[:pixels]
		}
	}
	return given, result, original
}

func (t *Training) rows(m compute.Matrix) [][]int8 {
	flat := make([]int8, m.Len())
	compute.Read(t.Machine.Engine(), flat, m)
	return slices.Collect(slices.Chunk(flat, m.Cols()))
}

// shown returns the set whose rows are reconstructed in pictures: the test set, if there is one.
func (t *Training) shown() *data.Set {
	if t.Split.Test != nil {
		return t.Split.Test
	}
	return t.Split.Train
}

// pictures returns those of a step, (4, count, H, W) int8: samples, what is given, the
// reconstructions and the originals. Plain rows have H = 1. They are a function of the parameters,
// the recipe and the step.
func (t *Training) pictures(step int) tensorfile.Tensor {
	n, key, set := t.Recipe.Measure.Pictures.Count, t.Recipe.Key().Fold(purposePictures).Fold(uint64(step)), t.shown()
	e := t.Machine.Engine()
	mark := e.Mark()
	state := t.Machine.Scratch(n)
	sampler.Randomize(t.Machine, state, bm.Law{Key: key.Fold(0)})
	sampler.Gibbs(t.Machine, state, bm.Law{Key: key.Fold(1)}, sampleSweeps)
	samples := t.rows(state[bm.Visible])
	e.Release(mark)
	given, result, original := t.Reconstructions(set, n, reconstructionSweeps, key.Fold(2))
	pixels := set.Pixels()
	var all []int8
	for _, rows := range [][][]int8{samples, given, result, original} {
		for _, row := range rows {
			all = append(all, row[:pixels]...)
		}
	}
	height, width := set.Height, set.Width
	if height == 0 {
		height, width = 1, pixels
	}
	return tensorfile.Tensor{Name: "pictures", Shape: []int{4, n, height, width}, Data: all}
}

// picturesEvery returns the epochs between pictures, 0 for none. It is what the recipe asks for, or
// the least multiple of it with which pictures are sure to take less than a fiftieth of the
// training's time. That is counted in free energies of a row, which a draw of the opposite layer
// costs too, and not in seconds: the same pictures are drawn each time.
func (t *Training) picturesEvery() int {
	p := t.Recipe.Measure.Pictures
	if p.Every == 0 {
		return 0
	}
	cost := pictureCells/t.cells() + float64(p.Count)*2*(sampleSweeps+reconstructionSweeps)
	epoch := t.updateRows() * float64(t.Trainer.StepsPerEpoch())
	times := math.Ceil(cost * pictureShare / (epoch * float64(p.Every)))
	if times < 1 {
		times = 1
	}
	if most := float64(math.MaxInt32); times*float64(p.Every) > most {
		return math.MaxInt32
	}
	return p.Every * int(times)
}

// What an update and a file of pictures cost beside their products, in products of one row with one
// coupling (20 µs and 1 ms), and by how much the updates between two are to cost more: twice of
// what is promised, for a draw costs up to twice a free energy. Measured on machines of 16x20 to
// 784x500 spins.
const (
	updateCells  = 2e5
	pictureCells = 1e7
)

var pictureShare = 100.0 // tests of small machines take another

// picturesAt reports whether pictures belong to the step of the event.
func (s *Session) picturesAt(ev train.Event) bool {
	if !ev.EpochEnd {
		return false
	}
	every := s.picturesEvery()
	return every > 0 && ev.Step <= s.total && (ev.Step == 0 || ev.Step == s.total || ev.Epoch%every == 0)
}

// owesPictures reports whether the step that the session began with has none, though it should.
func (s *Session) owesPictures() bool {
	if !s.picturesAt(s.now) {
		return false
	}
	steps, err := s.Dir.Pictures()
	return err == nil && !slices.Contains(steps, s.now.Step)
}

// gallery draws pictures as they are due. Those that cannot be written are told of once.
type gallery struct {
	*Session
	failed bool
}

func newGallery(s *Session) *gallery {
	if every, want := s.picturesEvery(), s.Recipe.Measure.Pictures.Every; every > want {
		s.tell("pictures are drawn every %d epochs and not every %d, and at the start and the end: more would take more than 2 %% of the training's time", every, want)
	}
	return &gallery{Session: s}
}

func (g *gallery) Observe(ev train.Event) error {
	if g.Recipe.Measure.Pictures.Every == 0 || !g.picturesAt(ev) {
		return nil
	}
	return g.draw(ev.Step)
}

func (g *gallery) draw(step int) error {
	if err := g.Dir.SavePictures(step, g.pictures(step)); err != nil && !g.failed {
		g.failed = true
		g.tell("pictures could not be written: %v; the training is as it would be", err)
	}
	return nil
}
