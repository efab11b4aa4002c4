package mpi_test

import (
	"testing"

	"mattis/comm/mpi"
)

// TestLaunched reads the environments of mpirun of both families and of srun; numbers that make no
// sense are none.
func TestLaunched(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want mpi.Launch
	}{
		{"nobody", nil, mpi.Launch{Size: 1}},
		{"Open MPI", map[string]string{"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4", "PMIX_RANK": "2", "SLURM_NTASKS": "1"},
			mpi.Launch{Family: mpi.OpenMPI, Rank: 2, Size: 4}},
		{"MPICH", map[string]string{"PMI_RANK": "0", "PMI_SIZE": "3"}, mpi.Launch{Family: mpi.MPICH, Size: 3}},
		{"MPICH's mpirun in a job of Slurm", map[string]string{"PMI_RANK": "1", "PMI_SIZE": "3", "SLURM_JOB_ID": "7", "HYDI_CONTROL_FD": "7"},
			mpi.Launch{Family: mpi.MPICH, Rank: 1, Size: 3}},
		{"srun --mpi=pmi2", map[string]string{"PMI_RANK": "1", "PMI_SIZE": "2", "SLURM_JOB_ID": "7"}, mpi.Launch{Rank: 1, Size: 2}},
		{"srun --mpi=pmix", map[string]string{"PMIX_RANK": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "8"},
			mpi.Launch{Family: mpi.OpenMPI, Rank: 1, Size: 2}},
		{"a batch script", map[string]string{"SLURM_NTASKS": "8", "SLURM_JOB_ID": "7"}, mpi.Launch{Size: 1}},
		{"no size", map[string]string{"PMI_RANK": "1"}, mpi.Launch{Size: 1}},
		{"rank beyond", map[string]string{"PMI_RANK": "4", "PMI_SIZE": "4"}, mpi.Launch{Size: 1}},
		{"no numbers", map[string]string{"OMPI_COMM_WORLD_RANK": "x", "OMPI_COMM_WORLD_SIZE": "y"}, mpi.Launch{Size: 1}},
	} {
		if got := mpi.Launched(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
