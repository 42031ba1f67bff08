package pipeline

import (
	"slices"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/event"
)

// Ids stand in stored documents: another way to make them would store every line once more.
func TestIDs(t *testing.T) {
	line := event.Line{Data: []byte(`{"ts":"2026-03-02T09:04:42+07:00"}`), Offset: 512}
	pos := event.Position{Source: "gw", Path: "/var/log/a.log", Fingerprint: event.HashStrings("first line")}
	var h ids
	id := h.of(&line, &pos)
	if got, want := id.String(), "iopzvgdzeydh7dpuiwlzsb4foq"; got != want {
		t.Errorf("id %s, want %s", got, want)
	}
	seen := map[event.Hash]string{id: "the line itself"}
	for name, change := range map[string]func(*event.Line, *event.Position){
		"source":      func(_ *event.Line, p *event.Position) { p.Source = "gx" },
		"fingerprint": func(_ *event.Line, p *event.Position) { p.Fingerprint = event.HashStrings("another") },
		"offset":      func(l *event.Line, _ *event.Position) { l.Offset++ },
		"line":        func(l *event.Line, _ *event.Position) { l.Data = append(slices.Clip(l.Data), ' ') },
		"long line":   func(l *event.Line, _ *event.Position) { l.Data = []byte(strings.Repeat("x", 5000)) },
		"no line":     func(l *event.Line, _ *event.Position) { l.Data = nil },
	} {
		l, p := line, pos
		change(&l, &p)
		got := h.of(&l, &p)
		if other, ok := seen[got]; ok {
			t.Errorf("%s: the id is that of %s", name, other)
		}
		seen[got] = name
	}
	rotated := pos
	rotated.Path = "/var/log/a.log.1"
	if got := h.of(&line, &rotated); got != id {
		t.Errorf("rotated: id %v, want %v", got, id)
	}
}

func BenchmarkIDs(b *testing.B) {
	line := event.Line{Data: []byte(strings.Repeat("x", 1200))}
	pos := event.Position{Source: "gw", Fingerprint: event.HashStrings("first line")}
	var h ids
	b.ReportAllocs()
	b.SetBytes(int64(len(line.Data)))
	for b.Loop() {
		line.Offset++
		h.of(&line, &pos)
	}
}
