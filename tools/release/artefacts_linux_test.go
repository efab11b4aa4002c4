package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestRelease makes the release of this system and uses everything that is in it: in an empty root, in a
// fresh environment of Python, as an image unpacked. MATTIS_PYTHON names a Python with numpy; without it
// the wheel is looked at but not installed. With -short programs are built once.
func TestRelease(t *testing.T) {
	s := system{"linux", runtime.GOARCH}
	first, second := filepath.Join(t.TempDir(), "dist"), filepath.Join(t.TempDir(), "dist")
	made := func(log io.Writer, args ...string) error {
		return run(context.Background(), append([]string{"-source", "../.."}, args...), log)
	}
	once := fmt.Sprintf("-once=%v", testing.Short())
	if err := made(os.Stdout, "-out", first, "-only", s.String(), once); err != nil {
		t.Fatal(err)
	}
	p, err := readProject("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "")
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	v, err := versionOf(context.Background(), source, "", p)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("again", func(t *testing.T) {
		if err := made(io.Discard, "-out", second, "-only", s.String(), "-once"); err != nil {
			t.Fatal(err)
		}
		if a, b := read(t, first, sumsName), read(t, second, sumsName); !bytes.Equal(a, b) || len(a) == 0 {
			t.Errorf("made twice:\n%s\nand\n%s", a, b)
		}
		err := made(io.Discard, "-out", first)
		if err == nil || !strings.Contains(err.Error(), "holds files already") {
			t.Errorf("over a release: %v", err)
		}
	})
	t.Run("sums", func(t *testing.T) {
		lines := strings.Split(strings.TrimSpace(string(read(t, first, sumsName))), "\n")
		if len(lines) != 3 {
			t.Fatalf("%d files, want archive, wheel and image", len(lines))
		}
		for _, line := range lines {
			sum, name, _ := strings.Cut(line, "  ")
			if got := fmt.Sprintf("%x", sha256.Sum256(read(t, first, name))); got != sum {
				t.Errorf("%s has sum %s, not %s", name, got, sum)
			}
		}
	})
	t.Run("README", testReadme)
	t.Run("archive", func(t *testing.T) { testArchive(t, first, s, v) })
	t.Run("wheel", func(t *testing.T) { testWheel(t, first, v) })
	t.Run("image", func(t *testing.T) { testImage(t, first, s, v) })
}

// testReadme installs as the README says, and wants the static program that it promises.
func testReadme(t *testing.T) {
	for line := range strings.Lines(string(read(t, "../../README.md"))) {
		command, _, _ := strings.Cut(strings.TrimSpace(line), "#")
		if !strings.HasSuffix(strings.TrimSpace(command), "go install ./cmd/mattis") {
			continue
		}
		bin := t.TempDir()
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "GOBIN="+bin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		if err := static(read(t, bin, "mattis")); err != nil {
			t.Errorf("%s: %v", command, err)
		}
		return
	}
	t.Error("README.md does not say how to install")
}

func testArchive(t *testing.T, dist string, s system, v version) {
	name := fmt.Sprintf("mattis-%s-%s-%s", v.program, s.os, s.arch)
	z, err := gzip.NewReader(bytes.NewReader(read(t, dist, name+".tar.gz")))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unpack(t, z, dir)
	for file, want := range map[string]string{
		"LICENSE":                 "Apache License",
		"README.md":               "# Mattis",
		"CHANGELOG.md":            "# Changelog",
		"THIRD-PARTY.txt":         "gonum.org/v1/gonum",
		"man/man1/mattis-train.1": ".SH EXAMPLES",
		"completions/_mattis":     "#compdef mattis",
		"completions/mattis.bash": "bash completion",
		"completions/mattis.fish": "fish completion",
		"completions/mattis.ps1":  "Register-ArgumentCompleter",
	} {
		if !strings.Contains(string(read(t, dir, name, file)), want) {
			t.Errorf("%s does not hold %q", file, want)
		}
	}
	// An empty root: no loader, no library, no /dev, /proc, /etc or /tmp.
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "mattis"), read(t, dir, name, "mattis"), 0o755); err != nil {
		t.Fatal(err)
	}
	inside(t, root, "/", 0, "/mattis", v)
}

// inside runs a program in a root of its own: it says its version, trains, and reads what it trained.
func inside(t *testing.T, root, work string, owner uint32, program string, v version) {
	if os.Getuid() != 0 {
		t.Skip("only root can change the root")
	}
	call := func(want string, args ...string) {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir, cmd.Env = work, []string{"HOME=" + work}
		as := &syscall.Credential{Uid: owner, Gid: owner}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: as}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("%s %v: %v, want %q in\n%s", program, args, err, want, out)
		}
	}
	call("mattis "+v.program+" ", "version")
	call("revision "+strings.TrimSuffix(v.revision, changes), "version")
	call("run directory: a", "train", "bars", "--set", "train.epochs=10", "--run", "a")
	call("nll_exact", "eval", "a", "--measure", "nll_exact", "--split", "test")
	info, err := os.Stat(filepath.Join(root, work, "a", "recipe.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Sys().(*syscall.Stat_t).Uid; got != owner {
		t.Errorf("the run belongs to %d, want %d", got, owner)
	}
}

func testWheel(t *testing.T, dist string, v version) {
	found, err := filepath.Glob(filepath.Join(dist, "*.whl"))
	if err != nil || len(found) != 1 {
		t.Fatalf("wheels %v, %v", found, err)
	}
	cpu := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	tags := []string{"manylinux_2_17_" + cpu, "manylinux2014_" + cpu, "musllinux_1_1_" + cpu}
	want := "mattis-" + v.python + "-py3-none-" + strings.Join(tags, ".") + ".whl"
	if name := filepath.Base(found[0]); name != want {
		t.Errorf("%s, want %s", name, want)
	}
	z, err := zip.OpenReader(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	info := "mattis-" + v.python + ".dist-info/"
	listed := 0
	for line := range strings.Lines(string(files[info+"RECORD"])) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		b, ok := files[cells[0]]
		sum := sha256.Sum256(b)
		want := fmt.Sprintf("sha256=%s,%d", base64.RawURLEncoding.EncodeToString(sum[:]), len(b))
		if cells[0] == info+"RECORD" {
			want = "," // it cannot hold its own
		}
		if got := strings.Join(cells[1:], ","); !ok || got != want {
			t.Errorf("RECORD has %s, want %s", line, want)
		}
		listed++
	}
	if listed != len(files) {
		t.Errorf("RECORD lists %d of %d files", listed, len(files))
	}
	for _, want := range append(tags, "Root-Is-Purelib: false") {
		if !strings.Contains(string(files[info+"WHEEL"]), want+"\n") {
			t.Errorf("WHEEL lacks %s", want)
		}
	}
	install(t, found[0], v)
}

// install lets pip install the wheel from the file alone, and a classifier be fitted with it.
func install(t *testing.T, wheel string, v version) {
	python := os.Getenv("MATTIS_PYTHON")
	if python == "" {
		t.Skip("MATTIS_PYTHON is not set: nobody installed the wheel")
	}
	venv := filepath.Join(t.TempDir(), "venv")
	call := func(program string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = t.TempDir()
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + cmd.Dir}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", program, args, err, out)
		}
		return string(out)
	}
	call(python, "-m", "venv", "--system-site-packages", venv) // numpy is the system's
	own := filepath.Join(venv, "bin", "python")
	call(own, "-m", "pip", "install", "--no-index", "--no-warn-script-location", wheel)
	out := call(filepath.Join(venv, "bin", "mattis"), "version")
	if !strings.Contains(out, "mattis "+v.program+" ") {
		t.Errorf("the installed program says %s", out)
	}
	out = call(own, "-c", `
import numpy, mattis
X = numpy.random.RandomState(0).randint(0, 2, (60, 9))
rbm = mattis.BernoulliRBM(n_components=4, n_iter=5, random_state=0).fit(X)
print(rbm.binary_path(), rbm.transform(X).shape, numpy.isfinite(rbm.score(X)))`)
	if want := filepath.Join(venv, "bin", "mattis") + " (60, 4) True"; !strings.Contains(out, want) {
		t.Errorf("the package says %s, want %s", out, want)
	}
	call(own, "-m", "pip", "uninstall", "--yes", "mattis")
	if _, err := os.Stat(filepath.Join(venv, "bin", "mattis")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after pip uninstall the program is there: %v", err)
	}
}

func testImage(t *testing.T, dist string, s system, v version) {
	dir := t.TempDir()
	unpack(t, bytes.NewReader(read(t, dist, "mattis-"+v.program+"-oci.tar")), dir)
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(outer); err != nil {
		t.Fatal(err)
	}
	image := only(t, only(t, outer, func(m v1.Descriptor) bool {
		return m.Annotations["org.opencontainers.image.ref.name"] == v.program
	}).index(t), func(m v1.Descriptor) bool {
		return m.Platform != nil && m.Platform.OS == s.os && m.Platform.Architecture == s.arch
	}).image(t)
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	owner, err := strconv.Atoi(strings.SplitN(config.Config.User, ":", 2)[0])
	if err != nil || owner == 0 {
		t.Fatalf("user %q, want a number that is not root's", config.Config.User)
	}
	called := config.Config.Labels["org.opencontainers.image.version"]
	if config.Architecture != s.arch || len(config.Config.Entrypoint) != 1 || called != v.program {
		t.Errorf("config %+v", config)
	}
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	files := mutate.Extract(image)
	defer files.Close()
	unpack(t, files, root)
	inside(t, root, config.Config.WorkingDir, uint32(owner), config.Config.Entrypoint[0], v)
}

// entry is what an index holds at a place.
type entry struct {
	above v1.ImageIndex
	hash  v1.Hash
}

// only returns the one entry of an index that is wanted.
func only(t *testing.T, index v1.ImageIndex, wanted func(v1.Descriptor) bool) entry {
	t.Helper()
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var found []entry
	for _, d := range m.Manifests {
		if wanted(d) {
			found = append(found, entry{index, d.Digest})
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d entries are wanted in %+v", len(found), m.Manifests)
	}
	return found[0]
}

func (e entry) index(t *testing.T) v1.ImageIndex {
	i, err := e.above.ImageIndex(e.hash)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (e entry) image(t *testing.T) v1.Image {
	i, err := e.above.Image(e.hash)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unpack writes a tar to a folder, with its owners where this is root.
func unpack(t *testing.T, from io.Reader, to string) {
	t.Helper()
	r := tar.NewReader(from)
	for {
		head, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, filepath.FromSlash(head.Name))
		if head.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, b, head.FileInfo().Mode().Perm())
			}
		}
		if err == nil && os.Getuid() == 0 {
			err = os.Chown(path, head.Uid, head.Gid)
		}
		if err == nil {
			err = os.Chmod(path, head.FileInfo().Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
