package cpu

import (
	"debug/elf"
	"encoding/hex"
	"flag"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// go test ./compute/cpu -run BF16Kernels -bf16 10000000 takes some seconds.
var bf16Cases = flag.Int("bf16", 200_000, "random cases of TestBF16Kernels")

// bf16Specials are words whose halves are zeros, infinities, NaNs, the largest and the least numbers, and
// numbers whose products are half way between two float32 or where these become zero.
func bf16Specials() []uint32 {
	var words []uint32
	halves := []uint32{0, 0x8000, 0x3f80, 0xbf80, 0x7f80, 0xff80, 0x7fc0, 0x7f7f, 0xff7f, 0x0080, 0x8080, 0x2000, 0x9f80, 0x3f81, 0x1400, 0x9400, 0x9401, 0x9381, 0x33ff, 0x1f80, 0x9fff}
	for _, high := range halves {
		for _, low := range halves {
			words = append(words, high<<16|low)
		}
	}
	return words
}

// The kernels of every arm have the bits of compute.AddProductsBF16: one row and column of their tiles at a time, sums of
// two steps on random words and of one on all pairs of special ones, after a first step that makes
// the sum special too.
func TestBF16Kernels(t *testing.T) {
	for _, k := range arms() {
		columns := k.cols()
		a, b, c := make([]float32, 2*k.rows), make([]float32, 2*columns), make([]float32, tileMax)
		check := func(ws [2][]uint32, vs [2][]uint32) {
			for l := range 2 {
				for i := range k.rows {
					*wordAt(&a[l*k.rows+i], 0) = ws[l][i]
				}
				for j := range columns {
					*wordAt(&b[l*columns+j], 0) = vs[l][j]
				}
			}
			k.bf16.micro[byColumns][k.rows/4-1][tileVectors-1](&c[0], &a[0], &b[0], 4*uintptr(k.rows), 4*uintptr(columns), 2, 0, &b[0], &c[0], 4*uintptr(columns))
			for i := range k.rows {
				for j := range columns {
					var want float32
					for l := range 2 {
						want = compute.AddProductsBF16(want, halves(ws[l][i]), halves(vs[l][j]))
					}
					if got := c[i*columns+j]; math.Float32bits(got) != math.Float32bits(want) && (got == got || want == want) {
						t.Fatalf("%s: words %08x * %08x + %08x * %08x = %x, want %x", k.name, ws[0][i], vs[0][j], ws[1][i], vs[1][j], math.Float32bits(got), math.Float32bits(want))
					}
				}
			}
		}
		// packed words hold no subnormal numbers
		normal := func(w uint32) uint32 {
			if w&0x7f80 == 0 {
				w &^= 0x7f
			}
			if w&0x7f800000 == 0 {
				w &^= 0x7f0000
			}
			return w
		}
		key := rng.Key(8)
		var ws, vs [2][]uint32
		for l := range 2 {
			ws[l], vs[l] = make([]uint32, k.rows), make([]uint32, columns)
		}
		for n := 0; n < *bf16Cases; n += k.rows * columns {
			for l := range 2 {
				for i := range ws[l] {
					ws[l][i] = key.Uint32(uint64(n), uint64(100*l+i))
				}
				for j := range vs[l] {
					vs[l][j] = key.Uint32(uint64(n), uint64(100*l+20+j))
				}
				if n%3 > 0 { // exponents near each other
					for i := range ws[l] {
						ws[l][i] = ws[l][i]&0x83ff83ff | 0x3c003c00
					}
					for j := range vs[l] {
						vs[l][j] = vs[l][j]&0x83ff83ff | 0x3c003c00
					}
				}
				for i := range ws[l] {
					ws[l][i] = normal(ws[l][i])
				}
				for j := range vs[l] {
					vs[l][j] = normal(vs[l][j])
				}
			}
			check(ws, vs)
		}
		special := bf16Specials()
		starts := []uint32{0, 0x3f80, 0xbf80, 0x7f80, 0xff80, 0x7fc0, 0x0080, 0x8080, 0x7f7f, 0x8000}
		for r := 0; r < len(special); r += k.rows {
			for s := 0; s < len(special); s += columns {
				for n, start := range starts {
					for i := range ws[1] {
						ws[1][i] = special[(r+i)%len(special)]
						ws[0][i] = start
					}
					for j := range vs[1] {
						vs[1][j] = special[(s+j)%len(special)]
						vs[0][j] = 0x3f80
						if j%2 == 1 {
							vs[0][j] = starts[(n+j)%len(starts)]
						}
					}
					check(ws, vs)
				}
			}
		}
	}
}

// Packing on every arm gives the words of compute.RoundBF16, from numbers of all sizes, and touches nothing else.
func TestBF16Packing(t *testing.T) {
	const rows, cols = 7, 83
	src, spins := make([]float32, rows*cols), make([]int8, rows*cols)
	for i := range src {
		src[i] = math.Float32frombits(rng.Key(3).Uint32(0, uint64(i)))
		if i%5 == 0 { // halves of a step
			src[i] = math.Float32frombits(math.Float32bits(src[i])&0xffff0000 | 0x8000)
		}
		spins[i] = int8(i*i%3 - 1)
	}
	copy(src, []float32{0, float32(math.Copysign(0, -1)), 1e-39, -1e-39, float32(math.Inf(1)), float32(math.NaN()), math.MaxFloat32, -math.MaxFloat32, 0x1p-126, 257, 259})
	results := func(k *kernels) (all []uint32) {
		for n := range cols {
			for _, f := range []func(dst []float32){
				func(dst []float32) {
					k.bf16.round(&dst[0], &src[0], 4*cols, 4*cols, rows, uintptr(n))
				},
				func(dst []float32) { k.bf16.roundSpins(&dst[0], &spins[0], 4*cols, cols, rows, uintptr(n)) },
				func(dst []float32) { k.bf16.pair(&dst[0], &src[0], 4*cols, 4*cols, uintptr(n%rows), uintptr(n)) },
				func(dst []float32) {
					k.bf16.pairSpins(&dst[0], &spins[0], 4*cols, cols, uintptr(n%rows), uintptr(n))
				},
			} {
				dst := make([]float32, rows*cols)
				f(dst)
				for i := range dst {
					all = append(all, math.Float32bits(dst[i]))
				}
			}
		}
		// Panels have as many columns as the arm's tiles have rows: word by word, in the order of columns.
		for steps := range rows {
			for _, weights := range [][]float32{unweighted[:], src} {
				dst, dst8 := make([]float32, 40*cols), make([]float32, 40*cols)
				panels, step := 40/k.rows, uintptr(4*rows*k.rows)
				w := uintptr(0)
				if len(weights) > 1 {
					w = 4
				}
				k.bf16.panels(&dst[0], &src[0], &weights[0], step, 4*cols, w, uintptr(steps), uintptr(panels))
				k.bf16.panelsSpins(&dst8[0], &spins[0], &weights[0], step, cols, w, uintptr(steps), uintptr(panels))
				for c := range 40 {
					for l := range rows {
						at := c/k.rows*int(step)/4 + l*k.rows + c%k.rows
						all = append(all, math.Float32bits(dst[at]), math.Float32bits(dst8[at]))
					}
				}
			}
		}
		return all
	}
	want := results(generic)
	for _, k := range arms()[1:] {
		if got := results(k); !slices.Equal(got, want) {
			t.Errorf("%s packs other words than the generic arm", k.name)
		}
	}
}

// The bytes that stand for instructions which Go's assembler lacks are those of an assembler that has
// them.
func TestBF16Bytes(t *testing.T) {
	text, err := os.ReadFile("kernels_bf16_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`// (V\w+) Z(\d+), Z(\d+), Z(\d+)\n\tLONG \$0x(\w{8}); WORD \$0x(\w{4})\n`).FindAllStringSubmatch(string(text), -1)
	if n := strings.Count(string(text), "LONG"); n == 0 || n != len(found) {
		t.Fatalf("%d instructions are written as bytes, and %d of them have a name", n, len(found))
	}
	written := map[string]string{} // by instruction as assemblers write it
	for _, m := range found {
		little := func(s string) (b string) {
			for i := len(s); i > 0; i -= 2 {
				b += s[i-2 : i]
			}
			return b
		}
		written["\t"+strings.ToLower(m[1])+" %zmm"+m[2]+", %zmm"+m[3]+", %zmm"+m[4]] = little(m[5]) + little(m[6])
	}
	var lines []string
	for s := range written {
		lines = append(lines, s)
	}
	slices.Sort(lines)
	object := filepath.Join(t.TempDir(), "x.o")
	var assembler *exec.Cmd
	for _, args := range [][]string{{"as", "--64", "-o", object, "-"}, {"llvm-mc", "--triple=x86_64", "--mattr=+avx512bf16,+avx512f", "--filetype=obj", "-o", object, "-"}} {
		if path, err := exec.LookPath(args[0]); err == nil {
			assembler = exec.Command(path, args[1:]...)
			break
		}
	}
	if assembler == nil {
		t.Skip("neither as nor llvm-mc is here")
	}
	assembler.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := assembler.CombinedOutput(); err != nil {
		t.Skipf("%v: %v: %s", assembler.Path, err, out)
	}
	code := textOf(t, object)
	for i, s := range lines {
		if got := code[12*i:][:12]; got != written[s] {
			t.Errorf("%s is %s, written as %s", strings.TrimSpace(s), got, written[s])
		}
	}
	if len(code) != 12*len(lines) {
		t.Errorf("%d bytes for %d instructions", len(code)/2, len(lines))
	}
}

// textOf returns the code of an object file in hexadecimal.
func textOf(t *testing.T, object string) string {
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	code, err := f.Section(".text").Data()
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(code)
}
