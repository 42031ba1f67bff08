package rules

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// Draft is a rule that is to be begun: of each kind there is one that works, with a test in which it
// fires and one in which it does not.
type Draft struct {
	ID       string
	Kind     Kind
	By       string // field of the key; "" is the usual one of the kind
	Severity event.Severity
	Playbook string
	Concern  string
}

// Kinds are the names of all kinds, as drafts have them.
func Kinds() []string {
	kinds := []string{string(Each)}
	for _, k := range kindKeys() {
		kinds = append(kinds, string(k))
	}
	return kinds
}

// draftBody is the part of a draft that its kind decides.
type draftBody struct {
	by    string
	title string
	about string
	body  string
	tests string
}

func draftBodies() map[Kind]draftBody {
	return map[Kind]draftBody{
		Each: {
			"client.ip", "Change of keys refused for {KEY}",
			"Somebody tried to change API keys and was refused.",
			"when: event.action == \"key-change\" and gateway.auth == \"refused\"\nby: [KEY]\nsuppress: 2h",
			`  - name: one alert a key and two hours
    table: |
      t     KEY  event.action  gateway.auth  alert
      0s    ONE  key-change    refused       ALERT
      1h    ONE  key-change    refused
      1h    TWO  key-change    refused       ALERT
  - name: an accepted change
    table: |
      t     KEY  event.action  gateway.auth  alert
      0s    ONE  key-change    accepted`,
		},
		Threshold: {
			"client.ip", "{count} refused calls of {KEY} in {window}",
			"One caller keeps presenting credentials that the gateway refuses.",
			"when: gateway.auth == \"refused\"\nby: [KEY]\nwindow: 15m\nthreshold: 25\nsuppress: {for: 1h, escalate_at: 500}",
			`  - name: twenty-five in a quarter of an hour
    table: |
      t                  KEY  gateway.auth  alert
      0s x25 every 30s   ONE  refused       ALERT
  - name: one too few
    table: |
      t                  KEY  gateway.auth  alert
      0s x24 every 30s   ONE  refused
      0s x24 every 30s   TWO  refused`,
		},
		Distinct: {
			"client.ip", "{distinct.count} sessions opened by {KEY} in {window}",
			"One caller opens more liveness sessions than a person or a backend of one person would.",
			"when: event.action == \"liveness-session-create\"\nby: [KEY]\nwindow: 15m\ndistinct: {of: liveness.session_id, at_least: 8}",
			`  - name: eight sessions
    table: |
      t                KEY  event.action             liveness.session_id  alert
      0s x8 every 1m   ONE  liveness-session-create  s{i}                 ALERT
  - name: one session, many times
    table: |
      t                KEY  event.action             liveness.session_id  alert
      0s x50 every 5s  ONE  liveness-session-create  s1`,
		},
		Spike: {
			"organization.id", "Spoof verdicts {spike.ratio} times normal for {KEY}",
			"The share of spoof verdicts is far above what it usually is at this time of day.",
			"when: event.action == \"liveness-check\" and has(liveness.decision)\nby: [KEY]\nwindow: 20m\nspike: {of: 'liveness.decision == \"spoof\"', factor: 4, min_total: 20, baseline: 14d, season: 1d, tz: Europe/Berlin, warmup: 3d}\nsuppress: 1h",
			`  - name: a fifth are spoofs where one in fifty is usual
    baseline: {total: 200, hits: 4}
    given: {event.action: liveness-check, KEY: ONE}
    events:
      - {repeat: 40, every: 10s, set: {liveness.decision: spoof}}
      - {repeat: 160, every: 2s, set: {liveness.decision: live}}
    alerts: [{at: 4m}]
  - name: as usual
    baseline: {total: 200, hits: 4}
    given: {event.action: liveness-check, KEY: ONE}
    events:
      - {repeat: 4, every: 100s, set: {liveness.decision: spoof}}
      - {repeat: 196, every: 2s, set: {liveness.decision: live}}
    alerts: []`,
		},
		FirstSeen: {
			"api_key.id", "{KEY} used from {client.geo.country_iso_code} for the first time",
			"A key is accepted from a country from which it was not used before.",
			"when: gateway.auth == \"accepted\"\nby: [KEY]\nfirst_seen: {of: [client.geo.country_iso_code], history: 30d, learn: 7d, again: 24h}",
			`  - name: a second country
    table: |
      t     KEY  gateway.auth  client.geo.country_iso_code  alert
      -20d  ONE  accepted      DE
      0s    ONE  accepted      BR                           ALERT
      1h    ONE  accepted      BR
  - name: while the key is new it teaches
    table: |
      t     KEY  gateway.auth  client.geo.country_iso_code  alert
      0s    ONE  accepted      DE
      1h    ONE  accepted      BR`,
		},
		Sequence: {
			"user.id", "{KEY} passed after {steps[0].count} spoof verdicts",
			"Somebody was taken for a spoof several times, and then passed.",
			"by: [KEY]\nwindow: 20m\nsequence:\n  - {name: spoofed, when: 'liveness.decision == \"spoof\"', at_least: 3}\n  - {name: passed, when: 'liveness.decision == \"live\"'}\nsuppress: 24h",
			`  - name: three spoofs, then live
    table: |
      t               KEY  liveness.decision  alert
      0s x3 every 1m  ONE  spoof
      5m              ONE  live               ALERT
  - name: live first
    table: |
      t               KEY  liveness.decision  alert
      0s              ONE  live
      1m x9 every 1m  ONE  spoof`,
		},
		Absence: {
			"liveward.source", "Nothing from {KEY} for {window}",
			"A log that usually has lines all the time has none.",
			"when: event.dataset == \"liveward.event\"\nby: [KEY]\nabsence: {for: 20m}\nsuppress: {until: recovered}",
			`  - name: silent, and back
    table: |
      t     KEY    alert
      0s    ONE
      30m   ONE    ALERT@20m,RECOVERED
  - name: an event in time
    table: |
      t     KEY    alert
      0s    ONE
      19m   ONE
      38m   clock`,
		},
		Chain: {
			"client.ip", "{KEY}: {chain.rules}",
			"The alerts of several rules about one caller add up to more risk than any of them.",
			"when: event.severity >= 47\nby: [KEY]\nwindow: 12h\nchain: {as: risk, at_least: 100, half_life: 4h}",
			`  - name: two rules
    table: |
      t     KEY  rule.id  event.severity  event.risk_score  alert
      0s    ONE  lw.x.a   high            70
      10m   ONE  lw.x.b   high            70                ALERT
  - name: each about another
    table: |
      t     KEY  rule.id  event.severity  event.risk_score  alert
      0s    ONE  lw.x.a   high            70
      10m   TWO  lw.x.b   high            70`,
		},
	}
}

// Text is the rule's file.
func (d Draft) Text() (string, error) {
	b, ok := draftBodies()[d.Kind]
	if !ok {
		return "", fmt.Errorf("unknown kind %q; want one of %s", d.Kind, strings.Join(Kinds(), ", "))
	}
	if !newForms().id.MatchString(d.ID) {
		return "", fmt.Errorf("id %q: want a form like lw.area.name", d.ID)
	}
	by := d.By
	if by == "" {
		by = b.by
	}
	id, ok := event.Lookup(by)
	if !ok {
		hint := cmp.Or(strict.Suggest(by, fieldNames()), "docs/fields.md has them all")
		return "", fmt.Errorf("unknown field %q; %s", by, hint)
	}
	one, two, err := samples(id)
	if err != nil {
		return "", err
	}
	if d.Severity == "" {
		d.Severity = event.Medium
	}
	if d.Concern == "" {
		d.Concern = "own-rule"
	}
	fill := strings.NewReplacer("KEY", by, "ONE", one, "TWO", two)
	return fmt.Sprintf("id: %s\nversion: 1\ntitle: %q\ndescription: %s\nseverity: %s\nrisk: {score: 40, entity: %s}\ntags: {concern: %s}\nmode: shadow    # stored, never notified; live once a backtest shows that it is quiet\n%s\nplaybook: %s\ntests:\n%s\n",
		d.ID, fill.Replace(b.title), b.about, d.Severity, by, d.Concern, fill.Replace(b.body), d.Playbook, fill.Replace(b.tests)), nil
}

// samples are two values of a field, for tests.
func samples(id event.ID) (one, two string, err error) {
	f := event.FieldOf(id)
	if len(f.Enum) > 1 {
		return f.Enum[0], f.Enum[1], nil
	}
	switch f.Type {
	case event.Keyword, event.Text:
		return "a1", "b2", nil
	case event.IP:
		return "203.0.113.7", "203.0.113.8", nil
	case event.Long:
		return "64500", "64501", nil
	case event.Keywords, event.Date, event.Double, event.Bool:
	}
	return "", "", fmt.Errorf("%s is %s: it makes no good key", f.Name, f.Type)
}

// Try loads a rule directory as it would be with one file more, and runs the tests of that rule. The
// error has what is wrong with it.
func Try(dir fs.FS, id, text string) (TestResults, error) {
	name := id + ".yaml"
	if _, err := fs.Stat(dir, name); err == nil {
		return nil, fmt.Errorf("there is a rule %s already", id)
	}
	set, problem := Load(plusFile{dir, name, []byte(text)}, Options{})
	if found, ok := errors.AsType[Problems](problem); ok {
		found = slices.DeleteFunc(slices.Clone(found), func(p Problem) bool { return p.File != name })
		if len(found) > 0 {
			return nil, found
		}
	}
	if set == nil || set.Rule(id) == nil {
		return nil, errors.Join(fmt.Errorf("rule %s does not load", id), problem)
	}
	results := slices.DeleteFunc(set.Test(), func(r TestResult) bool { return r.Rule != id })
	for i := range results {
		if !results[i].Passed() {
			return results, fmt.Errorf("test %q of the draft fails: %s", results[i].Name, strings.Join(results[i].Failures, "; "))
		}
	}
	return results, nil
}

// plusFile is a directory with one file more.
type plusFile struct {
	fs.FS
	name string
	data []byte
}

// Stat implements fs.StatFS.
func (p plusFile) Stat(name string) (fs.FileInfo, error) {
	if name == p.name {
		return plusInfo{p}, nil
	}
	return fs.Stat(p.FS, name)
}

// ReadFile implements fs.ReadFileFS.
func (p plusFile) ReadFile(name string) ([]byte, error) {
	if name == p.name {
		return bytes.Clone(p.data), nil
	}
	return fs.ReadFile(p.FS, name)
}

// ReadDir implements fs.ReadDirFS.
func (p plusFile) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(p.FS, name)
	if err == nil && name == "." {
		entries = append(slices.Clip(entries), fs.FileInfoToDirEntry(plusInfo{p}))
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return entries, err
}

// plusInfo describes the file.
type plusInfo struct{ p plusFile }

func (i plusInfo) Name() string     { return i.p.name }
func (i plusInfo) Size() int64      { return int64(len(i.p.data)) }
func (plusInfo) Mode() fs.FileMode  { return 0o644 }
func (plusInfo) ModTime() time.Time { return time.Time{} }
func (plusInfo) IsDir() bool        { return false }
func (plusInfo) Sys() any           { return nil }
