package alerting

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Pauses after failed attempts.
const (
	firstPause  = time.Second
	longestWait = 5 * time.Minute
	// longestRetryAfter bounds what a notifier may ask for.
	longestRetryAfter = time.Hour
)

// outlet is one notifier with the state of its deliveries. Outlets do not wait for each other.
type outlet struct {
	name     string
	notifier Notifier
	wake     chan struct{} // something may be due

	busy sync.Mutex // held while the notifier is called

	// The rest is guarded by Manager.mu.
	stats     NotifierStats
	failures  int   // since the last success
	notBefore int64 // of the next attempt
}

// job is one message to be delivered.
type job struct {
	recs []*record // one, or those of a digest
	n    Notification
	// What is told once it is delivered, per record.
	changes    []int64
	severities []event.Severity
	digest     bool
}

// Flush makes every delivery that is due at now, each at most once, all notifiers at the same time,
// and returns when that is done. It returns the errors of the failed ones; they are tried again
// later. It is for tests, one-shot commands and the end of a run; an agent uses Run.
func (m *Manager) Flush(ctx context.Context, now time.Time) error {
	clock := func() time.Time { return now }
	errs := make([]error, len(m.names))
	var wg sync.WaitGroup
	for i, name := range m.names {
		wg.Go(func() { errs[i] = m.deliver(ctx, m.notifiers[name], clock) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Run delivers and ticks until ctx is done, and returns nil when all its goroutines have ended.
func (m *Manager) Run(ctx context.Context, now func() time.Time) error {
	var wg sync.WaitGroup
	for _, name := range m.names {
		wg.Go(func() { m.runOutlet(ctx, m.notifiers[name], now) })
	}
	every := min(max(m.cfg.ResolveAfter/10, time.Second), time.Minute)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			if err := m.Tick(ctx, now()); err != nil && ctx.Err() == nil {
				m.deps.Log.Error("incidents not checked", "error", err)
			}
		}
	}
	wg.Wait()
	return nil
}

func (m *Manager) runOutlet(ctx context.Context, o *outlet, now func() time.Time) {
	for ctx.Err() == nil {
		// Errors are logged and counted where they happen; the next attempt is due in time.
		_ = m.deliver(ctx, o, now)
		timer := time.NewTimer(m.nextDue(o, now()))
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (m *Manager) wakeAll() {
	for _, o := range m.notifiers {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

// deliver makes deliveries of one notifier until none is due or one fails.
func (m *Manager) deliver(ctx context.Context, o *outlet, clock func() time.Time) error {
	o.busy.Lock()
	defer o.busy.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := clock()
		j, err := m.nextJob(ctx, o, now.UnixNano())
		if err != nil {
			m.storeFailed(ctx, o, now, err)
			return err
		}
		if j == nil {
			return nil
		}
		var receipt Receipt
		if j.digest {
			d := Digest{}
			for _, rec := range j.recs {
				d.Incidents = append(d.Incidents, rec.Incident)
			}
			receipt, err = o.notifier.(Digester).Digest(ctx, d)
		} else {
			m.complete(ctx, &j.n)
			receipt, err = o.notifier.Notify(ctx, j.n)
		}
		now = clock()
		if err != nil {
			if ctx.Err() == nil {
				m.failed(o, j, now, err)
			}
			return fmt.Errorf("notify %s: %w", o.name, err)
		}
		if err := m.delivered(ctx, o, j, now.UnixNano(), receipt); err != nil {
			m.storeFailed(ctx, o, now, err)
			return err
		}
	}
}

// nextJob picks what to deliver next: what failed least, then the most severe, then the oldest.
func (m *Manager) nextJob(ctx context.Context, o *outlet, now int64) (*job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(ctx); err != nil {
		return nil, err
	}
	// A delivery that was made and could not be stored comes first: until it is, a crash repeats it.
	for _, rec := range m.ordered() {
		if rec.dirty {
			if err := m.save(ctx, rec); err != nil {
				m.undo([]*record{rec})
				return nil, err
			}
		}
	}
	if now < o.notBefore {
		return nil, nil
	}
	type candidate struct {
		rec    *record
		d      *delivery
		reason Reason
	}
	var due []candidate
	opened := 0
	for _, rec := range m.records {
		d := rec.Deliveries[o.name]
		if d == nil {
			continue
		}
		reason := rec.reason(d)
		if reason == "" || m.due(rec, d, reason) > now {
			continue
		}
		due = append(due, candidate{rec, d, reason})
		if reason == Opened {
			opened++
		}
	}
	if len(due) == 0 {
		return nil, nil
	}
	slices.SortFunc(due, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(a.d.attempts, b.d.attempts),
			cmp.Compare(rank(b.rec.Incident.Severity), rank(a.rec.Incident.Severity)),
			cmp.Compare(a.rec.Incident.Opened, b.rec.Incident.Opened),
			slices.Compare(a.rec.Incident.ID[:], b.rec.Incident.ID[:]),
		)
	})
	j := &job{}
	add := func(rec *record) {
		j.recs = append(j.recs, rec)
		j.changes = append(j.changes, rec.Incident.Changes)
		j.severities = append(j.severities, rec.Incident.Severity)
	}
	if _, ok := o.notifier.(Digester); ok && opened > m.cfg.DigestOver {
		j.digest = true
		kept := 0
		for _, c := range due {
			if c.reason != Opened {
				continue
			}
			if kept++; kept > m.cfg.DigestOver {
				add(c.rec)
			}
		}
		return j, nil
	}
	c := due[0]
	add(c.rec)
	j.n = m.notification(c.rec, c.reason)
	j.n.Receipt = maps.Clone(c.d.Receipt)
	j.n.FollowUp = c.reason != Updated || now >= c.d.FollowUp+int64(m.cfg.RepeatInterval)
	return j, nil
}

// complete adds what is looked up when a notification is made: playbook, links and samples.
func (m *Manager) complete(ctx context.Context, n *Notification) {
	if p, ok := m.deps.Playbooks.Page(n.Alert.Rule.Playbook); ok {
		n.Playbook = p
	}
	n.Links.Discover = m.deps.Links.Discover(n.Alert)
	switch {
	case n.Playbook != nil && n.Playbook.URL != "":
		n.Links.Playbook = n.Playbook.URL
	case isWebURL(n.Alert.Rule.Reference):
		n.Links.Playbook = n.Alert.Rule.Reference
	}
	if m.deps.Samples != nil && len(n.Alert.Evidence) > 0 {
		ids := n.Alert.Evidence // newest last
		ids = ids[max(0, len(ids)-MaxSamples):]
		samples := m.deps.Samples(ctx, ids)
		n.Samples = samples[:min(len(samples), MaxSamples)]
	}
}

// delivered stores a success.
func (m *Manager) delivered(ctx context.Context, o *outlet, j *job, now int64, receipt Receipt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	o.failures, o.notBefore = 0, 0
	if j.digest {
		o.stats.Digested += int64(len(j.recs))
	}
	o.stats.Delivered++
	var errs []error
	for i, rec := range j.recs {
		if m.records[rec.Incident.ID] != rec {
			continue // removed meanwhile
		}
		d := rec.Deliveries[o.name]
		if d == nil {
			continue
		}
		d.Told, d.Severity, d.Sent = j.changes[i], j.severities[i], now
		d.Receipt = maps.Clone(receipt)
		d.attempts, d.notBefore = 0, 0
		if j.digest || j.n.FollowUp {
			d.FollowUp = now
		}
		rec.dirty = true
		if rec.stale {
			continue // stored when it is loaded again
		}
		if err := m.save(ctx, rec); err != nil {
			m.undo([]*record{rec})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// failed notes a failure and sets the next attempt.
func (m *Manager) failed(o *outlet, j *job, now time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o.stats.Failed++
	o.failures++
	wait := pause(o.failures)
	after, asked := RetryAfter(err)
	if asked {
		wait = min(after, longestRetryAfter)
	}
	o.notBefore = now.Add(wait).UnixNano()
	attempts := 0
	for _, rec := range j.recs {
		d := rec.Deliveries[o.name]
		if d == nil {
			continue
		}
		if !asked {
			// Asked to wait is not this message's fault: only others count against it.
			d.attempts++
			d.notBefore = now.Add(pause(d.attempts)).UnixNano()
		}
		attempts = max(attempts, d.attempts)
	}
	m.deps.Log.Warn("notification not delivered", "notifier", o.name, "incident", j.recs[0].Incident.ID.String(),
		"incidents", len(j.recs), "attempts", attempts, "next_in", wait.String(), "error", err)
}

// storeFailed sets the next attempt after the store failed.
func (m *Manager) storeFailed(ctx context.Context, o *outlet, now time.Time, err error) {
	if ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o.notBefore = max(o.notBefore, now.Add(firstPause).UnixNano())
	m.deps.Log.Error("state of notifications not stored", "notifier", o.name, "error", err)
}

// pause grows with the attempts: 1s, 2s, 4s, to 5m.
func pause(attempts int) time.Duration {
	if attempts > 9 {
		return longestWait
	}
	return min(firstPause<<max(attempts-1, 0), longestWait)
}

// nextDue is how long a notifier has nothing to do, unless woken.
func (m *Manager) nextDue(o *outlet, now time.Time) time.Duration {
	const idle = time.Hour
	ns := now.UnixNano()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.loaded {
		return firstPause
	}
	next := ns + int64(idle)
	for _, rec := range m.records {
		if rec.stale || rec.dirty {
			next = min(next, ns+int64(firstPause))
		}
		d := rec.Deliveries[o.name]
		if d == nil {
			continue
		}
		if reason := rec.reason(d); reason != "" {
			next = min(next, m.due(rec, d, reason))
		}
	}
	return time.Duration(max(max(next, o.notBefore)-ns, int64(time.Millisecond)))
}
