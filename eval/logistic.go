package eval

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"

	"mattis/compute"
)

// Probe is a multinomial logistic regression: p(c|x) goes with exp(w_c.x + b_c).
type Probe struct {
	Classes, Features int
	Weights           []float64 // Classes x (Features+1), the last entry of a row is b_c
	Penalty           float64   // the factor of |w|^2/2
	Loss              float64   // mean cross-entropy in nats with the penalty
	Gradient          float64   // largest entry of its gradient
	Iterations        int
	Converged         bool // the gradient is below the tolerance
}

// FitProbe returns the regression of least mean cross-entropy plus Penalty/2 |w|^2 on the rows of x
// (N x F, Int8 or Float32) with labels in [0,classes), by L-BFGS from 0. The products run on the
// engine in float32; parameters, probabilities and sums are float64.
func FitProbe(ctx context.Context, e compute.Engine, x compute.Matrix, labels []int32, classes int, o ProbeOptions) (*Probe, error) {
	if x.Rows() != len(labels) || len(labels) == 0 || classes < 2 {
		return nil, fmt.Errorf("a probe of %d classes on features %v with %d labels", classes, x, len(labels))
	}
	for i, l := range labels {
		if l < 0 || int(l) >= classes {
			return nil, fmt.Errorf("row %d has the label %d, want 0 to %d", i, l, classes-1)
		}
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("probe.%w", err)
	}
	n, f := x.Rows(), x.Cols()
	penalty := o.Penalty
	if penalty == 0 {
		penalty = 1 / float64(n)
	}
	mark := e.Mark()
	defer e.Release(mark)
	l := newCrossEntropy(e, x, labels, classes, penalty)
	problem := optimize.Problem{
		Func: func(w []float64) float64 { l.evaluate(w); return l.loss },
		Grad: func(grad, w []float64) { l.evaluate(w); copy(grad, l.gradient) },
		Status: func() (optimize.Status, error) {
			if ctx.Err() != nil {
				return optimize.MethodConverge, ctx.Err()
			}
			return optimize.NotTerminated, nil
		},
	}
	settings := &optimize.Settings{GradientThreshold: o.Tolerance, MajorIterations: o.Iterations, Converger: optimize.NeverTerminate{}}
	r, err := optimize.Minimize(problem, make([]float64, classes*(f+1)), settings, &optimize.LBFGS{Store: 20})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	// A line search that float32 products leave no way down is an end: Converged says how good it
	// is.
	if err != nil && (r == nil || r.X == nil) {
		return nil, fmt.Errorf("fit the probe: %w", err)
	}
	l.evaluate(r.X)
	var top float64
	for _, g := range l.gradient {
		top = max(top, math.Abs(g))
	}
	return &Probe{Classes: classes, Features: f, Weights: r.X, Penalty: penalty, Loss: l.loss, Gradient: top, Iterations: r.MajorIterations, Converged: top <= o.Tolerance}, e.Sync()
}

// crossEntropy is the loss of a probe and its gradient at the weights of the last evaluation.
type crossEntropy struct {
	engine     compute.Engine
	x          compute.Matrix
	labels     []int32
	classes    int
	penalty    float64
	w, grad    compute.Matrix // classes x F
	logits     compute.Matrix // N x classes
	off        compute.Matrix // N x classes: (p(c|x) - [c is the label]) / N
	flatW      []float32
	flatLogits []float32

	at       []float64
	loss     float64
	gradient []float64
}

func newCrossEntropy(e compute.Engine, x compute.Matrix, labels []int32, classes int, penalty float64) *crossEntropy {
	n, f := x.Rows(), x.Cols()
	return &crossEntropy{
		engine: e, x: x, labels: labels, classes: classes, penalty: penalty,
		w: e.Scratch(compute.Float32, classes, f), grad: e.Scratch(compute.Float32, classes, f),
		logits: e.Scratch(compute.Float32, n, classes), off: e.Scratch(compute.Float32, n, classes),
		flatW: make([]float32, classes*f), flatLogits: make([]float32, n*classes),
		gradient: make([]float64, classes*(f+1)),
	}
}

// evaluate sets loss and gradient to those at w, classes x (F+1).
func (l *crossEntropy) evaluate(w []float64) {
	if slices.Equal(l.at, w) {
		return
	}
	e, n, f := l.engine, l.x.Rows(), l.x.Cols()
	for c := range l.classes {
		for j := range f {
			l.flatW[c*f+j] = float32(w[c*(f+1)+j])
		}
	}
	compute.Write(e, l.w, l.flatW)
	e.Mul(l.logits, l.x, l.w, compute.Op{TransB: true, Alpha: 1})
	compute.Read(e, l.flatLogits, l.logits)
	l.loss = 0
	clear(l.gradient)
	p := make([]float64, l.classes)
	for i, label := range l.labels {
		row := l.flatLogits[i*l.classes : (i+1)*l.classes]
		for c := range p {
			p[c] = float64(row[c]) + w[c*(f+1)+f]
		}
		own := p[label]
		l.loss += softmax(p) - own
		p[label]--
		for c := range p {
			p[c] /= float64(n)
			l.gradient[c*(f+1)+f] += p[c]
			row[c] = float32(p[c])
		}
	}
	l.loss /= float64(n)
	compute.Write(e, l.off, l.flatLogits)
	e.Mul(l.grad, l.off, l.x, compute.Op{TransA: true, Alpha: 1})
	compute.Read(e, l.flatW, l.grad)
	for c := range l.classes {
		for j := range f {
			k := c*(f+1) + j
			l.gradient[k] = float64(l.flatW[c*f+j]) + l.penalty*w[k]
			l.loss += l.penalty / 2 * w[k] * w[k]
		}
	}
	l.at = append(l.at[:0], w...)
}

// softmax sets p to exp(p) normalised and returns the logarithm of the sum.
func softmax(p []float64) float64 {
	top := math.Inf(-1)
	for _, x := range p {
		top = max(top, x)
	}
	var sum float64
	for c, x := range p {
		p[c] = math.Exp(x - top)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return top + math.Log(sum)
}

// Probabilities returns p(c|x) of each row of x.
func (p *Probe) Probabilities(e compute.Engine, x compute.Matrix) [][]float64 {
	if x.Cols() != p.Features {
		panic(fmt.Sprintf("eval: a probe of %d features on %v", p.Features, x))
	}
	mark := e.Mark()
	defer e.Release(mark)
	w, y := e.Scratch(compute.Float32, p.Classes, p.Features), e.Scratch(compute.Float32, x.Rows(), p.Classes)
	host := make([]float32, p.Classes*p.Features)
	for c := range p.Classes {
		for j := range p.Features {
			host[c*p.Features+j] = float32(p.Weights[c*(p.Features+1)+j])
		}
	}
	compute.Write(e, w, host)
	e.Mul(y, x, w, compute.Op{TransB: true, Alpha: 1})
	flat := make([]float32, y.Len())
	compute.Read(e, flat, y)
	all := make([][]float64, x.Rows())
	for i := range all {
		all[i] = make([]float64, p.Classes)
		for c := range all[i] {
			all[i][c] = float64(flat[i*p.Classes+c]) + p.Weights[c*(p.Features+1)+p.Features]
		}
		softmax(all[i])
	}
	return all
}
