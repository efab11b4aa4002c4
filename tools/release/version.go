package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// version is what a release is called.
type version struct {
	program  string // what mattis version says, and names of files: 0.1.0, or 0.1.0-dev-a1b2c3d4e5f6
	python   string // the same as PEP 440 has it: 0.1.0, or 0.1.0.dev0+ga1b2c3d4e5f6
	revision string // the whole name of the commit, with +changes where files differ from it
	time     time.Time
}

// project is what python/pyproject.toml says: the one place where the version stands.
type project struct {
	Name           string              `toml:"name"`
	Version        string              `toml:"version"`
	Description    string              `toml:"description"`
	RequiresPython string              `toml:"requires-python"`
	Dependencies   []string            `toml:"dependencies"`
	Optional       map[string][]string `toml:"optional-dependencies"`
}

// readProject reads it, and refuses it where the package calls itself otherwise.
func readProject(source string) (project, error) {
	path := filepath.Join(source, "python", "pyproject.toml")
	var file struct{ Project project }
	if _, err := toml.DecodeFile(path, &file); err != nil {
		return project{}, fmt.Errorf("%s: %w", path, err)
	}
	p := file.Project
	if !plain.MatchString(p.Version) {
		return project{}, fmt.Errorf("%s: version %q, want one such as 0.1.0", path, p.Version)
	}
	init := filepath.Join(source, "python", "mattis", "__init__.py")
	text, err := os.ReadFile(init)
	if err != nil {
		return project{}, err
	}
	if want := fmt.Sprintf("__version__ = %q", p.Version); !bytes.Contains(text, []byte(want)) {
		return project{}, fmt.Errorf("%s: want %s, as pyproject.toml has it", init, want)
	}
	return p, nil
}

var plain = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)

// versionOf returns what a release of the source is called: the version that is named, else that of
// the tag on the commit, else one that names the commit.
func versionOf(ctx context.Context, source, named string, p project) (version, error) {
	v := version{time: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)} // the earliest of zip
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", source}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	// A folder inside another repository has none of its own.
	top, err := git("rev-parse", "--show-toplevel")
	if real, realErr := filepath.EvalSymlinks(source); err == nil && realErr == nil && top == real {
		if err := v.ofCommit(git); err != nil {
			return version{}, err
		}
	}
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		v.time = time.Unix(seconds, 0).UTC()
	}
	tag := strings.TrimPrefix(v.program, "v")
	switch {
	case named != "" && named != p.Version:
		return version{}, fmt.Errorf("-version %s: python/pyproject.toml has %s", named, p.Version)
	case named == "" && v.revision == "":
		return version{}, errors.New("no git repository tells what this is: name it with -version " + p.Version)
	case named == "" && tag != "" && tag != p.Version:
		return version{}, fmt.Errorf("the commit is tagged v%s, but python/pyproject.toml has %s", tag, p.Version)
	case named != "" || tag != "" && !strings.HasSuffix(v.revision, changes):
		v.program, v.python = p.Version, p.Version
	default:
		short := v.revision[:12]
		v.program, v.python = p.Version+"-dev-"+short, p.Version+".dev0+g"+short
		if strings.HasSuffix(v.revision, changes) {
			v.program, v.python = v.program+changes, v.python+".changes"
		}
	}
	return v, nil
}

const changes = "+changes"

// ofCommit takes revision, time and tag (as program) of the commit.
func (v *version) ofCommit(git func(args ...string) (string, error)) error {
	var err error
	if v.revision, err = git("rev-parse", "HEAD"); err != nil {
		return fmt.Errorf("git rev-parse HEAD: %w", err)
	}
	seconds, err := git("log", "-1", "--format=%ct")
	if err != nil {
		return fmt.Errorf("git log: %w", err)
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("git log: %w", err)
	}
	v.time = time.Unix(n, 0).UTC()
	if differ, err := git("status", "--porcelain"); err != nil {
		return fmt.Errorf("git status: %w", err)
	} else if differ != "" {
		v.revision += changes
	}
	v.program, _ = git("describe", "--tags", "--exact-match", "--match", "v[0-9]*") // no tag is no fault
	return nil
}
