//go:build mpi && (linux || darwin)

package mpi

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"

	"mattis/comm"
)

// LibraryVariable is the environment variable that names the library where Options do not.
const LibraryVariable = "MATTIS_MPI_LIBRARY"

// Options of a job. The zero value takes the library of the mpirun that has started the process, and
// waits for ever.
type Options struct {
	Library string        // file of the MPI library; "" for that of mpirun
	Timeout time.Duration // how long a process waits for another one before it ends the job; 0: for ever
	// Tell is given a line before the job is ended; nil prints it on the standard error.
	Tell func(line string)
}

var _ comm.Transport = (*Job)(nil)

// Job is the processes that one mpirun has started. One goroutine at a time may use it.
type Job struct {
	*library
	Options
	number, count int
	step          int // bytes of the largest message

	requests [2]uintptr // what is received and what is sent; a C int or a pointer
	flag     int32
	end      chan struct{} // asks for the end
	ended    chan error    // and answers
}

// Start joins the job that l describes.
func Start(l Launch, o Options) (*Job, error) {
	if o.Library == "" {
		o.Library = os.Getenv(LibraryVariable)
	}
	ours := currentHandlers()
	lib, err := load(o.Library, l.Family)
	if err != nil {
		return nil, err
	}
	// Counts are C ints.
	j := &Job{library: lib, Options: o, step: 1 << 30, end: make(chan struct{}), ended: make(chan error, 1)}
	if j.Tell == nil {
		j.Tell = func(line string) { fmt.Fprintln(os.Stderr, line) }
	}
	ready := j.watch("MPI_Init_thread", l)
	begun := make(chan error)
	go j.serve(begun)
	err = <-begun
	ready()
	ours.restore()
	if err != nil {
		return nil, err
	}
	if j.count != l.Size {
		return nil, fmt.Errorf("mpirun has started %d processes, and %s knows of %d: it is not the library of this mpirun; "+
			"--mpi-library FILE or %s=FILE names that one", l.Size, lib.path, j.count, LibraryVariable)
	}
	return j, nil
}

// serve starts MPI and ends it on the same thread, as the standard wants it.
func (j *Job) serve(begun chan<- error) {
	runtime.LockOSThread()
	begun <- j.begin()
	<-j.end
	j.ended <- j.check("MPI_Finalize", status(purego.SyscallN(j.finalize)))
}

func (j *Job) begin() error {
	provided, rank, size := new(int32), new(int32), new(int32)
	code := status(purego.SyscallN(j.initThread, 0, 0, threadSerialized, uintptr(unsafe.Pointer(provided))))
	if err := j.check("MPI_Init_thread", code); err != nil {
		return err
	}
	if *provided < threadSerialized {
		return fmt.Errorf("%s is built for programs of one thread (level %d, want %d)", j.path, *provided, threadSerialized)
	}
	code = status(purego.SyscallN(j.setHandler, j.world, j.errorsReturn))
	if err := j.check("MPI_Comm_set_errhandler", code); err != nil {
		return err
	}
	code = status(purego.SyscallN(j.library.rank, j.world, uintptr(unsafe.Pointer(rank))))
	if err := j.check("MPI_Comm_rank", code); err != nil {
		return err
	}
	code = status(purego.SyscallN(j.library.size, j.world, uintptr(unsafe.Pointer(size))))
	j.number, j.count = int(*rank), int(*size)
	return j.check("MPI_Comm_size", code)
}

// Rank is the number of this process in MPI_COMM_WORLD.
func (j *Job) Rank() int { return j.number }

// Size is the number of processes.
func (j *Job) Size() int { return j.count }

// tag is that of all messages: those from one rank to another keep their order.
const tag = 20

// Exchange sends and receives, in pieces where a message is longer than a C int can say. A rank that
// waits longer than the time limit ends the job.
func (j *Job) Exchange(to int, out []byte, from int, in []byte) error {
	for first := true; first || len(out)+len(in) > 0; first = false {
		o, i := out[:min(len(out), j.step)], in[:min(len(in), j.step)]
		if err := j.piece(to, o, from, i, first); err != nil {
			return err
		}
		out, in = out[len(o):], in[len(i):]
	}
	return nil
}

// piece exchanges one message each way. An empty one is sent only where it is the whole.
func (j *Job) piece(to int, out []byte, from int, in []byte, whole bool) error {
	var waits [2]int // ranks
	var n int
	if from >= 0 && (whole || len(in) > 0) {
		code := status(purego.SyscallN(j.irecv, uintptr(unsafe.Pointer(unsafe.SliceData(in))), uintptr(len(in)), j.bytes,
			uintptr(from), tag, j.world, uintptr(unsafe.Pointer(&j.requests[n]))))
		if err := j.check(fmt.Sprintf("receive from rank %d", from), code); err != nil {
			return err
		}
		waits[n] = from
		n++
	}
	if to >= 0 && (whole || len(out) > 0) {
		code := status(purego.SyscallN(j.isend, uintptr(unsafe.Pointer(unsafe.SliceData(out))), uintptr(len(out)), j.bytes,
			uintptr(to), tag, j.world, uintptr(unsafe.Pointer(&j.requests[n]))))
		if err := j.check(fmt.Sprintf("send to rank %d", to), code); err != nil {
			return err
		}
		waits[n] = to
		n++
	}
	err := j.wait(waits[:n], len(out)+len(in))
	// The library has held their addresses since the calls returned.
	runtime.KeepAlive(out)
	runtime.KeepAlive(in)
	return err
}

// Patience of a waiting process: at first it asks without a pause, which is fastest; a long wait is for
// a process that is busy, and leaves the core to others.
const (
	eager   = 200 * time.Microsecond
	alert   = 50 * time.Millisecond
	slowest = 100 << 20 // bytes/s: a transfer that is under way is asked after without long pauses
)

// wait returns when all requests are done. waits has the rank of each.
func (j *Job) wait(waits []int, bytes int) error {
	begin := time.Now()
	busy := alert + time.Duration(bytes)*time.Second/slowest
	for n := 0; ; n++ {
		pending := -1
		for k := range waits {
			if waits[k] < 0 {
				continue
			}
			code := status(purego.SyscallN(j.test,
				uintptr(unsafe.Pointer(&j.requests[k])), uintptr(unsafe.Pointer(&j.flag)), j.statusIgnore))
			if code != 0 {
				return j.check(fmt.Sprintf("wait for rank %d", waits[k]), code)
			}
			if j.flag == 0 {
				pending = k
				break
			}
			waits[k] = -1
		}
		if pending < 0 {
			return nil
		}
		if n%16 != 15 {
			continue
		}
		switch waited := time.Since(begin); {
		case waited < eager:
		case waited < busy:
			runtime.Gosched()
			yield()
		case j.Timeout > 0 && waited > j.Timeout:
			j.giveUp(waited, waits[pending])
		default:
			time.Sleep(min(waited/1000, time.Millisecond))
		}
	}
}

// grace is how long a rank that has waited too long lets others say for whom they wait: the one that
// says nothing is the one that all wait for.
const grace = 500 * time.Millisecond

// giveUp ends the job because of a rank that does not answer.
func (j *Job) giveUp(waited time.Duration, rank int) {
	j.Tell(fmt.Sprintf("rank %d of %d has waited %v for rank %d, which does not answer (--mpi-timeout)",
		j.number, j.count, waited.Round(100*time.Millisecond), rank))
	time.Sleep(grace)
	j.Abort(1)
}

// watch ends the process unless the call it stands beside returns in time.
func (j *Job) watch(call string, l Launch) (returned func()) {
	if j.Timeout <= 0 {
		return func() {}
	}
	timer := time.AfterFunc(j.Timeout, func() {
		j.Tell(fmt.Sprintf("rank %d of %d has waited %v in %s: a process is missing (--mpi-timeout)",
			l.Rank, l.Size, j.Timeout, call))
		os.Exit(1)
	})
	return func() { timer.Stop() }
}

var aborting sync.Mutex

// Abort ends all processes of the job with an exit code. It does not return.
func (j *Job) Abort(code int) {
	aborting.Lock() // and never lets go
	time.AfterFunc(5*time.Second, func() { os.Exit(code) })
	purego.SyscallN(j.abort, j.world, uintptr(code))
	os.Exit(code)
}

// Close leaves the job, when all others do.
func (j *Job) Close() error {
	returned := j.watch("MPI_Finalize", Launch{Rank: j.number, Size: j.count})
	defer returned()
	close(j.end)
	return <-j.ended
}

// Library is the file of the MPI library.
func (j *Job) Library() string { return j.path }

// check turns a code that is no success into an error.
func (j *Job) check(what string, code int32) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s", strings.TrimPrefix(what, "MPI_"), j.message(code))
}

// yield lets other processes have the core.
func yield() { purego.SyscallN(schedYield) }

var schedYield = func() uintptr {
	address, err := purego.Dlsym(purego.RTLD_DEFAULT, "sched_yield")
	if err != nil {
		panic(err) // every libc has it
	}
	return address
}()
