package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// Verdict says what the data make of a claim.
type Verdict string

const (
	Agrees  Verdict = "agrees"
	Differs Verdict = "differs"
	Open    Verdict = "open" // the data do not decide
)

// Claim is one statement of the paper, or of theory, beside what was found.
type Claim struct {
	Figure  string  `json:"figure"`
	Claim   string  `json:"claim"`
	Paper   string  `json:"paper"` // what the paper says, with the criterion that decides
	Ours    string  `json:"ours"`
	Verdict Verdict `json:"verdict"`
}

// claim adds a claim to the figure's.
func (r *results) claim(claim, paper string, v Verdict, ours string, args ...any) {
	r.claims = append(r.claims, Claim{r.figure.Name, claim, paper, fmt.Sprintf(ours, args...), v})
}

// decided is the verdict of a criterion on numbers: open where one of them is not there.
func decided(holds bool, numbers ...float64) Verdict {
	for _, x := range numbers {
		if math.IsNaN(x) {
			return Open
		}
	}
	if holds {
		return Agrees
	}
	return Differs
}

// rounding is what two means have to differ by at least to be told apart: they come from float32
// products.
const rounding = 1e-6

// above is the verdict on "a is above b" for two means: it is decided where they are two standard
// errors apart.
func above(a, b, stderrA, stderrB float64) Verdict {
	apart := max(2*math.Hypot(stderrA, stderrB), rounding)
	switch {
	case a-b > apart:
		return Agrees
	case b-a > apart:
		return Differs
	}
	return Open
}

// equal is the verdict on "a and b are the same": within a tolerance or two standard errors.
func equal(a, b, stderrA, stderrB, tolerance float64) Verdict {
	if math.IsNaN(a) || math.IsNaN(b) {
		return Open
	}
	apart := 2 * math.Hypot(stderrA, stderrB)
	if math.Abs(a-b) <= tolerance || math.Abs(a-b) <= apart {
		return Agrees
	}
	return Differs
}

// notAbove is the verdict on "a is not above b" by two standard errors; open where these are not
// known.
func notAbove(a, b, stderrA, stderrB float64) Verdict {
	apart := 2 * math.Hypot(stderrA, stderrB)
	return decided(a-b <= max(apart, rounding), a, b, apart)
}

// beyond is the verdict on "the mean is at least so much" by two of its standard errors, or as it is
// where there is none: of one machine, or of several that all found the same.
func beyond(mean, least, stderr float64) Verdict {
	if math.IsNaN(stderr) || stderr == 0 {
		return decided(mean >= least, mean)
	}
	return above(mean, least, stderr, 0)
}

// all is the verdict on claims that have to hold together.
func all(v ...Verdict) Verdict {
	switch {
	case slices.Contains(v, Differs):
		return Differs
	case len(v) == 0 || slices.Contains(v, Open):
		return Open
	}
	return Agrees
}

// provided is v, but Open where it agrees and something that it rests on is not known.
func provided(v Verdict, known ...bool) Verdict {
	if v == Agrees && slices.Contains(known, false) {
		return Open
	}
	return v
}

const claimsName = "claims.json"

// readClaims returns the claims in a folder of figures.
func readClaims(out string) ([]Claim, error) {
	path := filepath.Join(out, claimsName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var claims []Claim
	if err := json.Unmarshal(b, &claims); err != nil {
		return nil, fmt.Errorf("%s: %w; remove it and make its figures again", path, err)
	}
	return claims, nil
}

// writeClaims puts the figure's claims in the place of its old ones.
func (r *results) writeClaims() error {
	claims, err := readClaims(r.options.Out)
	if err != nil {
		return err
	}
	claims = slices.DeleteFunc(claims, func(c Claim) bool { return c.Figure == r.figure.Name })
	claims = append(claims, r.claims...)
	place := func(name string) int {
		return slices.IndexFunc(Figures, func(f Figure) bool { return f.Name == name })
	}
	slices.SortStableFunc(claims, func(a, b Claim) int { return place(a.Figure) - place(b.Figure) })
	if claims == nil {
		claims = []Claim{}
	}
	return writeJSON(filepath.Join(r.options.Out, claimsName), claims)
}
