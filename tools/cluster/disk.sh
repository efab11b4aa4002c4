#!/usr/bin/env bash
# A disk that is full, read-only or gone while a training writes: it ends with exit code 1 and a line that names the
# path, the last checkpoint is whole, and the run goes on to the bytes of one that had room. Wants root, for the disks.
#
#	tools/cluster/disk.sh PROGRAM
set -euo pipefail
program=$(realpath "$1")
dir=$(mktemp -d /tmp/mattis-disk.XXXXXX)
disk=$dir/disk
mkdir "$disk"
finish() {
	local code=$?
	umount -l "$disk" 2>/dev/null || true
	rm -rf "$dir"
	exit "$code"
}
trap finish EXIT
fail() { echo "disk: $*" >&2; tail -n 3 "$dir/log" >&2 || true; exit 1; }
settings=(bars --set machine.hidden=500 --set train.checkpoint.epochs=50 --set train.checkpoint.keep=1000 --set 'measure={}')
# ends CODE TEXT COMMAND... wants that exit code and a last line on the standard error that holds the text.
ends() {
	local want=$1 text=$2 code=0
	shift 2
	"$@" >/dev/null 2>"$dir/log" || code=$?
	((code == want)) || fail "exit code $code of $*, want $want"
	[[ $(tail -n 1 "$dir/log") == *"$text"* ]] || fail "no word of $text"
}
"$program" train "${settings[@]}" --set train.epochs=1500 --run "$dir/whole" >/dev/null 2>&1
last=$(basename "$(ls "$dir"/whole/checkpoints/*.safetensors | tail -n 1)")

mount -t tmpfs -o size=200k tmpfs "$disk"
ends 1 "$disk/r/checkpoints/" "$program" train "${settings[@]}" --set train.epochs=1500 --run "$disk/r"
grep -q 'no space left on device' "$dir/log" || fail 'no word of what is wrong'
mount -o remount,size=50m "$disk"
ends 0 '' "$program" resume "$disk/r"
cmp "$dir/whole/checkpoints/$last" "$disk/r/checkpoints/$last" || fail 'after a full disk the checkpoints differ'
echo 'a full disk: the path is named, and the run goes on to the same bytes'

mount -o remount,ro "$disk"
ends 1 "$disk/r/.lock: read-only file system" "$program" resume "$disk/r" --set train.epochs=1600
ends 1 "$disk/f: read-only file system" "$program" figure crosstalk --out "$disk/f"
"$program" sample "$disk/r" --count 1 --steps 1 >/dev/null
mount -o remount,rw "$disk"
echo 'a read-only disk: the path is named, and the machine is read'

"$program" train "${settings[@]}" --set train.epochs=10000000 --run "$disk/s" >/dev/null 2>"$dir/log" &
pid=$!
until compgen -G "$disk/s/checkpoints/*.safetensors" >/dev/null; do kill -0 $pid && sleep 0.05; done
umount -l "$disk"
code=0
wait $pid || code=$?
((code == 1)) || fail "exit code $code where the disk is gone, want 1"
grep -q "$disk/s" "$dir/log" || fail 'no word of the disk that is gone'
echo 'a disk that is gone: the path is named'
