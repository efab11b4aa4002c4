package exact

import (
	"cmp"
	"context"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// Sample sets all layers of s to independent exact draws, row i by the numbers of row law.Row+i of
// law.Key; of the law only these two count. It takes LogZ's sum, and one part of it again for each
// first count that is drawn.
func (p *PatternClasses) Sample(ctx context.Context, threads int, s bm.State, law bm.Law) error {
	if _, err := p.LogZ(ctx, threads, nil); err != nil {
		return err
	}
	rows := s.Rows()
	counts := make([][]int, rows)
	wanted := p.drawFirst(rows, law)
	err := parallel(ctx, len(wanted), threads, nil, func(i int) { p.drawCounts(counts, wanted[i]) })
	if err != nil {
		return err
	}
	m, n := p.machine, 0
	for _, l := range p.layers {
		n += m.Layers()[l]
	}
	spins := make([]int8, rows*n)
	for i, up := range counts {
		p.setSpins(spins[i*n:][:n], up, law.Key.Fold(2).Fold(law.Row+uint64(i)))
	}
	at := 0
	for _, l := range p.layers {
		size := m.Layers()[l]
		x := make([]int8, 0, rows*size)
		for i := range rows {
			x = append(x, spins[i*n+at:][:size]...)
		}
		compute.Write(m.Engine(), s[l], x)
		at += size
	}
	for l := range m.Layers() { // the others do not meet each other
		if !slices.Contains(p.layers, l) {
			m.Sample(s, l, bm.Law{Key: law.Key.Fold(3), Row: law.Row})
		}
	}
	return nil
}

// draws are the rows that have one first count, and where in its sum each of them lies, in
// increasing order.
type draws struct {
	n  int
	at []drawAt
}

type drawAt struct {
	share float64 // in (0,1)
	row   int
}

// drawFirst draws the first count of each row.
func (p *PatternClasses) drawFirst(rows int, law bm.Law) []draws {
	var z LogSum
	for _, x := range p.first {
		z.Add(x)
	}
	sums := make([]float64, len(p.first))
	var sum float64
	for i, x := range p.first {
		sum += math.Exp(x - z.Log())
		sums[i] = sum
	}
	of := make([]draws, len(p.first))
	for row := range rows {
		place := law.Row + uint64(row)
		i, _ := slices.BinarySearch(sums, law.Key.Fold(0).Uniform64(place, 0)*sum)
		i = min(i, len(of)-1)
		of[i].n = p.from() + i
		of[i].at = append(of[i].at, drawAt{law.Key.Fold(1).Uniform64(place, 0), row})
	}
	of = slices.DeleteFunc(of, func(d draws) bool { return len(d.at) == 0 })
	for _, d := range of {
		slices.SortFunc(d.at, func(a, b drawAt) int { return cmp.Or(cmp.Compare(a.share, b.share), a.row-b.row) })
	}
	return of
}

// drawCounts sets the counts of the rows of one first count, by going through its sum once more.
func (p *PatternClasses) drawCounts(dst [][]int, d draws) {
	total := p.first[d.n-p.from()] - math.Log(float64(p.stands(d.n)))
	var sum float64
	at := 0
	var last []int // the last state of weight, for shares that rounding leaves over
	p.rows(d.n, func(counts []int, row []float64) bool {
		for j, x := range row {
			if x < total-faint {
				continue
			}
			sum += math.Exp(x - total)
			if at < len(d.at) {
				last = append(append(last[:0], counts...), j)
			}
			for at < len(d.at) && d.at[at].share < sum {
				dst[d.at[at].row] = append(append([]int(nil), counts...), j)
				at++
			}
		}
		return at == len(d.at)
	})
	for ; at < len(d.at); at++ {
		dst[d.at[at].row] = slices.Clone(last)
	}
}

// setSpins turns a fair choice of the class's spins up, so many of each class.
func (p *PatternClasses) setSpins(dst []int8, up []int, key rng.Key) {
	turn := int8(1)
	if p.stands(up[0]) == 2 && key.Uniform(0, 0) < 0.5 {
		turn = -1
	}
	for c, k := range p.classes {
		order := make([]int32, len(k.spins))
		for i := range order {
			order[i] = int32(i)
		}
		key.Fold(uint64(c)).Permute(order)
		for place, i := range order {
			x := turn * k.signs[i]
			if place >= up[c] {
				x = -x
			}
			dst[k.spins[i]] = x
		}
	}
}
