package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// testCase is one entry of a rule's tests: events, and all the alerts they raise.
type testCase struct {
	name   string
	at     *node
	moves  []testMove // in order of time; at one instant in the order written
	alerts []expectedAlert
	lists  map[string]*node

	baseline *testBaseline        // what is normal, for a spike
	vendors  map[string][]setting // what the events of a vendor carry beside
}

// testBaseline is a spike's baseline: hits among total events, or hits in a window.
type testBaseline struct{ total, hits int64 }

// testMove is an event, or a step of the clock.
type testMove struct {
	at     time.Duration // from the base instant
	clock  bool
	values []setting
}

// expectedAlert is an alert that a test demands; only what is stated is compared.
type expectedAlert struct {
	at     time.Duration
	status event.Status // recovered or updated, for a document about an earlier alert
	want   []wanted
}

// wanted is a property of an expected alert: count, title, … or a field of its key.
type wanted struct{ name, text string }

// testBase is the instant from which tests count.
func testBase() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// Bounds of a test.
const (
	maxRepeat = 5_000
	maxMoves  = 10_000
	maxTestAt = 400 * 24 * time.Hour
)

// forgetTests gives the memory of the rule's tests back.
func (r *Rule) forgetTests() {
	if r.matcher == nil {
		return
	}
	for sp := r.matcher.spec; sp != nil; sp = sp.shipped {
		sp.tested, sp.tests = len(sp.tests), nil
	}
}

// parseTests reads tests. Problems in them are errors: a test that cannot run proves nothing.
func parseTests(d decoder, n *node, kind Kind) []*testCase {
	d.alerts = kind == Chain
	if n.shape != shapeList || len(n.items) == 0 {
		d.errorf(n, "want entries with events and alerts, or with a table", "tests must be a list")
		return nil
	}
	var out []*testCase
	for i, item := range d.list(n, "tests", maxTests) {
		m := d.mapping(item, "test", "name", "given", "events", "alerts", "table", "lists", "vendors", "baseline")
		if m == nil {
			continue
		}
		t := &testCase{at: item, name: d.text(m["name"], "test name", 200), lists: map[string]*node{}}
		if t.name == "" {
			t.name = "case " + strconv.Itoa(i+1)
		}
		var given *node
		if g := m["given"]; g != nil && g.shape != shapeNull {
			given = g
			if g.shape != shapeMap {
				d.errorf(g, "want {field: value, …}", "given must be a map")
				continue
			}
		}
		if l := m["lists"]; l != nil && l.shape == shapeMap {
			for _, p := range l.pairs {
				t.lists[p.key.text] = p.value
			}
		} else if l != nil {
			d.errorf(l, "want {name: [entries]}", "lists must be a map")
		}
		if b := m["baseline"]; b != nil {
			t.baseline = d.baseline(b, kind)
		}
		if v := m["vendors"]; v != nil {
			t.vendors = d.vendors(v)
		}
		switch table, events := m["table"], m["events"]; {
		case table != nil && (events != nil || m["alerts"] != nil):
			d.errorf(table, "its alert column says what fires", "a test has a table, or events and alerts")
		case table != nil:
			if d.scalar(table, "table") {
				parseTable(d, table, given, t)
			}
		case events == nil || m["alerts"] == nil:
			d.errorf(item, "write alerts: [] where none is expected", "a test has events and alerts, or a table")
		default:
			parseEvents(d, events, given, t)
			parseAlerts(d, m["alerts"], t)
		}
		if len(t.moves) > maxMoves {
			d.errorf(item, "", "test has more than %d events", maxMoves)
			t.moves = nil
		}
		slices.SortStableFunc(t.moves, func(a, b testMove) int { return int(sign(int64(a.at - b.at))) })
		slices.SortStableFunc(t.alerts, func(a, b expectedAlert) int { return int(sign(int64(a.at - b.at))) })
		out = append(out, t)
	}
	return out
}

// baseline reads {total, hits}.
func (d decoder) baseline(n *node, kind Kind) *testBaseline {
	m := d.mapping(n, "baseline", "total", "hits")
	if m == nil {
		return nil
	}
	if kind != Spike {
		d.errorf(n, "", "a rule of kind %s has no baseline", kind)
	}
	if m["hits"] == nil {
		d.errorf(n, "want {total: 200, hits: 4}", "baseline has no hits")
		return nil
	}
	b := &testBaseline{hits: d.integer(m["hits"], "baseline.hits", 0, 1_000_000_000)}
	b.total = b.hits
	if t := m["total"]; t != nil {
		b.total = d.integer(t, "baseline.total", b.hits, 1_000_000_000)
	}
	return b
}

// vendors reads what the events of each vendor carry: {acme: {liveness.threshold: 0.8}}.
func (d decoder) vendors(n *node) map[string][]setting {
	if n.shape != shapeMap {
		d.errorf(n, "want {acme: {liveness.threshold: 0.8}}", "vendors must be a map")
		return nil
	}
	out := map[string][]setting{}
	for _, p := range n.pairs {
		if p.value.shape != shapeMap {
			d.errorf(p.value, "want {liveness.threshold: 0.8}", "a vendor's fixture must be a map")
			continue
		}
		for _, v := range p.value.pairs {
			s, ok := d.setting(v.key, v.value, 1)
			if !ok {
				break
			}
			if s.label != "" {
				d.errorf(v.key, "", "a vendor sets fields, not labels")
				break
			}
			out[p.key.text] = append(out[p.key.text], s)
		}
	}
	return out
}

func sign(v int64) int64 {
	switch {
	case v < 0:
		return -1
	case v > 0:
		return 1
	}
	return 0
}

// offset reads a time of a test: a duration from the base instant, which may be negative.
func (d decoder) offset(n *node, what string) time.Duration {
	if n == nil || !d.scalar(n, what) {
		return 0
	}
	v, err := parseOffset(n.text)
	if err != nil {
		d.errorf(n, "", "%s: %s", what, err)
	}
	return v
}

func parseOffset(text string) (time.Duration, error) {
	positive, negative := strings.CutPrefix(text, "-")
	v, err := event.ParseDuration(positive)
	if err != nil {
		return 0, fmt.Errorf("duration %q: want a form like 30s, 5m or -20d", text)
	}
	if v > maxTestAt {
		return 0, fmt.Errorf("%s is more than %s away", text, event.FormatDuration(maxTestAt))
	}
	if negative {
		v = -v
	}
	return v, nil
}

// parseEvents reads entries with at or from, repeat, every, set; and steps of the clock.
func parseEvents(d decoder, n, given *node, t *testCase) {
	for _, item := range d.list(n, "events", maxMoves) {
		m := d.mapping(item, "event", "at", "from", "repeat", "every", "set", "clock")
		if m == nil {
			continue
		}
		if c := m["clock"]; c != nil {
			if len(m) > 1 {
				d.errorf(c, "", "clock stands alone")
			}
			t.moves = append(t.moves, testMove{at: d.offset(c, "clock"), clock: true})
			continue
		}
		start := m["at"]
		if m["from"] != nil {
			if start != nil {
				d.errorf(m["from"], "", "an event has at or from, not both")
			}
			start = m["from"]
		}
		from := d.offset(start, "at")
		repeat, every := int64(1), time.Duration(0)
		if r := m["repeat"]; r != nil {
			repeat = d.integer(r, "repeat", 1, maxRepeat)
		}
		if e := m["every"]; e != nil {
			if m["repeat"] == nil {
				d.errorf(e, "", "every goes with repeat")
			}
			every = d.duration(e, "every", 0, maxTestAt)
		}
		set := m["set"]
		if set != nil && set.shape != shapeMap {
			d.errorf(set, "want {field: value, …}", "set must be a map")
			continue
		}
		var pairs []pair
		for _, source := range []*node{given, set} {
			if source != nil {
				pairs = append(pairs, source.pairs...)
			}
		}
		for i := range repeat {
			move := testMove{at: from + time.Duration(i)*every}
			for _, p := range pairs {
				s, ok := d.setting(p.key, p.value, i+1)
				if !ok {
					return
				}
				move.values = append(move.values, s)
			}
			t.moves = append(t.moves, move)
			if len(t.moves) > maxMoves {
				return
			}
		}
	}
}

// alertProperties are what an expected alert may state beside fields of its key.
func alertProperties() []string {
	return append(counters(), "at", "recovered", "steps", "suppressed", "title", "updated")
}

func parseAlerts(d decoder, n *node, t *testCase) {
	if n.shape != shapeList {
		d.errorf(n, "write alerts: [] where none is expected", "alerts must be a list")
		return
	}
	for _, item := range d.list(n, "alerts", maxMoves) {
		if item.shape != shapeMap || item.get("at") == nil {
			d.errorf(item, "want {at: 190s, count: 20}", "an expected alert says when it fires")
			continue
		}
		x := expectedAlert{at: d.offset(item.get("at"), "at")}
		for _, p := range item.pairs {
			_, field := event.Lookup(p.key.text)
			switch {
			case p.key.text == "at":
			case p.key.text == "recovered" || p.key.text == "updated":
				if d.truth(p.value, p.key.text) {
					x.status = event.Status(p.key.text)
				}
			case p.key.text == "steps":
				for i, item := range d.list(p.value, "steps", maxSteps) {
					if d.scalar(item, "steps") {
						x.want = append(x.want, wanted{"steps[" + strconv.Itoa(i) + "].count", item.text})
					}
				}
			case !field && stepCounter(p.key.text) < 0 && !slices.Contains(alertProperties(), p.key.text):
				d.errorf(p.key, strict.Suggest(p.key.text, alertProperties()), "unknown key %q in an expected alert", p.key.text)
			case d.scalar(p.value, p.key.text):
				x.want = append(x.want, wanted{p.key.text, p.value.text})
			}
		}
		t.alerts = append(t.alerts, x)
	}
}
