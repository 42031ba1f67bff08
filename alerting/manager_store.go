package alerting

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// trim bounds the resolved incidents kept to as many as may be open, oldest first.
func (m *Manager) trim(ctx context.Context) error {
	var done []*record
	for _, rec := range m.records {
		if rec.Incident.Resolved != 0 {
			done = append(done, rec)
		}
	}
	slices.SortFunc(done, func(a, b *record) int {
		if c := cmp.Compare(a.Incident.Resolved, b.Incident.Resolved); c != 0 {
			return c
		}
		return slices.Compare(a.Incident.ID[:], b.Incident.ID[:])
	})
	for i := range max(0, len(done)-m.cfg.MaxOpen) {
		if err := m.remove(ctx, done[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) remove(ctx context.Context, rec *record) error {
	if err := m.store.Delete(ctx, rec.key()); err != nil {
		return fmt.Errorf("delete incident %s: %w", rec.Incident.ID, err)
	}
	if !rec.told(m.names) {
		m.stats.Expired++
		m.deps.Log.Warn("incident removed before all was told of it", "incident", rec.Incident.ID.String())
	}
	m.forget(rec)
	return nil
}

func (m *Manager) forget(rec *record) {
	delete(m.records, rec.Incident.ID)
	if m.byGroup[rec.Incident.Group] == rec {
		delete(m.byGroup, rec.Incident.Group)
		if p := rec.previous; p != nil && m.records[p.Incident.ID] == p {
			m.byGroup[rec.Incident.Group] = p
		}
	}
}

// Incidents returns the incidents kept, open ones first, newest first.
func (m *Manager) Incidents(ctx context.Context) ([]Incident, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(ctx); err != nil {
		return nil, err
	}
	out := make([]Incident, 0, len(m.records))
	for _, rec := range m.records {
		out = append(out, rec.Incident)
	}
	slices.SortFunc(out, func(a, b Incident) int {
		if (a.Resolved == 0) != (b.Resolved == 0) {
			if a.Resolved == 0 {
				return -1
			}
			return 1
		}
		if c := cmp.Compare(b.LastAlert, a.LastAlert); c != 0 {
			return c
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
	return out, nil
}

// load makes memory what the store has: all of it the first time, then what may differ.
func (m *Manager) load(ctx context.Context) error {
	if err := m.loadSilences(ctx); err != nil {
		return err
	}
	if m.loaded {
		for _, rec := range m.ordered() {
			if !rec.stale {
				continue
			}
			if err := m.refresh(ctx, rec); err != nil {
				return err
			}
		}
		return nil
	}
	keys, err := m.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	slices.Sort(keys)
	records := make(map[event.Hash]*record, len(keys))
	byGroup := make(map[event.Hash]*record, len(keys))
	var corrupt int64
	for _, key := range keys {
		if strings.HasPrefix(key, silencePrefix) {
			continue
		}
		value, revision, err := m.store.Load(ctx, key)
		if err != nil {
			return fmt.Errorf("load incident: %w", err)
		}
		if revision == 0 {
			continue
		}
		rec, err := decodeRecord(value, revision)
		if err != nil || rec.key() != key {
			corrupt++
			m.deps.Log.Error("stored incident cannot be read and is left alone", "key", key)
			continue
		}
		m.addNotifiers(rec)
		records[rec.Incident.ID] = rec
		if have := byGroup[rec.Incident.Group]; have == nil || newer(rec, have) {
			byGroup[rec.Incident.Group] = rec
		}
	}
	m.records, m.byGroup, m.loaded = records, byGroup, true
	m.stats.Corrupt = corrupt
	return nil
}

// newer tells which record of one group is the current one.
func newer(a, b *record) bool {
	if (a.Incident.Resolved == 0) != (b.Incident.Resolved == 0) {
		return a.Incident.Resolved == 0
	}
	return a.Incident.Resolved > b.Incident.Resolved
}

// addNotifiers lets notifiers that are new tell of what is open; what is resolved is not news.
func (m *Manager) addNotifiers(rec *record) {
	if rec.Incident.Resolved != 0 {
		return
	}
	for _, name := range m.names {
		if rec.Deliveries[name] == nil {
			rec.Deliveries[name] = &delivery{}
		}
	}
}

// save stores a record.
func (m *Manager) save(ctx context.Context, rec *record) error {
	value, err := encodeRecord(rec)
	if err != nil {
		return err
	}
	revision, err := m.store.Save(ctx, rec.key(), value, rec.revision)
	if err != nil {
		return fmt.Errorf("save incident %s: %w", rec.Incident.ID, err)
	}
	rec.revision, rec.dirty, rec.previous = revision, false, nil
	return nil
}

// refresh makes a stale record what the store has, plus deliveries made since; a record that the
// store does not have is forgotten.
func (m *Manager) refresh(ctx context.Context, rec *record) error {
	value, revision, err := m.store.Load(ctx, rec.key())
	if err != nil {
		return fmt.Errorf("load incident %s: %w", rec.Incident.ID, err)
	}
	if revision == 0 {
		m.forget(rec)
		return nil
	}
	stored, err := decodeRecord(value, revision)
	if err != nil || stored.Incident.ID != rec.Incident.ID {
		m.stats.Corrupt++
		m.deps.Log.Error("stored incident cannot be read and is left alone", "key", rec.key())
		m.forget(rec)
		return nil
	}
	deliveries := rec.Deliveries
	*rec = *stored
	rec.merge(deliveries)
	m.addNotifiers(rec)
	return nil
}

// ordered lists records in a fixed order.
func (m *Manager) ordered() []*record {
	out := slices.Collect(maps.Values(m.records))
	slices.SortFunc(out, func(a, b *record) int { return slices.Compare(a.Incident.ID[:], b.Incident.ID[:]) })
	return out
}
