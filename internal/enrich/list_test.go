package enrich

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shown is a list as lines of "network label confidence from until".
func shown(l list) []string {
	var out []string
	for _, e := range l.entries {
		s := e.network.String()
		if e.label != "" {
			s += " " + e.label
		}
		if e.confidence != 0 {
			s += " " + confidenceNames[e.confidence]
		}
		for _, t := range []struct {
			word string
			at   int64
		}{{"from", e.from}, {"until", e.until}} {
			if t.at != 0 {
				s += fmt.Sprintf(" %s %s", t.word, time.Unix(0, t.at).UTC().Format(time.RFC3339))
			}
		}
		out = append(out, s)
	}
	return out
}

const bundle = `{
  "type": "bundle", "id": "bundle--1",
  "objects": [
    {"type": "identity", "name": "a CERT", "confidence": "a word nobody asks for"},
    {"type": "indicator", "pattern_type": "stix", "name": "Mirai", "confidence": 69,
     "pattern": "[ipv4-addr:value = '203.0.113.7']", "valid_from": "2026-01-01T00:00:00.000Z", "valid_until": "2026-02-01T00:00:00Z"},
    {"type": "indicator", "pattern_type": "stix", "indicator_types": ["anonymization"], "pattern": "[ipv4-addr:value ISSUBSET '198.51.100.0/24' OR ipv6-addr:value = '2001:db8::1'] OR [domain-name:value = 'evil.example']"},
    {"type": "indicator", "pattern_type": "stix", "labels": ["scan"], "pattern": "[ipv4-addr:value IN ('192.0.2.1', '192.0.2.2')]"},
    {"type": "indicator", "pattern_type": "stix", "pattern": "[ipv4-addr:value = '192.0.2.9' AND network-traffic:dst_port = 4444]"},
    {"type": "indicator", "pattern_type": "stix", "pattern": "[ipv4-addr:value = '192.0.2.9'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.10']"},
    {"type": "indicator", "pattern_type": "stix", "pattern": "[ipv4-addr:value = '192.0.2.9'] WITHIN 5 SECONDS"},
    {"type": "indicator", "pattern_type": "stix", "pattern": "[ipv4-addr:value != '192.0.2.9']"},
    {"type": "indicator", "pattern_type": "stix", "pattern": "[ipv4-addr:value NOT = '192.0.2.9']"},
    {"type": "indicator", "pattern_type": "stix", "pattern": "[url:value = 'http://evil.example/' OR domain-name:value = 'it\\'s']"},
    {"type": "indicator", "pattern_type": "sigma", "pattern": "detection: {}"},
    {"type": "indicator", "pattern_type": "stix", "revoked": true, "pattern": "[ipv4-addr:value = '192.0.2.11']"}
  ]
}`

func TestReadList(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		skipped    int
		want       []string
	}{
		{"nothing", "", 0, nil},
		{"comments", "# a\n; b\n\n  # c", 0, nil},
		{"plain", "\ufeff203.0.113.7\r\n 198.51.100.0/24 # a comment, with a comma\n2001:db8::/32 ; SBL1\n192.0.2.7/24\n::ffff:192.0.2.1\n203.0.113.9\tscanner of a partner\n", 0, []string{
			"203.0.113.7/32", "198.51.100.0/24", "2001:db8::/32", "192.0.2.0/24", "192.0.2.1/32", "203.0.113.9/32 scanner of a partner",
		}},
		{"csv without a header", "203.0.113.7,Dridex,x\n198.51.100.0/24\n", 0, []string{"203.0.113.7/32 Dridex", "198.51.100.0/24"}},
		{"csv of a botnet tracker", "# feed\n\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"malware\"\n\"2026-01-01 10:00:00\",\"203.0.113.7\",\"443\",\"online\",\"Dridex\"\n", 0, []string{"203.0.113.7/32 Dridex"}},
		{"csv of many kinds", "ioc_value,ioc_type,malware_printable,confidence_level\n203.0.113.7:8080,ip:port,\"Cobalt, Strike\",75\nevil.example,domain,x,50\n[2001:db8::1]:443,ip:port,x,0\n", 1, []string{"203.0.113.7/32 Cobalt, Strike High", "2001:db8::1/128 x None"}},
		{"times", "IP, valid_from, Valid_Until\n192.0.2.1,2026-01-01,2026-02-01\n192.0.2.2,,2026-02-01 10:00:00\n192.0.2.3,2026-01-01T07:00:00+07:00,\n", 0, []string{
			"192.0.2.1/32 from 2026-01-01T00:00:00Z until 2026-02-01T00:00:00Z", "192.0.2.2/32 until 2026-02-01T10:00:00Z", "192.0.2.3/32 from 2026-01-01T00:00:00Z",
		}},
		{"lines of JSON", "{\"ip\": \"203.0.113.7\", \"label\": \"tor\", \"confidence\": 29}\n\n{\"cidr\": \"198.51.100.0/24\", \"expires\": \"2026-02-01\", \"confidence\": \"medium\"}\n{\"indicator\": \"evil.example\", \"type\": \"domain\"}\n", 1, []string{
			"203.0.113.7/32 tor Low", "198.51.100.0/24 Medium until 2026-02-01T00:00:00Z",
		}},
		{"STIX", bundle, 8, []string{
			"203.0.113.7/32 Mirai Medium from 2026-01-01T00:00:00Z until 2026-02-01T00:00:00Z", "198.51.100.0/24 anonymization", "2001:db8::1/128 anonymization",
			"192.0.2.1/32 scan", "192.0.2.2/32 scan",
		}},
		{"an envelope of TAXII", `{"more": false, "objects": []}`, 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := readList("l", []byte(tc.text), ListAuto, true)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, shown(l)); d != "" || l.skipped != tc.skipped {
				t.Errorf("skipped %d, want %d (-want +got):\n%s", l.skipped, tc.skipped, d)
			}
		})
	}
}

func TestListErrors(t *testing.T) {
	long := strings.Repeat("x", maxLabel+1)
	for _, tc := range []struct {
		name   string
		format ListFormat
		text   string
		want   []string
	}{
		{"plain", "", "203.0.113.7\n  evil-host.example\n203.0.113.0/33\n", []string{"l:2:3: no address or network", "l:3:1: no address or network"}},
		{"a page instead of a list", "", "<!DOCTYPE html>\n<html>evil</html>\n", []string{"l:1:1: no address", "l:2:1: no address"}},
		{"everybody", "", "0.0.0.0/0\n::/0\n8.0.0.0/7\n2000::/15\n", []string{"l:1:1: an indicator wider than /8", "l:2:1: an ind", "l:3:1: an ind", "l:4:1: an ind"}},
		{"control characters", "", "203.0.113.7 \x1b[31mevil\n", []string{"l:1:1: a label has at most 128 bytes and no control"}},
		{"a long label", "", "203.0.113.7 " + long, []string{"l:1:1: a label has at most"}},
		{"a long line", "", strings.Repeat("2", maxListLine+1), []string{"l:1:1: the line is too long"}},
		{"not UTF-8", "", "\xff\xfe2\x000\x003\x00", []string{"l:1:1: not UTF-8"}},
		{"csv: no column", ListCSV, "hash,family\nevil,x\n", []string{"l:1:1: no address or network", "l:2:1: no address or network"}},
		{"csv: a quote", "", "ip,label\n203.0.113.7,\"evil\n203.0.113.8,x\n", []string{"l:2:1: not CSV; quotes must close"}},
		{"csv: values", "", "ip,label,valid_until,confidence\n203.0.113.7,x,soon,1\n203.0.113.7,x,,101\n,x,,\n203.0.113.7,,1969-01-01,\nevil,x,,\n", []string{
			"l:2:15: valid_until is no time; want a form like", "l:3:16: no confidence", "l:4:1: no network", "l:5:14: valid_until", "l:6:1: no address",
		}},
		{"csv: a time that ends before it begins", "", "ip,valid_from,valid_until\n192.0.2.1,2026-02-01,2026-01-01\n192.0.2.1,2026-02-01,2026-02-01\n", []string{"l:2:1: valid_until is not after valid_from", "l:3:1: valid_until is not after valid_from"}},
		{"JSON", ListJSON, "{\"ip\": \"203.0.113.7\"}\n{\"ip\": evil}\n[]\n{\"ip\": {}}\n{} {}\n", []string{"l:2:8: not a JSON object", "l:3:", "l:4:1: no network", "l:5:4: not a JSON object"}},
		{"STIX: not JSON", ListSTIX, "{\"objects\": [\n  {\"type\": \"indicator\", evil}\n]}", []string{"l:2:25: not a STIX bundle"}},
		{"STIX: cut short", ListSTIX, "{\"objects\": [\n  {\"type\": \"identity\"}", []string{"l:2:22: not a STIX bundle"}},
		{"STIX: a list", ListSTIX, "[]", []string{"l:1:1: not a STIX bundle"}},
		{"STIX: objects", ListSTIX, "{\"objects\": 7}", []string{"not a STIX bundle"}},
		{"STIX: more behind", ListSTIX, "{\"objects\": []}{}", []string{"l:1:16: not a STIX bundle"}},
		{"STIX: values", ListSTIX, `{"objects": [
{"type": "indicator", "pattern": "[ipv4-addr:value = 'evil']"},
 {"type": "indicator", "pattern": "[ipv4-addr:value = '203.0.113.7']", "valid_until": "evil"},
 {"type": "indicator", "pattern": "[ipv4-addr:value = '203.0.113.7']", "confidence": 101},
 {"type": "indicator", "pattern": ["evil"]}]}`, []string{"l:2:1: no address", "l:3:2: valid_from or valid_until is no time", "l:4:2: no confidence", "l:5:2: a property of this object has the wrong type; see pattern"}},
		{"STIX: deep", ListSTIX, `{"objects": ` + strings.Repeat("[", 100_000), []string{"not a STIX bundle"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := readList("l", []byte(tc.text), tc.format, true)
			if err == nil {
				t.Fatalf("no error: %v", shown(l))
			}
			lines := strings.Split(err.Error(), "\n")
			if !slices.EqualFunc(lines, tc.want, strings.Contains) {
				t.Errorf("got\n%s\nwant\n%s", err, strings.Join(tc.want, "\n"))
			}
			if strings.Contains(err.Error(), "evil") {
				t.Errorf("the error quotes the list: %v", err)
			}
		})
	}
	if _, err := readList("l", []byte(strings.Repeat("nonsense\n", 10*maxProblems)), "", false); strings.Count(err.Error(), "\n") > maxProblems {
		t.Error("errors without end")
	}
	if _, err := readList("l", []byte("0.0.0.0/0\n"), "", false); err != nil {
		t.Errorf("a network list may hold everybody: %v", err)
	}
}

// FuzzReadList: no panic, no more entries than lines and patterns can give, no error that quotes, and
// what is read is what can be matched.
func FuzzReadList(f *testing.F) {
	f.Add([]byte(bundle))
	f.Add([]byte("ip,label,valid_until\n203.0.113.7,x,2026-01-01\n"))
	f.Add([]byte("{\"ip\":\"203.0.113.7\",\"confidence\":7}\n"))
	f.Add([]byte("203.0.113.7 x\n::/16 # y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 16<<10 {
			return
		}
		for _, format := range ListFormats() {
			l, err := readList("l", text, ListFormat(format), true)
			if err != nil {
				if strings.Count(err.Error(), "\n") >= maxProblems {
					t.Errorf("%d problems", strings.Count(err.Error(), "\n"))
				}
				continue
			}
			if len(l.entries)+l.skipped > len(text) {
				t.Errorf("%d entries of %d bytes", len(l.entries), len(text))
			}
			for _, e := range l.entries {
				if !e.network.IsValid() || e.network.Masked() != e.network || e.network.Addr().Is4In6() || tooWide(e.network) || !isLabel(e.label) {
					t.Errorf("entry %v", e)
				}
				if e.until != 0 && e.until <= e.from {
					t.Errorf("never in force: %v", e)
				}
			}
		}
	})
}

func BenchmarkReadList(b *testing.B) {
	var text strings.Builder
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&text, "%d.%d.%d.7\n", 1+i>>16, i>>8&255, i&255)
	}
	src := []byte(text.String())
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readList("l", src, ListPlain, true); err != nil {
			b.Fatal(err)
		}
	}
}
