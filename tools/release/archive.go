package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// archive writes mattis-VERSION-OS-ARCH.tar.gz, or .zip for windows.
func (r *release) archive(s system, program []byte, beside []file) error {
	name := fmt.Sprintf("mattis-%s-%s-%s", r.version.program, s.os, s.arch)
	files := []file{{name + "/" + s.program(), program, 0o755}}
	for _, f := range beside {
		f.name = name + "/" + f.name
		files = append(files, f)
	}
	if s.os == "windows" {
		b, err := zipped(files, r.version.time)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(r.out, name+".zip"), b, 0o666)
	}
	b, err := tarred(files, r.version.time)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out) // without name and time
	if _, err := z.Write(b); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, name+".tar.gz"), out.Bytes(), 0o666)
}

// tarred returns a tar of the files and the folders above them, of nobody's and of one time.
func tarred(files []file, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	var made []string
	for _, f := range files {
		var above []string
		for d := path.Dir(f.name); d != "." && d != "/" && !slices.Contains(made, d); d = path.Dir(d) {
			above = append(above, d)
		}
		for _, d := range slices.Backward(above) {
			made = append(made, d)
			head := &tar.Header{Typeflag: tar.TypeDir, Name: d + "/", Mode: 0o755, ModTime: at}
			if err := t.WriteHeader(head); err != nil {
				return nil, err
			}
		}
		size := int64(len(f.content))
		head := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: int64(f.mode), Size: size, ModTime: at}
		if err := t.WriteHeader(head); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// zipped returns a zip of the files, of one time.
func zipped(files []file, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range files {
		head := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at}
		head.SetMode(f.mode)
		w, err := z.CreateHeader(head)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
