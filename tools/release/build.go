package main

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// build returns the program of a system, after it has been built twice and has had the same bytes.
func (r *release) build(ctx context.Context, s system) ([]byte, error) {
	start := time.Now()
	program, err := r.compile(ctx, s, r.source)
	if err != nil {
		return nil, err
	}
	if err := r.check(s, program); err != nil {
		return nil, err
	}
	note := "built once"
	if !r.once {
		if err := r.again(ctx, s, program); err != nil {
			return nil, err
		}
		note = "built twice, equal bytes"
	}
	fmt.Fprintf(r.log, "%s: %d bytes, %s (%.0f s)\n", s, len(program), note, time.Since(start).Seconds())
	return program, nil
}

// again builds the program from another path with an empty cache.
func (r *release) again(ctx context.Context, s system, program []byte) error {
	other := filepath.Join(r.scratch, "elsewhere")
	if err := os.Symlink(r.source, other); err != nil && !os.IsExist(err) {
		return err
	}
	cache := filepath.Join(r.scratch, "cache")
	defer os.RemoveAll(cache)
	second, err := r.compile(ctx, s, other, "GOCACHE="+cache)
	if err != nil {
		return err
	}
	if !bytes.Equal(program, second) {
		kept := filepath.Join(r.out, "differs-"+s.os+"-"+s.arch)
		if err := os.WriteFile(kept, second, 0o777); err != nil {
			return err
		}
		return fmt.Errorf("%s: the second build has other bytes than the first; it is kept as %s", s, kept)
	}
	return nil
}

// compile builds the program in a folder. Nothing of the caller's settings reaches the compiler.
func (r *release) compile(ctx context.Context, s system, folder string, env ...string) ([]byte, error) {
	file := filepath.Join(r.scratch, s.program())
	defer os.Remove(file)
	link := "-s -w -X main.released=" + r.version.program + " -X main.releasedRevision=" + r.version.revision
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", link, "-o", file, "./cmd/mattis")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PWD="+folder, "CGO_ENABLED=0", "GOOS="+s.os, "GOARCH="+s.arch,
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GODEBUG=", "GOFIPS140=off")
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build for %s: %w\n%s", s, err, bytes.TrimSpace(out))
	}
	return os.ReadFile(file)
}

// check refuses a program that wants a loader or other libraries, or that holds a path of this machine.
func (r *release) check(s system, program []byte) error {
	for _, path := range []string{r.source, r.tool.root, r.tool.modules} {
		if bytes.Contains(program, []byte(path+"/")) {
			return fmt.Errorf("%s: the program holds the path %s", s, path)
		}
	}
	if s.os != "linux" {
		return nil // programs of darwin and windows call the system by its libraries
	}
	if err := static(program); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}

// static refuses a program of linux that wants a loader.
func static(program []byte) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			return errors.New("the program is not static")
		}
	}
	return nil
}

// toolchain is the go command that builds.
type toolchain struct{ version, root, modules string }

func findToolchain(ctx context.Context) (toolchain, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return toolchain{}, fmt.Errorf("go env: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 {
		return toolchain{}, fmt.Errorf("go env says %q, want version, root and modules", lines)
	}
	return toolchain{lines[0], lines[1], lines[2]}, nil
}

// host returns the path of a program for this machine, for what only the program itself can tell.
func (r *release) host(ctx context.Context) (string, error) {
	s := system{runtime.GOOS, runtime.GOARCH}
	program, err := r.compile(ctx, s, r.source)
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.scratch, "host-"+s.program())
	return path, os.WriteFile(path, program, 0o777)
}

// goList returns the lines of go list for a system.
func (r *release) goList(ctx context.Context, s system, args ...string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list"}, args...)...)
	cmd.Dir = r.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS="+s.os, "GOARCH="+s.arch)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s: %w", s, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n"), nil
}
