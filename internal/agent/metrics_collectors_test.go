package agent

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/collectors/journald"
	"github.com/liveward/liveward/collectors/nats"
	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/collectors/s3"
	"github.com/liveward/liveward/collectors/syslog"
)

// numbered returns counts that are all different, and the names of the counts by their number.
func numbered[S any]() (stats S, names map[int64]string) {
	v := reflect.ValueOf(&stats).Elem()
	names = map[int64]string{}
	for i := range v.NumField() {
		v.Field(i).SetInt(int64(100 + i))
		names[int64(100+i)] = v.Type().Field(i).Name
	}
	return stats, names
}

// Every count of a collector is exposed once, but for those that the journal's side has: a count that is
// added to a collector has to be added here.
func TestCollectorsCountsAreExposed(t *testing.T) {
	elsewhere := []string{"Lines", "Batches", "Bytes", "Messages", "Requests", "Deliveries", "Connections", "Entries", "Deleted", "Ignored", "Objects", "Dropped"}
	helped := map[[2]string]bool{}
	for _, v := range LabelValues() {
		helped[[2]string{v.Metric, v.Value}] = true
	}
	table := map[string]Metric{}
	for _, m := range Metrics() {
		table[m.Name] = m
	}
	used := map[[2]string]bool{}
	f := func(kind string, names map[int64]string, got []sample) {
		t.Helper()
		for _, s := range got {
			if names[s.value] == "" {
				t.Errorf("%s: %s %s is no count, or is exposed twice", kind, s.name, s.label)
			}
			delete(names, s.value)
			name := "liveward_input_" + s.name
			m, ok := table[name]
			if !ok || (len(m.Labels) == 2) != (s.label != "") {
				t.Errorf("%s: %s is not in the table with these labels", kind, name)
			}
			if s.label != "" && !helped[[2]string{name, s.label}] {
				t.Errorf("%s: %s of %s is not explained", kind, s.label, name)
			}
			used[[2]string{name, s.label}] = true
		}
		var rest []string
		for _, name := range names {
			if !slices.Contains(elsewhere, name) {
				rest = append(rest, name)
			}
		}
		if len(rest) > 0 {
			t.Errorf("%s: not exposed: %s", kind, strings.Join(rest, ", "))
		}
	}
	files, names := numbered[file.Stats]()
	f("file", names, fileSamples(files))
	journal, names := numbered[journald.Stats]()
	f("journald", names, journaldSamples(journal))
	bus, names := numbered[nats.Stats]()
	f("nats", names, natsSamples(bus))
	pushed, names := numbered[push.Stats]()
	f("push", names, pushSamples(pushed))
	objects, names := numbered[s3.Stats]()
	f("s3", names, s3Samples(objects))
	messages, names := numbered[syslog.Stats]()
	f("syslog", names, syslogSamples(messages))
	for v := range maps.Keys(helped) {
		if !used[v] {
			t.Errorf("%v is explained, and nothing counts it", v)
		}
	}
}

// What an input's collector counts is exposed under the input's name.
func TestCollectorMetrics(t *testing.T) {
	a := running(t, 40)
	families, err := a.registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) == 2 && f.GetName() == "liveward_input_files" {
				got[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	if diff := cmp.Diff(map[string]float64{"gateway tailed": 1, "gateway open": 1, "gateway untailed": 0}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
