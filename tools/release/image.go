package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is the number of nobody in particular, as other images without a system have it.
const user = 65532

// image writes mattis-VERSION-oci.tar: an OCI layout with one image for each processor of linux. There
// is nothing in them but the program, its notices, a folder to work in and one for temporary files.
func (r *release) image(programs map[system][]byte, beside []file) error {
	labels := map[string]string{
		"org.opencontainers.image.title":       "mattis",
		"org.opencontainers.image.description": "Train, sample, judge and use Boltzmann machines",
		"org.opencontainers.image.version":     r.version.program,
		"org.opencontainers.image.revision":    r.version.revision,
		"org.opencontainers.image.licenses":    "Apache-2.0",
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	any := false
	for _, s := range r.systems {
		if s.os != "linux" {
			continue
		}
		any = true
		image, err := r.imageOf(s, programs[s], beside, labels)
		if err != nil {
			return fmt.Errorf("image of %s: %w", s, err)
		}
		platform := v1.Platform{OS: s.os, Architecture: s.arch}
		place := v1.Descriptor{Platform: &platform}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: place})
	}
	if !any {
		return nil
	}
	folder := filepath.Join(r.scratch, "image")
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	// One entry that has a name: what copies images asks for it.
	name := map[string]string{"org.opencontainers.image.ref.name": r.version.program}
	if err := path.AppendIndex(index, layout.WithAnnotations(name)); err != nil {
		return err
	}
	files, err := filesUnder(folder)
	if err != nil {
		return err
	}
	b, err := tarred(files, r.version.time)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "mattis-"+r.version.program+"-oci.tar"), b, 0o666)
}

// imageOf returns the image of a system.
func (r *release) imageOf(
	s system, program []byte, beside []file, labels map[string]string,
) (v1.Image, error) {
	layer, err := r.layer(program, beside)
	if err != nil {
		return nil, err
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	created := v1.Time{Time: r.version.time}
	if image, err = mutate.Append(image, mutate.Addendum{
		Layer:     layer,
		History:   v1.History{Created: created, CreatedBy: "make release"},
		MediaType: types.OCILayer,
	}); err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = s.os, s.arch, created
	config.Config = v1.Config{
		Entrypoint: []string{"/usr/bin/mattis"},
		Cmd:        []string{"--help"},
		Env:        []string{"PATH=/usr/bin", "HOME=/work"},
		User:       fmt.Sprintf("%d:%d", user, user),
		WorkingDir: "/work",
		Labels:     labels,
	}
	return mutate.ConfigFile(image, config)
}

// layer returns the files of an image.
func (r *release) layer(program []byte, beside []file) (v1.Layer, error) {
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	put := func(name string, mode int64, owner int, content []byte) error {
		head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Uid: owner, Gid: owner,
			Size: int64(len(content)), ModTime: r.version.time}
		if content == nil {
			head.Typeflag = tar.TypeDir
		}
		if err := t.WriteHeader(head); err != nil {
			return err
		}
		_, err := t.Write(content)
		return err
	}
	passwd := fmt.Sprintf("root:x:0:0:root:/:/\nmattis:x:%d:%d:mattis:/work:/\n", user, user)
	group := fmt.Sprintf("root:x:0:\nmattis:x:%d:\n", user)
	entries := []struct {
		name    string
		mode    int64
		owner   int
		content []byte
	}{
		{"etc/", 0o755, 0, nil},
		{"etc/group", 0o644, 0, []byte(group)},
		{"etc/passwd", 0o644, 0, []byte(passwd)},
		{"tmp/", 0o1777, 0, nil},
		{"usr/", 0o755, 0, nil},
		{"usr/bin/", 0o755, 0, nil},
		{"usr/bin/mattis", 0o755, 0, program},
		{"usr/share/", 0o755, 0, nil},
		{"usr/share/doc/", 0o755, 0, nil},
		{"usr/share/doc/mattis/", 0o755, 0, nil},
	}
	for _, e := range entries {
		if err := put(e.name, e.mode, e.owner, e.content); err != nil {
			return nil, err
		}
	}
	for _, f := range beside {
		if f.name == licenseName || f.name == thirdPartyName {
			if err := put("usr/share/doc/mattis/"+f.name, 0o644, 0, f.content); err != nil {
				return nil, err
			}
		}
	}
	if err := put("work/", 0o755, user, nil); err != nil {
		return nil, err
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// filesUnder returns the files of a folder, sorted by name.
func filesUnder(folder string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		files = append(files, file{filepath.ToSlash(name), b, 0o644})
		return err
	})
	return files, err
}
