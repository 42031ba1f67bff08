package enrich

import (
	"net/netip"

	"github.com/liveward/liveward/internal/event"
)

// describe looks the call's key up in the roster and sets what it says of it.
func (r *KeyRoster) describe(ev *event.Event, client netip.Addr) *rosterKey {
	// The roster alone says these: a log cannot.
	ev.Clear(event.APIKeyOwner)
	ev.Clear(event.APIKeyCreated)
	ev.Clear(event.APIKeyScope)
	ev.Clear(event.ClientAllowListed)
	ev.Clear(event.DataRegionAllowed)
	raw := ev.Str(event.APIKeyID)
	if r == nil || raw == "" {
		return nil
	}
	k := r.lookup(raw)
	if k == nil {
		return nil
	}
	ev.SetString(event.APIKeyOwner, k.owner)
	if k.created != 0 {
		ev.SetTime(event.APIKeyCreated, k.created)
	}
	for _, s := range k.scopes {
		ev.Append(event.APIKeyScope, s)
	}
	if k.limited && client.IsValid() {
		ev.SetBool(event.ClientAllowListed, contains(k.allow, client))
	}
	if region := ev.Str(event.DataRegion); region != "" && len(k.regions) > 0 {
		ev.SetBool(event.DataRegionAllowed, k.resides(region))
	}
	if k.revoked {
		ev.Append(event.GatewayFlags, "key_revoked")
	}
	return k
}

// credentials sets the verdict on the caller's credentials: what the log says, else what status and
// reason mean.
func (e *Enricher) credentials(ev *event.Event, k *rosterKey) {
	auth, reason := ev.Str(event.GatewayAuth), ev.Str(event.GatewayAuthReason)
	if auth == "" && reason != "" {
		auth = "refused"
	}
	if auth != "" {
		ev.SetString(event.GatewayAuth, auth)
		switch {
		case auth != "refused":
			ev.Clear(event.GatewayAuthReason)
		case reason == "":
			ev.SetString(event.GatewayAuthReason, e.refusal(ev, k))
		}
		return
	}
	presented := ev.Has(event.APIKeyID) || ev.Has(event.UserName) || ev.Has(event.GatewayConsumer)
	status := ev.Int(event.HTTPResponseStatusCode)
	switch status {
	case 401, 403, 407, 495, 496:
		ev.SetString(event.GatewayAuth, "refused")
		ev.SetString(event.GatewayAuthReason, e.refusal(ev, k))
		return
	}
	switch {
	case !presented:
		ev.SetString(event.GatewayAuth, "absent")
	case status >= 100 && status < 400, status >= 100 && ev.Has(event.GatewayUpstreamStatus) && status != 429:
		// A call that was passed on to the service had got past the gateway's check.
		ev.SetString(event.GatewayAuth, "accepted")
	}
}

// refusal says why credentials were refused.
func (e *Enricher) refusal(ev *event.Event, k *rosterKey) string {
	for _, id := range [...]event.ID{event.GatewayReason, event.EventReason, event.ErrorCode, event.ErrorMessage} {
		if s := ev.Str(id); s != "" {
			if r := reasonOf(s); r != "" {
				return r
			}
		}
	}
	presented := ev.Has(event.APIKeyID) || ev.Has(event.UserName) || ev.Has(event.GatewayConsumer)
	switch ev.Int(event.HTTPResponseStatusCode) {
	case 495, 496:
		return "mtls"
	case 401, 407:
		if !presented {
			return "missing_key"
		}
		return "unknown_key"
	case 403:
		switch {
		case ev.Has(event.ClientAllowListed) && !ev.Bool(event.ClientAllowListed):
			return "ip_denied"
		case k != nil && !k.grants(ev.Str(event.EventAction)):
			return "scope"
		}
	}
	return "other"
}

// maxReason bounds the text that is looked at for a reason.
const maxReason = 256

// reasons are the words gateways use; the first that is found decides.
//
//nolint:gochecknoglobals // constant
var reasons = [...]struct{ words, reason string }{
	{"expired", "expired"},
	{"revoked", "revoked"},
	{"no api key", "missing_key"},
	{"missing", "missing_key"},
	{"no credentials", "missing_key"},
	{"not provided", "missing_key"},
	{"ip address", "ip_denied"},
	{"ip_denied", "ip_denied"},
	{"ip not allowed", "ip_denied"},
	{"ip-restriction", "ip_denied"},
	{"ip restriction", "ip_denied"},
	{"ip_restriction", "ip_denied"},
	{"invalid api key", "unknown_key"},
	{"invalid key", "unknown_key"},
	{"invalid authentication", "unknown_key"},
	{"unknown key", "unknown_key"},
	{"unknown_key", "unknown_key"},
	{"invalid_key", "unknown_key"},
	{"scope", "scope"},
	{"permission", "scope"},
	{"cannot consume", "scope"},
	{"insufficient", "scope"},
	{"certificate", "mtls"},
	{"mtls", "mtls"},
	{"rate limit", "rate"},
	{"quota", "rate"},
	{"jwt", "token"},
	{"token", "token"},
}

func reasonOf(s string) string {
	s = s[:min(len(s), maxReason)]
	for i := range reasons {
		if containsFold(s, reasons[i].words) {
			return reasons[i].reason
		}
	}
	return ""
}

// containsFold tells whether s contains sub, which is lower case.
func containsFold(s, sub string) bool {
next:
	for i := 0; i+len(sub) <= len(s); i++ {
		for j := range len(sub) {
			if lower(s[i+j]) != sub[j] {
				continue next
			}
		}
		return true
	}
	return false
}
