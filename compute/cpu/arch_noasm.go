package cpu

func arms() []*kernels { return []*kernels{generic} }
