package data

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"mattis/tensorfile"
)

// archive is an npz file of rows and labels.
type archive struct {
	*tensorfile.Archive
	path string
}

// pairs are the names of arrays that are training and test rows, and those of their labels.
var pairs = []struct{ rows, labels [2]string }{
	{[2]string{"x_train", "x_test"}, [2]string{"y_train", "y_test"}},
	{[2]string{"X_train", "X_test"}, [2]string{"y_train", "y_test"}},
	{[2]string{"train", "test"}, [2]string{"train_labels", "test_labels"}},
	{[2]string{"train_images", "test_images"}, [2]string{"train_labels", "test_labels"}},
	{[2]string{"train_data", "test_data"}, [2]string{"train_labels", "test_labels"}},
}

// loneLabels are the names of an array that holds the labels of the only array of rows.
var loneLabels = []string{"y", "labels", "label", "targets", "target"}

// IsArchive reports whether the name is that of an npz file, whose labels are arrays and no files.
func IsArchive(path string) bool {
	return strings.HasSuffix(strings.TrimSuffix(strings.ToLower(path), ".gz"), ".npz")
}

// openArchive returns the npz file at path and what closes it, nil where it is none.
func (o Options) openArchive(path string) (a *archive, closing func(), err error) {
	f, size, err := o.open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if a == nil {
			f.Close()
		}
	}()
	if !IsArchive(path) {
		b, _, err := gunzip(f, size)
		if err != nil { // whoever reads it says so
			return nil, nil, nil
		}
		if magic, _ := b.Peek(4); !bytes.Equal(magic, []byte("PK\x03\x04")) {
			return nil, nil, nil
		}
		f.Close()
		if f, size, err = o.open(path); err != nil {
			return nil, nil, err
		}
	}
	at, size, err := whole(f, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	npz, err := tensorfile.OpenNPZ(at, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return &archive{npz, path}, func() { f.Close() }, nil
}

func (a *archive) has(name string) bool { return slices.Contains(a.Names(), name) }

// pair returns the names of the arrays of training and test rows and of their labels, none where
// there are no such.
func (a *archive) pair() []string {
	for _, p := range pairs {
		if a.has(p.rows[0]) && a.has(p.rows[1]) {
			return []string{p.rows[0], p.rows[1], p.labels[0], p.labels[1]}
		}
	}
	return nil
}

// rows returns the name of the array of rows where none is given, and the names that its labels may
// have.
func (a *archive) rows(test bool) (name string, labels []string, err error) {
	if p := a.pair(); p != nil {
		if test {
			return p[1], p[3:4], nil
		}
		return p[0], p[2:3], nil
	}
	var list, wide []string
	for _, n := range a.Names() {
		kind, shape, err := a.Head(n)
		if err != nil {
			list = append(list, n+" (of another type)")
			continue
		}
		list = append(list, fmt.Sprintf("%s (%v %v)", n, kind, shape))
		if len(shape) > 1 {
			wide = append(wide, n)
		}
	}
	if len(wide) == 1 {
		return wide[0], loneLabels, nil
	}
	if len(list) == 0 {
		return "", nil, fmt.Errorf("an npz file without arrays")
	}
	return "", nil, fmt.Errorf("which of the arrays holds the rows is not clear: name it by data.array, one of %s", strings.Join(list, ", "))
}

// readArchive reads the array of rows and that of labels.
func (o Options) readArchive(a *archive, p part) (*Set, error) {
	wrong := func(name string, err error) error {
		if name != "" {
			name = "(" + name + ".npy)"
		}
		return fmt.Errorf("%s%s: %w", a.path, name, err)
	}
	name, labels, err := o.Array, []string(nil), error(nil)
	if name == "" {
		if name, labels, err = a.rows(p.stream == streamTest); err != nil {
			return nil, wrong("", err)
		}
	} else if !a.has(name) {
		return nil, fmt.Errorf("data.array: there is no %q in %s, only %s", name, a.path, strings.Join(a.Names(), ", "))
	}
	t, err := a.Array(name)
	if err != nil {
		return nil, fmt.Errorf("%s%w", a.path, err)
	}
	s, err := o.decodeArray(t, p)
	if err != nil {
		return nil, wrong(name, err)
	}
	if p.labels != "" {
		field := map[bool]string{false: "data.labels", true: "data.test_labels"}[p.stream == streamTest]
		if !a.has(p.labels) {
			return nil, fmt.Errorf("%s: there is no %q in %s, only %s", field, p.labels, a.path, strings.Join(a.Names(), ", "))
		}
		if t, err = a.Array(p.labels); err != nil {
			return nil, fmt.Errorf("%s%w", a.path, err)
		}
		if err := s.label(t); err != nil {
			return nil, wrong(p.labels, err)
		}
		return s, nil
	}
	for _, l := range labels { // such that are labels indeed
		if kind, shape, err := a.Head(l); err == nil && kind != tensorfile.Bool && slices.Equal(shape, []int{s.Rows}) {
			if t, err = a.Array(l); err == nil && s.label(t) == nil {
				break
			}
			s.Labels = nil
		}
	}
	return s, nil
}
