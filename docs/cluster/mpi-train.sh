#!/bin/bash
# One training over the processes of mpirun: mpi-train.sh 4 runs/digits mnist --set train.shards=4
# Where the run exists it goes on, with any number of processes that divides train.shards.
processes=$1 run=$2
shift 2
if [[ -e $run/recipe.yaml ]]; then
	exec mpirun -n "$processes" mattis-mpi resume "$run"
fi
exec mpirun -n "$processes" mattis-mpi train "$@" --run "$run"
