package pipeline

import "github.com/liveward/liveward/internal/event"

// Provides tells whether the stages themselves can set a field of an event, whatever its format: where
// it comes from, and what became of it on the way.
func Provides(id event.ID) bool {
	switch id {
	case event.Timestamp, event.AgentID, event.AgentVersion, event.HostName, event.EventID, event.EventCreated,
		event.LivewardAmbiguous, event.LivewardLate, event.LivewardMappingGap, event.LivewardOffset, event.LivewardPrivacyCount,
		event.LivewardPrivacyDropped, event.LivewardSkewed, event.LivewardSource, event.LogFilePath,
		event.ErrorMessage, event.Message: // the last two of a quarantined line
		return true
	}
	return IsHealthField(id)
}
