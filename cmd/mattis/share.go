package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"mattis/internal/share"
)

// shareFlags say which share of many trainings a process makes.
type shareFlags struct {
	text   string
	part   share.Part
	shared bool
}

func (s *shareFlags) add(cmd *cobra.Command, what string) {
	f := cmd.Flags()
	f.StringVar(&s.text, "part", "",
		"make the part `i/n` of the "+what+", i from 1 to n, and no more; index/n in an array of jobs")
	f.BoolVar(&s.shared, "shared", false, "make each of the "+what+" that no other process makes, and no more")
}

// read reads --part and looks at both.
func (s *shareFlags) read(out string) error {
	if s.text != "" && s.shared {
		return usageError{errors.New("--part and --shared are two ways to divide the work, take one")}
	}
	var err error
	if s.text != "" {
		if s.part, err = share.Parse(s.text, os.Getenv); err != nil {
			return usageError{fmt.Errorf("--part %s: %w", s.text, err)}
		}
	}
	if out == "" {
		return usageError{errors.New("--out is empty, want a folder")}
	}
	if info, err := os.Stat(out); err == nil && !info.IsDir() {
		return fmt.Errorf("--out %s is a file, want a folder", out)
	}
	return nil
}

// workers returns how many trainings run side by side where so many threads are asked for, and the
// arm of their engines.
func workers(threads int) (n int, arm string, err error) {
	engine, arm, err := newEngine(1)
	if err != nil {
		return 0, "", err
	}
	engine.Close()
	switch {
	case threads < 0 || threads > 1024:
		return 0, "", usageError{fmt.Errorf("--threads %d is out of range, want 1 to 1024, or 0 for one a core", threads)}
	case threads == 0:
		threads = runtime.GOMAXPROCS(0)
	}
	return threads, arm, nil
}

// note says how many of what were made, and what comes when all are: a command and what it does.
func (s *shareFlags) note(what string, made, elsewhere int, draw string) string {
	if made-elsewhere == 1 {
		what = strings.TrimSuffix(what, "s")
	}
	text := fmt.Sprintf("%d %s made", made-elsewhere, what)
	if s.text != "" {
		text = fmt.Sprintf("part %s: %s", s.part, text)
	}
	if elsewhere > 0 {
		text += fmt.Sprintf(", %d are made by other processes", elsewhere)
	}
	return text + "; when all are, " + draw
}
