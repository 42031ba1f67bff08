package join

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// doc is an event's document: pairs of field and value, beside the time in seconds.
type doc struct {
	id  event.Hash
	at  int64
	raw []byte
}

func entry(t testing.TB, at int64, name string, pairs ...any) doc {
	t.Helper()
	var ev event.Event
	ev.SetTime(event.Timestamp, at*1e9)
	ev.SetString(event.EventKind, "event")
	ev.SetString(event.OrganizationID, "bank-a")
	for i := 0; i < len(pairs); i += 2 {
		id, ok := event.Lookup(pairs[i].(string))
		if !ok {
			t.Fatalf("no field %s", pairs[i])
		}
		switch v := pairs[i+1].(type) {
		case string:
			ev.SetString(id, v)
		case int:
			ev.SetInt(id, int64(v))
		case float64:
			ev.SetFloat(id, v)
		}
	}
	return doc{event.HashStrings(name), at, ev.AppendJSON(nil)}
}

func call(t testing.TB, at int64, name string, pairs ...any) doc {
	return entry(t, at, name, append([]any{"event.action", "liveness-check", "event.outcome", "success", "url.path", "/v1/liveness/check", "http.request.method", "POST", "client.ip", "203.0.113.7"}, pairs...)...)
}

func outcome(t testing.TB, at int64, name, decision string, pairs ...any) doc {
	return entry(t, at, name, append([]any{"event.action", "liveness-webhook", "url.path", "/hook", "liveness.decision", decision, "liveness.vendor", "acme"}, pairs...)...)
}

func account(t testing.TB, at int64, name, id string, pairs ...any) doc {
	return entry(t, at, name, append([]any{"event.action", "account-opened", "account.id", id}, pairs...)...)
}

// run gives an engine events in their order and moves the watermark to until, in seconds. It says what
// was derived, a line each.
func run(e *Engine, until int64, docs ...doc) []string {
	for _, d := range docs {
		e.Take(d.id, d.raw)
	}
	return tell(e.Advance(until * 1e9))
}

func tell(derived []Derived) []string {
	var out []string
	for _, d := range derived {
		ev := d.Event
		s := fmt.Sprintf("%d %s %s", ev.Time(event.Timestamp)/1e9, ev.Str(event.LivewardJoinKind), ev.Str(event.LivewardJoinStatus))
		for _, id := range []event.ID{event.ClientIP, event.LivenessDecision, event.LivewardJoinConsent, event.AccountID} {
			if ev.Has(id) {
				s += " " + ev.Str(id)
			}
		}
		if p := ev.List(event.LivewardJoinProblems); len(p) > 1 {
			s += " " + strings.Join(p, "+")
		}
		out = append(out, s)
	}
	return out
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOutcomeWhicheverComesFirst(t *testing.T) {
	for _, keys := range [][]any{
		{"liveness.session_id", "s-1"}, {"liveness.transaction_id", "t-1"}, {"http.request.id", "r-1"},
	} {
		want(t, run(New(Config{}), 100, call(t, 10, "c", keys...), outcome(t, 14, "o", "spoof", keys...)), "14 outcome joined 203.0.113.7 spoof")
		want(t, run(New(Config{}), 100, call(t, 14, "c", keys...), outcome(t, 10, "o", "spoof", keys...)), "14 outcome joined 203.0.113.7 spoof")
	}
}

func TestOutcomeCarriesBoth(t *testing.T) {
	e := New(Config{})
	c := call(t, 10, "c", "liveness.session_id", "s-1", "liveness.decision", "inconclusive", "liveness.violation", "no_verdict", "liveward.offset", 7, "api_key.id", "k1")
	o := outcome(t, 12, "o", "live", "liveness.session_id", "s-1", "liveness.score", 0.97, "user.id", "u1", "client.ip", "198.51.100.1")
	e.Take(c.id, c.raw)
	e.Take(o.id, o.raw)
	d := e.Advance(100e9)
	if len(d) != 1 {
		t.Fatal(tell(d))
	}
	var got map[string]any
	if err := json.Unmarshal(d[0].Event.AppendJSON(nil), &got); err != nil {
		t.Fatal(err)
	}
	wanted := map[string]any{
		"@timestamp": "1970-01-01T00:00:12.000Z", "api_key": map[string]any{"id": "k1"}, "client": map[string]any{"ip": "203.0.113.7"},
		"event":    map[string]any{"action": "liveness-check", "id": d[0].ID.String(), "kind": "event", "outcome": "success", "provider": "join"},
		"http":     map[string]any{"request": map[string]any{"method": "POST"}},
		"liveness": map[string]any{"decision": "live", "score": 0.97, "session_id": "s-1", "vendor": "acme"},
		"liveward": map[string]any{"source": "join", "join": map[string]any{
			"age": 2., "kind": "outcome", "status": "joined", "events": []any{c.id.String(), o.id.String()},
			"subject": c.id.String(), "verdict": o.id.String(),
		}},
		"organization": map[string]any{"id": "bank-a"}, "url": map[string]any{"path": "/v1/liveness/check"}, "user": map[string]any{"id": "u1"},
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Error(diff)
	}
}

func TestOutcomeRepeatsAndAttempts(t *testing.T) {
	s := []any{"liveness.session_id", "s-1"}
	// A webhook, and polls that say the same again, are one outcome.
	want(t, run(New(Config{}), 5000, call(t, 10, "c", s...), outcome(t, 12, "o1", "live", s...), outcome(t, 13, "o2", "live", s...), outcome(t, 14, "o3", "live", s...)),
		"12 outcome joined 203.0.113.7 live")
	// Attempts of one session find their own outcome, in any order.
	e := New(Config{})
	want(t, run(e, 5000,
		call(t, 10, "c1", append(s, "liveness.attempt", 1)...), call(t, 20, "c2", append(s, "liveness.attempt", 2)...),
		outcome(t, 30, "o2", "live", append(s, "liveness.attempt", 2)...), outcome(t, 40, "o1", "spoof", append(s, "liveness.attempt", 1)...)),
		"30 outcome joined 203.0.113.7 live", "40 outcome joined 203.0.113.7 spoof")
	// Another tenant's session of the same name is another session.
	want(t, run(New(Config{}), 5000, call(t, 10, "c", s...), outcome(t, 12, "o", "live", append(s, "organization.id", "bank-b")...)))
	if got := e.Stats(); got.Joined != 2 || got.Waiting != 0 {
		t.Errorf("%+v", got)
	}
}

// A poll that comes too early says that there is no verdict yet; the outcome is what comes after it.
func TestOutcomeIsNoPromise(t *testing.T) {
	s := []any{"liveness.session_id", "s-1", "event.action", "liveness-result"}
	want(t, run(New(Config{}), 5000, call(t, 10, "c", "liveness.session_id", "s-1", "liveness.decision", "not_evaluated"),
		outcome(t, 11, "p", "not_evaluated", s...), outcome(t, 12, "q", "spoof", s...), outcome(t, 20, "w", "spoof", "liveness.session_id", "s-1")),
		"12 outcome joined 203.0.113.7 spoof")
}

func TestOutcomeAlone(t *testing.T) {
	s := []any{"liveness.session_id", "s-1"}
	// Where outcomes come, a call without one is marked when the window closes, and so is the reverse.
	e := New(Config{Window: time.Minute})
	want(t, run(e, 70, call(t, 10, "c", s...), call(t, 11, "c2", "liveness.session_id", "s-2"), outcome(t, 12, "o2", "live", "liveness.session_id", "s-2")),
		"12 outcome joined 203.0.113.7 live")
	want(t, run(e, 71), "70 outcome no_outcome 203.0.113.7")
	want(t, run(e, 200, outcome(t, 80, "o", "live", "liveness.session_id", "s-3")), "140 outcome no_call live")
	// A poll of which no call waits is of a check whose line had the verdict.
	want(t, run(e, 500, outcome(t, 250, "p", "live", "liveness.session_id", "s-4", "event.action", "liveness-result")))
	want(t, run(e, 600, call(t, 510, "c5", "liveness.session_id", "s-5"), outcome(t, 520, "p5", "live", "liveness.session_id", "s-5", "event.action", "liveness-result")),
		"520 outcome joined 203.0.113.7 live")
	// Where none ever come, nothing is marked.
	want(t, run(New(Config{}), 5000, call(t, 10, "c", s...)))
	want(t, run(New(Config{}), 5000, outcome(t, 10, "o", "live", s...)))
	// Beyond the window the two are apart.
	want(t, run(New(Config{Window: time.Minute}), 5000, call(t, 10, "c", s...), outcome(t, 71, "o", "live", s...)))
	// A call that was refused or failed waits for nothing, a line that has its verdict neither.
	want(t, run(New(Config{}), 5000, call(t, 10, "c", append(s, "event.outcome", "failure")...), outcome(t, 12, "o", "live", s...)))
	want(t, run(New(Config{}), 5000, call(t, 10, "c", append(s, "liveness.decision", "live")...), outcome(t, 12, "o", "live", s...)))
}

func TestAccounts(t *testing.T) {
	verdict := func(at int64, name, decision string, pairs ...any) doc {
		return call(t, at, name, append([]any{"liveness.decision", decision, "liveness.session_id", "s-1", "user.id", "u-1"}, pairs...)...)
	}
	s := []any{"liveness.session_id", "s-1", "user.id", "u-1"}
	f := func(wanted string, docs ...doc) {
		t.Helper()
		got := run(New(Config{Roles: Verdict | Account | Consent}), 1e6, docs...)
		if len(got) == 0 || got[len(got)-1] != wanted {
			t.Errorf("%q, want %q", got, wanted)
		}
	}
	f("20 account live 203.0.113.7 live none a-1", verdict(10, "v", "live"), account(t, 20, "a", "a-1", s...))
	f("20 account live 203.0.113.7 live none a-1", verdict(10, "v", "live"), account(t, 20, "a", "a-1", "user.id", "u-1"))
	f("20 account missing none a-1", account(t, 20, "a", "a-1", s...))
	f("20 account missing none a-1", account(t, 20, "a", "a-1"))
	f("20 account missing none a-1", verdict(21, "v", "live"), account(t, 20, "a", "a-1", s...)) // the verdict came after
	f("20 account failed 203.0.113.7 spoof none a-1", verdict(10, "v", "live"), verdict(11, "w", "spoof"), account(t, 20, "a", "a-1", s...))
	f("20 account live 203.0.113.7 live none a-1", verdict(10, "v", "spoof"), verdict(11, "w", "live"), account(t, 20, "a", "a-1", s...))
	f("86411 account stale 203.0.113.7 live none a-1", verdict(10, "v", "live"), account(t, 86411, "a", "a-1", s...))
	f("86410 account live 203.0.113.7 live none a-1", verdict(10, "v", "live"), account(t, 86410, "a", "a-1", s...))
	f("30 account reused 203.0.113.7 live none a-2", verdict(10, "v", "live"), account(t, 20, "a", "a-1", s...), account(t, 30, "b", "a-2", s...))
	f("30 account live 203.0.113.7 live none a-1", verdict(10, "v", "live"), account(t, 20, "a", "a-1", s...), account(t, 30, "b", "a-1", s...)) // told of twice
	f("20 account mismatched 203.0.113.7 live none a-1", verdict(10, "v", "live"), account(t, 20, "a", "a-1", "liveness.session_id", "s-1", "user.id", "u-2"))
	f("90000 account failed 203.0.113.7 spoof none a-2 failed+stale+reused", verdict(10, "v", "spoof"), account(t, 20, "a", "a-1", s...), account(t, 90000, "b", "a-2", s...))
	// An outcome that came by a webhook is a verdict as well.
	f("20 account live live none a-1", outcome(t, 10, "o", "live", "liveness.session_id", "s-1"), account(t, 20, "a", "a-1", s...))
}

func TestConsents(t *testing.T) {
	check := call(t, 10, "v", "liveness.decision", "live", "liveness.session_id", "s-1", "user.id", "u-1", "consent.id", "c-1")
	bare := call(t, 10, "v", "liveness.decision", "live", "liveness.session_id", "s-1", "user.id", "u-1")
	opened := account(t, 20, "a", "a-1", "liveness.session_id", "s-1", "user.id", "u-1")
	consent := func(at int64, name, status string) doc {
		return entry(t, at, name, "event.action", "consent-change", "consent.id", "c-1", "consent.status", status, "user.id", "u-1")
	}
	f := func(wanted string, docs ...doc) {
		t.Helper()
		e := New(Config{})
		for _, d := range docs {
			e.Take(d.id, d.raw)
		}
		d := e.Advance(1e18)
		if got := d[len(d)-1].Event.Str(event.LivewardJoinConsent); got != wanted {
			t.Errorf("consent %s, want %s", got, wanted)
		}
	}
	f("before", check, opened) // the check names it
	f("none", bare, opened)
	f("before", bare, consent(5, "g", "granted"), opened) // by the user
	f("after", bare, consent(15, "g", "granted"), opened)
	f("withdrawn", check, consent(5, "g", "granted"), consent(7, "w", "withdrawn"), opened)
	f("before", check, consent(5, "g", "granted"), consent(12, "w", "withdrawn"), opened)
	f("before", check, consent(3, "w", "withdrawn"), consent(5, "g", "granted"), opened)
	f("unknown", bare, account(t, 20, "a", "a-1", "liveness.session_id", "s-1", "consent.id", "c-9"))
}

// random is traffic in which everything happens, some of it late.
func random(t testing.TB, seed uint64, n int) []doc {
	r := rand.New(rand.NewPCG(seed, 2))
	var docs []doc
	for i := range n {
		at := int64(i) * 5
		keys := []any{"liveness.session_id", fmt.Sprintf("s-%d", r.IntN(n/4+1)), "user.id", fmt.Sprintf("u-%d", r.IntN(8))}
		if r.IntN(2) == 0 {
			keys = append(keys, "liveness.attempt", 1+r.IntN(2))
		}
		name := fmt.Sprint(seed, i)
		decision := []string{"live", "spoof"}[r.IntN(2)]
		switch r.IntN(5) {
		case 0, 1:
			docs = append(docs, call(t, at, name, keys...))
		case 2:
			docs = append(docs, outcome(t, at, name, decision, keys...))
		case 3:
			docs = append(docs, call(t, at, name, append(keys, "liveness.decision", decision)...))
		case 4:
			docs = append(docs, account(t, at, name, fmt.Sprintf("a-%d", r.IntN(n)), keys...))
		}
	}
	return docs
}

func ids(list []Derived) []string {
	var out []string
	for _, d := range list {
		out = append(out, d.ID.String()+" "+string(d.Event.AppendJSON(nil)))
	}
	return out
}

// TestOrderOfArrival: what is derived does not depend on the order in which events arrive, nor on where
// the watermark stops on its way, nor on snapshots in between.
func TestOrderOfArrival(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		docs := random(t, rapid.Uint64().Draw(rt, "seed"), 60)
		cfg := Config{Window: time.Minute, MaxAge: time.Minute}
		whole := New(cfg)
		for _, d := range docs {
			whole.Take(d.id, d.raw)
		}
		wanted := ids(whole.Advance(1e18))

		const late = 30 // seconds: the watermark's distance
		arrive := slices.Clone(docs)
		shift := map[event.Hash]int64{}
		for _, d := range arrive {
			shift[d.id] = d.at + int64(rapid.IntRange(0, late).Draw(rt, "delay"))
		}
		slices.SortStableFunc(arrive, func(a, b doc) int { return int(shift[a.id] - shift[b.id]) })
		e := New(cfg)
		var got []string
		for _, d := range arrive {
			e.Take(d.id, d.raw)
			if rapid.IntRange(0, 3).Draw(rt, "advance") == 0 {
				got = append(got, ids(e.Advance((shift[d.id]-late)*1e9))...)
			}
			if rapid.IntRange(0, 9).Draw(rt, "snapshot") == 0 {
				data, err := e.AppendSnapshot(nil)
				if err != nil {
					rt.Fatal(err)
				}
				stats := e.Stats()
				e = New(cfg)
				if err := e.Restore(data); err != nil {
					rt.Fatal(err)
				}
				if s := e.Stats(); s.Waiting != stats.Waiting || s.Remembered != stats.Remembered {
					rt.Fatalf("stats %+v, restored %+v", stats, s)
				}
			}
		}
		got = append(got, ids(e.Advance(1e18))...)
		if diff := cmp.Diff(wanted, got); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// TestBounds: whoever floods sessions makes the oldest go, and is counted; memory stays where it is.
func TestBounds(t *testing.T) {
	e := New(Config{MaxBytes: 64 << 10})
	for i := range 2000 {
		s := fmt.Sprintf("s-%d", i)
		c := call(t, int64(i), "c"+s, "liveness.session_id", s)
		v := outcome(t, int64(i), "v"+s, "live", "liveness.session_id", "x"+s, "user.id", s)
		e.Take(c.id, c.raw)
		e.Take(v.id, v.raw)
		e.Advance(int64(i) * 1e9)
		if e.bytes > 64<<10 || e.past.bytes > 64<<10 {
			t.Fatalf("%d and %d bytes", e.bytes, e.past.bytes)
		}
	}
	if s := e.Stats(); s.Evicted < 1000 {
		t.Errorf("%+v", s)
	}
	e.Advance(1e18)
	e.Advance(2e18)
	if e.bytes != 0 || e.past.bytes != 0 || e.Stats().Waiting != 0 || e.Stats().Remembered != 0 {
		t.Errorf("%d and %d bytes are left: %+v", e.bytes, e.past.bytes, e.Stats())
	}
}

// TestOneIdForEver: who sends one id for ever, in calls and outcomes that can never be of one check, is
// compared with few of them; all are marked at their deadline, checks of the same session are joined as
// ever, and what follows does not change with a restart in between.
func TestOneIdForEver(t *testing.T) {
	const n = 5 * maxAlike
	flood := func(restart bool) []string {
		e := New(Config{})
		var got []string
		for i := range n {
			c := call(t, int64(i), fmt.Sprint("c", i), "liveness.session_id", "s", "liveness.transaction_id", fmt.Sprint("a", i))
			o := outcome(t, int64(i), fmt.Sprint("o", i), "spoof", "liveness.session_id", "s", "liveness.transaction_id", fmt.Sprint("b", i))
			e.Take(c.id, c.raw)
			e.Take(o.id, o.raw)
			got = append(got, tell(e.Advance(int64(i)*1e9))...)
			if i%9 == 8 { // a check by its transaction, however long it has waited
				o := outcome(t, int64(i), fmt.Sprint("p", i), "live", "liveness.session_id", "s", "liveness.transaction_id", fmt.Sprint("a", i/2))
				e.Take(o.id, o.raw)
			}
			if restart && i%7 == 6 {
				data, err := e.AppendSnapshot(nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := e.Restore(data); err != nil {
					t.Fatal(err)
				}
			}
			for key, list := range e.halves.byKey {
				if len(list) > maxAlike {
					t.Fatalf("%d wait under %s", len(list), key)
				}
			}
		}
		// Outcomes that name the session alone join what is still found under it.
		for i := range maxAlike {
			o := outcome(t, n, fmt.Sprint("q", i), "live", "liveness.session_id", "s", "liveness.attempt", i+1)
			e.Take(o.id, o.raw)
		}
		return append(got, tell(e.Advance(1e15))...)
	}
	want := flood(false)
	if diff := cmp.Diff(want, flood(true)); diff != "" {
		t.Errorf("without (-) and with (+) restarts:\n%s", diff)
	}
	count := map[string]int{}
	for _, line := range want {
		count[strings.Fields(line)[2]]++
	}
	joined := n/9 + maxAlike
	if diff := cmp.Diff(map[string]int{"joined": joined, "no_outcome": n - joined, "no_call": n}, count); diff != "" {
		t.Error(diff)
	}
}

func TestRestoreRefuses(t *testing.T) {
	e := New(Config{})
	d := call(t, 10, "c", "liveness.session_id", "s-1")
	e.Take(d.id, d.raw)
	data, err := e.AppendSnapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, data[:len(data)/2], []byte("nonsense")} {
		if err := e.Restore(bad); err == nil || e.Stats().Waiting != 0 {
			t.Errorf("%d bytes were restored", len(bad))
		}
	}
	e.Take(d.id, []byte("{broken"))
	if e.Stats().Malformed != 1 {
		t.Error("a broken document was taken")
	}
}

// TestTextIsTheDocuments: an event with text that is not valid is joined by what its document says, as it
// is where the document alone is at hand.
func TestTextIsTheDocuments(t *testing.T) {
	c, o := call(t, 10, "c", "liveness.session_id", "s\xff\xfe"), outcome(t, 14, "o", "spoof", "liveness.session_id", "s\ufffd\ufffd")
	var ev event.Event
	if err := ev.DecodeJSON(c.raw); err != nil {
		t.Fatal(err)
	}
	ev.SetString(event.LivenessSessionID, "s\xff\xfe")
	e := New(Config{})
	e.TakeEvent(c.id, &ev, c.raw)
	want(t, run(e, 100, o), "14 outcome joined 203.0.113.7 spoof")
}
