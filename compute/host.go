package compute

// Entry is a type that entries of matrices have.
type Entry interface{ float32 | float64 | int8 }

// Host is a slice of the program's own memory, which an engine reads a matrix to and writes one
// from: exactly one of the three is set.
type Host struct {
	F32 []float32
	F64 []float64
	I8  []int8
}

// HostOf returns x as a Host.
func HostOf[T Entry](x []T) (h Host) {
	switch s := any(x).(type) {
	case []float32:
		h.F32 = s
	case []float64:
		h.F64 = s
	case []int8:
		h.I8 = s
	}
	return h
}

// Read sets dst from src, row by row. It panics unless dst has src's type and as many entries.
// Nothing is allocated.
func Read[T Entry](e Memory, dst []T, src Matrix) { e.Read(HostOf(dst), src) }

// Write sets dst from src, row by row. It panics unless src has dst's type and as many entries.
// Nothing is allocated.
func Write[T Entry](e Memory, dst Matrix, src []T) { e.Write(dst, HostOf(src)) }
