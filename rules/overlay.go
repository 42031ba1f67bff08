package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// overlay is a site's change of a shipped rule: overlays/<id>.yaml. It names what is different, so
// that the rule's own file can be replaced by its next version.
type overlay struct {
	source *source
	id     string
	keys   map[string]*node
	root   *node
}

// overlayKeys are what a site may change. What a rule looks for is not among them: that is another
// rule.
func overlayKeys() []string {
	return []string{
		"base", "mode", "severity", "threshold", "at_least", "window", "suppress", "except", "show", "tests",
		string(Spike), string(FirstSeen), string(Sequence), string(Chain), string(Absence),
	}
}

const overlayDir = "overlays"

// parseOverlay reads the file as far as it can be without its rule.
func parseOverlay(s *source, f *forms) *overlay {
	id := strings.TrimSuffix(strings.TrimPrefix(s.name, overlayDir+"/"), ".yaml")
	root := parseYAML(s, maxRuleBytes, maxRuleLines)
	if root == nil {
		return nil
	}
	d := decoder{source: s}
	if !f.id.MatchString(id) {
		d.errorf(root, "", "an overlay's file is called by the id of its rule, such as lw.area.name.yaml")
		return nil
	}
	keys := d.mapping(root, "overlay", overlayKeys()...)
	if keys == nil {
		return nil
	}
	if len(keys) < 2 && keys["base"] != nil || len(keys) == 0 {
		d.errorf(root, "its keys are "+strings.Join(overlayKeys(), ", "), "overlay changes nothing")
	}
	if keys["base"] == nil {
		d.errorf(root, "base: 1 says for which version of the rule this was written", "overlay has no base")
	}
	return &overlay{source: s, id: id, keys: keys, root: root}
}

// apply changes a rule that is sound. Its result is nil where the overlay has an error: the rule is
// then as it was shipped.
func (o *overlay) apply(shipped *spec) *spec {
	d := decoder{source: o.source}
	sp := *shipped
	sp.overlay, sp.shipped = o, shipped
	r := &sp.rule
	m := o.keys
	if n := m["base"]; n != nil {
		if base := d.integer(n, "base", 1, 1_000_000); int(base) != r.Version && !o.source.failed() {
			d.warnf(n, fmt.Sprintf("see whether it still holds, then write base: %d", r.Version),
				"rule %s is version %d, the overlay was written for %d", r.ID, r.Version, base)
		}
	}
	if n := m["mode"]; n != nil {
		r.Mode = Mode(d.word(n, "mode", []string{string(Live), string(Shadow)}))
	}
	if n := m["severity"]; n != nil {
		r.Severity = event.Severity(d.word(n, "severity", severityWords()))
	}
	if n := m["threshold"]; n != nil {
		if r.Kind != Threshold {
			d.errorf(n, "", "rule %s is of kind %s and has no threshold", r.ID, r.Kind)
		}
		r.Count = d.integer(n, "threshold", 1, maxCount)
	}
	if n := m["at_least"]; n != nil {
		if r.Kind != Distinct {
			d.errorf(n, "", "rule %s is of kind %s and has no distinct.at_least", r.ID, r.Kind)
		}
		r.Count = d.integer(n, "at_least", 2, maxCount)
	}
	if n := m["window"]; n != nil {
		o.window(d, &sp, n)
	}
	o.parameters(d, &sp)
	if n := m["suppress"]; n != nil {
		r.Suppress = Suppress{}
		sp.suppress(d, n)
	}
	if n := m["show"]; n != nil {
		sp.display(d, map[string]*node{"title": sp.root.get("title"), "show": n})
	}
	if at := r.Suppress.EscalateAt; at != 0 && at <= r.Count && !o.source.failed() {
		d.errorf(o.root, "change suppress as well", "the rule escalates at %d, which is not above its threshold of %d", at, r.Count)
	}
	sp.except = append([]exceptSpec(nil), shipped.except...)
	before := len(sp.except)
	sp.exceptions(d, m["except"])
	for i := before; i < len(sp.except); i++ {
		sp.except[i].source = o.source
	}
	sp.tests = nil
	if n := m["tests"]; n != nil {
		sp.tests = parseTests(d, n, r.Kind)
	}
	if o.source.failed() {
		return nil
	}
	return &sp
}

// parameters changes those of the rule's kind: from when on it fires, and not what it looks for.
func (o *overlay) parameters(d decoder, sp *spec) {
	r := &sp.rule
	for _, kind := range []Kind{Spike, FirstSeen, Sequence, Chain, Absence} {
		n := o.keys[string(kind)]
		switch {
		case n == nil:
			continue
		case r.Kind != kind:
			d.errorf(n, "", "rule %s is of kind %s and has no %s", r.ID, r.Kind, kind)
			continue
		}
		switch kind {
		case Spike:
			r.Spike.bounds(d, d.mapping(n, "spike", "factor", "min_hits", "min_total", "min_share", "floor", "warmup"))
		case FirstSeen:
			r.firstSeenTimes(d, d.mapping(n, "first_seen", "history", "learn", "again"))
		case Chain:
			r.Chain.bounds(d, d.mapping(n, "chain", "at_least", "half_life"))
		case Sequence:
			o.steps(d, sp, n)
		case Absence:
			if m := d.mapping(n, "absence", "for"); m["for"] != nil {
				r.Absence.For = d.duration(m["for"], "absence.for", minWindow, maxWindow)
				r.Window = r.Absence.For
			}
		case Each, Threshold, Distinct:
		}
	}
}

// steps changes how many events steps take, by their names.
func (o *overlay) steps(d decoder, sp *spec, n *node) {
	r := &sp.rule
	names := make([]string, len(r.Steps))
	for i, s := range r.Steps {
		names[i] = s.Name
	}
	r.Steps = slices.Clone(r.Steps)
	for name, value := range d.mapping(n, "sequence", names...) {
		step := &r.Steps[slices.Index(names, name)]
		if step.Negative {
			d.errorf(value, "", "one event that must not come is enough: %s has no at_least", name)
			continue
		}
		step.AtLeast = d.integer(value, "step.at_least", 1, maxCount)
	}
}

// Changes names what the overlay of a rule changes, in the order of its file.
func (r *Rule) Changes() []string {
	if !r.Overlaid() {
		return nil
	}
	var out []string
	for _, p := range r.matcher.spec.overlay.root.pairs {
		if p.key.text != "base" && p.key.text != "tests" {
			out = append(out, p.key.text)
		}
	}
	return out
}

// window changes the window, and with it the suppression that follows it.
func (o *overlay) window(d decoder, sp *spec, n *node) {
	r := &sp.rule
	if r.Window == 0 || r.Kind == Absence {
		d.errorf(n, "", "rule %s is of kind %s and has no window", r.ID, r.Kind)
		return
	}
	follows := r.Suppress.For == r.Window && sp.root.get("suppress") == nil
	r.Window = d.duration(n, "window", minWindow, maxWindow)
	if r.Kind == Spike && r.Spike.Baseline < r.Window {
		d.errorf(n, "", "the rule's baseline of %s is shorter than the window", event.FormatDuration(r.Spike.Baseline))
	}
	if follows {
		r.Suppress.For = r.Window
	}
}

func severityWords() []string {
	words := make([]string, 0, 4)
	for _, s := range event.Severities() {
		words = append(words, string(s))
	}
	return words
}

// Overlaid tells whether a site's overlay changes the rule.
func (r *Rule) Overlaid() bool { return r.matcher != nil && r.matcher.spec.overlay != nil }
