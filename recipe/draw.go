package recipe

import (
	"fmt"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/negative"
	"mattis/tensorfile"
)

// ofDraw is the measure that looks at what the estimator returned for the last update. No
// checkpoint has that and no other draw is equal to it, so it is kept in a file beside the
// checkpoint until the measure is taken.
const ofDraw = "method_accessibility"

func owesDraw(owed []Wanted) bool {
	return slices.ContainsFunc(owed, func(w Wanted) bool { return w.Measure == ofDraw })
}

// drawnNames are the tensors of the draw's layers.
var drawnNames = [...]string{bm.Visible: "drawn.visible", bm.Hidden: "drawn.hidden"}

// keepDraw writes the last draw to its file if a measure of the present step will look at it.
func (s *Session) keepDraw() error {
	drawn := s.now.Drawn.State
	if s.now.Step != s.Trainer.Step || !owesDraw(s.owed) || drawn.Rows() == 0 || s.Trainer.Estimator().Kind() == negative.Conditional {
		return nil
	}
	f := &tensorfile.File{}
	for l, name := range drawnNames {
		if m := drawn.Layer(l); !m.IsNone() {
			f.Tensors = append(f.Tensors, tensor(s.Machine.Engine(), bm.Param{Name: name, Value: m}))
		}
	}
	s.drawKept = true
	return s.Dir.SaveDraw(s.now.Step, f)
}

// dropDraw removes the file once no measure is owed.
func (s *Session) dropDraw() error {
	if !s.drawKept {
		return nil
	}
	s.drawKept = false
	return s.Dir.DropDraw()
}

// restoreDraw reads the draw back if a measure is owed that looks at it. Without a good file that
// measure has no value; all else goes on.
func (s *Session) restoreDraw() error {
	s.drawKept = true // by an earlier session, for this step or another
	if s.begun == 0 || !owesDraw(s.owed) {
		return s.dropDraw()
	}
	f, err := s.Dir.Draw(s.begun)
	if err == nil && f != nil {
		err = s.readDraw(f)
	}
	if err != nil {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%v: %s of update %d is lost", err, ofDraw, s.begun))
	}
	return nil
}

func (s *Session) readDraw(f *tensorfile.File) error {
	e, layers := s.Machine.Engine(), s.Machine.Layers()
	var state bm.State
	for l, name := range drawnNames {
		t, ok := f.Tensor(name)
		if !ok && l > bm.Visible {
			continue // a draw of visible spins alone
		}
		if !ok || t.Type() != tensorfile.I8 || len(t.Shape) != 2 || t.Shape[1] != layers[l] || l > 0 && t.Shape[0] != state.Rows() {
			return fmt.Errorf("the draw that was kept for update %d is not one of the machine", s.begun)
		}
		m := e.Alloc(compute.Int8, t.Shape[0], t.Shape[1])
		compute.Write(e, m, t.Data.([]int8))
		state = append(state, m)
	}
	s.now.Drawn = bm.Batch{State: state}
	return nil
}
