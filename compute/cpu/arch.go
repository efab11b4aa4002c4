package cpu

import (
	"fmt"
	"os"
	"sync"
)

// kernels is one arm of the dispatch: the loops that differ between processors.
type kernels struct {
	name string
}

var generic = &kernels{name: "generic"}

// chosen is the arm that new engines take. MATTIS_ARCH=generic|avx2|avx512
// overrides what the processor offers.
var chosen struct {
	sync.Mutex
	arm *kernels
	err error
	set bool
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
