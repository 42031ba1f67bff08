package rules

import (
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// testLists are lists for conditions in tests.
func testLists() map[string]*compiledList {
	lists := map[string]List{
		"probes":  {Type: ListCIDR, Entries: []string{"203.0.113.0/24", "198.51.100.7/32", "2001:db8::/32"}},
		"bad_ips": {Type: ListIP, Entries: []string{"192.0.2.1", "2001:db8::1"}},
		"revoked": {Type: ListKeyword, Field: "api_key.id", Entries: []string{"k1", "k2"}},
		"words":   {Type: ListKeyword, Entries: []string{"a", "b"}},
		"codes":   {Type: ListLong, Entries: []string{"401", "403"}},
		"none":    {Type: ListKeyword},
	}
	out := map[string]*compiledList{}
	for name, l := range lists {
		out[name] = compileList(name, l)
	}
	return out
}

func TestCompileRefuses(t *testing.T) {
	c := newCompiler(testLists())
	f := func(text string, char int, message, hint string) {
		t.Helper()
		e, problems := c.compile(text)
		if e != nil {
			t.Errorf("%s: compiled, want %q", text, message)
			return
		}
		for _, p := range problems {
			if p.level == LevelError && p.char == char && strings.Contains(p.message, message) && strings.Contains(p.hint, hint) {
				return
			}
		}
		t.Errorf("%s: got %+v, want %q; %q at %d", text, problems, message, hint, char)
	}
	// Names.
	f(`gateway.auht == "refused"`, 8, "unknown field gateway.auht", `did you mean "gateway.auth"?`)
	f(`status_code == 401`, 0, "unknown field status_code", "http.response.status_code")
	f(`gateway == "x"`, 0, "gateway is a group of fields", "gateway.auth")
	f(`gateway.auth == refused`, 16, "unknown field refused", `"refused"`)
	f(`client.ip in lists.probs`, 19, "unknown list lists.probs", "probes")
	f(`url.query contains "x"`, 4, "url.query is dropped before rules see the event", "liveward.privacy.dropped")
	f(`labels == "x"`, 0, "labels is a group", "labels.<name>")
	f(`lists.words == "x"`, 6, "a list is not a value", "in lists.words")
	f(`@timestamp == "x"`, 0, "unrecognized character", "age(field)")
	f(`$env.message == "x"`, 5, "$env", "")
	// Types.
	f(`http.response.status_code == "401"`, 29, "never equal", "write 401 without quotes")
	f(`event.category == "web"`, 18, "never equal", `"web" in event.category`)
	f(`event.category == liveness.vendor`, 15, "never equal", `in event.category`)
	f(`gateway.auth == 1`, 16, "never equal", "texts stand in quotes")
	f(`client.allow_listed == "true"`, 23, "never equal", "without quotes")
	f(`liveness.score == liveness.vendor`, 15, "never equal", "")
	f(`http.response.status_code == 401.5`, 29, "never 401.5", "")
	f(`http.response.status_code in [401, 403.5]`, 35, "never 403.5", "")
	f(`liveness.vendor > "a"`, 16, "a text has no order", "")
	f(`client.ip == "203.0.113"`, 13, "not an IP address", "inNet(client.ip")
	f(`client.ip in ["203.0.113.7", "x"]`, 29, "not an IP address", "")
	f(`age(liveness.score) > "90d"`, 13, "age wants a time field", "")
	f(`age(api_key.created) > 90`, 23, "never equal", `"90d"`)
	f(`age(api_key.created) > "90 days"`, 23, "duration", "")
	f(`api_key.created > "yesterday"`, 18, "not a time", "2026-01-31")
	f(`liveness.vendor + "x" == "yx"`, 16, "not a number", "")
	f(`http.response.status_code / 0 > 1 and 1 / 0 > 2`, 40, "no result", "")
	f(`liveness.score % 2 == 1`, 15, "whole numbers", "")
	f(`client.ip in lists.probes`, 10, "holds networks", "inNet(client.ip, lists.probes)")
	f(`liveness.vendor in lists.codes`, 9, "type long", "")
	f(`liveness.vendor in lists.bad_ips`, 9, "holds IP addresses", "")
	f(`inNet(client.ip, lists.words)`, 23, "not networks", "type: cidr")
	f(`inNet(client.ip, "203.0.113.7/24")`, 17, "bits behind its mask", "")
	f(`liveness.vendor matches "["`, 24, "missing closing ]", "RE2")
	f(`liveness.vendor matches "(?=x)"`, 24, "pattern", "look-around")
	f(`liveness.vendor matches "(a{1,100}){1,10}b{1,900}"`, 24, "pattern is too large", "")
	f(`liveness.vendor matches app.version`, 28, "must be a constant", "")
	f(`liveness.vendor matches ".*"`, 24, "matches every text", "has(liveness.vendor)")
	// Values that cannot be.
	f(`gateway.auth == "refusd"`, 16, `gateway.auth is never "refusd"`, `did you mean "refused"?`)
	f(`liveness.decision in ["spoof", "fake"]`, 31, `never "fake"`, "want one of")
	f(`"auth" in event.category`, 0, `never "auth"`, "authentication")
	f(`any(event.category, # == "auth")`, 25, `never "auth"`, "authentication")
	f(`gateway.auth == "accepted" and gateway.auth == "refused"`, 44, "never holds", "")
	f(`gateway.auth == "accepted" and missing(gateway.auth)`, 13, "never holds", "")
	f(`client.allow_listed and client.allow_listed == false`, 44, "never holds", "")
	f(`liveness.vendor == ""`, 19, "counts as missing", "missing(liveness.vendor)")
	f(`"a" == "b"`, 4, "two constants", "")
	f(`1 in [1, 2]`, 0, "always true or always false", "")
	f(`true`, 0, "always true", "")
	f(`liveness.vendor in []`, 19, "empty array", "")
	f(`liveness.attempt in 5..1`, 21, "range is empty", "")
	f(`liveness.vendor contains ""`, 25, "every text", "")
	f(`api_key.id == "k1"`, 14, "holds a pseudonym", "field: api_key.id")
	f(`user.id in ["u1"]`, 12, "holds a pseudonym", "field: user.id")
	f(`api_key.id in lists.words`, 20, "does not hold values of api_key.id", "field: api_key.id")
	f(`user.id in lists.revoked`, 17, "does not hold values of user.id", "field: user.id")
	// What expr has and rules have not.
	f(`now() > api_key.created`, 0, "now", "event time only")
	f(`now().Hour() > 1`, 6, "methods", "")
	f(`len(filter(event.category, # == "web")) > 1`, 4, "function filter", "the functions are")
	f(`count(event.category, # == "web") > 1`, 0, "function count", "")
	f(`any(event.category, any(tags, # == "x"))`, 20, "inside any or all", "")
	f(`let x = 1; x == 1`, 4, "let", "")
	f(`liveness.vendor?.x == "a"`, 17, "?.", "plain dot")
	f(`(liveness.vendor ?? "a") == "a"`, 17, "operator ??", "")
	f(`liveness.vendor == nil`, 19, "nil", "missing(field)")
	f(`liveness.vendor[0:3] == "abc"`, 15, "a slice", "startsWith")
	f(`tags[0] == "a"`, 4, "an index", "any(")
	f(`{"a": 1}.a == 1`, 9, "an index", "")
	f(`(gateway.auth == "refused") == true`, 14, "a condition is not a value", "")
	f(`liveness.vendor | lower() == "x" | upper()`, 26, "not a value", "")
	f(`mising(liveness.vendor)`, 0, "unknown function mising", "missing")
	f(`has(lower(liveness.vendor))`, 4, "has wants a field", "")
	f(`has(liveness.vendor, 1)`, 0, "has wants 1 arguments", "")
	f(`liveness.vendor`, 9, "is a text, not a condition", "has(liveness.vendor)")
	f(`http.response.status_code + 1`, 26, "not a condition", "")
	f(`gateway.auth = "refused"`, 13, "unexpected token", "equality is ==")
	f(`gateway.auth == "refused" client.allow_listed`, 26, "unexpected token", "and, or")
	f(`gateway.auth == "refused`, 24, "literal not terminated", "")
	f(`liveness.vendor =~ "x"`, 16, "unexpected token", "")
	f(strings.Repeat("(", 300)+"client.allow_listed"+strings.Repeat(")", 299), 617, "unexpected token EOF", "")
	f(`liveness.attempt in [`+strings.Repeat("1,", 600)+`1]`, 1016, "more than 500 parts", "list")
	f(strings.Repeat(" ", 5000), 0, "longer than 4096", "")
}

func TestCompileMeans(t *testing.T) {
	c := newCompiler(testLists())
	now, err := event.ParseTime("2026-06-01T00:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	var ev event.Event
	ev.SetTime(event.Timestamp, now)
	ev.SetTime(event.APIKeyCreated, now-100*24*3600*1e9)
	ev.SetString(event.GatewayAuth, "refused")
	ev.SetString(event.ClientIP, "203.0.113.7")
	ev.SetString(event.SourceIP, "2001:db8::1")
	ev.SetString(event.APIKeyID, "k1")
	ev.SetString(event.UserAgentOriginal, "Mozilla/5.0 (ÄÖ) Chrome")
	ev.SetInt(event.HTTPResponseStatusCode, 401)
	ev.SetFloat(event.LivenessScore, 0.25)
	ev.SetBool(event.ClientAllowListed, false)
	ev.Append(event.EventCategory, "web")
	ev.Append(event.EventCategory, "authentication")
	ev.SetLabel("drill", "true")
	ev.SetLabel("a-b", "x")

	f := func(text string, want bool) {
		t.Helper()
		e, problems := c.compile(text)
		if e == nil {
			t.Errorf("%s: %+v", text, problems)
			return
		}
		s := &scope{event: &ev}
		if got := e.test(s); got != want {
			t.Errorf("%s = %v, want %v", text, got, want)
		}
	}
	f(`gateway.auth == "refused"`, true)
	f(`"refused" == gateway.auth`, true)
	f(`gateway.auth != "refused"`, false)
	f(`gateway.auth != "accepted"`, true)
	f(`not (gateway.auth == "accepted")`, true)
	f(`!(gateway.auth == "accepted") && gateway.auth == "refused"`, true)
	f(`http.response.status_code in [401, 403]`, true)
	f(`http.response.status_code in 400..401`, true)
	f(`http.response.status_code in 401..499`, true)
	f(`http.response.status_code in 402..499 or http.response.status_code in 300..400`, false)
	f(`http.response.status_code not in [401, 403]`, false)
	f(`http.response.status_code in lists.codes`, true)
	f(`http.response.status_code >= 400.5`, true)
	f(`http.response.status_code - 400 == 1`, true)
	f(`http.response.status_code % 100 == 1`, true)
	f(`http.response.status_code / 2 == 200.5`, true)
	f(`-http.response.status_code < 0`, true)
	f(`liveness.score * 4 == 1`, true)
	f(`60*60 > http.response.status_code`, true)
	f(`client.ip == "::ffff:203.0.113.7"`, true)
	f(`source.ip == "2001:0db8::0001"`, true)
	f(`source.ip in lists.bad_ips and not (client.ip in lists.bad_ips)`, true)
	f(`inNet(client.ip, lists.probes) and inNet(source.ip, lists.probes)`, true)
	f(`inNet(client.ip, "203.0.113.0/24") and not inNet(client.ip, "203.0.114.0/24")`, true)
	f(`inNet(client.ip, lists.bad_ips)`, false)
	f(`net(client.ip, 24) == "203.0.113.0/24"`, true)
	f(`api_key.id in lists.revoked`, true)
	f(`liveness.vendor in lists.none or gateway.auth in lists.none`, false)
	f(`age(api_key.created) > "90d" and age(api_key.created) < "101d"`, true)
	f(`api_key.created < "2026-03-01" and api_key.created > "2026-02-01T00:00:00Z"`, true)
	f(`client.allow_listed == false`, true)
	f(`client.allow_listed`, false)
	f(`not client.allow_listed`, true)
	f(`"authentication" in event.category`, true)
	f(`"network" in event.category`, false)
	f(`any(event.category, # == "web")`, true)
	f(`all(event.category, # in ["web", "authentication"])`, true)
	f(`all(event.category, # startsWith "w")`, false)
	f(`any(event.category, # startsWith "auth" and gateway.auth == "refused")`, true)
	f(`len(event.category) == 2`, true)
	f(`labels.drill == "true" and labels["a-b"] == "x"`, true)
	f(`has(labels.nothing) or missing(labels.drill)`, false)
	f(`lower(user_agent.original) contains "(äö)" and upper(user_agent.original) contains "CHROME"`, true)
	f(`user_agent.original matches "^Mozilla/[0-9.]+ "`, true)
	f(`user_agent.original endsWith "Chrome"`, true)
	f(`len(user_agent.original) == 23`, true)
	f(`gateway.auth == "refused" ? http.response.status_code == 401 : http.response.status_code == 200`, true)
	// Missing fields: every comparison is false, whatever the operator; not makes it true (S9).
	for _, text := range []string{
		`liveness.vendor == "x"`, `liveness.vendor != "x"`, `liveness.vendor in ["x"]`, `liveness.attempt > 0`, `liveness.attempt <= 0`,
		`liveness.attempt != 0`, `liveness.attempt == 0`, `liveness.margin < 1`, `consent.granted_at < "2030-01-01"`, `age(consent.granted_at) > "0s"`,
		`liveness.capture.rooted == false`, `liveness.capture.rooted != true`, `liveness.capture.rooted`, `liveness.vendor contains "x"`,
		`liveness.vendor matches "x?y?"`, `lower(liveness.vendor) != "x"`, `len(liveness.vendor) == 0`, `len(tags) == 0`, `any(tags, # != "x")`,
		`all(tags, # == "x")`, `inNet(network.forwarded_ip, "0.0.0.0/0")`, `net(network.forwarded_ip, 8) != "x"`, `liveness.attempt + 1 > 0`,
		`liveness.vendor == app.version`, `labels.nothing != "x"`, `"x" in tags`, `liveness.attempt in lists.codes`, `has(liveness.vendor)`,
		`http.response.status_code / liveness.attempt < 1000`,
	} {
		f(text, false)
		f("not ("+text+")", true)
	}
	f(`missing(liveness.vendor) and has(gateway.auth)`, true)
	f(`not (liveness.margin >= 0 and liveness.margin <= 1)`, true)
}

func TestDivisionByZeroIsAnErrorAndNoMatch(t *testing.T) {
	c := newCompiler(nil)
	for _, text := range []string{`1 / liveness.attempt > 0`, `5 % liveness.attempt == 0`} {
		e, problems := c.compile(text)
		if e == nil {
			t.Fatal(problems)
		}
		var ev event.Event
		ev.SetInt(event.LivenessAttempt, 0)
		s := &scope{event: &ev}
		if e.test(s) || !s.failed {
			t.Errorf("%s: matched or not counted", text)
		}
	}
}

func TestNeeds(t *testing.T) {
	c := newCompiler(testLists())
	f := func(text, want string) {
		t.Helper()
		e, problems := c.compile(text)
		if e == nil {
			t.Fatal(problems)
		}
		var got []string
		for _, id := range needsOf(&spec{}, e, nil, nil) {
			got = append(got, id.String())
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s needs %q, want %q", text, s, want)
		}
	}
	f(`gateway.auth == "refused" and has(client.ip)`, "client.ip gateway.auth")
	f(`gateway.auth == "refused" and not (liveness.vendor == "x") and missing(app.version)`, "gateway.auth")
	f(`gateway.auth == "refused" or liveness.vendor == "x"`, "")
	f(`any(tags, # == "x") and inNet(client.ip, lists.probes) and client.allow_listed`, "client.allow_listed client.ip tags")
	f(`age(api_key.created) > "90d"`, "@timestamp api_key.created")
}

func TestUnknownNamesAreSuggested(t *testing.T) {
	for name, want := range map[string]string{
		"http.response.status": "http.response.status_code", "gateway.outh": "gateway.auth", "clint.ip": "client.ip",
		"liveness.desicion": "liveness.decision", "organisation.id": "organization.id", "usr.id": "user.id", "zzzzzz": "",
	} {
		if got := strict.Nearest(name, fieldNames()); got != want {
			t.Errorf("nearest to %s is %q, want %q", name, got, want)
		}
	}
}
