package experiment

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mattis/run"
)

// Every arm that is trained has a recipe that is taken at full size and at miniature size, and
// names of arms do not meet within a figure.
func TestArms(t *testing.T) {
	for _, f := range Figures {
		names := map[string]bool{}
		for _, s := range f.studies {
			for _, a := range s.arms {
				if names[a.name] || a.seconds <= 0 || (a.recipe == "") == (a.draw == nil) {
					t.Errorf("figure %s: arm %s is named twice, takes no time, or has not one of recipe and draw", f.Name, a.name)
				}
				names[a.name] = true
				if a.recipe == "" {
					continue
				}
				for _, miniature := range []bool{false, true} {
					i := instance{study: s, arm: a, seed: 1}
					if _, err := i.recipeOf(miniature); err != nil {
						t.Errorf("figure %s, miniature %v: %v", f.Name, miniature, err)
					}
				}
				if a.why == "" {
					t.Errorf("figure %s: arm %s does not say why so many epochs", f.Name, a.name)
				}
			}
		}
	}
}

// instances of one arm with the values of a measure at epochs 0, 2, 4.
func made(values ...[3]float64) []*instance {
	a := &arm{name: "rapid"}
	var list []*instance
	for k, v := range values {
		i := &instance{arm: a, seed: uint64(k + 1)}
		for e, x := range v {
			i.metrics = append(i.metrics, run.Metric{Epoch: 2 * e, Name: "hamming", Split: "test", Value: x})
		}
		i.metrics = append(i.metrics, run.Metric{Epoch: 4, Name: "spectrum", Detail: map[string]any{"singular_values": []any{3.0, 1.0}}})
		list = append(list, i)
	}
	return list
}

// Means, deviations of samples (n-1), numbers, and where a curve stays below a bound.
func TestCurve(t *testing.T) {
	r := &results{figure: &Figure{Name: "3a"}, instances: made([3]float64{0.5, 0.2, 0.1}, [3]float64{0.3, 0.4, 0.1})}
	c := r.curve("rapid", "rapid", "hamming test")
	want := "[0 2 4] [0.4 0.30000000000000004 0.1] [2 2 2]"
	if got := fmt.Sprint(c.X, c.Mean, c.N); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if math.Abs(c.SD[0]-math.Sqrt(0.02)) > 1e-12 || math.Abs(c.stderr(0)-0.1) > 1e-12 {
		t.Errorf("deviations %v", c.SD)
	}
	if x := c.settles(0.3000001); x != 2 {
		t.Errorf("below 0.3 from epoch %v", x)
	}
	if x := c.settles(0.05); !math.IsInf(x, 1) {
		t.Errorf("below 0.05 from epoch %v", x)
	}
	if x := c.reaches(0.3); !math.IsInf(x, 1) {
		t.Errorf("above 0.3 from epoch %v, where it ends below", x)
	}
	if c.last() != 0.1 || c.value(1.2) != c.Mean[1] {
		t.Error("a value at the wrong place")
	}
	s := r.curve("", "rapid", "spectrum 4")
	if fmt.Sprint(s.X, s.Mean, s.N) != "[1 2] [3 1] [2 2]" {
		t.Errorf("spectrum %+v", s)
	}
	one := &results{figure: r.figure, instances: r.instances[:1]}
	if c := one.curve("", "rapid", "hamming test"); !math.IsNaN(c.SD[0]) {
		t.Errorf("one instance has the deviation %v", c.SD[0])
	}
}

// Two standard errors decide; what is not known does not.
func TestVerdicts(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		what      string
		got, want Verdict
	}{
		{"3 errors above", above(1.3, 1, 0.1, 0), Agrees},
		{"1 error above", above(1.1, 1, 0.1, 0), Open},
		{"1.8 errors of both above", above(1.25, 1, 0.1, 0.1), Open},
		{"3 errors below", above(1, 1.3, 0.1, 0), Differs},
		{"equal up to rounding, without errors", above(1, 1-1e-8, 0, 0), Open},
		{"above by one instance", above(2, 1, nan, nan), Open},
		{"not above by 3 errors", notAbove(1.3, 1, 0.1, 0), Differs},
		{"not above by 1 error", notAbove(1.1, 1, 0.1, 0), Agrees},
		{"not above by one instance", notAbove(1, 2, nan, 0), Open},
		{"at least so much by 3 errors", beyond(1.3, 1, 0.1), Agrees},
		{"at least so much by 1 error", beyond(1.1, 1, 0.1), Open},
		{"less by 1 error", beyond(0.9, 1, 0.1), Open},
		{"less by 3 errors", beyond(0.7, 1, 0.1), Differs},
		{"just so much in one instance", beyond(1, 1, nan), Agrees},
		{"less in one instance", beyond(0.9, 1, nan), Differs},
		{"just so much in all", beyond(1, 1, 0), Agrees},
		{"at least so much, without a mean", beyond(nan, 1, nan), Open},
		{"equal within the tolerance", equal(1, 1.04, nan, nan, 0.05), Agrees},
		{"equal within the errors", equal(1, 1.1, 0.1, 0, 0.05), Agrees},
		{"apart", equal(1, 1.3, 0.1, 0, 0.05), Differs},
		{"holds", decided(true, 1), Agrees},
		{"does not hold", decided(false, 1), Differs},
		{"of a number that is not there", decided(true, 1, nan), Open},
		{"all", all(Agrees, Agrees), Agrees},
		{"one open", all(Agrees, Open), Open},
		{"one differs", all(Open, Differs), Differs},
		{"none", all(), Open},
		{"what is known", provided(Agrees, true, true), Agrees},
		{"what is known in part", provided(Agrees, true, false), Open},
		{"against a claim", provided(Differs, false), Differs},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
		}
	}
}

// Claims of a figure take the place of its old ones and stand in the order of the figures; the rows of the data.
func TestFiles(t *testing.T) {
	out := t.TempDir()
	write := func(name string, claims ...string) {
		r := &results{figure: &Figure{Name: name}, options: Options{Out: out}}
		for _, c := range claims {
			r.claim(c, "paper", Open, "%d %%", 7)
		}
		if err := r.writeClaims(); err != nil {
			t.Fatal(err)
		}
	}
	write("crosstalk", "x")
	write("2a", "old", "older")
	write("1", "first")
	write("2a", "new")
	claims, err := readClaims(out)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, c := range claims {
		order = append(order, c.Figure+" "+c.Claim+" "+c.Ours)
	}
	if got := strings.Join(order, ", "); got != "1 first 7 %, 2a new 7 %, crosstalk x 7 %" {
		t.Error(got)
	}
	if err := os.WriteFile(filepath.Join(out, claimsName), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := readClaims(out); err == nil || !strings.HasPrefix(err.Error(), filepath.Join(out, claimsName)+": ") {
		t.Errorf("a damaged file: %v", err)
	}

	r := &results{figure: &Figure{Name: "3a"}, options: Options{Out: out}, instances: made([3]float64{0.5, 0.2, 0.1}, [3]float64{0.3, 0.4, 0.1})}
	r.add(r.curve("rapid, test", "rapid", "hamming test"), exactly("theory", []float64{1}, []float64{2}))
	if err := r.writeCSV(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(out, "3a.csv"))
	if err != nil {
		t.Fatal(err)
	}
	want := `series,x,mean,sd,n
"rapid, test",0,0.4,0.14142135623730953,2
"rapid, test",2,0.30000000000000004,0.14142135623730953,2
"rapid, test",4,0.1,0,2
theory,1,2,,1
`
	if string(b) != want {
		t.Errorf("%s\nwant\n%s", b, want)
	}
}

// Exponents are read off the upper half: a constant cost in front does not bend them.
func TestSlope(t *testing.T) {
	var x, y []float64
	for k := range 8 {
		n := math.Exp2(float64(k))
		x, y = append(x, n), append(y, 3*n*n+0.1)
	}
	if s := slope(exactly("", x, y)); math.Abs(s-2) > 0.01 {
		t.Errorf("the slope of x^2 is %v", s)
	}
}

// Chains that do not sample a machine, which their <q^2> beside tempering's shows, decide nothing of its samples.
func TestChainsInAGlassDecideNothing(t *testing.T) {
	verdicts := func(glassChains float64, drop bool) string {
		r := &results{figure: &Figure{Name: "ultrametricity"}, options: Options{Out: t.TempDir()}, n: 2}
		for name, p := range map[string][4]float64{ // <q^2> and gap of tempering, and of chains
			"glass": {0.5, 0.3, glassChains, 0.9}, "cd-10": {0.1, 0.6, 0.1, 0.7}, "rapid": {0.1, 0.8, 0.1, 0.8},
		} {
			for seed := range 2 {
				i := &instance{arm: &arm{name: name}, seed: uint64(seed)}
				for k, of := range []string{"replicas", "replicas", "chains", "chains", "data", "data"} {
					x := []float64{0.05, 0.7}[k%2]
					if of != "data" {
						x = p[k]
					}
					x += 1e-3 * float64(seed)
					if drop && name == "rapid" && seed == 0 && of == "replicas" && k%2 == 1 { // one configuration has no triangles
						continue
					}
					i.Points = append(i.Points, Point{[]string{"q2 of ", "ultrametricity of "}[k%2] + of, 0, x}, Point{"P(q) of " + of, 0, 1})
				}
				r.instances = append(r.instances, i)
			}
		}
		if err := finishUltrametricity(r); err != nil {
			t.Fatal(err)
		}
		var v []string
		for _, c := range r.claims {
			v = append(v, string(c.Verdict))
		}
		return strings.Join(v, " ")
	}
	if got := verdicts(0.5, false); got != "agrees agrees agrees differs differs differs" {
		t.Error(got)
	}
	if got := verdicts(0.02, false); got != "agrees agrees agrees open open open" {
		t.Error(got)
	}
	if got := verdicts(0.5, true); got != "agrees agrees open differs differs differs" {
		t.Error(got)
	}
}

// Settings of arms that are not trained: the last of a name counts.
func TestSettings(t *testing.T) {
	if from, to, per := gridOf("1e-3..100/4"); from != 1e-3 || to != 100 || per != 4 {
		t.Error(from, to, per)
	}
	if s := setting([]string{"a=1", "b=2", "a=3"}, "a"); s != "3" {
		t.Error(s)
	}
}

func ExampleFind() {
	figures, err := Find("3")
	for _, f := range figures {
		fmt.Println(f.Name, f.Title)
	}
	fmt.Println(err)
	// Output:
	// 3a Reconstruction of the training set of 4x4 Bars
	// 3b Reconstruction of the test set of 4x4 Bars
	// <nil>
}
