package data

import (
	"fmt"
	"math"
	"runtime"
	"sync"

	"mattis/rng"
)

// Lattice is the square lattice of side x side spins with periodic boundaries that made data lie
// on: spin i is at (i/side, i%side), and the energy of a configuration is
//
//	E(s) = - sum over nearest neighbours s_i s_j
//
// each pair once, 2 side^2 of them: the ferromagnetic Ising model with J = 1, at a temperature in
// units of J.
type Lattice struct {
	Side        int
	Temperature float64
}

// Sides of lattices: in smaller ones two spins are neighbours twice.
const (
	MinSide = 3
	MaxSide = 64
)

// Neighbours returns the spins to the right of spin i and below it: each pair of neighbours has one
// of the two as such.
func (l Lattice) Neighbours(i int) (right, below int) {
	row, col := i/l.Side, i%l.Side
	return row*l.Side + (col+1)%l.Side, (row+1)%l.Side*l.Side + col
}

// Energy returns E(s) in units of J.
func (l Lattice) Energy(s []int8) float64 {
	sum := 0
	for i, x := range s {
		right, below := l.Neighbours(i)
		sum -= int(x) * (int(s[right]) + int(s[below]))
	}
	return float64(sum)
}

// MostConfigurations bounds the rows that are drawn of the smallest lattice; those of others are
// fewer, as no more than 2^31 spins are.
const MostConfigurations = math.MaxInt32 / (MinSide * MinSide)

// isingDefaults are those of the built-in recipe.
var isingDefaults = Options{Size: 8, Temperature: 2.4, Count: 20000, Split: "all"}

// How Ising draws its rows: chains that start from fair coins, and in each so many sweeps of
// Swendsen and Wang before the first row and between two rows. Their autocorrelation times are a
// few sweeps: at the critical temperature the energies of successive rows of a 64x64 lattice are
// correlated by a few hundredths, and those of 8x8 by less (TestIsingIsIndependentEnough).
const (
	isingChains = 100
	isingWarm   = 200
	isingApart  = 15
)

// Ising returns Options.Count configurations of the Ising model on a periodic square lattice of
// Size x Size spins at Temperature, made by the cluster algorithm of Swendsen and Wang (1987), which
// draws from the Boltzmann distribution. They depend on the key alone.
func Ising(o Options) (*Split, error) {
	if err := o.only("ising"); err != nil {
		return nil, err
	}
	for _, d := range []struct{ own, other *int }{{&o.Size, &isingDefaults.Size}, {&o.Count, &isingDefaults.Count}} {
		if *d.own == 0 {
			*d.own = *d.other
		}
	}
	if o.Temperature == 0 {
		o.Temperature = isingDefaults.Temperature
	}
	if o.Split == "" {
		o.Split = isingDefaults.Split
	}
	l := Lattice{o.Size, o.Temperature}
	switch {
	case l.Side < MinSide || l.Side > MaxSide:
		return nil, fmt.Errorf("data.size: %d is out of range for ising: %d to %d", l.Side, MinSide, MaxSide)
	case !(l.Temperature > 0) || math.IsInf(l.Temperature, 0):
		return nil, fmt.Errorf("data.temperature: %v is no temperature, want a positive number, such as 2.4 (2.269 is critical)", l.Temperature)
	case o.Split == "paper":
		return nil, fmt.Errorf("data.split: paper has no meaning for ising: take all or random")
	case o.Count < 1 || o.Count > math.MaxInt32/(l.Side*l.Side):
		return nil, fmt.Errorf("data.count: %d is out of range for lattices of %d spins: 1 to %d", o.Count, l.Side*l.Side, math.MaxInt32/(l.Side*l.Side))
	}
	if o.Split == "all" {
		if err := o.takes(false, false, o.Split); err != nil {
			return nil, err
		}
	}
	set := &Set{Name: o.rename(fmt.Sprintf("ising %dx%d at T = %g", l.Side, l.Side, l.Temperature)), Rows: o.Count, Visible: l.Side * l.Side, Height: l.Side, Width: l.Side}
	set.Spins = make([]int8, set.Rows*set.Visible)
	l.draw(set, o.Key.Fold(streamMade))
	split, err := o.splitFamily(set, nil)
	if err != nil {
		return nil, err
	}
	split.Lattice = &l
	return split, nil
}

// draw sets the rows of the set, chain c those from c*each on.
func (l Lattice) draw(set *Set, key rng.Key) {
	each := (set.Rows + isingChains - 1) / isingChains
	chains := make(chan int)
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), isingChains) {
		wait.Go(func() {
			for c := range chains {
				w := newClusters(l, key.Fold(uint64(c)))
				for i := c * each; i < min((c+1)*each, set.Rows); i++ {
					w.sweep(isingApart)
					copy(set.Row(i), w.spins)
				}
			}
		})
	}
	for c := range isingChains {
		chains <- c
	}
	close(chains)
	wait.Wait()
}

// clusters is a chain of Swendsen and Wang's algorithm: a sweep joins neighbours of one sign with
// the probability 1 - exp(-2/T), and gives each cluster of joined spins a sign by a fair coin.
type clusters struct {
	lattice Lattice
	key     rng.Key
	swept   uint64
	join    uint64 // joined where 32 random bits are below it
	spins   []int8
	above   []int32 // of each spin another one of its cluster, or itself
}

// newClusters returns a chain after its first sweeps from fair coins.
func newClusters(l Lattice, key rng.Key) *clusters {
	n := l.Side * l.Side
	w := &clusters{lattice: l, key: key, join: uint64(-math.Expm1(-2/l.Temperature) * 0x1p32), spins: make([]int8, n), above: make([]int32, n)}
	coins := key.Fold(0)
	for i := range w.spins {
		w.spins[i] = int8(coins.Uint32(0, uint64(i))>>31)*2 - 1
	}
	w.sweep(isingWarm)
	return w
}

func (w *clusters) sweep(times int) {
	for range times {
		w.swept++
		key := w.key.Fold(w.swept)
		for i := range w.above {
			w.above[i] = int32(i)
		}
		for i, x := range w.spins {
			right, below := w.lattice.Neighbours(i)
			bits := key.Block(0, uint64(i))
			if x == w.spins[right] && uint64(bits[0]) < w.join {
				w.unite(i, right)
			}
			if x == w.spins[below] && uint64(bits[1]) < w.join {
				w.unite(i, below)
			}
		}
		for i := range w.spins { // a root is the least spin of its cluster, and its coin is that of all
			if root := w.root(i); root < i {
				w.spins[i] = w.spins[root]
			} else {
				w.spins[i] = int8(key.Block(0, uint64(i))[2]>>31)*2 - 1
			}
		}
	}
}

// root returns the spin that stands for the cluster of spin i, and shortens the way to it.
func (w *clusters) root(i int) int {
	for int(w.above[i]) != i {
		w.above[i] = w.above[w.above[i]]
		i = int(w.above[i])
	}
	return i
}

func (w *clusters) unite(i, j int) {
	a, b := w.root(i), w.root(j)
	if a < b {
		a, b = b, a
	}
	w.above[a] = int32(b)
}
