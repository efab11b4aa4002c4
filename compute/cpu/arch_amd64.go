//go:build !purego

package cpu

import "golang.org/x/sys/cpu"

var avx2 = &kernels{
	name: "avx2", rows: 4, lanes: 8,
	micro: [2][2][tileVectors]micro{
		{{microRows4x1AVX2, microRows4x2AVX2, microRows4x3AVX2}},
		{{microColumns4x1AVX2, microColumns4x2AVX2, microColumns4x3AVX2}},
	},
	outer: outerTileAVX2, field: fieldTileAVX2, store: storeTileAVX2, tanh: tanhTileAVX2, cosh: coshTileAVX2, spin: spinTileAVX2, normal: normalTileAVX2,
	scanBlock: scanBlockAVX2, scanNumbers: scanNumbersAVX2, turn: turnAVX2,
	copyRect: copyRectAVX2, widenRect: widenRectAVX2, panels: panelsAVX2, panels8: panelsSpinsAVX2,
	transpose: [2]func(dst, src *float32, dstStep, srcStep, squares uintptr){transposeAVX2, transposeHalfAVX2}, addTo: addToAVX2, peak: peakAVX2,
	vectors:  &vectorKernels{combineAVX2, combineSpinsAVX2, scaleAVX2, scaleSpinsAVX2, adamAVX2, clipAVX2, signAVX2, signSpinsAVX2, dotAVX2, dotSpinsAVX2, largestAVX2},
	pairRows: 2, pairFactors: pairFactorsAVX2, pairProducts: pairProductsAVX2, pairMaxima: pairMaximaAVX2,
	pairRatios: pairRatiosAVX2, pairMeans: [2]pairMeansKernel{pairMeansAVX2, pairMeansOfRatiosAVX2},
	bf16: newBF16Generic(4, 8), signs: newSignsGeneric(4, 8),
}

var avx512 = &kernels{
	name: "avx512", rows: 8, lanes: 16,
	micro: [2][2][tileVectors]micro{
		{{microRows4x1AVX512, microRows4x2AVX512, microRows4x3AVX512}, {microRows8x1AVX512, microRows8x2AVX512, microRows8x3AVX512}},
		{{microColumns4x1AVX512, microColumns4x2AVX512, microColumns4x3AVX512}, {microColumns8x1AVX512, microColumns8x2AVX512, microColumns8x3AVX512}},
	},
	outer: outerTileAVX512, field: fieldTileAVX512, store: storeTileAVX512, tanh: tanhTileAVX512, cosh: coshTileAVX512, spin: spinTileAVX512, normal: normalTileAVX512,
	scanBlock: scanBlockAVX512, scanNumbers: scanNumbersAVX512, turn: turnAVX512,
	copyRect: copyRectAVX512, widenRect: widenRectAVX512, panels: panelsAVX512, panels8: panelsSpinsAVX512,
	transpose: [2]func(dst, src *float32, dstStep, srcStep, squares uintptr){transposeAVX512, transposeHalfAVX512}, addTo: addToAVX512, peak: peakAVX512,
	vectors:  &vectorKernels{combineAVX512, combineSpinsAVX512, scaleAVX512, scaleSpinsAVX512, adamAVX512, clipAVX512, signAVX512, signSpinsAVX512, dotAVX512, dotSpinsAVX512, largestAVX512},
	pairRows: 4, pairFactors: pairFactorsAVX512, pairProducts: pairProductsAVX512, pairMaxima: pairMaximaAVX512,
	pairRatios: pairRatiosAVX512, pairMeans: [2]pairMeansKernel{pairMeansAVX512, pairMeansOfRatiosAVX512},
	bf16: newBF16Generic(8, 16), signs: newSignsGeneric(8, 16),
}

// ofAVX512BF16 are those of avx512 where the processor multiplies bfloat16.
var ofAVX512BF16 = bf16Kernels{
	micro: [2][2][tileVectors]micro{
		{{microRows4x1BF16, microRows4x2BF16, microRows4x3BF16}, {microRows8x1BF16, microRows8x2BF16, microRows8x3BF16}},
		{{microColumns4x1BF16, microColumns4x2BF16, microColumns4x3BF16}, {microColumns8x1BF16, microColumns8x2BF16, microColumns8x3BF16}},
	},
	round: roundBF16, roundSpins: roundSpinsBF16, pair: pairBF16, pairSpins: pairSpinsBF16,
	panels: panelsBF16, panelsSpins: panelsSpinsBF16, peak: peakBF16,
}

// ofAVX512Signs are those of avx512 where the processor counts the ones of words.
var ofAVX512Signs = signKernels{
	popcounts: [2][tileVectors]func(c *float32, a, b *uint32, steps uintptr){
		{popcounts4x1AVX512, popcounts4x2AVX512, popcounts4x3AVX512}, {popcounts8x1AVX512, popcounts8x2AVX512, popcounts8x3AVX512}},
	lookups: [2][tileVectors]func(c *float32, tables *int16, b *uint16, steps, add uintptr){
		{lookups4x1AVX512, lookups4x2AVX512, lookups4x3AVX512}, {lookups8x1AVX512, lookups8x2AVX512, lookups8x3AVX512}},
	spinWords: spinWordsAVX512, signWords: signWordsAVX512, shorts: shortsAVX512, signIndices: signIndicesAVX512, tables: tablesAVX512, fast: true,
}

func init() {
	if cpu.X86.HasAVX512VPOPCNTDQ && cpu.X86.HasPOPCNT {
		avx512.signs = ofAVX512Signs
	}
	if cpu.X86.HasAVX512BF16 {
		avx512.bf16 = ofAVX512BF16
	}
}

func arms() []*kernels {
	a := []*kernels{generic}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		a = append(a, avx2)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL {
			a = append(a, avx512)
		}
	}
	return a
}
