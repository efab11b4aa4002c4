package view

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Progress shows how far long work has come, its rate and the time it still
// takes: one line rewritten in place on a terminal, a plain line now and then elsewhere.
// One goroutine at a time may use it.
type Progress struct {
	w       io.Writer
	o       ProgressOptions
	started time.Time
	shown   time.Time // when the last line was written
	done    int
	worked  float64 // seconds of the work alone, 0 where it was not told
	open    bool    // a line without its end stands on the terminal
}

// ProgressOptions says what a Progress counts and where it is shown.
type ProgressOptions struct {
	Label string           // what is done: "train"
	Unit  string           // what is counted, in the plural: "epochs"; "" shows a share alone
	Total int              // the count at the end; 0 where it is not known
	Start int              // the count at the start, for work that is resumed
	TTY   bool             // the writer is a terminal
	Width int              // columns of the terminal; 0 means 80
	Every time.Duration    // between two plain lines; 0 means 10 s. A terminal's line is rewritten ten times a second
	Now   func() time.Time // nil means time.Now
}

// NewProgress returns a progress line that starts now and writes nothing yet.
func NewProgress(w io.Writer, o ProgressOptions) *Progress {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Width <= 0 {
		o.Width = 80
	}
	if o.TTY {
		o.Every = time.Second / 10
	} else if o.Every <= 0 {
		o.Every = 10 * time.Second
	}
	now := o.Now()
	return &Progress{w: w, o: o, started: now, shown: now, done: o.Start}
}

// Update tells that so many are done and writes the line if it is time to; the note ends the line
// ("NLL 2.31"): the first of them that a terminal has the width for.
func (p *Progress) Update(done int, notes ...string) {
	p.done = done
	if p.Due() {
		p.show(p.o.Now(), notes...)
	}
}

// Due reports whether it is time for a line.
func (p *Progress) Due() bool { return p.o.Now().Sub(p.shown) >= p.o.Every }

// Worked tells how many seconds the work alone has taken since the start: the rate is of these,
// without what comes between, and the time left is that on the clock.
func (p *Progress) Worked(seconds float64) { p.worked = seconds }

// Set sets how many are done and writes nothing.
func (p *Progress) Set(done int) { p.done = done }

// Finish writes the last line, with the time that the work took.
func (p *Progress) Finish(note string) {
	p.show(p.o.Now(), note)
	if p.open {
		fmt.Fprintln(p.w)
		p.open = false
	}
}

// Println writes a line of its own above the progress line.
func (p *Progress) Println(line string) {
	if p.open {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.open = false
	}
	fmt.Fprintln(p.w, line)
}

func (p *Progress) show(now time.Time, notes ...string) {
	notes = append(notes, "")
	line := p.line(now, notes[0], forms[0])
	if p.o.TTY { // a line that wraps cannot be rewritten
		line = p.fit(now, notes, p.o.Width-1)
	}
	p.shown = now
	if !p.o.TTY {
		fmt.Fprintln(p.w, line)
		return
	}
	fmt.Fprint(p.w, "\r", line, "\x1b[K")
	p.open = true
}

// form says what a line is made of beside the label, the percentage and the time left.
type form struct{ counts, unit, rate bool }

// forms are the forms of a line from the longest to the shortest.
var forms = []form{{true, true, true}, {true, false, true}, {true, false, false}, {}}

// fit returns the longest line of at most so many columns with the first note that has room beside
// the percentage. No note is cut: half a number misleads.
func (p *Progress) fit(now time.Time, notes []string, columns int) string {
	for _, n := range notes {
		for _, f := range forms {
			if line := p.line(now, n, f); utf8.RuneCountInString(line) <= columns {
				return line
			}
		}
	}
	return string([]rune(p.line(now, "", form{}))[:max(columns, 0)])
}

func (p *Progress) line(now time.Time, note string, f form) string {
	passed := now.Sub(p.started).Seconds()
	var words []string
	if p.o.Label != "" {
		words = append(words, p.o.Label)
	}
	if p.o.Unit == "" {
		f = form{}
	}
	unit := ""
	if f.unit {
		unit = " " + p.o.Unit
	}
	switch {
	case p.o.Total <= 0:
		words = append(words, fmt.Sprintf("%d%s", p.done, unit))
	case f.counts:
		words = append(words, fmt.Sprintf("%d/%d%s", p.done, p.o.Total, unit))
	}
	if p.o.Total > 0 {
		words = append(words, fmt.Sprintf("%d%%", int(100*float64(p.done)/float64(p.o.Total))))
	}
	rate := 0.0
	if n := p.done - p.o.Start; n > 0 && passed > 0 {
		rate = float64(n) / passed
		if f.rate {
			of := passed
			if p.worked > 0 {
				of = p.worked
			}
			words = append(words, perTime(float64(n)/of, unit))
		}
	}
	switch left := p.o.Total - p.done; {
	case p.o.Total > 0 && left <= 0:
		words = append(words, "in "+clock(passed))
	case p.o.Total > 0 && rate > 0:
		words = append(words, "ETA "+clock(float64(left)/rate))
	}
	if note != "" {
		words = append(words, note)
	}
	return strings.Join(words, "  ")
}

// perTime returns the rate in units, the word with a space in front or empty, a second, a minute or
// an hour, whichever is above 1.
func perTime(rate float64, unit string) string {
	per := "s"
	if rate < 1 {
		rate, per = rate*60, "min"
	}
	if rate < 1 {
		rate, per = rate*60, "h"
	}
	switch {
	case rate >= 1e6:
		return fmt.Sprintf("%.3gM%s/%s", rate/1e6, unit, per)
	case rate >= 1e4:
		return fmt.Sprintf("%.3gk%s/%s", rate/1e3, unit, per)
	case rate >= 100:
		return fmt.Sprintf("%.0f%s/%s", rate, unit, per)
	}
	return fmt.Sprintf("%.3g%s/%s", rate, unit, per)
}

// clock returns seconds as 0:07, 12:30, 1:02:03 or 3d 04:00.
func clock(seconds float64) string {
	if seconds > 1e9 {
		return "years"
	}
	s := int(math.Round(seconds))
	switch {
	case s < 3600:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%dd %02d:%02d", s/86400, s/3600%24, s/60%60)
}
