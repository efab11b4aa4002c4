#!/usr/bin/env bash
# The templates of docs/cluster on a real Slurm that lives for this script: its daemons, keys, ports and files are its
# own, in a temporary folder. Wants root, and slurmctld, slurmd and munged (Debian: slurm-wlm, munge).
#
#	tools/cluster/slurm.sh PROGRAM
#
# A figure runs as an array of four, one task of which is killed and queued again: its data have the bytes of one
# process. A training is told that its time is over, is queued again by its template and goes on: its last
# checkpoint has the bytes of one that nobody stopped.
set -euo pipefail
program=$(realpath "$1")
cluster=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../docs/cluster")
dir=$(mktemp -d /tmp/mattis-slurm.XXXXXX)
chmod 755 "$dir" # munge wants its socket to be reached by all
daemons=()
finish() {
	local code=$?
	if ((code != 0)); then tail -n 15 "$dir"/*.log "$dir"/*.out >&2 || true; fi
	for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${daemons[@]}"; do wait "$pid" 2>/dev/null || true; done
	rm -rf "$dir"
	exit "$code"
}
trap finish EXIT
fail() { echo "slurm: $*" >&2; exit 1; }
# within SECONDS COMMAND... waits until the command holds.
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || fail "not within its time: $*"
		sleep 0.1
	done
}

# Slurm on this machine, of one node.
mkdir "$dir/etc" "$dir/state" "$dir/spool" "$dir/work" "$dir/bin"
head -c 1024 /dev/urandom >"$dir/etc/key"
chmod 400 "$dir/etc/key"
munged --foreground --force --key-file "$dir/etc/key" --socket "$dir/munge.socket" --pid-file "$dir/munged.pid" \
	--log-file "$dir/munged.log" --seed-file "$dir/etc/seed" --num-threads 1 >"$dir/munged.out" 2>&1 &
daemons+=($!)
host=$(hostname -s)
# free prints a port on which nobody listens.
free() {
	local port
	while port=$((20000 + RANDOM % 20000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
	echo "$port"
}
cat >"$dir/etc/slurm.conf" <<-CONF
	ClusterName=mattis
	SlurmctldHost=$host(127.0.0.1)
	SlurmctldPort=$(free)
	SlurmdPort=$(free)
	SlurmUser=root
	AuthType=auth/munge
	AuthInfo=socket=$dir/munge.socket,cred_expire=5
	ProctrackType=proctrack/linuxproc
	TaskPlugin=task/none
	SelectType=select/cons_tres
	SelectTypeParameters=CR_CPU
	SchedulerParameters=sched_interval=1,bf_interval=1
	ReturnToService=2
	JobAcctGatherType=jobacct_gather/none
	MpiDefault=none
	KillWait=5
	StateSaveLocation=$dir/state
	SlurmdSpoolDir=$dir/spool
	SlurmctldPidFile=$dir/slurmctld.pid
	SlurmdPidFile=$dir/slurmd.pid
	SlurmctldLogFile=$dir/slurmctld.log
	SlurmdLogFile=$dir/slurmd.log
	NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
	PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$dir/etc/slurm.conf
within 10 test -S "$dir/munge.socket"
slurmctld -D -f "$SLURM_CONF" >"$dir/slurmctld.out" 2>&1 &
daemons+=($!)
slurmd -D -f "$SLURM_CONF" -N "$host" >"$dir/slurmd.out" 2>&1 &
daemons+=($!)
idle() { [[ $(sinfo --noheader --format=%t 2>/dev/null) == idle ]]; }
within 60 idle
echo "Slurm $(sinfo --version | cut -d' ' -f2), one node, ready after ${SECONDS}s"

# The program stops in the second task and in the training, as soon as there is a checkpoint, the first time that it
# runs there: however fast the machine, it is at work when it is killed or told to end.
cat >"$dir/bin/mattis" <<-SHIM
	#!/bin/bash
	case "\${SLURM_ARRAY_TASK_ID:-} \$1" in
	"1 figure") mark=array at='parts/3a/instances/*' ;;
	" train") mark=train at=run ;;
	*) exec "$program" "\$@" ;;
	esac
	[[ ! -e $dir/\$mark.begun ]] || exec "$program" "\$@"
	touch "$dir/\$mark.begun"
	"$program" "\$@" &
	trap 'kill -TERM \$!' TERM
	until compgen -G "$dir/work/\$at/checkpoints/*.safetensors" >/dev/null; do :; done
	kill -STOP \$!
	echo \$! >"$dir/\$mark.stopped"
	wait \$!
	wait \$!
SHIM
chmod 755 "$dir/bin/mattis"
cd "$dir/work"
export PATH="$dir/bin:$PATH" MATTIS_MINIATURE=1
"$program" figure 3a --instances 2 --out whole >/dev/null 2>&1

job=$(sbatch --parsable --time=10 --output="$dir/array-%a.out" "$cluster/slurm-array.sh" 3a parts --instances 2)
within 120 test -s "$dir/array.stopped"
kill -KILL "$(<"$dir/array.stopped")"
state() { [[ $(scontrol show job "$1" | grep -o 'JobState=[A-Z_]*') == "JobState=$2" ]]; }
within 60 state "${job}_1" FAILED
scontrol requeue "${job}_1"
for task in 0 1 2 3; do within 400 state "${job}_$task" COMPLETED; done
grep -q 'part 2/4: 2 instances made' "$dir/array-1.out" || fail 'the second part is not made'
[[ ! -e parts/3a.csv ]] || fail 'a part has drawn'
"$program" figure 3a --instances 2 --out parts >"$dir/draw.out" 2>&1
cmp whole/3a.csv parts/3a.csv || fail 'the data differ'
echo "figure 3a as an array of 4, one task killed and queued again: the data of one process, after ${SECONDS}s"

settings=(bars --set machine.hidden=300 --set train.epochs=30000 --set train.checkpoint.epochs=2000 --set 'measure={}')
unset MATTIS_MINIATURE
"$program" train "${settings[@]}" --run whole-run >/dev/null 2>&1
job=$(sbatch --parsable --cpus-per-task=1 --time=10 --output="$dir/train.out" "$cluster/slurm-train.sh" run "${settings[@]}")
within 120 test -s "$dir/train.stopped"
scancel --signal=USR1 --batch "$job"
sleep 1 # the script passes the signal on to the program, which has it as soon as it goes on
kill -CONT "$(<"$dir/train.stopped")"
within 400 state "$job" COMPLETED
grep -q 'stopped at update [0-9]* with a checkpoint' "$dir/train.out" || fail 'the training was not stopped'
grep -q 'Restarts=1' <(scontrol show job "$job") || fail 'the job was not queued again'
last=$(basename "$(ls whole-run/checkpoints/*.safetensors | tail -n 1)")
cmp "whole-run/checkpoints/$last" "run/checkpoints/$last" || fail 'the checkpoints differ'
job=$(sbatch --parsable --cpus-per-task=1 --time=10 --wait --output="$dir/ended.out" "$cluster/slurm-train.sh" run) || fail 'a run that has ended fails'
grep -q 'nothing is left to do' "$dir/ended.out" || fail 'a run that has ended is not told as such'
echo "a training stopped by its time limit, queued again and gone on with: the bytes of one that was not, after ${SECONDS}s"
