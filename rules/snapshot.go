package rules

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// snapshotVersion is the form of snapshots. Older forms are not read: windows are then rebuilt from
// the journal.
const snapshotVersion = 4

const snapshotMagic = "liveward windows\n"

// errSnapshot is a snapshot that AppendSnapshot cannot have written.
var errSnapshot = errors.New("windows snapshot is damaged")

// AppendSnapshot appends all that decides what will fire: sources and watermark, waiting signals,
// ids lately seen, windows and suppressions. The same state gives the same bytes.
func (w *Windows) AppendSnapshot(dst []byte) []byte {
	start := len(dst)
	s := &snapshotWriter{b: append(dst, snapshotMagic...)}
	s.uint(snapshotVersion)
	s.fields()
	s.block(w.appendHistories)
	s.int(w.mark.now)
	s.int(w.mark.ingest)
	s.bool(w.mark.registered)
	w.mark.appendClocks(s)
	tails := w.sortedTails()
	s.count(len(tails))
	number := make(map[tailKey]int, len(tails))
	for i, t := range tails {
		number[t.key] = i
		_, known := w.mark.tails[t.key]
		s.tail(t, known)
	}
	w.seen.appendTo(s)
	s.count(len(w.sorted))
	for _, rs := range w.sorted {
		s.hash(rs.rule.State)
		s.block(func(s *snapshotWriter) { rs.appendTo(s) })
	}
	waiting := w.buffer.all()
	slices.SortFunc(waiting, func(a, b waitingSignal) int { return a.p.compare(b.p) })
	s.count(len(waiting))
	for _, wait := range waiting {
		s.pending(wait.p, number[wait.p.tail.key])
	}
	sum := event.HashOf(s.b[start:])
	return append(s.b, sum[:]...)
}

// appendHistories writes what outlives the journal. The section stands at the same place whatever the
// version of the snapshot, and each history has a version of its own.
func (w *Windows) appendHistories(s *snapshotWriter) {
	n := 0
	for _, rs := range w.sorted {
		if _, ok := rs.tally.(historian); ok {
			n++
		}
	}
	s.count(n)
	for _, rs := range w.sorted {
		if h, ok := rs.tally.(historian); ok {
			s.hash(rs.rule.State)
			s.uint(h.historyVersion())
			s.block(h.appendHistory)
		}
	}
}

// readHistories reads the histories of the rules that are in the set. One of another version is
// passed over: its rule is warming.
func (w *Windows) readHistories(r *snapshotReader) {
	for range r.count(len(event.Hash{}) + 2) {
		rs, version, block := w.states[r.hash()], r.uint(), r.block()
		if rs == nil || r.err != nil {
			continue
		}
		h, ok := rs.tally.(historian)
		if !ok || version != h.historyVersion() {
			continue
		}
		if rs.tally.keys() > 0 {
			r.fail() // a rule twice
			return
		}
		h.readHistory(block)
		if len(block.b) > 0 {
			block.fail()
		}
		r.err = cmp.Or(r.err, block.err)
	}
	if len(r.b) > 0 {
		r.fail()
	}
}

// RestoreHistory takes from a snapshot nothing but what cannot be rebuilt from the journal: what rules
// of kind first_seen have seen, and spikes have learnt. Restore does so as well; this is for a snapshot of another version,
// which Restore refuses. The rules must be in the set, and must not have counted. An error leaves w as
// it was.
func (w *Windows) RestoreHistory(snapshot []byte) error {
	r, err := openSnapshot(snapshot)
	if err != nil {
		return fmt.Errorf("restore history of windows: %w", err)
	}
	r.uint()
	n := w.blank()
	r.readFields()
	histories := r.block()
	if r.err == nil {
		n.readHistories(histories)
		r.err = histories.err
	}
	if r.err != nil {
		return fmt.Errorf("restore history of windows: %w", r.err)
	}
	for _, rs := range n.sorted {
		if _, ok := rs.tally.(historian); ok {
			old := w.states[rs.rule.State]
			old.tally, old.limits, old.shows, old.held = rs.tally, rs.limits, rs.shows, rs.held
			old.prepare()
			old.adopt(&w.mark)
		}
	}
	w.due = noTime
	return nil
}

// openSnapshot checks that a snapshot is whole, and gives its content from the version on.
func openSnapshot(snapshot []byte) (*snapshotReader, error) {
	body, ok := bytes.CutPrefix(snapshot, []byte(snapshotMagic))
	if !ok || len(body) < len(event.Hash{}) {
		return nil, fmt.Errorf("%w: no snapshot of windows", errSnapshot)
	}
	end := len(snapshot) - len(event.Hash{})
	sum := event.HashOf(snapshot[:end])
	if !bytes.Equal(sum[:], snapshot[end:]) {
		return nil, fmt.Errorf("%w: checksum differs", errSnapshot)
	}
	return &snapshotReader{b: body[:len(body)-len(event.Hash{})]}, nil
}

// sortedTails are the registered sources, and those that are gone but have signals waiting.
func (w *Windows) sortedTails() []*tail {
	all := make(map[tailKey]*tail, len(w.mark.tails))
	for _, wait := range w.buffer.all() {
		all[wait.p.tail.key] = wait.p.tail
	}
	maps.Copy(all, w.mark.tails)
	tails := make([]*tail, 0, len(all))
	for _, t := range all {
		tails = append(tails, t)
	}
	slices.SortFunc(tails, func(a, b *tail) int { return a.key.compare(b.key) })
	return tails
}

// appendTo writes a rule's windows. The show values they refer to come first, each once.
func (rs *ruleState) appendTo(s *snapshotWriter) {
	s.string(string(rs.rule.Kind))
	s.int(int64(rs.rule.Window))
	s.int(rs.rule.Count)
	s.int(rs.last)
	s.int(rs.warm)
	body := &snapshotWriter{shows: map[uint32]int{}}
	rs.tally.appendTo(body)
	rs.held.appendTo(body)
	if rs.early != nil {
		rs.early.appendTo(body)
	}
	s.count(len(body.shown))
	for _, ref := range body.shown {
		s.bytes(rs.shows.get(ref))
	}
	s.b = append(s.b, body.b...)
}

// Restore takes the state of a snapshot. Windows of rules that are not in the set, or whose logic is
// another, are left out. An error leaves w as it was.
func (w *Windows) Restore(snapshot []byte) error {
	r, err := openSnapshot(snapshot)
	if err != nil {
		return fmt.Errorf("restore windows: %w", err)
	}
	if v := r.uint(); r.err == nil && v != snapshotVersion {
		return fmt.Errorf("restore windows: snapshot has version %d, want %d", v, snapshotVersion)
	}
	n := w.blank()
	n.readFrom(r)
	if r.err == nil && len(r.b) > 0 {
		r.fail()
	}
	if r.err != nil {
		return fmt.Errorf("restore windows: %w", r.err)
	}
	n.due = noTime
	*w = *n
	return nil
}

// blank makes windows as new, with the same rules.
func (w *Windows) blank() *Windows {
	rules := make([]*Rule, len(w.sorted))
	for i, rs := range w.sorted {
		rules[i] = rs.rule
	}
	return NewWindows(rules, w.ruleset, w.cfg)
}

func (w *Windows) readFrom(r *snapshotReader) {
	r.readFields()
	histories := r.block()
	if r.err == nil {
		w.readHistories(histories)
		r.err = histories.err
	}
	w.mark.now, w.mark.ingest, w.mark.registered = r.int(), r.int(), r.bool()
	w.mark.readClocks(r)
	tails := make([]*tail, 0, 16)
	for range r.count(4) {
		t, known := r.tail()
		if r.err != nil {
			return
		}
		if len(tails) > 0 && tails[len(tails)-1].key.compare(t.key) >= 0 {
			r.fail()
		}
		t.lateness = w.mark.latenessFor(t.key.Source)
		if known {
			w.mark.tails[t.key] = t
		}
		tails = append(tails, t)
	}
	w.seen.readFrom(r)
	states := r.count(len(event.Hash{}))
	for range states {
		rs := w.states[r.hash()]
		block := r.block()
		if rs != nil && r.err == nil {
			r.err = cmp.Or(r.err, rs.readFrom(block))
		}
		if r.err != nil {
			return
		}
	}
	for range r.count(3 * len(event.Hash{})) {
		p, state, tail := r.pending()
		if r.err == nil && tail >= uint64(len(tails)) {
			r.fail()
		}
		if r.err != nil {
			return
		}
		if p.state = w.states[state]; p.state != nil {
			p.tail = tails[tail]
			w.buffer.push(p)
		}
	}
	for _, rs := range w.sorted {
		rs.adopt(&w.mark)
		if rs.early != nil {
			rs.early.adopt(rs, w.buffer.all())
		}
	}
}

// readFrom reads a rule's windows; those of another logic are passed over.
func (rs *ruleState) readFrom(r *snapshotReader) error {
	kind, window, count := r.string(), r.int(), r.int()
	if r.err == nil && (kind != string(rs.rule.Kind) || window != int64(rs.rule.Window) || count != rs.rule.Count) {
		return nil
	}
	_, history := rs.tally.(historian)
	if rs.last != noTime || rs.tally.keys() > 0 && !history || rs.held.table.len() > 0 {
		r.fail() // a rule twice
	}
	rs.last, rs.warm = r.int(), r.int()
	r.refs = append(r.refs[:0], 0)
	for range r.count(1) {
		r.refs = append(r.refs, rs.shows.intern(r.values()))
	}
	rs.tally.readFrom(r)
	rs.held.readFrom(r)
	if rs.early != nil {
		rs.early.readFrom(r)
	}
	for _, ref := range r.refs {
		rs.shows.release(ref) // the windows hold their own uses
	}
	if len(r.b) > 0 {
		r.fail()
	}
	return r.err
}
