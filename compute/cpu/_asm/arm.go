package main

import (
	"fmt"
	"math"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// arm is one instruction set: what differs between 512 and 256 bits is hidden
// behind its methods, so that both arms run one order of arithmetic.
type arm struct {
	suffix string
	lanes  int               // float32 in a vector
	rows   int               // of a tile
	bf16   bool              // micro-kernels multiply words of two bfloat16
	lean   bool              // constants stay in memory, registers are scarce
	odd    reg.OpmaskVirtual // the odd lanes, where a kernel of the wide arm needs them
}

const tileVectors = 3 // vectors in a row of a tile

func (a arm) wide() bool { return a.lanes == 16 }

func (a arm) bytes() int { return a.lanes * 4 }

// tileStride returns the bytes between rows of a tile.
func (a arm) tileStride() int { return tileVectors * a.bytes() }

func (a arm) text(name, signature, doc string) {
	TEXT(name+a.suffix, NOSPLIT, signature)
	Pragma("noescape")
	Doc(strings.Split(name+a.suffix+" "+doc, "\n")...)
}

func (a arm) vec() reg.VecVirtual {
	if a.wide() {
		return ZMM()
	}
	return YMM()
}

func (a arm) zero() reg.VecVirtual {
	v := a.vec()
	if a.wide() {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
	return v
}

// constants holds one replicated vector for every constant in use.
var constants = map[string]Mem{}

// bits returns a vector of equal words: in a register on the wide arm, which
// has enough of them, and in memory on the other.
func (a arm) bits(name string, word uint32) Op {
	if a.wide() && !a.lean {
		r, v := GP32(), a.vec()
		MOVL(U32(word), r)
		VPBROADCASTD(r, v)
		return v
	}
	return a.memory(name, word)
}

// memory returns a vector of equal words in memory.
func (a arm) memory(name string, word uint32) Op {
	if m, ok := constants[name]; ok {
		return m
	}
	m := GLOBL(name+a.suffix, RODATA|NOPTR)
	for i := range a.lanes {
		DATA(4*i, U32(word))
	}
	constants[name] = m
	return m
}

func (a arm) float(name string, x float64) Op { return a.bits(name, math.Float32bits(float32(x))) }

// broadcast returns a vector of the float32 (or word) at m.
func (a arm) broadcast(m Mem) reg.VecVirtual {
	v := a.vec()
	VBROADCASTSS(m, v)
	return v
}

func (a arm) and(x Op, y, dst reg.VecVirtual) {
	if a.wide() {
		VPANDD(x, y, dst)
	} else {
		VPAND(x, y, dst)
	}
}

func (a arm) xor(x Op, y, dst reg.VecVirtual) {
	if a.wide() {
		VPXORD(x, y, dst)
	} else {
		VPXOR(x, y, dst)
	}
}

func (a arm) or(x Op, y, dst reg.VecVirtual) {
	if a.wide() {
		VPORD(x, y, dst)
	} else {
		VPOR(x, y, dst)
	}
}

func (a arm) load(m Mem) reg.VecVirtual {
	v := a.vec()
	VMOVUPS(m, v)
	return v
}

// copyOf returns a register that starts as v.
func (a arm) copyOf(v Op) reg.VecVirtual {
	w := a.vec()
	VMOVUPS(v, w)
	return w
}

// loop emits body for count, count-step, ... down to step. count is used up.
func loop(name string, count reg.Register, step int, body func()) {
	top, end := name, name+"_end"
	CMPQ(count, U32(step))
	JL(LabelRef(end))
	Label(top)
	body()
	SUBQ(U32(step), count)
	CMPQ(count, U32(step))
	JGE(LabelRef(top))
	Label(end)
}

func at(base reg.Register, disp int) Mem { return Mem{Base: base, Disp: disp} }

func indexed(base, index reg.Register, scale uint8, disp int) Mem {
	return Mem{Base: base, Index: index, Scale: scale, Disp: disp}
}

func labelf(format string, args ...any) string { return fmt.Sprintf(format, args...) }
