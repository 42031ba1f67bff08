package formats

import (
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// This file says which fields a map may fill, and how each is read.

// target finds the field an entry fills.
func target(to strict.Node) (event.ID, bool) {
	name := to.Text()
	id, ok := event.Lookup(name)
	if !ok {
		if name != "" {
			to.Bad(strict.Suggest(name, writableNames()), "unknown field %q", name)
		}
		return 0, false
	}
	if hint, no := reserved(id); no {
		to.Bad(hint, "%s is not filled by a map", name)
		return 0, false
	}
	return id, true
}

// reserved tells which fields other stages fill, and what to write instead.
func reserved(id event.ID) (hint string, no bool) {
	switch id {
	case event.ClientAllowListed, event.ClientASNumber, event.ClientASOrg, event.ClientGeoCity,
		event.ClientGeoCountry, event.ClientGeoRegion, event.NetworkForwardedIP, event.RelatedIP:
		return "the peer goes to source.ip, the X-Forwarded-For chain to http.request.forwarded", true
	case event.LivenessMargin, event.LivenessViolation:
		return "the vendor map computes it from liveness.decision_raw and liveness.score_raw", true
	case event.EventOutcome, event.EventCategory, event.EventType, event.EventKind, event.EventModule:
		return "it follows from the status", true
	case event.APIKeyCreated, event.APIKeyOwner, event.APIKeyScope:
		return "it comes from the key roster", true
	case event.UserAgentClass, event.HTTPRequestCrossOrigin, event.RelatedUser:
		return "it is derived", true
	case event.GatewayProduct, event.ObserverProduct, event.EventProvider:
		return "it is the map's product: or name", true
	case event.AgentID, event.AgentVersion, event.ECSVersion, event.EventCreated, event.EventDataset, event.EventID,
		event.LivewardAmbiguous, event.LivewardJoinAccounts, event.LivewardJoinAge, event.LivewardJoinConsent, event.LivewardJoinEvents,
		event.LivewardJoinKind, event.LivewardJoinProblems, event.LivewardJoinStatus, event.LivewardJoinSubject, event.LivewardJoinVerdict, event.LivewardLate, event.LivewardMappingGap, event.LivewardOffset, event.LivewardPrivacyCount,
		event.LivewardPrivacyDropped, event.LivewardSkewed, event.LivewardSource, event.LogFilePath, event.Message,
		event.NetworkProtocol, event.ObserverType, event.Tags:
		return "the agent sets it", true
	}
	return "", false
}

func writableNames() []string {
	var names []string
	for _, id := range event.Fields() {
		if _, no := reserved(id); !no {
			names = append(names, id.String())
		}
	}
	return names
}

// readConversion decides how the field is filled: by what the field is, unless the map says otherwise.
func readConversion(f *fieldDef, field *event.Field, as, unit, to strict.Node) {
	o := &f.op
	if !unit.IsZero() {
		o.unit = readUnit(unit)
	}
	o.as = naturalConversion(o.to, field)
	if o.to == event.EventDuration {
		o.as = asDuration
		if unit.IsZero() && o.constant == "" {
			to.Bad("add unit: s, ms, us or ns", "event.duration needs the unit of the log")
		}
	} else if o.to == event.LivenessLatencyMS {
		if o.unit != 0 {
			o.scale = float64(o.unit) / 1e6
		}
	} else if o.unit != 0 {
		unit.Bad("", "only event.duration and liveness.latency_ms have a unit")
	}
	if o.words != nil || o.constant != "" {
		if o.as == asTime || o.as == asAddress || o.as == asURI {
			to.Bad("", "%s takes no map: and no value:", field.Name)
		}
		if field.Type == event.Keyword || field.Type == event.Keywords {
			if o.as != asTLS {
				o.as = asText
			}
		}
	} else if field.Class == event.Plain && o.as == asText {
		// Words of the log may not pass where nothing looks at them later.
		to.Bad("list the words of the log with map:, or give one with value:", "%s takes no free text from a log", field.Name)
	}
	if as.IsZero() {
		return
	}
	word := as.Text()
	if o.as == asTime {
		switch word {
		case "time":
		case "epoch_s":
			o.epoch = epochS
		case "epoch_ms":
			o.epoch = epochMS
		case "epoch_us":
			o.epoch = epochUS
		case "epoch_ns":
			o.epoch = epochNS
		default:
			as.Bad("a time is one of time, epoch_s, epoch_ms, epoch_us, epoch_ns", "%s cannot be read as %q", field.Name, word)
		}
		return
	}
	text := o.as == asText && (field.Type == event.Keyword || field.Type == event.Keywords || field.Type == event.Text)
	switch {
	case word == "lower" && text:
		o.as = asLower
	case word == "upper" && text:
		o.as = asUpper
	case word == "attempts" && field.Type == event.Long:
		o.as = asAttempts
	default:
		as.Bad("as: is lower or upper for words, attempts for retry lists, epoch_s … epoch_ns for times", "%s cannot be read as %q", field.Name, word)
	}
}

// naturalConversion is how a field is filled if the map says nothing about it.
func naturalConversion(id event.ID, field *event.Field) conversion {
	switch id {
	case event.URLPath:
		return asURI
	case event.URLDomain, event.TLSClientServerName:
		return asHost
	case event.TLSVersion:
		return asTLS
	case event.HTTPVersion:
		return asHTTPVersion
	case event.HTTPRequestMethod:
		return asMethod
	case event.HTTPRequestMimeType:
		return asMediaType
	case event.GatewayUpstreamStatus:
		return asAttempts
	case event.TraceID:
		return asTrace
	}
	switch field.Type {
	case event.IP:
		return asAddress
	case event.Date:
		return asTime
	case event.Long:
		return asInt
	case event.Double:
		return asFloat
	case event.Bool:
		return asBool
	}
	if field.Enum != nil {
		return asEnum
	}
	return asText
}

// fills are the fields an operation can set: its own, and those its conversion sets beside it.
func (o *op) fills() []event.ID {
	if o.label != "" {
		return nil
	}
	ids := []event.ID{o.to}
	switch o.as {
	case asURI:
		ids = append(ids, event.URLQuery, event.URLDomain, event.URLScheme)
	case asTLS:
		ids = append(ids, event.TLSVersionProtocol, event.TLSEstablished)
	case asAddress:
		if o.to == event.SourceIP {
			ids = append(ids, event.SourcePort)
		}
	case asAttempts:
		ids = append(ids, event.GatewayFlags)
	}
	return ids
}
