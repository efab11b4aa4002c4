package run

// History holds the values of a run's metrics without their details: what curves are drawn of.
type History []Series

// Series are the values of one measure on one set, in the order of their lines.
type Series struct {
	Name, Split string
	Points      []Point
}

// Point is one value.
type Point struct {
	Step, Epoch   int
	Value, Stderr float64
}

// Add appends the value of a line.
func (h *History) Add(m Metric) {
	p := Point{m.Step, m.Epoch, m.Value, m.Stderr}
	for i := range *h {
		if s := &(*h)[i]; s.Name == m.Name && s.Split == m.Split {
			s.Points = append(s.Points, p)
			return
		}
	}
	*h = append(*h, Series{m.Name, m.Split, []Point{p}})
}
