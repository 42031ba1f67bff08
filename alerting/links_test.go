package alerting_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/alertingtest"
	"github.com/liveward/liveward/internal/event"
)

func keyed(values ...event.Value) *event.Alert {
	a := alert(0, event.Low)
	a.Key, a.Tenant = values, ""
	return a
}

func TestDiscover(t *testing.T) {
	const times = "/app/discover#/?_g=(time:(from:%272026-01-01T09:52:08.000Z%27,to:%272026-01-01T10:07:00.000Z%27))&_a=(index:%27logs-liveward.event-%2A%27,query:(language:kuery,query:%27"
	ip := event.Value{Field: event.ClientIP, Str: "203.0.113.7"}
	f := func(b alerting.LinkBuilder, a *event.Alert, want string) {
		t.Helper()
		if got := b.Discover(a); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
	kibana := alerting.LinkBuilder{Kibana: "https://kibana.bank.example"}
	f(alerting.LinkBuilder{}, keyed(ip), "")
	f(alerting.LinkBuilder{Kibana: "javascript:alert(1)"}, keyed(ip), "")
	f(kibana, nil, "")
	f(kibana, keyed(ip), "https://kibana.bank.example"+times+"client.ip:%20%22203.0.113.7%22%27))")
	f(alerting.LinkBuilder{Kibana: "https://bank.example/kibana/", Space: "soc"}, keyed(ip),
		"https://bank.example/kibana/s/soc"+times+"client.ip:%20%22203.0.113.7%22%27))")
	f(alerting.LinkBuilder{Kibana: "https://kibana.bank.example", Space: "default"}, keyed(ip),
		"https://kibana.bank.example"+times+"client.ip:%20%22203.0.113.7%22%27))")
	f(kibana, keyed(event.Value{Field: event.UserAgentOriginal, Str: `it's "so" \ bad! & #x?`}),
		"https://kibana.bank.example"+times+`user_agent.original:%20%22it!%27s%20%5C%22so%5C%22%20%5C%5C%20bad!!%20%26%20%23x%3F%22%27))`)
	f(kibana, keyed(ip, event.Value{Field: event.HTTPResponseStatusCode, Num: 401}),
		"https://kibana.bank.example"+times+"client.ip:%20%22203.0.113.7%22%20and%20http.response.status_code:%20%22401%22%27))")
	// Without a key the evidence is named.
	none := keyed()
	none.Evidence = none.Evidence[:2]
	f(kibana, none, "https://kibana.bank.example"+times+"event.id:%20(%22"+none.Evidence[0].String()+"%22%20or%20%22"+none.Evidence[1].String()+"%22)%27))")
	// What is too long is left out, and the link stays one.
	long := keyed(ip, event.Value{Field: event.UserAgentOriginal, Str: strings.Repeat("ü", 1000)})
	f(kibana, long, "https://kibana.bank.example"+times+"client.ip:%20%22203.0.113.7%22%27))")
	// Settings.
	other := alerting.LinkBuilder{Kibana: "https://kibana.bank.example", DataView: "it's", Margin: time.Hour}
	if got := other.Discover(keyed(ip)); !strings.Contains(got, "index:%27it!%27s%27") || !strings.Contains(got, "from:%272026-01-01T08:57:08") {
		t.Errorf("other data view and margin: %s", got)
	}
}

func TestLinkBuilderValidate(t *testing.T) {
	for _, b := range []alerting.LinkBuilder{
		{Kibana: "kibana.bank.example"},
		{Kibana: "ftp://kibana.bank.example"},
		{Kibana: "https://u:p@kibana.bank.example"},
		{Kibana: "https://kibana.bank.example/#/x"},
		{Kibana: "https://kibana.bank.example/?q=1"},
		{Kibana: "https://%zz"},
		{Kibana: "https://kibana.bank.example", Space: "../x"},
	} {
		if b.Validate() == nil {
			t.Errorf("%+v: no error", b)
		}
		if got := b.Discover(keyed()); got != "" {
			t.Errorf("%+v: link %s", b, got)
		}
	}
	if err := (alerting.LinkBuilder{Space: "anything, as it is not used"}).Validate(); err != nil {
		t.Error(err)
	}
}

// FuzzDiscover reads a link as Kibana does (URL, fragment, RISON, KQL) and wants the value back.
func FuzzDiscover(f *testing.F) {
	f.Add("203.0.113.7")
	f.Add(alertingtest.Markup())
	f.Add(`!'!!''),filters:!(x)&_g=() " or client.ip: * or "\`)
	f.Add("%27%22+%2B")
	f.Fuzz(func(t *testing.T, value string) {
		link := alerting.LinkBuilder{Kibana: "https://kibana.bank.example"}.
			Discover(keyed(event.Value{Field: event.UserAgentOriginal, Str: value}))
		if len(link) > 3000 {
			t.Fatalf("link of %d bytes", len(link))
		}
		if strings.ContainsAny(link, "<>|\"'`* \\") {
			t.Fatalf("link has characters that mean something where it is shown: %s", link)
		}
		_, fragment, _ := strings.Cut(link, "#/?")
		parts := strings.Split(fragment, "&")
		if len(parts) != 2 {
			t.Fatalf("%d parameters: %s", len(parts), link)
		}
		app, err := url.PathUnescape(strings.TrimPrefix(parts[1], "_a="))
		if err != nil {
			t.Fatal(err)
		}
		query, ok := strings.CutPrefix(app, "(index:'logs-liveward.event-*',query:(language:kuery,query:'")
		if !ok {
			t.Fatalf("state %s", app)
		}
		query, rest, err := unrison(query)
		if err != nil || rest != "))" {
			t.Fatalf("%v: after the query: %q", err, rest)
		}
		if query == "" {
			return // left out, being too long
		}
		got, err := unkql(strings.TrimPrefix(query, "user_agent.original: "))
		if err != nil || got != strings.ToValidUTF8(value, "\ufffd") {
			t.Fatalf("value %q came back as %q: %v", value, got, err)
		}
	})
}

// unrison reads a quoted string up to its end.
func unrison(s string) (text, rest string, err error) {
	var sb strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '!':
			if i++; i == len(s) || s[i] != '!' && s[i] != '\'' {
				return "", "", fmt.Errorf("bad escape at %d", i)
			}
			sb.WriteByte(s[i])
		case '\'':
			return sb.String(), s[i+1:], nil
		default:
			sb.WriteByte(s[i])
		}
	}
	return "", "", fmt.Errorf("no end")
}

// unkql reads one quoted string, and nothing else.
func unkql(s string) (string, error) {
	body, ok := strings.CutPrefix(s, `"`)
	if !ok {
		return "", fmt.Errorf("%q is not quoted", s)
	}
	var sb strings.Builder
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			if i != len(body)-1 {
				return "", fmt.Errorf("%q after the value", body[i+1:])
			}
			return sb.String(), nil
		case '\\':
			if i++; i == len(body) {
				return "", fmt.Errorf("no end")
			}
			switch body[i] {
			case 'n':
				sb.WriteByte('\n')
			case 'r':
				sb.WriteByte('\r')
			case 't':
				sb.WriteByte('\t')
			default:
				sb.WriteByte(body[i])
			}
		default:
			sb.WriteByte(body[i])
		}
	}
	return "", fmt.Errorf("no end")
}
