package rules

import (
	"strconv"

	"github.com/liveward/liveward/internal/event"
)

// stateKey hashes all that decides what a rule counts and when it fires: kind, conditions with the
// contents of the lists they use, key, window and parameters. Titles, severities, tags, suppression
// and tests are not in it: to edit them keeps the windows.
func stateKey(r *Rule, when *expression, except []exception, normals []string, lists map[string]*compiledList, used []string) event.Hash {
	parts := []string{"state", string(r.Kind), when.normal}
	for i := range except {
		parts = append(parts, "except", normals[i], strconv.FormatInt(except[i].until, 10))
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
	for _, name := range used {
		parts = append(parts, "list", name, lists[name].hash().String())
	}
	return event.HashStrings(parts...)
}
