package service

import (
	"encoding/json"
	"net/http"

	"mattis/bm"
	"mattis/recipe"
)

// about is what /v1/runs/{run} says of a machine.
type about struct {
	Name       string      `json:"name"`
	Step       int         `json:"step"`
	Epoch      int         `json:"epoch"`
	Digest     string      `json:"sha256"` // of the checkpoint's file
	Visible    int         `json:"visible"`
	Pixels     int         `json:"pixels"` // visible spins that are no label spins
	Height     int         `json:"height"` // of images, 0 for plain rows
	Width      int         `json:"width"`
	Labels     []string    `json:"labels"`
	Layers     []layer     `json:"layers"`
	Pairs      [][2]string `json:"pairs"`
	Couplings  string      `json:"couplings"`
	Patterns   int         `json:"patterns"` // 0 of dense couplings
	Data       string      `json:"data"`     // name of the data that it was trained on
	Operations []string    `json:"operations"`
	Limits     limits      `json:"limits"`

	text []byte
}

type layer struct {
	Name string `json:"name"`
	Size int    `json:"size"`
	Kind string `json:"kind"`
}

type limits struct {
	Body  int64 `json:"body"` // bytes
	Rows  int   `json:"rows"`
	Steps int   `json:"steps"`
}

// aboutOf describes a machine.
func (s *Service) aboutOf(name string, m *recipe.Model) (about, error) {
	g := m.Machine.Graph()
	a := about{Name: name, Step: m.Step, Epoch: m.Epoch, Digest: m.Checkpoint.Digest, Visible: m.Visible(), Pixels: m.Pixels(),
		Height: m.Height, Width: m.Width, Labels: append([]string{}, m.LabelNames...), Couplings: m.Recipe.Couplings.Kind,
		Data: m.Recipe.Data.Name, Limits: limits{s.MaxBody, s.MaxRows, s.MaxSteps}, Pairs: [][2]string{}}
	if m.Axons != nil {
		a.Patterns = m.Axons.K()
	}
	for _, l := range g.Layers {
		kind := "spins"
		if l.Kind == bm.Gaussian {
			kind = "gaussian"
		}
		a.Layers = append(a.Layers, layer{l.Name, l.N, kind})
	}
	for _, p := range g.Pairs {
		a.Pairs = append(a.Pairs, [2]string{g.Layers[p.A].Name, g.Layers[p.B].Name})
	}
	for _, op := range operations {
		a.Operations = append(a.Operations, op.name)
	}
	var err error
	a.text, err = json.Marshal(a)
	return a, err
}

// list answers with all runs.
func (s *Service) list(w http.ResponseWriter) {
	runs := make([]json.RawMessage, len(s.runs))
	for i, r := range s.runs {
		runs[i] = r.now.Load().about.text
	}
	b, err := json.Marshal(map[string]any{"runs": runs})
	if err != nil {
		panic("service: " + err.Error()) // they were marshalled already
	}
	sendJSON(w, b)
}
