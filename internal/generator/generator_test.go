package generator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata")

// monday is a working day, 10:00 in the gateway's zone.
var monday = time.Date(2026, 3, 16, 3, 0, 0, 0, time.UTC)

func newGenerator(tb testing.TB, cfg Config) *Generator {
	tb.Helper()
	if cfg.Start.IsZero() {
		cfg.Start = monday
	}
	g, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// each calls f with every line.
func each(g *Generator, f func(Line)) {
	for {
		line, ok := g.Next()
		if !ok {
			return
		}
		f(line)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	golden := filepath.Join("testdata", "corpora.sha256")
	var got strings.Builder
	for _, format := range Formats() {
		sum := func(seed uint64) string {
			h := sha256.New()
			g := newGenerator(t, Config{Seed: seed, Format: format, Duration: 40 * time.Second, Rate: 50, Canaries: true, Confounders: Confounders()})
			each(g, func(l Line) {
				fmt.Fprintf(h, "%d %s %s %s\n", l.At.UnixNano(), l.Session, l.Label, l.Text)
			})
			if err := g.WriteTruth(h); err != nil {
				t.Fatal(err)
			}
			return hex.EncodeToString(h.Sum(nil))
		}
		first := sum(1)
		if again := sum(1); again != first {
			t.Errorf("%s: the same seed gave other bytes", format)
		}
		if other := sum(2); other == first {
			t.Errorf("%s: another seed gave the same bytes", format)
		}
		fmt.Fprintf(&got, "%s %s\n", format, first)
	}
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("corpora changed (-want +got); run with -update if that was meant:\n%s", diff)
	}
}

// Adding attacks must not change the genuine traffic around them.
func TestGenuineTrafficDoesNotDependOnAttacks(t *testing.T) {
	genuineLines := func(attacks []Attack) []string {
		var lines []string
		g := newGenerator(t, Config{Duration: time.Minute, Rate: 40, Attacks: attacks})
		each(g, func(l Line) {
			if l.Label == "" {
				lines = append(lines, l.At.Format(time.RFC3339Nano)+" "+string(l.Text))
			}
		})
		return lines
	}
	without, with := genuineLines([]Attack{}), genuineLines(nil)
	if len(without) < 1000 {
		t.Fatalf("only %d genuine lines", len(without))
	}
	if diff := cmp.Diff(without, with); diff != "" {
		t.Errorf("genuine traffic changed (-without +with attacks):\n%.2000s", diff)
	}
}

func TestLinesAreWhatTheGatewayWouldWrite(t *testing.T) {
	combined := regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+ - [\w-]+ \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0700\] "[A-Z]+ /\S* HTTP/[12]\.[01]" \d{3} \d+ "[^"]*" "[^"]+"$`)
	required := map[string][]string{
		NginxJSON:  {"ts", "msec", "request_id", "remote_addr", "xff", "host", "method", "uri", "status", "request_length", "bytes_sent", "request_time", "upstream_addr", "upstream_status", "upstream_response_time", "ssl_protocol", "ssl_cipher", "ssl_client_verify", "limit_req_status", "consumer", "ua", "lv_decision", "lv_session", "lv_attempt"},
		LivewardV1: {"ts", "request_id", "client_ip", "path", "route", "operation", "status", "bytes_in", "latency_ms", "tls"},
		KongJSON:   {"request", "response", "latencies", "client_ip", "started_at", "service", "route"},
	}
	for _, format := range Formats() {
		t.Run(format, func(t *testing.T) {
			g := newGenerator(t, Config{Format: format, Duration: 2 * time.Minute, Rate: 40, Canaries: true, Confounders: []Confounder{Malformed, CGNAT}})
			broken, wrong := 0, 0
			each(g, func(l Line) {
				if bytes.IndexByte(l.Text, '\n') >= 0 {
					t.Fatalf("line feed in %.200q", l.Text)
				}
				if l.Broken {
					broken++
					return
				}
				if format == NginxCombined {
					if !combined.Match(l.Text) {
						t.Fatalf("not combined: %.300s", l.Text)
					}
					return
				}
				var m map[string]any
				if err := json.Unmarshal(l.Text, &m); err != nil {
					t.Fatalf("not JSON: %v: %.300s", err, l.Text)
				}
				for _, key := range required[format] {
					if _, ok := m[key]; !ok {
						wrong++
						t.Errorf("no %s in %.300s", key, l.Text)
					}
				}
				if wrong > 5 {
					t.FailNow()
				}
			})
			if broken < 20 {
				t.Errorf("%d malformed lines, want about 1 %% of 4,800", broken)
			}
		})
	}
}

// nginxLine is what the tests read back.
type nginxLine struct {
	TS         string  `json:"ts"`
	Msec       float64 `json:"msec"`
	Peer       string  `json:"remote_addr"`
	Forwarded  string  `json:"xff"`
	URI        string  `json:"uri"`
	Method     string  `json:"method"`
	Status     int     `json:"status"`
	Upstream   string  `json:"upstream_status"`
	Consumer   string  `json:"consumer"`
	Key        string  `json:"key_id"`
	Tenant     string  `json:"tenant"`
	Agent      string  `json:"ua"`
	Origin     string  `json:"origin"`
	TLS        string  `json:"ssl_protocol"`
	Decision   string  `json:"lv_decision"`
	Score      string  `json:"lv_score"`
	Threshold  string  `json:"lv_threshold"`
	Session    string  `json:"lv_session"`
	Attempt    string  `json:"lv_attempt"`
	Reason     string  `json:"lv_reason"`
	Class      string  `json:"lv_attack_class"`
	Subject    string  `json:"subject_ref"`
	Device     string  `json:"device_ref"`
	AppVersion string  `json:"app_version"`
	Body       string  `json:"request_body"`
}

// caller is the last address that no trusted proxy vouches against.
func (n *nginxLine) caller() string {
	if !strings.HasPrefix(n.Peer, "10.20.0.") || n.Forwarded == "" {
		return n.Peer
	}
	return n.Forwarded[strings.LastIndexByte(n.Forwarded, ' ')+1:]
}

func decode(tb testing.TB, l Line) nginxLine {
	tb.Helper()
	var n nginxLine
	if err := json.Unmarshal(l.Text, &n); err != nil {
		tb.Fatalf("%v: %.300s", err, l.Text)
	}
	return n
}

func TestVerdictsAgreeWithScoresAndRepeat(t *testing.T) {
	g := newGenerator(t, Config{Duration: 6 * time.Minute, Rate: 40})
	verdicts := map[string]string{}
	repeated, async := 0, 0
	each(g, func(l Line) {
		n := decode(t, l)
		if l.Session != "" && n.Session != l.Session {
			t.Fatalf("session %q in the line, %q beside it", n.Session, l.Session)
		}
		if n.Decision == "" || n.Decision == pending {
			return
		}
		switch n.Decision {
		case "live":
			if n.Score < n.Threshold || n.Class != "" {
				t.Fatalf("live with score %s of %s and attack %q", n.Score, n.Threshold, n.Class)
			}
		case "spoof":
			if n.Score >= n.Threshold || n.Class == "" {
				t.Fatalf("spoof with score %s of %s and attack %q", n.Score, n.Threshold, n.Class)
			}
		case "inconclusive":
			if n.Score != "" || n.Reason == "" {
				t.Fatalf("inconclusive with score %q and reason %q", n.Score, n.Reason)
			}
		default:
			t.Fatalf("decision %q", n.Decision)
		}
		id, verdict := n.Session+"/"+n.Attempt, n.Decision+n.Score+n.Reason
		if before, ok := verdicts[id]; ok {
			repeated++
			if before != verdict {
				t.Fatalf("%s was %s, is now %s", id, before, verdict)
			}
		}
		verdicts[id] = verdict
		if strings.HasPrefix(n.URI, pathWebhook) {
			async++
		}
	})
	if repeated < 800 || async < 100 {
		t.Errorf("%d repeated verdicts and %d webhooks, want many", repeated, async)
	}
}

func TestTruthCountsTheLabels(t *testing.T) {
	for _, format := range Formats() {
		g := newGenerator(t, Config{Format: format, Duration: 3 * time.Minute, Rate: 30, Canaries: true, Confounders: Confounders()})
		got := map[string]int64{}
		first, last := map[string]time.Time{}, map[string]time.Time{}
		var lines int64
		previous := time.Time{}
		each(g, func(l Line) {
			lines++
			if l.At.Before(previous) {
				t.Fatalf("%s: line at %s after one at %s", format, l.At, previous)
			}
			previous = l.At
			if l.Label == "" {
				return
			}
			got[l.Label]++
			if first[l.Label].IsZero() {
				first[l.Label] = l.At
			}
			last[l.Label] = l.At
		})
		if g.Stats().Lines != lines {
			t.Errorf("%s: stats say %d lines, there were %d", format, g.Stats().Lines, lines)
		}
		var file bytes.Buffer
		if err := g.WriteTruth(&file); err != nil {
			t.Fatal(err)
		}
		var truth TruthFile
		if err := json.Unmarshal(file.Bytes(), &truth); err != nil {
			t.Fatal(err)
		}
		if len(truth.Confounders) != len(Confounders()) {
			t.Errorf("%s: %d confounders in the truth", format, len(truth.Confounders))
		}
		want := map[string]int64{}
		for _, in := range truth.Attacks {
			want[in.ID] = in.Lines
			if !in.First.Equal(first[in.ID]) || !in.Last.Equal(last[in.ID]) {
				t.Errorf("%s: %s is said to last from %s to %s", format, in.ID, in.First, in.Last)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: lines by label (-truth +got):\n%s", format, diff)
		}
	}
}

func TestRate(t *testing.T) {
	for _, rate := range []float64{5, 40, 120} {
		g := newGenerator(t, Config{Seed: 7, Duration: 10 * time.Minute, Rate: rate, Attacks: []Attack{}})
		lines := 0
		each(g, func(Line) { lines++ })
		if got := float64(lines) / 600; got < rate*0.8 || got > rate*1.25 {
			t.Errorf("%.1f lines a second, want about %.0f", got, rate)
		}
	}
}

func TestDayHasItsShape(t *testing.T) {
	g := newGenerator(t, Config{Start: time.Date(2026, 3, 15, 17, 0, 0, 0, time.UTC), Duration: 24 * time.Hour, SessionsPerDay: 8_000, Attacks: []Attack{}})
	var hours [24]int
	decisions := map[string]int{}
	seen := map[string]bool{}
	each(g, func(l Line) {
		n := decode(t, l)
		if l.Session != "" { // health checks never sleep
			hours[l.At.Add(7*time.Hour).Hour()]++
		}
		if id := n.Session + n.Attempt; n.Decision != "" && n.Decision != pending && !seen[id] {
			seen[id] = true
			decisions[n.Decision]++
		}
	})
	if s := g.Stats().Sessions; s < 6_900 || s > 11_000 { // a Monday has a tenth more
		t.Errorf("%d sessions, want about 8,800", s)
	}
	if hours[3]*10 > hours[11] {
		t.Errorf("%d lines at three in the night, %d at eleven", hours[3], hours[11])
	}
	total := float64(decisions["live"] + decisions["spoof"] + decisions["inconclusive"])
	for decision, want := range map[string][2]float64{"live": {0.87, 0.95}, "inconclusive": {0.05, 0.10}, "spoof": {0.007, 0.025}} {
		if share := float64(decisions[decision]) / total; share < want[0] || share > want[1] {
			t.Errorf("%.4f of the attempts are %s, want %.3f to %.3f", share, decision, want[0], want[1])
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for name, cfg := range map[string]Config{
		"start":      {},
		"duration":   {Start: monday, Duration: -1},
		"format":     {Start: monday, Format: "xml"},
		"load":       {Start: monday, Rate: -1},
		"tenants":    {Start: monday, Tenants: 65},
		"keys":       {Start: monday, Keys: 5},
		"partners":   {Start: monday, Partners: 25},
		"offset":     {Start: monday, UTCOffset: 30 * time.Hour},
		"class":      {Start: monday, Attacks: []Attack{{Class: "flood"}}},
		"tenant":     {Start: monday, Attacks: []Attack{{Class: SpoofWave, Tenant: 4}}},
		"confounder": {Start: monday, Confounders: []Confounder{"fog"}},
	} {
		if g, err := New(cfg); err == nil || g != nil || !strings.HasPrefix(err.Error(), "generator: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, format := range Formats() {
		b.Run(format, func(b *testing.B) {
			g := newGenerator(b, Config{Format: format, Rate: 1000, Attacks: []Attack{}})
			var n int64
			b.ReportAllocs()
			for b.Loop() {
				l, _ := g.Next()
				n += int64(len(l.Text))
			}
			b.SetBytes(n / int64(b.N))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
