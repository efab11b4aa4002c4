package eval

import (
	"slices"

	"mattis/data"
)

// options are the names of groups of options that a measure reads, and of single ones that not all
// measures of the group read.
type options []string

// What measures of likelihoods read.
var (
	ofAnnealing = options{"ais", "ais.base", "phases"}
	ofReverse   = options{"ais.start", "ais.start_sweeps"}
	ofHidden    = options{"mean_field", "clamped_ais"}
)

func with(lists ...options) options { return slices.Concat(lists...) }

// Measures are all measures, in the order in which people meet them.
var Measures = []Measure{
	{"hamming", "pixels got wrong in one Gibbs step from the known ones, nothing clamped, in [0,1]", NeedsData, Least, Estimated | NotKnown, options{"hamming"}, always, hamming},
	{"hamming_clamped", "pixels got wrong after several Gibbs steps with the known ones clamped, in [0,1]", NeedsData, Least, Estimated | NotKnown, options{"hamming_clamped"}, always, hammingClamped},
	{"nll_exact", "negative log-likelihood in nats per sample, by summing over the smaller layer", NeedsData, Least, Estimated | NotKnown, nil, summedRows, nllExact},
	{"logz_exact", "log Z in nats, by summing over the smaller layer", NoData, NoGoal, NoError, nil, instead("logz"), logZExact},
	{"nll", "negative log-likelihood in nats per sample, by the best affordable method", NeedsData, Least, Estimated | NotKnown, with(ofAnnealing, ofHidden), bestMethod, nllBy(byBest)},
	{"nll_bound", "bound on the negative log-likelihood in nats per sample, by mean field of the hidden layers; the side is in the detail", NeedsData, Least, Estimated | NotKnown, with(ofAnnealing, options{"mean_field"}), whole(bestMethod), nllBound},
	{"logz", "log Z in nats, by the best affordable method", LooksAtData, NoGoal, NoError | Estimated, ofAnnealing, bestMethod, logZBy(byBest)},
	{"nll_ais", "negative log-likelihood in nats per sample, by annealed importance sampling from several bases: the best known of the largest", NeedsData, Least, Estimated | NotKnown, with(ofAnnealing, ofHidden), annealed, nllAnnealed},
	{"logz_ais", "log Z in nats, by annealed importance sampling from several bases: the best known of the largest", LooksAtData, NoGoal, Estimated, ofAnnealing, annealed, logZBy(byAIS)},
	{"phases", "share of the machine's mass in the phase that the data lie in, in [0,1]", LooksAtData, Greatest, Estimated | NotKnown, options{"ais", "phases"}, inPhases, phases},
	{"nll_reverse_ais", "negative log-likelihood in nats per sample, by reverse AIS: high in expectation from exact samples, no bound from other starts", NeedsData, Least, Estimated | NotKnown, with(ofAnnealing, ofReverse, ofHidden), reversed, nllBy(byReverse)},
	{"logz_reverse_ais", "log Z in nats, by reverse AIS: high in expectation from exact samples, no bound from other starts", LooksAtData, NoGoal, Estimated, with(ofAnnealing, ofReverse), reversed, logZBy(byReverse)},
	{"nll_bridge", "negative log-likelihood in nats per sample, by the bridge between AIS and reverse AIS: sound from exact samples", NeedsData, Least, Estimated | NotKnown, with(ofAnnealing, ofReverse, ofHidden), reversed, nllBy(byBridge)},
	{"logz_bridge", "log Z in nats, by the bridge between AIS and reverse AIS: sound from exact samples", LooksAtData, NoGoal, Estimated, with(ofAnnealing, ofReverse), reversed, logZBy(byBridge)},
	{"logz_integration", "log Z in nats, by thermodynamic integration over parallel tempering", LooksAtData, NoGoal, Estimated, options{"integration", "ais.base"}, annealed, logZBy(byIntegration)},
	{"nll_tracked", "negative log-likelihood in nats per sample, by paths in both directions at states along the training", NeedsData, Least, Estimated | NotKnown, nil, along, nllTracked},
	{"ground_energy", "lowest energy of all configurations in kT, by listing the smaller layer", NoData, NoGoal, NoError, nil, listable, groundEnergy},
	{"gibbs_accessibility", "lowest energy of Gibbs chains from random spins, as a share of the ground state's", NoData, Greatest, NotKnown, options{"gibbs_accessibility"}, listable, gibbsAccessibility},
	{"gibbs_accessibility_mean", "mean energy of the same chains, as a share of the ground state's", NoData, Greatest, Estimated | NotKnown, options{"gibbs_accessibility"}, listable, gibbsAccessibilityMean},
	{"method_accessibility", "lowest energy that the estimator's configurations have, as a share of the ground state's", NoData, Greatest, NotKnown, nil, ofDraw, methodAccessibility},
	{"pseudo_likelihood", "log pseudo-likelihood in nats per sample; 0 is best", NeedsData, Greatest, Estimated | NotKnown, options{"pseudo_likelihood", "mean_field"}, always, pseudoLikelihood},
	{"valid_share", "share of sampled images that are Bars or BAS, in [0,1]", LooksAtData, Greatest, Estimated | NotKnown, options{"samples"}, ofFamily, validShare},
	{"coverage", "share of all Bars or BAS images that occur among the samples, in [0,1]", LooksAtData, Greatest, Estimated | NotKnown, options{"samples"}, ofFamily, coverage},
	{"lattice_energy", "energy a spin of samples on the lattice of the data (ising), J = 1; the data's is in the detail", LooksAtData, NoGoal, Estimated, options{"samples"}, ofLattice,
		latticeOf(func(o data.Observables) float64 { return o.Energy }, func(o data.Observables) float64 { return o.EnergyError })},
	{"lattice_magnetization", "mean |m| of the same samples, in [0,1]", LooksAtData, NoGoal, Estimated, options{"samples"}, ofLattice,
		latticeOf(func(o data.Observables) float64 { return o.Magnetic }, func(o data.Observables) float64 { return o.MagnetError })},
	{"lattice_heat", "specific heat a spin of the same samples at the data's temperature", LooksAtData, NoGoal, Estimated, options{"samples"}, ofLattice,
		latticeOf(func(o data.Observables) float64 { return o.Heat }, func(o data.Observables) float64 { return o.HeatError })},
	{"lattice_couplings", "root mean square error of the couplings of the lattice's neighbours, 1/T being right; those of others are in the detail", LooksAtData, NoGoal, NoError, nil, coupledLattice, latticeCouplings},
	{"autocorrelation", "integrated autocorrelation time of the energy along chains, in sweeps; 0.5 is none", NoData, Least, Estimated | NotKnown, options{"autocorrelation"}, watchable, autocorrelation},
	{"recall", "pixels got wrong by a descent at zero temperature from rows with flipped pixels, in [0,1]", NeedsData, Least, Estimated | NotKnown | NoError, options{"recall"}, whole(always), recall},
	{"spectrum", "largest singular value of the couplings; all of them are in the detail", NoData, NoGoal, NoError, nil, always, spectrum},
	{"crosstalk", "share of hidden pattern spins that the noise of the other patterns turns, in [0,1]", NoData, Least, NoError, nil, ofPatterns, crosstalk},
	{"overlap", "mean squared overlap of two samples, in [0,1]", LooksAtData, NoGoal, Estimated | NotKnown, options{"samples"}, compared(2, "overlaps need two samples"), overlap},
	{"ultrametricity", "how far triangles of samples are from isosceles: 0 is an ultrametric space, 1 chance", LooksAtData, NoGoal, Estimated | NotKnown, options{"samples"}, compared(3, "triangles need three samples"), ultrametricity},
	{"probe_accuracy", "share of labels that a logistic regression of the hidden layer names, in [0,1]", NeedsData, Greatest, Estimated | NotKnown, options{"probe"}, whole(labelled), probeAccuracy},
}
