package eval

import (
	"cmp"
	"context"
	"math"
)

// PseudoOptions set the pseudo-likelihood.
type PseudoOptions struct {
	// Spins is the number of spins flipped in each row, drawn by the key with replacement; V or
	// more flips each spin once. Its 0 asks for what the machine's size suggests: each spin once
	// up to 256 visible spins, and one spin of more.
	Spins int `yaml:"spins"`
	// Rows bounds the rows, as for hamming.
	Rows int `yaml:"rows"`
}

var pseudoDefaults = PseudoOptions{Spins: 0, Rows: 1000}

func (o PseudoOptions) check() error {
	return cmp.Or(inRange("spins", o.Spins, 0, most), inRange("rows", o.Rows, 1, most))
}

// allSpins is the most visible spins of which all are flipped by default.
const allSpins = 256

// pseudoLikelihood is the mean over rows of the log pseudo-likelihood in nats per sample,
//
//	sum_i log p(v_i | all other v) = sum_i log sigma(F(v with v_i flipped) - F(v)),
//
// A missing entry has no term, and counts as 0 in the fields of others. It is never above 0, larger being better, -V ln 2 without couplings. With fewer spins than V flipped in
// a row it is estimated without bias by V times the mean over the spins drawn. Where hidden layers
// do not sum out, F is listed if that is affordable and that of mean field elsewhere
// (detail.free_energy), which makes it an approximation. Detail.per_spin is the value over V. The
// standard error is over rows.
func pseudoLikelihood(ctx context.Context, s Subject, o Options) (Result, error) {
	set, err := s.set()
	if err != nil {
		return Result{}, err
	}
	v := set.Visible
	flips := o.PseudoLikelihood.Spins
	if flips == 0 && v > allSpins {
		flips = 1
	}
	key := s.Key.Fold(purposePseudo)
	which := func(row int32, j int) int { return key.Intn(v, uint64(row), uint64(j)) }
	spins := "drawn"
	if flips == 0 || flips >= v {
		flips, spins = v, "all"
		which = func(_ int32, j int) int { return j }
	}
	rows := s.rows(set, o.PseudoLikelihood.Rows)

	// Configuration i belongs to row i/(1+flips): the row itself, then its flips.
	width, itself := 1+flips, 0.0
	way := bestWay(s.Machine, len(rows)*width)
	terms := make([]float64, len(rows))
	err = s.freeEnergies(ctx, way, o.MeanField, len(rows)*width, func(first int, x []int8) {
		for i := range len(x) / v {
			row, j := rows[(first+i)/width], (first+i)%width
			c := x[i*v : (i+1)*v]
			copy(c, set.Row(int(row)))
			if j > 0 {
				p := which(row, j-1)
				c[p] = -c[p]
			}
		}
	}, func(first int, f []float64) {
		for i, f := range f {
			if (first+i)%width == 0 {
				itself = f
				continue
			}
			row := (first + i) / width
			if set.Row(int(rows[row]))[which(rows[row], (first+i)%width-1)] == 0 {
				continue
			}
			terms[row] += LogSigmoid(f-itself) * float64(v) / float64(flips)
		}
	})
	if err != nil {
		return Result{}, err
	}
	mean, stderr := meanOf(terms)
	detail := map[string]any{"spins": spins, "flips": flips, "rows": len(rows), "per_spin": mean / float64(v)}
	if way != FreeSummedOut {
		detail["free_energy"] = way
	}
	return Result{Value: mean, Stderr: stderr, N: len(rows), Detail: detail}, nil
}

// LogSigmoid returns log 1/(1+exp(-x)) without overflow.
func LogSigmoid(x float64) float64 {
	if x < 0 {
		return x - math.Log1p(math.Exp(x))
	}
	return -math.Log1p(math.Exp(-x))
}
