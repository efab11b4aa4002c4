package eval

// Measures are all measures, in the order in which people meet them.
var Measures = []Measure{
	{"hamming", "pixels got wrong in one Gibbs step from the known ones, nothing clamped, in [0,1]", true, hamming},
	{"hamming_clamped", "pixels got wrong after several Gibbs steps with the known ones clamped, in [0,1]", true, hammingClamped},
	{"nll_exact", "negative log-likelihood in nats per sample, by summing over the smaller layer", true, nllExact},
	{"logz_exact", "log Z in nats, by summing over the smaller layer", false, logZExact},
	{"ground_energy", "lowest energy of all configurations in kT, by listing the smaller layer", false, groundEnergy},
	{"gibbs_accessibility", "lowest energy of Gibbs chains from random spins, as a share of the ground state's", false, gibbsAccessibility},
	{"gibbs_accessibility_mean", "mean energy of the same chains, as a share of the ground state's", false, gibbsAccessibilityMean},
	{"method_accessibility", "lowest energy that the estimator's configurations have, as a share of the ground state's", false, methodAccessibility},
	{"pseudo_likelihood", "log pseudo-likelihood in nats per sample; 0 is best", true, pseudoLikelihood},
	{"valid_share", "share of sampled images that are Bars or BAS, in [0,1]", false, validShare},
	{"coverage", "share of all Bars or BAS images that occur among the samples, in [0,1]", false, coverage},
	{"spectrum", "largest singular value of the couplings; all of them are in the detail", false, spectrum},
	{"crosstalk", "share of hidden pattern spins that the noise of the other patterns turns, in [0,1]", false, crosstalk},
	{"overlap", "mean squared overlap of two samples, in [0,1]", false, overlap},
	{"ultrametricity", "how far triangles of samples are from isosceles: 0 is an ultrametric space, 1 chance", false, ultrametricity},
	{"probe_accuracy", "share of labels that a logistic regression of the hidden layer names, in [0,1]", true, probeAccuracy},
}
