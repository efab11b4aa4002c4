// Command _asm writes the assembly kernels of package cpu: one file of code and
// one of declarations for each of the arms avx512 and avx2, for bf16, what the first of them takes
// for products in bfloat16, and for integers, what it takes for integers times signs. Run it by "go generate ./compute/cpu".
package main

import (
	"fmt"
	"os"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	name := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...) // the rest are avo's flags
	var a arm
	switch name {
	case "avx512":
		a = arm{suffix: "AVX512", lanes: 16, rows: 8}
	case "avx2":
		a = arm{suffix: "AVX2", lanes: 8, rows: 4}
	case "bf16":
		a = arm{suffix: "BF16", lanes: 16, rows: 8, bf16: true}
	case "integers":
		a = arm{suffix: "AVX512", lanes: 16, rows: 8}
	default:
		fmt.Fprintf(os.Stderr, "no arm %q, want avx512, avx2, bf16 or integers\n", name)
		os.Exit(2)
	}
	ConstraintExpr("amd64,!purego")
	if name == "integers" {
		a.integers()
		Generate()
		return
	}
	a.micros()
	if a.bf16 {
		a.roundRect("", "float32", 4)
		a.roundRect("Spins", "int8", 1)
		a.pairRect("", "float32", 4)
		a.pairRect("Spins", "int8", 1)
		a.pairPanels("", "float32", 4)
		a.pairPanels("Spins", "int8", 1)
		a.peak()
		Generate()
		writeBytes()
		return
	}
	rest(a)
	Generate()
}

// micros emits the micro-kernels.
func (a arm) micros() {
	for _, layout := range []string{"Rows", "Columns"} {
		for rows := 4; rows <= a.rows; rows += 4 {
			for vectors := 1; vectors <= tileVectors; vectors++ {
				a.micro(layout, rows, vectors)
			}
		}
	}
}

// rest emits all other kernels of an arm.
func rest(a arm) {
	a.outerTile()
	a.fieldTile()
	a.storeTile()
	a.tanhTile()
	a.coshTile()
	a.spinTile()
	a.normalTile()
	a.scanNumbers()
	a.scanBlock()
	a.turn()
	a.copyRect()
	a.widenRect()
	a.panels("", "float32", 4)
	a.panels("Spins", "int8", 1)
	a.transpose("", a.lanes)
	a.transpose("Half", a.lanes/2)
	a.addTo()
	a.pairFactors()
	a.pairProducts()
	a.pairMaxima()
	a.pairRatios()
	a.pairMeansOfFields()
	a.pairMeansOfRatios()
	a.combine("", "float32", 4)
	a.combine("Spins", "int8", 1)
	a.adam()
	a.clip()
	a.sign()
	a.dot("", "float32", 4)
	a.dot("Spins", "int8", 1)
	a.largest()
	a.peak()
}
