package join

import (
	"bytes"
	"cmp"
	"container/list"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// memory is what is known of sessions, users and consents. Who was of use last stands at the end.
type memory struct {
	byKey map[event.Hash]*list.Element
	order *list.List // of *record
	bytes int

	freezes int // how often the state was frozen
}

// record is what is known under one key.
type record struct {
	Key      event.Hash
	Touched  int64
	Verdicts []*verdict   // in the order of time
	Opened   []opened     // accounts, in the order in which they came
	Granted  int64        // of a consent: when it was first given, 0 where unknown
	Changes  []consentEnd // of a consent: when it was taken back or given again

	own int // how often the state had been frozen when it was made: it is in none of those
}

// clone is the record as it is, to be changed.
func (r *record) clone() *record {
	c := *r
	c.Verdicts, c.Opened, c.Changes = slices.Clone(r.Verdicts), slices.Clone(r.Opened), slices.Clone(r.Changes)
	return &c
}

// verdict is a check that had one.
type verdict struct {
	Time    int64
	ID      event.Hash
	User    string
	Consent string
	Granted int64
	Live    bool
	Doc     []byte // the fields of verdictFields
}

// opened is an account that was opened on a session.
type opened struct {
	Account string
	ID      event.Hash
}

// consentEnd is a change of a consent.
type consentEnd struct {
	Time      int64
	Withdrawn bool
}

// What is remembered of one session, at most: an attacker may try one for ever.
const (
	maxVerdicts = 8
	maxOpened   = 8
	maxChanges  = 8
	recordCost  = 320
	partCost    = 160
)

func newMemory() memory { return memory{byKey: map[event.Hash]*list.Element{}, order: list.New()} }

func (m *memory) len() int { return m.order.Len() }

func (r *record) cost() int {
	n := recordCost + partCost*(len(r.Verdicts)+len(r.Opened)+len(r.Changes))
	for _, v := range r.Verdicts {
		n += len(v.Doc)
	}
	return n
}

func (m *memory) get(key event.Hash) *record {
	if el := m.byKey[key]; el != nil {
		return el.Value.(*record)
	}
	return nil
}

// change finds or makes a record and lets f change it.
func (m *memory) change(key event.Hash, now int64, f func(*record)) {
	el := m.byKey[key]
	if el == nil {
		el = m.order.PushBack(&record{Key: key, own: m.freezes})
		m.byKey[key] = el
	} else {
		m.bytes -= el.Value.(*record).cost()
		m.order.MoveToBack(el)
	}
	r := el.Value.(*record)
	if r.own < m.freezes {
		r = r.clone()
		r.own, el.Value = m.freezes, r
	}
	r.Touched = now
	f(r)
	m.bytes += r.cost()
}

func (m *memory) dropFirst() {
	el := m.order.Front()
	r := el.Value.(*record)
	m.bytes -= r.cost()
	delete(m.byKey, r.Key)
	m.order.Remove(el)
}

// expire forgets what was of no use for a time.
func (m *memory) expire(now int64, keep time.Duration) {
	for el := m.order.Front(); el != nil && el.Value.(*record).Touched < now-int64(keep); el = m.order.Front() {
		m.dropFirst()
	}
}

// bound forgets the oldest until what is left has room, and counts.
func (m *memory) bound(most int) (evicted int64) {
	for m.bytes > most && m.order.Len() > 0 {
		m.dropFirst()
		evicted++
	}
	return evicted
}

func sessionKey(tenant, session string) event.Hash {
	return event.HashStrings(tenant, "session", session)
}
func userKey(tenant, user string) event.Hash  { return event.HashStrings(tenant, "user", user) }
func consentKey(tenant, id string) event.Hash { return event.HashStrings(tenant, "consent", id) }

// remembered is what is remembered of a check, as a document.
func (e *Engine) remembered(ev *event.Event) []byte {
	e.kept.Reset()
	for _, id := range verdictFields {
		if ev.Has(id) {
			set(&e.kept, ev, id)
		}
	}
	e.text = e.kept.AppendJSON(e.text[:0])
	return bytes.Clone(e.text)
}

// verdictFields are what is remembered of a check: what its accounts are looked up by when a tool, a
// network or a model turns out to be bad.
//
//nolint:gochecknoglobals // constant
var verdictFields = [...]event.ID{
	event.APIKeyID, event.APIKeyOwner, event.AppVersion, event.ClientASNumber, event.ClientASOrg, event.ClientGeoCountry,
	event.ClientIP, event.ConsentGrantedAt, event.ConsentID, event.ConsentStatus, event.ConsentVersion, event.DeviceID,
	event.DeviceModel, event.GatewayConsumer, event.LivenessAttackClass, event.LivenessAttackType, event.LivenessAttempt,
	event.LivenessDecision, event.LivenessMargin, event.LivenessMediaDigest, event.LivenessModelVersion,
	event.LivenessReasonCategory, event.LivenessReasonCode, event.LivenessScore, event.LivenessSDKName,
	event.LivenessSDKVersion, event.LivenessSessionID, event.LivenessThreshold, event.LivenessTransactionID,
	event.LivenessVendor, event.LivenessViolation, event.UserID,
}

// learn remembers a verdict or a consent.
func (e *Engine) learn(it *Item) {
	m, now := &e.past, max(e.now, it.Time)
	tenant := it.Keys.Tenant
	if id := it.Said.Consent; id != "" {
		m.learnConsent(it, now, consentKey(tenant, id))
	}
	if it.Roles&Consent != 0 {
		if it.Keys.User != "" {
			m.learnConsent(it, now, event.HashStrings(tenant, "consent of", it.Keys.User))
		}
		return
	}
	v := &verdict{
		Time: it.Time, ID: it.ID, User: it.Keys.User, Consent: it.Said.Consent, Granted: it.Said.Granted,
		Live: it.Said.Decision == "live", Doc: it.Doc,
	}
	if it.Roles != Verdict {
		v.Doc = e.remembered(e.event(it))
	}
	add := func(r *record) {
		if slices.ContainsFunc(r.Verdicts, func(o *verdict) bool { return o.ID == v.ID }) {
			return
		}
		i, _ := slices.BinarySearchFunc(r.Verdicts, v.Time, func(o *verdict, t int64) int { return cmp.Compare(o.Time, t+1) })
		r.Verdicts = slices.Insert(r.Verdicts, i, v)
		if n := len(r.Verdicts) - maxVerdicts; n > 0 {
			r.Verdicts = slices.Delete(r.Verdicts, 0, n)
		}
	}
	if it.Keys.Session != "" {
		m.change(sessionKey(tenant, it.Keys.Session), now, add)
	}
	if it.Keys.User != "" {
		m.change(userKey(tenant, it.Keys.User), now, add)
	}
}

// learnConsent remembers when a consent was given or taken back. That a check names a consent says that
// it was given by then.
func (m *memory) learnConsent(it *Item, now int64, key event.Hash) {
	given := it.Time
	if it.Said.GrantKnown {
		given = it.Said.Granted
	}
	withdrawn := takenBack(it.Said.ConsentStatus)
	m.change(key, now, func(r *record) {
		if !withdrawn && (r.Granted == 0 || given < r.Granted) {
			r.Granted = given
		}
		if it.Roles&Consent != 0 || withdrawn {
			r.Changes = append(r.Changes, consentEnd{it.Time, withdrawn})
			slices.SortStableFunc(r.Changes, func(a, b consentEnd) int { return cmp.Compare(a.Time, b.Time) })
			if n := len(r.Changes) - maxChanges; n > 0 {
				r.Changes = slices.Delete(r.Changes, 0, n)
			}
		}
	})
}

// takenBack tells whether a state of consent means that there is none any more.
func takenBack(status string) bool {
	switch status {
	case "withdrawn", "revoked", "expired", "denied", "rejected", "refused":
		return true
	}
	return false
}

// The states of an account's join, and problems beside them.
const (
	accountLive     = "live"
	accountMissing  = "missing"    // no check of that session or user had a verdict before the account was opened
	accountFailed   = "failed"     // the last verdict before it is not live
	accountStale    = "stale"      // it is too old
	accountReused   = "reused"     // its session has opened another account
	accountMismatch = "mismatched" // its session is another user's
)

// account holds an opened account against its verdict and its consent.
func (e *Engine) account(it *Item) {
	e.stats.Accounts++
	ev := e.derived(it.Doc)
	tenant, name := it.Keys.Tenant, strings.Clone(ev.Str(event.AccountID))
	key := userKey(tenant, it.Keys.User)
	if it.Keys.Session != "" {
		key = sessionKey(tenant, it.Keys.Session)
	}
	var verdictID event.Hash
	var more []event.Hash
	var problems []string
	r := e.past.get(key)
	v := r.before(it.Time)
	if v == nil {
		problems = append(problems, accountMissing)
	} else {
		verdictID = v.ID
		if !v.Live {
			problems = append(problems, accountFailed)
		}
		if it.Time-v.Time > int64(e.cfg.MaxAge) {
			problems = append(problems, accountStale)
		}
	}
	other := r.otherThan(name)
	if other != nil {
		problems = append(problems, accountReused)
		more = append(more, other.ID)
	}
	if v != nil && v.User != "" && it.Keys.User != "" && v.User != it.Keys.User {
		problems = append(problems, accountMismatch)
	}
	consent := e.consent(it, ev, v)
	status := accountLive
	if len(problems) > 0 {
		status = problems[0]
	}
	if v != nil {
		known := &e.kept
		decode(known, v.Doc)
		known.Present(func(id event.ID) {
			if !ev.Has(id) {
				keep(ev, known, id)
			}
		})
		ev.SetInt(event.LivewardJoinAge, (it.Time-v.Time)/1e9)
	}
	derive(ev, "account", status, it.Time)
	ev.SetString(event.LivewardJoinConsent, consent)
	for _, p := range problems {
		ev.Append(event.LivewardJoinProblems, p)
	}
	n := int64(1)
	if r != nil {
		for _, o := range r.Opened {
			if o.Account != name {
				n++
			}
		}
	}
	ev.SetInt(event.LivewardJoinAccounts, n)
	if it.Keys.Session != "" || v != nil {
		e.past.change(key, max(e.now, it.Time), func(r *record) {
			if r.remembers(name) {
				return
			}
			r.Opened = append(r.Opened, opened{name, it.ID})
			if n := len(r.Opened) - maxOpened; n > 0 {
				r.Opened = slices.Delete(r.Opened, 1, 1+n) // the first one stays
			}
		})
	}
	e.emit(event.HashStrings("join", "account", it.ID.String()), ev, it.ID, verdictID, more...)
}

// before is the last verdict up to a time; nil where there is none.
func (r *record) before(t int64) *verdict {
	if r == nil {
		return nil
	}
	for _, v := range slices.Backward(r.Verdicts) {
		if v.Time <= t {
			return v
		}
	}
	return nil
}

// otherThan is another account that the session has opened; nil where there is none.
func (r *record) otherThan(account string) *opened {
	if r == nil {
		return nil
	}
	for i := range r.Opened {
		if r.Opened[i].Account != account {
			return &r.Opened[i]
		}
	}
	return nil
}

func (r *record) remembers(account string) bool {
	return slices.ContainsFunc(r.Opened, func(o opened) bool { return o.Account == account })
}

// consent tells how the consent stands to the check: before it, after it, withdrawn by then, none, or
// unknown where the account names one of which nothing else is known.
func (e *Engine) consent(it *Item, ev *event.Event, v *verdict) string {
	at := it.Time
	id, granted := ev.Str(event.ConsentID), ev.Time(event.ConsentGrantedAt)
	if v != nil {
		at = v.Time
		if id == "" {
			id = v.Consent
		}
		if granted == 0 {
			granted = v.Granted
		}
	}
	var r *record
	if id != "" {
		r = e.past.get(consentKey(it.Keys.Tenant, id))
	} else if it.Keys.User != "" {
		r = e.past.get(event.HashStrings(it.Keys.Tenant, "consent of", it.Keys.User))
	}
	if r != nil && (granted == 0 || r.Granted != 0 && r.Granted < granted) {
		granted = r.Granted
	}
	switch {
	case r.withdrawn(at):
		return "withdrawn"
	case granted != 0 && granted <= at:
		return "before"
	case granted != 0:
		return "after"
	case id != "":
		return "unknown"
	}
	return "none"
}

// withdrawn tells whether a consent was taken back at a time.
func (r *record) withdrawn(at int64) bool {
	if r == nil {
		return false
	}
	back := false
	for _, c := range r.Changes {
		if c.Time <= at {
			back = c.Withdrawn
		}
	}
	return back
}
