package agent

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	runtimemetrics "github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/internal/journal"
)

// maxRuleMetrics bounds the rules that have metrics of their own: those first by id.
const maxRuleMetrics = 1000

// Metric is a row of the table of metrics, from which docs/metrics.md is written too.
type Metric struct {
	Name   string
	Labels []string
	Gauge  bool // else a counter
	Help   string
}

// Metrics is the table: everything that is exposed beside the metrics of process and runtime. Values
// of labels come from the configuration, the rules and fixed lists, never from a log.
func Metrics() []Metric {
	counter := func(name, help string, labels ...string) Metric { return Metric{name, labels, false, help} }
	gauge := func(name, help string, labels ...string) Metric { return Metric{name, labels, true, help} }
	return []Metric{
		gauge("liveward_build_info", "Always 1; its labels say which agent runs which version.", "agent", "version"),
		gauge("liveward_start_timestamp_seconds", "When the agent started."),

		counter("liveward_input_lines_total", "Lines read, directives of formats among them.", "input"),
		counter("liveward_input_bytes_total", "Bytes of these lines, without what parts them.", "input"),
		counter("liveward_input_events_total", "Events: lines that were parsed.", "input"),
		counter("liveward_input_quarantined_total", "Lines that could not be parsed.", "input"),
		counter("liveward_input_skipped_total", "Directives of the format, which give no event.", "input"),
		counter("liveward_input_late_total", "Events that windows skip: behind the lateness of their source, or behind what was counted already.", "input"),
		counter("liveward_input_skewed_total", "Events from the future, counted at the time they were read.", "input"),
		counter("liveward_input_ambiguous_total", "Events without a zone in the hour that comes twice when clocks go back.", "input"),
		counter("liveward_input_mapping_gaps_total", "Values that the vendor map does not know.", "input"),
		counter("liveward_input_privacy_dropped_total", "Values that privacy dropped or masked.", "input"),
		counter("liveward_input_privacy_lines_total", "Lines in which privacy dropped something of a kind.", "input", "kind"),
		counter("liveward_input_decisions_total", "Liveness answers.", "input", "decision"),
		counter("liveward_input_refused_total", "Calls whose credentials were refused.", "input"),
		counter("liveward_input_outcomes_missing_total", "Liveness calls of ten minutes in which no call had an outcome.", "input"),
		counter("liveward_input_batches_total", "Messages appended to the journal.", "input"),
		gauge("liveward_input_delay_seconds", "Time between the newest event of the last batch and its reading.", "input"),
		gauge("liveward_input_last_event_timestamp_seconds", "Largest event time; absent before the first event.", "input"),
		gauge("liveward_input_last_line_timestamp_seconds", "When the newest line was read; absent before the first.", "input"),
		gauge("liveward_input_silent_seconds", "For how long there was no line, at most since the agent's start.", "input"),

		counter("liveward_input_pushbacks_total", "Times the journal pushed back.", "input"),
		counter("liveward_input_lost_total", "What is known to be gone before it could be journaled: bytes of files, messages of syslog and core subjects.", "input", "what"),
		counter("liveward_input_turned_away_total", "Requests, records, connections, messages and objects that were not taken, by the reason; what waits in a queue or a stream comes again.", "input", "why"),
		counter("liveward_input_repeated_total", "Deliveries, messages and objects that came again.", "input"),
		counter("liveward_input_cut_total", "Lines longer than max_line, which were cut.", "input"),
		counter("liveward_input_faults_total", "What went wrong and was got over, by what it was.", "input", "what"),
		counter("liveward_input_rotations_total", "Files that were rotated.", "input"),
		gauge("liveward_input_files", "Files of the input, by their state.", "input", "state"),
		gauge("liveward_input_lag_bytes", "Bytes of uncompressed files that wait to be read.", "input"),

		gauge("liveward_rules", "Rules in use."),
		gauge("liveward_rules_broken_files", "Files of rules, lists and macros that had errors when they were last read: each keeps its old version."),
		gauge("liveward_rule_state", "1 for the state that the rule is in, 0 for the others: ok, warming, blind, degraded, expired.", "rule", "state"),
		counter("liveward_rule_tried_total", "Events that the index offered to the rule.", "rule"),
		counter("liveward_rule_matches_total", "Events that the rule matched.", "rule"),
		counter("liveward_rule_match_seconds_total", "Time spent on matching, estimated from one trial in 64.", "rule"),
		counter("liveward_rule_window_seconds_total", "Time spent on counting in windows, estimated from one signal in 64.", "rule"),
		counter("liveward_rule_errors_total", "Conditions without a result, such as a division by zero; no match.", "rule"),
		counter("liveward_rule_excepted_total", "Matches that an exception took away.", "rule"),
		counter("liveward_rule_keyless_total", "Matches without a value of the rule's key, which are not counted.", "rule"),
		counter("liveward_rule_late_total", "Signals too late for the rule's windows.", "rule"),
		counter("liveward_rule_alerts_total", "Alerts, shadow ones among them.", "rule"),
		counter("liveward_rule_suppressed_total", "Firings held back.", "rule"),
		counter("liveward_rule_evicted_keys_total", "Keys forgotten for want of room; while this grows, counts are not exact.", "rule"),
		gauge("liveward_rule_keys", "Keys with events in the window.", "rule"),
		gauge("liveward_rule_window_bytes", "Estimated memory of the rule's windows.", "rule"),

		gauge("liveward_windows_watermark_timestamp_seconds", "Event time up to which windows have counted; absent before the first event."),
		gauge("liveward_windows_pending_signals", "Signals that wait for the watermark."),
		gauge("liveward_windows_bytes", "Estimated memory of all windows."),
		gauge("liveward_windows_sources", "Sources that the watermark knows."),
		counter("liveward_windows_late_total", "Signals behind their own source, or behind the watermark."),
		counter("liveward_windows_duplicates_total", "Signals of events that were delivered again."),
		counter("liveward_windows_forced_total", "Signals counted before the watermark, because too many waited."),

		counter("liveward_joins_total", "Joined events: checks with both sides or one, and accounts.", "what"),
		counter("liveward_joins_repeats_total", "Outcomes that said again what was known."),
		counter("liveward_joins_evicted_total", "Events and sessions forgotten for want of room: they cannot be joined any more."),
		gauge("liveward_joins_waiting", "Events that wait for the watermark or for their other side."),
		gauge("liveward_joins_remembered", "Sessions, users and consents that are remembered for accounts."),

		gauge("liveward_journal_bytes", "Size of a stream of the journal.", "stream"),
		gauge("liveward_journal_messages", "Messages in a stream of the journal.", "stream"),
		gauge("liveward_journal_max_bytes", "journal.max_size."),
		gauge("liveward_journal_full", "1 while collectors are pushed back, because a reader is behind and the journal at its size."),
		counter("liveward_journal_expired_messages_total", "Messages purged at their legal maximum age before every reader had read them."),
		gauge("liveward_reader_behind_messages", "Messages that a reader of the journal has still to read.", "reader"),

		gauge("liveward_forwarder_state", "1 for the state that the forwarder is in, 0 for the others: healthy, retrying, stuck.", "forwarder", "state"),
		counter("liveward_forwarder_stored_total", "Documents stored, or found stored.", "forwarder"),
		counter("liveward_forwarder_retried_total", "Attempts at single documents that have to be repeated.", "forwarder"),
		counter("liveward_forwarder_rejected_total", "Documents that became dead letters.", "forwarder"),
		counter("liveward_forwarder_requests_total", "Requests to the store.", "forwarder"),
		counter("liveward_forwarder_failures_total", "Requests after which not everything was stored.", "forwarder"),

		gauge("liveward_incidents_open", "Incidents that are not resolved."),
		counter("liveward_incidents_opened_total", "Incidents opened."),
		counter("liveward_incidents_resolved_total", "Incidents resolved."),
		counter("liveward_incidents_alerts_total", "Alerts that became part of an incident."),
		counter("liveward_notifications_delivered_total", "Notifications delivered.", "notifier"),
		counter("liveward_notifications_failed_total", "Attempts to notify that failed.", "notifier"),
		gauge("liveward_notifications_pending", "Incidents with something to tell.", "notifier"),
		gauge("liveward_notifications_silenced", "Incidents with something to tell that a silence holds back; they are pending too.", "notifier"),
		gauge("liveward_silences", "Silences that hold back what there is to tell."),
	}
}

// exporter exposes an agent's counts. Nothing is counted for it: it reads what the parts count for
// themselves, at the moment it is asked.
type exporter struct {
	agent *Agent
	descs map[string]*prometheus.Desc
	kinds map[string]prometheus.ValueType
}

func newExporter(a *Agent) *exporter {
	e := &exporter{agent: a, descs: map[string]*prometheus.Desc{}, kinds: map[string]prometheus.ValueType{}}
	for _, m := range Metrics() {
		e.descs[m.Name] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
		e.kinds[m.Name] = prometheus.CounterValue
		if m.Gauge {
			e.kinds[m.Name] = prometheus.GaugeValue
		}
	}
	return e
}

// registry holds all metrics of one agent.
func (a *Agent) registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(newExporter(a), runtimemetrics.NewGoCollector(), runtimemetrics.NewProcessCollector(runtimemetrics.ProcessCollectorOpts{}))
	return r
}

// Describe implements prometheus.Collector.
func (e *exporter) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range e.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (e *exporter) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s := scrape{exporter: e, ch: ch, now: e.agent.now()}
	s.process()
	for i := range e.agent.plan.inputs {
		name := e.agent.plan.inputs[i].Name
		s.input(name)
		s.collector(name)
	}
	s.rules()
	s.windows()
	s.joins()
	s.journal(ctx)
	s.forwarders()
	s.alerting(ctx)
}

// scrape is one look at everything.
type scrape struct {
	*exporter
	ch  chan<- prometheus.Metric
	now time.Time
}

func (s *scrape) put(name string, value float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(s.descs[name], s.kinds[name], value, labels...)
}

// state puts 1 for the state that holds and 0 for the others.
func (s *scrape) state(name, of string, is string, states ...string) {
	for _, state := range states {
		v := 0.0
		if state == is {
			v = 1
		}
		s.put(name, v, of, state)
	}
}

// count is a number of a metric whose name begins as those of its neighbours do.
type count struct {
	name  string
	value int64
}

func (s *scrape) puts(prefix string, counts []count, labels ...string) {
	for _, c := range counts {
		s.put(prefix+c.name, float64(c.value), labels...)
	}
}

func seconds(ns int64) float64 { return float64(ns) / float64(time.Second) }

func (s *scrape) process() {
	s.put("liveward_build_info", 1, s.agent.plan.Config.Agent.ID, s.agent.hooks.Version)
	s.put("liveward_start_timestamp_seconds", seconds(s.agent.started.UnixNano()))
}

func (s *scrape) input(name string) {
	t := s.agent.counts.Input(name)
	s.puts("liveward_input_", []count{
		{"lines_total", t.Lines},
		{"bytes_total", t.Bytes},
		{"events_total", t.Events},
		{"quarantined_total", t.Quarantined},
		{"skipped_total", t.Skipped},
		{"late_total", s.agent.late(name)},
		{"skewed_total", t.Skewed},
		{"ambiguous_total", t.Ambiguous},
		{"mapping_gaps_total", t.MappingGaps},
		{"privacy_dropped_total", t.Dropped},
		{"refused_total", t.Refused},
		{"outcomes_missing_total", t.Blind},
		{"batches_total", t.Batches},
	}, name)
	for _, kind := range slices.Sorted(maps.Keys(t.Kinds)) {
		s.put("liveward_input_privacy_lines_total", float64(t.Kinds[kind]), name, kind)
	}
	for _, decision := range slices.Sorted(maps.Keys(t.Decisions)) {
		s.put("liveward_input_decisions_total", float64(t.Decisions[decision]), name, decision)
	}
	s.put("liveward_input_silent_seconds", s.agent.silent(name, s.now).Seconds(), name)
	if t.LastIngest != 0 {
		s.put("liveward_input_last_line_timestamp_seconds", seconds(t.LastIngest), name)
		s.put("liveward_input_delay_seconds", seconds(t.Delay), name)
	}
	if t.NewestEvent != 0 {
		s.put("liveward_input_last_event_timestamp_seconds", seconds(t.NewestEvent), name)
	}
}

func (s *scrape) rules() {
	all := s.agent.monitor.rules(s.now)
	s.put("liveward_rules", float64(len(all)))
	s.put("liveward_rules_broken_files", float64(s.agent.broken.Load()))
	for i := range all[:min(len(all), maxRuleMetrics)] {
		r := &all[i]
		id := r.Rule.ID
		s.state("liveward_rule_state", id, string(r.State), string(RuleOK), string(RuleWarming), string(RuleBlind), string(RuleDegraded), string(RuleExpired))
		s.put("liveward_rule_match_seconds_total", seconds(int64(r.Match.Nanoseconds)), id)
		s.put("liveward_rule_window_seconds_total", seconds(r.Window.Nanoseconds), id)
		s.puts("liveward_rule_", []count{
			{"tried_total", int64(r.Match.Tried)},
			{"matches_total", int64(r.Match.Matches)},
			{"errors_total", int64(r.Match.Errors)},
			{"excepted_total", int64(r.Match.Excepted)},
			{"keyless_total", int64(r.Match.NoKey)},
			{"late_total", r.Window.Skipped},
			{"alerts_total", r.Window.Fired},
			{"suppressed_total", r.Window.Suppressed},
			{"evicted_keys_total", r.Window.Evicted},
			{"keys", int64(r.Window.Keys)},
			{"window_bytes", r.Window.Bytes},
		}, id)
	}
}

func (s *scrape) joins() {
	j := s.agent.detector.Stats().Joins
	for _, n := range []count{{"joined", j.Joined}, {"no_outcome", j.NoOutcome}, {"no_call", j.NoCall}, {"account", j.Accounts}} {
		s.put("liveward_joins_total", float64(n.value), n.name)
	}
	s.puts("liveward_joins_", []count{
		{"repeats_total", j.Repeats},
		{"evicted_total", j.Evicted},
		{"waiting", int64(j.Waiting)},
		{"remembered", int64(j.Remembered)},
	})
}

func (s *scrape) windows() {
	w := s.agent.detector.Stats().Windows
	if w.Started {
		s.put("liveward_windows_watermark_timestamp_seconds", seconds(w.Watermark))
	}
	s.puts("liveward_windows_", []count{
		{"pending_signals", int64(w.Pending)},
		{"bytes", w.Bytes},
		{"sources", int64(w.Sources)},
		{"late_total", w.Late + w.Behind},
		{"duplicates_total", w.Duplicates},
		{"forced_total", w.Forced},
	})
}

func (s *scrape) journal(ctx context.Context) {
	a := s.agent
	for _, stream := range journal.Streams() {
		u, err := a.journal.Usage(ctx, stream)
		if err != nil {
			continue // while the server starts anew there is nothing to say
		}
		s.put("liveward_journal_bytes", float64(u.Bytes), stream)
		s.put("liveward_journal_messages", float64(u.Messages), stream)
	}
	s.put("liveward_journal_max_bytes", float64(a.plan.Config.Journal.MaxSize))
	full := 0.0
	if a.full.Load() {
		full = 1
	}
	s.put("liveward_journal_full", full)
	s.put("liveward_journal_expired_messages_total", float64(a.expired.Load()))
	behind, err := a.readers(ctx)
	if err != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(behind)) {
		s.put("liveward_reader_behind_messages", float64(behind[name]), name)
	}
}

func (s *scrape) forwarders() {
	for _, d := range s.agent.deliveries {
		name, st := d.Name(), d.Stats()
		state := st.Health.State
		if state == "" {
			state = forwarders.Healthy // nothing was sent yet
		}
		s.state("liveward_forwarder_state", name, string(state), string(forwarders.Healthy), string(forwarders.Retrying), string(forwarders.Stuck))
		s.puts("liveward_forwarder_", []count{
			{"stored_total", int64(st.Stored)},
			{"retried_total", int64(st.Retried)},
			{"rejected_total", int64(st.Rejected)},
			{"requests_total", int64(st.Attempts)},
			{"failures_total", int64(st.Failures)},
		}, name)
	}
}

func (s *scrape) alerting(ctx context.Context) {
	if open, err := s.agent.OpenIncidents(ctx); err == nil {
		s.put("liveward_incidents_open", float64(open))
	}
	now := s.agent.now()
	if silences, err := s.agent.manager.Silences(ctx); err == nil {
		active := 0
		for i := range silences {
			if silences[i].Active(now.UnixNano()) {
				active++
			}
		}
		s.put("liveward_silences", float64(active))
	}
	st := s.agent.manager.Stats(now)
	s.puts("liveward_incidents_", []count{{"opened_total", st.Opened}, {"resolved_total", st.Resolved}, {"alerts_total", st.Alerts}})
	for _, name := range slices.Sorted(maps.Keys(st.Notifier)) {
		n := st.Notifier[name]
		s.puts("liveward_notifications_", []count{{"delivered_total", n.Delivered}, {"failed_total", n.Failed}, {"pending", int64(n.Pending)}, {"silenced", int64(n.Silenced)}}, name)
	}
}
