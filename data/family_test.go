package data

import (
	"math"
	"slices"
	"testing"

	"mattis/rng"
)

// negative returns the row with every spin turned over.
func negative(row []int8) []int8 {
	n := slices.Clone(row)
	for i := range n {
		n[i] = -n[i]
	}
	return n
}

// has reports whether a row of s equals spins.
func has(s *Set, spins []int8) bool {
	for i := range s.Rows {
		if slices.Equal(s.Row(i), spins) {
			return true
		}
	}
	return false
}

// signs writes a row as + and -.
func signs(row []int8) string {
	b := make([]byte, len(row))
	for i, s := range row {
		b[i] = map[int8]byte{-1: '-', 1: '+'}[s]
	}
	return string(b)
}

// Each family is checked against a search through all images of 4x4 pixels.
func TestFamiliesByExhaustion(t *testing.T) {
	for name, f := range map[string]Family{"bars": BarImages(4), "bas": BASImages(4)} {
		want := map[string]int{"bars": 14, "bas": 28}[name] // 2^4-2 and 2(2^4-2)
		if f.Size() != want {
			t.Errorf("%s: Size %d, want %d", name, f.Size(), want)
		}
		found := 0
		seen := make([]bool, want)
		spins, again := make([]int8, 16), make([]int8, 16)
		for state := range 1 << 16 {
			rows, cols := true, true
			for p := range spins {
				spins[p] = int8(state>>p&1)*2 - 1
				rows = rows && (p < 4 || spins[p] == spins[p-4])
				cols = cols && (p%4 == 0 || spins[p] == spins[p-1])
			}
			valid := rows != cols && (rows || name == "bas")
			i := f.Index(spins)
			if f.Contains(spins) != valid || (i >= 0) != valid {
				t.Fatalf("%s: Contains(%s) is %v", name, signs(spins), !valid)
			}
			if !valid {
				continue
			}
			found++
			if seen[i] {
				t.Fatalf("%s: index %d twice", name, i)
			}
			seen[i] = true
			if f.Image(again, i); !slices.Equal(again, spins) {
				t.Fatalf("%s: image %d is %s, want %s", name, i, signs(again), signs(spins))
			}
		}
		if found != want {
			t.Errorf("%s: %d images found", name, found)
		}
		for _, bad := range [][]int8{{}, {1, -1}, {0, 1, -1, 1, 0, 1, -1, 1, 0, 1, -1, 1, 0, 1, -1, 1}} {
			if f.Contains(bad) {
				t.Errorf("%s contains %v", name, bad)
			}
		}
	}
}

func TestBarsPaperSplit(t *testing.T) {
	s, err := Bars(Options{Key: 1})
	if err != nil {
		t.Fatal(err)
	}
	// the split of the authors' program
	want := map[*Set][]string{s.Train: {"+---", "++--", "+++-", "+-++", "++-+"}, s.Test: {"+-+-", "+--+"}}
	for set, rows := range want {
		if set.Rows != 2*len(rows) {
			t.Errorf("%s: %d rows, want %d", set.Name, set.Rows, 2*len(rows))
		}
		for _, row := range rows {
			spins := make([]int8, 16)
			for p := range spins {
				spins[p] = map[byte]int8{'+': 1, '-': -1}[row[p%4]]
			}
			if !has(set, spins) || !has(set, negative(spins)) {
				t.Errorf("%s lacks %s repeated, or its negative", set.Name, row)
			}
		}
	}
	if s.Family.Size() != 14 {
		t.Errorf("family of %d, want 14", s.Family.Size())
	}
	if first := signs(s.Train.Row(0)); first != "+---+---+---+---" {
		t.Errorf("the first image is %s", first)
	}
}

func TestBASSplit(t *testing.T) {
	closed, err := BAS(Options{Key: 7})
	if err != nil {
		t.Fatal(err)
	}
	// 2(2^12-2) = 8188 images, four fifths of them to train
	if closed.Train.Rows != 6550 || closed.Test.Rows != 1638 || closed.Family.Size() != 8188 {
		t.Errorf("%d + %d of %d, want 6550 + 1638 of 8188", closed.Train.Rows, closed.Test.Rows, closed.Family.Size())
	}
	if bad := strays(closed); bad != 0 {
		t.Errorf("%d test images have their negative in train", bad)
	}
	plain, err := BAS(Options{Key: 7, Split: "random"})
	if err != nil {
		t.Fatal(err)
	}
	if plain.Train.Rows != 6550 || plain.Test.Rows != 1638 {
		t.Errorf("plain: %d + %d", plain.Train.Rows, plain.Test.Rows)
	}
	// Of 1638 test images chosen without regard to negatives about 80 % have
	// theirs in train: 1310 with a standard deviation below 20.
	if bad := strays(plain); math.Abs(float64(bad)-1310) > 100 {
		t.Errorf("plain: %d test images have their negative in train, want about 1310", bad)
	}
	other, err := BAS(Options{Key: 8})
	if err != nil {
		t.Fatal(err)
	}
	if other.Test.Digest() == closed.Test.Digest() {
		t.Error("two keys gave one split")
	}
	again, _ := BAS(Options{Key: 7})
	if again.Test.Digest() != closed.Test.Digest() || again.Train.Digest() != closed.Train.Digest() {
		t.Error("one key gave two splits")
	}
	seen := make([]bool, 8188)
	for _, set := range []*Set{closed.Train, closed.Test} {
		for i := range set.Rows {
			n := closed.Family.Index(set.Row(i))
			if n < 0 || seen[n] {
				t.Fatalf("row %d of %s is image %d: none, or there twice", i, set.Name, n)
			}
			seen[n] = true
			if want := set.Labels[i] == 1; want != (n >= 4094) {
				t.Fatalf("image %d is labelled %d", n, set.Labels[i])
			}
		}
	}
}

// strays counts the test images whose negative is in train.
func strays(s *Split) int {
	train := make(map[int]bool)
	for i := range s.Train.Rows {
		train[s.Family.Index(s.Train.Row(i))] = true
	}
	n := 0
	for i := range s.Test.Rows {
		if train[s.Family.Index(negative(s.Test.Row(i)))] {
			n++
		}
	}
	return n
}

func TestMadeSizes(t *testing.T) {
	s, err := Bars(Options{Size: 6, Key: 3})
	if err != nil {
		t.Fatal(err)
	}
	if s.Train.Rows != 50 || s.Test.Rows != 12 || strays(s) != 0 { // 31 pairs, 6 of them nearest to 12.4 images
		t.Errorf("bars 6x6: %d + %d rows, %d strays", s.Train.Rows, s.Test.Rows, strays(s))
	}
	all, err := Bars(Options{Split: "all"})
	if err != nil {
		t.Fatal(err)
	}
	if all.Train.Rows != 14 || all.Test != nil {
		t.Errorf("all of bars: %d rows, test %v", all.Train.Rows, all.Test)
	}
	big, err := BAS(Options{Size: 16, Split: "all"})
	if err != nil || big.Train.Rows != 131068 {
		t.Errorf("bas 16x16: %v", err)
	}
	tiny, err := BAS(Options{Size: 2, Split: "random", Test: 0.5, Key: 1})
	if err != nil || tiny.Train.Rows != 2 || tiny.Test.Rows != 2 {
		t.Errorf("bas 2x2: %v", err)
	}
}

func TestRandomSplitOfRepeatedRows(t *testing.T) {
	s := &Set{Name: "x", Rows: 40, Visible: 3, Spins: make([]int8, 120), Labels: make([]int32, 40)}
	for i := range s.Rows {
		for j := range 3 {
			s.Row(i)[j] = int8(i>>j&1)*2 - 1
		}
		s.Labels[i] = int32(i)
	}
	train, test, err := s.Random(0.25, true, 5)
	if err != nil {
		t.Fatal(err)
	}
	if train.Rows != 30 || test.Rows != 10 { // 4 groups of 10
		t.Fatalf("%d + %d rows, want 30 + 10", train.Rows, test.Rows)
	}
	for i := range test.Rows {
		if has(train, test.Row(i)) || has(train, negative(test.Row(i))) {
			t.Fatalf("test row %d, or its negative, is in train", i)
		}
		if !slices.Equal(test.Row(i), s.Row(int(test.Labels[i]))) {
			t.Fatalf("test row %d has the label of another row", i)
		}
	}
}

func TestOrder(t *testing.T) {
	const n = 10
	var place [n]int
	order := make([]int32, n)
	for k := range 10000 {
		Order(order, rng.Key(2).Fold(uint64(k)))
		place[slices.Index(order, 0)]++
		sorted := slices.Clone(order)
		slices.Sort(sorted)
		for i, r := range sorted {
			if int(r) != i {
				t.Fatalf("%v is no order of the rows", order)
			}
		}
	}
	for p, c := range place { // a mean of 1000, and five standard deviations of 30
		if c < 850 || c > 1150 {
			t.Errorf("row 0 stands at place %d %d times of 10000", p, c)
		}
	}
	if n := Batches(10, 3); n != 4 {
		t.Errorf("%d batches of 10 rows by 3", n)
	}
	var rows []int32
	for i := range Batches(10, 3) {
		rows = append(rows, Batch(order, 3, i)...)
	}
	if !slices.Equal(rows, order) || len(Batch(order, 3, 3)) != 1 {
		t.Errorf("the batches of %v are %v", order, rows)
	}
}

func TestKnown(t *testing.T) {
	bars, _ := Bars(Options{})
	bas, _ := BAS(Options{Size: 3, Split: "all"})
	image := &Set{Rows: 1, Visible: 6, Height: 3, Width: 2, Spins: []int8{1, -1, 1, 1, -1, 1}}
	plain := &Set{Rows: 1, Visible: 5, Spins: []int8{1, -1, 1, 1, -1}}
	for _, c := range []struct {
		name string
		set  *Set
		row  int
		want string
	}{
		{"bars", bars.Train, 0, "++++............"},
		{"bas, bars", bas.Train, 0, "+++......"},
		{"bas, stripes", bas.Train, 6, "+..+..+.."},
		{"image", image, 0, "++...."},
		{"plain", plain, 0, "++..."},
	} {
		mask := make([]bool, c.set.Visible)
		mask[len(mask)-1] = true
		c.set.Known(c.row, mask)
		got := ""
		for _, k := range mask {
			got += map[bool]string{true: "+", false: "."}[k]
		}
		if got != c.want {
			t.Errorf("%s: known %s, want %s", c.name, got, c.want)
		}
	}
}

func TestDigest(t *testing.T) {
	base := func() *Set {
		return &Set{Name: "a", Rows: 2, Visible: 2, Spins: []int8{1, -1, 1, 1}, Labels: []int32{3, 4}}
	}
	seen := map[string]string{base().Digest(): "the set"}
	for name, change := range map[string]func(s *Set){
		"a spin":    func(s *Set) { s.Spins[3] = -1 },
		"a label":   func(s *Set) { s.Labels[1] = 5 },
		"no labels": func(s *Set) { s.Labels = nil },
		"the shape": func(s *Set) { s.Rows, s.Visible = 1, 4 },
		"an image":  func(s *Set) { s.Height, s.Width = 1, 2 },
	} {
		s := base()
		change(s)
		if other, ok := seen[s.Digest()]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[s.Digest()] = name
	}
	s := base()
	s.Name = "b"
	if _, ok := seen[s.Digest()]; !ok {
		t.Error("the name enters the digest")
	}
	if len(s.Digest()) != 64 {
		t.Errorf("%q is no SHA-256", s.Digest())
	}
}
