//go:build mpi && (linux || darwin)

package mpi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mattis/comm"
)

// The test program is what mpirun starts: with this variable set it is a member of a job.
const memberVariable = "MATTIS_TEST_MEMBER"

func TestMain(m *testing.M) {
	if what := os.Getenv(memberVariable); what != "" {
		os.Exit(member(what))
	}
	os.Exit(m.Run())
}

// member does what a test wants of each process of a job.
func member(what string) int {
	l := Launched(os.Getenv)
	o := Options{Library: os.Getenv("MATTIS_TEST_LIBRARY"), Timeout: time.Minute}
	j, err := Start(l, o)
	if err == nil {
		defer j.Close()
		switch what {
		case "exchange":
			err = exchanges(j)
		case "sum":
			err = sums(j)
		case "late":
			j.Timeout = time.Second
			if j.Rank() == 1 {
				time.Sleep(10 * time.Second)
			}
			_, err = comm.New(j).Any(false)
		case "signals":
			err = signals(j)
		case "abort":
			if j.Rank() == j.Size()-1 {
				j.Abort(3)
			}
			_, err = comm.New(j).Any(false)
		}
	}
	if err != nil {
		fmt.Println("member:", err)
		return 1
	}
	return 0
}

// exchanges sends round a ring, and one way, messages of many lengths in pieces of many lengths.
func exchanges(j *Job) error {
	next, last := (j.number+1)%j.count, (j.number+j.count-1)%j.count
	message := func(from, n int) []byte {
		x := make([]byte, n)
		for i := range x {
			x[i] = byte(i*7 + i>>8 + from*31 + n)
		}
		return x
	}
	for _, j.step = range []int{1 << 30, 1000, 7} {
		for _, n := range []int{0, 1, 6, 7, 8, 999, 1000, 2000, 2001, 300_000} {
			if n > 1000*j.step {
				continue
			}
			// Ranks send different lengths.
			length := func(rank int) int { return n * (1 + rank%2) }
			in := make([]byte, length(last))
			if err := j.Exchange(next, message(j.number, length(j.number)), last, in); err != nil {
				return err
			}
			if !bytes.Equal(in, message(last, length(last))) {
				return fmt.Errorf("%d bytes in pieces of %d from rank %d are others", len(in), j.step, last)
			}
			var err error
			switch in := make([]byte, n); j.number {
			case 0:
				err = j.Exchange(1, message(0, n), -1, nil)
			case 1:
				if err = j.Exchange(-1, nil, 0, in); err == nil && !bytes.Equal(in, message(0, n)) {
					err = fmt.Errorf("%d bytes in pieces of %d, one way, are others", n, j.step)
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// signals sends this process signals while it exchanges messages and threads come and go.
func signals(j *Job) error {
	const many = 300
	got := make(chan os.Signal, many)
	signal.Notify(got, syscall.SIGUSR1)
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for range many {
				time.Sleep(100 * time.Microsecond)
				_ = fmt.Sprint(make([]int, 1000))
			}
		})
	}
	c := comm.New(j)
	for range many {
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			return err
		}
		if _, err := c.Any(false); err != nil {
			return err
		}
	}
	busy.Wait()
	<-got // signals that are not taken yet are one
	return nil
}

// sums prints a checksum of a sum over 12 shards.
func sums(j *Job) error {
	c := comm.New(j)
	const shards, length = 12, 50_001
	dst := make([]float32, length)
	if err := sum(c, shards, dst); err != nil {
		return err
	}
	fmt.Printf("sum %08x\n", crc(dst))
	return nil
}

func sum(c *comm.Comm, shards int, dst []float32) error {
	tree := c.Tree(shards, len(dst))
	x := make([]float32, len(dst))
	for from, to := c.Own(shards); from < to; from++ {
		for i := range x {
			x[i] = 1 / float32(i*shards+from+1)
		}
		tree.Add(x)
	}
	return tree.Sum(dst)
}

func crc(x []float32) uint32 {
	return crc32.ChecksumIEEE(fmt.Append(nil, x))
}

// launchers are those of the machine's MPI libraries that are here.
func launchers(t *testing.T) map[string][]string {
	list := map[string][]string{}
	for name, args := range map[string][]string{
		"mpirun.openmpi": {"--allow-run-as-root", "--oversubscribe"}, "mpirun.mpich": nil,
	} {
		if path, err := exec.LookPath(name); err == nil {
			list[name] = append([]string{path}, args...)
		}
	}
	if len(list) == 0 {
		t.Skip("no mpirun.openmpi and no mpirun.mpich here")
	}
	return list
}

// start runs size members and returns what they print, and the exit code.
func start(t *testing.T, launcher []string, size int, what string, env ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := append(slices.Clone(launcher[1:]), "-n", fmt.Sprint(size), os.Args[0])
	cmd := exec.CommandContext(ctx, launcher[0], args...)
	cmd.Env = append(append(os.Environ(), memberVariable+"="+what), env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestExchange: bytes arrive whole and in order, however they are cut.
func TestExchange(t *testing.T) {
	for name, l := range launchers(t) {
		for _, size := range []int{2, 3} {
			if out, code := start(t, l, size, "exchange"); code != 0 || strings.Contains(out, "member:") {
				t.Errorf("%s -n %d: exit %d\n%s", name, size, code, out)
			}
		}
	}
}

// TestSignals: the libraries' own handlers of signals do not end the program.
func TestSignals(t *testing.T) {
	for name, l := range launchers(t) {
		if out, code := start(t, l, 2, "signals"); code != 0 || strings.Contains(out, "member:") {
			t.Errorf("%s: exit %d\n%.2000s", name, code, out)
		}
	}
}

// TestSum: the bits of one process, with both libraries.
func TestSum(t *testing.T) {
	dst := make([]float32, 50_001)
	if err := sum(nil, 12, dst); err != nil {
		t.Fatal(err)
	}
	for name, l := range launchers(t) {
		for _, size := range []int{2, 3, 4} {
			out, code := start(t, l, size, "sum")
			if n := strings.Count(out, fmt.Sprintf("sum %08x\n", crc(dst))); n != size || code != 0 {
				t.Errorf("%s -n %d: exit %d, %d ranks have the sum %08x\n%s", name, size, code, n, crc(dst), out)
			}
		}
	}
}

// TestLate: a rank that does not come is named, and ends the job with exit code 1; so does one that
// aborts, with its own.
func TestLate(t *testing.T) {
	for name, l := range launchers(t) {
		out, code := start(t, l, 2, "late")
		if code != 1 || !strings.Contains(out, "rank 0 of 2 has waited 1s for rank 1, which does not answer") {
			t.Errorf("%s: exit %d\n%s", name, code, out)
		}
		if out, code := start(t, l, 3, "abort"); code != 3 {
			t.Errorf("%s: exit %d after abort\n%s", name, code, out)
		}
	}
}

// TestLibraries that are none, that are not there, and that belong to another mpirun.
func TestLibraries(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"/no/such/libmpi.so", "load the MPI library: "},
		{"libm.so.6", "libm.so.6 is no MPI library: it has no MPI_Init_thread"},
	} {
		if _, err := load(c.path, OpenMPI); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
	all := launchers(t)
	if len(all) < 2 {
		t.Skip("the mpirun of one family alone is here")
	}
	out, code := start(t, all["mpirun.openmpi"], 2, "sum", "MATTIS_TEST_LIBRARY=libmpich.so.12")
	if code != 1 || !strings.Contains(out, "mpirun has started 2 processes, and libmpich.so.12 knows of 1") {
		t.Errorf("exit %d\n%s", code, out)
	}
	t.Setenv("PATH", "/nowhere")
	t.Setenv("LD_LIBRARY_PATH", "")
	for _, f := range []Family{OpenMPI, MPICH} {
		if l, err := load("", f); err != nil || l.family != f {
			t.Errorf("%v: %+v, %v", f, l, err)
		}
	}
}
