package file

import (
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcher wakes the collector when something happens in a directory. It is only ever a reason to
// look sooner: what it misses the next poll finds.
type watcher struct {
	w    *fsnotify.Watcher // nil without notifications
	log  *slog.Logger
	wake chan struct{}
	done chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	dirty map[string]struct{}
	all   bool // events were lost, or too many names are dirty

	dirs    map[string]bool    // watched, used by the collector alone
	targets map[string][]*tail // what symbolic links point at, used by the collector alone
}

const (
	maxDirty   = 4096
	maxDirs    = 512
	watchBurst = 2 * time.Millisecond  // events are taken this long
	watchPause = 10 * time.Millisecond // and left to the kernel, which merges them, this long
)

func newWatcher(off bool, log *slog.Logger) *watcher {
	w := &watcher{
		log: log, wake: make(chan struct{}, 1), done: make(chan struct{}),
		dirty: map[string]struct{}{}, dirs: map[string]bool{}, targets: map[string][]*tail{},
	}
	if off {
		return w
	}
	n, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("no file notifications, polling alone", "error", err)
		return w
	}
	w.w = n
	w.wg.Go(w.run)
	return w
}

func (w *watcher) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for w.receive(nil) == received {
		timer.Reset(watchBurst)
		got := received
		for got == received {
			got = w.receive(timer.C)
		}
		if got == stopped {
			return
		}
		timer.Reset(watchPause)
		select {
		case <-w.done:
			return
		case <-timer.C:
		}
	}
}

type receipt int

const (
	received receipt = iota
	timedOut
	stopped
)

// receive waits for one event.
func (w *watcher) receive(timeout <-chan time.Time) receipt {
	select {
	case <-w.done:
		return stopped
	case <-timeout:
		return timedOut
	case e, ok := <-w.w.Events:
		if !ok {
			return stopped
		}
		w.mark(e.Name)
	case err, ok := <-w.w.Errors:
		if !ok {
			return stopped
		}
		if !errors.Is(err, fsnotify.ErrEventOverflow) {
			w.log.Warn("file notifications", "error", err)
		}
		w.markAll()
	}
	return received
}

func (w *watcher) mark(name string) {
	w.mu.Lock()
	if len(w.dirty) < maxDirty {
		w.dirty[name] = struct{}{}
	} else {
		w.all = true
	}
	w.mu.Unlock()
	w.notify()
}

func (w *watcher) markAll() {
	w.mu.Lock()
	w.all = true
	w.mu.Unlock()
	w.notify()
}

func (w *watcher) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take returns what has changed since the last call.
func (w *watcher) take() (names []string, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.dirty {
		names = append(names, name)
	}
	clear(w.dirty)
	all, w.all = w.all, false
	return names, all
}

// lost forgets a directory that was itself removed or renamed, so that its successor is watched.
func (w *watcher) lost(name string) {
	if w.dirs[name] {
		delete(w.dirs, name)
		_ = w.w.Remove(name) // gone already, as often as not
	}
}

// tails returns the files whose symbolic links point at name.
func (w *watcher) tails(name string) []*tail { return w.targets[name] }

// follow watches the directories of the tails.
func (w *watcher) follow(patterns []string, tails []*tail) {
	if w.w == nil {
		return
	}
	want := map[string]bool{}
	for _, p := range patterns {
		want[filepath.Dir(p)] = true
	}
	clear(w.targets)
	for _, t := range tails {
		want[filepath.Dir(t.path)] = true
		if t.target != "" && t.target != t.path {
			want[filepath.Dir(t.target)] = true
			w.targets[t.target] = append(w.targets[t.target], t)
		}
	}
	for dir := range w.dirs {
		if !want[dir] {
			delete(w.dirs, dir)
			_ = w.w.Remove(dir) // gone already, as often as not
		}
	}
	for dir := range want {
		if !w.dirs[dir] && len(w.dirs) < maxDirs && w.w.Add(dir) == nil {
			w.dirs[dir] = true
		}
	}
}

func (w *watcher) close() {
	close(w.done)
	if w.w != nil {
		_ = w.w.Close() // nothing is written
	}
	w.wg.Wait()
}
