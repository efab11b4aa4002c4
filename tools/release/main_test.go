package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
)

// Help is no failure, and nothing is made before it is said from what and where to.
func TestArguments(t *testing.T) {
	for _, c := range []struct {
		args        []string
		text, fault string // of what is printed and of the error
	}{
		{[]string{"--help"}, "compiles the program for six systems", "help requested"},
		{[]string{"-h"}, "-only", "help requested"},
		{nil, "release -source ROOT -out FOLDER", "-source and -out are missing: nothing is made"},
		{[]string{"-source", "."}, "", "-out is missing"},
		{[]string{"-out", "x"}, "", "-source is missing"},
		{[]string{"-source", ".", "-out", "x", "all"}, "", `unexpected argument "all"`},
		{[]string{"-source", ".", "-out", "x", "-only", "linux"}, "", `-only linux: "linux" is none of`},
	} {
		var log bytes.Buffer
		err := run(t.Context(), c.args, &log)
		if err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(log.String(), c.text) {
			t.Errorf("%q: %v, want %s; printed\n%s", c.args, err, c.fault, &log)
		}
		if help := c.text != "" && c.args != nil; errors.Is(err, flag.ErrHelp) != help {
			t.Errorf("%q: help is %v", c.args, help)
		}
	}
}
