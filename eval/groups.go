package eval

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// packed holds rows of spins, a bit each, so that overlaps are counts of bits.
type packed struct {
	spins, words int
	bits         []uint64
}

// pack returns the rows of so many spins; a spin that is not +1 counts as -1.
func pack(rows []int8, spins int) packed {
	p := packed{spins: spins, words: (spins + 63) / 64}
	for len(rows) > 0 {
		row := make([]uint64, p.words)
		for i, x := range rows[:spins] {
			if x > 0 {
				row[i/64] |= 1 << (i % 64)
			}
		}
		p.bits = append(p.bits, row...)
		rows = rows[spins:]
	}
	return p
}

func (p packed) len() int { return len(p.bits) / p.words }

func (p packed) row(i int) []uint64 { return p.bits[i*p.words:][:p.words] }

// unpack appends row i to dst.
func (p packed) unpack(dst []int8, i int) []int8 {
	row := p.row(i)
	for j := range p.spins {
		dst = append(dst, int8(row[j/64]>>(j%64)&1)*2-1)
	}
	return dst
}

// differ returns the number of spins that differ in two rows.
func (p packed) differ(a, b []uint64) (n int) {
	for w, x := range a {
		n += bits.OnesCount64(x ^ b[w])
	}
	return n
}

// overlap returns a.b/V in [-1,1] of two rows.
func (p packed) overlap(a, b []uint64) float64 {
	return 1 - 2*float64(p.differ(a, b))/float64(p.spins)
}

// grouping puts configurations into groups of which one cannot tell apart the members by what they
// are near to. The nearness of a configuration to a group is the mean of its largest overlaps with
// the members; a group knows how near its own members are to each other, and a configuration fits
// where it is as near as they are. That holds for a group of many different kinds (digits) as for
// one of a single state, and needs no number of groups beforehand.
type grouping struct {
	rows   packed
	fold   bool    // v and -v are one state
	groups [][]int // numbers of rows
	levels []level // of each group
}

// level is how near the members of a group are to each other: each to the others.
type level struct{ median, deviation float64 }

const (
	nearest   = 3    // members that nearness looks at
	fits      = -3   // deviations below the members' median nearness up to which a configuration fits
	elsewhere = -8   // and below which it is in none of the groups
	some      = 0.05 // share of a group's members that must fit another one for both to be one
	leastHalf = 3    // members of the smaller part of a group that is split
	mostParts = 1024 // rounds of splitting and joining; each changes the number of groups
)

// groupRows returns the groups of the rows. first says which rows are taken for one group at first,
// such as the ends of chains from one kind of start: a group falls in two where hardly any member
// of one part fits the other, and two are joined where some of each do. Groups are ordered by size.
func groupRows(rows packed, first [][]int, fold bool) *grouping {
	g := &grouping{rows: rows, fold: fold}
	for _, members := range first {
		if len(members) > 0 {
			g.groups = append(g.groups, g.split(members)...)
		}
	}
	g.measure()
	for range mostParts {
		if !g.join() {
			break
		}
	}
	g.settle()
	return g
}

// likeness returns the overlap of two rows, without its sign where v and -v are one state: by the
// very same number for both, or rounding would tell them apart where rows are as near to one as to
// another.
func (g *grouping) likeness(a, b []uint64) float64 {
	n := g.rows.differ(a, b)
	if g.fold {
		n = min(n, g.rows.spins-n)
	}
	return 1 - 2*float64(n)/float64(g.rows.spins)
}

// near returns the nearness of a row to the members, row number self left out.
func (g *grouping) near(row []uint64, self int, members []int) float64 {
	var top [nearest]float64
	n := 0
	for _, j := range members {
		if j == self {
			continue
		}
		q := g.likeness(row, g.rows.row(j))
		if n < nearest {
			top[n] = q
			n++
		} else if least := slices.Index(top[:], slices.Min(top[:])); q > top[least] {
			top[least] = q
		}
	}
	if n == 0 {
		return 1 // a group of one is near to itself alone
	}
	var sum float64
	for _, q := range top[:n] {
		sum += q
	}
	return sum / float64(n)
}

// levelOf returns how near the members are to each other: the median of their nearness and how far
// the lower sixth lies below it, which a few strays among them do not move. The deviation is at
// least that of an overlap of independent spins: members that are all equal are a group of that
// width, too.
func (g *grouping) levelOf(members []int) level {
	near := make([]float64, len(members))
	for k, i := range members {
		near[k] = g.near(g.rows.row(i), i, members)
	}
	slices.Sort(near)
	median := near[len(near)/2]
	floor := 0.5 / math.Sqrt(float64(g.rows.spins))
	return level{median, max(floor, median-near[len(near)/6])}
}

func (g *grouping) measure() {
	g.levels = g.levels[:0]
	for _, members := range g.groups {
		g.levels = append(g.levels, g.levelOf(members))
	}
}

// share returns the share of the rows of a that fit the members of b.
func (g *grouping) share(a, b []int, l level) float64 {
	n := 0
	for _, i := range a {
		if g.near(g.rows.row(i), i, b) >= l.median+fits*l.deviation {
			n++
		}
	}
	return float64(n) / float64(len(a))
}

// alike reports whether two groups are one: some members of each fit the other. Members of a narrow
// group in the midst of a wide one fit that, but none of the wide one fits the narrow one.
func (g *grouping) alike(a, b []int, la, lb level) bool {
	return min(g.share(a, b, lb), g.share(b, a, la)) >= some
}

// split returns the parts that members fall into.
func (g *grouping) split(members []int) [][]int {
	if len(members) < 2*leastHalf {
		return [][]int{members}
	}
	a, b := g.halves(members)
	if len(a) < leastHalf || len(b) < leastHalf || g.alike(a, b, g.levelOf(a), g.levelOf(b)) {
		return [][]int{members}
	}
	return append(g.split(a), g.split(b)...)
}

// halves puts each member to the nearer of two means, which start at the two members that are
// farthest apart along a walk from the first.
func (g *grouping) halves(members []int) (a, b []int) {
	far := func(from int) int {
		return slices.MinFunc(members, func(i, j int) int {
			return cmp.Compare(g.rows.overlap(g.rows.row(from), g.rows.row(i)), g.rows.overlap(g.rows.row(from), g.rows.row(j)))
		})
	}
	one := far(members[0])
	seeds := [2]int{one, far(one)}
	means := [2][]float64{}
	for k, s := range seeds {
		means[k] = g.mean([]int{s})
	}
	const rounds = 10
	for range rounds {
		a, b = nil, nil
		for _, i := range members {
			if g.along(i, means[0]) >= g.along(i, means[1]) {
				a = append(a, i)
			} else {
				b = append(b, i)
			}
		}
		if len(a) == 0 || len(b) == 0 {
			return a, b
		}
		means = [2][]float64{g.mean(a), g.mean(b)}
	}
	return a, b
}

// mean returns the mean of the rows, each turned as the first one where v and -v are one state.
func (g *grouping) mean(members []int) []float64 {
	m := make([]float64, g.rows.spins)
	var row []int8
	for _, i := range members {
		row = g.rows.unpack(row[:0], i)
		sign := 1.0
		if g.fold && g.rows.overlap(g.rows.row(i), g.rows.row(members[0])) < 0 {
			sign = -1
		}
		for j, x := range row {
			m[j] += sign * float64(x) / float64(len(members))
		}
	}
	return m
}

// along returns minus half the squared distance of row i from the mean, but for a constant.
func (g *grouping) along(i int, mean []float64) float64 {
	var dot, square float64
	row := g.rows.row(i)
	for j, m := range mean {
		x := float64(row[j/64]>>(j%64)&1)*2 - 1
		dot += x * m
		square += m * m
	}
	if g.fold {
		dot = math.Abs(dot)
	}
	return dot - square/2
}

// join joins the first two groups that are alike, and reports whether there were any.
func (g *grouping) join() bool {
	for i := range g.groups {
		for j := range i {
			if g.alike(g.groups[i], g.groups[j], g.levels[i], g.levels[j]) {
				g.groups[j] = append(g.groups[j], g.groups[i]...)
				g.groups = slices.Delete(g.groups, i, i+1)
				g.measure()
				return true
			}
		}
	}
	return false
}

// settle moves each row to the group that it fits best, once, and orders the groups by size.
func (g *grouping) settle() {
	moved := make([][]int, len(g.groups))
	for k, members := range g.groups {
		for _, i := range members {
			to, _ := g.place(g.rows.row(i), i)
			if to < 0 {
				to = k
			}
			moved[to] = append(moved[to], i)
		}
	}
	g.groups = slices.DeleteFunc(moved, func(m []int) bool { return len(m) == 0 })
	slices.SortStableFunc(g.groups, func(a, b []int) int { return len(b) - len(a) })
	g.measure()
}

// place returns the group of a row, self being its number or -1: of those that it fits, the one
// whose members are nearest to each other, for a wide group reaches over narrow ones; else the one
// that it lacks least to fit. It is -1 where the row is far from all.
func (g *grouping) place(row []uint64, self int) (at int, deviations float64) {
	at, deviations = -1, math.Inf(-1)
	for k, members := range g.groups {
		l := g.levels[k]
		z := (g.near(row, self, members) - l.median) / l.deviation
		switch {
		case at < 0, z >= fits && deviations >= fits && l.median > g.levels[at].median, z > deviations && deviations < fits:
			at, deviations = k, z
		}
	}
	if deviations < elsewhere {
		return -1, deviations
	}
	return at, deviations
}
