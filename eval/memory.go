package eval

import (
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/sampler"
)

// Memory takes from the machine's engine what the measure takes for configurations that are held at
// once, and returns the bytes that it takes beside the engine. It is for engines that count, and
// compute nothing.
func Memory(measure string, m *bm.Machine, set *data.Set, o Options) (beside float64) {
	e, n := m.Engine(), m.Layers()
	part := rowsAtOnce(m)
	all := math.MaxInt
	if set != nil {
		all = set.Rows
	}
	spins := float64(leftOf(m).width)
	rows := part
	switch measure {
	case "hamming":
		rows = min(part, min(o.Hamming.Rows, all)*o.Hamming.Draws)
	case "hamming_clamped":
		rows = min(part, min(o.HammingClamped.Rows, all)*o.HammingClamped.Draws)
	case "recall":
		rows = min(part, min(o.Recall.Rows, all))
		beside = float64(rows) * (6*spins + float64(4*max(n[bm.Visible], len(n)))) // fields and spins on the host
	case "gibbs_accessibility", "gibbs_accessibility_mean":
		rows = min(part, o.Accessibility.Chains)
	case "lattice_energy", "lattice_magnetization", "lattice_heat":
		beside = float64(o.Samples.Chains) * spins
		rows = min(part, o.Samples.Chains)
	case "valid_share", "coverage":
		rows = min(part, o.Samples.Chains)
	case "overlap", "ultrametricity":
		rows = min(part, o.Samples.Chains)
		beside = float64(o.Samples.Chains) * (spins + 4*float64(o.Samples.Chains))
	case "probe_accuracy":
		size := 0.0
		if l, err := o.Probe.layer(m); err == nil {
			size = float64(n[l])
		}
		switch o.Probe.Features {
		case FeaturesMean:
			size *= 4
		case FeaturesPixels:
			size = float64(n[bm.Visible])
		}
		beside = size * float64(min(o.Probe.Rows, all))
		if o.Probe.HeldOut > 0 { // the features of the fits that choose
			beside *= 2
		}
	case "autocorrelation":
		rows = o.Autocorrelation.Chains
		const traces = 9 // the energy, four modes and their squares
		beside = traces * 8 * float64(rows) * float64(min(o.Autocorrelation.Sweeps, mostValues))
	case "logz_integration": // all rungs of all ladders move together, and cold ones start from a pool as large
		rungs := float64(o.Integration.Ladders) * (float64(o.Integration.Betas) + 4)
		rows = int(min(rungs, math.MaxInt32))
		beside = 3*rungs*spins + 8*float64(o.Integration.Ladders)*float64(o.Integration.Sweeps)
	case "nll", "nll_bound", "logz", "nll_ais", "logz_ais", "nll_reverse_ais", "logz_reverse_ais", "nll_bridge", "logz_bridge", "phases":
		const bases, numbers = 10, 40 // log weights, cells and their copies of a path
		runs := float64(o.AIS.Runs)
		rows = min(part, o.AIS.Runs)
		beside = bases*(numbers*runs+min(runs*spins, mostKept)) + 10*float64(o.Phases.Chains)*spins
	case "spectrum", "crosstalk", "method_accessibility", "lattice_couplings":
		return 0
	}
	mark := e.Mark()
	defer e.Release(mark)
	state := m.Scratch(rows)
	law := bm.Law{Clamp: bm.State{e.Scratch(compute.Int8, rows, n[bm.Visible])}}
	sampler.Gibbs(m, state, law, 1)
	m.Energy(e.Scratch(compute.Float64, rows, 1), leftOf(m).of(state), bm.Law{})
	return beside + float64(rows)*(spins+8)
}
