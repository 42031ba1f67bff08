package rules

import (
	"fmt"
	"time"
)

// lint adds advice on a rule that is sound.
func lint(sp *spec, s *source, now time.Time) {
	d := decoder{s}
	for _, x := range sp.except {
		if !now.IsZero() && x.until <= now.UnixNano() {
			d.warnf(x.at, "take it out, or agree on a new date with "+x.owner,
				"exception ended on %s and has no effect", time.Unix(0, x.until).UTC().Format(time.DateOnly))
		}
	}
	r := &sp.rule
	if r.Kind == Each && r.Suppress.For == 0 && len(r.Once) == 0 {
		d.warnf(sp.root, "give it by and suppress, so that one offender is one alert an hour", "rule makes an alert of every matching event")
	}
	if r.Kind == Each && r.Suppress.For > 0 && len(r.By) == 0 {
		d.warnf(sp.root, "give it a key with by", "suppress without by: the first offender hides all others")
	}
	firing, silent := 0, 0
	for _, t := range sp.tests {
		if len(t.alerts) > 0 {
			firing++
		} else {
			silent++
		}
	}
	if tests := sp.root.get("tests"); tests != nil && (firing == 0 || silent == 0) {
		d.warnf(tests, "", "tests should show the rule firing and not firing; %s", fmt.Sprintf("%d do and %d do not", firing, silent))
	}
	if r.Tags.Concern == "" {
		d.warnf(sp.root, "such as tags: {concern: key-abuse}", "rule has no tags.concern")
	}
}
