package join

import (
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// Source is liveward.source of derived events.
const Source = "join"

// decode reads a document that was read before.
func decode(ev *event.Event, doc []byte) {
	ev.Reset()
	_ = ev.DecodeJSON(doc)
}

// derive makes ev a derived event. What says where a line was read is taken out: it is of no line.
func derive(ev *event.Event, kind, status string, at int64) {
	for _, id := range [...]event.ID{
		event.EventCreated, event.LivewardOffset, event.LogFilePath, event.LivewardAmbiguous, event.LivewardLate, event.LivewardSkewed,
		event.LivewardPrivacyDropped, event.LivewardPrivacyCount, event.LivewardMappingGap,
	} {
		ev.Clear(id)
	}
	if kind == "outcome" {
		ev.SetString(event.EventAction, "liveness-check")
	}
	ev.SetTime(event.Timestamp, at)
	ev.SetString(event.EventProvider, Source)
	ev.SetString(event.LivewardSource, Source)
	ev.SetString(event.LivewardJoinKind, kind)
	ev.SetString(event.LivewardJoinStatus, status)
}

// overlay adds to ev what another event says of the same check: its verdict in the place of ev's, what
// says whose check it was only where ev does not say it.
func overlay(ev, other *event.Event) {
	other.Present(func(id event.ID) {
		switch group, _, _ := strings.Cut(id.String(), "."); group {
		case "liveness":
			keep(ev, other, id)
		case "consent", "user", "device", "app", "data":
			if !ev.Has(id) {
				keep(ev, other, id)
			}
		}
	})
}

// keep copies a field, and its text.
func keep(ev, from *event.Event, id event.ID) {
	switch event.FieldOf(id).Type {
	case event.Keywords:
		ev.Clear(id)
		for _, s := range from.List(id) {
			ev.Append(id, ev.Keep(event.Bytes(s)))
		}
	case event.Keyword, event.Text, event.IP:
		ev.SetString(id, ev.Keep(event.Bytes(from.Str(id))))
	default:
		set(ev, from, id)
	}
}

// set copies a field; its text stays where it is.
func set(ev, from *event.Event, id event.ID) {
	switch event.FieldOf(id).Type {
	case event.Keywords:
		ev.Clear(id)
		for _, s := range from.List(id) {
			ev.Append(id, s)
		}
	case event.Long:
		ev.SetInt(id, from.Int(id))
	case event.Date:
		ev.SetTime(id, from.Time(id))
	case event.Double:
		ev.SetFloat(id, from.Float(id))
	case event.Bool:
		ev.SetBool(id, from.Bool(id))
	default:
		ev.SetString(id, from.Str(id))
	}
}
