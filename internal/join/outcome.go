package join

import (
	"slices"
	"strconv"

	"github.com/liveward/liveward/internal/event"
)

// halves are calls that wait for their outcome, and outcomes that wait for their call.
type halves struct {
	queue   []*half // in the order of their deadlines; those that are done stay until then
	byKey   map[event.Hash][]*half
	repeats map[event.Hash]int // verdicts that came within the window
	calls   map[string]bool    // tenants of which a call and an outcome were joined
	results map[string]bool    // tenants that have had an outcome
	waiting int
}

// half is one side of a check.
type half struct {
	Item
	Deadline int64
	Repeat   event.Hash // what the outcome says, to know it again
	Done     bool
	Hidden   uint8 // bit per key under which it is found no more, because too many wait there
}

func newHalves() halves {
	return halves{byKey: map[event.Hash][]*half{}, repeats: map[event.Hash]int{}, calls: map[string]bool{}, results: map[string]bool{}}
}

// maxAlike bounds the halves of one side that are found under one key: clients choose ids, and who sends
// one for ever must not make each further event slower. The one that waited longest is hidden, and still
// marked at its deadline.
const maxAlike = 64

// maxIndexes is the number of keys under which one half is found.
const maxIndexes = 3

// maxTenants bounds the tenants that are remembered to have calls and outcomes.
const maxTenants = 1 << 14

func note(m map[string]bool, tenant string) {
	if len(m) < maxTenants {
		m[tenant] = true
	}
}

func (h *halves) len() int { return h.waiting }

// indexes appends the keys under which halves of a side are found, the one that says most first.
func (k *keys) indexes(side Roles, out []event.Hash) []event.Hash {
	name := "call"
	if side == Outcome {
		name = "outcome"
	}
	for _, x := range [...]struct{ name, value string }{{"request", k.Request}, {"transaction", k.Transaction}, {"session", k.Session}} {
		if x.value != "" {
			out = append(out, event.HashStrings(k.Tenant, name, x.name, x.value))
		}
	}
	return out
}

// side is Call or Outcome.
func (h *half) side() Roles { return h.Roles & (Call | Outcome) }

// agrees tells whether two sides can be of one check: an attempt or transaction that both name is the same.
func (k *keys) agrees(o *keys) bool {
	return (k.Attempt == 0 || o.Attempt == 0 || k.Attempt == o.Attempt) &&
		(k.Transaction == "" || o.Transaction == "" || k.Transaction == o.Transaction)
}

// half joins one side with the other, or lets it wait.
func (e *Engine) half(it *Item) {
	h := &half{Item: *it, Deadline: it.Time + int64(e.cfg.Window)}
	if n := len(e.halves.queue); n > 0 { // one that comes late waits as long as the last one that was in time
		h.Deadline = max(h.Deadline, e.halves.queue[n-1].Deadline)
	}
	if it.Roles&Outcome != 0 {
		note(e.halves.results, it.Keys.Tenant)
		h.Repeat = repeatOf(&it.Keys, &it.Said)
		if e.halves.repeats[h.Repeat] > 0 {
			e.stats.Repeats++
			return
		}
	}
	e.bytes += h.cost()
	if other := e.halves.partner(h); other != nil {
		call, outcome := h, other
		if h.Roles&Outcome != 0 {
			call, outcome = other, h
		}
		e.halves.add(h, false)
		e.halves.done(other)
		note(e.halves.calls, it.Keys.Tenant)
		var answer *event.Event
		if outcome == h {
			answer = e.event(it)
		} else {
			answer = &e.kept
			decode(answer, outcome.Doc)
		}
		e.joined(call, outcome, answer)
		return
	}
	if it.Roles&Poll != 0 { // what is asked for was called for before
		e.bytes -= h.cost()
		return
	}
	e.halves.add(h, true)
}

// repeatOf is what an outcome says: polls and webhooks say it more than once.
func repeatOf(k *keys, s *said) event.Hash {
	name := k.Session
	if name == "" && k.Transaction == "" {
		name = k.Request
	}
	score := ""
	if s.Scored {
		score = strconv.FormatFloat(s.Score, 'g', -1, 64)
	}
	return event.HashStrings(k.Tenant, name, k.Transaction, strconv.FormatInt(k.Attempt, 10), s.Decision, score)
}

// partner finds the other side that has waited longest.
func (h *halves) partner(x *half) *half {
	var room [maxIndexes]event.Hash
	for _, key := range x.Keys.indexes(x.side()^(Call|Outcome), room[:0]) {
		for _, y := range h.byKey[key] {
			if x.Keys.agrees(&y.Keys) {
				return y
			}
		}
	}
	return nil
}

// add remembers a half until its deadline; one that has its other side already only to know repeats.
func (h *halves) add(x *half, waits bool) {
	h.queue = append(h.queue, x)
	if x.Roles&Outcome != 0 {
		h.repeats[x.Repeat]++
	}
	if !waits {
		x.Done = true
		return
	}
	h.waiting++
	var room [maxIndexes]event.Hash
	for i, key := range x.Keys.indexes(x.side(), room[:0]) {
		if x.Hidden&(1<<i) != 0 {
			continue
		}
		list := append(h.byKey[key], x)
		if len(list) > maxAlike {
			first := list[0]
			first.Hidden |= 1 << slices.Index(first.Keys.indexes(first.side(), nil), key)
			list = slices.Delete(list, 0, 1)
		}
		h.byKey[key] = list
	}
}

// done takes a half out of those that wait.
func (h *halves) done(x *half) {
	x.Done = true
	h.waiting--
	var room [maxIndexes]event.Hash
	for _, key := range x.Keys.indexes(x.side(), room[:0]) {
		list := slices.DeleteFunc(h.byKey[key], func(y *half) bool { return y == x })
		if len(list) == 0 {
			delete(h.byKey, key)
		} else {
			h.byKey[key] = list
		}
	}
}

// drop forgets the half with the earliest deadline.
func (h *halves) drop() *half {
	x := h.queue[0]
	h.queue[0] = nil
	h.queue = h.queue[1:]
	if x.Roles&Outcome != 0 {
		if h.repeats[x.Repeat]--; h.repeats[x.Repeat] == 0 {
			delete(h.repeats, x.Repeat)
		}
	}
	return x
}

// oldest forgets the half with the earliest deadline, for want of room; nil where there is none.
func (h *halves) oldest() *half {
	if len(h.queue) == 0 {
		return nil
	}
	x := h.drop()
	if !x.Done {
		h.done(x)
	}
	return x
}

// expire marks what has waited in vain up to a time.
func (e *Engine) expire(now int64) {
	for len(e.halves.queue) > 0 && e.halves.queue[0].Deadline < now {
		h := e.halves.drop()
		e.bytes -= h.cost()
		if h.Done {
			continue
		}
		e.halves.done(h)
		e.alone(h)
	}
}

// The states of a check's join.
const (
	statusJoined    = "joined"
	statusNoOutcome = "no_outcome"
	statusNoCall    = "no_call"
)

// joined makes one check of both sides. answer is what the outcome's document says.
func (e *Engine) joined(call, outcome *half, answer *event.Event) {
	ev := e.derived(call.Doc)
	// What the gateway's line seemed to say of a verdict was that there is none.
	for _, id := range [...]event.ID{event.LivenessDecision, event.LivenessViolation, event.LivenessMargin} {
		ev.Clear(id)
	}
	overlay(ev, answer)
	derive(ev, "outcome", statusJoined, max(call.Time, outcome.Time))
	ev.SetInt(event.LivewardJoinAge, (outcome.Time-call.Time)/1e9)
	e.stats.Joined++
	e.emit(event.HashStrings("join", "outcome", call.ID.String(), outcome.ID.String()), ev, call.ID, outcome.ID)
	e.bytes -= len(call.Doc) + len(outcome.Doc)
	call.Doc, outcome.Doc = nil, nil
}

// alone marks a side whose other side did not come: a call where the tenant has had outcomes, an outcome
// where the tenant's outcomes have had calls. Elsewhere there is nothing to wait for, and so nothing to mark.
func (e *Engine) alone(h *half) {
	status, count := statusNoOutcome, &e.stats.NoOutcome
	if h.Roles&Outcome != 0 {
		status, count = statusNoCall, &e.stats.NoCall
	}
	if status == statusNoOutcome && !e.halves.results[h.Keys.Tenant] || status == statusNoCall && !e.halves.calls[h.Keys.Tenant] {
		return
	}
	ev := e.derived(h.Doc)
	derive(ev, "outcome", status, h.Deadline)
	*count++
	call, verdict := h.ID, event.Hash{}
	if h.Roles&Outcome != 0 {
		call, verdict = verdict, call
	}
	e.emit(event.HashStrings("join", status, h.ID.String()), ev, call, verdict)
}
