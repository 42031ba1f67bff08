package slackfake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/alerting/slack/slackfake"
)

type object = map[string]any

func mrkdwn(s string) object { return object{"type": "mrkdwn", "text": s, "verbatim": true} }
func plain(s string) object  { return object{"type": "plain_text", "text": s} }

func call(t *testing.T, s *slackfake.Server, method string, values url.Values) object {
	t.Helper()
	if !values.Has("token") {
		values.Set("token", slackfake.DefaultToken)
	}
	values.Set("unfurl_links", "false")
	values.Set("unfurl_media", "false")
	resp, err := http.PostForm(s.BaseURL()+method, values)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	out := object{"status": resp.StatusCode, "retry": resp.Header.Get("Retry-After")}
	_ = json.NewDecoder(resp.Body).Decode(&out)
	return out
}

func post(t *testing.T, s *slackfake.Server, blocks ...object) object {
	t.Helper()
	raw, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	return call(t, s, "chat.postMessage", url.Values{"channel": {"#alerts"}, "text": {"x"}, "blocks": {string(raw)}})
}

func start(t *testing.T, opts slackfake.Options) *slackfake.Server {
	t.Helper()
	s := slackfake.New(opts)
	t.Cleanup(s.Close)
	return s
}

func TestLimits(t *testing.T) {
	s := start(t, slackfake.Options{})
	fields := func(n, length int) []object {
		out := make([]object, n)
		for i := range out {
			out[i] = mrkdwn(strings.Repeat("x", length))
		}
		return out
	}
	button := func(text, link string) object {
		return object{"type": "actions", "elements": []object{{"type": "button", "text": plain(text), "url": link}}}
	}
	many := func(n int) []object {
		out := make([]object, n)
		for i := range out {
			out[i] = object{"type": "divider"}
		}
		return out
	}
	x := func(n int) string { return strings.Repeat("x", n) }
	f := func(name string, ok bool, blocks ...object) {
		t.Helper()
		got := post(t, s, blocks...)
		if got["ok"] != ok || !ok && got["error"] != "invalid_blocks" {
			t.Errorf("%s: %v", name, got)
		}
	}
	f("header of 150", true, object{"type": "header", "text": plain(x(150))})
	f("header of 151", false, object{"type": "header", "text": plain(x(151))})
	f("header in UTF-16", false, object{"type": "header", "text": plain(strings.Repeat("😀", 76))})
	f("header of mrkdwn", false, object{"type": "header", "text": mrkdwn("x")})
	f("section of 3000", true, object{"type": "section", "text": mrkdwn(x(3000))})
	f("section of 3001", false, object{"type": "section", "text": mrkdwn(x(3001))})
	f("section, empty text", false, object{"type": "section", "text": mrkdwn("")})
	f("section of nothing", false, object{"type": "section"})
	f("10 fields of 2000", true, object{"type": "section", "fields": fields(10, 2000)})
	f("11 fields", false, object{"type": "section", "fields": fields(11, 1)})
	f("field of 2001", false, object{"type": "section", "fields": fields(1, 2001)})
	f("10 context elements", true, object{"type": "context", "elements": fields(10, 9)})
	f("11 context elements", false, object{"type": "context", "elements": fields(11, 9)})
	f("no context element", false, object{"type": "context", "elements": fields(0, 9)})
	f("button", true, button(x(75), "https://x.example/"+x(2900)))
	f("button text of 76", false, button(x(76), "https://x.example/"))
	f("button url of 3001", false, button("x", "https://x.example/"+x(3001)))
	f("button to nowhere", false, button("x", "javascript:alert(1)"))
	f("50 blocks", true, many(50)...)
	f("51 blocks", false, many(51)...)
	f("unknown block", false, object{"type": "alert"})
	f("block_id twice", false, object{"type": "divider", "block_id": "a"}, object{"type": "divider", "block_id": "a"})
	got := call(t, s, "chat.postMessage", url.Values{"channel": {"#alerts"}, "text": {x(40001)}})
	if got["error"] != "msg_too_long" {
		t.Errorf("text of 40,001: %v", got)
	}
	if got := call(t, s, "chat.postMessage", url.Values{"channel": {"#alerts"}}); got["error"] != "no_text" {
		t.Errorf("nothing: %v", got)
	}
	if v := s.Violations(); len(v) != 0 {
		t.Errorf("violations: %v", v)
	}
}

func TestViolations(t *testing.T) {
	for _, text := range []string{
		"<!channel>", "a & b", "<@U1>", "&lt;x&g", "https://evil.example", "a\u202eb", "a\u200bb", "\x1b[0m",
	} {
		s := start(t, slackfake.Options{})
		if got := post(t, s, object{"type": "section", "text": mrkdwn(text)}); got["ok"] != true {
			t.Errorf("%q: %v: Slack would take it", text, got)
		}
		if got := s.Violations(); len(got) != 1 {
			t.Errorf("%q: violations %v, want one", text, got)
		}
	}
	s := start(t, slackfake.Options{})
	post(t, s, object{"type": "section", "text": object{"type": "mrkdwn", "text": "#general"}})
	if got := s.Violations(); len(got) != 1 || !strings.Contains(got[0], "verbatim") {
		t.Errorf("not verbatim: violations %v", got)
	}
}

func TestThreadsAndEdits(t *testing.T) {
	s := start(t, slackfake.Options{})
	first := call(t, s, "chat.postMessage", url.Values{"channel": {"alerts"}, "text": {"one"}})
	second := call(t, s, "chat.postMessage", url.Values{"channel": {"#alerts"}, "text": {"two"}})
	ts, _ := first["ts"].(string)
	if ts == "" || ts == second["ts"] || first["channel"] != slackfake.DefaultChannel {
		t.Fatalf("answers %v and %v", first, second)
	}
	f := func(want, method string, values url.Values) {
		t.Helper()
		got := call(t, s, method, values)
		if want == "" && got["ok"] != true || want != "" && got["error"] != want {
			t.Errorf("%s: %v, want %q", method, got, want)
		}
	}
	f("", "chat.update", url.Values{"channel": {slackfake.DefaultChannel}, "ts": {ts}, "text": {"one, edited"}})
	f("channel_not_found", "chat.update", url.Values{"channel": {"#alerts"}, "ts": {ts}, "text": {"x"}})
	f("message_not_found", "chat.update", url.Values{"channel": {slackfake.DefaultChannel}, "ts": {"1.1"}, "text": {"x"}})
	f("", "chat.postMessage", url.Values{"channel": {"#alerts"}, "thread_ts": {ts}, "text": {"answer"}})
	f("", "chat.postMessage", url.Values{"channel": {"#alerts"}, "thread_ts": {ts}, "reply_broadcast": {"true"}, "text": {"loud answer"}})
	f("thread_not_found", "chat.postMessage", url.Values{"channel": {"#alerts"}, "thread_ts": {"1.1"}, "text": {"x"}})
	f("channel_not_found", "chat.postMessage", url.Values{"channel": {"#other"}, "text": {"x"}})
	f("invalid_auth", "chat.postMessage", url.Values{"token": {"wrong"}, "channel": {"#alerts"}, "text": {"x"}})
	f("not_authed", "auth.test", url.Values{"token": {""}})
	f("unknown_method", "chat.delete", url.Values{})
	f("", "auth.test", url.Values{})

	if got := s.Channel(); len(got) != 3 || got[0].Text != "one, edited" || got[0].Edits != 1 || got[0].Versions[0] != "one" {
		t.Errorf("channel %+v", got)
	}
	if got := s.Thread(ts); len(got) != 2 || got[0].Text != "answer" || !got[1].Broadcast {
		t.Errorf("thread %+v", got)
	}
}

func TestWebhook(t *testing.T) {
	s := start(t, slackfake.Options{})
	hook := func(address, body string) string {
		t.Helper()
		resp, err := http.Post(address, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var b bytes.Buffer
		_, _ = io.Copy(&b, resp.Body)
		return fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(b.String()))
	}
	f := func(body, want string) {
		t.Helper()
		if got := hook(s.WebhookURL(), body); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	f(`{"text":"x","unfurl_links":false,"unfurl_media":false,"blocks":[{"type":"divider"}]}`, "200 ok")
	f(`{"text":"x","blocks":[{"type":"nonsense"}]}`, "400 invalid_blocks")
	f(`{}`, "400 no_text")
	f(`{`, "400 invalid_payload")
	if got := hook(s.WebhookURL()+"x", `{"text":"x"}`); got != "404 no_service" {
		t.Errorf("another address: %s", got)
	}
	if got := s.Messages(); len(got) != 1 || !got[0].Webhook {
		t.Errorf("messages %+v", got)
	}
}

func TestScript(t *testing.T) {
	s := start(t, slackfake.Options{})
	s.Script(
		slackfake.Answer{Status: 429, RetryAfter: "7"},
		slackfake.Answer{},
		slackfake.Answer{Status: 503, Apply: true},
		slackfake.Answer{Error: "is_archived"},
	)
	values := func() url.Values { return url.Values{"channel": {"#alerts"}, "text": {"x"}} }
	if got := call(t, s, "chat.postMessage", values()); got["status"] != 429 || got["retry"] != "7" {
		t.Errorf("first: %v", got)
	}
	if got := call(t, s, "chat.postMessage", values()); got["ok"] != true {
		t.Errorf("second: %v", got)
	}
	if got := call(t, s, "chat.postMessage", values()); got["status"] != 503 {
		t.Errorf("third: %v", got)
	}
	if got := call(t, s, "chat.postMessage", values()); got["error"] != "is_archived" {
		t.Errorf("fourth: %v", got)
	}
	if got := len(s.Messages()); got != 2 || s.Requests() != 4 {
		t.Errorf("%d messages of %d requests, want the second and the third of 4", got, s.Requests())
	}
}

func TestHideAboveRate(t *testing.T) {
	now := time.Unix(1767225600, 0)
	s := start(t, slackfake.Options{HideAboveRate: true, Now: func() time.Time { return now }})
	for _, pause := range []time.Duration{0, time.Second, time.Second / 2, time.Second} {
		now = now.Add(pause)
		call(t, s, "chat.postMessage", url.Values{"channel": {"#alerts"}, "text": {"x"}})
	}
	var hidden []bool
	for _, m := range s.Messages() {
		hidden = append(hidden, m.Hidden)
	}
	if fmt.Sprint(hidden) != "[false false true false]" || len(s.Channel()) != 3 {
		t.Errorf("hidden %v", hidden)
	}
}
