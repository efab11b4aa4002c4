package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Instructions of AVX512-BF16 between registers, which neither avo nor Go's assembler knows. They
// pass through avo under their names and are written as bytes at the end.
const (
	dotName     = "VDPBF16PS"      // sum += two products of bfloat16 in each lane
	convertName = "VCVTNE2PS2BF16" // dst = x and y rounded, y in the lower half
)

// encodings are the two bits of the mandatory prefix and the opcode in the map 0F38, W = 0.
var encodings = map[string]struct{ prefix, opcode byte }{dotName: {2, 0x52}, convertName: {3, 0x72}}

// multiplyAdd emits sum += b*x.
func (a arm) multiplyAdd(b, x, sum reg.VecVirtual) {
	if !a.bf16 {
		VFMADD231PS(b, x, sum)
		return
	}
	Instruction(&ir.Instruction{Opcode: dotName, Operands: []Op{b, x, sum}, Inputs: []Op{b, x, sum}, Outputs: []Op{sum}, ISA: []string{"AVX512_BF16"}})
}

// convert returns x and y rounded to bfloat16, x in the lower half.
func convert(x, y reg.VecVirtual) reg.VecVirtual {
	dst := ZMM()
	Instruction(&ir.Instruction{Opcode: convertName, Operands: []Op{x, y, dst}, Inputs: []Op{x, y}, Outputs: []Op{dst}, ISA: []string{"AVX512_BF16"}})
	return dst
}

// encode returns the bytes of an instruction on 512 bits whose operands are given as Go writes them,
// the destination last (Intel's manual, 2.7: EVEX).
func encode(name string, rm, vvvv, r int) [6]byte {
	e := encodings[name]
	inverted := func(n, bit, to int) byte { return byte(^n>>bit&1) << to }
	return [6]byte{
		0x62,
		inverted(r, 3, 7) | inverted(rm, 4, 6) | inverted(rm, 3, 5) | inverted(r, 4, 4) | 2,
		byte(^vvvv&15)<<3 | 4 | e.prefix,
		2<<5 | inverted(vvvv, 4, 3),
		e.opcode,
		3<<6 | byte(r&7)<<3 | byte(rm&7),
	}
}

// writeBytes replaces the instructions in the file that avo has written by their bytes, each behind a
// comment that names it.
func writeBytes() {
	var out string
	for i, arg := range os.Args {
		if arg == "-out" {
			out = os.Args[i+1]
		}
	}
	text, err := os.ReadFile(out)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	line := regexp.MustCompile(`(?m)^\t(` + dotName + `|` + convertName + `) +Z(\d+), Z(\d+), Z(\d+)$`)
	written := line.ReplaceAllStringFunc(string(text), func(s string) string {
		m := line.FindStringSubmatch(s)
		var n [3]int
		for i := range n {
			n[i], _ = strconv.Atoi(m[2+i])
		}
		b := encode(m[1], n[0], n[1], n[2])
		return fmt.Sprintf("\t// %s Z%d, Z%d, Z%d\n\tLONG $0x%02x%02x%02x%02x; WORD $0x%02x%02x", m[1], n[0], n[1], n[2], b[3], b[2], b[1], b[0], b[5], b[4])
	})
	if strings.Count(written, "LONG") == 0 || os.WriteFile(out, []byte(written), 0o644) != nil {
		fmt.Fprintln(os.Stderr, "no instruction written to", out)
		os.Exit(1)
	}
}

// interleaved returns the places of words in a vector that convert has made: first of x, then of y.
func interleaved() Mem {
	if m, ok := constants["interleaved"]; ok {
		return m
	}
	m := GLOBL("interleavedBF16", RODATA|NOPTR)
	constants["interleaved"] = m
	for i := range 16 {
		DATA(4*i, U32(uint32(i)|uint32(i+16)<<16))
	}
	return m
}

// widened returns n (or all) entries at m as float32.
func widened(m Mem, k reg.OpmaskVirtual, masked bool, size int) reg.VecVirtual {
	v := ZMM()
	switch {
	case size == 4 && masked:
		VMOVUPS_Z(m, k, v)
	case size == 4:
		VMOVUPS(m, v)
	default:
		if masked {
			b := XMM()
			VMOVDQU8_Z(m, k, b)
			VPMOVSXBD(b, v)
		} else {
			VPMOVSXBD(m, v)
		}
		VCVTDQ2PS(v, v)
	}
	return v
}

// lowest sets k to the n lowest bits, n being in CX and at most 63; r is overwritten.
func lowest(r reg.GPVirtual) {
	MOVQ(U32(1), r)
	SHLQ(reg.CL, r)
	DECQ(r)
}

// leftOver sets left to its remainder by 32, and first and second to the masks of so many columns in two vectors; CX and r are overwritten.
func leftOver(left, r reg.GPVirtual, first, second reg.OpmaskVirtual) {
	ANDQ(U8(31), left)
	MOVQ(left, reg.RCX)
	lowest(r)
	KMOVW(r.As32(), first)
	SHRQ(U8(16), r)
	KMOVW(r.As32(), second)
}

func (a arm) roundRect(name, element string, size int) {
	a.text("round"+name, "func(dst *float32, src *"+element+", dstStep, srcStep, rows, cols uintptr)",
		"rounds rows to bfloat16; steps are bytes between rows:\n\tword j of row i = src[i,2*j], src[i,2*j+1], 0 beyond the last column")
	dst, src, dstStep, srcStep, rows, cols := a.rect()
	first, second, words := K(), K(), K() // of the 31 or fewer columns left over
	left, r := GP64(), GP64()
	MOVQ(cols, left)
	leftOver(left, r, first, second)
	INCQ(reg.RCX)
	SHRQ(U8(1), reg.RCX)
	lowest(r)
	KMOVW(r.As32(), words)
	loop("row", rows, 1, func() {
		d, s, n := GP64(), GP64(), GP64()
		MOVQ(dst, d)
		MOVQ(src, s)
		MOVQ(cols, n)
		loop("vector", n, 32, func() {
			PREFETCHT0(Mem{Base: s, Index: srcStep, Scale: 8})
			VMOVDQU32(convert(widened(at(s, 0), first, false, size), widened(at(s, 16*size), first, false, size)), at(d, 0))
			ADDQ(U32(64), d)
			ADDQ(U32(32*size), s)
		})
		TESTQ(left, left)
		JZ(LabelRef("next"))
		VMOVDQU32(convert(widened(at(s, 0), first, true, size), widened(at(s, 16*size), second, true, size)), words, at(d, 0))
		Label("next")
		ADDQ(dstStep, dst)
		ADDQ(srcStep, src)
	})
	VZEROUPPER()
	RET()
}

func (a arm) pairRect(name, element string, size int) {
	a.text("pair"+name, "func(dst *float32, src *"+element+", dstStep, srcStep, steps, cols uintptr)",
		"rounds rows in pairs to bfloat16; steps are bytes between rows:\n\tword j of row i = src[2*i,j], src[2*i+1,j], 0 beyond the last row")
	dst, src, dstStep, srcStep := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("dstStep"), GP64()), Load(Param("srcStep"), GP64())
	steps, cols := Load(Param("steps"), GP64()), Load(Param("cols"), GP64())
	places := a.load(interleaved())
	k, left, r := K(), GP64(), GP64()
	MOVQ(cols, left)
	ANDQ(U8(15), left)
	MOVQ(left, reg.RCX)
	lowest(r)
	KMOVW(r.As32(), k)
	d, s, n := GP64(), GP64(), GP64()
	// emits a row of words; both: of two rows.
	words := func(label string, both bool) {
		second := func(masked bool) reg.VecVirtual {
			if !both {
				return a.zero()
			}
			return widened(Mem{Base: s, Index: srcStep, Scale: 1}, k, masked, size)
		}
		MOVQ(dst, d)
		MOVQ(src, s)
		MOVQ(cols, n)
		loop(label+"_vector", n, 16, func() {
			if both {
				PREFETCHT0(Mem{Base: s, Index: srcStep, Scale: 8})
			}
			v := convert(widened(at(s, 0), k, false, size), second(false))
			VPERMW(v, places, v)
			VMOVDQU32(v, at(d, 0))
			ADDQ(U32(64), d)
			ADDQ(U32(16*size), s)
		})
		TESTQ(left, left)
		JZ(LabelRef(label + "_next"))
		v := convert(widened(at(s, 0), k, true, size), second(true))
		VPERMW(v, places, v)
		VMOVDQU32(v, k, at(d, 0))
		Label(label + "_next")
		ADDQ(dstStep, dst)
		LEAQ(Mem{Base: src, Index: srcStep, Scale: 2}, src)
	}
	loop("two", steps, 2, func() { words("both", true) })
	loop("one", steps, 1, func() { words("last", false) })
	VZEROUPPER()
	RET()
}

// pairPanels emits the packing of row panels of a transposed matrix.
func (a arm) pairPanels(name, element string, size int) {
	a.text("panels"+name, "func(dst *float32, src *"+element+", weights *float32, dstStep, srcStep, weightStep, steps, panels uintptr)",
		labelf(`packs panels of %d columns side by side; the steps are bytes between panels, rows and weights:
	word i of step l of panel p = x[2*l,%d*p+i], x[2*l+1,%d*p+i], 0 beyond the last row, x[l,j] = weights[l] * float32(src[l,j])`, a.rows, a.rows, a.rows))
	dst, src, weights := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("weights"), GP64())
	dstStep, srcStep, weightStep := Load(Param("dstStep"), GP64()), Load(Param("srcStep"), GP64()), Load(Param("weightStep"), GP64())
	steps, panels := Load(Param("steps"), GP64()), Load(Param("panels"), GP64())
	places := a.load(interleaved())
	k, r := K(), GP32()
	MOVL(U32(0xff), r)
	KMOVW(r, k)
	d, s, n := GP64(), GP64(), GP64()
	words := func(label string, both bool) {
		w, w2 := ZMM(), ZMM()
		VBROADCASTSS(at(weights, 0), w)
		if both {
			VBROADCASTSS(Mem{Base: weights, Index: weightStep, Scale: 1}, w2)
		}
		row := func(masked bool) reg.VecVirtual {
			x, y := widened(at(s, 0), k, masked, size), a.zero()
			VMULPS(x, w, x)
			if both {
				y = widened(Mem{Base: s, Index: srcStep, Scale: 1}, k, masked, size)
				VMULPS(y, w2, y)
			}
			v := convert(x, y)
			VPERMW(v, places, v)
			return v
		}
		MOVQ(dst, d)
		MOVQ(src, s)
		MOVQ(panels, n)
		loop(label+"_panels", n, 2, func() {
			v, high := row(false), YMM()
			VMOVUPS(v.AsY(), at(d, 0))
			VEXTRACTF64X4(U8(1), v, high)
			VMOVUPS(high, Mem{Base: d, Index: dstStep, Scale: 1})
			LEAQ(Mem{Base: d, Index: dstStep, Scale: 2}, d)
			ADDQ(U32(16*size), s)
		})
		loop(label+"_panel", n, 1, func() { VMOVUPS(row(true).AsY(), at(d, 0)) })
		ADDQ(U32(4*a.rows), dst)
		LEAQ(Mem{Base: src, Index: srcStep, Scale: 2}, src)
		LEAQ(Mem{Base: weights, Index: weightStep, Scale: 2}, weights)
	}
	loop("two", steps, 2, func() { words("both", true) })
	loop("one", steps, 1, func() { words("last", false) })
	VZEROUPPER()
	RET()
}
