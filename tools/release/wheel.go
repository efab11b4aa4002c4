package main

import (
	"bytes"
	"crypto/sha256"
	"debug/macho"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// wheel writes the Python package with the program of a system: pip puts the program beside Python's
// own scripts.
func (r *release) wheel(s system, program []byte, beside []file) error {
	tags, err := tagsOf(s, program)
	if err != nil {
		return err
	}
	base := r.project.Name + "-" + r.version.python
	info := base + ".dist-info/"
	var files []file
	sources, err := filepath.Glob(filepath.Join(r.source, "python", "mattis", "*.py"))
	if err != nil {
		return err
	}
	for _, path := range sources { // sorted by Glob
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files = append(files, file{"mattis/" + filepath.Base(path), b, 0o644})
	}
	files = append(files, file{base + ".data/scripts/" + s.program(), program, 0o755})
	metadata, err := r.metadata()
	if err != nil {
		return err
	}
	files = append(files, file{info + "METADATA", metadata, 0o644})
	wheel := "Wheel-Version: 1.0\nGenerator: mattis release\nRoot-Is-Purelib: false\n"
	for _, t := range tags {
		wheel += "Tag: py3-none-" + t + "\n"
	}
	files = append(files, file{info + "WHEEL", []byte(wheel), 0o644})
	for _, f := range beside {
		if f.name == licenseName || f.name == thirdPartyName {
			files = append(files, file{info + f.name, f.content, 0o644})
		}
	}
	var record strings.Builder
	for _, f := range files {
		sum := sha256.Sum256(f.content)
		hash := base64.RawURLEncoding.EncodeToString(sum[:])
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f.name, hash, len(f.content))
	}
	fmt.Fprintf(&record, "%sRECORD,,\n", info)
	files = append(files, file{info + "RECORD", []byte(record.String()), 0o644})
	b, err := zipped(files, r.version.time)
	if err != nil {
		return err
	}
	name := base + "-py3-none-" + strings.Join(tags, ".") + ".whl"
	return os.WriteFile(filepath.Join(r.out, name), b, 0o666)
}

// metadata returns METADATA, as pyproject.toml and python/README.md have it.
func (r *release) metadata() ([]byte, error) {
	readme, err := os.ReadFile(filepath.Join(r.source, "python", "README.md"))
	if err != nil {
		return nil, err
	}
	p := r.project
	var m bytes.Buffer
	fmt.Fprintf(&m, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n", p.Name, r.version.python)
	fmt.Fprintf(&m, "Summary: %s\nLicense: Apache-2.0\n", p.Description)
	fmt.Fprintf(&m, "License-File: %s\nLicense-File: %s\n", licenseName, thirdPartyName)
	fmt.Fprintf(&m, "Requires-Python: %s\n", p.RequiresPython)
	for _, d := range p.Dependencies {
		fmt.Fprintf(&m, "Requires-Dist: %s\n", d)
	}
	for _, extra := range slices.Sorted(maps.Keys(p.Optional)) {
		fmt.Fprintf(&m, "Provides-Extra: %s\n", extra)
		for _, d := range p.Optional[extra] {
			fmt.Fprintf(&m, "Requires-Dist: %s; extra == %q\n", d, extra)
		}
	}
	fmt.Fprintf(&m, "Description-Content-Type: text/markdown\n\n%s", readme)
	return m.Bytes(), nil
}

// tagsOf returns the platforms on which pip takes a wheel of the program. A static program of linux
// runs with glibc and with musl; 2.17 and 1.1 are the oldest that have both processors. What macOS it
// needs is written in the program.
func tagsOf(s system, program []byte) ([]string, error) {
	cpu := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[s.arch]
	switch s.os {
	case "linux":
		return []string{"manylinux_2_17_" + cpu, "manylinux2014_" + cpu, "musllinux_1_1_" + cpu}, nil
	case "windows":
		return []string{"win_" + s.arch}, nil
	}
	if s.arch == "arm64" {
		cpu = "arm64"
	}
	f, err := macho.NewFile(bytes.NewReader(program))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	const buildVersion = 0x32 // LC_BUILD_VERSION: command, size, platform, the oldest system, ...
	for _, load := range f.Loads {
		raw := load.Raw()
		if len(raw) >= 16 && f.ByteOrder.Uint32(raw) == buildVersion {
			oldest := f.ByteOrder.Uint32(raw[12:])
			return []string{fmt.Sprintf("macosx_%d_%d_%s", oldest>>16, oldest>>8&0xff, cpu)}, nil
		}
	}
	return nil, fmt.Errorf("%s: the program does not say what macOS it needs", s)
}
