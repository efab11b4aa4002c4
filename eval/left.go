package eval

import (
	"context"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// side is the layers on the left side of a machine's data view: what annealing and chains move,
// while the others are drawn anew or summed out. A row is their spins, one layer after the other
// and the visible one first; 0 is a spin that is not known.
type side struct {
	machine *bm.Machine
	layers  []int
	visible int // spins of the visible layer
	width   int // spins of a row
}

func leftOf(m *bm.Machine) side {
	s := side{machine: m, layers: m.View().Left, visible: m.Layers()[bm.Visible]}
	for _, l := range s.layers {
		s.width += m.Layers()[l]
	}
	return s
}

// alone reports whether rows are visible spins and nothing else.
func (s side) alone() bool { return s.width == s.visible }

// of returns the state with the layers on the right left out, so that an energy sums over them.
func (s side) of(state bm.State) bm.State {
	left := make(bm.State, len(state))
	for _, l := range s.layers {
		left[l] = state[l]
	}
	return left
}

// write sets the layers of the state to the rows.
func (s side) write(state bm.State, rows []int8) {
	e := s.machine.Engine()
	if s.alone() {
		compute.Write(e, state[bm.Visible], rows)
		return
	}
	at := 0
	for _, l := range s.layers {
		n := s.machine.Layers()[l]
		compute.Write(e, state[l], s.columns(rows, at, n))
		at += n
	}
}

// read sets the rows from the layers of the state.
func (s side) read(rows []int8, state bm.State) {
	e := s.machine.Engine()
	if s.alone() {
		compute.Read(e, rows, state[bm.Visible])
		return
	}
	at := 0
	for _, l := range s.layers {
		x := make([]int8, state[l].Len())
		compute.Read(e, x, state[l])
		s.setColumns(rows, x, at)
		at += s.machine.Layers()[l]
	}
}

// columns returns n spins of each row from the at-th on.
func (s side) columns(rows []int8, at, n int) []int8 {
	x := make([]int8, 0, len(rows)/s.width*n)
	for ; len(rows) > 0; rows = rows[s.width:] {
		x = append(x, rows[at:at+n]...)
	}
	return x
}

// setColumns sets the spins of each row from the at-th on.
func (s side) setColumns(rows, x []int8, at int) {
	n := len(x) / (len(rows) / s.width)
	for i := 0; i < len(rows); i += s.width {
		copy(rows[i+at:][:n], x[i/s.width*n:])
	}
}

// visibleOf returns the visible spins of the rows, which are the rows themselves where there is
// nothing else.
func (s side) visibleOf(rows []int8) []int8 {
	if s.alone() {
		return rows
	}
	return s.columns(rows, 0, s.visible)
}

// around returns rows of the visible spins, the others not known.
func (s side) around(visible []int8) []int8 {
	if s.alone() || visible == nil {
		return visible
	}
	rows := make([]int8, len(visible)/s.visible*s.width)
	s.setColumns(rows, visible, 0)
	return rows
}

// energies returns minus the logarithm of the sum over the layers on the right of exp(-E) of each
// row, in kT: F(v) of machines whose hidden layers sum out.
func (s side) energies(rows []int8) []float64 {
	m, e := s.machine, s.machine.Engine()
	n := len(rows) / s.width
	f := make([]float64, n)
	step := rowsAtOnce(m)
	for first := 0; first < n; first += step {
		part := min(step, n-first)
		mark := e.Mark()
		x := m.Scratch(part)
		s.write(x, rows[first*s.width:(first+part)*s.width])
		sum := e.Scratch(compute.Float64, part, 1)
		m.Energy(sum, s.of(x), bm.Law{})
		compute.Read(e, f[first:first+part], sum)
		e.Release(mark)
	}
	return f
}

// EnergyName returns what Mixing's energies are of, in words: F(v), or F of the layers that do not
// sum out.
func EnergyName(m *bm.Machine) string {
	if m.SumsOut() {
		return "F(v)"
	}
	var names []string
	for _, l := range m.View().Left {
		names = append(names, m.Graph().Layers[l].Name)
	}
	return "F(" + strings.Join(names, ", ") + ")"
}

// HeldEnergies returns for rows of visible spins the energies that chains of the machine are
// watched by (see Mixing), in kT: F(v), or that of the row and of hidden layers that were drawn
// with it held, in 20 sweeps. So are missing entries, spins 0.
func HeldEnergies(ctx context.Context, m *bm.Machine, visible []int8, key rng.Key) ([]float64, error) {
	left, e := leftOf(m), m.Engine()
	rows := left.around(visible)
	gaps := slices.Contains(visible, 0)
	if left.alone() && !gaps {
		return left.energies(rows), ctx.Err()
	}
	n := len(rows) / left.width
	step := rowsAtOnce(m)
	for first := 0; first < n; first += step {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		count := min(step, n-first)
		part := rows[first*left.width : (first+count)*left.width]
		mark := e.Mark()
		s := m.Scratch(count)
		v := e.Scratch(compute.Int8, count, left.visible)
		compute.Write(e, v, left.visibleOf(part))
		law := bm.Law{Key: key, Row: uint64(first)}
		if gaps {
			known := e.Scratch(compute.Int8, count, left.visible)
			e.Copy(known, v)
			law.Clamp = bm.State{known}
		}
		drawHidden(m, s, v, law)
		left.read(part, s)
		e.Release(mark)
	}
	return left.energies(rows), nil
}

// coins sets the layers of the state to fair coins.
func (s side) coins(state bm.State, law bm.Law) { sampler.Randomize(s.machine, s.of(state), law) }
