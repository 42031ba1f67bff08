// Package collectorstest holds what every collector is tested with: a sink that records and checks
// all it is given, and a suite of the contract in package collectors.
//
// It never excuses a collector: what breaks the contract fails the test at the Put that did it.
package collectorstest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// patience is how long a test waits for what takes no time: for as long as a machine that has other things
// to do may need.
const patience = 3 * time.Minute

// SinkFunc is a sink that checks nothing.
type SinkFunc func(ctx context.Context, b *event.Batch) error

// Put implements collectors.Sink.
func (f SinkFunc) Put(ctx context.Context, b *event.Batch) error { return f(ctx, b) }

// Line is a recorded line.
type Line struct {
	Path     string
	Ordinal  uint64
	Offset   int64
	Text     string
	Oversize bool
}

type fileKey struct {
	event.SourceKey
	ordinal uint64
}

// Sink records batches, and fails the test when a batch breaks the contract. Its methods may be
// called beside Put. One sink serves a collector and, after a restart, its successor.
type Sink struct {
	t testing.TB
	// Before, if set, is called for each Put with its number, from 1. An error is returned to the
	// collector and nothing is recorded.
	Before func(n int, b *event.Batch) error
	// After, if set, is called when the batch is recorded: an error is what a crash between the
	// append and its acknowledgement looks like.
	After func(n int, b *event.Batch) error

	busy atomic.Bool

	mu        sync.Mutex
	changed   chan struct{}
	puts      int
	ticks     int
	ingest    int64
	lines     []Line
	ends      map[fileKey]int64
	positions map[fileKey]event.Position
	known     map[event.SourceKey]bool
	idle      map[event.SourceKey]bool
	copied    []byte // the batch before, as it was pushed back
	refused   bool
}

// NewSink makes a sink that reports to t.
func NewSink(t testing.TB) *Sink {
	return &Sink{
		t: t, changed: make(chan struct{}), ends: map[fileKey]int64{}, positions: map[fileKey]event.Position{},
		known: map[event.SourceKey]bool{}, idle: map[event.SourceKey]bool{},
	}
}

// Put implements collectors.Sink.
func (s *Sink) Put(ctx context.Context, b *event.Batch) error {
	if !s.busy.CompareAndSwap(false, true) {
		s.t.Error("Put is called while another Put runs")
	}
	defer s.busy.Store(false)
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	s.puts++
	n := s.puts
	s.mu.Unlock()
	image := Image(b)
	if s.Before != nil {
		if err := s.Before(n, b); err != nil {
			s.mu.Lock()
			s.check(image)
			s.copied, s.refused = image, true
			s.mu.Unlock()
			return err
		}
	}
	s.mu.Lock()
	s.check(image)
	s.refused = false
	s.record(b)
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if !bytes.Equal(image, Image(b)) {
		s.t.Error("the batch changed while Put had it")
	}
	if s.After != nil {
		return s.After(n, b)
	}
	return nil
}

// Restart tells that another collector puts from now on: it goes on from Positions, and a batch that
// was refused before is no longer expected.
func (s *Sink) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused, s.ingest = false, 0
}

// check holds a batch against the one that was refused before it.
func (s *Sink) check(image []byte) {
	if s.refused && !bytes.Equal(image, s.copied) {
		s.t.Errorf("after a refusal another batch came:\n%s\nwant\n%s", clip(image), clip(s.copied))
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 2000)] }

func (s *Sink) record(b *event.Batch) {
	if b.Ingest < s.ingest {
		s.t.Errorf("ingest time goes back from %d to %d", s.ingest, b.Ingest)
	}
	s.ingest = b.Ingest
	seen := map[fileKey]bool{}
	for i := range b.Positions {
		s.recordPosition(&b.Positions[i], seen)
	}
	if b.Tick {
		s.ticks++
		for k, p := range s.positions {
			if seen[k] {
				continue
			}
			if !p.Done {
				s.t.Errorf("a tick leaves out %s ordinal %d", k.Path, k.ordinal)
			}
			delete(s.positions, k)
		}
	}
	offsets := map[int]int64{}
	for i := range b.Lines {
		l := &b.Lines[i]
		if l.File < 0 || l.File >= len(b.Positions) {
			s.t.Errorf("line %d names file %d of %d", i, l.File, len(b.Positions))
			continue
		}
		p := &b.Positions[l.File]
		if last, ok := offsets[l.File]; ok && l.Offset <= last {
			s.t.Errorf("%s: offset %d after %d", p.Path, l.Offset, last)
		}
		offsets[l.File] = l.Offset
		if l.Offset < p.Start || l.Offset+int64(len(l.Data)) > p.End {
			s.t.Errorf("%s: line at %d+%d lies outside of [%d,%d)", p.Path, l.Offset, len(l.Data), p.Start, p.End)
		}
		if p.Fingerprint.IsZero() {
			s.t.Errorf("%s: a line without a fingerprint of its file", p.Path)
		}
		if bytes.IndexByte(l.Data, '\n') >= 0 {
			s.t.Errorf("%s: a line at %d has a line feed", p.Path, l.Offset)
		}
		s.lines = append(s.lines, Line{p.Path, p.Ordinal, l.Offset, string(l.Data), l.Oversize})
	}
}

func (s *Sink) recordPosition(p *event.Position, seen map[fileKey]bool) {
	k := fileKey{p.Key(), p.Ordinal}
	if seen[k] {
		s.t.Errorf("%s ordinal %d stands twice in a batch", p.Path, p.Ordinal)
	}
	seen[k] = true
	if p.Ordinal == 0 {
		s.t.Errorf("%s has no ordinal", p.Path)
	}
	if p.End < p.Start {
		s.t.Errorf("%s: end %d before start %d", p.Path, p.End, p.Start)
	}
	if end, ok := s.ends[k]; ok && end != p.Start {
		s.t.Errorf("%s ordinal %d: starts at %d, the batch before ended at %d", p.Path, p.Ordinal, p.Start, end)
	}
	if old, ok := s.positions[k]; ok && !old.Fingerprint.IsZero() && old.End > 0 && old.Fingerprint != p.Fingerprint {
		s.t.Errorf("%s ordinal %d: its fingerprint changed", p.Path, p.Ordinal)
	}
	s.ends[k] = p.End
	s.positions[k] = *p
	s.known[p.Key()] = true
	s.idle[p.Key()] = p.Idle
}

// Image is all a batch says, as bytes to compare.
func Image(b *event.Batch) []byte {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, b.Ingest, b.Tick)
	for i := range b.Positions {
		fmt.Fprintf(&buf, "%+v\n", b.Positions[i])
	}
	for i := range b.Lines {
		l := &b.Lines[i]
		fmt.Fprintln(&buf, l.File, l.Offset, l.Oversize, len(l.Data))
		buf.Write(l.Data)
		buf.WriteByte('\n')
	}
	return buf.Bytes()
}

// Lines returns the recorded lines in the order in which they came.
func (s *Sink) Lines() []Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// Texts returns what the recorded lines say.
func (s *Sink) Texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, len(s.lines))
	for i := range s.lines {
		out[i] = s.lines[i].Text
	}
	return out
}

// Positions returns what the journal would give a collector at its next start: the last tick's
// positions, with what later batches said.
func (s *Sink) Positions() []event.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]event.Position, 0, len(s.positions))
	for _, p := range s.positions {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b event.Position) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Ordinal, b.Ordinal))
	})
	return out
}

// Counts returns the number of Puts that were tried and of ticks that were recorded.
func (s *Sink) Counts() (puts, ticks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts, s.ticks
}

// AllIdle tells whether there are sources, and each was idle in the last batch that named it.
func (s *Sink) AllIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, idle := range s.idle {
		if !idle {
			return false
		}
	}
	return len(s.idle) > 0
}

// Wait waits until done tells that enough was recorded; it is asked after each batch. It fails the
// test, with what it waited for, after a generous time.
func (s *Sink) Wait(what string, done func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if done() {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			s.t.Fatalf("waited in vain for %s; %d lines, positions %+v", what, len(s.Lines()), s.Positions())
		}
	}
}

// progress returns the number of lines, and what is closed when there are more.
func (s *Sink) progress() (lines int, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines), s.changed
}

// WaitLines waits for n lines.
func (s *Sink) WaitLines(n int) {
	s.t.Helper()
	s.Wait(fmt.Sprintf("%d lines", n), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.lines) >= n
	})
}
