# Read by scripts that start processes by mpirun, in a folder of theirs: ./rank is what they start, PIDS the folder where
# each process writes its number, launchers the MPIs that are here.
cat >rank <<-'RANK'
	#!/bin/bash
	echo $$ >"$PIDS/${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}"
	exec "$@"
RANK
chmod 755 rank
export PIDS=$PWD/pids
mkdir "$PIDS"
launchers=()
for l in openmpi mpich; do
	if command -v "mpirun.$l" >/dev/null; then launchers+=("$l"); fi
done
((${#launchers[@]} > 0)) || fail 'there is no mpirun.openmpi and no mpirun.mpich'
limit=() # the command that mpirun is an argument of, such as timeout
# launch MPI ARGUMENT... becomes its mpirun. Processes are not bound to cores, of which there may be fewer.
launch() {
	local mpi=$1
	shift
	if [[ $mpi == openmpi ]]; then set -- --allow-run-as-root --oversubscribe --bind-to none "$@"; fi
	exec "${limit[@]}" "mpirun.$mpi" "$@"
}
