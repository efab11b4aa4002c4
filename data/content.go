package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"

	"mattis/tensorfile"
)

// pipe returns all that comes from path, or nil where that is a regular file, a folder or nothing.
func pipe(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() || info.IsDir() {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return append([]byte{}, text...), err
}

// open returns what is in the file at path and its size in bytes; a pipe is read to its end first.
func (o Options) open(path string) (r io.ReadCloser, size int64, err error) {
	content := o.piped[path]
	if content == nil {
		if content, err = pipe(path); err != nil {
			return nil, 0, err
		}
		if content != nil && o.piped != nil {
			o.piped[path] = content
		}
	}
	if content != nil {
		return memory{bytes.NewReader(content)}, int64(len(content)), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s: is a folder, want a file", path)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// memory is a file that is held.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// peekable is how many bytes of a text its first lines are looked for in.
const peekable = 1 << 16

// gunzip returns what a file of size bytes holds, inflated where it is gzipped; it is an error to
// read more of that than such a file may inflate to. The reader can peek that many bytes.
func gunzip(r io.Reader, size int64) (b *bufio.Reader, zipped bool, err error) {
	b = bufio.NewReaderSize(r, peekable)
	if magic, _ := b.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, false, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, true, fmt.Errorf("gzip header: %w", err)
	}
	return bufio.NewReaderSize(tensorfile.Bound(z, size), peekable), true, nil
}

// whole returns the content of a file for reading at any place: of what is gzipped and of pipes it
// is held, and else stays where it is until closed.
func whole(f io.ReadCloser, size int64) (at io.ReaderAt, length int64, err error) {
	if at, ok := f.(interface {
		io.ReaderAt
		io.Seeker
	}); ok {
		var magic [2]byte
		if n, err := at.ReadAt(magic[:], 0); n < 2 && err != nil && err != io.EOF {
			return nil, 0, err
		}
		if magic != [2]byte{0x1f, 0x8b} {
			return at, size, nil
		}
	}
	b, _, err := gunzip(f, size)
	if err != nil {
		return nil, 0, err
	}
	held, err := io.ReadAll(b)
	if err != nil {
		return nil, 0, fmt.Errorf("after %d bytes: %w", len(held), err)
	}
	return bytes.NewReader(held), int64(len(held)), nil
}
