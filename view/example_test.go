package view_test

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"time"

	"mattis/view"
)

// pictures is the folder that the examples draw to.
var pictures = "testdata"

// learning returns a curve that falls from high to low with the given time constant.
func learning(name string, high, low, constant float64) view.Series {
	s := view.Series{Name: name}
	for e := 0.0; e <= 300; e += 5 {
		fall := math.Exp(-e / constant)
		s.X = append(s.X, e)
		s.Mean = append(s.Mean, low+(high-low)*fall)
		s.Deviation = append(s.Deviation, 0.01+0.3*fall*(1-fall))
	}
	return s
}

func ExampleCurves() {
	err := view.Curves(filepath.Join(pictures, "curves.png"), view.Chart{
		Title: "4x4 Bars, test set",
		X:     view.Axis{Label: "epoch"},
		Y:     view.Axis{Label: "Hamming distance"},
	}, []view.Series{
		learning("pid", 0.48, 0.02, 12),
		learning("cd-10", 0.5, 0.10, 90),
		learning("pcd-10", 0.5, 0.06, 60),
		learning("exact", 0.5, 0.03, 40),
	})
	fmt.Println(err)
	// Output: <nil>
}

// A logarithmic axis, a band that reaches 0, a gap, and two curves of one method.
func ExampleCurves_logarithmic() {
	train, test := learning("pid-gibbs, train", 3000, 85, 20), learning("pid-gibbs, test", 3100, 88, 21)
	for i := range train.X {
		train.Deviation[i] *= train.Mean[i] * 8
		test.Deviation[i] *= test.Mean[i]
	}
	test.Mean[20] = math.NaN()
	err := view.Curves(filepath.Join(pictures, "logarithmic.png"), view.Chart{
		Title: "MNIST at threshold 0.3",
		X:     view.Axis{Label: "epoch", Log: true},
		Y:     view.Axis{Label: "NLL (nats)", Log: true},
	}, []view.Series{train, test})
	fmt.Println(err)
	// Output: <nil>
}

// A scalable picture, its axis cut by hand.
func ExampleCurves_svg() {
	err := view.Curves(filepath.Join(pictures, "curves.svg"), view.Chart{
		Title: "late training",
		X:     view.Axis{Label: "epoch", Min: 100, Max: 300},
		Y:     view.Axis{Label: "Hamming distance"},
	}, []view.Series{learning("train", 0.5, 0.05, 60), learning("test", 0.5, 0.1, 90)})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleSpectra() {
	values := func(large, small float64, rank int) view.Spectrum {
		s := view.Spectrum{}
		for i := range 16 {
			v := large * math.Exp(-0.1*float64(i))
			if i >= 4 {
				v = small * math.Exp(-0.15*float64(i))
			}
			if i >= rank {
				v = large * 1e-8 // rounding
			}
			s.Values = append(s.Values, v)
			s.Deviation = append(s.Deviation, v/6)
		}
		return s
	}
	pid, cd, exact := values(170, 60, 8), values(40, 0.9, 16), values(30, 0.3, 16)
	pid.Name, cd.Name, exact.Name = "pid", "cd-10", "exact"
	err := view.Spectra(filepath.Join(pictures, "spectra.png"), "couplings after 300 epochs of 4x4 Bars", []view.Spectrum{pid, cd, exact})
	fmt.Println(err)
	// Output: <nil>
}

// bar returns a 4x4 image whose rows have the lowest four bits of n.
func bar(n int) []int8 {
	x := make([]int8, 16)
	for i := range x {
		x[i] = int8(n>>(i%4)&1)*2 - 1
	}
	return x
}

func ExampleTiles() {
	var images [][]int8
	var borders []color.Color
	for n := 1; n < 15; n++ {
		images = append(images, bar(n))
		switch n {
		case 5, 10, 6, 9:
			borders = append(borders, view.BorderTest)
		case 1:
			borders = append(borders, nil)
		default:
			borders = append(borders, view.BorderTrain)
		}
	}
	err := view.Tiles(filepath.Join(pictures, "bars.png"), images, view.Sheet{Height: 4, Width: 4, Columns: 7, Borders: borders})
	fmt.Println(err)
	// Output: <nil>
}

// Continuous patterns: grey between -1 and +1.
func ExampleTiles_continuous() {
	images := make([][]float64, 6)
	for k := range images {
		images[k] = make([]float64, 28*28)
		for i := range images[k] {
			y, x := float64(i/28)-13.5, float64(i%28)-13.5
			images[k][i] = math.Cos(math.Hypot(x, y)/float64(k+2)) * math.Exp(-(x*x+y*y)/200)
		}
	}
	err := view.Tiles(filepath.Join(pictures, "patterns.png"), images, view.Sheet{Height: 28, Width: 28})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleReconstructions() {
	var given, original [][]int8
	var result [][]float32
	for _, n := range []int{5, 10, 6, 9} {
		known := make([]int8, 16)
		copy(known, bar(n)[:4])
		mean := make([]float32, 16)
		for i, s := range bar(n) {
			mean[i] = float32(s) * (1 - float32(i)/20)
		}
		given, result, original = append(given, known), append(result, mean), append(original, bar(n))
	}
	err := view.Reconstructions(filepath.Join(pictures, "reconstructions.png"), given, result, original, view.Sheet{Height: 4, Width: 4})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleText() {
	given := make([]int8, 16)
	copy(given, bar(6)[:4])
	if err := view.Text(os.Stdout, [][]int8{bar(6), bar(5), given, bar(1)}, 4, 4, 24); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ┌────┐ ┌────┐ ┌────┐
	// │ ██ │ │█ █ │ │ ▀▀ │
	// │ ██ │ │█ █ │ │░░░░│
	// └────┘ └────┘ └────┘
	// ┌────┐
	// │█   │
	// │█   │
	// └────┘
}

func ExampleTable() {
	t := view.Table{
		Header: []string{"measure", "split", "value", "stderr"},
		Rows: [][]string{
			{"hamming", "test", "0.031", "0.004"},
			{"nll_exact", "train", "12.5 nats", ""},
		},
	}
	if err := t.Write(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// measure    split      value  stderr
	// hamming    test       0.031   0.004
	// nll_exact  train  12.5 nats
}

func ExampleProgress() {
	now := time.Unix(0, 0)
	p := view.NewProgress(os.Stdout, view.ProgressOptions{Label: "train", Unit: "epochs", Total: 300, Now: func() time.Time { return now }})
	for e := 1; e <= 300; e++ {
		now = now.Add(100 * time.Millisecond)
		p.Update(e, "hamming 0.05")
	}
	p.Finish("")
	// Output:
	// train  100/300 epochs  33%  10 epochs/s  ETA 0:20  hamming 0.05
	// train  200/300 epochs  66%  10 epochs/s  ETA 0:10  hamming 0.05
	// train  300/300 epochs  100%  10 epochs/s  in 0:30  hamming 0.05
	// train  300/300 epochs  100%  10 epochs/s  in 0:30
}
