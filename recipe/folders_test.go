package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mattis/comm"
	"mattis/compute/cpu"
	"mattis/run"
)

// Processes that see different folders, or look at them before and after a checkpoint was written,
// all end with what each finds: whether a run goes on or begins from another's parameters. They would
// train different machines, or wait for each other.
func TestProcessesSeeOneFolder(t *testing.T) {
	root := t.TempDir()
	folder := func(epochs string) string { return filepath.Join(root, epochs) }
	for _, epochs := range []string{"1", "2"} { // 9 updates in three epochs
		err := job(t, 1, folder(epochs), 0, false, dense, "negative={kind: pcd, chains: 8, steps: 1}", "train.epochs="+epochs)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(folder("0"), os.DirFS(folder("1"))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(folder("0"), run.CheckpointsFolder)); err != nil {
		t.Fatal(err)
	}
	shared := parse(t, shardsBase, dense, "negative={kind: pcd, chains: 8, steps: 1}")
	split, err := shared.LoadData()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		first, second string
		resume        bool
		want          [2]string
	}{
		{"1", "2", true, [2]string{"rank 0 finds the checkpoint of update 3, and not all others do", "rank 1 finds the checkpoint of update 6, rank 0 the checkpoint of update 3"}},
		{"1", "0", true, [2]string{"rank 0 finds the checkpoint of update 3, and not all others do", "rank 1 finds no checkpoint, rank 0 the checkpoint of update 3"}},
		{"0", "1", true, [2]string{"rank 0 finds no checkpoint, and not all others do", "rank 1 finds the checkpoint of update 3, rank 0 no checkpoint"}},
		{"1", "2", false, [2]string{"rank 0 finds the checkpoint of update 3, and not all others do", "rank 1 finds the checkpoint of update 6, rank 0 the checkpoint of update 3"}},
	} {
		all := comm.Local(2)
		var wait sync.WaitGroup
		for rank, dir := range []string{folder(c.first), folder(c.second)} {
			wait.Go(func() {
				defer all[rank].Close()
				e := cpu.New(1)
				defer e.Close()
				var err error
				if c.resume {
					_, err = ContinueShared(all[rank], run.Beside(dir), e, run.Session{})
				} else {
					var from *run.Directory
					if from, err = run.Open(dir); err == nil {
						own := *shared
						_, err = BeginShared(all[rank], &own, split, run.Beside(folder("3")), e, run.Session{}, from)
					}
				}
				if err == nil || !strings.Contains(err.Error(), dir+": "+c.want[rank]) {
					t.Errorf("%s and %s, resume %v, rank %d: %v, want %s", c.first, c.second, c.resume, rank, err, c.want[rank])
				}
			})
		}
		wait.Wait()
	}
}
