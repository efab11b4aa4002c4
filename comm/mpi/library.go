//go:build mpi && (linux || darwin)

package mpi

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is a loaded MPI library: the functions that are called, and the constants of its mpi.h.
type library struct {
	path   string
	family Family

	initThread, rank, size, isend, irecv, test, errorString, setHandler, abort, finalize uintptr

	world, bytes, errorsReturn, statusIgnore uintptr
}

// threadSerialized is MPI_THREAD_SERIALIZED: any thread may call, one at a time.
const threadSerialized = 2

// names are the files of an MPI library, best first.
func names(f Family) []string {
	if runtime.GOOS == "darwin" {
		return [...][]string{
			Unknown: {"libmpi.dylib", "libmpi.40.dylib", "libmpi.12.dylib"},
			OpenMPI: {"libmpi.40.dylib", "libmpi.dylib"},
			MPICH:   {"libmpi.12.dylib", "libmpi.dylib"},
		}[f]
	}
	return [...][]string{
		Unknown: {"libmpi.so.40", "libmpi.so.12", "libmpich.so.12", "libmpi.so"},
		OpenMPI: {"libmpi.so.40", "libmpi.so.20", "libmpi.so"},
		MPICH:   {"libmpi.so.12", "libmpich.so.12", "libmpi_cray.so.12", "libmpich.so", "libmpi.so"},
	}[f]
}

// candidates are where the library of a family may be: where the loader looks, then beside mpirun.
func candidates(f Family) []string {
	list := names(f)
	dirs := []string{"/opt/homebrew/lib"}
	if path, err := exec.LookPath("mpirun"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			prefix := filepath.Dir(filepath.Dir(path))
			dirs = append(dirs, filepath.Join(prefix, "lib"), filepath.Join(prefix, "lib64"))
		}
	}
	for _, d := range dirs {
		for _, n := range names(f) {
			if path := filepath.Join(d, n); exists(path) {
				list = append(list, path)
			}
		}
	}
	return list
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// load loads the library at path, or where path is empty the first one of a family.
func load(path string, f Family) (*library, error) {
	if path != "" {
		return open(path)
	}
	var other []string // what is there, and is none of the family
	for _, c := range candidates(f) {
		l, err := open(c)
		if err == nil && f != Unknown && l.family != f {
			err = fmt.Errorf("%s is %v", l.path, l.family)
		}
		if err == nil {
			return l, nil
		}
		var missing purego.Dlerror
		if !errors.As(err, &missing) || strings.Contains(c, "/") {
			other = append(other, err.Error())
		}
	}
	text := fmt.Sprintf("no library of %v is found (looked for %s); --mpi-library FILE or %s=FILE names it",
		f, strings.Join(names(f), ", "), LibraryVariable)
	if len(other) > 0 {
		text += ": " + strings.Join(other, "; ")
	}
	return nil, errors.New(text)
}

// open loads a library and finds what is needed of it.
func open(path string) (*library, error) {
	// Open MPI's own plugins look for its symbols among all that are loaded.
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("load the MPI library: %w", err)
	}
	l := &library{path: path}
	for _, s := range []struct {
		to   *uintptr
		name string
	}{
		{&l.initThread, "MPI_Init_thread"}, {&l.rank, "MPI_Comm_rank"}, {&l.size, "MPI_Comm_size"},
		{&l.isend, "MPI_Isend"}, {&l.irecv, "MPI_Irecv"}, {&l.test, "MPI_Test"},
		{&l.errorString, "MPI_Error_string"}, {&l.setHandler, "MPI_Comm_set_errhandler"},
		{&l.abort, "MPI_Abort"}, {&l.finalize, "MPI_Finalize"},
	} {
		if *s.to, err = purego.Dlsym(handle, s.name); err != nil {
			return nil, fmt.Errorf("%s is no MPI library: it has no %s", path, s.name)
		}
	}
	if l.world, err = purego.Dlsym(handle, "ompi_mpi_comm_world"); err == nil {
		l.family = OpenMPI
		for name, to := range map[string]*uintptr{"ompi_mpi_byte": &l.bytes, "ompi_mpi_errors_return": &l.errorsReturn} {
			if *to, err = purego.Dlsym(handle, name); err != nil {
				return nil, fmt.Errorf("%s looks like Open MPI and has no %s", path, name)
			}
		}
		return l, nil
	}
	version := l.version(handle)
	for _, known := range []string{"MPICH", "Intel(R) MPI", "MVAPICH"} {
		if strings.Contains(version, known) {
			l.family = MPICH
			l.world, l.bytes, l.errorsReturn, l.statusIgnore = 0x44000000, 0x4c00010d, 0x54000001, 1
			return l, nil
		}
	}
	return nil, fmt.Errorf("%s is neither Open MPI nor of MPICH's family, which is all that is known here; it says %q",
		path, version)
}

// version returns what the library says of itself; it may be asked before the start.
func (l *library) version(handle uintptr) string {
	get, err := purego.Dlsym(handle, "MPI_Get_library_version")
	if err != nil {
		return ""
	}
	const longest = 8192 // MPI_MAX_LIBRARY_VERSION_STRING of MPICH, the longest
	text, n := make([]byte, longest), new(int32)
	if status(purego.SyscallN(get, uintptr(unsafe.Pointer(&text[0])), uintptr(unsafe.Pointer(n)))) != 0 {
		return ""
	}
	return firstLine(text, *n)
}

// message returns what the library says of an error code.
func (l *library) message(code int32) string {
	const longest = 1024 // MPI_MAX_ERROR_STRING is 512 in MPICH, 256 in Open MPI
	text, n := make([]byte, longest), new(int32)
	purego.SyscallN(l.errorString, uintptr(code), uintptr(unsafe.Pointer(&text[0])), uintptr(unsafe.Pointer(n)))
	return firstLine(text, *n)
}

func firstLine(text []byte, n int32) string {
	text = text[:max(0, min(int(n), len(text)))]
	line, _, _ := bytes.Cut(bytes.TrimRight(text, "\x00"), []byte("\n"))
	return strings.TrimSpace(string(line))
}

// status is the C int that a function returns.
func status(r1, _, _ uintptr) int32 { return int32(r1) }
