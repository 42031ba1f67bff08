package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liveward/liveward/internal/journal"
)

// Bounds of the index of keys.
const (
	indexedKeys    = 20_000
	indexRetention = 400 * 24 * time.Hour // of event time, since a key was last seen
	indexInterval  = 30 * time.Second     // between snapshots
	indexSlots     = 2                    // snapshots kept; one of another journal takes the one before
)

// KeySeen is what the journal's events say of one API key. Times are event times, in nanoseconds.
type KeySeen struct {
	ID      string `json:"id"`
	Owner   string `json:"owner,omitempty"`
	First   int64  `json:"first"`
	Last    int64  `json:"last"`
	Calls   int64  `json:"calls"`
	Refused int64  `json:"refused"`
}

// KeyTable is the index of keys at a message of the journal.
type KeyTable struct {
	Cursor journal.Ref `json:"cursor"`
	// Keys are those that were accepted once, or have an owner: whoever tries keys cannot fill the table.
	Keys []KeySeen `json:"keys"`
	// Strangers counts calls with other keys; LeftOut, of those, the calls that no room was left for.
	Strangers int64 `json:"strangers"`
	LeftOut   int64 `json:"left_out"`
	Newest    int64 `json:"newest"` // event time
}

// KeyIndex reads the journal and keeps when each API key was first and last seen. It is a reader like
// any other: what it knows follows from the journal, and decides nothing before it. It reads the heads
// of batches alone, in which intake has counted the calls by key.
type KeyIndex struct {
	j   *journal.Journal
	now func() time.Time
	log *slog.Logger

	mu    sync.Mutex
	table KeyTable // without Keys
	keys  map[string]*KeySeen

	dirty  bool
	taken  time.Time
	slot   int
	kept   [indexSlots]uint64
	needed atomic.Uint64
	at     atomic.Uint64
}

// NewKeyIndex makes the index; Run does the rest.
func NewKeyIndex(j *journal.Journal, now func() time.Time, log *slog.Logger) *KeyIndex {
	return &KeyIndex{j: j, now: now, log: log, keys: make(map[string]*KeySeen)}
}

// Needed is the sequence up to which the index needs the journal no more.
func (x *KeyIndex) Needed() uint64 { return x.needed.Load() }

// Reached is the sequence up to which the index has read.
func (x *KeyIndex) Reached() uint64 { return x.at.Load() }

// Table is a copy of what is known, in the order of the keys' ids.
func (x *KeyIndex) Table() KeyTable {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.table
	t.Keys = make([]KeySeen, 0, len(x.keys))
	for _, k := range x.keys {
		t.Keys = append(t.Keys, *k)
	}
	slices.SortFunc(t.Keys, func(a, b KeySeen) int { return cmp.Compare(a.ID, b.ID) })
	return t
}

// Run reads until ctx is done, then stores a last snapshot and returns nil.
func (x *KeyIndex) Run(ctx context.Context) error {
	if err := x.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it had begun
		}
		return fmt.Errorf("index of keys: %w", err)
	}
	err := x.j.Follow(ctx, journal.Events, x.table.Cursor.Seq, journal.All, func() error { x.maybeSnapshot(ctx); return nil }, func(e *journal.Entry) error {
		head := new(journal.BatchHead)
		if e.Subject != journal.RulesetSubject {
			var err error
			if head, err = journal.DecodeHead(e.Body); err != nil {
				return fmt.Errorf("message %d: %w", e.Seq, err)
			}
		}
		x.apply(e.Ref, head)
		x.maybeSnapshot(ctx)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("index of keys: %w", err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if x.dirty {
		x.snapshot(last)
	}
	return nil
}

func (x *KeyIndex) apply(ref journal.Ref, head *journal.BatchHead) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range head.Keys {
		x.see(&head.Keys[i])
	}
	x.table.Strangers += head.MoreKeys
	x.table.Cursor = ref
	x.at.Store(ref.Seq)
	x.dirty = true
}

func (x *KeyIndex) see(t *journal.KeyTally) {
	k := x.keys[t.ID]
	if k == nil {
		if welcome := t.Accepted > 0 || t.Owner != ""; !welcome || len(x.keys) >= indexedKeys {
			x.table.Strangers += t.Calls
			if welcome {
				x.table.LeftOut += t.Calls
			}
			return
		}
		k = &KeySeen{ID: t.ID}
		x.keys[k.ID] = k
	}
	k.Calls += t.Calls
	k.Refused += t.Refused
	if t.Owner != "" {
		k.Owner = t.Owner
	}
	if k.First == 0 || t.First != 0 && t.First < k.First {
		k.First = t.First
	}
	k.Last = max(k.Last, t.Last)
	x.table.Newest = max(x.table.Newest, t.Last)
}

// LoadKeyTable reads the newest index that the journal holds the message of; of a journal without one
// it is empty.
func LoadKeyTable(ctx context.Context, j *journal.Journal) (KeyTable, error) {
	t, _, err := loadKeyTables(ctx, j)
	return t, err
}

// loadKeyTables reads all snapshots. The first of them whose message the journal holds is the table;
// where there is none, the table has only when keys were first seen.
func loadKeyTables(ctx context.Context, j *journal.Journal) (table KeyTable, kept [indexSlots]uint64, err error) {
	var all []KeyTable
	for slot := range indexSlots {
		data, err := j.Blob(ctx, keyBlob(slot))
		if err != nil {
			return table, kept, err
		}
		var t KeyTable
		if data == nil || json.Unmarshal(data, &t) != nil {
			continue
		}
		kept[slot] = t.Cursor.Seq
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b KeyTable) int { return cmp.Compare(b.Cursor.Seq, a.Cursor.Seq) })
	for _, t := range all {
		ok, err := j.Holds(ctx, journal.Events, t.Cursor)
		if err != nil {
			return table, kept, err
		}
		if ok {
			return t, kept, nil
		}
	}
	if len(all) > 0 {
		for _, k := range all[0].Keys {
			table.Keys = append(table.Keys, KeySeen{ID: k.ID, Owner: k.Owner, First: k.First, Last: k.First})
		}
	}
	return table, [indexSlots]uint64{}, nil
}

func keyBlob(slot int) string { return fmt.Sprintf("keys.%d", slot) }

func (x *KeyIndex) open(ctx context.Context) error {
	t, kept, err := loadKeyTables(ctx, x.j)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range t.Keys {
		x.keys[t.Keys[i].ID] = &t.Keys[i]
	}
	x.table, x.kept = t, kept
	x.table.Keys = nil
	x.slot = slices.Index(kept[:], slices.Min(kept[:])) // the older one is written over
	x.taken = x.now()
	x.needed.Store(slices.Min(kept[:]))
	x.at.Store(t.Cursor.Seq)
	return nil
}

func (x *KeyIndex) maybeSnapshot(ctx context.Context) {
	// A journal that is full waits for the older snapshot: it comes on though nothing is read.
	if (x.dirty || x.needed.Load() < x.table.Cursor.Seq) && x.now().Sub(x.taken) >= indexInterval {
		x.snapshot(ctx)
	}
}

func (x *KeyIndex) snapshot(ctx context.Context) {
	x.taken = x.now()
	x.forget()
	t := x.Table()
	data, err := json.Marshal(t)
	if err == nil {
		err = x.j.PutBlob(ctx, keyBlob(x.slot), data)
	}
	if err != nil {
		// The snapshot before serves as well; only more has to be read again.
		x.log.Warn("index of keys was not stored", "error", err)
		return
	}
	x.kept[x.slot] = t.Cursor.Seq
	x.slot = (x.slot + 1) % indexSlots
	x.needed.Store(slices.Min(x.kept[:]))
	x.dirty = false
}

// forget drops keys that were not seen for longer than the index keeps them.
func (x *KeyIndex) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, k := range x.keys {
		if k.Last != 0 && k.Last < x.table.Newest-int64(indexRetention) { // 0 is of skewed calls alone
			delete(x.keys, id)
		}
	}
}
