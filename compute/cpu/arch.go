package cpu

import (
	"fmt"
	"os"
	"sync"
)

//go:generate sh -c "cd _asm && go run . avx512 -out ../kernels_avx512_amd64.s -stubs ../kernels_avx512_amd64.go -pkg cpu"
//go:generate sh -c "cd _asm && go run . bf16 -out ../kernels_bf16_amd64.s -stubs ../kernels_bf16_amd64.go -pkg cpu"
//go:generate sh -c "cd _asm && go run . integers -out ../kernels_integers_amd64.s -stubs ../kernels_integers_amd64.go -pkg cpu"
//go:generate sh -c "cd _asm && go run . avx2 -out ../kernels_avx2_amd64.s -stubs ../kernels_avx2_amd64.go -pkg cpu"

// micro is a micro-kernel: see the declarations of the assembly.
type micro func(c, a, b *float32, aStep, bStep, steps, add uintptr, ahead, out *float32, outStep uintptr)

// How the panels of a lie: row by row, or for each step of the sum the rows side by side.
const (
	byRows = iota
	byColumns
)

// kernels is one arm of the dispatch: the loops that differ between processors.
// The declarations of the assembly say what each does.
type kernels struct {
	name  string
	rows  int // of a tile: 4 or 8
	lanes int // float32 in a vector; a tile has one to three vectors of columns

	micro     [2][2][tileVectors]micro // by layout, rows/4-1 and vectors-1
	outer     func(dst, a, b *float32, dstStep, bStep, steps, add uintptr, factor float32)
	field     func(t *byte)
	store     func(t *byte)
	tanh      func(t *byte)
	cosh      func(t *byte)
	spin      func(t *byte)
	normal    func(t *byte)
	copyRect  func(dst, src *float32, dstStep, srcStep, rows, cols uintptr)
	widenRect func(dst *float32, src *int8, dstStep, srcStep, rows, cols uintptr)
	panels    func(dst, src, weights *float32, dstStep, srcStep, weightStep, steps, panels uintptr)
	panels8   func(dst *float32, src *int8, weights *float32, dstStep, srcStep, weightStep, steps, panels uintptr)
	transpose [2]func(dst, src *float32, dstStep, srcStep, squares uintptr) // of all lanes' rows, and of half as many
	addTo     func(dst, src *float32, n uintptr)
	peak      func(turns uintptr)

	pairRows     int
	pairFactors  func(dst *float64, x *float32, n uintptr)
	pairProducts func(mantissas *float64, exponents *int64, x, y *float64, yStep, steps, per uintptr)
	pairMaxima   func(sums, x, y *float64, yStep, steps uintptr)
	pairRatios   func(x *float32, n uintptr)
	pairMeans    [2]pairMeansKernel // of fields, and of their exponentials

	scanBlock   func(b *byte)
	scanNumbers func(b *byte) // nil: plain Go
	turn        func(dst, src *int8, dstStep, srcStep uintptr)

	vectors *vectorKernels // nil: plain Go
	bf16    bf16Kernels
	signs   signKernels
}

// pairMeansKernel is a kernel of PairMeans on one vector of columns.
type pairMeansKernel func(sum, other, a, b, weights *float32, steps uintptr)

// vectorKernels take arrays of whole vectors.
type vectorKernels struct {
	combine      func(dst, x *float32, n uintptr, a, b float32)
	combineSpins func(dst *float32, x *int8, n uintptr, a, b float32)
	scale        func(dst, x *float32, n uintptr, a float32)
	scaleSpins   func(dst *float32, x *int8, n uintptr, a float32)
	adam         func(dst, g, m, s *float32, n uintptr, p *float32)
	clip         func(dst *float32, n uintptr, bound float32)
	sign         func(dst, x *float32, n uintptr)
	signSpins    func(dst *int8, x *float32, n uintptr)
	dot          func(sums *[8]float64, x, y *float32, n uintptr)
	dotSpins     func(sums *[8]float64, x *float32, y *int8, n uintptr)
	largest      func(x *float32, n uintptr) uint32
}

// cols returns the columns of a whole tile.
func (k *kernels) cols() int { return tileVectors * k.lanes }

// chosen is the arm that new engines take. MATTIS_ARCH=generic|avx2|avx512
// overrides what the processor offers.
var chosen struct {
	sync.Mutex
	arm      *kernels
	integers int
	err      error
	set      bool
}

func current() *kernels {
	chosen.Lock()
	defer chosen.Unlock()
	if !chosen.set {
		chosen.set = true
		chosen.arm = best()
		if name := os.Getenv("MATTIS_ARCH"); name != "" {
			arm, err := named(name)
			if err != nil {
				chosen.err = fmt.Errorf("MATTIS_ARCH: %w", err)
			} else {
				chosen.arm = arm
			}
		}
		chooseIntegers()
	}
	return chosen.arm
}

// Arch returns the name of the arm that new engines take, and an error if
// MATTIS_ARCH asks for one that this processor or build does not have (the
// best arm is taken then).
func Arch() (string, error) {
	arm := current()
	return arm.name, chosen.err
}

// modeOfIntegers returns what new engines do with products of integers.
func modeOfIntegers() int {
	current()
	chosen.Lock()
	defer chosen.Unlock()
	return chosen.integers
}

// Force makes new engines take the named arm and returns the undo.
func Force(name string) (undo func(), err error) {
	before := current()
	arm, err := named(name)
	if err != nil {
		return nil, err
	}
	chosen.Lock()
	defer chosen.Unlock()
	chosen.arm = arm
	return func() {
		chosen.Lock()
		defer chosen.Unlock()
		chosen.arm = before
	}, nil
}

// Arms returns the names of all arms that run here, the generic one first.
func Arms() []string {
	var names []string
	for _, k := range arms() {
		names = append(names, k.name)
	}
	return names
}

func named(name string) (*kernels, error) {
	for _, k := range arms() {
		if k.name == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("no arm %q here, want one of %v", name, Arms())
}

func best() *kernels { a := arms(); return a[len(a)-1] }
