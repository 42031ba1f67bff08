package privacy

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

func filter(t testing.TB, truncate bool) *Filter {
	t.Helper()
	f, err := New(Config{Keys: []Key{DevelopmentKey()}, TruncateIP: truncate})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func key(epoch string, fill byte) Key {
	return Key{Epoch: epoch, Secret: []byte(strings.Repeat(string(fill), MinSecret))}
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no key":            {},
		"short key":         {Keys: []Key{{Epoch: "e1", Secret: make([]byte, 31)}}},
		"no epoch":          {Keys: []Key{key("", 'a')}},
		"epoch with hyphen": {Keys: []Key{key("e-1", 'a')}},
		"same epoch twice":  {Keys: []Key{key("e1", 'a'), key("e1", 'b')}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestKeys(t *testing.T) {
	line1, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	line2, _ := GenerateKey()
	keys, err := ParseKeys("# old\n" + line1 + "\n\n" + line2 + "\r\n")
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	if _, err := New(Config{Keys: keys}); err != nil {
		t.Error(err)
	}
	secret := strings.SplitN(line1, ":", 2)[1]
	for _, shown := range []string{fmt.Sprint(keys), fmt.Sprintf("%+v %#v", keys[0], keys[0]), keys[0].LogValue().String()} {
		if strings.Contains(shown, secret) || strings.Contains(shown, string(keys[0].Secret)) {
			t.Error("a key prints its secret")
		}
	}
	for _, bad := range []string{"", "# only", "e1", "e1:***", "e1:YWJj", "E1:" + secret, line1 + "\n" + line1} {
		_, err := ParseKeys(bad)
		if err == nil {
			t.Errorf("%.10q: no error", bad)
		} else if strings.Contains(err.Error(), "YWJj") || strings.Contains(err.Error(), secret) {
			t.Errorf("error shows a secret: %v", err)
		}
	}
}

func TestPseudonyms(t *testing.T) {
	f, err := New(Config{Keys: []Key{key("e1", 'a'), key("e2", 'b')}})
	if err != nil {
		t.Fatal(err)
	}
	apply := func(set map[event.ID]string) *event.Event {
		ev := &event.Event{}
		for id, s := range set {
			ev.SetString(id, s)
		}
		f.Worker().Apply(ev)
		return ev
	}
	ev := apply(map[event.ID]string{event.UserID: "same", event.UserName: "same", event.DeviceID: "same", event.APIKeyID: "same", event.LivenessMediaDigest: "same"})
	user := ev.Str(event.UserID)
	if ev.Str(event.UserName) != user {
		t.Error("user.id and user.name share a domain and differ")
	}
	// Of every pseudonym it says what it was under the former key, so that what was counted before goes on.
	former := map[event.ID]string{}
	for _, v := range ev.Former {
		former[v.Field] = v.Str
	}
	for _, id := range []event.ID{event.UserID, event.UserName, event.DeviceID, event.APIKeyID, event.LivenessMediaDigest} {
		if want := f.Pseudonyms(id, "same")[1]; former[id] != want {
			t.Errorf("%s was %q, want %q", id, former[id], want)
		}
	}
	if len(ev.Former) != 5 {
		t.Errorf("former pseudonyms are %v, want one of each field", ev.Former)
	}
	if doc := string(ev.AppendJSON(nil)); strings.Contains(doc, "e1-") {
		t.Errorf("former pseudonyms are in the document %s", doc)
	}
	if ev.Reset(); len(ev.Former) != 0 {
		t.Errorf("an event that was reset was %v", ev.Former)
	}
	ev = apply(map[event.ID]string{event.UserID: "same", event.DeviceID: "same", event.APIKeyID: "same", event.LivenessMediaDigest: "same"})
	seen := map[string]bool{}
	for _, id := range []event.ID{event.UserID, event.DeviceID, event.APIKeyID, event.LivenessMediaDigest} {
		p := ev.Str(id)
		if seen[p] {
			t.Errorf("%s has the pseudonym of another domain", id)
		}
		seen[p] = true
		if len(p) != len("e2-")+event.HashTextLen || !strings.HasPrefix(p, "e2-") {
			t.Errorf("%s = %q", id, p)
		}
		if got := f.Pseudonyms(id, "same"); len(got) != 2 || got[0] != p || !strings.HasPrefix(got[1], "e1-") || got[0][3:] == got[1][3:] {
			t.Errorf("%s: pseudonyms %v, event has %s", id, got, p)
		}
	}
	if d := cmp.Diff([]string{user}, ev.List(event.RelatedUser)); d != "" {
		t.Errorf("related.user %s", d)
	}
	// What looks like a pseudonym of ours is hashed again.
	if again := apply(map[event.ID]string{event.UserID: user}).Str(event.UserID); again == user {
		t.Error("a pseudonym from the log was believed")
	}
	// Pseudonyms are for ever: a change here breaks every stored history.
	if got := filter(t, false).Pseudonyms(event.UserID, "alice")[0]; got != "dev-na2pudsoflbjxmgu3txjhcciim" {
		t.Errorf("pseudonym of alice is %s", got)
	}
}

var jwt = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"

var face = "/9j/4AAQSkZJRgABAQEASABIAAD" + strings.Repeat("2wBDAAMCAgMCAgMDAwMEAwME", 200)

// texts filters texts, which must become others, or stay where they are "".
func texts(t *testing.T, cases map[string]string) {
	t.Helper()
	for in, want := range cases {
		if want == "" {
			want = in
		}
		var ev event.Event
		ev.SetString(event.UserAgentOriginal, in)
		filter(t, false).Worker().Apply(&ev)
		if got := ev.Str(event.UserAgentOriginal); got != want {
			t.Errorf("%.80q\n got %.120q\nwant %.120q", in, got, want)
		}
		if noted := len(ev.List(event.LivewardPrivacyDropped)) > 0; noted != (want != in) {
			t.Errorf("%.80q: noted %v", in, ev.List(event.LivewardPrivacyDropped))
		}
	}
}

func TestText(t *testing.T) {
	texts(t, map[string]string{
		// What must go.
		"user alice@bank.example failed":                  "user [email] failed",
		"mail=alice%40bank.example;":                      "[email];",
		"mail alice%2540bank.example":                     "mail [email]",
		"ali\u200bce@bank.exam\x00ple":                    "[email]",
		"token " + jwt + " expired":                       "token [jwt] expired",
		"card 4111 1111 1111 1111 12/26":                  "card [pan] 12/26",
		"card4111111111111111x":                           "card[pan]x",
		"3782-822463-10005":                               "[pan]",
		"call +62 812-3456-7890 200 ms":                   "call [phone] 200 ms",
		"call (+6281234567890)":                           "call ([phone])",
		"call 081234567890":                               "call [phone]",
		"nik 3201014107900001":                            "nik [national_id]",
		"cpf 529.982.247-25 or 52998224725":               "cpf [national_id] or [national_id]",
		"aadhaar 2341 2341 2346":                          "aadhaar [national_id]",
		"ssn 123-45-6789":                                 "ssn [national_id]",
		"iban DE89 3704 0044 0532 0130 00 x":              "iban [iban] x",
		"iban GB82WEST12345698765432":                     "iban [iban]",
		"password=hunter2 next":                           "password=[secret] next",
		`{"api_key": "abc123", "a":1}`:                    `{"api_key": "[secret]", "a":1}`,
		"GET /v1/x?access_token=abc&lang=en HTTP/1.1":     "GET /v1/x?access_token=[secret]&lang=en HTTP/1.1",
		"Authorization: Bearer abc.def-123":               "Authorization: Bearer [credential]",
		"basic dXNlcjpwYXNz":                              "basic [credential]",
		"key sk_live_abcdefghijklmnop":                    "key [secret]",
		"bank_prod_a8s7d6f5g4":                            "[secret]",
		"aws AKIAIOSFODNN7EXAMPLE":                        "aws [secret]",
		"https://hooks.slack.com/services/T0AB/B0CD/x1y2": "https://[secret]",
		"-----BEGIN PRIVATE KEY----- MIIEv\nAB -----END PRIVATE KEY----- tail":                 "[pem] tail",
		"-----BEGIN PRIVATE KEY-----MIIEvQIBADAN":                                              "[pem]",
		"img data:image/jpeg;base64," + face:                                                   "img data:image/jpeg;base64,[image]",
		"frame " + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x9a\x01q~", 40))): "frame [base64]",
		"sha " + strings.Repeat("9f8e7d6c", 8):                                                 "sha [token]",
		"key kX9aB2cD4eF6gH8iJ0kLmN1p end":                                                     "key [token] end",

		`mail alice\u0040bank.example, \u0061lice&#64;bank&#x2e;example`:      "mail [email], [email]",
		"mail alice\\x40bank.example":                                         "mail [email]",
		"card ４１１１１１１１１１１１１１１１ or ٤١١١١١١١١١١١١١١١":                           "card [pan] or [pan]",
		"cards 4111 1111 1111 1111 5500 0000 0000 0004 4111 1111 1111 1111 x": "cards [pan] [pan] [pan] x",
		"msisdn 6281234567890":                                    "msisdn [phone]",
		"iban gb82west12345698765432":                             "iban [iban]",
		`password="correct horse battery" x`:                      `password="[secret]" x`,
		`{\"password\":\"correct horse\",\"a\":1}`:                `{\"password\":\"[secret]\",\"a\":1}`,
		`password="correct horse`:                                 `password="[secret]`,
		"Authorization: Token abc123 def456":                      "Authorization: [secret]",
		"Authorization: Digest username=\"bob\", response=\"9f\"": "Authorization: [secret]",
		"Cookie: theme=dark; session=abcdef; b=c":                 "Cookie: [secret]",
		"pin=4711&otp: 123456":                                    "pin=[secret]&otp: [secret]",
		strings.ToUpper(jwt):                                      "[jwt]",
		`img "\/9j\/4AAQSkZJRgABAQEASABI"`:                        `img "[image]"`,

		"card=4111+1111+1111+1111&auth=Basic+dXNlcjpwYXNz": "card=[pan]&auth=Basic+[credential]",
		"-----begin private key----- miievqib":             "[pem]",
		"SK_LIVE_ABCDEFGHIJKLMNOP":                         "[secret]",

		"mail jane.roe&commat;bank&period;example":    "mail [email]",
		"mail jane.roe&#64bank&#0000000046;example":   "mail [email]",
		"call +62\u00a0812\u00a03456\u00a07890 now":   "call [phone] now",
		"card 4111\u20111111\u20111111\u20111111":     "card [pan]",
		"id akiaiosfodnn7example end":                 "id [secret] end",
		"postgres://alice:hunter2secret@db/x refused": "postgres://[credential]@db/x refused",
		"password => hunter2secret, a => 1":           "password => [secret], a => 1",
		"password[]=hunter2secret&a=1":                "password[]=[secret]&a=1",
		`{"password":["hunter2secret"],"a":1}`:        `{"password":["[secret]"],"a":1}`,
		"Authorization failed: ApiKey hunter2-secret": "Authorization failed: ApiKey [credential]",

		"<login><password>hunter2</password></login>":            "<login><password>[secret]</password></login>",
		`<ns:ApiKey type="x">a&amp;b c</ns:ApiKey> x`:            `<ns:ApiKey type="x">[secret]</ns:ApiKey> x`,
		"&lt;password&gt;hunter2&lt;/password&gt;":               "&lt;password&gt;[secret]&lt;/password&gt;",
		"<Secret><![CDATA[a<b>c]]></Secret> <pin>4711</pin>":     "<Secret>[secret]</Secret> <pin>[secret]</pin>",
		"<password>hunter2":                                      "<password>[secret]",
		"Token hunter2-abc refused, Bearer:hunter2":              "Token [credential] refused, Bearer:[secret]",
		"curl -u alice:hunter2 https://x/":                       "curl -u [credential] https://x/",
		`curl --user "alice:hunter 2" x`:                         `curl --user "[credential]" x`,
		"psql --password hunter2 --api-key 'abc def' --token -v": "psql --password [secret] --api-key '[secret]' --token -v",

		"mail jane.roe@[192.0.2.1] or j@[IPv6:2001:db8::1]": "mail [email] or [email]",
		"mail 𝐣𝑎𝗻𝙚@𝔟𝖆𝓃𝚔.example, card 𝟒𝟙𝟣𝟭𝟷11111111111":     "mail [email], card [pan]",

		// Masked, but nobody is called for it: it may as well be an id.
		"txn-4423324568036714 failed":               "txn-[number] failed",
		"request_id=4111111111111111":               "request_id=[number]",
		"at 1773454364101234":                       "",
		"pod gw-0818373460-9qlg8":                   "pod gw-[number]-9qlg8",
		"seq 732224294178 of 52998224725":           "seq [number] of [number]",
		"uuid e346336e-9e8c-4696-a155-810831854198": "",
		"at 09:12 +0700 12345678":                   "",

		// What must stay.
		"pin: failed": "", "<pin>failed</pin>": "", "<password></password><a>b</a>": "", "token expired_at=1773454364": "", "CSRF token mismatch": "",
		"run --user alice": "", "-u x y": "", "a < b > c": "", "x@[file]": "", "<passwords": "",
		"Root=1-67891233-abcdef012345678912345678": "", "z 9f2c51aa4111111111111111ab2c51aa": "",
		"okhttp/4.12.0": "", "region asiapacificsoutheast": "", "http://10.4.0.9:8443/v1?to=a:b": "", "a &amp b": "", "x[0]: 1": "",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1":                           "",
		"Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36": "",
		"Instagram 219.0.0.12.117 Android (30/11; 480dpi; 1080x2194; samsung; SM-A525F; a52q; qcom; en_US; 346138365)":                                                      "",
		"limiting requests, excess: 20.500 by zone \"one\", client: 203.0.113.24, server: lv.bank.example, request: \"POST /v1/liveness/check HTTP/1.1\"":                   "",
		"upstream timed out (110: Connection timed out) while reading response header from upstream, upstream: \"https://10.4.0.9:8443/v1/liveness/check\"":                 "",
		"at 2026-03-14 09:12:44 +0700": "", "status=200 bytes: 184233 score: 0.081": "", "Basic authentication failed": "", "No API key found in request": "",
		"CN=Bank Issuing CA 2, O=Bank, C=ID": "", "ext_authz_denied": "", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "", "SM-S918B": "", "lv@file": "",
		"request 550e8400-e29b-41d4-a716-446655440000": "", "épreuve échouée": "",
	})
}

// Numbers in numeric fields: a card's digits are not kept as a score or a size, and who sends too much
// is not seen to have sent nothing.
func TestMeasure(t *testing.T) {
	var ev event.Event
	ev.SetFloat(event.LivenessScoreRaw, 4111111111111111)
	ev.SetFloat(event.LivenessScore, 0.4111111111111111)
	ev.SetFloat(event.LivenessThreshold, 0.5)
	ev.SetInt(event.HTTPRequestBodyBytes, 3201014107900001)
	ev.SetInt(event.HTTPRequestBytes, 184233)
	ev.SetInt(event.HTTPResponseStatusCode, 52998224725)
	ev.SetInt(event.EventDuration, 4111111111111111)
	ev.SetInt(event.LivenessAttempt, 6281234567890)
	ev.SetInt(event.LivewardOffset, 3201014107900001)
	filter(t, false).Worker().Apply(&ev)
	want := `{"event":{"duration":86400000000000},"http":{"request":{"body":{"bytes":9999999999},"bytes":184233}},` +
		`"liveness":{"attempt":99999,"score":0.411111111,"threshold":0.5},"liveward":{"offset":3201014107900001,"privacy":{"count":5,"dropped":["number"]}}}`
	if d := cmp.Diff(want, string(ev.AppendJSON(nil))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestPath(t *testing.T) {
	for in, want := range map[string]string{
		"/v1/liveness/check":                 "",
		"/face/v1.2/detectLiveness-sessions": "",
		"/liveness-3d/match-3d-3d":           "",
		"/openapi/liveness/v1/":              "",
		"/v1/{session_id}/result":            "",
		"/v1/HTTPServer/v1beta1/oauth2":      "",
		"/":                                  "",
		"/users/42":                          "/users/{number}",
		"/users/550e8400-e29b-41d4-a716-446655440000/x":   "/users/{uuid}/x",
		"/users/alice%40bank.example":                     "/users/{email}",
		"/users/4111111111111111":                         "/users/{number}",
		"/cards/4111111111111111":                         "/cards/{pan}",
		"/users/+6281234567890":                           "/users/{phone}",
		"/s/9f2c51aa/x":                                   "/s/{token}/x",
		"/s/" + jwt:                                       "/s/{token}",
		"/s/sk_live_abcdefghijkl":                         "/s/{token}",
		"/s/dev-j4pyzvhdbbovdneuwznsw5iamy":               "/s/{token}",
		"/v1/check?api_key=abc":                           "/v1/check",
		"/v1/check;jsessionid=ABC":                        "/v1/check",
		"/img/" + face:                                    "/img//{image}",
		"/x/" + strings.Repeat("ab3/", 400):               "/x/" + strings.Repeat("ab3/", 400)[:maxPath-3],
		"/\x00\xff/<script>":                              "/{token}/{token}",
		"/x/" + strings.Repeat("Zz9", 60) + "/tail/of/it": "/x/{token}",
		"/v1/%6c%69veness":                                "/v1/{token}",
	} {
		if want == "" {
			want = in
		}
		var ev event.Event
		ev.SetString(event.URLPath, in)
		filter(t, false).Worker().Apply(&ev)
		if got := ev.Str(event.URLPath); got != want {
			t.Errorf("%.80q\n got %.120q\nwant %.120q", in, got, want)
		}
	}
}

// A number that a log gives for a date is not to be read back from it.
func TestDates(t *testing.T) {
	now := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		"2026-01-02T03:04:05.678Z": "2026-01-02T03:04:05.678Z",
		"2027-03-01T00:00:01Z":     "2027-03-01T00:00:01.000Z",
		"2169-01-16T11:22:47.89Z":  "2169-01-16T00:00:00.000Z", // +62 812-3456-7890 as milliseconds
		"1989-11-27T04:46:06.789Z": "1989-11-27T00:00:00.000Z",
		"1969-12-31T23:59:59.999Z": "1969-12-31T00:00:00.000Z",
	} {
		at, err := time.Parse(time.RFC3339Nano, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []event.ID{event.ConsentGrantedAt, event.DataRetainUntil} {
			var ev event.Event
			ev.SetTime(event.Timestamp, now.UnixNano())
			ev.SetTime(id, at.UnixNano())
			filter(t, false).Worker().Apply(&ev)
			if got := time.Unix(0, ev.Time(id)).UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
				t.Errorf("%s %s: %s, want %s", id, in, got, want)
			}
		}
	}
}

// The session's own id is masked in the path, also where it looks like a word; it is no finding.
func TestPathOfSession(t *testing.T) {
	var ev event.Event
	ev.SetString(event.LivenessSessionID, "s-dicipznsusthi")
	ev.SetString(event.URLPath, "/v1/liveness/results/s-dicipznsusthi")
	filter(t, false).Worker().Apply(&ev)
	if got, want := ev.Str(event.URLPath), "/v1/liveness/results/{token}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if ev.Has(event.LivewardPrivacyDropped) {
		t.Errorf("a session id counts as %v", ev.List(event.LivewardPrivacyDropped))
	}
}

func TestIdentifiers(t *testing.T) {
	for _, tc := range []struct {
		id       event.ID
		in, want string // "" for what stays, "*" for a pseudonym
	}{
		{event.GatewayRoute, "liveness@file", ""},
		{event.GatewayRoute, "/v1/{id}/*", ""},
		{event.GatewayService, "outbound|8443||liveness.bank.svc.cluster.local", ""},
		{event.GatewayService, "liveness gateway\t2", "liveness_gateway_2"},
		{event.HTTPRequestID, "550e8400-e29b-41d4-a716-446655440000", ""},
		{event.HTTPRequestID, strings.Repeat("9f2c51aa", 8), ""},
		{event.HTTPRequestID, "Root=1-67891233-abcdef012345678912345678", ""},
		{event.HTTPRequestID, "alice@bank.example", "*"},
		{event.HTTPRequestID, strings.Repeat("Zz9q", 300), "*"},
		{event.HTTPRequestID, strings.Repeat("a", 3000), "[unscanned]"},
		{event.LivenessSessionID, jwt, "*"},
		{event.GatewayConsumer, "4111111111111111", "*"},
		{event.GatewayConsumer, "mobile-onb", ""},
		{event.GatewayConsumer, "4111%C2%A01111%C2%A01111%C2%A01111", "*"},
		{event.GatewayRoute, "4111&#8209;1111&#8209;1111&#8209;1111", "[pan]"},
		{event.AppVersion, "3.11.2-beta+45", ""},
		{event.AppVersion, "alice@bank.example", "[email]"},
		{event.ErrorCode, "sk_live_abcdefghijklmnop", "[secret]"},
		{event.TLSCipher, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", ""},
		{event.HTTPRequestMimeType, "multipart/form-data", ""},
		{event.TLSClientJA3, "e7d705a3286e19ea42f587b344ee6865", ""},
		{event.TraceID, "4bf92f3577b34da6a3ce929d0e0e4736", ""},
		{event.LivewardSource, "gw1", ""},
		{event.LogFilePath, "/var/log/pods/lv_gw-7d9f8b6c5d-x2x4z_550e8400-e29b-41d4-a716-446655440000/gateway/0.log", ""},
		{event.APIKeyOwner, "onboarding@bank.example", ""},
		{event.APIKeyOwner, "sk_live_abcdefghijklmnop", "[secret]"},
		{event.EventAction, "liveness-check", ""},
		{event.EventAction, "dance", "-"},
		{event.GatewayAuth, "alice", "-"},
		{event.TLSVersion, "1.3", ""},
		{event.TLSVersion, "alice@bank.example", "-"},
		{event.SourceIP, "::ffff:203.0.113.7", "203.0.113.7"},
		{event.SourceIP, "alice", "-"},
		{event.HTTPRequestOrigin, "https://x.example", "-"},
	} {
		var ev event.Event
		ev.SetString(tc.id, tc.in)
		w := filter(t, false).Worker()
		w.Apply(&ev)
		got := ev.Str(tc.id)
		switch {
		case tc.want == "*":
			if !strings.HasPrefix(got, "dev-") || len(got) != 4+event.HashTextLen {
				t.Errorf("%s %.40q: got %q, want a pseudonym", tc.id, tc.in, got)
			}
		case tc.want == "-":
			if ev.Has(tc.id) {
				t.Errorf("%s %.40q: got %q, want it cleared", tc.id, tc.in, got)
			}
		case tc.want == "" && got != tc.in, tc.want != "" && got != tc.want:
			t.Errorf("%s %.40q: got %q, want %q", tc.id, tc.in, got, tc.want)
		}
	}
}

func TestCopies(t *testing.T) {
	w := filter(t, false).Worker()
	for range 2 { // the second time values are remembered
		var ev event.Event
		ev.SetString(event.APIKeyID, "k3y-Of-Bank")
		ev.SetString(event.UserID, "cus 771")
		ev.SetString(event.UserName, "check")
		ev.SetString(event.DeviceID, "d%41vice-9")
		ev.SetString(event.URLQuery, "applicant=Budi+Santoso&q=rosebud&v=3.11.2&session=s-7c1aa&mode=video")
		ev.SetString(event.URLPath, "/v1/liveness/check/K3Y-OF-BANK/rosebud")
		ev.SetString(event.UserAgentOriginal, "app (dAvice-9; budi%20santoso; ROSEBUD; %63us%20771)")
		ev.SetString(event.GatewayConsumer, "k3y-Of-Bank")
		ev.SetString(event.LivenessSessionID, "s-7c1aa")
		ev.SetString(event.AppVersion, "3.11.2")
		ev.SetString(event.GatewayService, "svc-k3y-of-bank")
		ev.SetString(event.OrganizationID, "k3y-Of-Bank")
		ev.SetString(event.LivenessModality, "video")
		ev.Append(event.GatewayFlags, "k3y-Of-Bank")
		ev.Append(event.GatewayFlags, "UAEX")
		ev.SetLabel("a.rosebud", "x")
		ev.SetLabel("b.note", "rosebud!")
		ev.SetLabel("b_note", "second")
		w.Apply(&ev)
		got := map[string]string{
			"path": ev.Str(event.URLPath), "agent": ev.Str(event.UserAgentOriginal), "session": ev.Str(event.LivenessSessionID),
			"version": ev.Str(event.AppVersion), "service": ev.Str(event.GatewayService), "tenant": ev.Str(event.OrganizationID),
			"modality": ev.Str(event.LivenessModality), "flags": strings.Join(ev.List(event.GatewayFlags), ","), "labels": fmt.Sprint(ev.Labels),
		}
		want := map[string]string{
			"path": "/v1/liveness/check/{value}/{value}", "agent": "app ([raw_value]; [raw_value]; [raw_value]; [raw_value])",
			"session": "s-7c1aa", "version": "3.11.2", "service": "[raw_value]", "tenant": "k3y-Of-Bank", "modality": "video",
			"flags": "[raw_value],UAEX", "labels": "[{b_note [raw_value]!}]",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if ev.Str(event.GatewayConsumer) != ev.Str(event.APIKeyID) {
			t.Error("a consumer that is the key is not the key's pseudonym")
		}
	}
}

// Of a long raw value no part is kept that stands in a copy of it, also where the copy is cut.
func TestLongCopies(t *testing.T) {
	raw := strings.Repeat("nasabah ke-satu ", 100) + "rosebud"
	for _, id := range []event.ID{event.UserAgentOriginal, event.GatewayReason, event.URLPath, event.GatewayService} {
		var ev event.Event
		ev.SetString(event.DeviceID, raw)
		ev.SetString(id, strings.ReplaceAll("x/"+raw, " ", map[bool]string{true: "%20", false: " "}[id == event.URLPath]))
		filter(t, false).Worker().Apply(&ev)
		if got := ev.Str(id); strings.Contains(got, "rosebud") || strings.Contains(got, "satu") {
			t.Errorf("%s: %q", id, got)
		}
	}
}

// Too many raw values to search for: text goes, and what events are joined by stays two where it was
// two.
func TestFlood(t *testing.T) {
	w := filter(t, false).Worker()
	var q strings.Builder
	for i := range 200 {
		fmt.Fprintf(&q, "&password%d=filler-%d", i, i)
	}
	var ev event.Event
	ev.SetString(event.URLQuery, q.String()+"&password=rosebud")
	ev.SetString(event.UserAgentOriginal, "app rosebud")
	ev.SetString(event.URLPath, "/v1/rosebud/liveness")
	ev.SetString(event.GatewayConsumer, "rosebud")
	ev.SetString(event.HTTPRequestMethod, "DELETE")
	w.Apply(&ev)
	if doc := string(ev.AppendJSON(nil)); strings.Contains(doc, "rosebud") {
		t.Error(doc)
	}
	if got := ev.Str(event.HTTPRequestMethod); got != "DELETE" {
		t.Errorf("method %q", got)
	}
}

func TestTruncateIP(t *testing.T) {
	var ev event.Event
	ev.SetString(event.SourceIP, "203.0.113.77")
	ev.SetString(event.ClientIP, "2001:db8:1:2:3::4")
	ev.Append(event.RelatedIP, "203.0.113.77")
	ev.Append(event.RelatedIP, "203.0.113.78")
	ev.SetString(event.ErrorMessage, "refused, client: 203.0.113.77")
	filter(t, true).Worker().Apply(&ev)
	got := []string{ev.Str(event.SourceIP), ev.Str(event.ClientIP), strings.Join(ev.List(event.RelatedIP), " "), ev.Str(event.ErrorMessage)}
	if d := cmp.Diff([]string{"203.0.113.0", "2001:db8:1::", "203.0.113.0", "refused, client: [raw_value]"}, got); d != "" {
		t.Error(d)
	}
}

func TestQueryIsReported(t *testing.T) {
	var ev event.Event
	ev.SetString(event.URLQuery, "contact="+url.QueryEscape("alice@bank.example"))
	ev.SetInt(event.LivewardPrivacyCount, 2)
	ev.Append(event.LivewardPrivacyDropped, "api_key_in_url")
	ev.Append(event.LivewardPrivacyDropped, "Alice 7")
	filter(t, false).Worker().Apply(&ev)
	if d := cmp.Diff([]string{"api_key_in_url", "email"}, ev.List(event.LivewardPrivacyDropped)); d != "" {
		t.Error(d)
	}
	if n := ev.Int(event.LivewardPrivacyCount); n != 3 {
		t.Errorf("count %d", n)
	}
}

func TestQuarantine(t *testing.T) {
	w := filter(t, false).Worker()
	var ev event.Event
	ev.SetString(event.UserID, "alice")
	ev.SetString(event.UserAgentOriginal, "alice/1")
	ev.SetString(event.LivewardSource, "gw1")
	ev.SetLabel("x", "y")
	line := `{"ts":"2026-03-14","user_id": "alice","weird":"hunter2","lv_score":0.081,"image":"` + face + `","café":true`
	w.Quarantine([]byte(line), &ev, "unexpected end after alice@bank.example")
	want := `{"ecs":{"version":"8.17.0"},"error":{"message":"unexpected end after [email]"},"event":{"dataset":"liveward.event","kind":"pipeline_error","module":"liveward"},` +
		`"liveward":{"privacy":{"count":2,"dropped":["email","image"]},"source":"gw1"},` +
		`"message":"{\"ts\":\"0000-00-00\",\"user_id\": \"a{5}\",\"a{5}\":\"a{6}0\",\"lv_score\":0.000,\"image\":\"/0a/w{4823}\",\"aaau\":aaaa"}`
	if d := cmp.Diff(want, string(ev.AppendJSON(nil))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	w.Quarantine([]byte(strings.Repeat("a1+", 5000)), &ev, "")
	if n := len(ev.Str(event.Message)); n > maxShape {
		t.Errorf("shape of %d bytes", n)
	}
}

// What the limit of the scan cuts in half is not kept, also where masks make room for it.
func TestLongText(t *testing.T) {
	long := strings.Repeat("a", 50) + "@mail.example "
	text := strings.Repeat(long, 2040/len(long))
	text += strings.Repeat(" ", 2040-len(text)) + "zebra.zorro@bank.example"
	var ev event.Event
	ev.SetString(event.UserAgentOriginal, text)
	filter(t, false).Worker().Apply(&ev)
	if got := ev.Str(event.UserAgentOriginal); len(got) > maxText || strings.Contains(got, "zebra") || strings.Contains(got, "aaa") {
		t.Errorf("%q", got)
	}
}

// Names of members are shown to who maps them; what could be a value is not, though it stands where names do.
func TestName(t *testing.T) {
	w := filter(t, false).Worker()
	for name, want := range map[string]string{
		"lv_score":                            "lv_score",
		"request.headers.x-consumer-id":       "request.headers.x-consumer-id",
		"upstreamResponseTime2":               "upstreamResponseTime2",
		"column 12":                           "column 12",
		"frames[3].score":                     "frames[3].score",
		"alice@example.com":                   "a{5}@a{7}.aaa",
		"password=hunter2swordfish":           "a{8}=a{6}0a{9}",
		"users.u-77881234.name":               "users.a-0{8}.name",
		"sk_live_abcdefghij0123456789":        "aa_aaaa_a{10}0{10}",
		"a.4111111111111111":                  "a.0{16}",
		"faces.9f2c51aa77d04e21.box":          "faces.0a0a00aa00a00a00.box",
		"5d41402abc4b2a76b9719d911017c592.ok": "0a0{5}aaa0a0a00a0000a0{6}a000.ok",
		"al\u200bice@example.com":             "aauaaa@a{7}.aaa",
		"\xff\x1b[31m":                        "ux[00a",
	} {
		if got := w.Name(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
}

// Objects that logs are delivered in keep their names; what a name says of a person does not stay.
func TestObjectName(t *testing.T) {
	w := filter(t, false).Worker()
	for _, name := range []string{
		"s3://logs/AWSLogs/123456789012/elasticloadbalancing/eu-central-1/2026/03/14/123456789012_elasticloadbalancing_eu-central-1_app.liveness.50dc6c495c0c9188_20260314T0215Z_203.0.113.7_2soosksi.log.gz",
		"s3://logs/cdn/EMLARXS9EXAMPLE.2026-03-14-02.RT4KCN4SGK9.gz",
		"s3://logs/gateway/year=2026/month=03/day=14/gw-1-000000000017.ndjson.zst",
	} {
		if got := w.ObjectName(name); got != name {
			t.Errorf("%s became %s", name, got)
		}
	}
	for name, want := range map[string]string{
		"s3://logs/subjects/alice@example.com/2026/03.log":                "alice",
		"s3://logs/subjects/+6281312345678/2026/03.log":                   "81312345678",
		"s3://logs/subjects/4532015112830366.log":                         "4532015112830366",
		"s3://logs/sk_live_abcdefghij0123456789/03.log":                   "abcdefghij",
		"s3://logs/a?X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0445": "fe5f80",
		"s3://logs/al\u200bice@example.com":                               "ice",
	} {
		if got := w.ObjectName(name); strings.Contains(got, want) || !strings.HasPrefix(got, "s3://logs/") {
			t.Errorf("%s became %s", name, got)
		}
	}
}
