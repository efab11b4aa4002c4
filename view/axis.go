package view

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// Axis says what runs along one side of a chart.
type Axis struct {
	Label string // with its unit: "NLL (nats)"
	Log   bool   // logarithmic; what is not above 0 is then left out
	// Zero gives 0 a place of its own at the lower end of a logarithmic axis, at Min or half the
	// smallest other value, for curves that begin there.
	Zero bool
	// Ticks are the values that are labelled; without any they are round ones.
	Ticks []float64
	// Min and Max bound the axis. Where both are 0 the values decide.
	Min, Max float64
}

// finite reports whether x has a place on the axis.
func (a Axis) finite(x float64) bool {
	return !math.IsNaN(x) && !math.IsInf(x, 0) && (!a.Log || x > 0 || a.Zero && x == 0)
}

// fixed reports whether the bounds are given, or an error where they are no range.
func (a Axis) fixed() (bool, error) {
	if a.Min == 0 && a.Max == 0 {
		return false, nil
	}
	if !a.finite(a.Min) || !a.finite(a.Max) || a.Min >= a.Max || a.Log && a.Min <= 0 {
		kind := "linear"
		if a.Log {
			kind = "logarithmic"
		}
		return false, fmt.Errorf("axis %q: %v to %v is no range of a %s axis", a.Label, a.Min, a.Max, kind)
	}
	return true, nil
}

// interval is the range of values met so far.
type interval struct {
	min, max float64
	any      bool
	zero     bool // 0 was met on a logarithmic axis, and is not in the range
}

// meet adds a value that has a place on the axis.
func (a Axis) meet(r *interval, x float64) {
	if a.Log && a.Zero && x == 0 {
		r.zero = true
		return
	}
	r.add(x)
}

func (r *interval) add(x float64) {
	if !r.any {
		r.min, r.max, r.any = x, x, true
	}
	r.min, r.max = min(r.min, x), max(r.max, x)
}

// bounds returns the ends of the axis for the values of r; margin is the share
// of the range that is left free at either end.
func (a Axis) bounds(r interval, margin float64) (lo, hi float64) {
	if a.Log {
		if !r.any { // nothing but zeros
			r.min, r.max = 1, 1
		}
		u, v := math.Log10(r.min), math.Log10(r.max)
		if d := v - u; d < 0.5 { // at least half a decade
			u, v = u-(0.5-d)/2, v+(0.5-d)/2
		}
		pad := margin * (v - u)
		lo, hi = math.Pow(10, u-pad), math.Pow(10, v+pad)
		if r.zero {
			lo = r.min / 2
		}
		return lo, hi
	}
	d := r.max - r.min
	if d <= 1e-9*max(math.Abs(r.min), math.Abs(r.max)) {
		if d = math.Abs(r.min) / 10; d == 0 {
			d = 1
		}
		return r.min - d/2, r.max + d/2
	}
	lo, hi = r.min-margin*d, r.max+margin*d
	if r.min >= 0 { // no values below 0 are suggested where none can be
		lo = max(lo, 0)
	}
	if r.max <= 0 {
		hi = min(hi, 0)
	}
	return lo, hi
}

// set gives a plot's axis the bounds lo to hi and its ticks; zero says that 0 stands at lo.
func (a Axis) set(p *plot.Axis, lo, hi float64, zero bool) {
	p.Min, p.Max = lo, hi
	p.Tick.Marker = plot.TickerFunc(linearTicks)
	if a.Log {
		p.Scale = plot.LogScale{}
		p.Tick.Marker = plot.TickerFunc(logTicks)
		if zero {
			p.Scale = zeroScale{}
			p.Tick.Marker = plot.TickerFunc(zeroTicks)
		}
	}
	if len(a.Ticks) > 0 {
		p.Tick.Marker = plot.TickerFunc(a.givenTicks)
	}
}

// givenTicks returns the ticks that the axis asks for.
func (a Axis) givenTicks(lo, hi float64) []plot.Tick {
	var t []plot.Tick
	const rounding = 1e-9
	if a.Log {
		lo, hi = lo*(1-rounding), hi*(1+rounding)
	} else {
		edge := rounding * (hi - lo)
		lo, hi = lo-edge, hi+edge
	}
	for _, x := range a.Ticks {
		if a.finite(x) && x >= lo && x <= hi {
			t = append(t, plot.Tick{Value: x, Label: strconv.FormatFloat(x, 'g', -1, 64)})
		}
	}
	return t
}

// zeroScale is a logarithmic scale with 0 at its lower end.
type zeroScale struct{}

// Normalize implements plot.Normalizer.
func (zeroScale) Normalize(lo, hi, x float64) float64 {
	if x == 0 {
		return 0
	}
	return plot.LogScale{}.Normalize(lo, hi, x)
}

// zeroTicks returns 0 at lo, where zeroScale has it, and the ticks of a logarithmic axis from the
// smallest other value, at 2 lo.
func zeroTicks(lo, hi float64) []plot.Tick {
	return append([]plot.Tick{{Value: lo, Label: "0"}}, logTicks(2*lo, hi)...)
}

// linearTicks returns labels at multiples of 1, 2 or 5 times a power of ten,
// four to nine of them, with four or five small steps between two.
func linearTicks(lo, hi float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/4)))
	small := step / 5
	for _, m := range []float64{5, 2} {
		if (hi-lo)/(step*m) >= 4 {
			step *= m
			small = step / 5
			if m == 2 {
				small = step / 4
			}
			break
		}
	}
	var t []plot.Tick
	per := math.Round(step / small)
	for i := math.Ceil(lo/small - 1e-9); i*small <= hi+small*1e-9; i++ {
		tick := plot.Tick{Value: i * small}
		if math.Mod(i, per) == 0 {
			// Rounding to the step's last digit takes away what binary fractions leave.
			tick.Value = i / per * step
			tick.Label = number(tick.Value, step)
		}
		t = append(t, tick)
	}
	return t
}

// number returns x, a multiple of step, with the digits that step has.
func number(x, step float64) string {
	if x == 0 {
		return "0"
	}
	exponent := int(math.Floor(math.Log10(step) + 1e-9))
	if size := math.Abs(x); size >= 1e6 || size < 1e-4 {
		digits := max(0, int(math.Floor(math.Log10(size)+1e-9))-exponent)
		return strconv.FormatFloat(x, 'e', digits, 64)
	}
	return strconv.FormatFloat(x, 'f', max(0, -exponent), 64)
}

// logTicks returns labels at the powers of ten within lo to hi, thinned to at
// most eight, and at 2 and 5 times them where there are fewer than three.
func logTicks(lo, hi float64) []plot.Tick {
	first, last := int(math.Floor(math.Log10(lo))), int(math.Ceil(math.Log10(hi)))
	every := (last-first)/8 + 1
	whole := 0
	for e := first; e <= last; e++ {
		if x := math.Pow10(e); x >= lo*(1-1e-9) && x <= hi*(1+1e-9) {
			whole++
		}
	}
	var t []plot.Tick
	for e := first; e <= last; e++ {
		for m := 1; m < 10; m++ {
			x := float64(m) * math.Pow10(e)
			if x < lo*(1-1e-9) || x > hi*(1+1e-9) {
				continue
			}
			tick := plot.Tick{Value: x}
			switch {
			case m == 1 && e%every == 0, whole < 3 && (m == 2 || m == 5), whole == 0:
				tick.Label = number(x, math.Pow10(e))
			case every > 1:
				continue
			}
			t = append(t, tick)
		}
	}
	return t
}
