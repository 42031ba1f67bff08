package enrich

import (
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

func prefixes(t testing.TB, list ...string) []netip.Prefix {
	t.Helper()
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func enricher(t testing.TB, cfg Config) *Enricher {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestClientIP(t *testing.T) {
	e := enricher(t, Config{TrustedProxies: prefixes(t, "10.0.0.0/8", "::ffff:192.168.0.0/112", "2001:db8::/32")})
	for _, tc := range []struct{ name, peer, chain, client, forwarded string }{
		{"no chain", "203.0.113.7", "", "203.0.113.7", ""},
		{"untrusted peer writes a chain", "203.0.113.7", "198.51.100.1", "203.0.113.7", "198.51.100.1"},
		{"trusted peer", "10.1.1.1", "203.0.113.9", "203.0.113.9", "203.0.113.9"},
		{"spoofed left-most entry", "10.1.1.1", "198.51.100.1, 203.0.113.9", "203.0.113.9", "198.51.100.1"},
		{"two trusted proxies", "10.1.1.1", "198.51.100.1, 203.0.113.9, 10.2.2.2", "203.0.113.9", "198.51.100.1"},
		{"trusted all the way", "10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3", "10.3.3.3"},
		{"garbage where the caller should be", "10.1.1.1", "203.0.113.9, nonsense, 10.2.2.2", "10.1.1.1", "203.0.113.9"},
		{"garbage further left", "10.1.1.1", "<script>, 203.0.113.9", "203.0.113.9", "203.0.113.9"},
		{"nothing but garbage", "10.1.1.1", "unknown", "10.1.1.1", ""},
		{"ports", "10.1.1.1", "203.0.113.9:51120", "203.0.113.9", "203.0.113.9"},
		{"brackets and port", "10.1.1.1", "[2001:db9::1]:443", "2001:db9::1", "2001:db9::1"},
		{"RFC 7239", "10.1.1.1", `for=198.51.100.1, proto=https;For="[2001:db9::2]:8080";by=10.1.1.1`, "2001:db9::2", "198.51.100.1"},
		{"empty hops", "10.1.1.1", "203.0.113.9, ,", "203.0.113.9", "203.0.113.9"},
		{"IPv4 mapped into IPv6", "::ffff:10.1.1.1", "::ffff:203.0.113.9", "203.0.113.9", "203.0.113.9"},
		{"mapped prefix in configuration", "192.168.3.4", "203.0.113.9", "203.0.113.9", "203.0.113.9"},
		{"zone", "fe80::1%eth0", "", "fe80::1", ""},
		{"peer is no address", "backend", "203.0.113.9", "", "203.0.113.9"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var ev event.Event
			ev.SetString(event.SourceIP, tc.peer)
			ev.SetString(event.HTTPRequestForwarded, tc.chain)
			e.Apply(&ev)
			if got := ev.Str(event.ClientIP); got != tc.client {
				t.Errorf("client.ip = %q, want %q", got, tc.client)
			}
			if got := ev.Str(event.NetworkForwardedIP); got != tc.forwarded {
				t.Errorf("network.forwarded_ip = %q, want %q", got, tc.forwarded)
			}
			for _, ip := range ev.List(event.RelatedIP) {
				if c, ok := event.CanonicalIP(ip); !ok || c != ip {
					t.Errorf("related.ip holds %q", ip)
				}
			}
		})
	}
}

// A log that names the caller and no peer, as an adapter beside the gateway writes it.
func TestClientIPNamedByTheLog(t *testing.T) {
	e := enricher(t, Config{TrustedProxies: prefixes(t, "10.0.0.0/8"), Keys: roster(t)})
	for _, tc := range []struct{ name, client, chain, want, allowed string }{
		{"the caller", "203.0.113.7", "203.0.113.7", "203.0.113.7", "true"},
		{"a chain", "203.0.113.9", "203.0.113.7, 203.0.113.9", "203.0.113.9", "false"},
		{"a proxy of ours", "10.1.1.1", "203.0.113.7, 203.0.113.9, 10.1.1.1", "203.0.113.9", "false"},
		{"garbage where the caller should be", "10.1.1.1", "203.0.113.7, nonsense, 10.1.1.1", "10.1.1.1", "false"},
		{"nothing", "", "203.0.113.7", "", "absent"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var ev event.Event
			ev.SetString(event.ClientIP, tc.client)
			ev.SetString(event.HTTPRequestForwarded, tc.chain)
			ev.SetString(event.APIKeyID, "k-onb")
			e.Apply(&ev)
			allowed := "absent"
			if ev.Has(event.ClientAllowListed) {
				allowed = strconv.FormatBool(ev.Bool(event.ClientAllowListed))
			}
			if got := ev.Str(event.ClientIP); got != tc.want || allowed != tc.allowed {
				t.Errorf("client.ip %q, on the allow list: %s; want %q, %s", got, allowed, tc.want, tc.allowed)
			}
		})
	}
}

// Whatever the caller writes to the left, the address its trusted proxy wrote stands.
func TestClientIPNeverSpoofed(t *testing.T) {
	e := enricher(t, Config{TrustedProxies: prefixes(t, "10.0.0.0/8")})
	rapid.Check(t, func(t *rapid.T) {
		left := rapid.StringMatching(`[0-9a-f.,:\[\]" =for;x]{0,60}`).Draw(t, "left")
		var ev event.Event
		ev.SetString(event.SourceIP, "10.0.0.1")
		ev.SetString(event.HTTPRequestForwarded, left+", 203.0.113.50, 10.0.0.2")
		e.Apply(&ev)
		if got := ev.Str(event.ClientIP); got != "203.0.113.50" {
			t.Fatalf("client.ip = %q", got)
		}
	})
}

const rosterText = `
# the keys of the bank
keys:
  - id: k-onb
    owner: onboarding
    created: 2026-01-15
    scopes: [liveness-check, liveness-result]
    allow: [10.20.0.0/16, 203.0.113.7]
  - sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
    owner: lending
    status: revoked
  - raw: ${env:LIVEWARD_TEST_KEY}
    owner: cards
    allow: []
`

func roster(t testing.TB) *KeyRoster {
	t.Helper()
	t.Setenv("LIVEWARD_TEST_KEY", "raw-key-of-cards")
	r, err := LoadKeyRoster(strings.NewReader(rosterText), "keys.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if r.Len() != 3 {
		t.Fatalf("%d keys, want 3", r.Len())
	}
	return r
}

func TestCredentials(t *testing.T) {
	e := enricher(t, Config{Keys: roster(t)})
	type want struct{ Auth, Reason, Owner, Allowed, Flags, Category string }
	for _, tc := range []struct {
		name string
		set  func(ev *event.Event)
		want want
	}{
		{"no credential, success", status(200), want{Auth: "absent"}},
		{"no credential, 401", status(401), want{Auth: "refused", Reason: "missing_key"}},
		{"unknown key, 401", key("nobody", 401, "203.0.113.7"), want{Auth: "refused", Reason: "unknown_key"}},
		{"listed address", key("k-onb", 200, "203.0.113.7"), want{Auth: "accepted", Owner: "onboarding", Allowed: "true"}},
		{"unlisted address", key("k-onb", 200, "203.0.113.8"), want{Auth: "accepted", Owner: "onboarding", Allowed: "false"}},
		{"mapped address", key("k-onb", 200, "::ffff:10.20.1.1"), want{Auth: "accepted", Owner: "onboarding", Allowed: "true"}},
		{"unlisted and 403", key("k-onb", 403, "203.0.113.8"), want{Auth: "refused", Reason: "ip_denied", Owner: "onboarding", Allowed: "false"}},
		{"out of scope and 403", key("k-onb", 403, "203.0.113.7"), want{Auth: "refused", Reason: "scope", Owner: "onboarding", Allowed: "true"}},
		{"key by its hash, revoked", key("secret", 200, "203.0.113.7"), want{Auth: "accepted", Owner: "lending", Flags: "key_revoked"}},
		{"hash in the log", key("2BB80D537B1DA3E38BD30361AA855686BDE0EACD7162FEF6A25FE97BF527A25B", 401, ""), want{Auth: "refused", Reason: "unknown_key", Owner: "lending", Flags: "key_revoked"}},
		{"raw key, empty allow list", key("raw-key-of-cards", 200, "10.20.1.1"), want{Auth: "accepted", Owner: "cards", Allowed: "false"}},
		{"no address", key("k-onb", 200, ""), want{Auth: "accepted", Owner: "onboarding"}},
		{"429 is no refusal", key("k-onb", 429, ""), want{Owner: "onboarding"}},
		{"429 where the gateway says rate", func(ev *event.Event) {
			status(429)(ev)
			ev.SetString(event.GatewayAuthReason, "rate")
		}, want{Auth: "refused", Reason: "rate"}},
		{"500 before the service", key("x", 500, ""), want{}},
		{"422 of the service", func(ev *event.Event) { key("x", 422, "")(ev); ev.SetInt(event.GatewayUpstreamStatus, 422) }, want{Auth: "accepted"}},
		{"explicit verdict wins", func(ev *event.Event) { status(401)(ev); ev.SetString(event.GatewayAuth, "accepted") }, want{Auth: "accepted"}},
		{"explicit refusal on 200", func(ev *event.Event) {
			key("x", 200, "")(ev)
			ev.SetString(event.GatewayAuth, "refused")
			ev.SetString(event.GatewayReason, "JWT Token Expired")
		}, want{Auth: "refused", Reason: "expired"}},
		{"consumer is a credential", func(ev *event.Event) { status(200)(ev); ev.SetString(event.GatewayConsumer, "app") }, want{Auth: "accepted"}},
		{"client certificate", status(496), want{Auth: "refused", Reason: "mtls"}},
		{"403 without a reason", status(403), want{Auth: "refused", Reason: "other"}},
		{"403 by address, as Kong says it", func(ev *event.Event) {
			status(403)(ev)
			ev.SetString(event.GatewayReason, "Your IP address is not allowed")
		}, want{Auth: "refused", Reason: "ip_denied"}},
		{"a spoof is no authentication failure", func(ev *event.Event) { key("x", 200, "")(ev); ev.SetString(event.LivenessDecision, "spoof") }, want{Auth: "accepted"}},
		{"owner from the log is not believed", func(ev *event.Event) { status(200)(ev); ev.SetString(event.APIKeyOwner, "admins") }, want{Auth: "absent"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var ev event.Event
			tc.set(&ev)
			e.Apply(&ev)
			tc.want.Category = "api,web"
			if tc.want.Auth == "refused" {
				tc.want.Category += ",authentication"
			}
			got := want{
				Auth: ev.Str(event.GatewayAuth), Reason: ev.Str(event.GatewayAuthReason), Owner: ev.Str(event.APIKeyOwner),
				Flags: strings.Join(ev.List(event.GatewayFlags), ","), Category: strings.Join(ev.List(event.EventCategory), ","),
			}
			if ev.Has(event.ClientAllowListed) {
				got.Allowed = map[bool]string{true: "true", false: "false"}[ev.Bool(event.ClientAllowListed)]
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func status(code int64) func(*event.Event) {
	return func(ev *event.Event) { ev.SetInt(event.HTTPResponseStatusCode, code) }
}

func key(raw string, code int64, ip string) func(*event.Event) {
	return func(ev *event.Event) {
		ev.SetString(event.APIKeyID, raw)
		ev.SetString(event.SourceIP, ip)
		ev.SetInt(event.HTTPResponseStatusCode, code)
	}
}

func TestOutcome(t *testing.T) {
	e := enricher(t, Config{})
	for code, want := range map[int64]string{0: "unknown", 101: "success", 200: "success", 302: "success", 399: "success", 400: "failure", 401: "failure", 499: "failure", 503: "failure", -1: "unknown"} {
		var ev event.Event
		status(code)(&ev)
		e.Apply(&ev)
		if got := ev.Str(event.EventOutcome); got != want {
			t.Errorf("status %d: outcome %q, want %q", code, got, want)
		}
	}
}

func TestRosterErrors(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "keys:\n  - id: a\n    ownr: b\n", "r.yaml:3:5: unknown key"},
		{"top level", "key: []\n", "r.yaml:1:1: unknown key"},
		{"nobody allowed", "keys:\n  - id: a\n    allow:\n", "r.yaml:3:5: allow: want a text, not nothing"},
		{"empty id", "keys:\n  - id: ''\n", "r.yaml:2:9: id is empty"},
		{"no key", "keys:\n  -\n", "a key needs id, sha256 or raw"},
		{"no id", "keys:\n  - owner: b\n", "a key needs id, sha256 or raw"},
		{"literal key", "keys:\n  - raw: hunter2-hunter2\n", "r.yaml:2:10: raw: a key never stands in a file"},
		{"unset variable", "keys:\n  - raw: ${env:LIVEWARD_TEST_UNSET}\n", "LIVEWARD_TEST_UNSET is not set"},
		{"bad hash", "keys:\n  - sha256: abc\n", "r.yaml:2:13: sha256: want 64"},
		{"bad network", "keys:\n  - id: a\n    allow: [10.0.0.0/33]\n", "r.yaml:3:13: allow:"},
		{"bad status", "keys:\n  - id: a\n    status: gone\n", "r.yaml:3:13: status"},
		{"bad date", "keys:\n  - id: a\n    created: soon\n", "r.yaml:3:14: created"},
		{"twice", "keys:\n  - id: a\n  - id: a\n", "is there twice"},
		{"not a list", "keys: a\n", "r.yaml:1:7: keys: want a list"},
		{"not a mapping", "- a\n", "want a mapping"},
		{"not YAML", "keys: [\n", "r.yaml:1:7: not YAML"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := LoadKeyRoster(strings.NewReader(tc.text), "r.yaml")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want it to contain %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error shows a key: %v", err)
			}
		})
	}
	if _, err := LoadKeyRoster(strings.NewReader("keys:\n  - status: x\n    ownr: y\n"), "r.yaml"); err == nil || strings.Count(err.Error(), "\n") < 1 {
		t.Errorf("want all problems at once, got %v", err)
	}
	for _, empty := range []string{"", "# nothing\n", "keys:\n", "keys: []\n"} {
		if r, err := LoadKeyRoster(strings.NewReader(empty), "r.yaml"); err != nil || r.Len() != 0 {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

func TestKeyInURL(t *testing.T) {
	e := enricher(t, Config{})
	for _, tc := range []struct{ name, query, referrer, agent, have, want string }{
		{"query", "a=b&api_key=s3cr%33t-key", "", "", "", "s3cr3t-key"},
		{"escaped name, other case", "API%5fKEY=abc", "", "", "", "abc"},
		{"referrer", "", "https://app.example/x?token=abcd", "", "", "abcd"},
		{"user agent", "", "", "client/1.0 (X-API-Key: abcd1234)", "", "abcd1234"},
		{"key of the log stays", "key=abcd", "", "", "k-1", "k-1"},
		{"not a key", "monkey=abcd&keyword=x&apikey=", "", "turnkey: abcd", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var ev event.Event
			ev.SetString(event.URLQuery, tc.query)
			ev.SetString(event.HTTPRequestReferrer, tc.referrer)
			ev.SetString(event.UserAgentOriginal, tc.agent)
			ev.SetString(event.APIKeyID, tc.have)
			e.Apply(&ev)
			if got := ev.Str(event.APIKeyID); got != tc.want {
				t.Errorf("key %q, want %q", got, tc.want)
			}
			noted := len(ev.List(event.LivewardPrivacyDropped)) == 1 && ev.Int(event.LivewardPrivacyCount) == 1
			if noted != (tc.want != "") {
				t.Errorf("noted: %v", ev.List(event.LivewardPrivacyDropped))
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	e := enricher(t, Config{})
	for _, tc := range []struct{ method, path, want string }{
		{"POST", "/v1/liveness/check", "liveness-check"},
		{"POST", "/v1/liveness/check/", "liveness-check"},
		{"POST", "//v1//liveness/./check", "liveness-check"},
		{"POST", "/v1/x/../live%6eess/check;v=1?x=y", "liveness-check"},
		{"POST", strings.Repeat("/x", 65) + strings.Repeat("/..", 65) + "/v1/liveness/check", "liveness-check"},
		{"post", "/V1/Liveness/Check", "liveness-check"},
		{"POST", "/liveness-check", "liveness-check"},
		{"POST", "/v1/liveness/sessions", "liveness-session-create"},
		{"POST", "/v1/liveness/sessions/abc/submit", "liveness-check"},
		{"POST", "/face/v1.2/detectLiveness-sessions", "liveness-session-create"},
		{"GET", "/face/v1.2/detectLiveness-sessions/abc", "liveness-result"},
		{"GET", "/v1/liveness/results/abc", "liveness-result"},
		{"POST", "/v1/liveness/webhook", "liveness-webhook"},
		{"POST", "/webhooks/vendor", "liveness-webhook"},
		{"DELETE", "/v1/consents/7", "consent-change"},
		{"GET", "/v1/consents/7", "gateway-call"},
		{"POST", "/admin/api-keys", "key-change"},
		{"POST", "/v1/accounts", "account-opened"},
		{"GET", "/healthz", "gateway-call"},
		{"", "", "gateway-call"},
		{"POST", strings.Repeat("/x", 9) + "/v1/liveness/check", "liveness-check"},
		{"POST", strings.Repeat("/x", 10) + "/v1/liveness/check", "liveness-check"},
		{"POST", strings.Repeat("/x", 61) + "/v1/liveness/check", "liveness-check"},
		{"POST", strings.Repeat("/x", 62) + "/v1/liveness/check", "gateway-call"},
		{"POST", strings.Repeat("/liveness", 1000), "gateway-call"},
		{"POST", "/v1/liveness/" + strings.Repeat("%41", 4000), "liveness-check"},
	} {
		var ev event.Event
		ev.SetString(event.HTTPRequestMethod, tc.method)
		ev.SetString(event.URLPath, tc.path)
		e.Apply(&ev)
		if got := ev.Str(event.EventAction); got != tc.want {
			t.Errorf("%s %.60s: %s, want %s", tc.method, tc.path, got, tc.want)
		}
	}
	var ev event.Event
	ev.SetString(event.EventAction, "account-opened")
	e.Apply(&ev)
	if got := ev.Str(event.EventAction); got != "account-opened" {
		t.Errorf("action of the log became %s", got)
	}
}

// Where the answer names no session, the path of a question for its result does.
func TestSessionOfPath(t *testing.T) {
	e := enricher(t, Config{})
	for _, tc := range []struct{ method, path, have, want string }{
		{"GET", "/v1/liveness/results/s-1", "", "s-1"},
		{"GET", "/v1/liveness/results/s-1/parts/3", "", "s-1"},
		{"GET", "/v1/liveness/results/s-1", "s-2", "s-2"},
		{"GET", "/v1/liveness/sessions", "", ""},
		{"GET", "/results/liveness/results/results", "", "results"},
		{"GET", "/face/v1.2/detectLiveness-sessions/abc", "", "abc"},
		{"GET", "/v1/liveness/results/./s%2d1;x=y", "", "s-1"},
		{"POST", "/v1/liveness/sessions/abc/submit", "", ""},
		{"GET", "/healthz", "", ""},
	} {
		var ev event.Event
		ev.SetString(event.HTTPRequestMethod, tc.method)
		ev.SetString(event.URLPath, tc.path)
		ev.SetString(event.LivenessSessionID, tc.have)
		e.Apply(&ev)
		if got := ev.Str(event.LivenessSessionID); got != tc.want {
			t.Errorf("%s %s: session %q, want %q", tc.method, tc.path, got, tc.want)
		}
	}
}

// Reading and deleting of what is stored is counted by who did it and what it was, by the path where the
// log does not say.
func TestStoredObjects(t *testing.T) {
	e := enricher(t, Config{})
	for _, tc := range []struct {
		method, path, consumer, user string
		action, class, id, who       string
	}{
		{"GET", "/v1/liveness/media/s-1", "review", "", "data-read", "media", "s-1", "review"},
		{"GET", "/v1/liveness/sessions/s-1/frames/3", "review", "ann", "data-read", "frames", "3", "ann"},
		{"DELETE", "/v1/liveness/templates/t-1", "", "job", "data-deleted", "templates", "t-1", "job"},
		{"GET", "/v1/liveness/templates", "review", "", "data-read", "templates", "", "review"},
		{"GET", "/static/images/logo.png", "", "", "gateway-call", "", "", ""},
		{"GET", "/v1/liveness/results/s-1", "review", "", "liveness-result", "", "", ""},
		{"POST", "/v1/liveness/check", "review", "", "liveness-check", "", "", ""},
	} {
		var ev event.Event
		ev.SetString(event.HTTPRequestMethod, tc.method)
		ev.SetString(event.URLPath, tc.path)
		ev.SetString(event.GatewayConsumer, tc.consumer)
		ev.SetString(event.UserName, tc.user)
		e.Apply(&ev)
		got := []string{ev.Str(event.EventAction), ev.Str(event.DataClass), ev.Str(event.DataObjectID), ev.Str(event.UserName)}
		if want := []string{tc.action, tc.class, tc.id, tc.who}; !slices.Equal(got, want) {
			t.Errorf("%s %s: %q, want %q", tc.method, tc.path, got, want)
		}
	}
}

// A region is permitted or not only where the roster names regions and the log one.
func TestRegions(t *testing.T) {
	roster, err := LoadKeyRoster(strings.NewReader("keys: [{id: a, regions: [eu-central-1, EU-WEST-1]}, {id: b}]"), "keys.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e := enricher(t, Config{Keys: roster})
	for _, tc := range []struct{ key, region, want string }{
		{"a", "eu-central-1", "true"},
		{"a", "eu-west-1", "true"},
		{"a", "us-east-1", "false"},
		{"a", "", "absent"},
		{"b", "us-east-1", "absent"},
		{"c", "us-east-1", "absent"},
	} {
		var ev event.Event
		ev.SetString(event.APIKeyID, tc.key)
		ev.SetString(event.DataRegion, tc.region)
		ev.SetBool(event.DataRegionAllowed, true) // the log has no say
		e.Apply(&ev)
		got := "absent"
		if ev.Has(event.DataRegionAllowed) {
			got = strconv.FormatBool(ev.Bool(event.DataRegionAllowed))
		}
		if got != tc.want {
			t.Errorf("key %s in %q: %s, want %s", tc.key, tc.region, got, tc.want)
		}
	}
}

// The matcher agrees with a plain recursive one.
func TestMatchOracle(t *testing.T) {
	var oracle func(p, s []string) bool
	oracle = func(p, s []string) bool {
		switch {
		case len(p) == 0:
			return len(s) == 0
		case p[0] == "**":
			return oracle(p[1:], s) || (len(s) > 0 && oracle(p, s[1:]))
		}
		if len(s) == 0 {
			return false
		}
		same, err := path.Match(p[0], strings.ToLower(s[0]))
		return err == nil && same && oracle(p[1:], s[1:])
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.SampledFrom([]string{"**", "*", "a", "b", "a*", "*b"}), 0, 6).Draw(t, "pattern")
		s := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab", "AB", "c"}), 0, 8).Draw(t, "segments")
		var segments []segment
		for _, text := range p {
			segments = append(segments, compileSegment(text))
		}
		if got, want := match(segments, s), oracle(p, s); got != want {
			t.Fatalf("match = %v, want %v", got, want)
		}
	})
}

func TestBadConfig(t *testing.T) {
	_, err := New(Config{Routes: []Route{{Path: "/x", Action: "dance"}, {Path: "x", Action: "gateway-call"}, {Path: "/a*b*", Action: "gateway-call"}}, TrustedProxies: []netip.Prefix{{}}})
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("want four problems, got %v", err)
	}
}

func TestAgentClass(t *testing.T) {
	for ua, want := range map[string]string{
		"okhttp/4.12.0": "mobile", "BankApp/3.1 CFNetwork/1496.0.7 Darwin/23.5.0": "mobile", "Dart/3.4 (dart:io)": "mobile",
		"Dalvik/2.1.0 (Linux; U; Android 14; SM-S918B)":                                                                                  "mobile",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36":                    "browser",
		"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0":                                                         "browser",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0 Mobile Safari/537": "mobile",
		"curl/8.9.1": "backend", "python-requests/2.32": "backend", "Go-http-client/2.0": "backend", "Java/21.0.3": "backend", "Apache-HttpClient/5.3": "backend",
		"ReactorNetty/1.1.22": "backend", "liveness-sdk-java/3.2.1": "backend", "liveness-sdk-android/3.2": "mobile", "acme-webhook/2.3": "backend",
		"sqlmap/1.8#stable": "scanner", "Mozilla/5.00 (Nikto/2.5.0)": "scanner", "Mozilla/5.0 (compatible; Nuclei - Open-source project)": "scanner",
		"Mozilla/4.0": "browser", "kiosk-client/2.0": "other", "x": "other",
	} {
		if got := AgentClass(ua); got != want {
			t.Errorf("%s: %s, want %s", ua, got, want)
		}
	}
}

func TestAgentName(t *testing.T) {
	for ua, want := range map[string]string{
		"okhttp/4.12.0":                          "okhttp",
		"okhttp/5.0.0":                           "okhttp",
		"Apache-HttpClient/5.3.1 (Java/17.0.12)": "Apache-HttpClient",
		"Blackbox Exporter/0.25.0":               "Blackbox Exporter",
		"MyBank 3.2 (iPhone; iOS 18.1)":          "MyBank",
		"MyBank v3 CFNetwork/1490":               "MyBank",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36":                         "Chrome",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0":               "Edge",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1": "Safari",
		"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0":                                                                  "Firefox",
		"Mozilla/5.0": "browser",
		"curl":        "curl",
		"/x":          "",
		" 7":          "",
	} {
		if got := agentName(ua, AgentClass(ua)); got != want {
			t.Errorf("%s: %q, want %q", ua, got, want)
		}
	}
}

func TestStampIsConfiguration(t *testing.T) {
	e := enricher(t, Config{Source: "gw1", Tenant: "bank-a", Environment: "production", Region: "id", Tags: []string{"edge"}})
	var ev event.Event
	ev.SetString(event.ServiceEnvironment, "staging")
	ev.Append(event.Tags, "forged")
	ev.SetString(event.OrganizationID, "bank-b")
	e.Apply(&ev)
	got := []string{ev.Str(event.LivewardSource), ev.Str(event.ServiceEnvironment), strings.Join(ev.List(event.Tags), ","), ev.Str(event.OrganizationID), ev.Str(event.DataRegion)}
	if d := cmp.Diff([]string{"gw1", "production", "edge", "bank-b", "id"}, got); d != "" {
		t.Error(d)
	}
}

func TestWatch(t *testing.T) {
	const minute = int64(60e9)
	e := enricher(t, Config{Source: "gw1"})
	w := NewWatch(0, 0)
	call := func(at int64, code int64, decision string) {
		var ev event.Event
		ev.SetTime(event.Timestamp, at)
		ev.SetString(event.HTTPRequestMethod, "POST")
		ev.SetString(event.URLPath, "/v1/liveness/check")
		ev.SetInt(event.HTTPResponseStatusCode, code)
		ev.SetString(event.LivenessDecision, decision)
		e.Apply(&ev)
		w.Observe(e, &ev)
	}
	for i := range int64(6) {
		call(i*minute, 200, "")
	}
	if got := w.Report(9 * minute); got != nil {
		t.Errorf("reported before the window was over: %v", got)
	}
	got := w.Report(10 * minute)
	if len(got) != 1 || got[0].Calls != 6 || !strings.HasPrefix(got[0].String(), "0 outcomes seen in 10m on a liveness route: source gw1") {
		t.Errorf("got %v", got)
	}
	if got := w.Report(30 * minute); got != nil {
		t.Errorf("reported again: %v", got)
	}
	for i := range int64(20) {
		call((40+i)*minute, 401, "") // refused calls owe no outcome
	}
	if got := w.Report(90 * minute); got != nil {
		t.Errorf("refused calls: %v", got)
	}
	for i := range int64(9) {
		call((100+i)*minute, 200, "")
	}
	call(109*minute, 200, "spoof")
	if got := w.Report(120 * minute); got != nil {
		t.Errorf("with an outcome: %v", got)
	}
}

func common(ev *event.Event) {
	ev.Reset()
	ev.SetString(event.SourceIP, "10.20.0.5")
	ev.SetString(event.HTTPRequestForwarded, "203.0.113.24")
	ev.SetString(event.HTTPRequestMethod, "POST")
	ev.SetString(event.URLPath, "/v1/liveness/check")
	ev.SetString(event.UserAgentOriginal, "okhttp/4.12.0")
	ev.SetString(event.APIKeyID, "raw-key-of-cards")
	ev.SetInt(event.HTTPResponseStatusCode, 200)
}

func TestApplyAllocatesNothing(t *testing.T) {
	e := enricher(t, Config{Source: "gw1", Tags: []string{"edge"}, TrustedProxies: prefixes(t, "10.0.0.0/8"), Keys: roster(t)})
	var ev event.Event
	if n := testing.AllocsPerRun(200, func() { common(&ev); e.Apply(&ev) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestConcurrent(t *testing.T) {
	e := enricher(t, Config{TrustedProxies: prefixes(t, "10.0.0.0/8"), Keys: roster(t)})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var ev event.Event
			for range 500 {
				common(&ev)
				e.Apply(&ev)
				if ev.Str(event.UserAgentClass) != "mobile" || ev.Str(event.ClientIP) != "203.0.113.24" {
					t.Error("wrong result")
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzApply: no panic, and what is derived is always a word of the table.
func FuzzApply(f *testing.F) {
	f.Add("10.0.0.1", "203.0.113.9, 10.0.0.2", "POST", "/v1/liveness/check", "api_key=abc", "curl/8", "k", 401)
	f.Add("::1", "for=\"[::1]:1\";by=x", "GET", "/a/%2e%2e/..;/b", "%6bey=1", "x-api-key: aaaa", "", 200)
	e := enricher(f, Config{TrustedProxies: prefixes(f, "10.0.0.0/8", "::/64")})
	f.Fuzz(func(t *testing.T, ip, chain, method, path, query, ua, raw string, code int) {
		var ev event.Event
		ev.SetString(event.SourceIP, ip)
		ev.SetString(event.HTTPRequestForwarded, chain)
		ev.SetString(event.HTTPRequestMethod, method)
		ev.SetString(event.URLPath, path)
		ev.SetString(event.URLQuery, query)
		ev.SetString(event.HTTPRequestReferrer, path+"?"+query)
		ev.SetString(event.UserAgentOriginal, ua)
		ev.SetString(event.GatewayReason, ua)
		ev.SetString(event.APIKeyID, raw)
		ev.SetInt(event.HTTPResponseStatusCode, int64(code))
		e.Apply(&ev)
		ev.Present(func(id event.ID) {
			fd := event.FieldOf(id)
			if fd.Enum != nil && fd.Type == event.Keyword {
				ok := false
				for _, v := range fd.Enum {
					ok = ok || v == ev.Str(id)
				}
				if !ok {
					t.Errorf("%s = %q", id, ev.Str(id))
				}
			}
			if fd.Type == event.IP {
				if c, ok := event.CanonicalIP(ev.Str(id)); !ok || c != ev.Str(id) {
					t.Errorf("%s = %q", id, ev.Str(id))
				}
			}
		})
		refused := ev.Str(event.GatewayAuth) == "refused"
		if strings.Contains(strings.Join(ev.List(event.EventCategory), " "), "authentication") != refused {
			t.Errorf("categories %v with auth %q", ev.List(event.EventCategory), ev.Str(event.GatewayAuth))
		}
	})
}

func FuzzLoadKeyRoster(f *testing.F) {
	f.Add(rosterText)
	f.Add("keys: [{id: a, allow: [::/0]}]")
	f.Add("keys:\n- *a\n- &a {id: !!str 1}\n- <<: {}\n")
	f.Fuzz(func(_ *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		_, _ = LoadKeyRoster(strings.NewReader(text), "r.yaml")
	})
}

func BenchmarkApply(b *testing.B) {
	b.Setenv("LIVEWARD_TEST_KEY", "raw-key-of-cards")
	keys, err := LoadKeyRoster(strings.NewReader(rosterText), "keys.yaml")
	if err != nil {
		b.Fatal(err)
	}
	e := enricher(b, Config{TrustedProxies: prefixes(b, "10.0.0.0/8"), Keys: keys})
	var ev event.Event
	b.ReportAllocs()
	for b.Loop() {
		common(&ev)
		e.Apply(&ev)
	}
}
