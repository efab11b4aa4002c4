// Package mpi moves bytes between the processes that mpirun has started, by the MPI library of the
// machine, which it loads at run time: no cgo, and nothing of MPI is needed to build it. Build tag mpi,
// on Linux and macOS. Without the tag it only says whether a process was started by mpirun.
package mpi

import "strconv"

// Family is a family of MPI libraries whose handles are the same.
type Family int

const (
	Unknown Family = iota
	OpenMPI        // handles are addresses of what the library exports
	MPICH          // handles are numbers: MPICH, Intel MPI, MVAPICH, Cray MPICH
)

func (f Family) String() string {
	return [...]string{"an MPI library", "Open MPI", "MPICH, Intel MPI or MVAPICH"}[f]
}

// Launch is what the environment says of who has started this process.
type Launch struct {
	Family     Family // whose mpirun it was, if it can be told
	Rank, Size int    // 0 of 1 without mpirun
}

// Launched reads the environment. srun of Slurm sets PMI_* or PMIX_* as mpirun does where it serves
// MPI programs, and neither where it starts independent processes.
func Launched(getenv func(string) string) Launch {
	for _, l := range []struct {
		family     Family
		rank, size string
	}{
		{OpenMPI, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
		{MPICH, "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"},
		{MPICH, "PMI_RANK", "PMI_SIZE"},
		{MPICH, "PALS_RANKID", "PALS_SIZE"},
		{OpenMPI, "PMIX_RANK", "SLURM_STEP_NUM_TASKS"},
		{OpenMPI, "PMIX_RANK", "SLURM_NTASKS"},
	} {
		rank, err := strconv.Atoi(getenv(l.rank))
		if err != nil {
			continue
		}
		size, err := strconv.Atoi(getenv(l.size))
		if err != nil || size < 1 || rank < 0 || rank >= size {
			continue
		}
		family := l.family
		if l.rank == "PMI_RANK" && getenv("SLURM_JOB_ID") != "" && getenv("HYDI_CONTROL_FD") == "" {
			family = Unknown // srun --mpi=pmi2 serves both
		}
		return Launch{family, rank, size}
	}
	return Launch{Size: 1}
}
