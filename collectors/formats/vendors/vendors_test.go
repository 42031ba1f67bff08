package vendors

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

func load(t testing.TB) *Set {
	t.Helper()
	s, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func loadUser(text string) (*Set, error) {
	return Load(fstest.MapFS{"v.yaml": {Data: []byte(text)}})
}

func TestBuiltinMaps(t *testing.T) {
	s := load(t)
	if err := s.Test(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"advance_ai", "arsa", "aws_rekognition", "azure_face", "bioid", "didit", "facepp", "facetec", "generic", "idnow", "incode", "innovatrics", "iproov", "jumio", "luxand", "onfido", "oz_forensics", "persona", "regula", "sumsub", "veriff", "visionlabs", "zoloz",
	}
	if diff := cmp.Diff(want, s.Names()); diff != "" {
		t.Error(diff)
	}
	for _, v := range s.maps {
		if len(v.tests) == 0 {
			t.Errorf("the map of %s has no tests", v.name)
		}
	}
}

type fields map[event.ID]string

// apply sets raw fields, applies the vendor map and returns the canonical ones that are present.
func apply(t testing.TB, s *Set, fallback string, given fields) fields {
	t.Helper()
	ev := new(event.Event)
	for id, text := range given {
		if err := set(ev, value{id: id, texts: []string{text}}); err != nil {
			t.Fatal(err)
		}
	}
	s.Apply(ev, fallback)
	got := fields{}
	ev.Present(func(id event.ID) {
		if _, raw := given[id]; !raw || id == event.LivenessThreshold || id == event.LivenessVendor {
			got[id] = strings.Join(formats.FieldText(ev, id), ",")
		}
	})
	return got
}

func TestApply(t *testing.T) {
	s := load(t)
	f := func(what, fallback string, given, want fields) {
		t.Helper()
		if diff := cmp.Diff(want, apply(t, s, fallback, given)); diff != "" {
			t.Errorf("%s:\n%s", what, diff)
		}
	}
	const (
		raw, score, limit = event.LivenessDecisionRaw, event.LivenessScoreRaw, event.LivenessThreshold
		decision          = event.LivenessDecision
	)
	f("a call without an answer is left alone", "azure_face", fields{event.HTTPResponseStatusCode: "200"}, fields{})
	f("the vendor of the source", "azure", fields{raw: "spoofface"}, fields{decision: "spoof", event.LivenessVendor: "azure_face"})
	f("the vendor of the event goes first", "azure_face", fields{raw: "SUCCEEDED", score: "90", limit: "80", event.LivenessVendor: "rekognition"},
		fields{decision: "live", event.LivenessScore: "0.9", limit: "0.8", event.LivenessMargin: "0.1", event.LivenessVendor: "aws_rekognition"})
	f("a vendor without a map is read as generic and keeps its name", "", fields{raw: "Live", event.LivenessVendor: "acme"}, fields{decision: "live", event.LivenessVendor: "acme"})
	f("generic is no vendor's name", Generic, fields{raw: "live"}, fields{decision: "live"})
	f("adapters may write the five words for any vendor", "azure_face", fields{raw: "not_evaluated"}, fields{decision: "not_evaluated", event.LivenessVendor: "azure_face"})
	f("a decision the log already has", "", fields{decision: "spoof", raw: "whatever"}, fields{})
	f("a score the log already has", "aws_rekognition", fields{decision: "live", event.LivenessScore: "0.97", limit: "0.8"},
		fields{limit: "0.8", event.LivenessMargin: "0.17", event.LivenessVendor: "aws_rekognition"})
	f("canonical but out of range", "", fields{raw: "live", event.LivenessScore: "97.3"}, fields{decision: "live", event.LivenessViolation: "score_range"})
	f("a spoof with a good score", "", fields{raw: "spoof", score: "0.9", limit: "0.5"},
		fields{decision: "spoof", event.LivenessScore: "0.9", limit: "0.5", event.LivenessMargin: "0.4", event.LivenessViolation: "verdict_vs_score"})
	f("an injection has any score", "", fields{raw: "spoof", score: "0.9", limit: "0.5", event.LivenessAttackClass: "injection"},
		fields{decision: "spoof", event.LivenessScore: "0.9", limit: "0.5", event.LivenessMargin: "0.4"})
	f("score_range goes before other violations", "azure_face", fields{raw: "maybe", event.LivenessScore: "-1"},
		fields{decision: "inconclusive", event.LivenessVendor: "azure_face", event.LivenessViolation: "score_range", event.LivewardMappingGap: "decision"})
	f("a threshold on another scale", "", fields{raw: "live", score: "0.9", limit: "80"},
		fields{decision: "live", event.LivenessScore: "0.9", event.LivewardMappingGap: "threshold"})
	f("only a score", "aws_rekognition", fields{score: "10", limit: "80"},
		fields{decision: "spoof", event.LivenessScore: "0.1", limit: "0.8", event.LivenessMargin: "-0.7", event.LivenessVendor: "aws_rekognition"})
	f("a check without any verdict", "", fields{event.HTTPResponseStatusCode: "200", event.EventAction: "liveness-check", event.LivenessSessionID: "s"},
		fields{decision: "inconclusive", event.LivenessViolation: "no_verdict"})
	f("a session id alone", "", fields{event.HTTPResponseStatusCode: "200", event.LivenessSessionID: "s"}, fields{})
	f("no verdict on an error is no breach", "", fields{event.HTTPResponseStatusCode: "502", event.LivenessLatencyMS: "3"}, fields{})
	f("a reason settles an open verdict", "veriff", fields{raw: "declined", event.LivenessReasonCode: "505"},
		fields{decision: "spoof", event.LivenessReasonCategory: "spoof", event.LivenessAttackClass: "presentation", event.LivenessAttackType: "print", event.LivenessVendor: "veriff"})
	f("and never overturns one", "", fields{raw: "live", event.LivenessReasonCode: "virtual_camera"}, fields{decision: "live", event.LivenessReasonCategory: "injection"})
	f("of several codes the one that speaks of an attack", "", fields{raw: "failed", event.LivenessReasonCode: "too_dark, foo; screen|blur"},
		fields{decision: "spoof", event.LivenessReasonCategory: "spoof", event.LivenessAttackClass: "presentation", event.LivenessAttackType: "screen_replay"})
	f("a reason alone", "", fields{event.LivenessReasonCode: "quota_exceeded"}, fields{decision: "not_evaluated", event.LivenessReasonCategory: "quota"})
	f("a vendor's error", "", fields{raw: "failed", event.LivenessReasonCode: "internal_error"}, fields{decision: "error", event.LivenessReasonCategory: "vendor_error"})
	f("an unknown reason", "azure_face", fields{raw: "uncertain", event.LivenessReasonCode: "Novel"},
		fields{decision: "inconclusive", event.LivewardMappingGap: "reason", event.LivenessVendor: "azure_face"})
	f("the capture tells what the spoof was", "", fields{raw: "spoof", event.LivenessCaptureVirtualCamera: "true"},
		fields{decision: "spoof", event.LivenessAttackClass: "injection", event.LivenessAttackType: "virtual_camera"})
	f("the type tells the class", "", fields{raw: "spoof", event.LivenessAttackType: "frame_replay"}, fields{decision: "spoof", event.LivenessAttackClass: "replay"})
	f("words longer than any map's", "", fields{raw: strings.Repeat("live", 100), event.LivenessReasonCode: strings.Repeat("x", 100)},
		fields{decision: "inconclusive", event.LivewardMappingGap: "decision,reason"})
}

func TestUserMap(t *testing.T) {
	s, err := loadUser(`vendor: own_vendor
aliases: oz-forensics
complete: [decisions, reasons]
score: {min: 0, max: 10, inverted: true, threshold: 4}
decisions: {SUCCESS: by_score, DECLINED: {decision: spoof, reason: spoof}, 0: live}
reasons: {"E-*": quality}
tests:
  - given: {decision_raw: SUCCESS, score_raw: 1}
    want: {decision: live, score: 0.9, threshold: 0.6, margin: 0.3}
  - given: {decision_raw: SUCCESS, score_raw: 9}
    want: {decision: spoof, score: 0.1, margin: -0.5}
  - given: {decision_raw: declined}
    want: {decision: spoof, reason.category: spoof}
  - given: {decision_raw: 0, reason.code: e-17}
    want: {decision: live, reason.category: quality}
  - given: {decision_raw: 0, reason.code: x}
    want: {decision: live, violation: unknown_code}
`)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Test(); err != nil {
		t.Error(err)
	}
	if !s.Known("oz-forensics") || s.Known("nobody") {
		t.Error("Known is wrong")
	}
}

func TestMapErrors(t *testing.T) {
	f := func(src string, want ...string) {
		t.Helper()
		_, err := loadUser(src)
		if err == nil {
			t.Errorf("no error for:\n%s", src)
			return
		}
		if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
			t.Errorf("%s\n%s", src, diff)
		}
	}
	f("vendor: v\ndecisions: {a: lively, b: by_score}\nreasons: {c: qualty, d: {attack_class: deepfake}}\n",
		`v.yaml:2:16: unknown word "lively"; want one of live, spoof, inconclusive, not_evaluated, error, by_score`,
		`v.yaml:2:27: by_score needs a score; put score: {min: 0, max: 1} before it`,
		`v.yaml:3:14: unknown word "qualty"; want one of quality, capture, spoof, injection, session, auth, quota, vendor_error, abandoned`,
		`v.yaml:3:25: the entry has no category; add category:`,
		`v.yaml:3:40: unknown word "deepfake"; want one of presentation, injection, replay, unknown`)
	f("vendor: v\nscore: {min: 1, max: 0}\ndecision: {a: live}\n",
		`v.yaml:1:9: the map knows no decision; add decisions:, or no_decision: by_score`,
		`v.yaml:2:8: min: must be below max:; a score where low is live has inverted: true`,
		`v.yaml:3:1: unknown key "decision"; did you mean "decisions"?`)
	f("vendor: v\nscore: {threshold: 2}\nno_decision: by_score\n", `v.yaml:2:8: threshold: must be between min: and max:; the threshold is on the vendor's scale`)
	f("vendor: azure\ndecisions: {a: live}\n", `v.yaml:1:9: the vendor azure has a map already; choose another name`)
	f("vendor: v\ndecisions: {a: live}\ntests: [{given: {decison_raw: a}, want: {decision: live}}]\n",
		`v.yaml:3:9: a test has given: and want:`,
		`v.yaml:3:18: unknown field "decison_raw"; did you mean "decision_raw"?`)
}

func TestEmbeddedTestsCanFail(t *testing.T) {
	s, err := loadUser("vendor: v\ndecisions: {a: live}\ntests: [{name: n, given: {decision_raw: a}, want: {decision: spoof}}]\n")
	if err != nil {
		t.Fatal(err)
	}
	want := `v.yaml:3:52: test "n": liveness.decision is ["live"], want ["spoof"]`
	if err := s.Test(); err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestNoAllocations(t *testing.T) {
	s := load(t)
	ev := new(event.Event)
	if n := testing.AllocsPerRun(100, func() {
		ev.Reset()
		ev.SetString(event.LivenessDecisionRaw, "SPOOF")
		ev.SetString(event.LivenessReasonCode, "screen_replay")
		ev.SetFloat(event.LivenessScoreRaw, 0.081)
		ev.SetFloat(event.LivenessThreshold, 0.5)
		s.Apply(ev, "")
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// FuzzApply: whatever the vendor says, the outcome is a word of the field table, numbers lie in their
// range, and live comes only from a word that means it or from a score over the threshold.
func FuzzApply(f *testing.F) {
	f.Add("azure_face", "realface", "", 0.0, 0.0, uint8(0), int64(200))
	f.Add("", "failed", "virtual_camera", 0.9, 0.5, uint8(3), int64(200))
	f.Add("rekognition", "SUCCEEDED", "", 97.3, 80.0, uint8(3), int64(200))
	f.Add("acme", "wonderful", "a,b;c d", math.Inf(1), math.NaN(), uint8(7), int64(0))
	s := load(f)
	f.Fuzz(func(t *testing.T, name, raw, code string, score, limit float64, has uint8, status int64) {
		ev := new(event.Event)
		ev.SetString(event.LivenessVendor, name)
		ev.SetString(event.LivenessDecisionRaw, raw)
		ev.SetString(event.LivenessReasonCode, code)
		ev.SetInt(event.HTTPResponseStatusCode, status)
		if has&1 != 0 {
			ev.SetFloat(event.LivenessScoreRaw, score)
		}
		if has&2 != 0 {
			ev.SetFloat(event.LivenessThreshold, limit)
		}
		if has&4 != 0 {
			ev.SetFloat(event.LivenessScore, score)
		}
		s.Apply(ev, "generic")
		for _, id := range s.Provides() {
			if e := event.FieldOf(id).Enum; e != nil && ev.Has(id) && !slices.Contains(e, ev.Str(id)) {
				t.Fatalf("%s = %q", id, ev.Str(id))
			}
		}
		if sc := ev.Float(event.LivenessScore); sc < 0 || sc > 1 {
			t.Fatalf("score %v", sc)
		}
		if m := ev.Float(event.LivenessMargin); m < -1 || m > 1 {
			t.Fatalf("margin %v", m)
		}
		if ev.Str(event.LivenessDecision) != live || ev.Has(event.LivenessScore) && ev.Float(event.LivenessMargin) >= 0 && ev.Has(event.LivenessMargin) {
			return
		}
		v := s.byName[name]
		if v == nil {
			v = s.byName[Generic]
		}
		if d, ok := v.word(raw); !ok || d.decision != live {
			t.Fatalf("vendor %q says %q, and it is live", name, raw)
		}
	})
}

// FuzzVendorMap: no file makes reading or applying a map panic.
func FuzzVendorMap(f *testing.F) {
	f.Add([]byte("vendor: v\nscore: {min: 0, max: 10, inverted: true, threshold: 4}\ndecisions: {a: by_score, b: {decision: spoof, reason: spoof}}\nreasons: {\"E*\": quality, f: {category: spoof, attack_class: replay, attack_type: x}}\n"))
	f.Add([]byte("vendor: v\naliases: [w, x]\ncomplete: decisions\nno_decision: by_score\nscore: {}\ntests: [{given: {decision_raw: a}, want: {decision: ~}}]\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		v, file := readVendor("v.yaml", src)
		if err := file.Err(); err != nil {
			var p strict.Problem
			if !errors.As(err, &p) || p.Line < 1 || p.Column < 1 {
				t.Fatalf("a problem without a place: %v", err)
			}
			return
		}
		_ = v.test(&Set{byName: map[string]*vendor{v.name: v, Generic: v}})
	})
}

func BenchmarkApply(b *testing.B) {
	s := load(b)
	ev := new(event.Event)
	b.ReportAllocs()
	for b.Loop() {
		ev.Reset()
		ev.SetString(event.LivenessDecisionRaw, "spoof")
		ev.SetString(event.LivenessReasonCode, "screen_replay")
		ev.SetFloat(event.LivenessScoreRaw, 0.081)
		ev.SetFloat(event.LivenessThreshold, 0.5)
		s.Apply(ev, "acme")
	}
}
