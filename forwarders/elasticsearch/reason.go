package elasticsearch

import (
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// reason says why a document was refused, without what the document held: Elasticsearch quotes values
// in its reasons ("Preview of field's value: …", "prefix of the first immense term is …"). Only the
// error's type and the name of a field that is ours are taken from it.
func reason(e *apiError) string {
	if e == nil {
		return "no reason given"
	}
	out := word(e.Type)
	if f := fieldIn(e.Reason); f != "" {
		out += ": field " + f
	}
	return out
}

// word passes an error type, which is a word of Elasticsearch, and nothing else.
func word(s string) string {
	if s == "" {
		return "no error type given"
	}
	if len(s) > 80 {
		return "unknown error type"
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return "unknown error type"
		}
	}
	return s
}

// maxReasonScan bounds how much of a reason is looked at; the field stands near its beginning.
const maxReasonScan = 4 << 10

// fieldIn returns the first field of ours that the reason names in brackets or quotes.
func fieldIn(reason string) string {
	reason = reason[:min(len(reason), maxReasonScan)]
	for reason != "" {
		i := strings.IndexAny(reason, `["`)
		if i < 0 {
			return ""
		}
		end := strings.IndexAny(reason[i+1:], `]"`)
		if end < 0 {
			return ""
		}
		if f := ourField(reason[i+1 : i+1+end]); f != "" {
			return f
		}
		reason = reason[i+1:]
	}
	return ""
}

// ourField returns the name where it is a field of the mapping; of a label it tells no more than that.
func ourField(name string) string {
	if strings.HasPrefix(name, "labels.") {
		return "labels.*"
	}
	if id, ok := event.Lookup(name); ok {
		return id.String()
	}
	for _, f := range event.AlertFields() {
		if f.Name == name {
			return f.Name
		}
	}
	return ""
}
