package data

import (
	"math"
)

// Survey is what there is to know about the rows of a split before a machine is trained on them.
type Survey struct {
	Missing     int                // entries of all sets
	Gappy       int                // rows that miss some
	Constant    []int              // spins, from 1, that are the same in all rows of the training set
	Duplicates  int                // rows of the training set that equal an earlier one
	Complements int                // rows of the training set whose negative is one of them
	Independent map[string]float64 // NLL, in nats a row, of the sets by their names under independent spins with the means of the training set
}

// Survey looks at all rows.
func (s *Split) Survey() Survey {
	v := Survey{Independent: map[string]float64{}}
	train := s.Train
	up, down := make([]float64, train.Visible), make([]float64, train.Visible)
	rows := make(map[string]int, train.Rows)
	key := make([]byte, train.Visible)
	for r := range train.Rows {
		for j, x := range train.Row(r) {
			key[j] = byte(x)
			switch x {
			case 1:
				up[j]++
			case -1:
				down[j]++
			}
		}
		if rows[string(key)] > 0 {
			v.Duplicates++
		}
		rows[string(key)]++
	}
	for r := range train.Rows {
		for j, x := range train.Row(r) {
			key[j] = byte(-x)
		}
		if rows[string(key)] > 0 {
			v.Complements++
		}
	}
	for j := range up {
		if up[j] == 0 || down[j] == 0 {
			v.Constant = append(v.Constant, j+1)
		}
	}
	for _, name := range Sets {
		set := s.Set(name)
		if set == nil || set.Visible != train.Visible {
			continue
		}
		nll := 0.0
		for r := range set.Rows {
			gaps := 0
			for j, x := range set.Row(r) {
				all := up[j] + down[j] + 2 // one row of each more, so that none is impossible
				switch x {
				case 1:
					nll -= math.Log((up[j] + 1) / all)
				case -1:
					nll -= math.Log((down[j] + 1) / all)
				default:
					gaps++
				}
			}
			v.Missing += gaps
			if gaps > 0 {
				v.Gappy++
			}
		}
		v.Independent[name] = nll / float64(set.Rows)
	}
	return v
}
