package rules

import (
	"strconv"

	"github.com/liveward/liveward/internal/event"
)

// stateText is all that decides what a rule counts and when it fires: kind, conditions with the
// contents of the lists they use, key, window and parameters. Titles, severities, tags, suppression
// and tests are not in it: to edit them keeps the windows.
type stateText struct {
	rule   *Rule
	when   string
	except []string // conditions of except, with the ends of each
	until  []int64
	used   []string // lists
	lists  map[string]*compiledList
	more   []string // what the kind has beside
}

// key hashes it.
func (k *stateText) key() event.Hash {
	r := k.rule
	parts := []string{"state", string(r.Kind), k.when}
	for i := range k.except {
		parts = append(parts, "except", k.except[i], strconv.FormatInt(k.until[i], 10))
	}
	fields := func(name string, ids []event.ID) {
		parts = append(parts, name)
		for _, id := range ids {
			parts = append(parts, id.String())
		}
	}
	fields("by", r.By)
	fields("of", r.Of)
	fields("once", r.Once)
	parts = append(parts, "window", strconv.FormatInt(int64(r.Window), 10), "count", strconv.FormatInt(r.Count, 10))
	for _, name := range k.used {
		parts = append(parts, "list", name, k.lists[name].hash().String())
	}
	return event.HashStrings(append(parts, k.more...)...)
}
