package formats

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/liveward/liveward/internal/event"
)

// parseSlowly is Parse without plans: each operation that a slot of the line could set off is run.
func (f *mapFormat) parseSlowly(line []byte, ev *event.Event) error {
	if err := f.scan.scan(line, f.prog.root); err != nil {
		return err
	}
	set := func(slot int) bool { return f.scan.get(slot).kind != kindNone }
	for i := range f.prog.ops {
		o := &f.prog.ops[i]
		run := len(o.from)+len(o.when) == 0 || slices.ContainsFunc(o.from, set)
		for _, c := range o.when {
			run = run || len(o.from) == 0 && set(c.slot)
		}
		if run {
			f.run(o, ev)
		}
	}
	if !ev.Has(event.Timestamp) {
		return errNoTime
	}
	finish(ev, f.prog.name, f.prog.product)
	f.scan.found.note(ev)
	return nil
}

// newPlain returns a format that learns nothing.
func newPlain(p *program) *mapFormat {
	f := newMapFormat(p, nil)
	f.scan = forgetful(p.slots)
	return f
}

// sameSlowly holds a format that has learned against one that has not and makes no plans.
func sameSlowly(t *testing.T, f, plain *mapFormat, line []byte) {
	t.Helper()
	got, want := newEvent(), newEvent()
	if err, slow := f.Parse(line, got), plain.parseSlowly(line, want); !errors.Is(err, slow) {
		t.Fatalf("%s, line %q: %v, slowly %v", f.prog.name, line, err, slow)
	} else if err != nil {
		return
	}
	if a, b := allOf(got), allOf(want); !bytes.Equal(a, b) {
		t.Fatalf("%s, line %q:\ngot    %s\nslowly %s", f.prog.name, line, a, b)
	}
}

// allOf is an event with its fields that are never in a document.
func allOf(ev *event.Event) []byte {
	out := ev.AppendJSON(nil)
	ev.Present(func(id event.ID) {
		out = append(append(append(append(append(out, '\n'), id.String()...), '='), ev.Str(id)...), event.FormatTime(ev.Time(id))...)
	})
	return out
}

func TestPlans(t *testing.T) {
	s := load(t)
	lines := goldenLines(t)
	for _, name := range []string{"nginx_json", "liveward_v1", "kong_json"} {
		lines = append(lines, generated(t, name, 60)...)
	}
	for i, line := range slices.Clip(lines) {
		// The values that say nothing, where others stand.
		for _, nothing := range []string{`""`, `"-"`, `"\u002d"`, `null`, `{}`, `[]`, `[""]`, `"é"`, `0`, `"9"`} {
			if parts := bytes.Split(line, []byte(`":`)); len(parts) > 1 {
				at := 1 + (i*7+len(nothing))%(len(parts)-1)
				if end := bytes.IndexByte(parts[at], ','); end > 0 {
					parts = slices.Clone(parts)
					parts[at] = append([]byte(nothing), parts[at][end:]...)
					lines = append(lines, bytes.Join(parts, []byte(`":`)))
				}
			}
		}
	}
	for _, name := range s.names {
		f, isMap := s.make(name, Options{}).(*mapFormat)
		if !isMap {
			continue
		}
		plain := newPlain(f.prog)
		for _, line := range lines {
			sameSlowly(t, f, plain, line)
		}
	}
}

// FuzzPlans: what was found out for one line changes nothing in what becomes of another.
func FuzzPlans(f *testing.F) {
	lines := goldenLines(f)
	for i, line := range lines {
		f.Add(line, lines[(i+1)%len(lines)])
	}
	s := load(f)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, name := range []string{"nginx_json", "liveward_v1", "kong_json"} {
			format := newMapFormat(s.programs[name], nil)
			_ = format.Parse(a, newEvent())
			sameSlowly(t, format, newPlain(format.prog), b)
		}
	})
}

// TestPlansAreKept: lines of one log are of few kinds.
func TestPlansAreKept(t *testing.T) {
	for _, name := range []string{"nginx_json", "liveward_v1", "kong_json"} {
		f := newFormat(t, name).(*mapFormat)
		lines := generated(t, name, 2000)
		for _, line := range lines {
			if err := f.Parse(line, newEvent()); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%s: %d plans", name, f.plans.made)
		if f.plans.made == 0 || f.plans.made > len(lines)/10 {
			t.Errorf("%s: %d plans for %d lines", name, f.plans.made, len(lines))
		}
	}
}
