package pipeline_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
)

// errorLine is a line of nginx's error log, which names no zone, at a time of day of 2026-10-25, when
// clocks in Berlin go back from 03:00 to 02:00.
func errorLine(clock, ip string) string {
	return fmt.Sprintf(`2026/10/25 %s [error] 912#912: *7 limiting requests, excess: 5.2 by zone "api", client: %s, server: gw, request: "POST /v1/liveness/check HTTP/1.1", host: "gw"`, clock, ip)
}

// after is a moment when all these lines have been read long ago.
var after = time.Date(2026, 10, 25, 6, 0, 0, 0, time.UTC)

// times processes lines of these times of day and tells what came out: UTC, with ? where that was
// ambiguous and ! where it was late.
func times(p *pipeline.Processor, pos *event.Position, ingest int64, clocks string) string {
	var got []string
	var signals event.SignalBuffer
	for c := range strings.FieldsSeq(clocks) {
		line := event.Line{Offset: pos.End, Data: []byte(errorLine(c, "203.0.113.7"))}
		pos.End += int64(len(line.Data)) + 1
		ev := p.Process(&line, pos, ingest, &signals).Event
		s := time.Unix(0, ev.Time(event.Timestamp)).UTC().Format(time.TimeOnly)
		if ev.Bool(event.LivewardAmbiguous) {
			s += "?"
		}
		if ev.Bool(event.LivewardLate) {
			s += "!"
		}
		got = append(got, s)
	}
	return strings.Join(got, " ")
}

// The hour that comes twice, as the lines of one log tell of it.
func TestHourThatComesTwice(t *testing.T) {
	b := newBenchOf(t, nil, "nginx_error", "Europe/Berlin")
	for _, c := range []struct {
		name          string
		lateness      time.Duration
		ingest        time.Time
		local, wanted string
	}{
		{
			name:   "both passes, from before to after",
			local:  "01:59:59 02:00:00 02:30:00 02:59:59 02:00:00 02:30:00 02:59:59 03:00:00",
			wanted: "23:59:59 00:00:00? 00:30:00? 00:59:59? 01:00:00? 01:30:00? 01:59:59? 02:00:00",
		},
		{
			name:   "one line a pass, the second at an earlier minute",
			local:  "02:30:00 02:10:00 03:10:00",
			wanted: "00:30:00? 01:10:00? 02:10:00",
		},
		{
			name:   "the same second again is one second of one pass: nothing steps back",
			local:  "02:30:00 02:30:00 02:30:00",
			wanted: "00:30:00? 00:30:00? 00:30:00?",
		},
		{
			name:   "a log that begins in that hour is in its first pass",
			local:  "02:30:00 02:31:00",
			wanted: "00:30:00? 00:31:00?",
		},
		{
			name:   "disorder of seconds in the first pass",
			local:  "02:30:00 02:29:50 02:30:01 02:29:01 02:30:02",
			wanted: "00:30:00? 00:29:50?! 00:30:01? 00:29:01?! 00:30:02?",
		},
		{
			name:     "disorder within a lateness of five minutes",
			lateness: 5 * time.Minute,
			local:    "02:30:00 02:25:00 02:30:01 02:25:00 02:30:02",
			wanted:   "00:30:00? 00:25:00? 00:30:01? 01:25:00? 01:30:02?",
		},
		{
			name:     "a lateness longer than the hour",
			lateness: 2 * time.Hour,
			local:    "02:59:59 02:31:00 02:00:00 02:20:00",
			wanted:   "00:59:59? 00:31:00? 01:00:00? 01:20:00?",
		},
		{
			name:   "stragglers of the first pass and of the second",
			local:  "02:59:58 02:00:01 02:59:59 02:00:03 02:59:59 03:00:01 02:59:57",
			wanted: "00:59:58? 01:00:01? 00:59:59? 01:00:03? 00:59:59? 02:00:01 01:59:57?",
		},
		{
			name:   "in the second pass, however late",
			local:  "02:59:59 02:30:00 02:00:00 02:31:00",
			wanted: "00:59:59? 01:30:00? 01:00:00?! 01:31:00?",
		},
		{
			name:   "read while the first pass lasts, there is no second one yet",
			ingest: time.Date(2026, 10, 25, 0, 40, 0, 0, time.UTC),
			local:  "02:39:00 02:20:00 02:40:00",
			wanted: "00:39:00? 00:20:00?! 00:40:00?",
		},
	} {
		if c.ingest.IsZero() {
			c.ingest = after
		}
		p := b.processor()
		if c.lateness != 0 {
			p.Lateness = c.lateness
		}
		pos := event.Position{Source: "gw", Path: "/e", Ordinal: 1}
		if got := times(p, &pos, c.ingest.UnixNano(), c.local); got != c.wanted {
			t.Errorf("%s:\n%s is\n%s, want\n%s", c.name, c.local, got, c.wanted)
		}
	}
}

// What tells the passes apart is stored with the position: a restart and a rotation, wherever they come,
// change no time.
func TestHourThatComesTwiceOverRestarts(t *testing.T) {
	b := newBenchOf(t, nil, "nginx_error", "Europe/Berlin")
	local := strings.Fields("01:59:59 02:10:00 02:10:00 02:59:59 02:00:00 02:10:00 02:59:59 03:00:00")
	pos := event.Position{Source: "gw", Path: "/e", Ordinal: 1}
	want := times(b.processor(), &pos, after.UnixNano(), strings.Join(local, " "))
	for cut := range local {
		pos := event.Position{Source: "gw", Path: "/e", Ordinal: 1}
		first := times(b.processor(), &pos, after.UnixNano(), strings.Join(local[:cut], " "))
		p := b.processor()
		p.Resume(pos)
		rotated := event.Position{Source: "gw", Path: "/e", Ordinal: 2}
		got := strings.TrimSpace(first + " " + times(p, &rotated, after.UnixNano(), strings.Join(local[cut:], " ")))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cut before line %d (-whole +cut):\n%s", cut+1, diff)
		}
	}
}

// twice is a log of both passes, a line a minute in disorder of some seconds, and a burst in each pass.
func twice() *log {
	l := &log{path: "/e"}
	add := func(clock, ip string) { l.text = append(append(l.text, errorLine(clock, ip)...), '\n') }
	add("01:58:00", "203.0.113.1")
	for pass := range 2 {
		for m := range 60 {
			add(fmt.Sprintf("02:%02d:07", m), "203.0.113.2")
			add(fmt.Sprintf("02:%02d:04", m), "203.0.113.3")
			for s := range 5 {
				if m == 30+pass {
					add(fmt.Sprintf("02:%02d:%02d", m, 10+s), "203.0.113.7")
				}
			}
		}
	}
	add("03:00:00", "203.0.113.1")
	return l
}

// An agent that is killed again and again in the hour that comes twice has the documents and the alerts of
// one replay.
func TestHourThatComesTwiceInTheAgent(t *testing.T) {
	set := ruleset(t, strings.ReplaceAll(burst(5, "30s", "1m", "{count} of {client.ip}"), `gateway.auth == "refused"`, "has(client.ip)"))
	l := twice()
	b := newBenchOf(t, set, "nginx_error", "Europe/Berlin")
	b.clock.Store(after.UnixNano())
	for kills := 0; ; kills++ {
		b.open("one")
		r := b.reader("one", l)
		b.begin(r)
		for range 4 {
			r.mustPut(r.batch(0))
		}
		if r.atEnd() {
			b.finish(r)
			if kills < 4 {
				t.Errorf("the agent was killed %d times only", kills)
			}
			break
		}
		r.close()
		b.crash()
	}
	want := b.wanted(set, l)
	if len(want) != 2 || !strings.Contains(want[0]+want[1], "2026-10-25T00:30:14.000Z") || !strings.Contains(want[0]+want[1], "2026-10-25T01:31:14.000Z") {
		t.Fatalf("alerts of the replay, want one a pass: %s", want)
	}
	check(t, b, want)

	replayed, got := b.replayed(l), b.documents()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(replayed)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Fatalf("ids of the documents of replay (-) and agent (+):\n%s", diff)
	}
	for id, doc := range got {
		if at := stamp(doc); at != stamp(replayed[id]) {
			t.Errorf("document %s is of %s, in the replay of %s", id, at, stamp(replayed[id]))
		}
	}
}

// replayed are the documents of a replay of a log, by id.
func (b *bench) replayed(l *log) map[string]string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "0.log")
	if err := os.WriteFile(path, l.text, 0o600); err != nil {
		b.t.Fatal(err)
	}
	out := map[string]string{}
	r := *b.replay
	r.Document = func(p pipeline.Processed) error { out[p.ID.String()] = string(p.Doc); return nil }
	if _, err := r.Run(b.t.Context(), []string{path}); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// stamp is what a document says of its time.
func stamp(doc string) string {
	_, rest, _ := strings.Cut(doc, `"@timestamp":"`)
	at, _, _ := strings.Cut(rest, `"`)
	if strings.Contains(doc, `"ambiguous":true`) {
		at += "?"
	}
	return at
}

// Other times of a line that names no zone are the later of their two instants, unless that lies after the
// event; a line of another time of day has them as well.
func TestHourThatComesTwiceInOtherFields(t *testing.T) {
	p := newBenchOf(t, nil, "liveward_v1", "Europe/Berlin").processor()
	pos := event.Position{Source: "gw", Path: "/v1", Ordinal: 1}
	for _, c := range []struct{ at, granted, wanted string }{
		{"2026-10-25 02:30:00", "2026-10-25 02:20:00", "00:20:00"},
		{"2026-10-25 02:10:00", "2026-10-25 02:05:00", "01:05:00"}, // the second pass
		{"2026-10-25 02:11:00", "2026-10-25 02:20:00", "00:20:00"}, // given in the first one
		{"2026-10-25 03:01:00", "2026-10-25 02:59:00", "01:59:00"},
		{"2026-10-25T02:01:00Z", "2026-10-25 02:59:00", "01:59:00"}, // a zone here, and none there
		{"2026-10-25 03:02:00", "2026-10-25 02:59:00Z", "02:59:00"},
	} {
		line := event.Line{Offset: pos.End, Data: fmt.Appendf(nil, `{"ts":%q,"status":200,"client_ip":"203.0.113.7","consent_granted_at":%q}`, c.at, c.granted)}
		pos.End += int64(len(line.Data)) + 1
		var signals event.SignalBuffer
		ev := p.Process(&line, &pos, after.UnixNano(), &signals).Event
		if got := time.Unix(0, ev.Time(event.ConsentGrantedAt)).UTC().Format(time.TimeOnly); got != c.wanted {
			t.Errorf("granted at %s, in a line of %s: %s UTC, want %s", c.granted, c.at, got, c.wanted)
		}
	}
}
