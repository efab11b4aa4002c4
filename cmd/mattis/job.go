package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mattis/comm"
	"mattis/comm/mpi"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/recipe"
	"mattis/run"
)

// divided are the commands whose work the processes of one mpirun share.
var divided = []string{"train", "resume", "eval", "sample", "figure", "diagnose"}

// team is the processes that share a command: all that mpirun has started, or this one alone. All of
// them run the command; rank 0 prints, draws and writes.
type team struct {
	*comm.Comm // nil for one process
	transport  joined
	launch     mpi.Launch
	agreed     bool // an interrupt is known to all, and all end
}

// joined is what a team wants of its transport beside messages.
type joined interface {
	// Abort ends all processes with the exit code.
	Abort(code int)
	// Forever lets processes wait for each other as long as it takes.
	Forever()
}

// processes is the team of this process.
var processes team

// first reports whether this process prints and writes.
func (t *team) first() bool { return t.Rank() == 0 }

// teamUp joins the processes that mpirun has started, for a command that shares work.
func teamUp(cmd *cobra.Command) error {
	if err := checkTeamFlags(); err != nil {
		return err
	}
	l := mpi.Launched(os.Getenv)
	parts := cmd.Flags().Changed("part") || cmd.Flags().Changed("shared")
	if l.Size == 1 || parts || !slices.Contains(divided, cmd.Name()) {
		return nil
	}
	processes.launch = l
	c, transport, err := join(l)
	if err != nil {
		return err
	}
	processes.Comm, processes.transport = c, transport
	if !processes.first() {
		cmd.Root().SetOut(io.Discard)
		cmd.Root().SetErr(io.Discard)
	}
	arm, err := cpu.Arch()
	if err != nil {
		return err
	}
	for _, x := range []struct{ what, mine string }{
		{"version", version()}, {"arm of kernels", arm}, {"command", cmd.Name()},
	} {
		if err := processes.alike(x.what, x.mine); err != nil {
			return err
		}
	}
	return nil
}

// alikeLength bounds the bytes of what is compared.
const alikeLength = 128

// alike returns an error unless all processes have the same text: it names the rank that differs.
func (t *team) alike(what, mine string) error {
	if t.Size() == 1 {
		return nil
	}
	all, own, sizes := make([]byte, alikeLength*t.Size()), make([]byte, alikeLength), make([]int, t.Size())
	copy(own, mine)
	for r := range sizes {
		sizes[r] = alikeLength
	}
	if err := t.Gather(all, own, sizes); err != nil {
		return err
	}
	word := func(r int) []byte { return bytes.TrimRight(all[r*alikeLength:(r+1)*alikeLength], "\x00") }
	for r := range sizes {
		if !bytes.Equal(word(r), word(0)) {
			return fmt.Errorf("rank %d has the %s %s, and rank 0 %s: all processes of a job want the same",
				r, what, word(r), word(0))
		}
	}
	return nil
}

// sameRecipe compares the recipe of all processes, its settings included.
func (t *team) sameRecipe(r *recipe.Recipe) error {
	if t.Size() == 1 {
		return nil
	}
	sum := sha256.Sum256(r.YAML())
	return t.alike("recipe", fmt.Sprintf("%s (SHA-256 %x)", r.Name, sum[:8]))
}

// sameModel compares what is measured or drawn from: the recipe with its settings, and the checkpoint,
// of which a training under way may have written another since the first process looked.
func (t *team) sameModel(m *recipe.Model) error {
	if err := t.sameRecipe(m.Recipe); err != nil {
		return err
	}
	return t.alike("checkpoint", fmt.Sprintf("of update %d", m.Step))
}

// sameData compares the rows of all processes; nil is none.
func (t *team) sameData(s *data.Split) error {
	if s == nil {
		return t.alike("data", "that cannot be read")
	}
	var digests []byte
	for _, set := range []*data.Set{s.Train, s.Test, s.Validation} {
		if set != nil {
			digests = append(digests, set.Digest()...)
		}
	}
	sum := sha256.Sum256(digests)
	return t.alike("data", fmt.Sprintf("of SHA-256 %x", sum[:8]))
}

// sameStart compares what a session goes on with: the recipe with its settings, and the data. The
// checkpoint has been compared when it was read.
func (t *team) sameStart(s *recipe.Session) error {
	if err := t.sameRecipe(s.Recipe); err != nil {
		return err
	}
	return t.sameData(s.Split)
}

// beside returns the run directory that rank 0 has made and writes: the others train along and write
// nothing. make is called at rank 0.
func (t *team) beside(make func() (*run.Writer, error)) (*run.Writer, error) {
	var w *run.Writer
	var path string
	if t.first() {
		var err error
		if w, err = make(); err != nil {
			return nil, err
		}
		path = w.Path()
	}
	path, err := t.tell(path)
	if err != nil {
		return nil, err
	}
	if t.first() {
		return w, nil
	}
	return run.Beside(path), nil
}

// tell returns rank 0's text at every rank.
func (t *team) tell(text string) (string, error) {
	length := []int64{int64(len(text))}
	if err := comm.Broadcast(t.Comm, length); err != nil {
		return "", err
	}
	b := make([]byte, length[0])
	copy(b, text)
	err := t.Broadcast(b)
	return string(b), err
}

// tellTraffic says what a training of so many updates and seconds has cost this process in messages.
func (t *team) tellTraffic(w io.Writer, updates int, seconds float64) {
	if t.Size() == 1 || updates < 1 {
		return
	}
	bytes, waited := t.Traffic()
	fmt.Fprintf(w, "%d processes: rank %d has sent %.4g MB, %.4g MB an update, and spent %.3g s in exchanges, "+
		"beside %.3g s of updates\n", t.Size(), t.Rank(), float64(bytes)/1e6, float64(bytes)/1e6/float64(updates), waited, seconds)
}

// wait returns when all processes have come here, however long that takes, and reports whether flag
// is true at any of them.
func (t *team) wait(flag bool) (any bool, err error) {
	if t.transport != nil {
		t.transport.Forever()
	}
	return t.Any(flag)
}

// undivided reports whether this process has the work of a command to do that is not divided: rank 0
// does it, and the others wait for its end.
func (t *team) undivided() bool {
	if t.transport != nil {
		t.transport.Forever()
	}
	return t.first()
}

// patience of a rank before it tells of its own failure: one that all have is told by rank 0.
const patience = time.Second

// passedOn is how long mpirun may take to pass on what was told: that of MPICH loses what it has not passed
// on when the job ends.
const passedOn = 200 * time.Millisecond

// fail tells of a failure of this process and ends all.
func (t *team) fail(code int, tell func(prefix string)) int {
	if rank := t.launch.Rank; rank == 0 {
		tell("")
	} else {
		// Rank 0 ends the job within this time if it has failed too, and mpirun tells so by a signal; the
		// lowest of the others speaks first.
		ending := make(chan os.Signal, 1)
		signal.Notify(ending, syscall.SIGTERM)
		select {
		case <-time.After(patience + min(time.Duration(rank)*50*time.Millisecond, patience)):
		case <-ending:
			return code
		}
		tell(fmt.Sprintf("rank %d of %d: ", rank, t.launch.Size))
	}
	if t.transport != nil {
		time.Sleep(passedOn)
		t.transport.Abort(code)
	}
	return code
}
