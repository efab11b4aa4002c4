//go:build !unix

package main

// acceptRequests does nothing: the system has no SIGUSR1.
func acceptRequests() {}
