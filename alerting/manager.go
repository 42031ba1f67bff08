package alerting

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Config is how alerts become incidents. Zero values mean the defaults.
type Config struct {
	// GroupBy is the fingerprint of alerts that belong together; nil means event.Alert.Group: rule
	// and key.
	GroupBy func(*event.Alert) event.Hash
	// ResolveAfter is how long an incident must be quiet to be resolved; never less than the window
	// of its rule. It should be longer than the rules' suppress. Default 1h.
	ResolveAfter time.Duration
	// UpdateInterval is the shortest time between two updates of one incident. Escalation and
	// resolution do not wait. Default 1m; negative means none.
	UpdateInterval time.Duration
	// RepeatInterval is the shortest time between two messages about updates of one incident, for
	// notifiers that cannot edit their first one. Default 30m; negative means none.
	RepeatInterval time.Duration
	// MaxOpen bounds the incidents open at once. Beyond it, the alerts of all further keys of a rule
	// share one incident. Default 1000.
	MaxOpen int
	// DigestOver is how many new incidents at once have messages of their own; the others are told
	// of in one digest, by notifiers that can. Default 10.
	DigestOver int
	// Retain is how long resolved incidents are kept. Default 24h.
	Retain time.Duration
	// NotifyShadow makes incidents of the alerts of shadow rules too.
	NotifyShadow bool
}

// withDefaults fills in the defaults.
func (c Config) withDefaults() Config {
	if c.GroupBy == nil {
		c.GroupBy = (*event.Alert).Group
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
		*d = max(*d, 0)
	}
	def(&c.ResolveAfter, time.Hour)
	def(&c.UpdateInterval, time.Minute)
	def(&c.RepeatInterval, 30*time.Minute)
	def(&c.Retain, 24*time.Hour)
	if c.MaxOpen <= 0 {
		c.MaxOpen = 1000
	}
	if c.DigestOver <= 0 {
		c.DigestOver = 10
	}
	return c
}

// Deps are what a Manager works with. All may be nil or zero.
type Deps struct {
	Playbooks *Library
	Links     LinkBuilder
	// Samples fetches evidence events; those not at hand are left out. It is called from several
	// goroutines.
	Samples func(ctx context.Context, ids []event.Hash) []event.Document
	Log     *slog.Logger
}

// Stats counts what a Manager has done since it was made.
type Stats struct {
	Alerts   int64 // applied to an incident
	Repeats  int64 // had been applied before
	Shadow   int64 // left out for being of shadow rules
	Overflow int64 // applied to an overflow incident
	Opened   int64
	Resolved int64
	Expired  int64 // resolved incidents removed before all was told of them
	Corrupt  int64 // stored incidents that could not be read
	Notifier map[string]NotifierStats
}

// NotifierStats counts the deliveries of one notifier.
type NotifierStats struct {
	Delivered int64 // notifications
	Digested  int64 // incidents told of in digests
	Failed    int64 // attempts
	Pending   int   // incidents with something to tell at the moment
	Silenced  int   // those of them that a silence holds back
}

// Manager keeps incidents and sees to it that every notifier is told of them.
//
// An incident is stored before anyone is told of it, and each delivery is stored after it was made:
// a crash loses no notification and repeats at most the one in flight. Handle and Tick change
// incidents; Flush or Run deliver. All may be called at any time from any goroutine.
type Manager struct {
	cfg       Config
	store     Store
	notifiers map[string]*outlet
	names     []string
	deps      Deps

	mu      sync.Mutex
	loaded  bool
	records map[event.Hash]*record // by incident
	byGroup map[event.Hash]*record // newest of the group, open or resolved
	stats   Stats

	silences map[string]*storedSilence // by key in the store; nil where they are to be loaded
}

// New makes a Manager. The names of notifiers are stored with incidents: a notifier that is renamed
// is a new one, and is told of what is open.
func New(cfg Config, store Store, notifiers map[string]Notifier, deps Deps) *Manager {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	deps.Log = deps.Log.With("component", "alerting")
	m := &Manager{
		cfg:       cfg.withDefaults(),
		store:     store,
		notifiers: make(map[string]*outlet, len(notifiers)),
		names:     slices.Sorted(maps.Keys(notifiers)),
		deps:      deps,
		records:   make(map[event.Hash]*record),
		byGroup:   make(map[event.Hash]*record),
	}
	for name, n := range notifiers {
		m.notifiers[name] = &outlet{name: name, notifier: n, wake: make(chan struct{}, 1)}
	}
	return m
}

// Handle applies alerts to their incidents and returns when that is durable. An alert that was
// applied before does nothing, so after an error the caller repeats the call with the same alerts.
// It delivers nothing. The alerts belong to the caller.
func (m *Manager) Handle(ctx context.Context, now time.Time, alerts []*event.Alert) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(ctx); err != nil {
		return err
	}
	var changed []*record
	pending := make(map[*record]bool)
	open := m.countOpen()
	for _, a := range alerts {
		if a.Mode == "shadow" && !m.cfg.NotifyShadow {
			m.stats.Shadow++
			continue
		}
		if a.Status == event.Updated {
			continue // a remark on an alert that stands: stored as a document, and nothing to page for
		}
		var rec *record
		if a.Status == event.Recovered {
			if rec = m.recovered(a); rec == nil {
				continue
			}
			m.resolve(rec, now.UnixNano())
			m.stats.Resolved++
			open--
		} else {
			if rec = m.route(a, &open); rec == nil {
				m.stats.Repeats++
				continue
			}
			rec.apply(now.UnixNano(), a, m.cfg.ResolveAfter)
			m.stats.Alerts++
			if rec.Incident.Overflow {
				m.stats.Overflow++
			}
		}
		if !pending[rec] {
			pending[rec] = true
			changed = append(changed, rec)
		}
	}
	for i, rec := range changed {
		if err := m.save(ctx, rec); err != nil {
			m.undo(changed[i:])
			return err
		}
	}
	if len(changed) > 0 {
		m.wakeAll()
	}
	return nil
}

// recovered finds the open incident that a recovery ends; nil where there is none, or where it has
// begun anew since.
func (m *Manager) recovered(a *event.Alert) *record {
	rec := m.byGroup[m.cfg.GroupBy(a)]
	if rec == nil || rec.Incident.Resolved != 0 || a.Time < rec.Incident.LastAlert {
		return nil
	}
	return rec
}

// route finds the record an alert belongs to, or makes it; nil where it was applied already.
func (m *Manager) route(a *event.Alert, open *int) *record {
	group, overflow := m.cfg.GroupBy(a), event.HashStrings("overflow", a.Rule.ID)
	rec, shared := m.byGroup[group], m.byGroup[overflow]
	// Either may have taken it: a group has an incident of its own again once there is room.
	if rec != nil && rec.applied(a.ID) || shared != nil && shared.applied(a.ID) {
		return nil
	}
	if rec != nil && rec.Incident.Resolved == 0 {
		return rec
	}
	if *open < m.cfg.MaxOpen {
		*open++
		return m.open(group, a, false, rec)
	}
	if shared != nil && shared.Incident.Resolved == 0 {
		return shared
	}
	return m.open(overflow, a, true, shared)
}

func (m *Manager) open(group event.Hash, a *event.Alert, overflow bool, previous *record) *record {
	rec := open(group, a, overflow, m.names, previous)
	m.records[rec.Incident.ID] = rec
	m.byGroup[group] = rec
	m.stats.Opened++
	return rec
}

// undo gives up changes that are not stored: the records are loaded again before they are used.
func (m *Manager) undo(recs []*record) {
	for _, rec := range recs {
		rec.stale = true
	}
}

// countOpen counts incidents that count towards MaxOpen.
func (m *Manager) countOpen() int {
	n := 0
	for _, rec := range m.records {
		if rec.Incident.Resolved == 0 && !rec.Incident.Overflow {
			n++
		}
	}
	return n
}

// Tick resolves incidents that have been quiet, and removes those resolved long ago. It should be
// called when the alerts of the past are handled, or a backlog opens incidents anew.
func (m *Manager) Tick(ctx context.Context, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(ctx); err != nil {
		return err
	}
	ns := now.UnixNano()
	resolved := false
	for _, rec := range m.ordered() {
		switch {
		case rec.Incident.Resolved == 0 && ns-rec.Touched >= int64(rec.Quiet):
			m.resolve(rec, ns)
			if err := m.save(ctx, rec); err != nil {
				m.undo([]*record{rec})
				return err
			}
			m.stats.Resolved++
			resolved = true
		case rec.Incident.Resolved != 0 && ns-rec.Incident.Resolved >= int64(m.cfg.Retain):
			if err := m.remove(ctx, rec); err != nil {
				return err
			}
		}
	}
	if err := m.trim(ctx); err != nil {
		return err
	}
	if err := m.expireSilences(ctx, ns); err != nil {
		return err
	}
	if resolved {
		m.wakeAll()
	}
	return nil
}

// Stats returns the counts, as they stand at now.
func (m *Manager) Stats(now time.Time) Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Notifier = make(map[string]NotifierStats, len(m.notifiers))
	for name, o := range m.notifiers {
		n := o.stats
		for _, rec := range m.records {
			d := rec.Deliveries[name]
			if d == nil {
				continue
			}
			reason := rec.reason(d)
			if reason == "" {
				continue
			}
			n.Pending++
			if m.silenced(rec, reason) > now.UnixNano() {
				n.Silenced++
			}
		}
		s.Notifier[name] = n
	}
	return s
}
