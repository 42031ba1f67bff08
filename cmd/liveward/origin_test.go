package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// From a line of a log and a database of places to the alert: a key that is used from a country it has
// not been used from, while its owner goes on, is two alerts; one whose allow list says so is none.
func TestKeyFromAnotherCountry(t *testing.T) {
	t.Chdir(t.TempDir())
	places(t, "places.mmdb", map[string]mmdbtype.Map{
		"203.0.113.0/24":  {"country": mmdbtype.Map{"iso_code": mmdbtype.String("ID")}},
		"198.51.100.0/24": {"country": mmdbtype.Map{"iso_code": mmdbtype.String("BR")}},
	})
	places(t, "systems.mmdb", map[string]mmdbtype.Map{
		"203.0.113.0/24":  {"autonomous_system_number": mmdbtype.Uint32(7713)},
		"198.51.100.0/24": {"autonomous_system_number": mmdbtype.Uint32(28573)},
	})
	start := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
	var log strings.Builder
	call := func(after time.Duration, key, from string) {
		fmt.Fprintf(&log, `{"msec":%d.000,"remote_addr":%q,"method":"POST","uri":"/v1/liveness/check","status":200,"request_time":0.5,"key_id":%q,"ua":"Java/21","ssl_protocol":"TLSv1.3","upstream_status":"200"}`+"\n",
			start.Add(after).Unix(), from, key)
	}
	const day = 24 * time.Hour
	for n := range 10 {
		call(time.Duration(n)*day, "free", "203.0.113.7")
		call(time.Duration(n)*day, "listed", "203.0.113.7")
	}
	call(9*day+time.Minute, "free", "198.51.100.9")
	call(9*day+time.Minute, "listed", "198.51.100.9")
	call(9*day+2*time.Minute, "free", "198.51.100.10")
	for name, text := range map[string]string{
		"access.json": log.String(),
		"keys.yaml":   "keys:\n  - {id: free, owner: retail, created: 2026-03-01}\n  - {id: listed, owner: retail, created: 2026-03-01, allow: [203.0.113.0/24, 198.51.100.0/24]}\n",
		"liveward.yaml": "inputs: [{name: gateway, paths: [access.json], format: nginx_json, keys: keys.yaml}]\n" +
			"enrich: {databases: [places.mmdb, systems.mmdb]}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	if code := run([]string{"replay", "-c", "liveward.yaml", "access.json"}, nil, &out, &errs); code != exitDone {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	var got []string
	for line := range bytes.Lines(out.Bytes()) {
		var alert struct {
			Rule struct{ ID, Name string }
		}
		if err := json.Unmarshal(line, &alert); err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(alert.Rule.Name, " used from ")
		got = append(got, alert.Rule.ID+strings.TrimPrefix(alert.Rule.Name, name))
	}
	slices.Sort(got)
	want := []string{"lw.key.concurrent-geo used from 2 countries within 30m", "lw.key.new-origin used from BR, AS28573"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

// places writes a database of networks.
func places(t *testing.T, name string, records map[string]mmdbtype.Map) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "test", RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, record := range records {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(n, record); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
