package rules

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// A condition, or a part of it, that can never hold is found, and nothing else is.
func TestDeadConditions(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, problems := newCompiler(testLists()).compile(text)
		var got []string
		for _, p := range problems {
			got = append(got, p.level.String()+": "+p.message)
		}
		if s := strings.Join(got, "\n"); !strings.Contains(s, want) || want == "" && s != "" {
			t.Errorf("%s\ngives %q\nwant  %q", text, s, want)
		}
	}
	f(`http.response.status_code > 500 and http.response.status_code < 400`, "error: condition never holds: no http.response.status_code, which is from 100 to 599")
	f(`http.response.status_code >= 600`, "error: condition never holds")
	f(`liveness.score > 1`, "which is from 0 to 1")
	f(`liveness.score < 0 or gateway.auth == "refused"`, "warning: this part never holds")
	f(`gateway.auth == "refused" and (liveness.score > 0.5 and liveness.score < 0.4 or has(client.ip))`, "warning: this part never holds")
	f(`event.duration < 0`, "which is never below 0")
	f(`100 > http.response.status_code`, "error: condition never holds")
	f(`organization.id == "a" and organization.id != "a"`, `organization.id cannot be and not be "a"`)
	f(`has(client.ip) and not has(client.ip)`, "it is demanded and excluded")
	f(`not (client.ip == "192.0.2.1") and client.ip == "192.0.2.1"`, "it is demanded and excluded")
	f(`gateway.auth == "refused" and (gateway.auth_reason == "rate" or gateway.auth != "refused")`, "warning: this part never holds")
	f(`http.response.status_code == 401 and http.response.status_code > 401`, "never holds")

	f(`http.response.status_code >= 400 and http.response.status_code <= 400`, "")
	f(`liveness.score >= 0 and liveness.score <= 1`, "")
	f(`liveness.score_raw > 100 or liveness.score_raw < -5`, "")
	f(`liveness.score < 0.2 or liveness.score > 0.8`, "")
	f(`organization.id != "a" and organization.id != "b"`, "")
	f(`not has(client.ip) or has(client.ip)`, "")
	f(`liveness.margin < 0 and liveness.margin > -0.02`, "")
}

func TestSwallowingExceptions(t *testing.T) {
	f := func(when, except string, want bool) {
		t.Helper()
		body := "when: '" + when + "'\nby: [client.ip]\nexcept: [{when: '" + except + "', until: 2027-01-01, owner: soc, why: x}]"
		got := Lint(withFiles(ruleFiles(map[string]string{"t.a": body}), map[string]string{"lists/good.yaml": "type: ip\nentries: []\n"}), anyPlaybook()).Error()
		if strings.Contains(got, "t.a.yaml:10:17: exception takes away all that the rule matches") != want {
			t.Errorf("when %s except %s: want %v\n%s", when, except, want, got)
		}
	}
	f(`gateway.auth == "refused"`, `gateway.auth == "refused"`, true)
	f(`gateway.auth == "refused" and has(user.id)`, `gateway.auth == "refused"`, true)
	f(`gateway.auth == "refused"`, `gateway.auth in ["refused", "absent"]`, true)
	f(`gateway.auth in ["refused", "absent"]`, `gateway.auth == "refused"`, false)
	f(`gateway.auth == "refused"`, `has(gateway.auth)`, true)
	f(`gateway.auth == "refused"`, `has(client.ip)`, true)
	f(`gateway.auth == "refused"`, `has(user.id)`, false)
	f(`gateway.auth == "refused"`, `has(user.id) or gateway.auth == "refused"`, true)
	f(`gateway.auth == "refused"`, `gateway.auth == "refused" and client.ip in lists.good`, false)
	f(`has(user.id)`, `client.ip in lists.good`, false)
}

// What lint needs the configuration for: fields that no format provides, and how long the journal is.
func TestLintOfConfiguration(t *testing.T) {
	fsys := ruleFiles(map[string]string{
		"t.a": "when: has(user.id) and liveness.decision == \"spoof\"\nby: [user.id]\nwindow: 2d\nthreshold: 3",
		"t.b": "when: has(user.id)\nfirst_seen: {of: [client.ip], history: 20d}",
		"t.c": "when: has(user.id)\nwindow: 10m\nspike: {baseline: 14d}",
		"t.d": "when: has(user.id)\nby: [user.id]\nwindow: 1d\nthreshold: 3",
	})
	opts := anyPlaybook()
	opts.Provided = func(id event.ID) bool { return id != event.LivenessDecision }
	opts.Retention = 24 * time.Hour
	got := Lint(fsys, opts)
	var lines []string
	for _, p := range got {
		lines = append(lines, strings.SplitN(p.Error(), ";", 2)[0])
	}
	for _, want := range []string{
		"t.a.yaml:8:24: warning: rule is blind: no configured format provides liveness.decision",
		"t.a.yaml:10:9: warning: window of 2d is longer than the journal keeps (1d)",
		"t.b.yaml:9:40: warning: first_seen.history of 20d is longer than the journal keeps (1d)",
		"t.c.yaml:10:19: warning: spike.baseline of 14d is longer than the journal keeps (1d)",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no %q in:\n%s", want, strings.Join(lines, "\n"))
		}
	}
	for _, l := range lines {
		if strings.HasPrefix(l, "t.d") && (strings.Contains(l, "journal") || strings.Contains(l, "blind")) {
			t.Errorf("a sound rule is warned of: %s", l)
		}
	}
}

// A chain that waits for a rule which is not there waits for ever.
func TestLintChains(t *testing.T) {
	fsys := ruleFiles(map[string]string{
		"t.a":     "when: rule.id in [\"t.burst\", \"t.brust\"]\nby: [client.ip]\nwindow: 1d\nchain: {as: count, at_least: 2}",
		"t.burst": "when: has(user.id)",
	})
	got := Lint(fsys, anyPlaybook()).Error()
	if !strings.Contains(got, `t.a.yaml:8:30: warning: there is no rule t.brust; did you mean "t.burst"?`) || strings.Contains(got, "no rule t.burst") {
		t.Errorf("problems:\n%s", got)
	}
}
