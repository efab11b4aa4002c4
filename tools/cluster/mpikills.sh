#!/usr/bin/env bash
# Kills ranks of a training under MPI: one at random, at a random moment, KILLS times; each time it goes on with another
# number of processes, of Open MPI or MPICH as it comes. At the end its last checkpoint has the bytes of a training that
# nobody killed. Wants mpirun.openmpi or mpirun.mpich.
#
#	tools/cluster/mpikills.sh PROGRAM MPI-PROGRAM [KILLS [SEED]]
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
plain=$(realpath "$1")
program=$(realpath "$2")
kills=${3:-30}
RANDOM=${4:-1}
dir=$(mktemp -d /tmp/mattis-mpikills.XXXXXX)
trap 'rm -rf "$dir"' EXIT
fail() { echo "mpikills: $*" >&2; tail -n 12 "$dir/log" >&2 || true; exit 1; }
cd "$dir"
. "$here/ranks.sh"
settings=(bars-pcd --set machine.hidden=100 --set negative.chains=64 --set train.batch=4 --set train.shards=4
	--set train.checkpoint.epochs=25 --set train.checkpoint.keep=3 --set 'measure={every: 40, test: [hamming], options: {hamming: {draws: 2000}}}')
# newest prints the update of the newest checkpoint, - where there is none.
newest() {
	local files=(run/checkpoints/*.safetensors)
	if [[ -e ${files[0]} ]]; then basename "${files[-1]}" .safetensors; else echo -; fi
}
declare -A sent
p=0
for ((n = 1; n <= kills; n++)); do
	sizes=(1 2 4)
	while next=${sizes[RANDOM % 3]} && ((next == p)); do :; done # another number than before
	p=$next
	mpi=${launchers[RANDOM % ${#launchers[@]}]}
	command=(train "${settings[@]}" --set train.epochs=1000000 --run run)
	where=train
	if [[ -e run/recipe.yaml ]]; then command=(resume run) where=resume; fi
	rm -f "$PIDS"/*
	launch "$mpi" -n "$p" ./rank "$program" "${command[@]}" --threads 1 >out 2>log &
	job=$!
	victim=$((RANDOM % p))
	until [[ -s $PIDS/$victim ]]; do
		kill -0 $job 2>/dev/null || fail "$where with $p processes of $mpi did not begin"
		sleep 0.02
	done
	before=$(newest)
	sleep "$((RANDOM % 5)).$((RANDOM % 10))"
	kill -KILL "$(<"$PIDS/$victim")" || fail "rank $victim of $p was gone before it was killed: $where with $mpi"
	# Open MPI's mpirun 4.1 may wait for ever for a rank that is killed while it joins the job: PMIX ERROR: UNREACHABLE. Then
	# no rank is left, and it is ended here.
	for ((tenths = 0; tenths < 600; tenths++)); do
		kill -0 $job 2>/dev/null || break
		sleep 0.1
	done
	if kill -0 $job 2>/dev/null; then
		for rank in "$PIDS"/*; do
			state=$(ps -o stat= -p "$(<"$rank")" || true)
			[[ -z $state || $state == Z* ]] || fail "rank ${rank##*/} of $p is alive a minute after rank $victim was killed: $where with $mpi"
		done
		hung=$((${hung:-0} + 1))
		kill -KILL $job
	fi
	wait $job && fail "$where with $p processes of $mpi ended well without rank $victim"
	key="$mpi, $p processes"
	sent[$key]=$((${sent[$key]:-0} + 1))
	echo "$n: rank $victim of $p, $mpi, $where; from $before to $(newest)"
done
at=$(basename "$(ls run/checkpoints/*.safetensors | tail -n 1)" .safetensors)
epochs=$((10#$at / 3 + 20))
"$plain" resume run --set "train.epochs=$epochs" >out 2>log || fail 'mattis does not go on'
! grep -q damaged log || fail 'a checkpoint is damaged'
"$plain" train "${settings[@]}" --set "train.epochs=$epochs" --run whole >out 2>log
at=$(basename "$(ls whole/checkpoints/*.safetensors | tail -n 1)")
cmp "run/checkpoints/$at" "whole/checkpoints/$at" || fail 'the bytes differ'
strip() { sed -E 's/"seconds":[^,]*,//' "$1/metrics.jsonl"; }
cmp <(strip run) <(strip whole) || fail 'the measures differ'
if [[ -n ${hung:-} ]]; then echo "mpirun was left behind by all ranks $hung times, and ended"; fi
for key in "${!sent[@]}"; do echo "$key: ${sent[$key]} kills"; done | sort
echo "$kills kills, and the checkpoint of update $((10#${at%.safetensors})) and all measures are those of a training that nobody killed"
