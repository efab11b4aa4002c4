//go:build mpi && (linux || darwin)

package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mattis/comm"
	"mattis/comm/mpi"
)

var mpiFlags struct {
	timeout time.Duration
	library string
}

// addTeamFlags adds the flags of the commands that share work.
func addTeamFlags(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		if slices.Contains(divided, cmd.Name()) {
			cmd.Flags().DurationVar(&mpiFlags.timeout, "mpi-timeout", 10*time.Minute, "how long a process waits for another one under mpirun before it ends all; 0: for ever")
			cmd.Flags().StringVar(&mpiFlags.library, "mpi-library", "", "`file` of the MPI library, such as libmpi.so.40 (default $"+mpi.LibraryVariable+", else that of mpirun)")
		}
	}
}

// checkTeamFlags returns what is wrong with them, whether or not there are other processes.
func checkTeamFlags() error {
	if mpiFlags.timeout < 0 {
		return usageError{fmt.Errorf("--mpi-timeout %v is out of range, want a time such as 10m, or 0 to wait for ever", mpiFlags.timeout)}
	}
	return nil
}

// member is a process that MPI has joined.
type member struct{ *mpi.Job }

func (m member) Forever() { m.Timeout = 0 }

// join joins the processes that mpirun has started.
func join(l mpi.Launch) (*comm.Comm, joined, error) {
	j, err := mpi.Start(l, mpi.Options{Library: mpiFlags.library, Timeout: mpiFlags.timeout, Tell: func(line string) {
		fmt.Fprintln(os.Stderr, "mattis:", line)
	}})
	if err != nil {
		return nil, nil, err
	}
	return comm.New(j), member{j}, nil
}
