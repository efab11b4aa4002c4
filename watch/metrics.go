package watch

import (
	"context"
	"os"
	"path"
	"time"

	"mattis/run"
)

// What is read of a run in one go, and how much of a file's end tells the last values of all
// measures.
const (
	mostAtOnce = 1 << 20
	slice      = 16 << 20
	tailLength = 64 << 10
)

// readMetrics reads the new lines, at once where there are few, and the end of the file where there
// are many: the rest is then for Work.
func (l *Library) readMetrics(e *entry, folder *os.Root) error {
	full := path.Join(e.rel, run.MetricsFile)
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

// Work reads long files of metrics in the background, a slice of each in turn, until the context is
// cancelled.
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
		e.faults[run.MetricsFile] = reason(err)
	}
	l.summarize(e, nil, time.Now())
	e.mu.Unlock()
	return true
}

// next takes the first file out of the queue; nil where it is empty. Who waits for a first look at
// all runs goes first.
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
	file, info, err := openRegular(folder, path.Join(e.rel, run.MetricsFile))
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
