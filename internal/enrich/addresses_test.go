package enrich

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// mmdb writes a database of networks and their records, as MaxMind lays them out.
func mmdb(t testing.TB, path, kind string, records map[string]mmdbtype.Map) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, RecordSize: 24, IncludeReservedNetworks: true, Description: map[string]string{"en": "test"}})
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
	write(t, path, b.String())
}

// write puts a file in the place of another, as an updater does.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func located(country, region, city string) mmdbtype.Map {
	m := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(country)}}
	if region != "" {
		m["subdivisions"] = mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String(region)}}
	}
	if city != "" {
		m["city"] = mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(city), "id": mmdbtype.String("x")}}
	}
	return m
}

func system(number uint32, organization string) mmdbtype.Map {
	return mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(number), "autonomous_system_organization": mmdbtype.String(organization)}
}

func cityFile(t testing.TB, path string) {
	t.Helper()
	mmdb(t, path, "GeoLite2-City", map[string]mmdbtype.Map{
		"203.0.113.0/24":  located("ID", "JK", "Jakarta"),
		"198.51.100.0/24": located("BR", "", ""),
		"2001:db8::/32":   located("VN", "HN", "Ha\x00noi"),
	})
}

func systemFile(t testing.TB, path string) {
	t.Helper()
	mmdb(t, path, "GeoLite2-ASN", map[string]mmdbtype.Map{
		"203.0.113.0/24": system(7713, "PT Telekomunikasi"), "2001:db8::/32": system(45899, "VNPT"),
	})
}

func load(t testing.TB, cfg AddressConfig) *Addresses {
	t.Helper()
	a, err := LoadAddresses(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// seen is what enrichment makes of a call from an address, as "field=value" of the fields of interest.
func seen(e *Enricher, ip string, at time.Time, set ...func(*event.Event)) []string {
	var ev event.Event
	ev.SetString(event.SourceIP, ip)
	if !at.IsZero() {
		ev.SetTime(event.Timestamp, at.UnixNano())
	}
	ev.SetInt(event.HTTPResponseStatusCode, 200)
	for _, f := range set {
		f(&ev)
	}
	e.Apply(&ev)
	var out []string
	ev.Present(func(id event.ID) {
		if !ProvidesAddresses(id) {
			return
		}
		var value any
		switch event.FieldOf(id).Type {
		case event.Keywords:
			value = strings.Join(ev.List(id), "|")
		case event.Bool:
			value = ev.Bool(id)
		case event.Long:
			value = ev.Int(id)
		default:
			value = ev.Str(id)
		}
		out = append(out, fmt.Sprintf("%s=%v", strings.TrimPrefix(id.String(), "client."), value))
	})
	return out
}

func TestWhereabouts(t *testing.T) {
	dir := t.TempDir()
	city, asn, info := filepath.Join(dir, "city.mmdb"), filepath.Join(dir, "asn.mmdb"), filepath.Join(dir, "info.mmdb")
	cityFile(t, city)
	systemFile(t, asn)
	mmdb(t, info, "ipinfo bundle_location_lite.mmdb", map[string]mmdbtype.Map{
		"203.0.113.0/24": {"country_code": mmdbtype.String("XX"), "asn": mmdbtype.String("AS1"), "as_name": mmdbtype.String("elsewhere")},
		"192.0.2.0/24":   {"country_code": mmdbtype.String("KE"), "asn": mmdbtype.String("AS36926"), "as_name": mmdbtype.String("Airtel")},
	})
	a := load(t, AddressConfig{Databases: []string{city, asn, info}})
	e := enricher(t, Config{Addresses: a})
	f := func(ip string, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, seen(e, ip, time.Time{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", ip, d)
		}
	}
	f("203.0.113.7", "as.number=7713", "as.organization.name=PT Telekomunikasi", "geo.city_name=Jakarta", "geo.country_iso_code=ID", "geo.region_iso_code=ID-JK")
	f("::ffff:203.0.113.7", "as.number=7713", "as.organization.name=PT Telekomunikasi", "geo.city_name=Jakarta", "geo.country_iso_code=ID", "geo.region_iso_code=ID-JK")
	f("198.51.100.1", "geo.country_iso_code=BR")
	f("192.0.2.1", "as.number=36926", "as.organization.name=Airtel", "geo.country_iso_code=KE")
	f("2001:db8::1", "as.number=45899", "as.organization.name=VNPT", "geo.country_iso_code=VN", "geo.region_iso_code=VN-HN") // no city: a control character
	f("10.0.0.1")
	f("backend")

	// The log's own knowledge stands where no database has better.
	said := func(ev *event.Event) {
		ev.SetString(event.ClientGeoCountry, "ZZ")
		ev.SetString(event.ClientGeoCity, "Nowhere")
		ev.SetString(event.NetworkName, "corporate")
		ev.Append(event.ThreatFeedName, "made up")
	}
	if d := cmp.Diff([]string{"geo.city_name=Nowhere", "geo.country_iso_code=ZZ"}, seen(e, "10.0.0.1", time.Time{}, said)); d != "" {
		t.Errorf("address no database has (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"geo.country_iso_code=BR"}, seen(e, "198.51.100.1", time.Time{}, said)); d != "" {
		t.Errorf("address a database has (-want +got):\n%s", d)
	}
	for id, want := range map[event.ID]bool{event.ClientGeoCity: true, event.ClientASNumber: true, event.NetworkName: false} {
		if a.Provides(id) != want {
			t.Errorf("provides %s: %v", id, !want)
		}
	}
	if load(t, AddressConfig{Databases: []string{asn}}).Provides(event.ClientGeoCountry) {
		t.Error("a database of autonomous systems provides countries")
	}
}

func TestBrokenDatabases(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir()) // for copies that nobody else makes
	good := filepath.Join(dir, "good.mmdb")
	cityFile(t, good)
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, content, want string) {
		t.Helper()
		path := filepath.Join(dir, name)
		write(t, path, content)
		_, err := LoadAddresses(AddressConfig{Databases: []string{path}})
		if err == nil || !strings.Contains(err.Error(), name+": "+want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("empty.mmdb", "", "not a MaxMind database")
	f("text.mmdb", "<html>quota exceeded</html>", "not a MaxMind database")
	f("cut.mmdb", string(text[:len(text)/2]), "not a MaxMind database")
	other := filepath.Join(dir, "other.mmdb")
	mmdb(t, other, "Anonymous-IP", map[string]mmdbtype.Map{"203.0.113.0/24": {"is_vpn": mmdbtype.Bool(true)}})
	if _, err := LoadAddresses(AddressConfig{Databases: []string{other}}); err == nil || !strings.Contains(err.Error(), "neither country.iso_code") {
		t.Errorf("a database of neither: %v", err)
	}
	_, err = LoadAddresses(AddressConfig{Databases: []string{filepath.Join(dir, "a.mmdb"), dir}, Lists: []ListConfig{{File: filepath.Join(dir, "b.txt")}}})
	if !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three problems at once: %v", err)
	}
	// Nothing is left behind of what is mapped.
	load(t, AddressConfig{Databases: []string{good}})
	if left, err := os.ReadDir(os.TempDir()); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v %v", left, err)
	}
	t.Setenv("TMPDIR", filepath.Join(dir, "none"))
	if _, err := LoadAddresses(AddressConfig{Databases: []string{good}}); err == nil || !strings.Contains(err.Error(), "good.mmdb: copy to "+dir) {
		t.Errorf("no room for a copy: %v", err)
	}
}

// Whatever byte of a database is broken, it is refused or answers; it never ends the process.
func TestDatabaseWithBrokenBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	cityFile(t, path)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range good {
		for _, x := range []byte{0xff, good[i] ^ 1, good[i] + 32} {
			bad := slices.Clone(good)
			bad[i] = x
			write(t, path, string(bad))
			a, err := LoadAddresses(AddressConfig{Databases: []string{path}})
			if err != nil {
				refused++
				continue
			}
			for _, ip := range []string{"203.0.113.7", "198.51.100.1", "2001:db8::1", "10.0.0.1"} {
				f := a.facts(netip.MustParseAddr(ip))
				if len(f.country) > 2 || !isCode(f.country+"X", 3) {
					t.Errorf("byte %d: country %q", i, f.country)
				}
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

func lists(t testing.TB, text map[string]string) (string, func(kind ListKind, name, file string) ListConfig) {
	t.Helper()
	dir := t.TempDir()
	for name, s := range text {
		write(t, filepath.Join(dir, name), s)
	}
	return dir, func(kind ListKind, name, file string) ListConfig {
		return ListConfig{Kind: kind, Name: name, File: filepath.Join(dir, file)}
	}
}

func TestNetworks(t *testing.T) {
	_, l := lists(t, map[string]string{
		"hosting.csv": "network,label\n203.0.113.0/24,aws\n203.0.113.128/25,gcp\n198.51.100.0/24,\n",
		"cgnat.txt":   "# carriers\n100.64.0.0/10\n203.0.113.200\n",
	})
	hosting, cgnat := l(NetworkList, "hosting", "hosting.csv"), l(NetworkList, "cgnat", "cgnat.txt")
	cgnat.Tags = []string{"shared-address", "edge"}
	e := enricher(t, Config{Tags: []string{"edge"}, Addresses: load(t, AddressConfig{Lists: []ListConfig{
		hosting, cgnat, {Name: "corporate", Networks: prefixes(t, "10.0.0.0/8", "2001:db8::/32")},
	}})})
	f := func(ip string, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, seen(e, ip, time.Time{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", ip, d)
		}
	}
	f("203.0.113.7", "network.name=hosting|aws", "tags=edge")
	f("203.0.113.129", "network.name=hosting|gcp|aws", "tags=edge") // the narrower first
	f("203.0.113.200", "network.name=hosting|gcp|aws|cgnat", "tags=edge|shared-address")
	f("100.127.255.255", "network.name=cgnat", "tags=edge|shared-address")
	f("100.128.0.0", "tags=edge")
	f("10.1.2.3", "network.name=corporate", "tags=edge")
	f("2001:db8:1::", "network.name=corporate", "tags=edge")
	f("2001:db9::", "tags=edge")
}

func TestAllowListsByTenantAndRegion(t *testing.T) {
	e := enricher(t, Config{Keys: roster(t), Addresses: load(t, AddressConfig{Lists: []ListConfig{
		{Kind: AllowList, Tenant: "bank-a", Networks: prefixes(t, "198.51.100.0/24")},
		{Kind: AllowList, Region: "eu", Networks: prefixes(t, "192.0.2.0/24")},
		{Kind: AllowList, Tenant: "bank-a", Region: "us", Networks: nil},
	}})})
	f := func(key, tenant, region, ip, want string) {
		t.Helper()
		var ev event.Event
		ev.SetString(event.APIKeyID, key)
		ev.SetString(event.OrganizationID, tenant)
		ev.SetString(event.DataRegion, region)
		ev.SetString(event.SourceIP, ip)
		ev.SetInt(event.HTTPResponseStatusCode, 403)
		e.Apply(&ev)
		got := "absent"
		if ev.Has(event.ClientAllowListed) {
			got = fmt.Sprint(ev.Bool(event.ClientAllowListed))
		}
		if got != want {
			t.Errorf("key %q of %q in %q from %s: %s, want %s", key, tenant, region, ip, got, want)
		}
		if reason := ev.Str(event.GatewayAuthReason); (reason == "ip_denied") != (got == "false") {
			t.Errorf("key %q of %q in %q from %s: reason %s", key, tenant, region, ip, reason)
		}
	}
	f("", "", "", "198.51.100.1", "absent")
	f("", "bank-b", "", "198.51.100.1", "absent")
	f("", "bank-a", "", "198.51.100.1", "true")
	f("", "bank-a", "", "192.0.2.1", "false")
	f("", "bank-b", "eu", "192.0.2.1", "true")
	f("", "bank-b", "eu", "198.51.100.1", "false")
	f("", "bank-a", "eu", "192.0.2.1", "false")     // the tenant's before the region's
	f("", "bank-a", "us", "198.51.100.1", "false")  // that of both before the tenant's: nobody
	f("k-onb", "bank-a", "", "203.0.113.7", "true") // the key's before all
	f("k-onb", "bank-a", "", "198.51.100.1", "false")
	f("k-other", "bank-a", "", "198.51.100.1", "true") // a key without a list
}

func TestThreats(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	_, l := lists(t, map[string]string{
		"botnet.csv": "# feed\n\"ip\",\"malware\",\"valid_until\",\"confidence\"\n203.0.113.7,Dridex,2026-03-01T12:00:01Z,80\n203.0.113.8,Dridex,2026-03-01T12:00:00Z,80\n203.0.113.9,Emotet,,low\n",
		"nets.txt":   "203.0.113.0/28 ; SBL1\n198.51.100.0/24\n10.0.0.0/8\n224.0.0.0/3\n",
	})
	trusted := ListConfig{Name: "partner", Networks: prefixes(t, "198.51.100.7/32"), Trusted: true}
	a := load(t, AddressConfig{Lists: []ListConfig{
		l(ThreatList, "nets", "nets.txt"), l(ThreatList, "botnet", "botnet.csv"), trusted,
		{Kind: AllowList, Tenant: "bank-a", Networks: prefixes(t, "203.0.113.0/24")},
	}})
	e := enricher(t, Config{Addresses: a})
	f := func(ip string, at time.Time, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, seen(e, ip, at)); d != "" {
			t.Errorf("%s (-want +got):\n%s", ip, d)
		}
	}
	f("203.0.113.7", at, "threat.feed.name=nets|botnet", "threat.indicator.confidence=High", "threat.indicator.name=Dridex", "threat.indicator.type=ipv4-addr")
	f("203.0.113.7", at.Add(time.Second), "threat.feed.name=nets", "threat.indicator.type=ipv4-addr")
	f("203.0.113.8", at, "threat.feed.name=nets", "threat.indicator.type=ipv4-addr") // expires in this instant
	f("203.0.113.8", at.Add(-1), "threat.feed.name=nets|botnet", "threat.indicator.confidence=High", "threat.indicator.name=Dridex", "threat.indicator.type=ipv4-addr")
	f("203.0.113.9", at, "threat.feed.name=nets|botnet", "threat.indicator.confidence=Low", "threat.indicator.name=Emotet", "threat.indicator.type=ipv4-addr")
	f("203.0.113.16", at)
	f("198.51.100.8", at, "threat.feed.name=nets", "threat.indicator.type=ipv4-addr")
	f("198.51.100.7", at, "network.name=partner") // a trusted network goes before
	f("10.0.0.1", at)                             // bogons are no threat
	f("224.0.0.1", at)

	// An allow list goes before too.
	tenant := func(ev *event.Event) { ev.SetString(event.OrganizationID, "bank-a") }
	if d := cmp.Diff([]string{"allow_listed=true"}, seen(e, "203.0.113.7", at, tenant)); d != "" {
		t.Errorf("listed (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"allow_listed=false", "threat.feed.name=nets", "threat.indicator.type=ipv4-addr"}, seen(e, "198.51.100.8", at, tenant)); d != "" {
		t.Errorf("not listed (-want +got):\n%s", d)
	}
}

// Of entries that are equally sure the first list's is shown, and of one list the narrowest network's.
func TestSurestThreat(t *testing.T) {
	_, l := lists(t, map[string]string{
		"a.csv": "network,label,confidence\n203.0.113.0/24,wide,50\n203.0.113.0/28,narrow,50\n203.0.113.7,nothing,0\n",
		"b.csv": "network,label,confidence\n203.0.113.7,other,69\n203.0.113.8,sure,70\n",
	})
	e := enricher(t, Config{Addresses: load(t, AddressConfig{Lists: []ListConfig{l(ThreatList, "a", "a.csv"), l(ThreatList, "b", "b.csv")}})})
	for ip, want := range map[string]string{"203.0.113.7": "narrow", "203.0.113.8": "sure", "203.0.113.99": "wide"} {
		if got := strings.Join(seen(e, ip, time.Time{}), " "); !strings.Contains(got, "threat.indicator.name="+want+" ") {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}

func TestReload(t *testing.T) {
	dir, l := lists(t, map[string]string{"a.txt": "203.0.113.7\n", "b.txt": "198.51.100.1\n"})
	city := filepath.Join(dir, "city.mmdb")
	cityFile(t, city)
	first := load(t, AddressConfig{Databases: []string{city}, Lists: []ListConfig{l(NetworkList, "a", "a.txt"), l(NetworkList, "b", "b.txt")}})
	names := func(a *Addresses, ip string) string {
		f := a.facts(netip.MustParseAddr(ip))
		return strings.Join(append(slices.Clone(f.names), f.country), " ")
	}
	same, reports, err := first.Reload()
	if same != first || len(reports) != 0 || err != nil {
		t.Fatalf("nothing has changed: %v %v", reports, err)
	}

	write(t, filepath.Join(dir, "a.txt"), "203.0.113.8\n203.0.113.9\n")
	second, reports, err := first.Reload()
	if err != nil || len(reports) != 1 || reports[0].Entries != 2 || reports[0].Kind != "network list" || len(reports[0].SHA256) != 64 {
		t.Fatalf("%+v %v", reports, err)
	}
	if names(second, "203.0.113.7") != "ID" || names(second, "203.0.113.8") != "a ID" || names(second, "198.51.100.1") != "b BR" {
		t.Error("the new list is not in force")
	}
	if names(first, "203.0.113.7") != "a ID" || names(first, "203.0.113.8") != "ID" {
		t.Error("who holds the old one sees a change")
	}

	// What is broken, or gone, keeps its old content, and the rest changes.
	write(t, filepath.Join(dir, "a.txt"), "203.0.113.7\nnonsense\n")
	write(t, filepath.Join(dir, "b.txt"), "198.51.100.2\n")
	write(t, city, "not a database")
	third, reports, err := second.Reload()
	if err == nil || !strings.Contains(err.Error(), "a.txt:2:1: no address or network") || !strings.Contains(err.Error(), "city.mmdb: not a MaxMind") || len(reports) != 1 {
		t.Fatalf("%v %v", reports, err)
	}
	if names(third, "203.0.113.7") != "ID" || names(third, "203.0.113.8") != "a ID" || names(third, "198.51.100.2") != "b BR" {
		t.Error("a broken list took its old content along")
	}
	if err := os.Remove(filepath.Join(dir, "b.txt")); err != nil {
		t.Fatal(err)
	}
	mmdb(t, city, "GeoLite2-Country", map[string]mmdbtype.Map{"203.0.113.0/24": located("SG", "", "")})
	fourth, _, err := third.Reload()
	if !errors.Is(err, fs.ErrNotExist) || names(fourth, "198.51.100.2") != "b " || names(fourth, "203.0.113.8") != "a SG" {
		t.Errorf("%v: %q %q", err, names(fourth, "198.51.100.2"), names(fourth, "203.0.113.8"))
	}
	write(t, filepath.Join(dir, "a.txt"), "")
	write(t, filepath.Join(dir, "b.txt"), "")
	last, reports, err := fourth.Reload()
	if err != nil || len(reports) != 2 || names(last, "203.0.113.8") != "SG" {
		t.Errorf("mended: %v %v", reports, err)
	}
}

// A database that is written over in place, and made shorter, neither ends the process nor changes what
// is known until it is loaded again.
func TestDatabaseOverwrittenInPlace(t *testing.T) {
	city := filepath.Join(t.TempDir(), "city.mmdb")
	cityFile(t, city)
	a := load(t, AddressConfig{Databases: []string{city}})
	if err := os.Truncate(city, 0); err != nil {
		t.Fatal(err)
	}
	if f := a.facts(netip.MustParseAddr("203.0.113.7")); f.city != "Jakarta" {
		t.Errorf("%+v", f)
	}
}

// Events flow while lists change: each sees either the old or the new, whole.
func TestReloadWhileEventsFlow(t *testing.T) {
	dir, l := lists(t, map[string]string{"a.txt": "203.0.113.0/24\n", "b.txt": "203.0.113.0/24\n"})
	city := filepath.Join(dir, "city.mmdb")
	cityFile(t, city)
	a := load(t, AddressConfig{Databases: []string{city}, Lists: []ListConfig{l(NetworkList, "a", "a.txt"), l(NetworkList, "b", "b.txt")}})
	e := enricher(t, Config{Keys: roster(t), Addresses: a})
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				got := seen(e, fmt.Sprintf("203.0.113.%d", (n+i)%250), time.Time{})
				if s := strings.Join(got, " "); !strings.Contains(s, "network.name=a|b ") && !strings.HasSuffix(s, "network.name=a|b") && strings.Contains(s, "network.name") {
					t.Errorf("half a change: %v", got)
					return
				}
			}
		})
	}
	for i := range 20 {
		text := "203.0.113.0/24\n"
		if i%2 == 0 {
			text = ""
		}
		write(t, filepath.Join(dir, "a.txt"), text)
		write(t, filepath.Join(dir, "b.txt"), text)
		cityFile(t, city)
		next, _, err := a.Reload()
		if err != nil {
			t.Error(err)
		}
		a = next
		e.Use(e.Keys(), a)
		runtime.GC() // what is out of use is unmapped
	}
	close(done)
	wg.Wait()
}

// The table finds what a walk over all networks finds, narrow ones first.
func TestPrefixTableAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v6 := rapid.Bool().Draw(t, "v6")
		address := rapid.Custom(func(t *rapid.T) netip.Addr {
			// Few bits vary, so that networks nest and addresses hit.
			b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 128, 255}), 4, 4).Draw(t, "bytes")
			if !v6 {
				return netip.AddrFrom4([4]byte(b))
			}
			return netip.AddrFrom16([16]byte{b[0], 7: b[1], 8: b[2], 15: b[3]})
		})
		var networks []netip.Prefix
		var entries []prefixEntry
		for i := range rapid.IntRange(0, 40).Draw(t, "n") {
			a := address.Draw(t, "network")
			p := netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
			networks = append(networks, p)
			entries = append(entries, entryOf(p, prefixItem{list: uint16(i)}))
		}
		table := buildPrefixes(entries)
		for range 20 {
			a := address.Draw(t, "address")
			var want, got []uint16
			for i, p := range networks {
				if p.Contains(a) {
					want = append(want, uint16(i))
				}
			}
			slices.SortStableFunc(want, func(x, y uint16) int { return networks[y].Bits() - networks[x].Bits() })
			table.each(a, func(item prefixItem) { got = append(got, item.list) })
			if !slices.Equal(want, got) {
				t.Fatalf("%s: got %v, want %v of %v", a, got, want, networks)
			}
		}
	})
}

func addressEnricher(tb testing.TB) *Enricher {
	tb.Helper()
	dir, l := lists(tb, map[string]string{"threats.txt": "203.0.113.0/28\n", "cgnat.txt": "203.0.113.16/28\n"})
	city, asn := filepath.Join(dir, "city.mmdb"), filepath.Join(dir, "asn.mmdb")
	cityFile(tb, city)
	systemFile(tb, asn)
	cgnat := l(NetworkList, "cgnat", "cgnat.txt")
	cgnat.Tags = []string{"shared"}
	return enricher(tb, Config{Source: "gw1", Tenant: "bank-a", TrustedProxies: prefixes(tb, "10.0.0.0/8"), Keys: roster(tb), Addresses: load(tb, AddressConfig{
		Databases: []string{city, asn},
		Lists:     []ListConfig{l(ThreatList, "feed", "threats.txt"), cgnat, {Kind: AllowList, Tenant: "bank-a", Networks: prefixes(tb, "203.0.113.0/27")}},
	})})
}

func TestKnownAddressAllocatesNothing(t *testing.T) {
	e := addressEnricher(t)
	var ev event.Event
	common(&ev)
	e.Apply(&ev)
	if len(ev.List(event.NetworkName)) == 0 || ev.Str(event.ClientGeoCountry) == "" {
		t.Fatal("the call is from nowhere")
	}
	if n := testing.AllocsPerRun(200, func() { common(&ev); e.Apply(&ev) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func BenchmarkCaller(b *testing.B) {
	e := addressEnricher(b)
	a := e.known.Load().addresses
	addrs := make([]netip.Addr, 1<<16)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{203, 0, byte(113 + i>>8), byte(i)})
	}
	for _, bc := range []struct {
		name string
		n    int
	}{{"hit", 256}, {"miss", len(addrs)}} {
		b.Run(bc.name, func(b *testing.B) {
			var ev event.Event
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				ev.Reset()
				a.caller(&ev, addrs[i%bc.n])
			}
		})
	}
}

func BenchmarkLoadAddresses(b *testing.B) {
	const n = 100_000
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "%d.%d.%d.0/24\n", 1+i>>16, i>>8&255, i&255)
	}
	path := filepath.Join(b.TempDir(), "list.txt")
	write(b, path, text.String())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := LoadAddresses(AddressConfig{Lists: []ListConfig{{Kind: ThreatList, Name: "feed", File: path}}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "networks/s")
}
