package formats

import (
	"bytes"

	"github.com/liveward/liveward/internal/event"
)

// Values that no map asks for are never copied. What they look like is noticed in passing, because a
// face or a key in a gateway's log is a finding of its own. The checks are cheap and see only what
// stands in the clear; what a map does keep is judged by privacy.

const (
	minInspect  = 256  // shorter strings hold no image worth the name
	minEncoded  = 2000 // from here on a long run of base64 is a finding without an image's signature
	encodedRun  = 1000 // characters of base64 in a row
	minTemplate = 64   // numbers in a row: a face template, not a list of codes
)

// Kinds of values that were dropped, as liveward.privacy.dropped names them.
const (
	droppedImage    = "image"
	droppedBase64   = "base64"
	droppedTemplate = "template"
	droppedSecret   = "secret"
	droppedOversize = "oversize"
)

// note writes the findings into the event.
func (f *findings) note(ev *event.Event) {
	n := f.image + f.base64 + f.template + f.secret
	if n == 0 {
		return
	}
	if f.image > 0 {
		ev.Append(event.LivewardPrivacyDropped, droppedImage)
	}
	if f.base64 > 0 {
		ev.Append(event.LivewardPrivacyDropped, droppedBase64)
	}
	if f.template > 0 {
		ev.Append(event.LivewardPrivacyDropped, droppedTemplate)
	}
	if f.secret > 0 {
		ev.Append(event.LivewardPrivacyDropped, droppedSecret)
	}
	ev.SetInt(event.LivewardPrivacyCount, ev.Int(event.LivewardPrivacyCount)+int64(n))
}

// inspect judges an unmapped string of minInspect bytes or more.
func (f *findings) inspect(v []byte) {
	switch {
	case hasImage(v):
		f.image++
	case len(v) >= minEncoded && longRun(v) >= 0:
		f.base64++
	}
}

// hasImage tells whether v holds a data URL, or a JPEG, PNG, GIF or WebP in base64, also in the midst
// of other text: a logged body is JSON within a string. Some encoders write every slash as \/.
func hasImage(v []byte) bool {
	if bytes.Contains(v, []byte("data:image")) {
		return true
	}
	for _, sig := range [...]string{"/9j/", `/9j\/`, "iVBORw0K", "R0lGOD", "UklGR"} {
		if i := bytes.Index(v, []byte(sig)); i >= 0 && base64Run(v[i:]) {
			return true
		}
	}
	return false
}

// base64Run tells whether v begins with enough base64 to be an image: the signatures are short.
func base64Run(v []byte) bool {
	if len(v) < minInspect/2 {
		return false
	}
	for _, c := range v[:minInspect/2] {
		if !base64Byte(c) {
			return false
		}
	}
	return true
}

// longRun finds encodedRun bytes of base64 in a row and returns where the run begins, or -1. It looks
// at the byte where a run starting here would have to end, so that ordinary text costs little.
func longRun(v []byte) int {
	for i := 0; i+encodedRun <= len(v); {
		j := i + encodedRun - 1
		for j >= i && base64Byte(v[j]) {
			j--
		}
		if j < i {
			return i
		}
		i = j + 1
	}
	return -1
}

// base64Byte accepts both alphabets and the backslash of escaped slashes and line ends.
func base64Byte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '+' || c == '/' || c == '-' || c == '_' || c == '=' || c == '\\'
}

// secretName tells whether an unmapped key names a credential.
func secretName(k []byte) bool {
	if len(k) < 3 || len(k) > 19 {
		return false
	}
	switch k[0] | 0x20 {
	case 'a':
		return foldAny(k, "authorization", "api_key", "apikey", "api-key", "access_token", "access-token")
	case 'c':
		return foldAny(k, "cookie", "client_secret")
	case 'i':
		return foldAny(k, "id_token")
	case 'p':
		return foldAny(k, "password", "passwd", "pwd", "proxy-authorization")
	case 'r':
		return foldAny(k, "refresh_token")
	case 's':
		return foldAny(k, "secret", "set-cookie")
	case 't':
		return foldAny(k, "token")
	case 'x':
		return foldAny(k, "x-api-key", "x_api_key", "x-auth-token")
	}
	return false
}

func foldAny(k []byte, words ...string) bool {
	for _, w := range words {
		if equalFold(k, w) {
			return true
		}
	}
	return false
}

// secretValue tells whether a JSON value holds something: not empty, and not what gateways put in
// the place of a value they have taken out.
func secretValue(v []byte) bool {
	if len(v) == 0 || v[0] == 'n' || v[0] == 't' || v[0] == 'f' {
		return false
	}
	if v[0] != '"' {
		return string(v) != "{}" && string(v) != "[]"
	}
	v = v[1 : len(v)-1]
	if len(v) == 0 || string(v) == "-" || v[0] == '*' {
		return false
	}
	return !foldAny(v, "redacted", "[redacted]", "<redacted>", "hidden", "masked", "[filtered]")
}
