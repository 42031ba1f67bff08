package pipeline

import (
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
)

// Bounds of the keys that one message of the journal names. Keys that nobody has accepted in it have a
// share of their own, so that whoever tries keys crowds out nobody.
const (
	talliedKeys      = 2048
	talliedStrangers = 256
)

// keyTally counts the calls of a message by their key, so that whoever wants to know of keys need not
// look into the documents.
type keyTally struct {
	keys      []journal.KeyTally
	index     map[string]int
	strangers int
	more      int64
}

// see counts an event's call; ev is as it is journaled.
func (t *keyTally) see(ev *event.Event) {
	id := ev.Str(event.APIKeyID)
	if id == "" {
		return
	}
	owner, auth := ev.Str(event.APIKeyOwner), ev.Str(event.GatewayAuth)
	stranger := owner == "" && auth != "accepted"
	at, known := t.index[id]
	if !known {
		if len(t.keys)-t.strangers >= talliedKeys || stranger && t.strangers >= talliedStrangers {
			t.more++
			return
		}
		if t.index == nil {
			t.index = make(map[string]int)
		}
		if stranger {
			t.strangers++
		}
		at = len(t.keys)
		id = strings.Clone(id) // the slot dies with its event
		t.index[id] = at
		t.keys = append(t.keys, journal.KeyTally{ID: id})
	}
	k := &t.keys[at]
	k.Calls++
	switch auth {
	case "accepted":
		k.Accepted++
	case "refused":
		k.Refused++
	}
	if owner != "" && owner != k.Owner {
		k.Owner = strings.Clone(owner)
	}
	if at := ev.Time(event.Timestamp); at != 0 && !ev.Bool(event.LivewardSkewed) {
		if k.First == 0 || at < k.First {
			k.First = at
		}
		k.Last = max(k.Last, at)
	}
}

// reset begins another message.
func (t *keyTally) reset() {
	clear(t.index)
	t.keys, t.strangers, t.more = t.keys[:0], 0, 0
}

// tell writes the tally into a message's head, which must be encoded before the next reset.
func (t *keyTally) tell(h *journal.BatchHead) { h.Keys, h.MoreKeys = t.keys, t.more }
