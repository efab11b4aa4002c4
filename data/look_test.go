package data

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// What a file shows is found: what separates values, names, labels, white and a rule; and the options found read it.
func TestLookAt(t *testing.T) {
	half := 0.5
	for _, c := range []struct {
		name, text string
		o          Options // that is found
		form, kind string
		spins      string // of the first row
	}{
		{"bits.csv", "1,0\n0,1\n", Options{}, "text with commas between values", "0/1", "+-"},
		{"names.csv", "a,b\n1,0\n0,1\n", Options{Header: true}, "text with commas between values, a line of names", "0/1", "+-"},
		{"numbers.csv", "0,1,2\n1,0,1\n0,1,1\n", Options{Header: true}, "text with commas between values, a line of names", "0/1", "+-+"},
		{"words.csv", "1,0,cat\n0,1,dog\n", Options{Labels: "3"}, "text with commas between values, labels in column 3", "0/1", "+-"},
		{"named.csv", "kind,a,b\ncat,1,0\ndog,0,1\n", Options{Labels: "kind", Header: true}, "text with commas between values, a line of names, labels in column kind", "0/1", "+-"},
		{"digits.csv", "1,0,1,7\n0,1,1,3\n", Options{Labels: "4"}, "text with commas between values, labels in column 4", "0/1", "+-+"},
		{"kaggle.csv", "label,p,q,r\n1,0,255,80\n0,13,250,12\n1,1,2,3\n0,4,5,6\n", Options{Labels: "label", Header: true, White: 255, Binarize: Binarize{Threshold: &half}},
			"text with commas between values, a line of names, labels in column label", "greys 0..255", "-+-"},
		{"semicolons.csv", "1;0\n0;1\n", Options{Delimiter: ";"}, `text with ";" between values`, "0/1", "+-"},
		{"signs.txt", "+-\n-+\n", Options{}, "text, a character a value", "-1/1", "+-"},
		{"apart.txt", "+ - +\n- + +\n", Options{}, "text, a character a value", "-1/1", "+-+"},
		{"commas.txt", "+,?\n-,+\n", Options{Missing: Allow}, "text, a character a value", "-1/1", "+."},
		{"remarks.txt", "1 0 1 # good, I think\n0 1 1\n", Options{}, "text with blanks between values", "0/1", "+-+"},
		{"remarks.csv", "1,0,1 # good, I think\n0,1,1\n", Options{}, "text with commas between values", "0/1", "+-+"},
		{"remarked.txt", "+-+ # good\n-++\n", Options{}, "text, a character a value", "-1/1", "+-+"},
		{"sharps.csv", "1,0,C #\n0,1,F #\n", Options{Labels: "3"}, "text with commas between values, labels in column 3", "0/1", "+-"},
		{"blanks.txt", " 1  -1\n -1  1\n", Options{}, "text with blanks between values", "-1/1", "+-"},
		{"tabs.tsv", "1\t0\n0\t1\n", Options{}, "text with tabs between values", "0/1", "+-"},
		{"truth.csv", "x,y\nTrue,False\nFalse,False\n", Options{Header: true}, "text with commas between values, a line of names", "true/false", "+-"},
		{"black.csv", "255,0\n0,255\n", Options{White: 255}, "text with commas between values", "0/255", "+-"},
		{"halves.txt", "0.5 -0.5\n-0.5 -0.5\n", Options{White: 0.5}, "text with blanks between values", "-0.5/0.5", "+-"},
		{"grey.csv", "0.9,0.1\n0.2,0.4\n", Options{Binarize: Binarize{Threshold: &half}}, "text with commas between values", "greys 0..1", "+-"},
		{"gaps.csv", "1,?\n,0\n", Options{Missing: Allow}, "text with commas between values", "0/1", "+."},
		{"x.npy", string(npyFile([]uint8{0, 255, 7, 9, 100, 200}, 3, 2)), Options{}, "npy, U8 [3 2]", "", "-+"},
		{"x.npz", string(npzFile(t, "x_train", npyFile([]bool{true, false}, 1, 2), "x_test", npyFile([]bool{true, true}, 1, 2), "y_train", npyFile([]int8{1}, 1))), Options{},
			"npz, array x_train (BOOL [1 2]), array x_test (BOOL [1 2]) and 1 more", "true/false", "+-"},
	} {
		dir := folder(t, map[string][]byte{c.name: []byte(c.text), c.name + ".gz": gzipped([]byte(c.text))})
		for _, name := range []string{c.name, c.name + ".gz"} {
			path := filepath.Join(dir, name)
			l, err := LookAt("", path, Options{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if c.name == "x.npy" { // too few values to be greys: classes
				if l.Reading.Kind != "classes" || l.Problem() == nil {
					t.Errorf("%s: %+v", name, l.Reading)
				}
				continue
			}
			want := c.o
			want.Path, want.piped = path, l.Options.piped
			if !reflect.DeepEqual(l.Options, want) || l.Form != c.form || l.Reading.Kind != c.kind {
				t.Errorf("%s: %q, %s, options %+v\nwant %q, %s, %+v", name, l.Form, l.Reading.Kind, l.Options, c.form, c.kind, want)
			}
			if err := l.Problem(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			o := l.Options
			o.Missing = Allow
			source, _ := Named(l.Kind)
			split, err := source.Load(o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if got := signs(split.Train.Row(0)); strings.Trim(got, "\x00") != strings.Trim(c.spins, ".") || strings.HasSuffix(c.spins, ".") != (split.Train.Row(0)[1] == 0) {
				t.Errorf("%s: the first row is %s, want %s", name, got, c.spins)
			}
		}
	}
	// What is given is kept.
	dir := folder(t, map[string][]byte{"x.csv": []byte("0.2,0.9,3\n0.5,0.1,4\n")})
	cut := 0.8
	l, err := LookAt("csv", filepath.Join(dir, "x.csv"), Options{Labels: "3", Binarize: Binarize{Threshold: &cut}})
	if err != nil || *l.Options.Binarize.Threshold != 0.8 || l.Options.Labels != "3" {
		t.Errorf("%+v, %v", l, err)
	}
}

// What is no data of spins is said with what to do, and what a table has that is no value by its column.
func TestLookAtWhatIsNoData(t *testing.T) {
	for text, want := range map[string]string{
		"3.2 -1.7\n0.1 4\n":               "line 1, column 1: the value 3.2 is neither of two (0/1 or -1/+1), and there are values from -1.7 to 4: measurements and no spins: cut each column",
		"0,1,2\n2,0,1\n1,2,2\n":           "and there are values from 0 to 2: if they are greys, set data.white to that of white, such as 2, and data.binarize; if they are classes",
		"0,inf\n1,0\n":                    "line 1, column 2: the value +Inf is not finite",
		"0,-1\n1,0\n":                     "line 1, column 2: the value -1 in data that hold both 0 and -1",
		"0,1\r1,0\r":                      "its lines end in CR alone",
		"0 1\r1 0\r1 1":                   "its lines end in CR alone",
		"nan,?\n,NA\n":                    "there is no value that is not missing",
		"cat,dog,1\nant,bee,0\n":          `columns 1 and 2 hold words ("cat", "dog"): one at most can be labels`,
		"1,0\n0,1\n1,l\n":                 `column 2: "l" is no number, as most of that column are; put one in its place, or set data.labels to 2`,
		",a,b\n0,1,0\n1,0,1\n2,1,1\n":     "column 1 counts the rows, which is no value of them: leave it out",
		"0,1,0\n1,0,1\n2,1,1\n3,0,0\n":    "column 1 counts the rows",
		"1,0\n0\n":                        "line 2: 1 columns, where line 1 has 2",
		"0.1,0.2\n0.3,0.4\n0.7,7\n1,-5\n": "the value 0.1 is neither of two (0/1 or -1/+1), and there are values from -5 to 7",
	} {
		dir := folder(t, map[string][]byte{"x.csv": []byte(text)})
		l, err := LookAt("", filepath.Join(dir, "x.csv"), Options{})
		if err == nil {
			err = l.Problem()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), filepath.Join(dir, "x.csv")+": ") {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

// Labels that differ in every row may be numbers of the rows, and are said to be so unless they were asked for.
func TestLookAtNumbersOfRows(t *testing.T) {
	for text, want := range map[string]string{
		"id,a,b\n7,1,0\n9,0,1\n4,1,1\n": "column id has another value in every row: it is taken as labels, but may number the rows",
		"x7,1,0\nx9,0,1\nx4,1,1\n":      "column 1 has another value in every row",
		"id,a,b\n7,1,0\n9,0,1\n7,1,1\n": "",
	} {
		path := filepath.Join(folder(t, map[string][]byte{"x.csv": []byte(text)}), "x.csv")
		l, err := LookAt("", path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(l.Notes, "; "); !strings.HasPrefix(notes, want) || want == "" && notes != "" {
			t.Errorf("%q: notes %q, want %q", text, notes, want)
		}
		l, err = LookAt("", path, Options{Labels: "1", Header: l.Options.Header})
		if err != nil || len(l.Notes) > 0 {
			t.Errorf("%q, labels named: %v, %v", text, l.Notes, err)
		}
	}
}

func TestTally(t *testing.T) {
	var y Tally
	for i := range 20_000 {
		y.meet(float64(i) / 3)
	}
	y.meet(nan())
	if !y.Many || y.Values != 20_000 || y.Missing != 1 || y.Whole || y.Least != 0 || y.Reading().Kind != "continuous" {
		t.Errorf("%+v, %+v", y.Values, y.Reading())
	}
	if got := y.String(); got != "from 0 to 6666, more than 4352 different" { // 4096 beside the whole numbers up to 255
		t.Errorf("%s", got)
	}
	var z Tally
	for _, x := range []float64{1, 0, 1, -1} {
		z.meet(x)
	}
	if got := z.String(); got != "-1 x 1, 0 x 1, 1 x 2" {
		t.Errorf("%s", got)
	}
}

// The survey of rows that can be counted by hand.
func TestSurvey(t *testing.T) {
	s := &Split{
		Train: &Set{Rows: 5, Visible: 3, Spins: []int8{1, 1, -1, 1, 1, -1, -1, 1, 1, 1, 1, 0, -1, 1, -1}},
		Test:  &Set{Rows: 1, Visible: 3, Spins: []int8{1, -1, 1}},
	}
	v := s.Survey()
	if v.Missing != 1 || v.Gappy != 1 || v.Duplicates != 1 || v.Complements != 0 || !reflect.DeepEqual(v.Constant, []int{2}) {
		t.Errorf("%+v", v)
	}
	// Means with one row of each more: 4/7, 6/7, 2/6.
	if got, want := v.Independent["test"], 3.6041; got < want-1e-4 || got > want+1e-4 { // -ln(4/7 * 1/7 * 2/6)
		t.Errorf("independent spins: %v, want %v", got, want)
	}
	s = &Split{Train: &Set{Rows: 2, Visible: 2, Spins: []int8{1, -1, -1, 1}}}
	if v = s.Survey(); v.Complements != 2 {
		t.Errorf("%+v", v)
	}
}

// FuzzLook looks at texts as mattis data show does: no panic, and what is found to be spins is read as such by what was found.
func FuzzLook(f *testing.F) {
	for _, c := range texts {
		f.Add(c.text)
	}
	f.Add("label,p,q\n1,0,255\n0,13,250\n")
	f.Add(",a,b\n0,1,0\n1,0,1\n2,1,1\n")
	f.Add("FAlse,True\n2,")
	f.Add("-2")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := lookAt("csv", "x", Options{piped: map[string][]byte{"x": []byte(text + "\n")}})
		if err != nil {
			return
		}
		if err := l.Problem(); err != nil {
			return
		}
		o := l.Options
		o.Missing = Allow
		split, err := CSV(o)
		if err != nil {
			t.Fatalf("%q looks like %s by %+v, and: %v", text, l.Reading.Kind, l.Options, err)
		}
		if v := split.Survey(); v.Missing > len(split.Train.Spins) || v.Duplicates >= split.Train.Rows {
			t.Fatalf("%q: %+v", text, v)
		}
	})
}
