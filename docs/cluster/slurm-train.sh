#!/bin/bash
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
# A training longer than the time limit: sbatch slurm-train.sh runs/digits mnist --set train.epochs=5000
# Two minutes before its time is over it writes a checkpoint and is queued again; then it goes on.
run=$1
shift
if [[ -e $run/recipe.yaml ]]; then
	mattis resume "$run" --threads "$SLURM_CPUS_PER_TASK" &
else
	mattis train "$@" --run "$run" --threads "$SLURM_CPUS_PER_TASK" &
fi
again() {
	kill -TERM $!
	wait $!
	scontrol requeue "$SLURM_JOB_ID"
	exit
}
trap again USR1
wait $!
