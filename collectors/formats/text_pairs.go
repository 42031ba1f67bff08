package formats

import (
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// pair says which field the value of a key fills. Several keys may fill one field: the first that
// comes with a usable value does.
type pair struct {
	keys string // separated by blanks
	to   event.ID
	unit int64 // of event.duration
}

// pairTable finds the operation of a key. It never changes.
type pairTable map[string]*op

func newPairTable(pairs []pair) pairTable {
	t := pairTable{}
	for _, p := range pairs {
		o := &op{to: p.to, as: naturalConversion(p.to, event.FieldOf(p.to)), unit: p.unit, scale: 1, plus: -1}
		switch p.to {
		case event.EventDuration:
			o.as = asDuration
		case event.LivenessVendor, event.LivenessAttackType, event.LivenessModality, event.LivenessSDKName:
			o.as = asLower
		}
		for k := range strings.FieldsSeq(p.keys) {
			t[k] = o
		}
	}
	return t
}

// fieldsOf are the fields a table can fill.
func fieldsOf(pairs []pair) []event.ID {
	var ids []event.ID
	for _, o := range newPairTable(pairs) {
		ids = append(ids, o.fills()...)
	}
	return ids
}

// set fills the field of an operation, unless it is filled already.
func (o *op) set(ev *event.Event, s string, loc *time.Location) {
	if absent(s) || ev.Has(o.to) && event.FieldOf(o.to).Type != event.Keywords {
		return
	}
	if o.to == event.EventDuration && s[len(s)-1] == 's' {
		if d, ok := goDuration(s); ok {
			ev.SetInt(event.EventDuration, d)
		}
		return
	}
	o.assign(ev, s, loc)
}

// assign converts text and sets the field.
func (o *op) assign(ev *event.Event, s string, loc *time.Location) {
	switch o.as {
	case asEnum:
		setEnum(ev, o.to, s)
	case asInt:
		setInt(ev, o.to, s)
	case asFloat:
		setFloat(ev, o.to, s, 1)
	case asTime:
		if at, ok := parseTime(s, epochAuto, loc); ok {
			at.set(ev, o.to)
		}
	case asDuration:
		setDuration(ev, o.to, s, o.unit)
	case asAddress:
		setAddress(ev, o.to, s)
	case asURI:
		setURI(ev, s)
	case asHost:
		setHost(ev, o.to, s)
	case asTLS:
		setTLS(ev, s)
	case asHTTPVersion:
		setHTTPVersion(ev, s)
	case asAttempts:
		setAttempts(ev, o.to, s)
	case asTrace:
		setTrace(ev, o.to, s)
	case asMethod:
		setMethod(ev, o.to, s)
	case asLower:
		setCase(ev, o.to, s, 'A', 'a')
	default:
		setText(ev, o.to, s)
	}
}

// unmappedPair notices what stands in a value that no field takes.
func (f *findings) unmappedPair(key, v []byte) {
	if len(v) >= minInspect {
		f.inspect(v)
	}
	if len(v) > 0 && v[0] != '*' && string(v) != "-" && secretName(key) && !foldAny(v, "redacted", "[redacted]", "hidden", "masked") {
		f.secret++
	}
}

// livenessPairs are the keys under which snippets/ and DOMAIN's recommended line log a liveness answer.
func livenessPairs() []pair {
	return []pair{
		{"lv_vendor liveness_vendor liveness.vendor x-liveness-vendor", event.LivenessVendor, 0},
		{"lv_decision liveness_decision liveness.decision x-liveness-decision", event.LivenessDecisionRaw, 0},
		{"lv_score liveness_score liveness.score x-liveness-score", event.LivenessScoreRaw, 0},
		{"lv_threshold liveness_threshold liveness.threshold x-liveness-threshold", event.LivenessThreshold, 0},
		{"lv_reason liveness_reason liveness.reason x-liveness-reason", event.LivenessReasonCode, 0},
		{"lv_session liveness_session liveness.session_id x-liveness-session", event.LivenessSessionID, 0},
		{"lv_transaction liveness_transaction liveness.transaction_id x-liveness-transaction", event.LivenessTransactionID, 0},
		{"lv_attempt liveness_attempt liveness.attempt x-liveness-attempt", event.LivenessAttempt, 0},
		{"lv_attack_class liveness_attack_class liveness.attack.class", event.LivenessAttackClass, 0},
		{"lv_attack_type liveness_attack_type liveness.attack.type", event.LivenessAttackType, 0},
		{"lv_model liveness_model liveness.model_version", event.LivenessModelVersion, 0},
	}
}
