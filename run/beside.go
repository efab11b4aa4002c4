package run

// Beside returns the run directory at path for a process that trains along with the one that writes
// it: a Writer that takes no lock and leaves everything as it is. Nothing is looked for at path,
// which another machine may not see yet.
func Beside(path string) *Writer {
	return &Writer{Directory: Directory{path}, beside: true}
}
