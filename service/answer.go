package service

import (
	"net/http"
	"strconv"
	"time"

	"mattis/tensorfile"
)

// answer writes one JSON object, part by part.
type answer struct {
	w    http.ResponseWriter
	room *room
	b    []byte
	step int
	more bool // a key came before
	err  error
}

// flushAt is how many bytes are written at a time.
const flushAt = 32 << 10

// json begins an answer.
func (q *request) json() *answer {
	q.w.Header().Set("Content-Type", kindJSON)
	room := rooms.Get().(*room)
	return &answer{w: q.w, room: room, b: append(room.out[:0], '{'), step: q.loaded.Step}
}

// key begins the value of a key.
func (a *answer) key(name string) {
	if a.more {
		a.b = append(a.b, ',')
	}
	a.more = true
	a.b = append(strconv.AppendQuote(a.b, name), ':')
}

// text adds a key with a text, which is one of the program's own words.
func (a *answer) text(name, text string) {
	a.key(name)
	a.b = strconv.AppendQuote(a.b, text)
}

// list adds a key with a list of n entries that each writes.
func (a *answer) list(name string, n int, each func(i int)) {
	a.key(name)
	a.inner(n, each)
}

// inner adds a list.
func (a *answer) inner(n int, each func(i int)) {
	a.b = append(a.b, '[')
	for i := range n {
		if i > 0 {
			a.b = append(a.b, ',')
		}
		if each(i); len(a.b) >= flushAt {
			a.flush()
		}
	}
	a.b = append(a.b, ']')
}

func (a *answer) whole(x int64) { a.b = strconv.AppendInt(a.b, x, 10) }

// real adds a number with as many digits as tell it from others of so many bits.
func (a *answer) real(x float64, bits int) { a.b = strconv.AppendFloat(a.b, x, 'g', -1, bits) }

func (a *answer) flush() {
	if a.err == nil {
		patient(a.w, len(a.b))
		_, a.err = a.w.Write(a.b)
	}
	a.b = a.b[:0]
}

// end ends the answer with the step of the machine that gave it.
func (a *answer) end() error {
	a.key("step")
	a.whole(int64(a.step))
	a.b = append(a.b, "}\n"...)
	a.flush()
	a.room.out = a.b[:0]
	a.room.give()
	return gone(a.err)
}

// patient gives the client time for the next bytes of its answer.
func patient(w http.ResponseWriter, bytes int) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerPatience + time.Duration(bytes/slowest)*time.Second))
}

// gone returns the error of a client that does not take its answer.
func gone(err error) error {
	if err != nil {
		return errGone
	}
	return nil
}

// sendArray answers with an npy file, the same bytes as the command's.
func sendArray[E tensorfile.Element](q *request, x []E, shape ...int) error {
	q.w.Header().Set("Content-Type", kindNPY)
	a, err := tensorfile.NewNPYWriter[E](q.w, shape...)
	for err == nil && len(x) > 0 {
		n := min(len(x), flushAt)
		patient(q.w, 8*n)
		err = a.Write(x[:n])
		x = x[n:]
	}
	return gone(err)
}
