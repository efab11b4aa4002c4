package data

import "math"

// Observables are what the physics of a lattice looks at, a spin each, of many configurations.
type Observables struct {
	Energy       float64 `json:"energy"`        // mean of E/N in units of J
	Magnetic     float64 `json:"magnetization"` // mean of |m|, m the mean spin of a configuration
	Heat         float64 `json:"specific_heat"` // (<E^2> - <E>^2) / (N T^2)
	EnergyError  float64 `json:"energy_stderr"` // standard errors of the three, of independent configurations
	MagnetError  float64 `json:"magnetization_stderr"`
	HeatError    float64 `json:"specific_heat_stderr"`
	Observations int     `json:"n"`
}

// Observe returns the observables of the rows, a multiple of the lattice's spins.
func (l Lattice) Observe(rows []int8) Observables {
	spins := l.Side * l.Side
	n := len(rows) / spins
	energy, magnet := make([]float64, n), make([]float64, n)
	for i := range n {
		row := rows[i*spins : (i+1)*spins]
		sum := 0
		for _, x := range row {
			sum += int(x)
		}
		energy[i], magnet[i] = l.Energy(row)/float64(spins), math.Abs(float64(sum))/float64(spins)
	}
	o := Observables{Observations: n}
	var second, fourth float64
	o.Energy, second, fourth = moments(energy)
	scale := float64(spins) / (l.Temperature * l.Temperature)
	o.Heat = scale * second
	o.EnergyError, o.HeatError = math.Sqrt(second/float64(n)), scale*math.Sqrt(max(0, fourth-second*second)/float64(n))
	o.Magnetic, second, _ = moments(magnet)
	o.MagnetError = math.Sqrt(second / float64(n))
	return o
}

// moments returns the mean and the second and fourth moments about it.
func moments(x []float64) (mean, second, fourth float64) {
	for _, y := range x {
		mean += y / float64(len(x))
	}
	for _, y := range x {
		d := (y - mean) * (y - mean)
		second += d / float64(len(x))
		fourth += d * d / float64(len(x))
	}
	return mean, second, fourth
}
