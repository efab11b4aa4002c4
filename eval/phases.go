package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// Phase is a region of states that chains from some starts end in and cannot be told apart there.
type Phase struct {
	From   []string // the starts of its chains, the most frequent first
	Chains int      // that ended in it
	// LogShare is the logarithm of its share of Z; -Inf where no path of annealing ended in it.
	LogShare   float64
	Stderr     float64 // standard error of the share; Unknown where no path ended in it, or all did
	FreeEnergy float64 // mean of F(v) over the ends, kT; of machines whose hidden layers do not sum out F of all that do not
	MeanSpin   float64 // mean of all spins of the ends, in [-1,1]
	Overlap    float64 // mean overlap of two ends, in [-1,1]
	States     []int8  // ends, V spins each

	name string  // of its first start and number
	rest float64 // logarithm of the share of all others
}

// Share returns the share of Z, in [0,1].
func (p Phase) Share() float64 { return min(1, math.Exp(p.LogShare)) }

// Holds says how much of the mass the phase holds, near none and all in powers of e.
func (p Phase) Holds() string {
	switch {
	case math.IsInf(p.LogShare, -1):
		return "none that was seen"
	case p.LogShare < math.Log(1e-4):
		return fmt.Sprintf("e^%.1f", p.LogShare)
	case p.rest > math.Log(1e-4):
		return fmt.Sprintf("%.3g %%", 100*p.Share())
	case p.rest > -700:
		return fmt.Sprintf("all but e^%.0f", p.rest)
	}
	return "all"
}

// PhasesOptions set the chains that look for phases.
type PhasesOptions struct {
	Chains int `yaml:"chains"` // of each kind of start
	Sweeps int `yaml:"sweeps"` // Gibbs sweeps of each
}

var phasesDefaults = PhasesOptions{Chains: 24, Sweeps: 300}

func (o PhasesOptions) check() error {
	return cmp.Or(inRange("chains", o.Chains, 4, 1000), inRange("sweeps", o.Sweeps, 0, most))
}

// Phases are what is known of where the mass of a machine lies.
type Phases struct {
	All  []Phase // that with the largest share first
	Data int     // the phase that most rows of the data lie in; -1 where they lie in none, or there are no data
	// Known says that rows of data were looked at.
	Known bool
	// Stays is the share of chains that began at rows of the data and ended in the data's phase.
	Stays float64

	// Bare is the share of the rows of the data that lie where the machine has next to nothing: in
	// a part of a phase that holds less than e^-10 of the share that they are. Where chains do not
	// move within a phase, nearly all of its mass may be in few of its states.
	Bare float64

	rows     []int // of the data that were looked at, in each cell
	grouping *grouping
	index    []int  // number in the grouping of each of All
	cells    []cell // finer parts of the groups
}

// cell is the part of a group that is nearer to one of its members than to the others that cells
// have.
type cell struct{ group, member int }

// mostCells bounds those of a group.
const mostCells = 8

// newPhases groups the ends. Phases have no shares yet.
func (s Survey) newPhases(ends []ended) *Phases {
	left := leftOf(s.Machine)
	v := left.visible
	var all []int8
	var from []string
	var first [][]int
	for _, e := range ends {
		var members []int
		for range len(e.rows) / left.width {
			members = append(members, len(from))
			from = append(from, e.from)
		}
		first = append(first, members)
		all = append(all, e.rows...)
	}
	rows := pack(left.visibleOf(all), v)
	p := &Phases{grouping: groupRows(rows, first, s.Machine.Symmetric()), Data: -1}
	f := left.energies(all)
	for g, members := range p.grouping.groups {
		ph := Phase{LogShare: math.Inf(-1), Chains: len(members)}
		count := map[string]int{}
		for _, i := range members {
			ph.FreeEnergy += f[i] / float64(len(members))
			ph.States = rows.unpack(ph.States, i)
			count[from[i]]++
		}
		if p.grouping.fold {
			aligned(ph.States, v)
		}
		ph.MeanSpin = meanSpin(ph.States)
		ph.Overlap = p.grouping.meanOverlap(members)
		for name := range count {
			ph.From = append(ph.From, name)
		}
		slices.SortFunc(ph.From, func(a, b string) int {
			if count[a] != count[b] {
				return count[b] - count[a]
			}
			return placeOfOrigin(a) - placeOfOrigin(b)
		})
		ph.name = fmt.Sprintf("phase %d (%s)", g+1, ph.From[0])
		p.All = append(p.All, ph)
		p.index = append(p.index, g)
	}
	p.divide()
	p.find(s, ends)
	return p
}

// placeOfOrigin returns where a start stands in the table; annealing comes last.
func placeOfOrigin(name string) int {
	if i := slices.IndexFunc(origins, func(s origin) bool { return s.name == name }); i >= 0 {
		return i
	}
	return len(origins)
}

// find sets where the data lie: the group that most of them fit, and how many chains that began
// there are still in it.
func (p *Phases) find(s Survey, ends []ended) {
	const looked = 200
	rows := s.dataRows(looked, s.Key.Fold(uint64(len(origins))))
	if rows == nil {
		return
	}
	p.Known = true
	count := p.counts(rows, s.spins())
	x := pack(rows, s.spins())
	p.rows = make([]int, len(p.cells)+1)
	for i := range x.len() {
		p.rows[p.cell(x.row(i))]++
	}
	best := 0
	for g, n := range count {
		if n > count[best] {
			best = g
		}
	}
	if best == len(p.All) {
		return // elsewhere
	}
	p.Data = best
	for _, e := range ends {
		if e.from == fromData {
			ends := leftOf(s.Machine).visibleOf(e.rows)
			at := p.counts(ends, s.spins())
			p.Stays = float64(at[best]) / float64(len(ends)/s.spins())
		}
	}
}

// counts returns how many of the rows are in each group, those in none last.
func (p *Phases) counts(rows []int8, spins int) []int {
	count := make([]int, len(p.All)+1)
	x := pack(rows, spins)
	for i := range x.len() {
		count[p.group(x.row(i))]++
	}
	return count
}

// group returns the number of the row's group, or that after the last where it is in none.
func (p *Phases) group(row []uint64) int {
	g, _ := p.grouping.place(row, -1)
	if g < 0 {
		return len(p.grouping.groups)
	}
	return g
}

// cell returns the number of the row's cell, or that after the last where it is in no group. Cells
// partition all states: it is a function of the row alone.
func (p *Phases) cell(row []uint64) int {
	g, _ := p.grouping.place(row, -1)
	at, most := len(p.cells), math.Inf(-1)
	for i, c := range p.cells {
		if c.group != g {
			continue
		}
		if q := p.grouping.likeness(row, p.grouping.rows.row(c.member)); q > most {
			at, most = i, q
		}
	}
	return at
}

// groupOf returns the group of cell number c, that after the last for no cell.
func (p *Phases) groupOf(c int) int {
	if c == len(p.cells) {
		return len(p.grouping.groups)
	}
	return p.cells[c].group
}

// divide sets the cells: members of each group that are far from each other, one after the other.
func (p *Phases) divide() {
	for g, members := range p.grouping.groups {
		near := make([]float64, len(members)) // to the nearest of those taken
		next := 0
		for k := range min(mostCells, len(members)) {
			if k > 0 {
				next = 0
				for i, q := range near {
					if q < near[next] {
						next = i
					}
				}
				if near[next] > 1-1e-9 {
					break
				}
			}
			p.cells = append(p.cells, cell{g, members[next]})
			for i, m := range members {
				q := p.grouping.likeness(p.grouping.rows.row(m), p.grouping.rows.row(members[next]))
				if k == 0 || q > near[i] {
					near[i] = q
				}
			}
		}
	}
}

// bare sets Bare from the logarithms of the cells' shares.
func (p *Phases) bare(shares []float64) {
	const next = 10
	all, bare := 0, 0
	for _, n := range p.rows {
		all += n
	}
	for c, n := range p.rows {
		if n > 0 && shares[c] < math.Log(float64(n)/float64(all))-next {
			bare += n
		}
	}
	if all > 0 {
		p.Bare = float64(bare) / float64(all)
	}
}

// astray says where the data lie if hardly any of the mass is there.
func (p *Phases) astray() []string {
	const little = 0.01
	switch {
	case !p.Known:
		return nil
	case p.Data < 0:
		return []string{"the data lie in none of the phases that chains end in"}
	case p.All[p.Data].Share() < little:
		return []string{fmt.Sprintf("the data lie in %s, which holds %s of the mass", p.All[p.Data].name, p.All[p.Data].Holds())}
	}
	return nil
}

// Say says in sentences how the mass is shared out.
func (p *Phases) Say() (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	const little = 1e-3
	var heavy, faint, unseen int
	for _, ph := range p.All {
		switch {
		case ph.Share() >= little:
			heavy++
		case math.IsInf(ph.LogShare, -1):
			unseen++
		default:
			faint++
		}
	}
	switch at := p.Data; {
	case p.Known && at < 0:
		say("the data lie in none of the phases: chains that begin there go elsewhere")
	case p.Known && p.All[at].Share() < little:
		say("a second phase, far from the data, holds %s of the mass; that of the data holds %s", p.All[0].Holds(), p.All[at].Holds())
	case heavy > 1:
		say("%d phases share the mass", heavy)
	default:
		say("one phase holds %s of the mass", p.All[0].Holds())
	}
	var total float64
	for _, ph := range p.All {
		total += ph.Share()
	}
	if total < 0.99 {
		say("%.2g %% of the mass lies in none of the phases", 100*(1-total))
	}
	if p.Known && p.Data >= 0 && p.All[p.Data].Share() >= little && heavy > 1 {
		say("that of the data holds %s", p.All[p.Data].Holds())
	}
	if p.Known && p.Data >= 0 && p.All[p.Data].Share() >= little && p.Bare > 0.05 {
		say("but %.0f %% of the data lie in parts of it that hold next to nothing: few of its states have the mass, and chains do not move between them", 100*p.Bare)
	}
	switch places := faint + unseen; {
	case places == 1:
		say("chains stay in another place, which holds next to nothing")
	case places > 1:
		say("chains stay in %d other places, which hold next to nothing", places)
	}
	if p.Known && p.Data >= 0 && p.Stays < 0.5 {
		say("chains leave the data's phase: %.0f %% of those that began at the data ended in it", 100*p.Stays)
	}
	return lines
}

// meanOverlap returns the mean overlap of two of the members.
func (g *grouping) meanOverlap(members []int) float64 {
	var sum float64
	n := 0
	for a, i := range members {
		for _, j := range members[:a] {
			sum += g.likeness(g.rows.row(i), g.rows.row(j))
			n++
		}
	}
	if n == 0 {
		return 1
	}
	return sum / float64(n)
}

// phases is the share of the mass in the phase that the data lie in, in [0,1]: 1 where the machine
// models the data, near 0 where a phase far from them holds nearly all. Without data it is that of
// the largest phase. Detail.phases has every phase that chains or paths ended in, the one with most
// of the mass first: where its chains began, its share, the mean overlap of its states, their mean
// free energy and mean spin; detail.data is the number of that of the data from 1, 0 where they lie
// in none.
func phases(ctx context.Context, s Subject, o Options) (Result, error) {
	z, err := s.several(ctx, o)
	if err != nil {
		return Result{}, err
	}
	p := z.Phases
	var list []map[string]any
	chains := 0
	for _, ph := range p.All {
		list = append(list, map[string]any{"from": ph.From, "share": ph.Share(), "holds": ph.Holds(), "overlap": ph.Overlap,
			"free_energy": ph.FreeEnergy, "mean_spin": ph.MeanSpin, "chains": ph.Chains})
		chains += ph.Chains
	}
	d := map[string]any{"phases": list, "log_z": z.Value, "base": z.Base, "warnings": append([]string{}, z.Warnings...)}
	value, stderr := p.All[0].Share(), p.All[0].Stderr
	if p.Known {
		d["data"], d["data_stay"], d["data_bare"] = p.Data+1, p.Stays, p.Bare
		if value, stderr = 0, Unknown; p.Data >= 0 {
			value, stderr = p.All[p.Data].Share(), p.All[p.Data].Stderr
		}
	}
	return Result{Value: value, Stderr: stderr, N: chains, Detail: d}, nil
}

// meanSpin returns the mean of spins, in [-1,1].
func meanSpin(spins []int8) float64 {
	sum := 0
	for _, x := range spins {
		sum += int(x)
	}
	return float64(sum) / float64(len(spins))
}
