// Package watch shows run directories: it reads them while others write, follows them, and serves the page of mattis
// watch.
//
// It takes no lock, changes no file, and keeps little of what it reads: of each run the last and best values and
// a small curve. What a page asks for is read again when it asks.
package watch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mattis/run"
)

// How often folders and files are looked at.
const (
	everyActive = 500 * time.Millisecond // runs that are being written
	everyIdle   = 5 * time.Second        // others, and the folders for new ones
)

// What is read of a run in one go, and how much of a file's end tells the last values of all measures.
const (
	mostAtOnce = 1 << 20
	slice      = 16 << 20
	tailLength = 64 << 10
)

// ErrUnknown is the error of a run that is not there, or no more.
var ErrUnknown = errors.New("no such run")

// Library is the runs under some folders. Its methods may be called from any goroutine.
type Library struct {
	roots []root
	host  string

	refreshing sync.Mutex // held by Refresh

	mu      sync.Mutex
	runs    map[string]*entry
	notices []string
	scan    time.Time // when folders are looked through next
	changed map[string]bool
	gone    map[string]bool
	queue   []*entry // whose metrics are to be read in the background
	wake    chan struct{}
	seq     int64
}

// Open returns the library of the runs in the folders, each a run directory or a folder with some in it. Nothing is
// read before Refresh.
func Open(dirs ...string) (*Library, error) {
	l := &Library{runs: map[string]*entry{}, changed: map[string]bool{}, gone: map[string]bool{}, wake: make(chan struct{}, 1)}
	for _, d := range dirs {
		r, err := newRoot(d)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(l.roots, func(other root) bool { return other.path == r.path }) {
			l.roots = append(l.roots, r)
		}
	}
	l.host, _ = os.Hostname()
	return l, nil
}

// Labels returns the folders as they were named.
func (l *Library) Labels() []string {
	var list []string
	for _, r := range l.roots {
		list = append(list, r.label)
	}
	return list
}

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

// Refresh looks at the folders and runs that are due. New and changed runs are in Changes.
func (l *Library) Refresh(now time.Time) {
	l.refreshing.Lock()
	defer l.refreshing.Unlock()
	l.mu.Lock()
	scan := !now.Before(l.scan)
	l.mu.Unlock()
	if scan {
		begun := time.Now()
		l.search()
		l.mu.Lock()
		l.scan = now.Add(max(everyIdle, 20*time.Since(begun))) // of slow disks at most a twentieth of the time
		l.mu.Unlock()
	}
	l.mu.Lock()
	runs := slices.SortedFunc(maps.Values(l.runs), func(a, b *entry) int { return strings.Compare(a.id, b.id) })
	l.mu.Unlock()
	folders := map[string]*os.Root{}
	defer func() {
		for _, f := range folders {
			f.Close()
		}
	}()
	for _, e := range runs {
		e.mu.Lock()
		due := !now.Before(e.due)
		e.mu.Unlock()
		if !due {
			continue
		}
		f, ok := folders[e.root.path]
		if !ok {
			var err error
			if f, err = os.OpenRoot(e.root.path); err != nil {
				continue // the next search says so
			}
			folders[e.root.path] = f
		}
		if !l.look(e, f, now) {
			l.mu.Lock()
			l.scan = time.Time{} // it is gone
			l.mu.Unlock()
		}
	}
}

// search finds new runs and forgets those that are gone.
func (l *Library) search() {
	found := map[string]*entry{}
	var notices []string
	for i, r := range l.roots {
		runs, said, err := r.find()
		if err != nil {
			said = append(said, err.Error())
		}
		notices = append(notices, said...)
		for _, rel := range runs {
			id := fmt.Sprintf("%d/%s", i, rel)
			found[id] = &entry{id: id, name: r.display(rel, len(l.roots) > 1), path: filepath.Join(r.label, filepath.FromSlash(rel)), root: r, rel: rel}
		}
	}
	if len(found) == 0 && len(notices) == 0 {
		notices = append(notices, fmt.Sprintf("there is no run in %s yet: a run is a folder with a %s", strings.Join(l.Labels(), ", "), recipeFile))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notices = notices
	for id, e := range found {
		if l.runs[id] == nil {
			l.runs[id] = e
			delete(l.gone, id)
		}
	}
	for id := range l.runs {
		if found[id] == nil {
			delete(l.runs, id)
			delete(l.changed, id)
			l.gone[id] = true
		}
	}
}

// look reads what has changed of a run, and returns false where the run is gone.
func (l *Library) look(e *entry, folder *os.Root, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := folder.Lstat(path.Join(e.rel, recipeFile)); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if e.files == nil {
		e.files, e.faults = map[string]stamp{}, map[string]string{}
	}
	e.readSmall(folder, recipeFile, mostRecipe, func(b []byte) (err error) {
		e.settings, err = settings(b)
		e.epochs = 0
		for _, s := range e.settings {
			if s.Path == "train.epochs" {
				e.epochs, _ = strconv.Atoi(s.Value)
			}
		}
		return err
	})
	e.readSmall(folder, environmentFile, mostEnvironment, func(b []byte) error {
		var env run.Environment
		if len(b) > 0 {
			if err := json.Unmarshal(b, &env); err != nil {
				return err
			}
		}
		e.environment, e.begun = environment(env), env.Start
		return nil
	})
	e.readSmall(folder, stateFile, mostState, func(b []byte) error {
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
	e.readSmall(folder, lockFile, 64, func(b []byte) error {
		e.pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		e.pidTime = e.files[lockFile].time
		return nil
	})
	e.readSmall(folder, bestFile, mostState, func(b []byte) error {
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
		e.faults[metricsFile] = reason(err)
	} else {
		delete(e.faults, metricsFile)
	}
	l.summarize(e, folder, now)
	e.due = now.Add(everyIdle)
	if e.summary.State == run.Training || now.Sub(e.updated) < time.Minute {
		e.due = now.Add(everyActive)
	}
	return true
}

// readSmall gives the content of a file to set if it has changed, and nothing if there is no such file.
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

// readMetrics reads the new lines, at once where there are few, and the end of the file where there are many: the
// rest is then for Work.
func (l *Library) readMetrics(e *entry, folder *os.Root) error {
	full := path.Join(e.rel, metricsFile)
	info, err := folder.Stat(full)
	if err != nil {
		if e.follow.info != nil || e.size > 0 {
			e.follow.restart(nil)
			e.index, e.last, e.indexed, e.size = index{}, index{}, false, 0
		}
		return err
	}
	if old := e.follow.info; old != nil && e.indexed && stampOf(old) == stampOf(info) && os.SameFile(old, info) && e.size == info.Size() {
		return nil
	}
	file, info, err := openRegular(folder, full)
	if err != nil {
		return err
	}
	defer file.Close()
	anew, err := e.follow.begin(file, info)
	if err != nil {
		return err
	}
	if anew {
		e.index, e.last, e.indexed = index{}, index{}, false
	}
	e.size, e.updated = info.Size(), info.ModTime()
	if info.Size()-e.follow.offset <= mostAtOnce && !e.queued {
		_, err := e.follow.read(context.Background(), file, 2*mostAtOnce, e.add)
		e.indexed = true
		return err
	}
	e.last = index{}
	if err := tail(file, info.Size(), tailLength, func(line []byte) {
		if n, x, _, err := e.parser.parse(line); err == nil {
			e.last.add(n, x)
		}
	}); err != nil {
		return err
	}
	if !e.queued {
		e.queued = true
		l.enqueue(e)
	}
	return nil
}

func (e *entry) add(number int, line []byte, err error) { e.index.line(&e.parser, number, line, err) }

func (l *Library) enqueue(e *entry) {
	l.mu.Lock()
	l.queue = append(l.queue, e)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Work reads long files of metrics in the background, a slice of each in turn, until the context is cancelled.
func (l *Library) Work(ctx context.Context) {
	for ctx.Err() == nil {
		if l.work(ctx) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-l.wake:
		}
	}
}

// Settle reads all that Refresh has left for Work.
func (l *Library) Settle(ctx context.Context) error {
	for ctx.Err() == nil && l.work(ctx) {
	}
	return ctx.Err()
}

// work reads a slice of the first file in the queue, and reports whether there was one.
func (l *Library) work(ctx context.Context) bool {
	e := l.next()
	if e == nil {
		return false
	}
	again, err := l.advance(ctx, e)
	if again {
		l.enqueue(e)
		return true
	}
	e.mu.Lock()
	e.queued = false
	if e.indexed = err == nil; !e.indexed && ctx.Err() == nil {
		e.faults[metricsFile] = reason(err)
	}
	l.summarize(e, nil, time.Now())
	e.mu.Unlock()
	return true
}

// next takes the first file out of the queue; nil where it is empty. Who waits for a first look at all runs goes first.
func (l *Library) next() *entry {
	l.refreshing.Lock()
	defer l.refreshing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil
	}
	e := l.queue[0]
	l.queue = l.queue[1:]
	return e
}

// advance reads the next slice of a run's metrics.
func (l *Library) advance(ctx context.Context, e *entry) (again bool, err error) {
	folder, err := os.OpenRoot(e.root.path)
	if err != nil {
		return false, err
	}
	defer folder.Close()
	file, info, err := openRegular(folder, path.Join(e.rel, metricsFile))
	if err != nil {
		return false, err
	}
	defer file.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	anew, err := e.follow.begin(file, info)
	if err != nil {
		return false, err
	}
	if anew {
		e.index = index{}
	}
	more, err := e.follow.read(ctx, file, slice, e.add)
	return more && err == nil, err
}

// Changes returns the runs that are new or have changed since the last call, those that are gone, and what is to be
// said of the folders.
func (l *Library) Changes() (changed []Summary, gone []string, notices []string) {
	l.mu.Lock()
	var entries []*entry
	for id := range l.changed {
		if e := l.runs[id]; e != nil {
			entries = append(entries, e)
		}
	}
	clear(l.changed)
	gone = slices.Sorted(maps.Keys(l.gone))
	clear(l.gone)
	notices = slices.Clone(l.notices)
	l.mu.Unlock()
	return summaries(entries), gone, notices
}

// Runs returns all runs in the order of their names, and what is to be said of the folders.
func (l *Library) Runs() (all []Summary, notices []string) {
	l.mu.Lock()
	entries := slices.Collect(maps.Values(l.runs))
	notices = slices.Clone(l.notices)
	l.mu.Unlock()
	return summaries(entries), notices
}

func summaries(entries []*entry) []Summary {
	list := make([]Summary, 0, len(entries))
	for _, e := range entries {
		e.mu.Lock()
		if e.summary.ID != "" {
			list = append(list, e.summary)
		}
		e.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b Summary) int { return cmp.Or(natural(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return list
}

// natural compares names such that bars-9 comes before bars-10.
func natural(a, b string) int {
	for a != "" && b != "" {
		i, j := digits(a), digits(b)
		if i > 0 && j > 0 {
			x, y := strings.TrimLeft(a[:i], "0"), strings.TrimLeft(b[:j], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[i:], b[j:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits returns the length of the number that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// entry returns the run of that identifier.
func (l *Library) entry(id string) (*entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.runs[id]
	if e == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, shorten(strconv.Quote(id), 100))
	}
	return e, nil
}

// publish keeps the summary, and tells of it where it differs from the last one. The entry is locked.
func (l *Library) publish(e *entry, s Summary) {
	text, err := json.Marshal(s)
	if err == nil && bytes.Equal(text, e.text) {
		return
	}
	e.text = text
	l.mu.Lock()
	l.seq++
	s.Seq = l.seq
	if l.runs[e.id] == e {
		l.changed[e.id] = true
	}
	l.mu.Unlock()
	e.summary = s
}
