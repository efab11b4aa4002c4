// Command release makes what one installs of mattis: static programs for six systems, archives with
// manual pages and completions, Python wheels that carry the program, and an image in OCI's layout.
//
//	make release
//	go -C tools run ./release -source "$PWD" -out "$PWD/dist" -only linux/amd64
//
// Every program is built twice, the second time from another path with an empty cache, and has to have
// the same bytes. All else is made of bytes, names and one time, so that the same source and compiler
// give the same SHA256SUMS anywhere. docs/release.md says what the files are for.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// system is one that programs are built for.
type system struct{ os, arch string }

func (s system) String() string { return s.os + "/" + s.arch }

// systems are all that a release has.
var systems = []system{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// program returns the name of the program's file.
func (s system) program() string {
	if s.os == "windows" {
		return "mattis.exe"
	}
	return "mattis"
}

// release is what a call makes.
type release struct {
	source  string // the root of the source
	out     string // folder of the files
	scratch string // folder that is removed
	systems []system
	once    bool
	version version
	project project
	tool    toolchain
	log     io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); errors.Is(err, flag.ErrHelp) {
		return
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

const usage = `Make a release of mattis: release -source ROOT -out FOLDER

It compiles the program for six systems (or those of -only), each twice to compare the bytes, and writes archives,
Python wheels, an image and SHA256SUMS to FOLDER. That takes minutes of all cores, and no network beyond Go's modules.
make release calls it with this repository and dist.

`

// run makes the release that the arguments ask for. Its error is flag.ErrHelp where help was asked for.
func run(ctx context.Context, args []string, log io.Writer) error {
	r := release{log: log}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.Usage = func() {
		fmt.Fprint(log, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&r.source, "source", "", "root of the source")
	flags.StringVar(&r.out, "out", "", "folder to make; one that holds files is refused")
	only := flags.String("only", "", "systems, such as linux/amd64,darwin/arm64; empty for all")
	named := flags.String("version", "", "version to make, such as 0.1.0; empty takes the commit's tag or name")
	flags.BoolVar(&r.once, "once", false, "build every program once and do not compare")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		flags.Usage()
		return errors.New("-source and -out are missing: nothing is made")
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case r.source == "":
		return errors.New("-source is missing: name the root of the source")
	case r.out == "":
		return errors.New("-out is missing: name the folder to make")
	}
	var err error
	if r.systems, err = chosen(*only); err != nil {
		return err
	}
	for _, path := range []*string{&r.source, &r.out} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if r.project, err = readProject(r.source); err != nil {
		return err
	}
	if r.version, err = versionOf(ctx, r.source, *named, r.project); err != nil {
		return err
	}
	if r.tool, err = findToolchain(ctx); err != nil {
		return err
	}
	if files, err := os.ReadDir(r.out); err == nil && len(files) > 0 {
		return fmt.Errorf("%s holds files already: remove it, or name another with -out", r.out)
	}
	if err := os.MkdirAll(r.out, 0o777); err != nil {
		return err
	}
	if r.scratch, err = os.MkdirTemp("", "mattis-release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.scratch)
	at := r.version.time.Format("2006-01-02 15:04:05Z")
	fmt.Fprintf(log, "mattis %s, revision %s, files of %s\n", r.version.program, r.version.revision, at)
	return r.make(ctx)
}

// chosen returns the systems of a list; all for an empty one.
func chosen(list string) ([]system, error) {
	if list == "" {
		return systems, nil
	}
	var some []system
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(systems, func(s system) bool { return s.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("-only %s: %q is none of %v", list, name, systems)
		}
		some = append(some, systems[i])
	}
	return some, nil
}

// make writes all files of the release and their sums.
func (r *release) make(ctx context.Context) error {
	programs := map[system][]byte{}
	for _, s := range r.systems {
		program, err := r.build(ctx, s)
		if err != nil {
			return err
		}
		programs[s] = program
	}
	beside, err := r.beside(ctx)
	if err != nil {
		return err
	}
	for _, s := range r.systems {
		if err := r.archive(s, programs[s], beside); err != nil {
			return err
		}
		if err := r.wheel(s, programs[s], beside); err != nil {
			return err
		}
	}
	if err := r.image(programs, beside); err != nil {
		return err
	}
	return r.sums()
}

const sumsName = "SHA256SUMS"

// sums writes what `sha256sum -c` reads.
func (r *release) sums() error {
	files, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(r.out, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(b), f.Name())
	}
	fmt.Fprint(r.log, text.String())
	return os.WriteFile(filepath.Join(r.out, sumsName), []byte(text.String()), 0o666)
}
