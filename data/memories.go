package data

import "fmt"

// MostSpins and MostMemories bound the rows of memories and their number.
const MostSpins, MostMemories = 1 << 16, 1 << 16

// defaultSpins and defaultMemories are what memories is where nothing is said: as many rows as
// Hebb's rule still holds.
const defaultSpins, defaultMemories = 100, 14

// Memories returns Options.Count random rows of Options.Size spins (0 means 14 and 100), each spin
// a fair coin by the key. They are made, not read, and there is no test set: what a machine has
// not seen it cannot remember.
func Memories(o Options) (*Split, error) {
	n, err := o.made("memories", defaultSpins)
	if err != nil {
		return nil, err
	}
	count := o.Count
	if count == 0 {
		count = defaultMemories
	}
	if count < 1 || count > MostMemories {
		return nil, fmt.Errorf("data.count: %d is out of range for memories: 1 to %d", count, MostMemories)
	}
	if n*count > MostSpins<<8 {
		return nil, fmt.Errorf("data.count: %d rows of %d spins are more than the %d that are made at most", count, n, MostSpins<<8)
	}
	s := &Set{Name: o.rename(fmt.Sprintf("%d memories of %d spins", count, n)), Rows: count, Visible: n, Spins: make([]int8, count*n)}
	key := o.Key.Fold(streamMemories)
	for i := range s.Spins {
		s.Spins[i] = -1
		if key.Uniform(uint64(i/n), uint64(i%n)) >= 0.5 {
			s.Spins[i] = 1
		}
	}
	return &Split{Train: s}, nil
}
