package privacy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// A canary is a value that must not be in the document. What of it must not be there: all of it, or
// any of its pieces.
type canary struct {
	value  string
	pieces []string
}

// gaps are what people and programs put between groups of digits, written in several ways.
var gaps = []string{
	" ", "-", "\u00a0", "\u2011", "\u200b", "\u3164", "\ufe0f", "&nbsp;", "&#160;", "&#x2009;", "&thinsp;", "&shy;", "&#8209;",
	`\u00a0`, `\u200B`, `\udb40\udc20`, `\t`, "%C2%A0", "%e2%80%91", `\xC2\xAD`,
}

func whole(v string) canary { return canary{v, []string{v}} }

// detectable draws a value that the detectors promise to find.
func detectable(t *rapid.T) canary {
	alnum := func(n int) string { return rapid.StringMatching(fmt.Sprintf(`[a-zA-Z0-9]{%d}`, n)).Draw(t, "alnum") }
	digits := func(n int) string { return rapid.StringMatching(fmt.Sprintf(`[0-9]{%d}`, n)).Draw(t, "digits") }
	switch rapid.SampledFrom([]string{"email", "phone", "pan", "nik", "cpf", "iban", "jwt", "key", "scheme", "assignment", "pem", "face", "blob"}).Draw(t, "kind") {
	case "email":
		return whole("zq" + rapid.StringMatching(`[a-z0-9.]{2,12}`).Draw(t, "local") + "z@mail" + alnum(3) + ".example")
	case "phone":
		return whole("+62" + rapid.StringMatching(`[1-9][0-9]{8,11}`).Draw(t, "number"))
	case "pan":
		p := "4" + digits(14)
		for c := range 10 {
			d := p + fmt.Sprint(c)
			v := make([]byte, len(d))
			for i := range v {
				v[i] = d[i] - '0'
			}
			if luhn(v) {
				if rapid.Bool().Draw(t, "grouped") {
					gap := rapid.SampledFrom(gaps).Draw(t, "gap")
					return canary{strings.Join([]string{d[:4], d[4:8], d[8:12], d[12:]}, gap), []string{d, d[4:8] + gap + d[8:12], d[4:8] + " " + d[8:12]}}
				}
				return whole(d)
			}
		}
		panic("no check digit")
	case "nik":
		return whole(fmt.Sprintf("3201%02d%02d%02d%02d%04d", rapid.IntRange(1, 99).Draw(t, "district"), rapid.IntRange(1, 31).Draw(t, "day"),
			rapid.IntRange(1, 12).Draw(t, "month"), rapid.IntRange(0, 99).Draw(t, "year"), rapid.IntRange(1, 9999).Draw(t, "serial")))
	case "cpf":
		return whole("529.982.247-25")
	case "iban":
		return whole("GB82WEST12345698765432")
	case "jwt":
		seg := func(n int) string { return base64.RawURLEncoding.EncodeToString([]byte(`{"a":"` + alnum(n) + `"}`)) }
		v := seg(12) + "." + seg(20) + "." + alnum(22)
		return canary{v, strings.Split(v, ".")}
	case "key":
		return whole(rapid.SampledFrom([]string{"sk_live_", "ghp_0123456789", "AKIA", "xoxb-", "bank_prod_"}).Draw(t, "prefix") + alnum(16) + "Z9")
	case "scheme":
		v := "zQ9" + alnum(12)
		return canary{rapid.SampledFrom([]string{"Bearer ", "basic ", "Authorization: Bearer ", "Token ", "-u x:", `Bearer "`, "Token '", "Api-Key ", "API key ", "--user=x:", "run --pass ", "java -storepass "}).Draw(t, "scheme") + v, []string{v}}
	case "assignment":
		v := "zQ9" + alnum(5)
		return canary{rapid.SampledFrom([]string{
			"password=", "api_key: ", `"client_secret":"`, "X-Api-Token=", "<password>", "--token ", "Bearer:", "AccountKey=", "x-auth-key: ", "secret_key[0]=", "password := ", "token=(", "<token> <![CDATA[",
			"<password><value>", `{"name":"password","value":"`, "<add key='api_key' value='",
		}).Draw(t, "name") + v, []string{v}}
	case "pem":
		v := alnum(30)
		return canary{"-----BEGIN PRIVATE KEY-----" + v + "-----END PRIVATE KEY-----", []string{v}}
	case "face":
		v := "/9j/4AAQSkZJRgAB" + base64.StdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 120, 600).Draw(t, "pixels"))
		return canary{v, chunks(v, 24)}
	default:
		v := base64.StdEncoding.EncodeToString([]byte(alnum(60) + "\x00\x01\x02"))
		return canary{v, chunks(v, 24)}
	}
}

func chunks(v string, n int) (out []string) {
	for i := 0; i+n <= len(v); i += n {
		out = append(out, v[i:i+n])
	}
	return out
}

// wrapped draws a value with something before and after, perhaps percent-encoded.
func wrapped(t *rapid.T, v string) string {
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3, 5}).Draw(t, "layers") {
		v = url.PathEscape(v)
	}
	around := []string{"", " ", "(", `"`, ";", "note: ", "[", "<", "\u200b", "\n", "über "}
	return rapid.SampledFrom(around).Draw(t, "before") + v + rapid.SampledFrom([]string{"", " ", ")", `"`, ";", "\x00", " tail"}).Draw(t, "after")
}

// places are the fields of these treatments.
func places(treats ...treatment) []event.ID {
	return slices.DeleteFunc(event.Fields(), func(id event.ID) bool { return !slices.Contains(treats, treatmentOf(id)) })
}

// placesBut are those of other treatments: one that comes new is not forgotten.
func placesBut(treats ...treatment) []event.ID {
	return slices.DeleteFunc(event.Fields(), func(id event.ID) bool { return slices.Contains(treats, treatmentOf(id)) })
}

// notFromLogs have no text, or what the configuration chooses.
var notFromLogs = []treatment{keep, date, measure, chosen, chosenList}

func plant(ev *event.Event, id event.ID, v string) {
	if event.FieldOf(id).Type == event.Keywords {
		ev.Append(id, v)
		return
	}
	ev.SetString(id, v)
}

func absent(t *rapid.T, doc []byte, c canary, what string) {
	if !json.Valid(doc) {
		t.Fatalf("no JSON: %q", doc)
	}
	low := strings.ToLower(string(doc))
	for _, p := range c.pieces {
		if strings.Contains(low, strings.ToLower(p)) {
			t.Fatalf("%s: %q passed: %s", what, p, doc)
		}
	}
}

func canaryNeverPasses(t *rapid.T) {
	f, err := New(Config{Keys: []Key{DevelopmentKey()}, TruncateIP: rapid.Bool().Draw(t, "truncate")})
	if err != nil {
		t.Fatal(err)
	}
	w := f.Worker()
	var ev event.Event
	for range rapid.IntRange(1, 3).Draw(t, "events") {
		ev.Reset()
		c := detectable(t)
		all := placesBut(notFromLogs...)
		for range rapid.IntRange(1, 5).Draw(t, "places") {
			id := rapid.SampledFrom(all).Draw(t, "field")
			v := wrapped(t, c.value)
			if treatmentOf(id) == urlPath {
				v = "/v1/" + url.PathEscape(c.value) + "/x"
			}
			plant(&ev, id, v)
		}
		ev.SetLabel("note", wrapped(t, c.value))
		ev.SetLabel(wrapped(t, c.value), "x")
		w.Apply(&ev)
		absent(t, ev.AppendJSON(nil), c, "detectable")
		bounded(t, &ev)

		ev.Reset()
		line := wrapped(t, c.value)
		w.Quarantine([]byte(`{"a":"`+line+`"`), &ev, "cannot parse "+c.value)
		absent(t, ev.AppendJSON(nil), c, "quarantined")
	}
}

func bounded(t *rapid.T, ev *event.Event) {
	ev.Present(func(id event.ID) {
		for _, s := range append(ev.List(id), ev.Str(id)) {
			if len(s) > maxText || !utf8.ValidString(s) {
				t.Fatalf("%s: %d bytes, %q", id, len(s), s)
			}
		}
		if event.FieldOf(id).Class == event.Transient {
			t.Fatalf("%s is there", id)
		}
	})
}

func TestCanaryNeverPasses(t *testing.T) { rapid.Check(t, canaryNeverPasses) }
func FuzzCanaryNeverPasses(f *testing.F) { f.Fuzz(rapid.MakeFuzz(canaryNeverPasses)) }

// copyNeverPasses: a raw value of any look, in a field that privacy hashes or drops, is nowhere.
func copyNeverPasses(t *rapid.T) {
	f, err := New(Config{Keys: []Key{DevelopmentKey()}})
	if err != nil {
		t.Fatal(err)
	}
	w := f.Worker()
	var ev event.Event
	for range rapid.IntRange(1, 3).Draw(t, "events") {
		ev.Reset()
		raw := "zq" + rapid.StringMatching(`[a-zA-Z0-9._ :/+\x{a0}\x{200b}\x{ff10}-]{2,24}`).Draw(t, "raw") + "qz"
		weak := false
		switch id := rapid.SampledFrom(append(places(pseudonym), event.URLQuery, event.HTTPRequestReferrer)).Draw(t, "origin"); id {
		case event.URLQuery, event.HTTPRequestReferrer:
			name := rapid.SampledFrom([]string{"q", "user", "api_key", "%75ser"}).Draw(t, "parameter")
			weak = name == "q"
			q := "a=b&" + name + "=" + rapid.SampledFrom([]string{url.QueryEscape(raw), url.PathEscape(raw)}).Draw(t, "escaped") + "&c=d"
			if id == event.HTTPRequestReferrer {
				q = "https://x.example/y?" + q
			}
			ev.SetString(id, q)
		default:
			ev.SetString(id, raw)
		}
		targets := placesBut(append(notFromLogs, tenant, pseudonym, transient, derived, kindList)...)
		if weak {
			targets = places(text, urlPath)
		}
		for range rapid.IntRange(1, 4).Draw(t, "copies") {
			v := raw
			switch rapid.IntRange(0, 3).Draw(t, "case") {
			case 1:
				v = strings.ToUpper(v)
			case 2:
				v = strings.ToLower(v)
			case 3:
				v = strings.ReplaceAll(url.QueryEscape(v), "+", "%20")
			}
			before, after := rapid.SampledFrom([]string{"", "x", "a-", "über/"}).Draw(t, "before"), rapid.SampledFrom([]string{"", "9", "/t"}).Draw(t, "after")
			plant(&ev, rapid.SampledFrom(targets).Draw(t, "target"), before+v+after)
			ev.SetLabel("note"+fmt.Sprint(len(ev.Labels)), before+v+after)
			ev.SetLabel(v, "x")
		}
		w.Apply(&ev)
		// Identifiers replace characters they cannot have: look for those forms as well.
		forms := []string{raw, strings.ReplaceAll(raw, " ", "_"), strings.NewReplacer(" ", "_", ".", "_", ":", "_").Replace(raw), strings.ReplaceAll(url.QueryEscape(raw), "+", "%20")}
		absent(t, ev.AppendJSON(nil), canary{raw, forms}, "copy")
		bounded(t, &ev)
	}
}

func TestCopyNeverPasses(t *testing.T) { rapid.Check(t, copyNeverPasses) }
func FuzzCopyNeverPasses(f *testing.F) { f.Fuzz(rapid.MakeFuzz(copyNeverPasses)) }

// No value of a quarantined line is in its shape.
func shapeShowsNoValue(t *rapid.T) {
	value := func() string { return rapid.StringMatching(`[b-t][b-tB-T1-9]{3,60}`).Draw(t, "value") }
	var sb strings.Builder
	var values []string
	for range rapid.IntRange(1, 30).Draw(t, "parts") {
		v := value()
		if rapid.IntRange(0, 4).Draw(t, "word") == 0 {
			v = rapid.SampledFrom([]string{"user_id", "status", "liveness", "GET"}).Draw(t, "known")
		} else {
			values = append(values, v)
		}
		sb.WriteString(rapid.SampledFrom([]string{`"`, `{"`, `":"`, `=`, ` `, `,`, `/`, "\t", "é", "\xff", "%20", "_", "-", "\u202e"}).Draw(t, "mark"))
		sb.WriteString(v)
		sb.WriteString(rapid.SampledFrom([]string{`":`, `"`, `=`, ` `, ``}).Draw(t, "end"))
	}
	var ev event.Event
	f, err := New(Config{Keys: []Key{DevelopmentKey()}})
	if err != nil {
		t.Fatal(err)
	}
	f.Worker().Quarantine([]byte(sb.String()), &ev, "")
	shape := ev.Str(event.Message)
	if len(shape) > maxShape || !utf8.ValidString(shape) {
		t.Fatalf("%d bytes: %q", len(shape), shape)
	}
	for _, v := range values {
		if _, ok := shapeWords[strings.ToLower(v)]; !ok && strings.Contains(shape, v) {
			t.Fatalf("%q of %q is in %q", v, sb.String(), shape)
		}
	}
}

func TestShapeShowsNoValue(t *testing.T) { rapid.Check(t, shapeShowsNoValue) }

// FuzzAnything: whatever stands in whatever field, nothing panics, all is bounded, valid and final:
// a second pass finds nothing more in text.
func FuzzAnything(f *testing.F) {
	f.Add(byte(0), "alice@bank.example", "%2561%40", "+62 812 3456 7890")
	f.Add(byte(99), "-----BEGIN", "eyJ", strings.Repeat("4", 40))
	f.Add(byte(7), "a=b&c=%", "=:=:", "Bearer  ")
	fl := filter(f, true)
	f.Fuzz(func(t *testing.T, start byte, a, b, c string) {
		w := fl.Worker()
		var ev event.Event
		values := []string{a, b, c, a + b, b + c}
		for i := range event.NumFields {
			id := event.ID((i + int(start)) % event.NumFields)
			switch event.FieldOf(id).Type {
			case event.Keyword, event.Text, event.IP:
				ev.SetString(id, values[i%len(values)])
			case event.Keywords:
				ev.Append(id, values[i%len(values)])
			}
		}
		ev.SetLabel(a, b)
		ev.SetLabel(b, c)
		w.Apply(&ev)
		if doc := ev.AppendJSON(nil); !json.Valid(doc) {
			t.Errorf("no JSON: %q", doc)
		}
		ev.Present(func(id event.ID) {
			for _, s := range append(ev.List(id), ev.Str(id)) {
				if len(s) > maxText || !utf8.ValidString(s) {
					t.Errorf("%s: %d bytes %q", id, len(s), s)
				}
			}
		})
		w.Quarantine([]byte(a+b+c), &ev, b)
		if len(ev.Str(event.Message)) > maxShape || !json.Valid(ev.AppendJSON(nil)) {
			t.Errorf("quarantine: %q", ev.Str(event.Message))
		}
	})
}
