//go:build mpi && (linux || darwin)

package mpi

import (
	"unsafe"

	"github.com/ebitengine/purego"
)

// MPI libraries set handlers of signals of their own (SIGUSR1 in MPICH, faults in Open MPI), which call
// those that were there on whatever stack there is. Go's want their own stack: without it a signal ends
// the program. So the handlers that were there before the library was are set again after its start.

// lastSignal is the highest number of a signal that has a name, on Linux and macOS.
const lastSignal = 31

// actionSize is more than a struct sigaction takes: 152 bytes in glibc.
const actionSize = 256

// handlers are what the process does at each signal.
type handlers struct {
	sigaction uintptr
	of        [lastSignal + 1][actionSize / 8]uint64
	known     [lastSignal + 1]bool
}

// currentHandlers returns those of now.
func currentHandlers() *handlers {
	h := new(handlers)
	var err error
	if h.sigaction, err = purego.Dlsym(purego.RTLD_DEFAULT, "sigaction"); err != nil {
		panic(err) // every libc has it
	}
	for s := 1; s <= lastSignal; s++ {
		h.known[s] = status(purego.SyscallN(h.sigaction, uintptr(s), 0, uintptr(unsafe.Pointer(&h.of[s])))) == 0
	}
	return h
}

// restore sets them again. What cannot be set, SIGKILL and SIGSTOP, was nobody's to change.
func (h *handlers) restore() {
	for s := 1; s <= lastSignal; s++ {
		if h.known[s] {
			purego.SyscallN(h.sigaction, uintptr(s), uintptr(unsafe.Pointer(&h.of[s])), 0)
		}
	}
}
