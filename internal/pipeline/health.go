package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/rules"
)

const (
	// HealthCollector is the name under which the agent itself writes events; no input may have it.
	HealthCollector = "liveward"
	// HealthDataset is the dataset of these events.
	HealthDataset = "liveward.health"

	healthPrefix = "liveward.health."
)

// Health writes how the agent is into the journal, as one more writer with a subject of its own. What
// it writes is matched, windowed, stored and alerted on like any other event.
//
// It has no say in event time: its only source is done as soon as it is named, so that no watermark
// waits for it. Rules about it are per event, which late events cannot escape.
type Health struct {
	agent  string
	who    Identity
	j      *journal.Journal
	rules  *Rulesets
	writer *journal.Writer
	codec  *journal.Codec

	set     event.Hash // rule set the matcher is of
	matcher *rematcher
	signals event.SignalBuffer
	ev      event.Event
	doc     []byte
	docs    []byte
	body    []byte
}

// NewHealth opens the subject of an agent's health.
func NewHealth(ctx context.Context, j *journal.Journal, agent string, sets *Rulesets, who Identity) (*Health, error) {
	h := &Health{agent: agent, who: who, j: j, rules: sets}
	var err error
	if h.writer, err = j.Writer(ctx, journal.Events, journal.BatchSubject(agent, HealthCollector)); err != nil {
		return nil, err
	}
	if h.codec, err = journal.NewCodec(); err != nil {
		return nil, err
	}
	return h, nil
}

// Close frees what the writer holds; the journal stays open.
func (h *Health) Close() { h.codec.Close() }

// Append journals one event for each report, all of a time in nanoseconds. A report sets the fields
// that are its own.
func (h *Health) Append(ctx context.Context, now int64, reports []func(*event.Event)) error {
	if len(reports) == 0 {
		return nil
	}
	set, hash := h.rules.Current()
	if h.matcher == nil || h.set != hash {
		h.set, h.matcher = hash, newRematcher(set)
	}
	h.signals.Reset()
	h.docs = h.docs[:0]
	head := journal.BatchHead{
		Agent: h.agent, Collector: HealthCollector, Ruleset: hash, Ingest: now,
		Positions: []event.Position{{Source: HealthCollector, Path: "-", Ordinal: 1, End: int64(len(reports)), Done: true}},
	}
	for i, report := range reports {
		id := h.event(now, i, report)
		h.doc = h.ev.AppendJSON(h.doc[:0])
		h.matcher.match(&h.ev, rules.Origin{Event: id, Offset: int64(i), Ingest: now}, &h.signals)
		h.docs = journal.AppendDoc(h.docs, id, HealthDataset, h.ev.Str(event.OrganizationID), h.doc)
		head.AddDocument(0)
	}
	var err error
	if h.body, err = h.codec.Append(h.body[:0], &journal.Batch{BatchHead: head, Signals: h.signals.Signals, Docs: h.docs}); err != nil {
		return err
	}
	if _, err := h.writer.Append(ctx, journal.Cause{}, h.body); err != nil {
		return fmt.Errorf("journal health: %w", err)
	}
	return nil
}

// event makes the event of the i-th report.
func (h *Health) event(now int64, i int, report func(*event.Event)) event.Hash {
	ev := &h.ev
	ev.Reset()
	report(ev)
	var at [12]byte
	binary.BigEndian.PutUint64(at[:], uint64(now))
	binary.BigEndian.PutUint32(at[8:], uint32(i))
	id := event.HashOf([]byte(h.agent), []byte(HealthDataset), at[:])
	ev.SetTime(event.Timestamp, now)
	ev.SetTime(event.EventCreated, now)
	ev.SetString(event.EventID, id.String())
	ev.SetString(event.EventDataset, HealthDataset)
	ev.SetString(event.EventKind, "metric")
	ev.SetString(event.EventModule, "liveward")
	ev.SetString(event.ECSVersion, event.ECSVersionValue)
	ev.SetInt(event.LivewardOffset, int64(i))
	ev.SetString(event.AgentID, h.who.Agent)
	ev.SetString(event.AgentVersion, h.who.Version)
	ev.SetString(event.HostName, h.who.Host)
	return id
}

// IsHealthField tells whether only events of the agent's health have a field.
func IsHealthField(id event.ID) bool { return strings.HasPrefix(id.String(), healthPrefix) }

// rematcher matches events as they stand in the journal: those about the agent's health with the rules
// that need a field of it, joined ones with the rules that need a field which only they have, all others
// with all rules. A rule about calls that lack something would otherwise find that the agent's own events
// lack it, and a rule that counts verdicts would count those of joined events twice.
type rematcher struct{ events, health, joined *rules.Matcher }

func newRematcher(set *rules.Set) *rematcher {
	return &rematcher{events: set.NewMatcher(), health: matcherAbout(set, IsHealthField), joined: matcherAbout(set, IsJoinField)}
}

// anyAbout tells whether a rule needs one of some fields.
func anyAbout(set *rules.Set, field func(event.ID) bool) bool {
	return slices.ContainsFunc(set.Rules(), func(r *rules.Rule) bool { return slices.ContainsFunc(r.Needs(), field) })
}

// matcherAbout matches with the rules alone that need one of some fields.
func matcherAbout(set *rules.Set, field func(event.ID) bool) *rules.Matcher {
	var about []*rules.Rule
	for _, r := range set.Rules() {
		if slices.ContainsFunc(r.Needs(), field) {
			about = append(about, r)
		}
	}
	return rules.NewSet(about...).NewMatcher()
}

func (m *rematcher) match(ev *event.Event, o rules.Origin, buf *event.SignalBuffer) {
	switch {
	case ev.Str(event.EventDataset) == HealthDataset:
		m.health.Match(ev, o, buf)
	case ev.Has(event.LivewardJoinKind):
		m.joined.Match(ev, o, buf)
	default:
		m.events.Match(ev, o, buf)
	}
}
