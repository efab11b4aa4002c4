package eval_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/data"
	"mattis/eval"
)

// Frozen on one pattern, all samples are that image or its negative: of the
// 14 Bars both are seen but with probability 2^-399. A uniform pattern is no image.
func TestSamplesOfOnePattern(t *testing.T) {
	e := engine(t)
	for _, c := range []struct {
		row          string
		valid, cover float64
	}{{"++-+", 1, 2. / 14}, {"++++", 0, 0}} {
		r, _ := onePattern(e, spins(c.row+c.row+c.row+c.row), 30, 1)
		s := eval.Subject{Machine: r, Split: bars(t), Key: 4}
		valid, cover := measure(t, "valid_share", s, eval.Defaults()), measure(t, "coverage", s, eval.Defaults())
		if valid.Value != c.valid || !eval.IsUnknown(valid.Stderr) || valid.N != 400 {
			t.Errorf("%s: %+v", c.row, valid)
		}
		near(t, c.row+" coverage", cover.Value, c.cover, 1e-15)
		if cover.Detail["images"] != 14 || cover.Detail["valid"] != int(400*c.valid) {
			t.Errorf("%s: %+v", c.row, cover)
		}
	}
}

// Fair coins on 2x2 pixels: 2 of 16 states are Bars, 4 of them bars or stripes.
// The share is right within 5 standard errors (probability of failure 6e-7 each), and all
// images are seen. One sample sees one image at most.
func TestSamplesOfCoins(t *testing.T) {
	e := engine(t)
	r := bm.New(e, bm.NewDense(e, bm.Restricted(4, 3, false)), false, false)
	for _, c := range []struct {
		name   string
		source func(data.Options) (*data.Split, error)
		share  float64
	}{{"bars", data.Bars, 2. / 16}, {"bas", data.BAS, 4. / 16}} {
		split, err := c.source(data.Options{Size: 2, Split: "all"})
		if err != nil {
			t.Fatal(err)
		}
		s := eval.Subject{Machine: r, Split: split, Key: 5}
		const n = 20000
		o := options(func(o *eval.Options) { o.Samples.Chains, o.Samples.Sweeps = n, 1 })
		sd := math.Sqrt(c.share * (1 - c.share) / n)
		got := measure(t, "valid_share", s, o)
		near(t, c.name, got.Value, c.share, 5*sd)
		near(t, c.name+" stderr", got.Stderr, sd, 0.1*sd)
		if got := measure(t, "coverage", s, o); got.Value != 1 {
			t.Errorf("%s: %+v", c.name, got)
		}
		size := float64(split.Family.Size())
		for k := range 40 {
			s.Key = 100 + s.Key
			got := measure(t, "coverage", s, options(func(o *eval.Options) { o.Samples.Chains, o.Samples.Sweeps = 1, 1 }))
			near(t, c.name+" uniform", got.Detail["uniform"].(float64), 1/size, 1e-12)
			if got.Value != 0 && got.Value != 1/size {
				t.Errorf("%d: one sample covers %v", k, got.Value)
			}
		}
	}
}

// Chains from data stay on the side of the set's only image; those from random spins do not.
func TestSamplesFromData(t *testing.T) {
	xi := spins("++-+++-+++-+++-+")
	r, _ := onePattern(engine(t), xi, 30, 1)
	split := bars(t)
	split.Train = rowsOf(xi)
	s := eval.Subject{Machine: r, Split: split, SetName: "train", Key: 4, Memo: &eval.Memo{}}
	near(t, "from random", measure(t, "coverage", s, eval.Defaults()).Value, 2./14, 1e-15)
	o := options(func(o *eval.Options) { o.Samples.From = "data" })
	got := measure(t, "coverage", s, o)
	near(t, "from data", got.Value, 1./14, 1e-15)
	if got.Detail["from"] != "train" {
		t.Errorf("%+v", got)
	}
	// 400 chains stand for all of 800 rows, the first 400 of which are alike.
	rows := make([][]int8, 800)
	for i := range rows {
		rows[i] = xi
		if i >= 400 {
			rows[i] = spins("--+---+---+---+-")
		}
	}
	whole := s
	whole.Split, whole.SetName, whole.Memo = &data.Split{Train: rowsOf(rows...), Family: split.Family}, "", nil
	near(t, "from both halves of the data", measure(t, "coverage", whole, o).Value, 2./14, 1e-15)

	// The memo holds the random start no more, and another set is another start.
	s.SetName = "test"
	near(t, "from test data", measure(t, "coverage", s, o).Value, 2./14, 1e-15)
}
