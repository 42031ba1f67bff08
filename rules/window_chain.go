package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// chainTally adds up the alerts of other rules that concern a key in (t−window, t], t being the time
// of an alert. Its input is what windows fire, in the order of firing; firings held back are none.
type chainTally struct {
	spec   ChainSpec
	window time.Duration
	limits *keyLimit
	table  windowTable[chainKey]
	links  int64 // of all keys
	values int64 // of all links
	fired  chainSum
	hitBuf []hit
}

// chainKey holds the alerts of one key, oldest first.
type chainKey struct{ links []chainLink }

// chainLink is what is kept of an alert.
type chainLink struct {
	time   int64
	alert  event.Hash
	rule   string
	tenant string
	score  float64
	values []event.Hash
	drill  bool
}

// chainSum is what the alerts of a key come to.
type chainSum struct {
	sum      float64
	distinct int
	links    []chainLink
}

const (
	// maxLinks is the number of alerts kept of one key. Alerts come at the rate of suppressions: where
	// there are more, the oldest goes.
	maxLinks = 256
	// maxLinkValues is the number of values kept of one alert.
	maxLinkValues = 32

	linkCost = 112
)

func newChainTally(r *Rule, keys *keyLimit) *chainTally {
	return &chainTally{spec: r.Chain, window: r.Window, limits: keys}
}

// chain offers an alert to the rules on alerts. What they fire is no alert for them: a chain of chains
// could feed itself.
func (w *Windows) chain(a *event.Alert) {
	for _, rs := range w.sorted {
		if _, ok := rs.tally.(*chainTally); !ok {
			continue
		}
		p, f, ok := w.link(rs, a)
		if ok {
			w.judge(rs, p, &f)
		}
		if p != nil {
			w.buffer.recycle(p)
		}
	}
}

// link gives an alert to a rule on alerts, and tells whether it fires on it. p stands for the alert; it
// is nil where the rule has nothing to do with it.
func (w *Windows) link(rs *ruleState, a *event.Alert) (p *pending, f firing, fires bool) {
	key, of, ok := rs.rule.MatchAlert(a)
	if !ok {
		return nil, firing{}, false
	}
	if a.Late || a.Time < rs.last {
		rs.stats.Skipped++
		return nil, firing{}, false
	}
	if len(key) < len(rs.rule.By) || !knownFields(key) || !knownFields(of) {
		rs.stats.NoKey++
		return nil, firing{}, false
	}
	rs.stats.Matches++
	rs.last = a.Time
	p = w.buffer.blank()
	p.state, p.time, p.event, p.drill = rs, a.Time, a.ID, a.Drill
	p.key, w.scratch = valuesHash(w.scratch, rs.rule.State, key)
	for _, v := range key {
		v.Str = clipKey(v.Str)
		p.data = appendValue(p.data, v)
	}
	p.keyLen = len(p.data)
	link := chainLink{time: a.Time, alert: a.ID, rule: a.Rule.ID, tenant: a.Tenant, score: a.Rule.Risk, drill: a.Drill}
	for _, v := range of[:min(len(of), maxLinkValues)] {
		var h event.Hash
		h, w.scratch = valuesHash(w.scratch, rs.rule.State, []event.Value{v})
		link.values = append(link.values, h)
	}
	f, fires = rs.tally.(*chainTally).add(p, link)
	return p, f, fires
}

// add takes an alert in and tells whether the rule fires on it.
func (t *chainTally) add(p *pending, link chainLink) (firing, bool) {
	k, added := t.table.touch(p.key)
	if added && t.table.len() > t.limits.max {
		t.evict()
	}
	edge := timeSub(p.time, t.window)
	old := 0
	for old < len(k.links) && k.links[old].time <= edge {
		old++
	}
	if len(k.links)-old == maxLinks {
		old++
	}
	t.drop(k, old)
	k.links = append(k.links, link)
	t.links++
	t.values += int64(len(link.values))
	t.fired = t.sumUp(k, p.time)
	var reached float64
	switch t.spec.As {
	case ChainRisk:
		reached = t.fired.sum
	case ChainCount:
		reached = float64(len(k.links))
	case ChainDistinct:
		reached = float64(t.fired.distinct)
	}
	if reached < t.spec.AtLeast {
		return firing{}, false
	}
	return firing{count: int64(len(k.links)), first: k.links[0].time, different: true, atLeast: len(k.links) == maxLinks}, true
}

// sumUp adds the alerts of a key up at a time.
func (t *chainTally) sumUp(k *chainKey, now int64) chainSum {
	s := chainSum{links: k.links}
	different := map[event.Hash]bool{}
	for i := range k.links {
		l := &k.links[i]
		score := l.score
		if t.spec.HalfLife > 0 {
			score *= math.Exp2(-float64(now-l.time) / float64(t.spec.HalfLife))
		}
		s.sum += score
		for _, v := range l.values {
			different[v] = true
		}
	}
	s.distinct = len(different)
	return s
}

// drop forgets the oldest alerts of a key.
func (t *chainTally) drop(k *chainKey, n int) {
	for i := range n {
		t.values -= int64(len(k.links[i].values))
	}
	t.links -= int64(n)
	k.links = slices.Delete(k.links, 0, n)
}

// count takes no events.
func (t *chainTally) count(*pending) (firing, bool) { return firing{}, false }

// hits are the alerts: they stand in the evidence by their ids.
func (t *chainTally) hits(*pending) []hit {
	t.hitBuf = t.hitBuf[:0]
	for _, l := range t.fired.links {
		t.hitBuf = append(t.hitBuf, hit{time: l.time, event: l.alert, drill: l.drill})
	}
	return t.hitBuf
}

func (t *chainTally) dress(a *event.Alert, _ *firing) {
	a.Threshold = t.spec.AtLeast
	if a.Tenant == "" && len(t.fired.links) > 0 {
		a.Tenant = t.fired.links[0].tenant
		for _, l := range t.fired.links {
			if l.tenant != a.Tenant {
				a.Tenant = ""
				break
			}
		}
	}
}

func (t *chainTally) placeholder(name string) (string, bool) {
	switch name {
	case "chain.risk":
		return riskText(t.fired.sum), true
	case "chain.distinct", "distinct.count":
		return strconv.Itoa(t.fired.distinct), true
	case "chain.rules":
		return t.rules(), true
	}
	return "", false
}

// riskText is a sum of scores as people read it.
func riskText(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// rules names the rules of the alerts, each once, in order of their first alert.
func (t *chainTally) rules() string {
	const most = 5
	var ids []string
	for _, l := range t.fired.links {
		if !slices.Contains(ids, l.rule) {
			ids = append(ids, l.rule)
		}
	}
	if n := len(ids) - most; n > 0 {
		ids = append(ids[:most], fmt.Sprintf("%d more", n))
	}
	return strings.Join(ids, ", ")
}

func (t *chainTally) explain(_ *Rule, a *event.Alert) string {
	of := ""
	if key := a.KeyText(); key != "" {
		of = " of " + key
	}
	var what string
	switch t.spec.As {
	case ChainRisk:
		what = "risk " + riskText(t.fired.sum) + of
		if t.spec.HalfLife > 0 {
			what += ", halved every " + event.FormatDuration(t.spec.HalfLife) + ","
		}
		what += fmt.Sprintf(" from %d alerts", a.Count)
	case ChainCount:
		what = fmt.Sprintf("%d alerts%s", a.Count, of)
	case ChainDistinct:
		what = fmt.Sprintf("%d different values%s in %d alerts", t.fired.distinct, of, a.Count)
	}
	return fmt.Sprintf("%s within %s where %s is enough, the last at %s (UTC): %s", what, event.FormatDuration(t.window), riskText(t.spec.AtLeast), clock(a.Time), t.rules())
}

func (t *chainTally) expire(now int64) {
	edge := timeSub(now, t.window)
	for k := t.table.first(); k != nil && (len(k.links) == 0 || k.links[len(k.links)-1].time <= edge); k = t.table.first() {
		t.drop(k, len(k.links))
		t.table.dropFirst()
	}
}

func (t *chainTally) evict() bool {
	k := t.table.first()
	if k == nil {
		return false
	}
	t.limits.evicted++
	t.drop(k, len(k.links))
	t.table.dropFirst()
	return true
}

func (t *chainTally) keys() int { return t.table.len() }

func (t *chainTally) size() int64 {
	return int64(t.table.len())*keyCost + t.links*linkCost + t.values*int64(len(event.Hash{}))
}

func (t *chainTally) appendTo(w *snapshotWriter) {
	w.count(t.table.len())
	t.table.all(func(key event.Hash, k *chainKey) {
		w.hash(key)
		w.count(len(k.links))
		for i := range k.links {
			l := &k.links[i]
			w.int(l.time)
			w.hash(l.alert)
			w.string(l.rule)
			w.string(l.tenant)
			w.uint(math.Float64bits(l.score))
			w.bool(l.drill)
			w.count(len(l.values))
			for _, v := range l.values {
				w.hash(v)
			}
		}
	})
}

func (t *chainTally) readFrom(r *snapshotReader) {
	for range r.count(16) {
		k, added := t.table.touch(r.hash())
		n := r.count(22)
		if !added || n > maxLinks {
			r.fail()
		}
		last := int64(noTime)
		for range n {
			l := chainLink{time: r.int(), alert: r.hash(), rule: r.string(), tenant: r.string(), score: math.Float64frombits(r.uint()), drill: r.bool()}
			values := r.count(16)
			if l.time < last || values > maxLinkValues || math.IsNaN(l.score) || math.IsInf(l.score, 0) {
				r.fail()
			}
			if r.err != nil {
				return
			}
			last = l.time
			for range values {
				l.values = append(l.values, r.hash())
			}
			k.links = append(k.links, l)
			t.links++
			t.values += int64(len(l.values))
		}
		if r.err != nil {
			return
		}
	}
	for t.table.len() > t.limits.max {
		t.evict()
	}
}
