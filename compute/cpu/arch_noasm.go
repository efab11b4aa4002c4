//go:build !amd64 || purego

package cpu

func arms() []*kernels { return []*kernels{generic} }
