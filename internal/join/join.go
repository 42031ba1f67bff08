// Package join derives events from others: a gateway's line and the outcome that came by another way
// make one check; an opened account is held against its verdict and consent.
//
// An Engine is a function of what it is given: it takes events in any order, works on them in the order
// of event time behind a watermark, and never reads a clock, writes, or looks at a raw value. Events that
// it takes are not changed, and wait for nothing.
package join

import (
	"bytes"
	"cmp"
	"container/heap"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/event"
)

// Config bounds an engine. The zero value has good defaults.
type Config struct {
	// Window is how far apart a call and its outcome may be; 15 min by default.
	Window time.Duration
	// Roles are those that are looked at; all by default.
	Roles Roles
	// MaxAge is how old a verdict may be when an account is opened; 24 h by default.
	MaxAge time.Duration
	// Keep is for how long verdicts and consents are remembered after they were last of use; 7 days by
	// default: accounts may come in a file a day.
	Keep time.Duration
	// MaxBytes bounds the estimated memory of what waits, and of what is remembered, each; 32 MiB by
	// default. The oldest goes, and is counted.
	MaxBytes int
}

func (c Config) withDefaults() Config {
	if c.Roles == 0 {
		c.Roles = Call | Outcome | Verdict | Account | Consent
	}
	c.Roles |= Poll
	if c.Window <= 0 {
		c.Window = 15 * time.Minute
	}
	if c.MaxAge <= 0 {
		c.MaxAge = 24 * time.Hour
	}
	if c.Keep <= 0 {
		c.Keep = max(7*24*time.Hour, c.MaxAge)
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 32 << 20
	}
	return c
}

// Roles are what an event can be in joins.
type Roles uint8

// The roles.
const (
	Call    Roles = 1 << iota // a check whose line does not say the verdict
	Outcome                   // a verdict that is in no gateway's line of a check
	Verdict                   // any verdict
	Account                   // an opened account
	Consent                   // a consent that was given or taken back
	Poll                      // beside Outcome: somebody asked for it, and may ask of a check whose line has the verdict too
)

// RolesOf tells what an event, after privacy, can be in joins; 0 for most, and for those that come late:
// what had been decided by then depends on how the lines came in batches, and a replay would not say the
// same.
func RolesOf(ev *event.Event) Roles {
	if ev.Has(event.LivewardJoinKind) || ev.Str(event.EventKind) != "event" || ev.Bool(event.LivewardLate) {
		return 0
	}
	var r Roles
	action := ev.Str(event.EventAction)
	switch action {
	case "account-opened":
		return Account
	case "consent-change":
		return Consent
	}
	// not_evaluated is what is said while there is none yet.
	verdict := ev.Has(event.LivenessDecision) && ev.Str(event.LivenessDecision) != "not_evaluated" && ev.Str(event.LivenessViolation) != "no_verdict"
	if verdict {
		r |= Verdict
	}
	keyed := ev.Has(event.LivenessSessionID) || ev.Has(event.LivenessTransactionID) || ev.Has(event.HTTPRequestID)
	// A gateway's line has a request; what an application or a vendor says of a check has none, or is no
	// check itself.
	check := action == "liveness-check" && (ev.Has(event.URLPath) || ev.Has(event.HTTPRequestMethod))
	switch {
	case !keyed:
	case verdict && action == "liveness-result":
		r |= Outcome | Poll
	case verdict && !check:
		r |= Outcome
	case check && !verdict && ev.Str(event.EventOutcome) == "success":
		r |= Call
	}
	return r
}

// Item is an event that takes part; exported for the snapshot alone.
type Item struct {
	Time  int64
	ID    event.Hash
	Roles Roles
	Keys  keys
	Said  said
	Doc   []byte
}

// said is what joins look at in an event when its time has come, so that most documents need not be read
// for it.
type said struct {
	Decision, Consent, ConsentStatus string
	Score                            float64
	Scored                           bool
	Granted                          int64 // the consent
	GrantKnown                       bool
}

// keys are what events are joined by.
type keys struct {
	Tenant, Session, Transaction, Request, User string
	Attempt                                     int64 // 0: none
}

// keep takes what an Item has of an event, its texts in one block; false where they would not be
// those of the event's document.
func (it *Item) keep(ev *event.Event) bool {
	it.Keys.Attempt = ev.Int(event.LivenessAttempt)
	it.Said.Score, it.Said.Scored = ev.Float(event.LivenessScore), ev.Has(event.LivenessScore)
	it.Said.Granted, it.Said.GrantKnown = ev.Time(event.ConsentGrantedAt), ev.Has(event.ConsentGrantedAt)
	texts := [...]struct {
		to *string
		id event.ID
	}{
		{&it.Keys.Tenant, event.OrganizationID},
		{&it.Keys.Session, event.LivenessSessionID},
		{&it.Keys.Transaction, event.LivenessTransactionID},
		{&it.Keys.Request, event.HTTPRequestID},
		{&it.Keys.User, event.UserID},
		{&it.Said.Decision, event.LivenessDecision},
		{&it.Said.Consent, event.ConsentID},
		{&it.Said.ConsentStatus, event.ConsentStatus},
	}
	n := 0
	for i := range texts {
		n += len(ev.Str(texts[i].id))
	}
	block := make([]byte, 0, n)
	for i := range texts {
		from := len(block)
		block = append(block, ev.Str(texts[i].id)...)
		*texts[i].to = event.Slot(block[from:])
	}
	return utf8.Valid(block)
}

// itemCost is what an Item takes beside its document.
const itemCost = 512

func (it *Item) cost() int { return itemCost + len(it.Doc) }

// Derived is an event that was derived.
type Derived struct {
	ID    event.Hash
	Event *event.Event
}

// Stats count what an engine did and has.
type Stats struct {
	Joined    int64 // calls with an outcome
	NoOutcome int64 // calls that were marked because none came
	NoCall    int64 // outcomes that were marked because no call came
	Repeats   int64 // outcomes that said again what was known
	Accounts  int64
	Evicted   int64 // forgotten before their time, for want of room
	Malformed int64 // documents that could not be read

	Waiting    int // events
	Remembered int // sessions, users and consents
}

// Engine joins events. It is for one goroutine.
type Engine struct {
	cfg    Config
	now    int64
	buffer itemHeap // not yet passed by the watermark
	bytes  int      // of buffer and of halves
	halves halves
	past   memory
	stats  Stats
	out    []Derived
	events []*event.Event // of out; those after them wait to be used again
	ev     event.Event    // scratch: the event that is taken
	kept   event.Event    // scratch: what is kept of it, or was
	read   event.Event    // scratch: the event that is worked on, once it was read
	isRead bool
	text   []byte // scratch
}

// New makes an engine.
func New(cfg Config) *Engine {
	cfg = cfg.withDefaults()
	return &Engine{cfg: cfg, now: minTime, halves: newHalves(), past: newMemory()}
}

const minTime = -1 << 63

// Take takes an event's document. What follows from it comes with the watermark.
func (e *Engine) Take(id event.Hash, doc []byte) {
	e.ev.Reset()
	if err := e.ev.DecodeJSON(doc); err != nil {
		e.stats.Malformed++
		return
	}
	e.TakeEvent(id, &e.ev, doc)
}

// TakeEvent is Take where the event of the document is at hand.
func (e *Engine) TakeEvent(id event.Hash, ev *event.Event, doc []byte) {
	roles := RolesOf(ev) & e.cfg.Roles
	if roles&^Poll == 0 {
		return
	}
	it := &Item{Time: ev.Time(event.Timestamp), ID: id, Roles: roles}
	if !it.keep(ev) && ev != &e.ev {
		e.Take(id, doc) // the document says it in valid text
		return
	}
	if roles == Verdict { // most: of these only what is remembered is needed
		it.Doc = e.remembered(ev)
	} else {
		it.Doc = bytes.Clone(doc)
	}
	e.bytes += it.cost()
	heap.Push(&e.buffer, it)
	for e.bytes > e.cfg.MaxBytes && e.evict() {
		e.stats.Evicted++
	}
}

// evict forgets the half that has waited longest, or else the oldest event.
func (e *Engine) evict() bool {
	if h := e.halves.oldest(); h != nil {
		e.bytes -= h.cost()
		return true
	}
	if len(e.buffer) > 1 {
		e.bytes -= heap.Pop(&e.buffer).(*Item).cost()
		return true
	}
	return false
}

// Advance moves the watermark and returns what follows from the events before it, in the order of time.
// Events that come behind the watermark are worked on at once. The result is valid until the next call.
func (e *Engine) Advance(watermark int64) []Derived {
	e.out = e.out[:0]
	if len(e.events) > maxSpare {
		e.events = slices.Delete(e.events, maxSpare, len(e.events))
	}
	e.now = max(e.now, watermark)
	for len(e.buffer) > 0 && e.buffer[0].Time < e.now {
		it := heap.Pop(&e.buffer).(*Item)
		e.bytes -= it.cost()
		e.expire(it.Time)
		e.work(it)
	}
	e.expire(e.now)
	e.past.expire(e.now, e.cfg.Keep)
	e.stats.Evicted += e.past.bound(e.cfg.MaxBytes)
	return e.out
}

// Stats returns what the engine did and has.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Waiting, s.Remembered = len(e.buffer)+e.halves.len(), e.past.len()
	return s
}

func (e *Engine) work(it *Item) {
	e.isRead = false
	if it.Roles&(Call|Outcome) != 0 {
		e.half(it)
	}
	switch {
	case it.Roles&Account != 0:
		e.account(it)
	case it.Roles&(Verdict|Consent) != 0:
		e.learn(it)
	}
}

// event reads the document of the event that is worked on, once.
func (e *Engine) event(it *Item) *event.Event {
	if !e.isRead {
		decode(&e.read, it.Doc)
		e.isRead = true
	}
	return &e.read
}

// maxSpare bounds the events that are kept to derive others in.
const maxSpare = 256

// derived is an event to derive another in, with what a document says.
func (e *Engine) derived(doc []byte) *event.Event {
	if len(e.out) == len(e.events) {
		e.events = append(e.events, new(event.Event))
	}
	ev := e.events[len(e.out)]
	decode(ev, doc)
	return ev
}

// emit gives a derived event out. subject is the call or the account, verdict the event that has the
// verdict; either may be zero. more are further events it follows from.
func (e *Engine) emit(id event.Hash, ev *event.Event, subject, verdict event.Hash, more ...event.Hash) {
	ev.SetString(event.EventID, id.String())
	if !subject.IsZero() {
		ev.SetString(event.LivewardJoinSubject, subject.String())
	}
	if !verdict.IsZero() {
		ev.SetString(event.LivewardJoinVerdict, verdict.String())
	}
	for _, cs := range [...][]event.Hash{{subject, verdict}, more} {
		for _, c := range cs {
			if !c.IsZero() {
				ev.Append(event.LivewardJoinEvents, c.String())
			}
		}
	}
	e.out = append(e.out, Derived{ID: id, Event: ev})
}

// itemHeap orders events by time, and those of one time by id, so that their arrival decides nothing.
type itemHeap []*Item

// Len implements heap.Interface.
func (h itemHeap) Len() int { return len(h) }

// Less implements heap.Interface.
func (h itemHeap) Less(i, j int) bool {
	if c := cmp.Compare(h[i].Time, h[j].Time); c != 0 {
		return c < 0
	}
	return bytes.Compare(h[i].ID[:], h[j].ID[:]) < 0
}

// Swap implements heap.Interface.
func (h itemHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *itemHeap) Push(x any) { *h = append(*h, x.(*Item)) }

// Pop implements heap.Interface.
func (h *itemHeap) Pop() any {
	old := *h
	n := len(old) - 1
	it := old[n]
	old[n] = nil
	*h = old[:n]
	return it
}
