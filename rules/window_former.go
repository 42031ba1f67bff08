package rules

import "github.com/liveward/liveward/internal/event"

// former is what windows knew a signal by while the pseudonyms in it were those of an older key.
type former struct{ key, value event.Hash }

// heir is a tally that goes on with what it knows of a key under its former pseudonyms. It is asked before
// the first signal of the new ones is counted, and with every one after it: what a key has seen comes over
// value by value.
type heir interface {
	inherit(p *pending, f *former)
}

// formerOf appends what windows knew a signal by, under the latest former key first.
func (w *Windows) formerOf(dst []former, rs *ruleState, sig *event.Signal) []former {
	keys := 1
	for keys < len(sig.Former) && sig.Former[keys].Field == sig.Former[0].Field {
		keys++
	}
	if len(sig.Former)%keys != 0 {
		return dst
	}
	old := *sig
	for i := range keys {
		w.values = appendFormer(w.values[:0], sig.Key, sig.Former[i:], keys)
		w.values = appendFormer(w.values, sig.Of, sig.Former[i:], keys)
		old.Key, old.Of = w.values[:len(sig.Key)], w.values[len(sig.Key):]
		key := w.hashes.of(&sig.State, old.Key)
		dst = append(dst, former{key: key, value: w.valueOf(rs, &key, &old)})
	}
	return dst
}

// appendFormer appends values as they were under a former key, whose pseudonyms stand at every step-th
// place.
func appendFormer(dst, values, pseudonyms []event.Value, step int) []event.Value {
	for _, v := range values {
		for i := 0; i < len(pseudonyms) && v.Str != ""; i += step {
			if pseudonyms[i].Field == v.Field {
				v.Str = pseudonyms[i].Str
				break
			}
		}
		dst = append(dst, v)
	}
	return dst
}

// recognise lets a rule go on with what it knows of a signal that is about to be counted from before the
// pseudonym key changed.
func (rs *ruleState) recognise(p *pending) {
	for i := range p.former {
		f := &p.former[i]
		if h, ok := rs.tally.(heir); ok {
			h.inherit(p, f)
		}
		if rs.rule.Kind == FirstSeen {
			rs.held.table.rename(f.value, p.value)
		} else {
			rs.held.table.rename(f.key, p.key)
		}
		if rs.early == nil {
			continue
		}
		rs.early.told.rename(f.key, p.key)
		if k := rs.early.waiting[p.key]; k != nil {
			k.stale = true // its count did not begin where the one in order goes on
		}
	}
}

func (t *thresholdTally) inherit(p *pending, f *former) { t.table.rename(f.key, p.key) }

func (t *distinctTally) inherit(p *pending, f *former) {
	t.table.rename(f.key, p.key)
	k := t.table.get(p.key)
	if k == nil || f.value == p.value || k.find(p.value) >= 0 {
		return
	}
	if i := k.find(f.value); i >= 0 {
		k.list[i].value = p.value
	}
}

func (t *eachTally) inherit(p *pending, f *former) {
	t.table.rename(both(f.key, f.value), both(p.key, p.value))
}

func (t *spikeTally) inherit(p *pending, f *former) {
	if k := t.table.rename(f.key, p.key); k != nil {
		k.data = append([]byte(nil), p.data[:p.keyLen]...)
	}
	t.seen.rename(both(f.key, f.value), both(p.key, p.value))
}

func (t *sequenceTally) inherit(p *pending, f *former) {
	k := t.table.rename(f.key, p.key)
	if k == nil || len(k.waits) == 0 {
		return
	}
	t.bytes += int64(p.keyLen - len(k.data))
	k.data = append([]byte(nil), p.data[:p.keyLen]...)
}

func (t *firstSeenTally) inherit(p *pending, f *former) {
	if t.keyed.rename(f.key, p.key) == nil {
		if old, k := t.keyed.get(f.key), t.keyed.get(p.key); old != nil && k != nil {
			k.born = min(k.born, old.born) // nobody learns twice
		}
	}
	if t.tuples.rename(f.value, p.value) == nil {
		if old, tuple := t.tuples.get(f.value), t.tuples.get(p.value); old != nil && tuple != nil {
			tuple.last = max(tuple.last, old.last)
		}
	}
}

// A roster says itself by which names it expects whom.
func (t *absenceTally) inherit(p *pending, f *former) {
	if t.roster[f.key] || f.key == p.key {
		return
	}
	if t.waiting.get(p.key) == nil && t.gone.get(p.key) == nil && t.missing.get(p.key) == nil {
		if k := t.gone.rename(f.key, p.key); k != nil {
			k.data = append([]byte(nil), p.data[:p.keyLen]...)
		}
		if k := t.waiting.rename(f.key, p.key); k != nil {
			k.data = append([]byte(nil), p.data[:p.keyLen]...)
			t.enqueue(p.key, k) // under the former name it stands in the queue for nothing
		}
		return
	}
	for _, table := range []*windowTable[absentKey]{&t.waiting, &t.gone} {
		if k := table.get(f.key); k != nil {
			t.shows.release(k.last.show)
			table.remove(f.key)
		}
	}
}

// both stands for a value of a key.
func both(key, value event.Hash) event.Hash {
	for i := range key {
		key[i] ^= value[i]
	}
	return key
}
