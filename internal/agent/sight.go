package agent

import (
	"slices"
	"time"

	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/collectors/formats/vendors"
	"github.com/liveward/liveward/internal/enrich"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/rules"
)

// provides tells whether events of an input can have a field: its format, a vendor map, the key roster
// or enrichment gives it. What an input of format auto will turn out to be is not known: it may have
// any field.
func (p *Plan) provides(in *input) func(event.ID) bool {
	if in.Format == "auto" {
		return func(event.ID) bool { return true }
	}
	has := fieldsOf(p.Formats, p.Vendors, in.Format)
	has[event.OrganizationID] = has[event.OrganizationID] || in.Tenant != ""
	has[event.ServiceEnvironment] = has[event.ServiceEnvironment] || in.Environment != ""
	has[event.DataRegion] = has[event.DataRegion] || in.Region != ""
	has[event.Tags] = has[event.Tags] || len(in.Tags) > 0
	if in.Vendor != "" {
		has[event.LivenessVendor] = true
	}
	return func(id event.ID) bool {
		return has[id] || enrich.Provides(id) || (in.Keys != "" && enrich.ProvidesKeys(id)) || (p.addresses != nil && p.addresses.Provides(id))
	}
}

// fieldsOf are the fields of a format, with what vendor maps and enrichment make of them.
func fieldsOf(set *formats.Set, maps *vendors.Set, format string) map[event.ID]bool {
	has := map[event.ID]bool{}
	for _, id := range set.Provides(format) {
		has[id] = true
		switch id {
		case event.LivenessDecisionRaw, event.LivenessScoreRaw:
			for _, v := range maps.Provides() {
				has[v] = true
			}
		case event.HTTPRequestForwarded:
			has[event.NetworkForwardedIP] = true
		case event.HTTPRequestOrigin:
			has[event.HTTPRequestCrossOrigin] = true
		case event.UserID, event.UserName:
			has[event.RelatedUser] = true
		default:
		}
	}
	return has
}

// sees tells which fields the events of any of the inputs have that awake lets pass; nil lets all.
func (p *Plan) sees(awake func(input string) bool) func(event.ID) bool {
	var each []func(event.ID) bool
	for i := range p.inputs {
		if awake == nil || awake(p.inputs[i].Name) {
			each = append(each, p.provides(&p.inputs[i]))
		}
	}
	return func(id event.ID) bool {
		if pipeline.IsJoinField(id) {
			return p.joinRoles() != 0
		}
		for _, provides := range each {
			if provides(id) {
				return true
			}
		}
		return pipeline.Provides(id)
	}
}

// BlindShipped counts the rules of the pack that no input can make fire; one's own stand in Warnings.
func (p *Plan) BlindShipped() int { return len(p.Blind()) - p.blindOwn() }

func (p *Plan) blindOwn() int {
	n := 0
	for id := range p.Blind() {
		if p.Config.Rules.Dirs().own(id + ".yaml") {
			n++
		}
	}
	return n
}

// Blind lists the rules that no input can make fire, with the fields that are missing.
func (p *Plan) Blind() map[string][]event.ID { return p.Rules.Blind(p.sees(nil)) }

// Warnings are what is probably not meant in the user's own rules, held against this configuration and a
// time: rules that no input can make fire, exceptions that are over, and rules that look back further than
// the journal keeps.
func (p *Plan) Warnings(now time.Time) rules.Problems {
	opts := p.ruleOptions()
	opts.Now, opts.Provided, opts.Retention = now, p.sees(nil), time.Duration(p.Config.Journal.MaxAge)
	problems := slices.DeleteFunc(rules.Lint(p.rulesFS, opts), func(x rules.Problem) bool { return !p.Config.Rules.Dirs().own(x.File) })
	for i := range problems {
		problems[i].Excerpt = ""
	}
	return problems
}
