package watch

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"mattis/run"
)

// entry is one run.
type entry struct {
	id, name, path string // path for people
	root           root
	rel            string

	mu      sync.Mutex
	due     time.Time
	files   map[string]stamp // of the small files that were read
	follow  follower
	index   index
	indexed bool  // all of the metrics has been read once
	last    index // of the end of the file, until then
	queued  bool
	parser  parser

	settings    []Setting
	environment []Setting
	epochs      int
	begun       time.Time
	state       *run.State
	pid         int // in the lock file
	pidTime     time.Time
	best        *int
	faults      map[string]string // by file
	size        int64
	updated     time.Time

	summary Summary
	text    []byte // of summary without its number

	looking   sync.Mutex       // held while checkpoints are read for the machine; taken before mu
	snapshots map[int]Snapshot // of the checkpoints that were read
	start     int              // step of the one that the overlaps are with
}

// look reads what has changed of a run, and returns false where the run is gone.
func (l *Library) look(e *entry, folder *os.Root, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := folder.Lstat(path.Join(e.rel, run.RecipeFile)); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if e.files == nil {
		e.files, e.faults = map[string]stamp{}, map[string]string{}
	}
	e.readSmall(folder, run.RecipeFile, mostRecipe, func(b []byte) (err error) {
		e.settings, err = settings(b)
		e.epochs = 0
		for _, s := range e.settings {
			if s.Path == "train.epochs" {
				e.epochs, _ = strconv.Atoi(s.Value)
			}
		}
		return err
	})
	e.readSmall(folder, run.EnvironmentFile, mostEnvironment, func(b []byte) error {
		var env run.Environment
		if len(b) > 0 {
			if err := json.Unmarshal(b, &env); err != nil {
				return err
			}
		}
		e.environment, e.begun = environment(env), env.Start
		return nil
	})
	e.readSmall(folder, run.StateFile, mostState, func(b []byte) error {
		e.state = nil
		if len(b) == 0 {
			return nil
		}
		s, err := run.ParseState(b)
		if err == nil {
			e.state = &s
		}
		return err
	})
	e.readSmall(folder, run.LockFile, 64, func(b []byte) error {
		e.pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		e.pidTime = e.files[run.LockFile].time
		return nil
	})
	e.readSmall(folder, path.Join(run.CheckpointsFolder, run.BestFile), mostState, func(b []byte) error {
		e.best = nil
		if len(b) == 0 {
			return nil
		}
		var best struct {
			Step *int `json:"step"`
		}
		err := json.Unmarshal(b, &best)
		e.best = best.Step
		if err == nil && e.best == nil {
			err = errors.New(`the key "step" is missing`)
		}
		return err
	})
	if err := l.readMetrics(e, folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.faults[run.MetricsFile] = reason(err)
	} else {
		delete(e.faults, run.MetricsFile)
	}
	l.summarize(e, folder, now)
	e.due = now.Add(everyIdle)
	if e.summary.State == run.Training || now.Sub(e.updated) < time.Minute {
		e.due = now.Add(everyActive)
	}
	return true
}

// readSmall gives the content of a file to set if it has changed, and nothing if there is no such
// file.
func (e *entry) readSmall(folder *os.Root, file string, most int64, set func([]byte) error) {
	full := path.Join(e.rel, file)
	info, err := folder.Stat(full)
	var b []byte
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, ok := e.files[file]; !ok && e.faults[file] == "" {
			return
		}
		delete(e.files, file)
		err = nil
	case err == nil:
		if s, ok := e.files[file]; ok && s == stampOf(info) {
			return
		}
		e.files[file] = stampOf(info)
		b, err = readSmall(folder, full, most)
	}
	if err == nil {
		err = set(b)
	}
	if delete(e.faults, file); err != nil {
		e.faults[file] = reason(err)
	}
}

// reason is an error without the path that the reader knows.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		if strings.Contains(p.Err.Error(), "escapes") {
			return "is a link that leads out of the folder"
		}
		return p.Err.Error()
	}
	return shorten(err.Error(), 300)
}
