package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mattis/view"
)

// meter shows the progress of work that may take long. It leaves nothing on a
// terminal once the work is done, and writes nothing about work that is done soon.
type meter struct {
	*view.Progress
	w   io.Writer
	tty bool
}

func newMeter(cmd *cobra.Command, label, unit string, total int) *meter {
	w := cmd.ErrOrStderr()
	tty, width := terminal(w)
	return &meter{view.NewProgress(w, view.ProgressOptions{Label: label, Unit: unit, Total: total, TTY: tty, Width: width}), w, tty}
}

// count shows so much of the work done.
func (m *meter) count(done int) { m.Update(done, "") }

func (m *meter) clear() {
	if m.tty {
		fmt.Fprint(m.w, "\r\x1b[K")
	}
}
