package eval_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"mattis/eval"
)

// known names, for every measure, the test that holds it against an answer known otherwise: a sum in float64 over all states, a formula, or a law
// whose number is known. A new measure has to be here with such a test.
var known = map[string]string{
	"hamming":                  "TestHammingOfOnePattern",
	"hamming_clamped":          "TestHammingOfOnePattern",
	"nll_exact":                "TestExactLikelihood",
	"logz_exact":               "TestExactLikelihood",
	"nll":                      "TestBestLikelihood",
	"nll_bound":                "TestLikelihoodsOfTopologies",
	"logz":                     "TestBestLikelihood",
	"nll_ais":                  "TestLikelihoodMeasures",
	"logz_ais":                 "TestEstimatesOfLogZ",
	"phases":                   "TestPhases",
	"nll_reverse_ais":          "TestLikelihoodMeasures",
	"logz_reverse_ais":         "TestEstimatesOfLogZ",
	"nll_bridge":               "TestLikelihoodMeasures",
	"logz_bridge":              "TestPopulationBridge",
	"logz_integration":         "TestEstimatesOfLogZ",
	"nll_tracked":              "TestTracked",
	"ground_energy":            "TestGroundEnergy",
	"gibbs_accessibility":      "TestAccessibility",
	"gibbs_accessibility_mean": "TestAccessibility",
	"method_accessibility":     "TestMethodAccessibility",
	"pseudo_likelihood":        "TestPseudoLikelihood",
	"valid_share":              "TestSamplesOfCoins",
	"coverage":                 "TestSamplesOfOnePattern",
	"autocorrelation":          "TestTimeOfAKnownChain",
	"recall":                   "TestRecall",
	"spectrum":                 "TestSpectrumOfOrthogonalPatterns",
	"crosstalk":                "TestCrosstalk",
	"overlap":                  "TestOverlap",
	"ultrametricity":           "TestUltrametricity",
	"probe_accuracy":           "TestProbeAccuracy",
}

func TestEveryMeasureHasAKnownAnswer(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				tests[fn.Name.Name] = true
			}
		}
	}
	names := map[string]bool{}
	for _, m := range eval.Measures {
		names[m.Name] = true
		if name, ok := known[m.Name]; !ok {
			t.Errorf("%s has no test with a known answer", m.Name)
		} else if !tests[name] {
			t.Errorf("%s: there is no %s", m.Name, name)
		}
	}
	for m := range known {
		if !names[m] {
			t.Errorf("%s is no measure", m)
		}
	}
}
