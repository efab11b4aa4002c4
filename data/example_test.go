package data_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"mattis/data"
	"mattis/rng"
)

// The paper's split of 4x4 Bars, and an image as text.
func ExampleBars() {
	bars, err := data.Bars(data.Options{Size: 4, Split: "paper"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bars.Train.Rows, "to train,", bars.Test.Rows, "to test, of", bars.Family.Size())
	for y := range bars.Train.Height {
		fmt.Println(bars.Train.Row(0)[y*bars.Train.Width:][:bars.Train.Width])
	}
	// Output:
	// 10 to train, 4 to test, of 14
	// [1 -1 -1 -1]
	// [1 -1 -1 -1]
	// [1 -1 -1 -1]
	// [1 -1 -1 -1]
}

// An image and its negative are on one side of the default split.
func ExampleBAS() {
	bas, err := data.BAS(data.Options{Size: 12, Key: rng.Key(1)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bas.Train.Rows, "to train,", bas.Test.Rows, "to test, of", bas.Family.Size())
	// Output: 6550 to train, 1638 to test, of 8188
}

func ExampleCSV() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "grey.csv")
	if err := os.WriteFile(path, []byte("kind,a,b\ncat,0.9,0.2\ndog,0.4,0.1\n"), 0o666); err != nil {
		log.Fatal(err)
	}
	rule := 0.3
	s, err := data.CSV(data.Options{Path: path, Header: true, Labels: "kind", Binarize: data.Binarize{Threshold: &rule}})
	if err != nil {
		log.Fatal(err)
	}
	for i := range s.Train.Rows {
		fmt.Println(s.Train.Classes[s.Train.Labels[i]], s.Train.Row(i))
	}
	// Output:
	// cat [1 -1]
	// dog [1 -1]
}

// One epoch of batches.
func ExampleOrder() {
	order := make([]int32, 10)
	data.Order(order, rng.Key(1).Fold(0))
	for i := range data.Batches(len(order), 4) {
		fmt.Println(len(data.Batch(order, 4, i)), "rows")
	}
	// Output:
	// 4 rows
	// 4 rows
	// 2 rows
}

func ExampleParseMask() {
	known, err := data.ParseMask("rows:1-2", 6, 3, 2)
	if err != nil {
		log.Fatal(err)
	}
	start := make([]int8, 6)
	data.Corrupt(start, []int8{1, -1, 1, 1, -1, -1}, known)
	fmt.Println(start)
	// Output: [1 -1 1 1 0 0]
}
