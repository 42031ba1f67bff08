package privacy

import "github.com/liveward/liveward/internal/event"

// treatment is what the filter does with a field: its class in the table, made exact by its type and
// by where its values come from.
type treatment uint8

const (
	keep           treatment = iota // booleans, dates, and numbers that liveward counts
	date                            // dates from the log: exact where they are near the call's
	measure                         // numbers from the log: within what can be measured
	closed                          // one of the table's values, else cleared
	chosen                          // from configuration or from liveward itself: scanned for secrets alone
	code                            // a short word or version from the log
	text                            // scanned, findings masked
	identifier                      // scanned, whole value masked
	joined                          // identifier that events are joined by: whole value pseudonymised
	single                          // joined, and hardly ever the same twice
	tenant                          // joined, and never searched for copies: the caller must not change it
	urlPath                         // segments masked
	address                         // canonical, or its network
	pseudonym                       // keyed HMAC
	transient                       // cleared
	closedList                      // lists of these
	chosenList                      //
	identifierList                  //
	addressList                     //
	kindList                        // names of kinds of findings
	derived                         // made here: pseudonyms of users
)

func treatments() (t [event.NumFields]treatment) {
	for _, id := range event.Fields() {
		t[id] = treatmentOf(id)
	}
	return t
}

func treatmentOf(id event.ID) treatment {
	switch id {
	case event.RelatedUser:
		return derived
	case event.LivewardOffset, event.LivewardPrivacyCount:
		return keep
	case event.LivewardPrivacyDropped:
		return kindList
	case event.ConsentGrantedAt, event.DataRetainUntil:
		return date
	case event.LivewardMappingGap:
		return identifierList
	case event.TLSVersion, event.ClientGeoCountry, event.ClientGeoRegion:
		return code
	case event.ClientGeoCity, event.ClientASOrg:
		return text
	case event.OrganizationID, event.DataRegion:
		return tenant
	case event.HTTPRequestID, event.LivenessSessionID, event.LivenessTransactionID, event.ConsentID, event.TraceID:
		return single
	case event.GatewayConsumer, event.TLSClientJA3:
		return joined
	}
	f := event.FieldOf(id)
	list := f.Type == event.Keywords
	switch f.Type {
	case event.Long, event.Double:
		return measure
	case event.Bool, event.Date:
		return keep
	}
	switch f.Class {
	case event.Identifier:
		if list {
			return identifierList
		}
		return identifier
	case event.FreeText:
		return text
	case event.Path:
		return urlPath
	case event.Address:
		if list {
			return addressList
		}
		return address
	case event.Pseudonym:
		return pseudonym
	case event.Transient:
		return transient
	}
	switch {
	case f.Enum != nil && list:
		return closedList
	case f.Enum != nil:
		return closed
	case list:
		return chosenList
	}
	return chosen
}
