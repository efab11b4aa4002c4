package experiment

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
)

// PeersFile is the name of the table of other programs' machines in the folder of the figures.
const PeersFile = "quality-peers.csv"

// peer are the machines of another program.
type peer struct {
	name    string
	minutes []int // rising
	of      map[int]*gained
}

var peersHead = []string{"name", "minutes", "seed", "seconds", "nll"}

// readPeers reads a table of other programs' machines, a line each: whose it is, the length that it
// was trained for, its seed, the seconds that the training took, and the NLL of the test set by the
// measure nll. No file is no machines.
func readPeers(path string) (list []*peer, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := csv.NewReader(f)
	line := 1
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%s, line %d: "+format, append([]any{path, line}, args...)...)
	}
	head, err := in.Read()
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !slices.Equal(head, peersHead) {
		return nil, wrong("the columns are %q, want %q", head, peersHead)
	}
	seen := map[string]bool{}
	for {
		row, err := in.Read()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ = in.FieldPos(0)
		minutes, err := strconv.Atoi(row[1])
		if err != nil || minutes < 1 {
			return nil, wrong("minutes is %q, want a whole number of 1 or more", row[1])
		}
		var x [2]float64
		for k := range x {
			if x[k], err = strconv.ParseFloat(row[3+k], 64); err != nil || !(x[k] > 0) || math.IsInf(x[k], 0) {
				return nil, wrong("%s is %q, want a number above 0", peersHead[3+k], row[3+k])
			}
		}
		name := row[0]
		if name == "" || slices.ContainsFunc(qualityMethods, func(m trainedFor) bool { return m.label == name }) {
			return nil, wrong("name is %q, want that of another program", name)
		}
		if key := fmt.Sprint(name, minutes, row[2]); seen[key] {
			return nil, wrong("%s of %d minutes has seed %s twice", name, minutes, row[2])
		} else {
			seen[key] = true
		}
		at := slices.IndexFunc(list, func(p *peer) bool { return p.name == name })
		if at < 0 {
			at = len(list)
			list = append(list, &peer{name: name, of: map[int]*gained{}})
		}
		p := list[at]
		g := p.of[minutes]
		if g == nil {
			g = &gained{minutes: minutes}
			p.of[minutes] = g
			p.minutes = append(p.minutes, minutes)
			slices.Sort(p.minutes)
		}
		g.seconds, g.test = append(g.seconds, x[0]), append(g.test, x[1])
	}
}
