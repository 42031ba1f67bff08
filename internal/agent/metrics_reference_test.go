package agent_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/agent"
)

const metricsPage = "../../docs/metrics.md"

// The page of metrics is what the table says; names and units follow Prometheus' conventions.
func TestMetricsReference(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Metrics

Written from the code by ` + "`make docs`" + `; a test holds the two together, and another holds them against what a running
agent exposes.

The control socket always has them. Prometheus gets them where ` + "`metrics.listen`" + ` is set:

` + "```yaml" + `
metrics: {listen: "127.0.0.1:9464"}
` + "```" + `

Beyond loopback the listener needs a certificate, and bearer tokens or client certificates. It serves
` + "`GET /metrics`" + ` and nothing else.

Values of labels come from the configuration, the rules and fixed lists, never from a log, so that nobody who sends
calls can make series. Of more than 1,000 rules those first by id have metrics of their own. Counters begin with the
process. Times of rules are estimated: one trial in 64 is measured, so that the path of an event reads no clock.

What to alarm on, beside the rules of the pack (` + "`lw.ops.*`" + `), which say the same from within:

| expression | means |
| --- | --- |
| ` + "`up == 0`" + ` | the agent is down: nothing else can say so |
| ` + "`liveward_input_silent_seconds > 600`" + ` | a gateway's log is silent |
| ` + "`increase(liveward_input_lost_total[10m]) > 0`" + ` | lines are lost before they are journaled: a log was rotated away, a buffer is too small |
| ` + "`increase(liveward_input_turned_away_total{why=~\"denied\\|forbidden\"}[10m]) > 0`" + ` | somebody sends who may not, or may not any more |
| ` + "`liveward_rule_state{state=\"blind\"} == 1`" + ` | a rule cannot fire |
| ` + "`increase(liveward_rule_evicted_keys_total[10m]) > 0`" + ` | a rule forgets keys: its counts are not exact |
| ` + "`increase(liveward_input_late_total[10m]) > 0`" + ` | windows miss events: a gateway's clock is behind, or its log is written in long pieces; raise the input's ` + "`lateness`" + ` |
| ` + "`increase(liveward_joins_evicted_total[10m]) > 0`" + ` | sessions are forgotten before their account came: alerts on accounts may be wrong |
| ` + "`liveward_journal_full == 1`" + ` | collectors wait: a store is away |
| ` + "`liveward_forwarder_state{state=\"stuck\"} == 1`" + ` | somebody has to mend key, privilege or template |
| ` + "`increase(liveward_notifications_failed_total[15m]) > 0`" + ` | on-call may not have been told |
| ` + "`liveward_journal_expired_messages_total > 0`" + ` | documents were lost to the legal maximum age |

| metric | type | labels | meaning |
| --- | --- | --- | --- |
`)
	names := regexp.MustCompile(`^liveward(_[a-z]+)+$`)
	for _, m := range agent.Metrics() {
		kind := "counter"
		if m.Gauge {
			kind = "gauge"
		}
		if !names.MatchString(m.Name) || m.Gauge == strings.HasSuffix(m.Name, "_total") || !strings.HasSuffix(m.Help, ".") {
			t.Errorf("%s (%s): %q", m.Name, kind, m.Help)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, kind, strings.Join(m.Labels, ", "), m.Help)
	}
	b.WriteString("\nWhat collectors count has these values of `what`, `why` and `state`:\n\n| metric | value | counts |\n| --- | --- | --- |\n")
	for _, v := range agent.LabelValues() {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", v.Metric, v.Value, v.Help)
	}
	b.WriteString("\nBeside these there are the `go_*` and `process_*` metrics of Go's own runtime and of the process.\n")
	if *update {
		if err := os.WriteFile(metricsPage, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("docs/metrics.md is not what the code says; run make docs:\n%s", diff)
	}
}
