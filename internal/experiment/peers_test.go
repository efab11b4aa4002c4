package experiment

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadPeers(t *testing.T) {
	path := filepath.Join(t.TempDir(), PeersFile)
	if list, err := readPeers(path); list != nil || err != nil {
		t.Errorf("without a file: %v, %v", list, err)
	}
	const head = "name,minutes,seed,seconds,nll\n"
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	put(head + "other,10,1,601,80\nother,1,1,61,100\nother,1,2,59,104\nthird,3,1,180,90.5\n")
	list, err := readPeers(path)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	if p := list[0]; p.name != "other" || fmt.Sprint(p.minutes, p.of[1].test, p.of[1].seconds, p.of[10].test) != "[1 10] [100 104] [61 59] [80]" {
		t.Errorf("%+v", p)
	}
	for text, want := range map[string]string{
		"":                                  "line 1: the columns are",
		"name,seconds,nll\n":                "line 1: the columns are",
		head + "other,1,1,60\n":             "wrong number of fields",
		head + "a,1,1,60,90\na,x,1,60,90":   `line 3: minutes is "x", want a whole number`,
		head + "a,1,1,0,90":                 `line 2: seconds is "0", want a number above 0`,
		head + "a,1,1,60,NaN":               `line 2: nll is "NaN"`,
		head + "a,1,1,60,90\na,1,1,61,91":   "line 3: a of 1 minutes has seed 1 twice",
		head + "K = 50,1,1,60,90":           `line 2: name is "K = 50", want that of another program`,
		head + ",1,1,60,90":                 `line 2: name is ""`,
		head + "a,1,1,60,90\n\"b\n,1,1,1,1": "quality-peers.csv",
	} {
		put(text)
		if _, err := readPeers(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), PeersFile) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
