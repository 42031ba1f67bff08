package enrich

import (
	"net/netip"

	"github.com/liveward/liveward/internal/event"
)

// caller sets what is known of the caller's address. What configuration says, a log cannot; what a
// database says goes before what the log does.
func (a *Addresses) caller(ev *event.Event, client netip.Addr) {
	ev.Clear(event.NetworkName)
	ev.Clear(event.ThreatFeedName)
	ev.Clear(event.ThreatIndicatorConfidence)
	ev.Clear(event.ThreatIndicatorName)
	ev.Clear(event.ThreatIndicatorType)
	if a == nil || !client.IsValid() {
		return
	}
	f := a.facts(client)
	if f.country != "" {
		ev.SetString(event.ClientGeoCountry, f.country)
		ev.SetString(event.ClientGeoRegion, f.region)
		ev.SetString(event.ClientGeoCity, f.city)
	}
	if f.number != 0 {
		ev.SetInt(event.ClientASNumber, f.number)
		ev.SetString(event.ClientASOrg, f.organization)
	}
	for _, name := range f.names {
		ev.Append(event.NetworkName, name)
	}
	for _, tag := range f.tags {
		ev.Append(event.Tags, tag)
	}
	if !ev.Has(event.ClientAllowListed) && len(a.allow) > 0 {
		if listed, ok := a.allowed(f, ev.Str(event.OrganizationID), ev.Str(event.DataRegion)); ok {
			ev.SetBool(event.ClientAllowListed, listed)
		}
	}
	if len(f.threats) > 0 && !f.trusted && !ev.Bool(event.ClientAllowListed) {
		f.threatened(ev, client)
	}
}

// threatened sets the indicators that are in force at the time of the call. An allow list goes before:
// it is the bank's own word, and a feed is a stranger's.
func (f *addressFacts) threatened(ev *event.Event, client netip.Addr) {
	t := ev.Time(event.Timestamp)
	var surest *threat
	for i := range f.threats {
		th := &f.threats[i]
		if th.from != 0 && t < th.from || th.until != 0 && t >= th.until {
			continue
		}
		ev.Append(event.ThreatFeedName, th.feed)
		if surest == nil || th.confidence > surest.confidence {
			surest = th
		}
	}
	if surest == nil {
		return
	}
	ev.SetString(event.ThreatIndicatorName, surest.label)
	ev.SetString(event.ThreatIndicatorConfidence, confidenceNames[surest.confidence])
	if client.Is4() {
		ev.SetString(event.ThreatIndicatorType, "ipv4-addr")
	} else {
		ev.SetString(event.ThreatIndicatorType, "ipv6-addr")
	}
}
