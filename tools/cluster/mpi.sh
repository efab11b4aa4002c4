#!/usr/bin/env bash
# mattis-mpi under Open MPI and MPICH: the bytes of one process for 1, 2 and 4 of them, and what becomes of a job whose
# processes die, stop, differ or find no disk. Wants mpirun.openmpi or mpirun.mpich (Debian: openmpi-bin libopenmpi3,
# mpich), root for the disk.
#
#	tools/cluster/mpi.sh PROGRAM [MPI-PROGRAM]
#
# PROGRAM is mattis, MPI-PROGRAM mattis-mpi, which is built where it is not given.
set -euo pipefail
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
plain=$(realpath "$1")
dir=$(mktemp -d /tmp/mattis-mpi.XXXXXX)
finish() {
	local code=$?
	umount -l "$dir/disk" 2>/dev/null || true
	if ((code != 0)) && [[ -n ${KEEP:-} ]]; then echo "left in $dir" >&2; else rm -rf "$dir"; fi
	exit "$code"
}
trap finish EXIT
fail() { echo "mpi: $*" >&2; tail -n 12 "$dir/log" >&2 || true; exit 1; }
build() { (cd "$root" && CGO_ENABLED=0 go build -tags mpi "$@" ./cmd/mattis); }
if [[ -n ${2:-} ]]; then cp "$2" "$dir/mattis-mpi"; else build -o "$dir/mattis-mpi"; fi
cd "$dir"

. "$root/tools/cluster/ranks.sh"
limit=(timeout -k 5 120)
over() { (local mpi=$1 p=$2; shift 2; launch "$mpi" -n "$p" ./mattis-mpi "$@" --threads 1 >out 2>log); }

# The template of docs/cluster.md, which goes on with another number of processes.
mkdir bin
ln -s "$dir/mattis-mpi" bin/mattis-mpi
for mpi in "${launchers[@]}"; do
	options=
	if [[ $mpi == openmpi ]]; then options='--allow-run-as-root --oversubscribe'; fi
	printf '#!/bin/bash\nexec mpirun.%s %s "$@"\n' "$mpi" "$options" >bin/mpirun
	chmod 755 bin/mpirun
	template() { PATH="$dir/bin:$PATH" "$root/docs/cluster/mpi-train.sh" "$@" >out 2>log || fail "the template with $mpi"; }
	template 4 "template-$mpi" bars --set machine.hidden=20 --set train.epochs=2 --set train.batch=4 --set train.shards=4
	template 2 "template-$mpi"
	grep -q 'nothing is left to do' log || fail "the template with $mpi does not go on"
done

# The same bytes.
pcd=(bars-pcd --set machine.hidden=30 --set negative.chains=64 --set train.epochs=4 --set train.batch=4)
pid=(bars --set machine.hidden=30 --set 'negative={kind: pid-gibbs, steps: 2}' --set 'project={update: [{clip: 1}]}' --set train.epochs=4 --set train.batch=5)
tempering=(bars --set machine.hidden=30 --set 'negative={kind: tempering, chains: 32, steps: 2, temperatures: [1, 0.5, 0]}' --set train.epochs=3 --set train.batch=4)
deep=(bars-deep --set 'machine.hidden=[20, 20]' --set train.epochs=3 --set train.batch=4)
common=(--set train.shards=4 --set train.checkpoint.epochs=1 --set train.checkpoint.keep=10 --set measure.every=2)
for name in pcd pid tempering deep; do
	declare -n settings=$name
	"$plain" train "${settings[@]}" "${common[@]}" --run "$name-whole" >out 2>log || fail "$name: mattis train"
	want=$(cd "$name-whole/checkpoints" && sha256sum ./*)
	for mpi in "${launchers[@]}"; do
		for p in 1 2 4; do
			over "$mpi" "$p" train "${settings[@]}" "${common[@]}" --run "$name-$mpi-$p" || fail "$name with $p processes of $mpi"
			[[ $(cd "$name-$mpi-$p/checkpoints" && sha256sum ./*) == "$want" ]] || fail "$name with $p processes of $mpi has other bytes"
		done
	done
done
echo "pcd with adam, pid-gibbs with clip, tempering and a deep machine: 1, 2 and 4 processes of ${launchers[*]} have the checkpoints of mattis, after ${SECONDS}s"

# The same numbers and pictures.
ais=(--measure logz_ais,nll_ais,logz_exact --set ais.runs=10000 --set ais.betas=20 --json)
"$plain" eval pid-whole "${ais[@]}" >eval-whole 2>log || fail 'mattis eval'
"$plain" sample pid-whole --count 50 --steps 5 --out sample.npy >out 2>log
"$plain" diagnose pid-whole --steps 50 --chains 8 --sampler gibbs >diagnose-whole 2>log
MATTIS_MINIATURE=1 "$plain" figure 3a --instances 2 --out figure-whole >out 2>log
for mpi in "${launchers[@]}"; do
	over "$mpi" 4 eval pid-whole "${ais[@]}" || fail "eval with $mpi"
	cmp eval-whole out || fail "eval with $mpi: AIS of 10 000 runs differs"
	over "$mpi" 2 sample pid-whole --count 50 --steps 5 --out "sample-$mpi.npy" || fail "sample with $mpi"
	cmp sample.npy "sample-$mpi.npy" || fail "sample with $mpi: other samples"
	over "$mpi" 2 diagnose pid-whole --steps 50 --chains 8 --sampler gibbs || fail "diagnose with $mpi"
	diff <(sed 's/ *[0-9.e+]*$//' diagnose-whole) <(sed 's/ *[0-9.e+]*$//' out) >/dev/null || fail "diagnose with $mpi: another verdict" # the last column is time
	MATTIS_MINIATURE=1 over "$mpi" 4 figure 3a --instances 2 --out "figure-$mpi" || fail "figure with $mpi"
	cmp figure-whole/3a.csv "figure-$mpi/3a.csv" || fail "figure with $mpi: other data"
done
echo "eval with 10 000 runs of AIS, sample, diagnose and figure: the bytes of one process, after ${SECONDS}s"

# What can go wrong.
long=(bars --set machine.hidden=200 --set train.batch=4 --set train.shards=4 --set train.checkpoint.epochs=20 --set train.checkpoint.keep=5 --set 'measure={}')
# begin MPI P RUN ARGUMENT... starts a training of P processes and returns once it has a checkpoint.
begin() {
	local mpi=$1 p=$2 run=$3
	shift 3
	rm -f "$PIDS"/*
	(launch "$mpi" -n "$p" ./rank ./mattis-mpi train "${long[@]}" --set train.epochs=1000000 --threads 1 --run "$run" "$@" >out 2>log) &
	job=$!
	local end=$((SECONDS + 60))
	until compgen -G "$run/checkpoints/*.safetensors" >/dev/null; do
		((SECONDS < end)) || fail "$run has no checkpoint"
		sleep 0.05
	done
}
# ended RUN CODE TEXT wants the job to have ended with the code (any but 0 for -) and the text, and the run to be whole.
ended() {
	local run=$1 want=$2 text=$3 code=0 end=$((SECONDS + 60))
	wait "$job" || code=$?
	((SECONDS < end)) || fail "$run: the job did not end"
	[[ $want == - && $code != 0 || $code == "$want" ]] || fail "$run: exit code $code, want $want"
	grep -qE -- "$text" out log || fail "$run: no word of: $text"
}
# whole RUN wants a run to go on under plain mattis to the bytes of one that nobody stopped.
whole() {
	local at n
	at=$(basename "$(ls "$1"/checkpoints/*.safetensors | tail -n 1)" .safetensors)
	n=$((10#$at / 3 + 20))
	"$plain" resume "$1" --set "train.epochs=$n" >out 2>log || fail "$1 does not go on"
	! grep -q damaged log || fail "$1: a checkpoint is damaged"
	"$plain" train "${long[@]}" --set "train.epochs=$n" --run again >out 2>log
	at=$(basename "$(ls again/checkpoints/*.safetensors | tail -n 1)")
	cmp "again/checkpoints/$at" "$1/checkpoints/$at" || fail "$1: the checkpoints differ"
	rm -r again
}
for mpi in "${launchers[@]}"; do
	begin "$mpi" 4 "killed-$mpi"
	kill -KILL "$(<"$PIDS/2")"
	ended "killed-$mpi" - 'signal 9'
	"$plain" runs . | grep "killed-$mpi" | grep -q killed || fail 'the run is not told to be killed'
	whole "killed-$mpi"

	begin "$mpi" 4 "stopped-$mpi" --mpi-timeout 2s
	kill -STOP "$(<"$PIDS/2")"
	ended "stopped-$mpi" - 'mattis: rank [013] of 4 has waited 2[.0-9]*s for rank 2, which does not answer'
	kill -KILL "$(<"$PIDS/2")" 2>/dev/null || true
	whole "stopped-$mpi"

	begin "$mpi" 2 "told-$mpi"
	kill -USR1 "$(<"$PIDS/1")"
	for _ in $(seq 100); do grep -q 'checkpoint of update [0-9]* written' log || sleep 0.1; done
	grep -q 'checkpoint of update [0-9]* written' log || fail "SIGUSR1 at rank 1 of $mpi: no checkpoint"
	kill -TERM "$(<"$PIDS/1")"
	ended "told-$mpi" 130 'stopped at update [0-9]* with a checkpoint'
	whole "told-$mpi"

	if [[ $(id -u) == 0 ]] && mkdir -p disk && mount -t tmpfs -o size=200k tmpfs disk 2>/dev/null; then
		begin "$mpi" 2 disk/r --set train.checkpoint.keep=1000
		ended disk/r 1 "mattis: .*disk/r/.*no space left on device"
		mount -o remount,size=50m disk
		whole disk/r
		umount -l disk
	else
		echo 'skip: no disk can be mounted here: nobody looked at one that is full'
	fi
done
echo "a rank killed, a rank stopped, signals at rank 1, a full disk: told in a line, the last checkpoint whole, after ${SECONDS}s"

# refused CODE TEXT MPI ARGUMENT... wants the job to end with the code and the text told once, and no run directory.
refused() {
	local want=$1 text=$2 code=0
	shift 2
	(launch "$@" >out 2>log) || code=$?
	((code == want)) || fail "exit code $code of $*, want $want"
	[[ $(grep -cE -- "$text" log) == 1 ]] || fail "not told once: $text"
	[[ ! -e none ]] || fail "there is a run directory after $*"
}
train=(./mattis-mpi train "${long[@]}" --set train.epochs=1 --threads 1 --run none)
build -ldflags '-X main.released=9.9.9' -o "$dir/other"
for mpi in "${launchers[@]}"; do
	refused 1 'mattis: rank 1 has the version 9.9.9, and rank 0 ' "$mpi" -n 1 "${train[@]}" : -n 1 ./other "${train[@]:1}"
	refused 1 'mattis: rank 1 has the recipe bars .SHA-256 [0-9a-f]*., and rank 0 bars ' "$mpi" -n 1 "${train[@]}" : -n 1 "${train[@]}" --seed 2
	refused 1 'mattis: .*train.shards: 3 processes cannot share 4: .*--set train.shards=6' "$mpi" -n 3 "${train[@]}"
	refused 1 'mattis: .*train.shards: 2 processes cannot share 1: .*--set train.shards=2' "$mpi" -n 2 ./mattis-mpi train bars --run none
	refused 1 'mattis: load the MPI library: .*/nowhere/libmpi.so' "$mpi" -n 2 "${train[@]}" --mpi-library /nowhere/libmpi.so
	refused 2 'mattis: mpirun has started 2 processes, and each would do the whole work: this mattis is built without MPI. mpirun -n 2 mattis-mpi' "$mpi" -n 2 "$plain" train bars --run none
	refused 2 'mattis: RECIPE is missing' "$mpi" -n 2 ./mattis-mpi train
	refused 1 'mattis: read recipe: open nobody.yaml' "$mpi" -n 2 ./mattis-mpi train nobody.yaml --run none
	refused 2 'mattis: --mpi-timeout -1s is out of range' "$mpi" -n 2 "${train[@]}" --mpi-timeout -1s
done
code=0
./mattis-mpi train bars --mpi-timeout -1s --run alone >out 2>log || code=$?
((code == 2)) && grep -q 'mpi-timeout -1s is out of range' log || fail 'a wrong time is taken where there is no mpirun'
echo "other programs, other recipes, no library, processes that do not divide the shards: told in a line, after ${SECONDS}s"
