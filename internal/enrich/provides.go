package enrich

import "github.com/liveward/liveward/internal/event"

// Provides tells whether Apply sets a field on every call, or from facts that every format has: rules
// that need it are not blind where no format provides it. Fields that need a roster, or what is known
// of addresses, are not among them.
func Provides(id event.ID) bool {
	switch id {
	case event.ClientIP, event.DataClass, event.DataObjectID, event.ECSVersion, event.EventAction, event.EventCategory, event.EventDataset, event.EventKind,
		event.EventModule, event.EventOutcome, event.EventType, event.GatewayAuth, event.GatewayAuthReason,
		event.LivewardSource, event.NetworkProtocol, event.ObserverType, event.RelatedIP, event.UserAgentClass, event.UserAgentName:
		return true
	}
	return false
}

// ProvidesKeys tells whether Apply sets a field for calls whose key is on the roster.
func ProvidesKeys(id event.ID) bool {
	switch id {
	case event.APIKeyCreated, event.APIKeyOwner, event.APIKeyScope, event.ClientAllowListed, event.DataRegionAllowed:
		return true
	}
	return false
}

// ProvidesAddresses tells whether Apply can set a field from databases and lists of addresses. Which of
// them a configuration has, Addresses.Provides tells.
func ProvidesAddresses(id event.ID) bool {
	switch id {
	case event.ClientASNumber, event.ClientASOrg, event.ClientGeoCity, event.ClientGeoCountry, event.ClientGeoRegion,
		event.ClientAllowListed, event.NetworkName, event.Tags,
		event.ThreatFeedName, event.ThreatIndicatorConfidence, event.ThreatIndicatorName, event.ThreatIndicatorType:
		return true
	}
	return false
}
