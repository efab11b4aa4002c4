#!/bin/bash
#SBATCH --array=0-3
#SBATCH --cpus-per-task=1
#SBATCH --time=1:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
# A figure in as many parts as the array has tasks: sbatch slurm-array.sh 3a figures --instances 100
# Two minutes before its time is over a task writes checkpoints and is queued again.
name=$1 out=$2
shift 2
mattis figure "$name" --out "$out" --part "index/$SLURM_ARRAY_TASK_COUNT" --threads "$SLURM_CPUS_PER_TASK" "$@" &
again() {
	kill -TERM $!
	wait $!
	scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
	exit
}
trap again USR1
wait $!
