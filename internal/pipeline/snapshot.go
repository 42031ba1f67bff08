package pipeline

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/liveward/liveward/internal/join"
	"github.com/liveward/liveward/rules"
)

// storing is a snapshot on its way into the journal. The windows go on meanwhile: what is stored is
// their state as it was at the cursor.
type storing struct {
	slot int
	seq  uint64 // of the cursor
	data []byte
	done chan error
}

// maybeSnapshot begins a snapshot where it is time for one.
func (d *Detector) maybeSnapshot(ctx context.Context) error {
	if err := d.storedSnapshot(false); err != nil {
		// The snapshot before serves as well; only more has to be read again.
		d.log.Warn("snapshot was not stored", "error", err)
	}
	// A journal that is full waits for the oldest snapshot: it comes on though nothing is read.
	if d.storing != nil || (!d.dirty && d.needed() >= d.cursor.Seq) || d.now().Sub(d.taken) < snapshotInterval {
		return nil
	}
	d.snapshot(ctx)
	return nil
}

// snapshot freezes windows and joins and stores them beside the reading. storedSnapshot must be asked for
// it before the next.
func (d *Detector) snapshot(ctx context.Context) {
	d.taken = d.now()
	head := snapshotHead{Cursor: d.cursor, Ruleset: d.ruleset, Alerts: d.alerts, Derived: d.derived.ref}
	s := &storing{slot: d.slot, seq: d.cursor.Seq, data: d.spare[:0], done: make(chan error, 1)}
	d.storing, d.spare, d.dirty = s, nil, false
	var joins *join.Frozen
	if d.joins != nil {
		joins = d.joins.engine.Freeze()
	}
	windows := d.windows.Freeze()
	go func() {
		err := s.write(head, joins, windows)
		windows.Release()
		if err == nil {
			err = d.j.PutBlob(ctx, snapshotBlob(s.slot), s.data)
		}
		s.done <- err
	}()
}

// write encodes a snapshot. joins may be nil.
func (s *storing) write(head snapshotHead, joins *join.Frozen, windows *rules.Frozen) error {
	var joined []byte
	var err error
	if joins != nil {
		if joined, err = joins.AppendSnapshot(nil); err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
	}
	head.Joins = len(joined)
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	s.data = append(append(append(s.data, text...), '\n'), joined...)
	s.data = windows.AppendSnapshot(s.data)
	return nil
}

// storedSnapshot takes note of a snapshot that was stored, and waits for it where it is asked to. The
// error is that of storing.
func (d *Detector) storedSnapshot(wait bool) error {
	s := d.storing
	if s == nil {
		return nil
	}
	var err error
	if wait {
		err = <-s.done
	} else {
		select {
		case err = <-s.done:
		default:
			return nil
		}
	}
	d.storing, d.spare = nil, s.data
	if err != nil {
		d.dirty = true
		return err
	}
	d.kept[s.slot] = s.seq
	d.slot = (s.slot + 1) % snapshots
	return nil
}

// awaitSnapshot waits for the snapshot that is being stored. One that could not be is made up for by the
// next, or at the next start by reading more.
func (d *Detector) awaitSnapshot() {
	if err := d.storedSnapshot(true); err != nil {
		d.log.Warn("snapshot was not stored", "error", err)
	}
}
