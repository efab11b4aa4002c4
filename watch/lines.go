package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"

	"mattis/run"
)

// point is what one line of metrics.jsonl says of a measure.
type point struct {
	Step, Epoch            int
	Seconds, Value, Stderr float64
}

// name is what a point belongs to: a measure and the split of the data, "" where there is none.
type name struct{ measure, split string }

// parser reads lines of metrics.jsonl. It keeps the names that it has met, so that a line costs no
// memory.
type parser struct{ names map[string]string }

func (p *parser) intern(b []byte) string {
	if s, ok := p.names[string(b)]; ok {
		return s
	}
	// names that never end are no reason to keep them all
	if p.names == nil || len(p.names) > 10_000 {
		p.names = map[string]string{}
	}
	s := string(b)
	p.names[s] = s
	return s
}

// parse returns what a line says; detail is the line's own bytes. Lines as run writes them are read
// here, any other by run.Metric, which decides what is a line: 2 million lines are a folder of 200
// runs, and take one second this way and twenty the other.
func (p *parser) parse(line []byte) (n name, x point, detail []byte, err error) {
	if n, x, detail, ok := p.quick(line); ok {
		return n, x, detail, nil
	}
	var m run.Metric
	if err := json.Unmarshal(line, &m); err != nil {
		return name{}, point{}, nil, err
	}
	var d struct {
		Detail json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(line, &d); err != nil {
		return name{}, point{}, nil, err
	}
	n = name{p.intern([]byte(m.Name)), p.intern([]byte(m.Split))}
	return n, point{m.Step, m.Epoch, m.Seconds, m.Value, m.Stderr}, d.Detail, nil
}

// quick is parse for lines whose keys stand in the order and the spacing of run.Metric.
func (p *parser) quick(line []byte) (n name, x point, detail []byte, ok bool) {
	rest := line
	field := func(key string, end byte) []byte {
		if !bytes.HasPrefix(rest, []byte(key)) {
			rest = nil
			return nil
		}
		rest = rest[len(key):]
		i := bytes.IndexByte(rest, end)
		if i < 0 {
			rest = nil
			return nil
		}
		text := rest[:i]
		rest = rest[i+1:]
		return text
	}
	step, epoch, seconds := field(`{"step":`, ','), field(`"epoch":`, ','), field(`"seconds":`, ',')
	measure := field(`"name":"`, '"')
	split := field(`,"split":"`, '"')
	value, stderr := field(`,"value":`, ','), field(`"stderr":`, ',')
	const key = `"detail":`
	if !bytes.HasPrefix(rest, []byte(key)) || rest[len(rest)-1] != '}' {
		return n, x, nil, false
	}
	detail = rest[len(key) : len(rest)-1]
	if len(detail) < 2 || detail[0] != '{' || len(detail) > 2 && !json.Valid(detail) || len(detail) == 2 && detail[1] != '}' {
		return n, x, nil, false
	}
	if len(measure) == 0 || !plain(measure) || !plain(split) {
		return n, x, nil, false
	}
	good := [5]bool{}
	x.Step, good[0] = whole(step)
	x.Epoch, good[1] = whole(epoch)
	x.Seconds, good[2] = decimal(seconds)
	x.Value, good[3] = decimal(value)
	x.Stderr, good[4] = decimal(stderr)
	if string(stderr) == "null" {
		x.Stderr, good[4] = math.NaN(), true
	}
	if good != [5]bool{true, true, true, true, true} || x.Seconds < 0 {
		return n, x, nil, false
	}
	return name{p.intern(measure), p.intern(split)}, x, detail, true
}

// plain reports whether a JSON string is the text that it stands for, in ASCII.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}

// whole returns a number of up to 15 digits.
func whole(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 15 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// decimal returns a JSON number that is finite.
func decimal(b []byte) (float64, bool) {
	if len(b) == 0 || b[0] != '-' && (b[0] < '0' || b[0] > '9') || !json.Valid(b) {
		return 0, false
	}
	x, err := strconv.ParseFloat(string(b), 64)
	return x, err == nil
}

// What a follower reads at a time, and the longest line that it takes for one: the singular values
// of a layer of 10 000 spins are 200 KB.
const (
	chunk       = 256 << 10
	longestLine = 4 << 20
	markLength  = 256
)

// follower reads a file of lines to which another process appends, and knows how far it has come.
// It notices when the file is cut back or replaced.
type follower struct {
	generation int         // counts the times that reading began anew
	info       os.FileInfo // of the file when it was last read; nil before
	offset     int64       // what was read
	lines      int         // complete lines before offset
	mark       []byte      // the last bytes before offset
	skipping   bool        // offset lies within a line that is too long
}

// begin compares the file with what was read. It reports true where that no longer stands there:
// the follower then is at the start of the file.
func (f *follower) begin(file io.ReaderAt, info os.FileInfo) (anew bool, err error) {
	old := f.info
	f.info = info
	if old == nil {
		return false, nil
	}
	same := os.SameFile(old, info) && info.Size() >= f.offset
	if same && len(f.mark) > 0 {
		// The number of a deleted file is soon given to another one, so the name alone proves
		// nothing.
		now := make([]byte, len(f.mark))
		if _, err := file.ReadAt(now, f.offset-int64(len(now))); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		same = bytes.Equal(now, f.mark)
	}
	if !same {
		f.restart(info)
	}
	return !same, nil
}

// restart puts the follower at the start of the file.
func (f *follower) restart(info os.FileInfo) {
	*f = follower{generation: f.generation + 1, info: info}
}

// errLongLine is the error of a line above longestLine.
var errLongLine = fmt.Errorf("longer than %d MiB", longestLine>>20)

// read gives the complete lines behind offset, without their ends, to each; number counts from 1.
// The bytes are each's until it returns. A line that is too long comes as errLongLine. It stops
// once it has read limit bytes and reports whether there is more.
func (f *follower) read(ctx context.Context, file io.ReaderAt, limit int64, each func(number int, line []byte, err error)) (more bool, err error) {
	buf, from := make([]byte, 0, chunk), f.offset
	for done := int64(0); ; {
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		if done >= limit && f.offset > from { // not within a line
			return true, nil
		}
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
		n, err := file.ReadAt(buf[len(buf):cap(buf)], f.offset+int64(len(buf)))
		buf = buf[:len(buf)+n]
		done += int64(n)
		used := 0
		for {
			i := bytes.IndexByte(buf[used:], '\n')
			if i < 0 {
				break
			}
			f.lines++
			if f.skipping || i > longestLine {
				f.skipping = false
				each(f.lines, nil, errLongLine)
			} else {
				each(f.lines, buf[used:used+i], nil)
			}
			used += i + 1
		}
		if len(buf)-used > longestLine {
			f.skipping = true
		}
		if f.skipping {
			used = len(buf)
		}
		if used > 0 {
			f.mark = append(f.mark[:0], buf[max(0, used-markLength):used]...)
			f.offset += int64(used)
			buf = append(buf[:0], buf[used:]...)
		}
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return true, err
		}
	}
}

// tail gives the complete lines among the last length bytes of a file to each, oldest first.
func tail(file io.ReaderAt, size, length int64, each func(line []byte)) error {
	from := max(0, size-length)
	b := make([]byte, size-from)
	n, err := file.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	b = b[:n]
	if from > 0 { // the first line has lost its beginning
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			break
		}
		each(line)
		b = rest
	}
	return nil
}

// openRegular opens the file of that name under root for reading. What is no regular file, or is
// reached by a link that leads out of root, is refused.
func openRegular(root *os.Root, path string) (*os.File, os.FileInfo, error) {
	info, err := root.Stat(path) // before opening it: opening a pipe would wait for its writer
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("is no regular file")}
	}
	f, err := root.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readSmall returns the content of a file under root that has at most so many bytes.
func readSmall(root *os.Root, path string, most int64) ([]byte, error) {
	f, info, err := openRegular(root, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("has %d bytes, want at most %d", info.Size(), most)}
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if int64(len(b)) > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("has more than %d bytes", most)}
	}
	return b, err
}
