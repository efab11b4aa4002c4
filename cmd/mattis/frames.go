package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"mattis/tensorfile"
)

// A frame is what a worker and its client send each other: the four bytes of frameMagic, the length
// of its head as a little-endian uint32, the head, which is a JSON object, and its bodies one after
// another, whose lengths in bytes the head lists as "bodies". A body is an npy file, or a
// safetensors file where the head says so.
const frameMagic = "MTW1"

// Bounds of a frame.
const (
	mostHead   = 1 << 20 // bytes of a head
	mostBodies = 1024
	mostBody   = 1 << 30 // bytes of a body
)

// frame is one that was read.
type frame struct {
	head   []byte
	bodies [][]byte
	refuse error // what is wrong with it as a whole, though its end is known
}

// readFrame returns the next frame, or io.EOF where the stream ends between two. Another error
// means that the stream is none of frames, or ends within one: nothing more can be read from it.
// Bodies take memory only as far as they are there.
func readFrame(r *bufio.Reader) (*frame, error) {
	var fixed [8]byte
	switch n, err := io.ReadFull(r, fixed[:]); {
	case n == 0 && err == io.EOF:
		return nil, io.EOF
	case n < len(frameMagic):
		return nil, fmt.Errorf("the stream ends after %d bytes of a frame", n)
	case string(fixed[:len(frameMagic)]) != frameMagic:
		return nil, fmt.Errorf("a frame begins with %q, want %q: the other side speaks another protocol", fixed[:len(frameMagic)], frameMagic)
	case err != nil:
		return nil, fmt.Errorf("the stream ends after %d bytes of a frame", n)
	}
	size := binary.LittleEndian.Uint32(fixed[4:])
	if size > mostHead {
		return nil, fmt.Errorf("a frame's head has %d bytes, want at most %d", size, mostHead)
	}
	f := &frame{head: make([]byte, size)}
	if _, err := io.ReadFull(r, f.head); err != nil {
		return nil, errors.New("the stream ends within a frame's head")
	}
	var lengths struct{ Bodies []int64 }
	if err := json.Unmarshal(f.head, &lengths); err != nil {
		return nil, fmt.Errorf("a frame's head is no JSON object: %w", err)
	}
	if len(lengths.Bodies) > mostBodies {
		return nil, fmt.Errorf("a frame of %d bodies, want at most %d", len(lengths.Bodies), mostBodies)
	}
	total := 0.0
	for i, n := range lengths.Bodies {
		if n < 0 || n > mostBody {
			return nil, fmt.Errorf("body %d of a frame has %d bytes, want 0 to %d", i+1, n, mostBody)
		}
		total += float64(n)
	}
	// What is read is held twice for a while: as bytes, and as the rows that they become.
	f.refuse = enoughMemory("the request", 2*total)
	for i, n := range lengths.Bodies {
		var body bytes.Buffer
		to := io.Writer(&body)
		if f.refuse != nil {
			to = io.Discard
		}
		if got, err := io.CopyN(to, r, n); err != nil {
			return nil, fmt.Errorf("the stream ends after %d of the %d bytes of body %d of a frame", got, n, i+1)
		}
		f.bodies = append(f.bodies, body.Bytes())
	}
	return f, nil
}

// writeFrame sends the head, which gets its list of bodies, and the bodies.
func writeFrame(w *bufio.Writer, head map[string]any, bodies ...[]byte) error {
	lengths := []int{}
	for _, b := range bodies {
		lengths = append(lengths, len(b))
	}
	head["bodies"] = lengths
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	for _, part := range slices.Concat([][]byte{[]byte(frameMagic), binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text}, bodies) {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Flush()
}

// npy returns an array as the bytes of an npy file.
func npy[E tensorfile.Element](x []E, shape ...int) []byte {
	var b bytes.Buffer
	if err := tensorfile.WriteNPY(&b, tensorfile.New("", x, shape...)); err != nil {
		panic("worker: " + err.Error())
	}
	return b.Bytes()
}
