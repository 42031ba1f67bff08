package rules

import "github.com/liveward/liveward/internal/event"

// take puts the signals of a step into the reorder buffer.
func (w *Windows) take(step *Step, rebuild bool) {
	if !rebuild {
		w.mark.tick(step.Agent, step.Ingest)
	}
	w.tails = w.tails[:0]
	for i := range step.Positions {
		w.tails = append(w.tails, w.mark.tail(step.Agent, &step.Positions[i]))
	}
	w.takeSignals(step, rebuild)
}

// takeSignals takes the signals of a step, some at a time: their ids are looked for together, so that the
// waits for memory overlap.
func (w *Windows) takeSignals(step *Step, rebuild bool) {
	var ids [32]seenID
	for from := 0; from < len(step.Signals); from += len(ids) {
		some := step.Signals[from:min(from+len(ids), len(step.Signals))]
		for i := range some {
			ids[i] = w.seen.id(&some[i])
		}
		w.seen.touch(ids[:len(some)])
		for i := range some {
			w.takeSignal(step, &some[i], &ids[i], rebuild)
		}
	}
}

// derive takes the signals of derived events, by the watermark as it was before the step.
func (w *Windows) derive(step Step, passed int64) {
	now := w.mark.now
	w.mark.now = passed
	w.tails = w.tails[:0]
	for i := range step.Positions {
		t := w.mark.tail(step.Agent, &step.Positions[i])
		w.mark.observe(t, &step.Positions[i])
		w.tails = append(w.tails, t)
	}
	w.takeSignals(&step, false)
	w.mark.now = max(now, w.mark.now)
}

func (w *Windows) takeSignal(step *Step, sig *event.Signal, id *seenID, rebuild bool) {
	rs := w.lookup.find(&sig.State)
	switch {
	case rs == nil:
		w.stats.Unknown++
		return
	case rebuild && !rs.fresh:
		return
	case sig.File < 0 || sig.File >= len(step.Positions),
		!knownFields(sig.Key) || !knownFields(sig.Of) || !knownFields(sig.Show) || !knownFields(sig.Former):
		w.stats.Malformed++
		return
	case len(sig.Key) < len(rs.rule.By), rs.rule.tuple() && len(sig.Of) < len(rs.rule.Of):
		rs.stats.NoKey++
		return
	}
	seen := &w.seen
	if rebuild && sig.Time < w.mark.now {
		seen = &w.past // what is behind is not sent again, and would push out what may be
	}
	if !seen.addID(id, max(sig.Time, w.mark.now)) {
		w.stats.Duplicates++
		return
	}
	if sig.Skewed && !rebuild {
		w.stats.Skewed++
	}
	if !rebuild {
		rs.stats.Matches++
	}
	// Room is made first: it moves the watermark, and the signal may be behind it then.
	for w.buffer.len() >= w.cfg.MaxPending || w.buffer.bytes > int64(w.cfg.MaxPending)*512 {
		w.stats.Forced++
		w.force()
	}
	behind := sig.Time < w.mark.now
	late := sig.Late || behind && !rebuild
	if late && !rebuild {
		if sig.Late {
			w.stats.Late++
		} else {
			w.stats.Behind++
			w.missed.note(w.tails[sig.File], step.Positions[sig.File].Ordinal, sig)
		}
	}
	if late && rs.rule.Kind != Each {
		rs.stats.Skipped++
	}
	if late && (rebuild || rs.rule.Kind != Each && rs.rule.Kind != Absence) {
		return
	}
	pos := &step.Positions[sig.File]
	p := w.buffer.blank()
	p.state, p.tail = rs, w.tails[sig.File]
	p.time, p.ordinal, p.offset, p.index = sig.Time, pos.Ordinal, sig.Offset, sig.Index
	p.step, p.drill, p.late, p.silent = sig.Step, sig.Drill, late, rebuild && behind
	p.event = sig.Event
	p.key = w.hashes.of(&sig.State, sig.Key)
	p.value = w.valueOf(rs, &p.key, sig)
	if len(sig.Former) > 0 {
		p.former = w.formerOf(p.former, rs, sig)
	}
	rs.keepValues(p, sig)
	w.buffer.push(p)
	if rs.early != nil && !late {
		w.arrive(rs, p, rebuild)
	}
}

// valueOf is what distinguishes events of one key: the values of the rule's of, or else of its once.
// An event without a value of once counts on its own.
func (w *Windows) valueOf(rs *ruleState, key *event.Hash, sig *event.Signal) event.Hash {
	n := len(rs.rule.Of)
	switch rs.rule.Kind {
	case Distinct:
		return w.hashes.of(&rs.rule.State, sig.Of[:n])
	case FirstSeen:
		return w.hashes.of(key, sig.Of[:n]) // of the key's own
	}
	if len(rs.rule.Once) == 0 || len(sig.Of) < n+len(rs.rule.Once) {
		return sig.Event
	}
	return w.hashes.of(&rs.rule.State, sig.Of[n:n+len(rs.rule.Once)])
}

// keepValues keeps what the alert may tell of an event: its key, and what is to be shown beside it.
func (rs *ruleState) keepValues(p *pending, sig *event.Signal) {
	for i := range sig.Key {
		p.data = appendKeyValue(p.data, &sig.Key[i])
	}
	p.keyLen = len(p.data)
	if !rs.rule.shows(sig.Step) {
		return
	}
	if rs.rule.Kind == FirstSeen {
		// What was seen is in the alert whether or not it is to be shown.
		for i := range sig.Of[:len(rs.rule.Of)] {
			p.data = appendKeyValue(p.data, &sig.Of[i])
		}
	}
	for i := range sig.Show[:min(len(sig.Show), event.MaxShow)] {
		if v := &sig.Show[i]; rs.shown[v.Field] {
			p.data = appendShownValue(p.data, v)
		}
	}
}
