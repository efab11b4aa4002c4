package cpu

import (
	"testing"
	"unsafe"
)

// The offsets that the generator of the assembly (_asm/epilogue.go) has written in.
func TestTileOffsets(t *testing.T) {
	var x tile
	for name, o := range map[string][2]uintptr{
		"y": {unsafe.Offsetof(x.y), 0}, "rows": {unsafe.Offsetof(x.rows), 8}, "columns": {unsafe.Offsetof(x.columns), 16},
		"bias": {unsafe.Offsetof(x.bias), 24}, "base": {unsafe.Offsetof(x.base), 32}, "cosh": {unsafe.Offsetof(x.cosh), 40},
		"factor": {unsafe.Offsetof(x.factor), 48}, "add": {unsafe.Offsetof(x.add), 52}, "column": {unsafe.Offsetof(x.column), 56},
		"scaled": {unsafe.Offsetof(x.scaled), 60}, "keys": {unsafe.Offsetof(x.keys), 64}, "start": {unsafe.Offsetof(x.start), 144},
		"scale": {unsafe.Offsetof(x.scale), 176}, "dst": {unsafe.Offsetof(x.dst), 208}, "mask": {unsafe.Offsetof(x.mask), 272},
	} {
		if o[0] != o[1] {
			t.Errorf("%s is at %d, the kernels read it at %d", name, o[0], o[1])
		}
	}
}

// The same of the blocks of scans (_asm/scan.go).
func TestScanBlockOffsets(t *testing.T) {
	var x scanBlock
	for name, o := range map[string][2]uintptr{
		"y": {unsafe.Offsetof(x.y), 0}, "delta": {unsafe.Offsetof(x.delta), 8}, "couplings": {unsafe.Offsetof(x.couplings), 16},
		"perSpin": {unsafe.Offsetof(x.perSpin), 24}, "bounds": {unsafe.Offsetof(x.bounds), 32}, "uniform": {unsafe.Offsetof(x.uniform), 40},
		"add": {unsafe.Offsetof(x.add), 48}, "scale": {unsafe.Offsetof(x.scale), 56}, "spins": {unsafe.Offsetof(x.spins), 64},
		"clamp": {unsafe.Offsetof(x.clamp), 72}, "start": {unsafe.Offsetof(x.start), 80}, "offsets": {unsafe.Offsetof(x.offsets), 88},
		"vectors": {unsafe.Offsetof(x.vectors), 96}, "factor": {unsafe.Offsetof(x.factor), 104}, "column": {unsafe.Offsetof(x.column), 108},
		"four": {unsafe.Offsetof(x.four), 112}, "keys": {unsafe.Offsetof(x.keys), 116},
	} {
		if o[0] != o[1] {
			t.Errorf("%s is at %d, the kernels read it at %d", name, o[0], o[1])
		}
	}
}
