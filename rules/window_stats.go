package rules

import (
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// WindowStats is what windows tell of themselves. Counters begin with the process; they are no part
// of a snapshot and decide nothing.
type WindowStats struct {
	Watermark  int64 // nanoseconds; smaller than any event's time where there is none yet
	Started    bool  // the watermark has a time
	Sources    int   // registered sources
	Pending    int   // signals waiting for the watermark
	Late       int64 // signals behind their own source
	Behind     int64 // signals behind the watermark, though not behind their own source
	Skewed     int64 // signals of events from the future
	Duplicates int64 // signals of events that had been taken in before
	Forced     int64 // signals counted before the watermark, because too many were waiting
	Forgotten  int64 // times the memory of event ids was full before its span was over
	Unknown    int64 // signals of rules that are not in the set
	Malformed  int64 // signals that no batch can hold
	Evicted    int64 // keys of all rules forgotten for want of room
	Bytes      int64 // estimated memory of all keys
	Rules      []RuleStats
	// Missed counts, by source, events that were not late by their own log, and whose signals came behind the
	// watermark all the same: the clock of their gateway is behind, or the log is written in long pieces.
	Missed map[string]int64
}

// RuleStats is what a rule's windows tell of themselves.
type RuleStats struct {
	ID         string
	Matches    int64 // signals taken in, each event once; late ones among them
	Fired      int64 // alerts, escalations among them
	Escalated  int64
	Suppressed int64 // firings held back
	Skipped    int64 // signals too late for the rule's windows
	NoKey      int64 // signals without a key, or without a value to count
	Keys       int   // keys with events in the window
	Held       int   // keys whose firings are being held back
	Evicted    int64 // keys forgotten for want of room: while this grows the rule is degraded
	Bytes      int64 // estimated memory
	Warming    bool  // the rule is new, and its windows are not full yet
	// Nanoseconds is the time spent on counting the rule's signals, estimated from one in sampleEvery;
	// 0 without WindowConfig.Clock. What matching costs is in MatchStats.
	Nanoseconds int64
}

// missed counts events that came behind the watermark. Of one event there may be many signals, one after
// the other.
type missed struct {
	events map[string]*int64 // by source

	// The event that was counted last.
	tail    *tail
	ordinal uint64
	offset  int64
}

func (m *missed) note(t *tail, ordinal uint64, sig *event.Signal) {
	if m.tail == t && m.ordinal == ordinal && m.offset == sig.Offset {
		return
	}
	m.tail, m.ordinal, m.offset = t, ordinal, sig.Offset
	n := m.events[t.key.Source]
	if n == nil {
		if len(m.events) >= maxTails {
			return
		}
		n = new(int64)
		m.events[t.key.Source] = n
	}
	*n++
}

// sampleEvery is how many matches or signals of a rule share one look at the clock.
const sampleEvery = 64

// Stats tells how the windows are doing. Rules are in order of their ids.
func (w *Windows) Stats() WindowStats {
	s := w.stats
	s.Watermark, s.Started = w.mark.now, w.mark.now != noTime
	s.Sources, s.Pending, s.Forgotten = len(w.mark.tails), w.buffer.len(), w.seen.overflow
	s.Missed = make(map[string]int64, len(w.missed.events))
	for source, n := range w.missed.events {
		s.Missed[source] = *n
	}
	s.Rules = slices.Grow[[]RuleStats](nil, len(w.sorted))
	for _, rs := range w.sorted {
		r := rs.stats
		r.ID, r.Keys, r.Held = rs.rule.ID, rs.tally.keys(), rs.held.table.len()
		r.Evicted, r.Bytes = rs.limits.evicted, rs.size()
		if rs.early != nil {
			r.Evicted += rs.early.limits.evicted
		}
		r.Warming = rs.warming(w.mark.now)
		s.Evicted += r.Evicted
		s.Bytes += r.Bytes
		s.Rules = append(s.Rules, r)
	}
	return s
}
