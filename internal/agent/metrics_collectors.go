package agent

import (
	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/collectors/journald"
	"github.com/liveward/liveward/collectors/nats"
	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/collectors/s3"
	"github.com/liveward/liveward/collectors/syslog"
)

// sample is a collector's count under the metric it belongs to: what collectors of different kinds
// count alike has one name.
type sample struct {
	name  string // behind liveward_input_
	label string // value of the metric's second label; empty where it has none
	value int64
}

// LabelValue says what a value of a second label means.
type LabelValue struct{ Metric, Value, Help string }

// LabelValues are the values that second labels have where collectors count.
func LabelValues() []LabelValue {
	const lost, away, faults, files = "liveward_input_lost_total", "liveward_input_turned_away_total", "liveward_input_faults_total", "liveward_input_files"
	return []LabelValue{
		{lost, "bytes", "of files that were gone before they could be read"},
		{lost, "messages", "of syslog or of a core subject, while the journal took none"},
		{away, "journal", "messages of a stream, given back while the journal took none"},
		{away, "denied", "requests with no credential or a wrong one, or a signature that is too old or was used before; objects that may not be read"},
		{away, "refused", "requests that were answered 4xx for another reason"},
		{away, "busy", "requests that were answered 503"},
		{away, "no_line", "records that make no line"},
		{away, "forbidden", "connections and datagrams of peers that are not allowed"},
		{away, "crowded", "connections beyond the limit"},
		{away, "handshake", "TLS handshakes that failed"},
		{away, "broken", "streams without a length where one was due; objects whose compression is broken"},
		{away, "slow", "streams on which the rest of a message did not come"},
		{away, "empty", "messages that are nothing but a header"},
		{away, "poison", "notifications that are none, or name a bucket that may not be read"},
		{away, "gone", "objects that are not there any more"},
		{away, "too_large", "objects with more bytes than max_object"},
		{faults, "truncation", "files that were cut to a shorter length"},
		{faults, "stray_bytes", "bytes that came to a rotated file after it was taken to be finished"},
		{faults, "missing_file", "files that were not found again, or not whole"},
		{faults, "read", "failed attempts to look at or read a file"},
		{faults, "vacuumed", "times the entry that was read last was gone from systemd's journal"},
		{faults, "restart", "times journalctl ended by itself"},
		{faults, "interrupted", "times a NATS server did not answer"},
		{faults, "request", "requests to a queue or a store that failed"},
		{faults, "out_of_time", "notifications whose time ran out while they were worked on"},
		{faults, "resumed", "answers that broke off and were asked for again"},
		{faults, "no_header", "messages without a header that is known; they are handed on as they are"},
		{files, "tailed", "that are followed"},
		{files, "open", "file descriptors"},
		{files, "untailed", "that are not followed, because there are too many"},
	}
}

// collector puts what an input's collector counts. Its counts begin with it, and it begins anew when
// it was fenced or has failed.
func (s *scrape) collector(input string) {
	c, ok := s.agent.collectors.Load(input)
	if !ok {
		return
	}
	for _, n := range samples(c.(collectors.Collector)) {
		if n.label == "" {
			s.put("liveward_input_"+n.name, float64(n.value), input)
		} else {
			s.put("liveward_input_"+n.name, float64(n.value), input, n.label)
		}
	}
}

// samples are a collector's counts, but for lines, batches and what they came in: those are counted
// where they are journaled. Standard input counts nothing else.
func samples(c collectors.Collector) []sample {
	switch c := c.(type) {
	case *file.Collector:
		return fileSamples(c.Stats())
	case *journald.Collector:
		return journaldSamples(c.Stats())
	case *nats.Collector:
		return natsSamples(c.Stats())
	case *push.Collector: // otlp and webhook too
		return pushSamples(c.Stats())
	case *s3.Collector:
		return s3Samples(c.Stats())
	case *syslog.Collector:
		return syslogSamples(c.Stats())
	}
	return nil
}

func fileSamples(s file.Stats) []sample {
	return []sample{
		{"pushbacks_total", "", s.Pushbacks},
		{"lost_total", "bytes", s.Lost},
		{"cut_total", "", s.Oversize},
		{"rotations_total", "", s.Rotations},
		{"faults_total", "truncation", s.Truncations},
		{"faults_total", "stray_bytes", s.Strays},
		{"faults_total", "missing_file", s.Missing},
		{"faults_total", "read", s.Errors},
		{"files", "tailed", int64(s.Files)},
		{"files", "open", int64(s.Open)},
		{"files", "untailed", s.Refused},
		{"lag_bytes", "", s.Lag},
	}
}

func journaldSamples(s journald.Stats) []sample {
	return []sample{
		{"pushbacks_total", "", s.Pushbacks},
		{"cut_total", "", s.Oversize},
		{"faults_total", "vacuumed", s.Vacuumed},
		{"faults_total", "restart", s.Restarts},
	}
}

func natsSamples(s nats.Stats) []sample {
	return []sample{
		{"pushbacks_total", "", s.Pushbacks},
		{"lost_total", "messages", s.Lost}, // Dropped are among them
		{"turned_away_total", "journal", s.Returned},
		{"repeated_total", "", s.Redelivered},
		{"faults_total", "interrupted", s.Interrupted},
	}
}

func pushSamples(s push.Stats) []sample {
	return []sample{
		{"pushbacks_total", "", s.Pushbacks},
		{"turned_away_total", "denied", s.Denied},
		{"turned_away_total", "refused", s.Refused},
		{"turned_away_total", "busy", s.Busy},
		{"turned_away_total", "no_line", s.Rejected},
		{"turned_away_total", "forbidden", s.Forbidden},
		{"turned_away_total", "crowded", s.Crowded},
		{"repeated_total", "", s.Repeated},
	}
}

func s3Samples(s s3.Stats) []sample {
	return []sample{
		{"pushbacks_total", "", s.Pushbacks},
		{"turned_away_total", "poison", s.Poison},
		{"turned_away_total", "gone", s.Gone},
		{"turned_away_total", "denied", s.Denied},
		{"turned_away_total", "broken", s.Broken},
		{"turned_away_total", "too_large", s.TooLarge},
		{"repeated_total", "", s.Redelivered},
		{"faults_total", "request", s.Failed},
		{"faults_total", "out_of_time", s.Lost},
		{"faults_total", "resumed", s.Resumed},
	}
}

func syslogSamples(s syslog.Stats) []sample {
	return []sample{
		{"pushbacks_total", "", s.Pushbacks},
		{"lost_total", "messages", s.Lost},
		{"cut_total", "", s.Oversize},
		{"turned_away_total", "forbidden", s.Forbidden},
		{"turned_away_total", "crowded", s.Crowded},
		{"turned_away_total", "handshake", s.Handshakes},
		{"turned_away_total", "broken", s.Broken},
		{"turned_away_total", "slow", s.Slow},
		{"turned_away_total", "empty", s.Empty},
		{"faults_total", "no_header", s.Headerless},
	}
}
