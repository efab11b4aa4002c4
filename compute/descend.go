package compute

// Outer is a term of a gradient: the product of A and B as Op has it, stored.
type Outer struct {
	A, B Matrix
	Op   Op
}

// MoveKind is what a Move does.
type MoveKind uint8

const (
	MoveAxpby MoveKind = iota // Dst = P*X + Q*Dst
	MoveAdam                  // the step of Adam on Dst with the moments First and Second
	MoveClip                  // Dst into [-P, P]
)

// Move is one step of an optimizer or a projection on the entries of a parameter, as the operation
// of Arithmetic does it: nothing of it depends on other entries.
type Move struct {
	Kind          MoveKind
	Dst           Matrix
	X             Matrix // none: the gradient
	First, Second Matrix
	P, Q          float64
	Adam          [5]float32 // beta1, beta2, step, correction, eps
}

// Do makes the moves one after the other on the gradient.
func Do(e Arithmetic, grad Matrix, moves []Move) {
	for i := range moves {
		m := &moves[i]
		x := m.X
		if x.IsNone() {
			x = grad
		}
		switch m.Kind {
		case MoveAxpby:
			e.Axpby(m.Dst, m.P, x, m.Q)
		case MoveAdam:
			e.Adam(m.Dst, x, m.First, m.Second, m.Adam[0], m.Adam[1], m.Adam[2], m.Adam[3], m.Adam[4])
		case MoveClip:
			e.Clip(m.Dst, float32(m.P))
		}
	}
}

// Rows returns the move on rows [from, to) alone.
func (m Move) Rows(from, to int) Move {
	for _, x := range [...]*Matrix{&m.Dst, &m.X, &m.First, &m.Second} {
		if !x.IsNone() {
			*x = x.Slice(from, to)
		}
	}
	return m
}
