package run

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mattis/tensorfile"
)

func save(t *testing.T, w *Writer, steps ...int) {
	t.Helper()
	for _, step := range steps {
		if err := w.Save(step, weights(float32(step))); err != nil {
			t.Fatal(err)
		}
	}
}

func wantSteps(t *testing.T, w *Writer, want ...int) {
	t.Helper()
	got, err := w.Checkpoints()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// Fails for a listing in the order of names, where step 100000000 comes before
// 99999999, and for one that takes foreign files for checkpoints.
func TestCheckpointNames(t *testing.T) {
	w := create(t)
	save(t, w, 100_000_000, 0, 99_999_999, 7)
	for _, name := range []string{"7.safetensors", "000000009.safetensors", "-0000001.safetensors", "best.safetensors", "00000003.npz", "00000004.safetensors.bak", "+0000005.safetensors"} {
		put(t, filepath.Join(w.Path(), CheckpointsFolder, name), "")
	}
	wantSteps(t, w, 0, 7, 99_999_999, 100_000_000)
	if _, err := os.Stat(filepath.Join(w.Path(), "checkpoints", "00000007.safetensors")); err != nil {
		t.Error(err)
	}
	c, refused, err := w.Newest()
	if err != nil || c.Step != 100_000_000 || len(refused) > 0 {
		t.Errorf("got %v, %v, %v", c, refused, err)
	}
	wantError(t, w.Save(-1, weights(1)), "negative step -1")
}

// Fails where a checkpoint depends on anything but its content, where the
// caller's metadata are changed, and where the digest is not what
// docs/format.md says.
func TestSaveIsDeterministic(t *testing.T) {
	a, b := create(t), create(t)
	f := weights(3)
	if err := a.Save(3, f); err != nil {
		t.Fatal(err)
	}
	if len(f.Metadata) != 2 {
		t.Errorf("Save changed the metadata to %v", f.Metadata)
	}
	first, err := a.Checkpoint(3)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Save(3, first.File); err != nil { // the content of a checkpoint is a content to save
		t.Fatal(err)
	}
	second, err := b.Checkpoint(3)
	if err != nil {
		t.Fatal(err)
	}
	if first.Digest != second.Digest {
		t.Errorf("equal content has the digests %s and %s", first.Digest, second.Digest)
	}
	raw, err := os.ReadFile(first.Path)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != first.Digest {
		t.Errorf("Digest is %s, the file's SHA-256 is %x", first.Digest, sum)
	}
	digest := first.File.Metadata["sha256"]
	if sum := sha256.Sum256(bytes.Replace(raw, []byte(digest), []byte(strings.Repeat("0", 64)), 1)); hex.EncodeToString(sum[:]) != digest {
		t.Errorf("the metadata say %s, the SHA-256 with that digest zeroed is %x", digest, sum)
	}
	if first.File.Metadata["step"] != "3" || first.File.Metadata["recipe"] != "ab" {
		t.Errorf("the metadata are %v", first.File.Metadata)
	}
}

// sealed and unsealed are seal and unseal of bytes.
func sealed(step int, f *tensorfile.File) ([]byte, error) {
	var b bytes.Buffer
	err := seal(&b, step, f)
	return b.Bytes(), err
}

func unsealed(step int, b []byte) (*tensorfile.File, error) {
	f, _, err := unseal(step, bytes.NewReader(b), int64(len(b)))
	if err == nil && intact(bytes.NewReader(b)) != nil {
		return nil, errors.New("it is read, and is not intact")
	}
	return f, err
}

// Fails for a reader that overlooks damage anywhere in the file: every byte
// changed in two ways, and every length.
func TestDamageIsFound(t *testing.T) {
	good, err := sealed(5, weights(2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unsealed(5, bytes.Clone(good)); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for _, flip := range []byte{1, 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= flip
			if _, err := unsealed(5, bad); err == nil {
				t.Fatalf("byte %d of %d changed from %#x to %#x and was not missed", i, len(good), good[i], good[i]^flip)
			}
		}
		if _, err := unsealed(5, bytes.Clone(good[:i])); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a checkpoint", i, len(good))
		}
	}
	if _, err := unsealed(6, bytes.Clone(good)); err == nil || !strings.Contains(err.Error(), `the metadata say step "5", the name says 6`) {
		t.Errorf("a renamed checkpoint: %v", err)
	}
}

func TestNewestPassesOverDamage(t *testing.T) {
	w := create(t)
	if _, _, err := w.Newest(); !errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("got %v, want ErrNoCheckpoint", err)
	}
	save(t, w, 1, 2, 3, 4, 5, 6, 7)
	change := func(step int, f func([]byte) []byte) {
		b, err := os.ReadFile(w.checkpointPath(step))
		if err != nil {
			t.Fatal(err)
		}
		put(t, w.checkpointPath(step), string(f(b)))
	}
	change(7, func(b []byte) []byte { return nil })
	change(6, func(b []byte) []byte { return b[:len(b)-3] })
	change(5, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	change(4, func(b []byte) []byte { return append(b, 0) })
	change(3, func([]byte) []byte {
		var b bytes.Buffer
		if err := tensorfile.WriteSafetensors(&b, weights(3)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	})
	c, refused, err := w.Newest()
	if err != nil || c.Step != 2 {
		t.Fatalf("got %v, %v, want step 2", c, err)
	}
	if x, _ := c.File.Tensor("weights"); x.Data.([]float32)[0] != 2 {
		t.Errorf("step 2 holds %v", x.Data)
	}
	want := []string{
		"00000007.safetensors: byte 0: truncated: the header's length needs 8 bytes, 0 are left",
		`00000006.safetensors: byte 272: truncated: the data of all tensors needs 18 bytes, 15 are left`,
		"00000005.safetensors: damaged: the SHA-256 of its content is",
		"00000004.safetensors: byte",
		"00000003.safetensors: the metadata hold no sha256 of its content",
	}
	if len(refused) != len(want) {
		t.Fatalf("refused %v", refused)
	}
	for i := range want {
		wantError(t, refused[i], want[i], w.Path())
	}
	_, err = w.Checkpoint(99)
	wantError(t, err, "00000099.safetensors", "there are the steps [1 2 3 4 5 6 7]")
	if err := os.RemoveAll(filepath.Join(w.Path(), CheckpointsFolder)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Newest(); !errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("no folder: got %v, want ErrNoCheckpoint", err)
	}
	w = resume(t, w)
	save(t, w, 8)
	wantSteps(t, w, 8)
}

func TestKeep(t *testing.T) {
	w := create(t)
	keep := func(n int) {
		t.Helper()
		if err := w.Keep(n); err != nil {
			t.Fatal(err)
		}
	}
	save(t, w, 1, 2, 3, 4, 5)
	keep(0)
	keep(-1)
	keep(5)
	wantSteps(t, w, 1, 2, 3, 4, 5)
	keep(3)
	wantSteps(t, w, 3, 4, 5)
	put(t, w.checkpointPath(5), "damaged")
	keep(1) // step 4 is the newest good one
	wantSteps(t, w, 4, 5)
	put(t, w.checkpointPath(4), "damaged")
	keep(1) // nothing is good: nothing is deleted
	wantSteps(t, w, 4, 5)
	save(t, w, 6)
	keep(1)
	wantSteps(t, w, 6)
}

func FuzzUnseal(f *testing.F) {
	b, err := sealed(5, weights(2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(fmt.Sprintf("\x70\x00\x00\x00\x00\x00\x00\x00{\"__metadata__\":{\"sha256\":\"%064d\"}}", 0)))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := unsealed(5, bytes.Clone(data))
		if err != nil {
			return
		}
		again, err := sealed(5, got)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unsealed(5, again); err != nil {
			t.Fatal(err)
		}
	})
}
