//go:build !mpi || !(linux || darwin)

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mattis/comm"
	"mattis/comm/mpi"
)

func addTeamFlags(*cobra.Command) {}

func checkTeamFlags() error { return nil }

// join refuses: this program knows nothing of MPI.
func join(l mpi.Launch) (*comm.Comm, joined, error) {
	return nil, nil, usageError{fmt.Errorf("mpirun has started %d processes, and each would do the whole work: this mattis is built without MPI. "+
		"mpirun -n %d mattis-mpi shares it (go build -tags mpi -o mattis-mpi ./cmd/mattis, on Linux and macOS); figure and sweep share it by --part too, without MPI", l.Size, l.Size)}
}
