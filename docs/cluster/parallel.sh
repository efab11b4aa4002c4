#!/bin/bash
# A figure in parts on the cores of one machine, or with --sshlogin of several: parallel.sh 3a figures 8 --instances 100
# A part that fails is tried again, twice.
name=$1 out=$2 parts=$3
shift 3
seq "$parts" | parallel --retries 3 mattis figure "$name" --out "$out" --part "{}/$parts" --threads 1 "$@" &&
	mattis figure "$name" --out "$out" "$@"
