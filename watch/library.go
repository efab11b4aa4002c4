// Package watch shows run directories: it reads them while others write, follows them, and serves
// the page of mattis watch.
//
// It takes no lock, changes no file, and keeps little of what it reads: of each run the last and
// best values and a small curve. What a page asks for is read again when it asks.
package watch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
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
	readers chan struct{} // of checkpoints, one for each at work
}

// Open returns the library of the runs in the folders, each a run directory or a folder with some
// in it. Nothing is read before Refresh.
func Open(dirs ...string) (*Library, error) {
	l := &Library{runs: map[string]*entry{}, changed: map[string]bool{}, gone: map[string]bool{},
		wake: make(chan struct{}, 1), readers: make(chan struct{}, mostReaders)}
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
		// of slow disks at most a twentieth of the time
		l.scan = now.Add(max(everyIdle, 20*time.Since(begun)))
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
		notices = append(notices, fmt.Sprintf("there is no run in %s yet: a run is a folder with a %s", strings.Join(l.Labels(), ", "), run.RecipeFile))
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

// Changes returns the runs that are new or have changed since the last call, those that are gone,
// and what is to be said of the folders.
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

// publish keeps the summary, and tells of it where it differs from the last one. The entry is
// locked.
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
