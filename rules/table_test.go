package rules

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/liveward/liveward/internal/event"
)

// tableRules is a directory with a rule over two tables.
func tableRules(when, limits string) fstest.MapFS {
	fsys := ruleFiles(map[string]string{"t.a": "when: " + when + `
tests:
  - name: per vendor
    lists: {limits: {acme: 4000, default: 2000}, regions: {bank-a: eu}}
    table: |
      t   liveness.vendor  liveness.latency_ms  organization.id  data.region  alert
      0s  acme             3000                 bank-a           us
      1s  acme             5000                 bank-a           us           ALERT
      2s  acme             5000                 bank-a           eu
      3s  other            3000                 bank-a           us           ALERT
      4s  other            3000                 bank-b           us
      5s  -                9000                 bank-a           us
  - name: without an entry nothing is known
    lists: {limits: {}, regions: {bank-a: eu}}
    table: |
      t   liveness.vendor  liveness.latency_ms  organization.id  data.region
      0s  acme             9000                 bank-a           us
`})
	fsys["lists/limits.yaml"] = &fstest.MapFile{Data: []byte(limits)}
	fsys["lists/regions.yaml"] = &fstest.MapFile{Data: []byte("type: table\nfield: organization.id\nentries: {bank-a: eu}\n")}
	return fsys
}

const (
	tableWhen   = "liveness.latency_ms > lists.limits[liveness.vendor] and data.region != lists.regions[organization.id]"
	tableLimits = "type: table\nvalues: number\nfield: liveness.vendor\ndefault: 3000\nentries: {acme: 4000, other: 2.5e3}\n"
)

// TestTables: what a table has for the event's vendor is compared; without an entry there is no value.
func TestTables(t *testing.T) {
	set, err := Load(tableRules(tableWhen, tableLimits), anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range set.Test() {
		if !r.Passed() {
			t.Errorf("%s: %v", r.Name, r.Failures)
		}
	}
	rule := set.Rule("t.a")
	want := []event.ID{event.LivenessVendor, event.LivenessLatencyMS, event.OrganizationID, event.DataRegion}
	slices.Sort(want)
	if got := rule.Needs(); !slices.Equal(got, want) {
		t.Errorf("needs %v, want %v", got, want)
	}
	again, err := OpenArchive(set.Archive(), anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash() != set.Hash() || again.Rule("t.a").State != rule.State {
		t.Error("the archive gives another set")
	}
	other, err := Load(tableRules(tableWhen, strings.Replace(tableLimits, "4000", "4001", 1)), anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	if other.Rule("t.a").State == rule.State {
		t.Error("another entry is another logic")
	}
	ev, m, buf := new(event.Event), set.NewMatcher(), event.SignalBuffer{}
	ev.SetString(event.LivenessVendor, "other")
	ev.SetString(event.OrganizationID, "bank-a")
	ev.SetString(event.DataRegion, "us")
	ev.SetFloat(event.LivenessLatencyMS, 2600)
	if n := testing.AllocsPerRun(100, func() { buf.Reset(); m.Match(ev, Origin{}, &buf) }); n != 0 || len(buf.Signals) != 1 {
		t.Errorf("%v allocations, %d signals; want 0 and 1", n, len(buf.Signals))
	}
}

// TestTablesAreRefused: what no table can say is an error with its place.
func TestTablesAreRefused(t *testing.T) {
	for _, tt := range []struct{ when, limits, want string }{
		{"liveness.latency_ms > lists.limits[organization.id]", tableLimits, "lists.limits is not looked up by organization.id; its file should say field: organization.id"},
		{"liveness.latency_ms > lists.limits[liveness.latency_ms]", tableLimits, "a table is looked up by a field that is a text"},
		{"liveness.vendor in lists.limits", tableLimits, "lists.limits is a table; compare with lists.limits[liveness.vendor]"},
		{"liveness.vendor == lists.limits[liveness.vendor]", tableLimits, "is a text"},
		{"liveness.latency_ms > lists.nothing[liveness.vendor]", tableLimits, "unknown list lists.nothing"},
		{"liveness.latency_ms > event.category[0]", tableLimits, "an index is not part of the rule language"},
		{tableWhen, "type: long\nentries: [1]\n", "lists.limits holds values, and has none for a key; its file should say type: table"},
		{tableWhen, "type: table\nvalues: number\nentries: {acme: fast}\n", "\"fast\" is not a number"},
		{tableWhen, "type: table\nentries: [acme]\n", "the entries of a table are keys with values"},
		{tableWhen, "type: table\nvalues: date\nentries: {}\n", "values \"date\" is not known"},
		{tableWhen, "default: 3\nentries: []\n", "default goes with type: table"},
	} {
		_, err := Load(tableRules(tt.when, tt.limits), anyPlaybook())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s over %q: %v, want %q", tt.when, tt.limits, err, tt.want)
		}
	}
}
