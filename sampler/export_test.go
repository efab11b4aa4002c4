package sampler

// TimeOfWindow returns the autocorrelation time of chains by the window b.
func TimeOfWindow(chains [][]float64, b int) float64 {
	total := float64(len(chains) * len(chains[0]))
	var m float64
	for _, c := range chains {
		m += mean(c) / float64(len(chains))
	}
	return newWindowed(squaredSums(chains, m, 1, 1), squaredSums(chains, m, b, 1), squaredSums(chains, m, 2*b, 1), b, total).time
}
