package data

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image/gif"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Each wrong input is refused by a line that names file, field or value, and
// place.
func TestWrongInputs(t *testing.T) {
	huge := pngFile(grey([]uint8{0, 255}))
	binary.BigEndian.PutUint32(huge[16:], 1<<20) // the width in IHDR, 8 bytes of signature and 8 of chunk head before it
	binary.BigEndian.PutUint32(huge[20:], 1<<10)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	var moving bytes.Buffer
	if err := gif.Encode(&moving, grey([]uint8{0, 255}), nil); err != nil {
		t.Fatal(err)
	}
	good := idxFile([]byte{0, 1, 1, 0}, 2, 1, 2)
	bars := pngFile(grey([]uint8{0, 255}))
	files := map[string][]byte{
		"good":             good,
		"empty":            nil,
		"magic":            append([]byte{0, 0, 0x0d, 3}, good[4:]...),
		"rank":             idxFile([]byte{1, 2}, 2),
		"header":           good[:9],
		"truncated":        good[:len(good)-1],
		"trailing":         append(slices.Clone(good), 7),
		"nothing":          idxFile(nil, 0, 28, 28),
		"overflow":         idxFile(nil, 1<<31-1, 1<<31-1, 1<<31-1),
		"claim.gz":         gzipped(idxFile([]byte{1}, 1000, 28, 28)),
		"trailing.gz":      gzipped(append(slices.Clone(good), 7)),
		"cut.gz":           gzipped(good)[:20],
		"crc.gz":           func() []byte { z := gzipped(good); z[len(z)-6] ^= 1; return z }(),
		"garbage.gz":       append(gzipped(good), "more"...),
		"labels3":          idxFile([]byte{1, 2, 3}, 3),
		"grey":             idxFile([]byte{0, 7, 255, 0}, 2, 1, 2),
		"wide":             idxFile([]byte{0, 1, 1}, 1, 1, 3),
		"same":             idxFile([]byte{0, 1, 0, 1}, 2, 2),
		"grey.npy":         npyFile([]float32{0, 1, 0.5, 1}, 2, 2),
		"mixed.npy":        npyFile([]int8{-1, 1, 0, 1}, 2, 2),
		"big.npy":          npyFile([]float32{0, 1, 130, 1}, 2, 2),
		"signs.npy":        npyFile([]int8{-1, 1, -1, 1}, 2, 2),
		"nan.npy":          npyFile([]float64{0, 1, nan(), 1}, 2, 2),
		"flat.npy":         npyFile([]int8{-1, 1}, 2),
		"none.npy":         npyFile([]int8{}, 0, 4),
		"cut.npy":          npyFile([]int8{-1, 1, -1, 1}, 2, 2)[:130],
		"part.npy":         npyFile([]float64{0.5, 1}, 2),
		"bad.csv":          []byte("1,0\n0,x\n"),
		"class.csv":        []byte("1,low\n0,high\n"),
		"semi.csv":         []byte("1;0\n0;1\n"),
		"names.csv":        []byte("a,b\n0,1\n"),
		"short.csv":        []byte("1,0\n\n0\n"),
		"long.csv":         []byte("1,0\n0,1,1\n"),
		"quote.csv":        []byte("1,0\n0,\"1\n"),
		"grey.csv":         []byte("h,k\n0,1\n1,0.5\n"),
		"gap.csv":          []byte("1,0\n,1\n"),
		"classes.csv":      []byte("0,1,a\n2,0,b\n3,5,c\n"),
		"scaled.csv":       []byte("0.5,0.1\n-1.25,1.5\n"),
		"classes.npy":      npyFile([]int16{0, 1, 2, 7}, 2, 2),
		"utf16le.csv":      append([]byte{0xff, 0xfe}, "1\x00,\x000\x00\n\x00"...),
		"utf16be.csv":      append([]byte{0xfe, 0xff}, "\x001\x00,\x000\x00\n"...),
		"utf16.csv":        []byte("1\x00,\x000\x00\n\x00"),
		"blank.csv":        []byte("\n \n"),
		"label.csv":        []byte("1,0\n1,\n"),
		"inf.csv":          []byte("1,0\n1,inf\n"),
		"one.csv":          []byte("1\n0\n"),
		"sizes/a.png":      bars,
		"sizes/b.png":      pngFile(grey([]uint8{0}, []uint8{255})),
		"huge/a.png":       huge,
		"both/a.png":       bars,
		"both/x/b.png":     bars,
		"cutpng/a.png":     bars[:len(bars)-20],
		"trailpng/a.png":   append(slices.Clone(bars), 1, 2),
		"text/a.png":       []byte("hello"),
		"gif/a.png":        moving.Bytes(),
		"greyimg/a.png":    pngFile(grey([]uint8{0, 128})),
		"noimages/a.txt":   []byte("hello"),
		"kind.xyz":         []byte("hello"),
		"small/mask.png":   bars,
		"array.npy":        npyFile([]bool{true, false, true}, 3),
		"signs3.npy":       npyFile([]int8{-1, 1, -1, 1, 1, 1}, 2, 3),
		"partlabels.npy":   npyFile([]float64{1, 1.5}, 2),
		"two.npz":          nil,
		"lonely/train.png": nil,
	}
	delete(files, "two.npz")
	delete(files, "lonely/train.png")
	dir := folder(t, files)
	in := func(name string) string { return filepath.Join(dir, name) }
	type source = func(Options) (*Split, error)
	one := func(name string) Options { return Options{Path: in(name)} }
	read := func(o Options) (*Split, error) { s, err := Read(o.Path, o); return &Split{Train: s}, err }
	with := func(o Options, change func(o *Options)) Options { change(&o); return o }
	for _, c := range []struct {
		name string
		from source
		o    Options
		want []string
	}{
		{"bars, size 1", Bars, Options{Size: 1}, []string{"data.size: 1", "2 to 16"}},
		{"bas, size 17", BAS, Options{Size: 17}, []string{"data.size: 17", "2 to 16"}},
		{"bars 5x5, paper's split", Bars, Options{Size: 5, Split: "paper"}, []string{"data.split", "size 4, not 5"}},
		{"bars, unknown split", Bars, Options{Split: "half"}, []string{`data.split: "half"`, "paper, random, all"}},
		{"bars, a path", Bars, Options{Path: "x"}, []string{"data.path has no meaning for bars"}},
		{"bars, test 1.5", Bars, Options{Split: "random", Test: 1.5}, []string{"data.test: 1.5", "(0,1)"}},
		{"bars 2x2, closed", Bars, Options{Size: 2}, []string{"bars 2x2", "leaves one side empty"}},

		{"csv, UTF-16 with a mark", CSV, one("utf16le.csv"), []string{in("utf16le.csv"), "the text is in UTF-16: save it as UTF-8"}},
		{"csv, UTF-16, big end first", CSV, one("utf16be.csv"), []string{"the text is in UTF-16: save it as UTF-8"}},
		{"csv, UTF-16 without a mark", CSV, one("utf16.csv"), []string{"the text is in UTF-16: save it as UTF-8"}},
		{"csv, classes", CSV, with(one("classes.csv"), func(o *Options) { o.Labels = "3" }), []string{
			"line 2, column 1: the value 2 is neither of two (0/1 or -1/+1), and there are values from 0 to 5: ",
			"if they are greys, set data.white to that of white, such as 5, and data.binarize; if they are classes",
		}},
		{"csv, scaled", CSV, one("scaled.csv"), []string{"line 1, column 1: the value 0.5 is neither of two (0/1 or -1/+1), and there are values from -1.25 to 1.5: measurements and no spins: cut each column"}},
		{"npy, classes", NPY, one("classes.npy"), []string{"row 2, value 1: the value 2 is neither of two (0/1 or -1/+1), and there are values from 2 to 7: if they are greys, set data.white"}},
		{"read csv, width before values", read, with(one("classes.csv"), func(o *Options) { o.Widths, o.Labels = []int{4, 5}, "3" }), []string{in("classes.csv"), "rows of 2 values, where [4 5] are wanted"}},
		{"read npy, width before values", read, with(one("grey.npy"), func(o *Options) { o.Widths = []int{3} }), []string{in("grey.npy"), "rows of 2 values, where [3] are wanted"}},
		{"read npy, shape before values", read, with(one("grey.npy"), func(o *Options) { o.Height, o.Width = 2, 2 }), []string{in("grey.npy"), "rows of 2 values are no images of data.height 2 x data.width 2"}},
		{"read image, shape before values", read, with(one("greyimg/a.png"), func(o *Options) { o.Height, o.Width = 2, 2 }), []string{"images of 1x2 pixels, where data.height and data.width say 2x2"}},
		{"read idx, shape before values", func(o Options) (*Split, error) { s, err := readAs("idx", o.Path, o); return &Split{Train: s}, err }, with(one("grey"), func(o *Options) { o.Height, o.Width = 2, 2 }), []string{in("grey") + ": images of 1x2 pixels"}},

		{"idx, no path", IDX, Options{}, []string{"data.path: no file to read idx from"}},
		{"idx, absent file", IDX, one("absent"), []string{in("absent"), "no such file"}},
		{"idx, a folder", IDX, one("sizes"), []string{in("sizes"), "is a folder, want a file"}},
		{"idx, empty", IDX, one("empty"), []string{in("empty"), "offset 0: the file ends, short of the 4"}},
		{"idx, float type", IDX, one("magic"), []string{in("magic"), "offset 0: magic number 00 00 0d 03", "00 00 08 02 or 00 00 08 03"}},
		{"idx, labels as images", IDX, one("rank"), []string{"magic number 00 00 08 01"}},
		{"idx, cut header", IDX, one("header"), []string{"offset 9: the file ends, short of the 16 of its header"}},
		{"idx, truncated", IDX, one("truncated"), []string{"offset 19: the file ends, short of the 20 that its shape [2 1 2]"}},
		{"idx, trailing byte", IDX, one("trailing"), []string{"offset 20: more bytes follow the 20"}},
		{"idx, no rows", IDX, one("nothing"), []string{"offset 4: dimension 1 is 0"}},
		{"idx, sizes overflow", IDX, one("overflow"), []string{"offset 8: dimension 2", "less than 2^31"}},
		{"idx.gz, claims more", IDX, one("claim.gz"), []string{"offset 17: the file ends, short of the 784016"}},
		{"idx.gz, trailing byte", IDX, one("trailing.gz"), []string{"offset 20: more bytes follow"}},
		{"idx.gz, truncated", IDX, one("cut.gz"), []string{in("cut.gz"), "the file ends"}},
		{"idx.gz, wrong CRC", IDX, one("crc.gz"), []string{"offset 20: gzip: invalid checksum"}},
		{"idx.gz, bytes after gzip", IDX, one("garbage.gz"), []string{"offset 20"}},
		{"idx, 3 labels of 2 rows", IDX, with(one("good"), func(o *Options) { o.Labels = in("labels3") }), []string{in("labels3"), "3 labels", in("good") + " has 2 rows"}},
		{"idx, greys without a rule", IDX, one("grey"), []string{"offset 17 (row 1, value 2): the value 7", "set data.binarize"}},
		{"idx, test of other shape", IDX, with(one("good"), func(o *Options) { o.TestPath = in("wide") }), []string{in("wide"), "1x3 pixels", in("good"), "1x2 pixels"}},
		{"idx, wrong height", IDX, with(one("good"), func(o *Options) { o.Height, o.Width = 2, 2 }), []string{in("good"), "1x2 pixels", "2x2"}},
		{"idx, files without a test file", IDX, with(one("good"), func(o *Options) { o.Split = "files" }), []string{"data.split: files needs", "data.test_path"}},
		{"idx, random with a test file", IDX, with(one("good"), func(o *Options) { o.Split, o.TestPath = "random", in("good") }), []string{"data.split: random, where there is a test file"}},
		{"idx, the paper's split", IDX, with(one("good"), func(o *Options) { o.Split = "paper" }), []string{`data.split: "paper" is none of files, random, all`}},
		{"idx, validation of all rows", IDX, with(one("good"), func(o *Options) { o.Validation = 2 }), []string{"data.validation: 2 rows cannot be taken from 2"}},
		{"idx, validation of copies", IDX, with(one("same"), func(o *Options) { o.Validation = 1 }), []string{"data.validation: 1 rows cannot be taken from 2 rows of training: equal ones stay together, and there are 1 different"}},
		{"idx, random of copies", IDX, with(one("same"), func(o *Options) { o.Split = "random" }), []string{"data.test: a fraction of 0.2 of 2 rows"}},
		{"idx, a share of nothing", IDX, with(one("good"), func(o *Options) { o.Test = 0.3 }), []string{"data.test: 0.3 has no meaning for data.split all", "take random"}},
		{"idx, a share of files", IDX, with(one("good"), func(o *Options) { o.Test, o.TestPath = 0.3, in("good") }), []string{"data.test: 0.3 has no meaning for data.split files"}},
		{"idx, closed without a split", IDX, with(one("good"), func(o *Options) { o.Closed = true }), []string{"data.closed: it has no meaning for data.split all without data.validation"}},
		{"bars, a share of the paper's split", Bars, Options{Test: 0.3}, []string{"data.test: 0.3 has no meaning for data.split paper"}},
		{"bars, a share of all", Bars, Options{Split: "all", Test: 0.3}, []string{"data.test: 0.3 has no meaning for data.split all"}},
		{"bas, closed where all are taken", BAS, Options{Split: "all", Closed: true}, []string{"data.closed: it has no meaning for data.split all"}},
		{"idx, negative limit", IDX, with(one("good"), func(o *Options) { o.Limit = -1 }), []string{"data.limit: -1"}},
		{"idx, a header", IDX, with(one("good"), func(o *Options) { o.Header = true }), []string{"data.header has no meaning for idx"}},
		{"threshold 1", IDX, with(one("good"), func(o *Options) { o.Binarize = threshold(1) }), []string{"data.binarize.threshold: 1 is not in [0,1)"}},
		{"threshold and stochastic", IDX, with(one("good"), func(o *Options) { o.Binarize = threshold(0); o.Binarize.Stochastic = true }), []string{"data.binarize", "set one"}},

		{"mnist, empty folder", MNIST, Options{Dir: in("noimages")}, []string{"data.dir: no mnist in " + in("noimages"), "train-images-idx3-ubyte"}},
		{"mnist, random split", MNIST, Options{Dir: in("noimages"), Split: "random"}, []string{`data.split: "random"`, "files"}},

		{"npy, greys without a rule", NPY, one("grey.npy"), []string{in("grey.npy"), "row 2, value 1: the value 0.5", "set data.binarize"}},
		{"npy, 0 and -1", NPY, one("mixed.npy"), []string{"row 2, value 1: the value 0 in data that hold both"}},
		{"npy, above 1", NPY, with(one("big.npy"), func(o *Options) { o.Binarize = threshold(0.3) }), []string{"row 2, value 1: the value 130", "data.white to 255"}},
		{"npy, spins with a rule", NPY, with(one("signs.npy"), func(o *Options) { o.Binarize = threshold(0.3) }), []string{"the value -1", "leave data.binarize out"}},
		{"npy, NaN", NPY, with(one("nan.npy"), func(o *Options) { o.Binarize = threshold(0.3) }), []string{"row 2, value 1: a missing entry (NaN): data.missing=allow takes rows with gaps"}},
		{"npy, one dimension", NPY, one("flat.npy"), []string{in("flat.npy"), "shape [2]", "[rows values]"}},
		{"npy, no rows", NPY, one("none.npy"), []string{in("none.npy"), "holds nothing"}},
		{"npy, truncated", NPY, one("cut.npy"), []string{in("cut.npy"), "truncated"}},
		{"npy, an idx file", NPY, one("good"), []string{in("good"), "no npy file: it begins with"}},
		{"npy, labels of wrong shape", NPY, with(one("signs.npy"), func(o *Options) { o.Labels = in("array.npy") }), []string{in("array.npy"), "shape [3]", "want [2]"}},
		{"npy, labels not integers", NPY, with(one("signs.npy"), func(o *Options) { o.Labels = in("partlabels.npy") }), []string{"label 2 is 1.5"}},
		{"npy, wrong width", NPY, with(one("signs.npy"), func(o *Options) { o.Height, o.Width = 2, 3 }), []string{"2 values", "data.height 2 x data.width 3"}},
		{"npy, height alone", NPY, with(one("signs.npy"), func(o *Options) { o.Height = 2 }), []string{"data.height 2, data.width 0"}},
		{"white -1", NPY, with(one("signs.npy"), func(o *Options) { o.White = -1 }), []string{"data.white: -1"}},

		{"csv, a word", CSV, one("bad.csv"), []string{in("bad.csv"), `line 2, column 2: "x" is no number`}},
		{"csv, names without header", CSV, one("names.csv"), []string{`line 1, column 1: "a" is no number; set data.header`}},
		{"csv, a short line", CSV, one("short.csv"), []string{"line 3: 1 columns, where line 1 has 2"}},
		{"csv, a long line", CSV, one("long.csv"), []string{"line 2: 3 columns, where line 1 has 2"}},
		{"csv, an open quote", CSV, one("quote.csv"), []string{in("quote.csv"), "line 2, byte", "quote"}},
		{"csv, greys without a rule", CSV, with(one("grey.csv"), func(o *Options) { o.Header = true }), []string{"line 3, column 2 (k): the value 0.5"}},
		{"csv, an empty field", CSV, one("gap.csv"), []string{`line 2, column 1: a missing entry (""): data.missing=allow takes rows with gaps`}},
		{"csv, blank lines alone", CSV, one("blank.csv"), []string{in("blank.csv"), "no rows"}},
		{"csv, no label", CSV, with(one("label.csv"), func(o *Options) { o.Labels = "2" }), []string{"line 2, column 2: no label"}},
		{"csv, label column 9", CSV, with(one("bad.csv"), func(o *Options) { o.Labels = "9" }), []string{"data.labels: no column 9", "1 to 2"}},
		{"csv, label column by absent name", CSV, with(one("names.csv"), func(o *Options) { o.Labels, o.Header = "kind", true }), []string{`data.labels: no column is called "kind"`}},
		{"csv, labels not named", CSV, one("class.csv"), []string{`"low" is no number; set data.labels to 2 if`}},
		{"csv, another delimiter", CSV, one("semi.csv"), []string{`"1;0" is no number; set data.delimiter to ";"`}},
		{"csv, label name without header", CSV, with(one("bad.csv"), func(o *Options) { o.Labels = "kind" }), []string{`data.labels: "kind"`, "data.header"}},
		{"csv, labels alone", CSV, with(one("one.csv"), func(o *Options) { o.Labels = "1" }), []string{"no column of values"}},
		{"csv, infinity", CSV, one("inf.csv"), []string{"line 2, column 2: the value +Inf is not finite"}},
		{"csv, delimiter of two characters", CSV, with(one("bad.csv"), func(o *Options) { o.Delimiter = "::" }), []string{`data.delimiter: "::"`}},

		{"images, two sizes", Images, one("sizes"), []string{in("sizes/b.png"), "2 pixels high, 1 wide, where 1 and 2", in("sizes/a.png")}},
		{"images, a claim of 2^30 pixels", Images, one("huge"), []string{in("huge/a.png"), "1024 pixels high, 1048576 wide", "1048576 pixels"}},
		{"images, here and in subfolders", Images, one("both"), []string{in("both"), "in subfolders"}},
		{"images, truncated", Images, one("cutpng"), []string{in("cutpng/a.png"), "damaged png image"}},
		{"images, trailing bytes", Images, one("trailpng"), []string{in("trailpng/a.png"), "2 bytes follow the end"}},
		{"images, a text", Images, one("text"), []string{in("text/a.png"), "no PNG or JPEG image"}},
		{"images, a GIF", Images, one("gif"), []string{in("gif/a.png"), "PNG or JPEG"}},
		{"images, greys without a rule", Images, one("greyimg"), []string{in("greyimg/a.png"), "pixel row 1, column 2: the value 0.50", "set data.binarize"}},
		{"images, none", Images, one("noimages"), []string{in("noimages"), "no .png"}},
		{"images, a file", Images, one("good"), []string{in("good"), "not a folder of images"}},

		{"read, unknown kind", reads(in("kind.xyz")), Options{}, []string{in("kind.xyz"), "no known kind of data: .npy, .npz, .csv"}},
		{"read, absent", reads(in("absent")), Options{}, []string{in("absent"), "no such file"}},
		{"read, image of other size", reads(in("sizes/b.png")), Options{Height: 1, Width: 2}, []string{in("sizes/b.png"), "2x1 pixels"}},

		{"known rows:0-1", masks("rows:0-1"), Options{}, []string{"rows:0-1", "numbered 1 to 4", "rows:1-2"}},
		{"known rows:3-2", masks("rows:3-2"), Options{}, []string{"rows:3-2"}},
		{"known spins:1-99", masks("spins:1-99"), Options{}, []string{"numbered 1 to 16"}},
		{"known, nonsense", masks("top"), Options{}, []string{`"top" names no known spins`}},
		{"known, image of other size", masks(in("small/mask.png")), Options{}, []string{in("small/mask.png"), "where 4 and 4 are wanted"}},
		{"known, array of other size", masks(in("array.npy")), Options{}, []string{in("array.npy"), "shape [3]", "[16] or [4 4]"}},
	} {
		_, err := c.from(c.o)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		t.Logf("%s | %s", c.name, strings.ReplaceAll(err.Error(), dir+"/", ""))
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s:\n got %v\nwant %s", c.name, err, part)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", c.name, err)
		}
	}
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}

func reads(path string) func(Options) (*Split, error) {
	return func(o Options) (*Split, error) {
		s, err := Read(path, o)
		return &Split{Train: s}, err
	}
}

func masks(text string) func(Options) (*Split, error) {
	return func(Options) (*Split, error) {
		_, err := ParseMask(text, 16, 4, 4)
		return nil, err
	}
}

// A header's claim alone must not take memory: 2^31 bytes here, from files of
// a few.
func TestClaimsTakeNoMemory(t *testing.T) {
	claim := idxFile([]byte{1, 2, 3}, 1<<20-1, 32, 64)
	for name, file := range map[string][]byte{"plain": claim, "gzipped": gzipped(claim)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := decodeIDX(bytes.NewReader(file), int64(len(file)), 3)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%s: %d bytes of file took %d bytes of memory", name, len(file), took)
		}
	}
}
