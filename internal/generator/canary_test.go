package generator

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestEveryCanaryIsInTheLog(t *testing.T) {
	for _, format := range Formats() {
		g := newGenerator(t, Config{Format: format, Duration: 30 * time.Second, Rate: 10, Canaries: true})
		var log bytes.Buffer
		each(g, func(l Line) {
			log.Write(l.Text)
			log.WriteByte('\n')
		})
		kinds := map[string]int{}
		values := map[string]bool{}
		for _, c := range g.Canaries() {
			kinds[c.Kind]++
			if len(c.Value) < 12 {
				t.Errorf("%s: canary %s in %s is too short to be looked for", format, c.Kind, c.Place)
			}
			if values[c.Value] {
				t.Errorf("%s: canary %s in %s is not unique", format, c.Kind, c.Place)
			}
			values[c.Value] = true
			if strings.Contains(c.Place, "escapes") || c.Place == "query, percent-encoded" {
				if bytes.Contains(log.Bytes(), []byte(c.Value)) {
					t.Errorf("%s: canary %s in %s stands in the clear", format, c.Kind, c.Place)
				}
				continue
			}
			if !bytes.Contains(log.Bytes(), []byte(c.Value)) {
				t.Errorf("%s: canary %s in %s was not written", format, c.Kind, c.Place)
			}
		}
		want := []string{"api_key", "jwt", "email", "phone", "pan", "national_id", "face"}
		if format != NginxCombined {
			want = append(want, "subject_id", "device_id")
		}
		for _, kind := range want {
			if kinds[kind] == 0 {
				t.Errorf("%s: no canary of kind %s", format, kind)
			}
		}
	}
}

func TestNoCanariesUnlessAsked(t *testing.T) {
	g := newGenerator(t, Config{Duration: 30 * time.Second, Rate: 10, Attacks: []Attack{}})
	each(g, func(l Line) {
		if l.Label != "" {
			t.Fatalf("label %q", l.Label)
		}
		if bytes.Contains(l.Text, []byte("api_key=")) || bytes.Contains(l.Text, []byte("@")) {
			t.Fatalf("secret in %.300s", l.Text)
		}
	})
	if len(g.Canaries()) > 0 {
		t.Error("canaries without being asked")
	}
}

func TestLuhn(t *testing.T) {
	for in, want := range map[string]string{"411111111111111": "4111111111111111", "7992739871": "79927398713"} {
		if got := luhn(in); got != want {
			t.Errorf("luhn(%s) = %s, want %s", in, got, want)
		}
	}
}

// The roster fits the traffic: each key that is accepted is on it, and its secret is not.
func TestRosterFitsTheTraffic(t *testing.T) {
	g := newGenerator(t, Config{Duration: 5 * time.Minute, Rate: 30})
	keys := map[string]Key{}
	for _, k := range g.Keys() {
		keys[k.ID] = k
		if age := monday.Sub(k.Created); age < 9*24*time.Hour || age > 80*24*time.Hour && k.Owner != "partner-archive" {
			t.Errorf("key %s is %s old", k.ID, age)
		}
		for _, c := range k.Allow {
			if _, err := netip.ParsePrefix(c); err != nil {
				t.Error(err)
			}
		}
	}
	used := map[string]bool{}
	each(g, func(l Line) {
		n := decode(t, l)
		if n.Key == "" || n.Status == 401 {
			return
		}
		used[n.Key] = true
		if _, ok := keys[n.Key]; !ok {
			t.Fatalf("key %s is not on the roster", n.Key)
		}
	})
	if len(used) < 12 {
		t.Errorf("only %d keys were used", len(used))
	}
	roster := string(g.Roster())
	for i := range g.world.keys {
		if strings.Contains(roster, g.world.keys[i].secret) {
			t.Error("a secret is in the roster")
		}
		if !strings.Contains(roster, "id: "+g.world.keys[i].id) {
			t.Errorf("key %s is missing from the roster", g.world.keys[i].id)
		}
	}
}
