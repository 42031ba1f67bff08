package vendors

import (
	"math"
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// The five decisions.
const (
	live         = "live"
	spoof        = "spoof"
	inconclusive = "inconclusive"
	notEvaluated = "not_evaluated"
	failed       = "error"
	byScore      = "by_score" // in maps: the score decides
)

// The ways an answer breaks its vendor's contract, in the order in which one is reported.
const (
	scoreRange     = "score_range"
	verdictVsScore = "verdict_vs_score"
	noVerdict      = "no_verdict"
	unknownCode    = "unknown_code"
)

// Names of what a map does not know, in liveward.mapping_gap.
const (
	gapDecision  = "decision"
	gapReason    = "reason"
	gapThreshold = "threshold"
)

// vendor is a compiled map.
type vendor struct {
	name      string
	aliases   []string
	allWords  bool // decisions hold all there is: another word breaks the contract
	allCodes  bool // reasons do
	hasScore  bool
	min, max  float64
	inverted  bool
	threshold float64 // on the vendor's scale; NaN if the map has none
	scoreOnly bool    // without a decision the score decides
	decisions map[string]verdict
	reasons   map[string]reason
	prefixes  []prefixReason

	tests []mapTest
	at    strict.Node
}

// verdict is what a word of the vendor means.
type verdict struct{ decision, category string }

// reason is what a reason code of the vendor means.
type reason struct{ category, class, kind string }

type prefixReason struct {
	prefix string
	reason
}

// Apply gives an event its canonical liveness fields, from the raw ones a format has found. The
// vendor is the event's, else fallback, else generic; one without a map is read as generic. Events
// without a liveness answer are left alone. Apply is called once per event. Where event.action is set
// by then, a check that answers 200 without any verdict is a breach even if it carries nothing but ids.
func (s *Set) Apply(ev *event.Event, fallback string) {
	if !answered(ev) {
		return
	}
	v := s.vendorOf(ev, fallback)
	violation := v.score(ev)
	decision, bad := v.decide(ev)
	violation = first(violation, bad)
	known, bad := v.explain(ev)
	violation = first(violation, bad)
	decision = settle(decision, ev)
	if decision == "" && missingVerdict(ev) {
		decision = inconclusive
		violation = first(violation, noVerdict)
	}
	if decision != "" {
		ev.SetString(event.LivenessDecision, decision)
	}
	attack(ev, decision, known)
	if ev.Has(event.LivenessScore) && ev.Has(event.LivenessThreshold) {
		margin := round(ev.Float(event.LivenessScore) - ev.Float(event.LivenessThreshold))
		ev.SetFloat(event.LivenessMargin, margin)
		if contradicts(ev, decision, margin) && violation != scoreRange {
			violation = verdictVsScore
		}
	}
	ev.SetString(event.LivenessViolation, violation)
}

// answered tells whether anything of a liveness answer is in the event.
func answered(ev *event.Event) bool {
	for _, id := range [...]event.ID{
		event.LivenessDecisionRaw, event.LivenessDecision, event.LivenessScoreRaw, event.LivenessScore,
		event.LivenessReasonCode, event.LivenessReasonCategory, event.LivenessSessionID, event.LivenessTransactionID,
		event.LivenessAttackClass, event.LivenessAttackType, event.LivenessModelVersion, event.LivenessLatencyMS,
		event.LivenessVendor,
	} {
		if ev.Has(id) {
			return true
		}
	}
	return false
}

// missingVerdict tells whether a call that was answered with 200 should have had a verdict: it carries
// part of an outcome, or is known to be a check. A session id alone is no sign: creating a session has
// one too.
func missingVerdict(ev *event.Event) bool {
	if ev.Int(event.HTTPResponseStatusCode) != 200 {
		return false
	}
	switch ev.Str(event.EventAction) {
	case "liveness-check":
		return true
	case "liveness-session-create":
		return false
	}
	for _, id := range [...]event.ID{
		event.LivenessScoreRaw, event.LivenessScore, event.LivenessReasonCode, event.LivenessAttackClass,
		event.LivenessAttackType, event.LivenessModelVersion, event.LivenessLatencyMS,
	} {
		if ev.Has(id) {
			return true
		}
	}
	return false
}

// NameOf is the name of the map that Apply reads an event with; "" where the event has no answer.
func (s *Set) NameOf(ev *event.Event, fallback string) string {
	if !answered(ev) {
		return ""
	}
	name := ev.Str(event.LivenessVendor)
	if name == "" {
		name = fallback
	}
	if v := s.byName[name]; v != nil {
		return v.name
	}
	return Generic
}

func (s *Set) vendorOf(ev *event.Event, fallback string) *vendor {
	name := ev.Str(event.LivenessVendor)
	if name == "" {
		name = fallback
	}
	v := s.byName[name]
	if v == nil {
		v = s.byName[Generic]
		if name != "" && name != Generic {
			ev.SetString(event.LivenessVendor, name)
		}
		return v
	}
	if v.name != Generic {
		ev.SetString(event.LivenessVendor, v.name)
	}
	return v
}

// score brings score and threshold to 0..1, high = live. A log that already has liveness.score, as
// liveward_v1 has, is taken at its word for both.
func (v *vendor) score(ev *event.Event) (violation string) {
	ready := ev.Has(event.LivenessScore)
	switch {
	case ready:
		if s := ev.Float(event.LivenessScore); s < 0 || s > 1 {
			ev.Clear(event.LivenessScore)
			violation = scoreRange
		}
	case ev.Has(event.LivenessScoreRaw) && v.hasScore:
		if s, ok := v.scale(ev.Float(event.LivenessScoreRaw)); ok {
			ev.SetFloat(event.LivenessScore, s)
		} else {
			violation = scoreRange
		}
	}
	raw := v.threshold
	if ev.Has(event.LivenessThreshold) {
		raw = ev.Float(event.LivenessThreshold)
	}
	if math.IsNaN(raw) {
		return violation
	}
	t, ok := raw, raw >= 0 && raw <= 1
	if v.hasScore && (!ready || !ev.Has(event.LivenessThreshold)) {
		t, ok = v.scale(raw)
	}
	if !ok {
		ev.Clear(event.LivenessThreshold)
		ev.Append(event.LivewardMappingGap, gapThreshold)
		return violation
	}
	ev.SetFloat(event.LivenessThreshold, t)
	return violation
}

// scale brings a number from the vendor's scale to 0..1.
func (v *vendor) scale(raw float64) (float64, bool) {
	s := (raw - v.min) / (v.max - v.min)
	if !(s >= 0 && s <= 1) {
		return 0, false
	}
	if v.inverted {
		s = 1 - s
	}
	return round(s), true
}

// round takes away the noise of binary fractions: 0.081 − 0.5 is −0.419.
func round(f float64) float64 { return math.Round(f*1e9) / 1e9 }

// decide finds the decision: the log's own if it has one, else by the vendor's word, else by score.
func (v *vendor) decide(ev *event.Event) (decision, violation string) {
	if d := ev.Str(event.LivenessDecision); d != "" {
		return d, ""
	}
	raw := ev.Str(event.LivenessDecisionRaw)
	if raw == "" {
		if v.scoreOnly && ev.Has(event.LivenessScore) {
			return v.byScore(ev), ""
		}
		return "", ""
	}
	d, ok := v.word(raw)
	if !ok {
		ev.Append(event.LivewardMappingGap, gapDecision)
		if v.allWords {
			violation = unknownCode
		}
		return inconclusive, violation
	}
	if d.category != "" && !ev.Has(event.LivenessReasonCategory) && !ev.Has(event.LivenessReasonCode) {
		ev.SetString(event.LivenessReasonCategory, d.category)
	}
	if d.decision == byScore {
		return v.byScore(ev), ""
	}
	return d.decision, ""
}

// byScore decides where the vendor leaves it to the customer's threshold. Without one nobody has.
func (v *vendor) byScore(ev *event.Event) string {
	switch {
	case !ev.Has(event.LivenessScore):
		return inconclusive
	case !ev.Has(event.LivenessThreshold):
		ev.Append(event.LivewardMappingGap, gapThreshold)
		return inconclusive
	case ev.Float(event.LivenessScore) >= ev.Float(event.LivenessThreshold):
		return live
	}
	return spoof
}

// word finds a decision word: the vendor's own, else one of the five, which adapters write.
func (v *vendor) word(raw string) (verdict, bool) {
	var buf [64]byte
	key, ok := lower(buf[:0], raw)
	if !ok {
		return verdict{}, false
	}
	if d, ok := v.decisions[string(key)]; ok {
		return d, true
	}
	for _, w := range event.FieldOf(event.LivenessDecision).Enum {
		if string(key) == w {
			return verdict{decision: w}, true
		}
	}
	return verdict{}, false
}

// explain sets the reason's category. Several codes may stand in the field; the first that speaks of
// an attack counts, else the first that is known.
func (v *vendor) explain(ev *event.Event) (known reason, violation string) {
	code := ev.Str(event.LivenessReasonCode)
	if code == "" {
		return reason{}, ""
	}
	known, ok := v.reason(code)
	if !ok {
		for rest := code; rest != ""; {
			var part string
			part, rest = cut(rest)
			r, found := v.reason(part)
			if found && (!ok || !speaksOfAttack(known.category) && speaksOfAttack(r.category)) {
				known, ok = r, true
			}
		}
	}
	if !ok {
		if !ev.Has(event.LivenessReasonCategory) {
			ev.Append(event.LivewardMappingGap, gapReason)
			if v.allCodes {
				violation = unknownCode
			}
		}
		return reason{}, violation
	}
	if !ev.Has(event.LivenessReasonCategory) {
		ev.SetString(event.LivenessReasonCategory, known.category)
	}
	return known, ""
}

// cut takes the first code off a list.
func cut(s string) (head, rest string) {
	i := strings.IndexAny(s, ",;| ")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], ",;| ")
}

func (v *vendor) reason(code string) (reason, bool) {
	var buf [64]byte
	key, ok := lower(buf[:0], code)
	if !ok {
		return reason{}, false
	}
	if r, ok := v.reasons[string(key)]; ok {
		return r, true
	}
	for i := range v.prefixes {
		if p := v.prefixes[i].prefix; len(key) >= len(p) && string(key[:len(p)]) == p {
			return v.prefixes[i].reason, true
		}
	}
	return reason{}, false
}

// lower appends s in lower case; words longer than 64 bytes are in no map.
func lower(dst []byte, s string) ([]byte, bool) {
	if len(s) > cap(dst) {
		return nil, false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst, true
}

func speaksOfAttack(category string) bool { return category == "spoof" || category == "injection" }

// settle lets the reason speak where the vendor's word leaves the verdict open. It never overturns one.
func settle(decision string, ev *event.Event) string {
	category := ev.Str(event.LivenessReasonCategory)
	if category == "" || decision != "" && decision != inconclusive {
		return decision
	}
	switch category {
	case "spoof", "injection":
		return spoof
	case "vendor_error":
		return failed
	}
	if decision != "" {
		return decision
	}
	switch category {
	case "session", "auth", "quota", "abandoned":
		return notEvaluated
	}
	return inconclusive
}

// attack says what kind of attack a spoof was, as far as reason, type or capture tell.
func attack(ev *event.Event, decision string, known reason) {
	if decision == live {
		return
	}
	if !ev.Has(event.LivenessAttackType) {
		ev.SetString(event.LivenessAttackType, known.kind)
	}
	if !ev.Has(event.LivenessAttackClass) {
		ev.SetString(event.LivenessAttackClass, known.class)
	}
	if decision != spoof {
		return
	}
	if !ev.Has(event.LivenessAttackClass) && !ev.Has(event.LivenessAttackType) {
		switch {
		case ev.Bool(event.LivenessCaptureVirtualCamera):
			ev.SetString(event.LivenessAttackType, "virtual_camera")
		case ev.Bool(event.LivenessCaptureEmulator):
			ev.SetString(event.LivenessAttackType, "emulator")
		}
	}
	if !ev.Has(event.LivenessAttackClass) {
		ev.SetString(event.LivenessAttackClass, classOf(ev.Str(event.LivenessAttackType)))
	}
}

// classOf is the class that a type of attack belongs to.
func classOf(kind string) string {
	switch kind {
	case "print", "screen_replay", "mask", "doc_photo":
		return "presentation"
	case "virtual_camera", "emulator":
		return "injection"
	case "frame_replay":
		return "replay"
	}
	return ""
}

// contradicts tells whether decision and score do. A spoof with a good score is none where the vendor
// names an injection or a replay: those are found by other means than the score.
func contradicts(ev *event.Event, decision string, margin float64) bool {
	switch decision {
	case live:
		return margin < 0
	case spoof:
		class := ev.Str(event.LivenessAttackClass)
		return margin >= 0 && class != "injection" && class != "replay" && ev.Str(event.LivenessReasonCategory) != "injection"
	}
	return false
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
