//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// acceptRequests lets SIGUSR1 ask for a checkpoint, from now on: one that comes early is not lost,
// and ends nothing.
func acceptRequests() { signal.Notify(requests, syscall.SIGUSR1) }
