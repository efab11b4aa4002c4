package run

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"regexp"
	"strings"

	"mattis/tensorfile"
)

// digestKey is the metadata entry of a sealed file: the SHA-256 of its bytes with zeros in place of
// these digits.
const digestKey = "sha256"

// noDigest takes the digest's place in the bytes that are digested.
var noDigest = strings.Repeat("0", 2*sha256.Size)

// digestEntry is what the digest's entry looks like in the header of a file.
var digestEntry = regexp.MustCompile(`"` + digestKey + `":"([0-9a-f]{64})"`)

// WriteSealed writes f as a safetensors file whose metadata hold the digest of its content. The
// tensors are read twice, part by part, and never held as a whole.
func WriteSealed(w io.Writer, f *tensorfile.File) error {
	sealed := &tensorfile.File{Tensors: f.Tensors, Metadata: map[string]string{}}
	maps.Copy(sealed.Metadata, f.Metadata)
	sealed.Metadata[digestKey] = noDigest
	head := &header{}
	sum := sha256.New()
	if err := tensorfile.WriteSafetensors(io.MultiWriter(sum, head), sealed); err != nil {
		return err
	}
	if _, err := digestPlace(head.bytes); err != nil {
		return err
	}
	sealed.Metadata[digestKey] = hex.EncodeToString(sum.Sum(nil))
	return tensorfile.WriteSafetensors(w, sealed)
}

// header keeps the header of a safetensors file that is written to it: 8 bytes of its length, and
// the text.
type header struct{ bytes []byte }

func (h *header) Write(b []byte) (int, error) {
	for part := b; len(part) > 0; {
		want := 8
		if len(h.bytes) >= 8 {
			want += int(binary.LittleEndian.Uint64(h.bytes))
		}
		n := min(want-len(h.bytes), len(part))
		if n == 0 {
			break
		}
		h.bytes, part = append(h.bytes, part[:n]...), part[n:]
	}
	return len(b), nil
}

// digestPlace returns where in a header the digest stands.
func digestPlace(header []byte) (int, error) {
	found := digestEntry.FindAllSubmatchIndex(header, 2)
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("the metadata hold no %s of its content", digestKey)
	case 1:
		return found[0][2], nil
	}
	return 0, fmt.Errorf("the place of the digest is not unique: a name or another entry holds its text")
}

// errUnsealed is the error of a file without a digest.
var errUnsealed = errors.New("the metadata hold no " + digestKey + " of its content")

// ReadSealed returns the content of a safetensors file of so many bytes and the SHA-256 of all of
// them in hexadecimal digits. It is an error where the file holds no digest of its content or
// another one.
func ReadSealed(r io.Reader, size int64) (*tensorfile.File, string, error) {
	f, digest, err := readSealed(r, size)
	if err == nil && digest == "" {
		err = errUnsealed
	}
	return f, digest, err
}

// ReadArrays is ReadSealed for files that may have no digest: sealed says whether they have one.
func ReadArrays(r io.Reader, size int64) (f *tensorfile.File, sealed bool, err error) {
	f, digest, err := readSealed(r, size)
	return f, digest != "", err
}

// readSealed returns the content of a file and the SHA-256 of all its bytes, or "" of a file
// without a digest.
func readSealed(r io.Reader, size int64) (*tensorfile.File, string, error) {
	whole := sha256.New()
	r = io.TeeReader(r, whole)
	head, err := readHeader(r)
	if err != nil {
		return nil, "", err
	}
	content := sha256.New()
	digest := patched(head, content)
	f, err := tensorfile.ReadSafetensorsOf(io.MultiReader(bytes.NewReader(head), io.TeeReader(r, content)), size)
	if err != nil || digest == "" {
		return f, "", err
	}
	if said := f.Metadata[digestKey]; said != digest {
		return nil, "", fmt.Errorf("the %s in the metadata does not stand in one place", digestKey)
	}
	if sum := content.Sum(nil); hex.EncodeToString(sum) != digest {
		return nil, "", fmt.Errorf("damaged: the SHA-256 of its content is %x, the metadata say %s", sum, digest)
	}
	return f, hex.EncodeToString(whole.Sum(nil)), nil
}

// readHeader returns the header of a safetensors file, or what there is of it.
func readHeader(r io.Reader) ([]byte, error) {
	var head bytes.Buffer
	if _, err := io.CopyN(&head, r, 8); err != nil {
		return head.Bytes(), passEnd(err)
	}
	n := binary.LittleEndian.Uint64(head.Bytes())
	const most = 100_000_000 // the format's bound
	_, err := io.CopyN(&head, r, int64(min(n, most)))
	return head.Bytes(), passEnd(err)
}

// passEnd returns nil for the end of a file: who reads on says what is missing.
func passEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// patched writes the header to sum with zeros in place of the digest, and returns that, or "" where
// there is none.
func patched(head []byte, sum hash.Hash) string {
	at, err := digestPlace(head)
	if err != nil {
		sum.Write(head)
		return ""
	}
	zeroed := bytes.Clone(head)
	copy(zeroed[at:], noDigest)
	sum.Write(zeroed)
	return string(head[at : at+len(noDigest)])
}

// intact returns an error unless the content of a sealed file has the digest that it says.
func intact(r io.Reader) error {
	head, err := readHeader(r)
	if err != nil {
		return err
	}
	content := sha256.New()
	digest := patched(head, content)
	if digest == "" {
		return errUnsealed
	}
	if _, err := io.Copy(content, r); err != nil {
		return err
	}
	if sum := content.Sum(nil); hex.EncodeToString(sum) != digest {
		return fmt.Errorf("damaged: the SHA-256 of its content is %x, the metadata say %s", sum, digest)
	}
	return nil
}
