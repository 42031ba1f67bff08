package privacy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/event"
)

// ids are how gateways and vendors number what they do.
func ids(r *rand.Rand) map[string]func() string {
	const hex, base32, base36 = "0123456789abcdef", "0123456789ABCDEFGHJKMNPQRSTVWXYZ", "0123456789abcdefghijklmnopqrstuvwxyz"
	const base62 = base36 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	of := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	between := func(from, to int64) string { return fmt.Sprint(from + r.Int64N(to-from)) }
	uuid := func() string {
		return of(hex, 8) + "-" + of(hex, 4) + "-4" + of(hex, 3) + "-a" + of(hex, 3) + "-" + of(hex, 12)
	}
	return map[string]func() string{
		"uuid":               uuid,
		"UUID":               func() string { return strings.ToUpper(uuid()) },
		"ulid":               func() string { return "01J" + of(base32, 23) },
		"nginx request id":   func() string { return of(hex, 32) },
		"HEX":                func() string { return strings.ToUpper(of(hex, 32)) },
		"16 hex":             func() string { return of(hex, 16) },
		"sha1":               func() string { return of(hex, 40) },
		"sha256":             func() string { return of(hex, 64) },
		"object id":          func() string { return "66" + of(hex, 22) },
		"base36":             func() string { return of(base36, 25) },
		"ksuid":              func() string { return "2" + of(base62, 26) },
		"AWS trace":          func() string { return "Root=1-" + of(hex, 8) + "-" + of(hex, 24) },
		"traceparent":        func() string { return "00-" + of(hex, 32) + "-" + of(hex, 16) + "-01" },
		"snowflake":          func() string { return between(1_100_000_000_000_000_000, 1_900_000_000_000_000_000) },
		"epoch ms":           func() string { return between(1_600_000_000_000, 2_000_000_000_000) },
		"epoch us":           func() string { return between(1_600_000_000_000_000, 2_000_000_000_000_000) },
		"epoch ns":           func() string { return between(1_600_000_000_000_000_000, 2_000_000_000_000_000_000) },
		"epoch ms, sequence": func() string { return between(1_600_000_000_000, 2_000_000_000_000) + "-" + of(hex[:10], 6) },
		"date, sequence":     func() string { return "20260314" + of(hex[:10], 8) },
		"date and time":      func() string { return "20260314091244" + of(hex[:10], 3) },
		"prefix and digits":  func() string { return "txn-" + of(hex[:10], 16) },
		"apigee": func() string {
			return "rrt-" + of(hex[:10], 19) + "-d-gce-" + of(hex[:10], 5) + "-" + of(hex[:10], 8) + "-1"
		},
		"connection": func() string { return of(hex[:10], 8) + "#" + of(hex[:10], 5) + ": *" + of(hex[:10], 9) },
		"pod":        func() string { return "gw-" + of(hex, 10) + "-" + of(base36, 5) },
		"ray":        func() string { return of(hex, 16) + "-CGK" },
	}
}

// What pages on-call is not reported of ids, wherever they stand.
func TestIDsAreNotReportedAsPeople(t *testing.T) {
	w := filter(t, false).Worker()
	var ev event.Event
	for name, id := range ids(rand.New(rand.NewPCG(1, 2))) {
		for range 1000 {
			v := id()
			for field, text := range map[event.ID]string{
				event.HTTPRequestID: v, event.LivenessSessionID: v, event.TraceID: v, event.OrganizationID: v, event.AppVersion: v,
				event.URLPath: "/v1/liveness/results/" + v, event.UserAgentOriginal: "bank/2.0 (" + v + ")",
				event.GatewayReason: "upstream failed for " + v + ", again", event.URLQuery: "lang=id&session_id=" + v,
			} {
				ev.Reset()
				ev.SetString(field, text)
				w.Apply(&ev)
				for _, kind := range ev.List(event.LivewardPrivacyDropped) {
					if slices.Contains([]string{"email", "phone", "pan", "iban", "national_id", "image"}, kind) {
						t.Fatalf("%s: %s in %s is reported as %s", name, v, field, kind)
					}
				}
			}
		}
	}
}

// Ids of digits alone, which is what numbers of people are too, are masked where they look like one,
// and reported as number.
func TestDigitsInIdentifiers(t *testing.T) {
	w := filter(t, false).Worker()
	r := rand.New(rand.NewPCG(3, 4))
	var ev event.Event
	masked := 0
	const n = 20_000
	for range n {
		v := fmt.Sprint(1_000_000_000_000_000 + r.Int64N(9_000_000_000_000_000))
		ev.Reset()
		ev.SetString(event.HTTPRequestID, v)
		w.Apply(&ev)
		switch kinds := ev.List(event.LivewardPrivacyDropped); {
		case len(kinds) == 0 && ev.Str(event.HTTPRequestID) == v:
		case slices.Equal(kinds, []string{"number"}) && ev.Str(event.HTTPRequestID) != v:
			masked++
		default:
			t.Fatalf("%s is reported as %v and kept as %s", v, kinds, ev.Str(event.HTTPRequestID))
		}
	}
	if masked == 0 || masked > n/15 {
		t.Errorf("%d of %d ids are masked", masked, n)
	}
}
