// Package slackfake is a Slack for tests: the few calls that liveward makes, with the limits, the
// answers and the habits of the real one. It keeps what it was sent, with threads and edits.
//
// It never reaches the network, and it takes nothing that Slack would refuse: a message it shows is
// one that Slack shows.
package slackfake

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What a server knows unless its options say otherwise.
const (
	DefaultToken   = "xoxb-fake-token"
	DefaultChannel = "C0LIVEWARD"
	webhookPath    = "/services/T0FAKE/B0FAKE/hooksecret"
)

// Options change a server.
type Options struct {
	Token string // bot token it knows; default DefaultToken
	// Channels maps names to ids of channels the bot is in; default "#alerts" to DefaultChannel. Ids
	// are known too.
	Channels map[string]string
	// Scopes are what the token may do; default chat:write. conversations.info wants channels:read.
	Scopes []string
	// Outside are ids of channels the bot is not in, Archived of those nobody can post in any more.
	Outside, Archived []string
	// HideAboveRate makes it hide messages that come less than a second after another one in their
	// channel, as Slack does: it answers ok, and nobody sees them.
	HideAboveRate bool
	// Now is its clock, for message ids and HideAboveRate; default a fixed time that moves by a
	// second with each message.
	Now func() time.Time
}

// Answer is a scripted answer to one request.
type Answer struct {
	Status     int    // HTTP status; 0 means: answer as usual
	RetryAfter string // header Retry-After
	Body       string
	Error      string // with Status 0 or 200: {"ok": false, "error": Error}
	Apply      bool   // take the message all the same, as when the answer is lost on its way
}

// Message is a message as it stands, with its history.
type Message struct {
	TS        string
	Channel   string // id
	ThreadTS  string // message it answers; empty for one of its own
	Broadcast bool   // shown in the channel although it stands in a thread
	Webhook   bool   // came by the webhook
	Hidden    bool   // nobody sees it: it came above the rate
	Text      string
	Blocks    []Block
	Edits     int      // times it was edited
	Versions  []string // what Shown was before each edit
}

// Server is the fake. Its methods may be called from any goroutine.
type Server struct {
	opts Options
	http *httptest.Server

	mu         sync.Mutex
	script     []Answer
	messages   []*Message
	requests   int
	violations []string
	ticks      int64
	lastAt     map[string]time.Time
}

// New starts a server; Close ends it.
func New(opts Options) *Server {
	if opts.Token == "" {
		opts.Token = DefaultToken
	}
	if opts.Channels == nil {
		opts.Channels = map[string]string{"#alerts": DefaultChannel}
	}
	if opts.Scopes == nil {
		opts.Scopes = []string{"chat:write"}
	}
	s := &Server{opts: opts, lastAt: make(map[string]time.Time)}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	return s
}

// Close stops the server.
func (s *Server) Close() { s.http.Close() }

// BaseURL is the address of its Web API.
func (s *Server) BaseURL() string { return s.http.URL + "/api/" }

// WebhookURL is the address of its incoming webhook.
func (s *Server) WebhookURL() string { return s.http.URL + webhookPath }

// Script sets the answers to the next requests, in order.
func (s *Server) Script(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, answers...)
}

// Messages returns all messages in the order in which they came, answers in threads among them.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Message, len(s.messages))
	for i, m := range s.messages {
		out[i] = *m
		out[i].Versions = slices.Clone(m.Versions)
	}
	return out
}

// Channel returns the messages that stand in the channel itself and that people see.
func (s *Server) Channel() []Message {
	return slices.DeleteFunc(s.Messages(), func(m Message) bool { return m.Hidden || m.ThreadTS != "" && !m.Broadcast })
}

// Thread returns the answers to a message.
func (s *Server) Thread(ts string) []Message {
	return slices.DeleteFunc(s.Messages(), func(m Message) bool { return m.ThreadTS != ts })
}

// Requests is how many requests came.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Violations lists what Slack would have taken, but what must not be sent: mentions, links and
// characters that were not escaped, texts without fallback, links that unfurl.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	if len(s.script) > 0 {
		a := s.script[0]
		s.script = s.script[1:]
		if a.Status != 0 || a.Error != "" {
			if a.Apply {
				s.handle(httptest.NewRecorder(), r, body)
			}
			if a.RetryAfter != "" {
				w.Header().Set("Retry-After", a.RetryAfter)
			}
			if a.Error != "" {
				reply(w, map[string]any{"ok": false, "error": a.Error})
				return
			}
			w.WriteHeader(a.Status)
			_, _ = io.WriteString(w, a.Body)
			return
		}
	}
	s.handle(w, r, body)
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case r.Method != http.MethodPost:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case r.URL.Path == webhookPath:
		s.webhook(w, r, body)
	case strings.HasPrefix(r.URL.Path, "/services/"):
		http.Error(w, "no_service", http.StatusNotFound)
	case strings.HasPrefix(r.URL.Path, "/api/"):
		s.api(w, r, strings.TrimPrefix(r.URL.Path, "/api/"), body)
	default:
		http.NotFound(w, r)
	}
}

// request is a call's arguments, whether they came as a form or as JSON.
type request map[string]string

func parse(r *http.Request, body []byte) (request, error) {
	out := make(request)
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	switch kind {
	case "application/json":
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(body, &fields); err != nil {
			return nil, err
		}
		for k, v := range fields {
			var text string
			if json.Unmarshal(v, &text) == nil {
				out[k] = text
			} else {
				out[k] = string(v)
			}
		}
	case "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		for k := range values {
			out[k] = values.Get(k)
		}
	default:
		return nil, fmt.Errorf("content type %s", kind)
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && out["token"] == "" {
		out["token"] = token
	}
	return out, nil
}

func (s *Server) api(w http.ResponseWriter, r *http.Request, method string, body []byte) {
	fail := func(code string) { reply(w, map[string]any{"ok": false, "error": code}) }
	req, err := parse(r, body)
	switch {
	case err != nil:
		fail("invalid_form_data")
		return
	case req["token"] == "":
		fail("not_authed")
		return
	case req["token"] != s.opts.Token:
		fail("invalid_auth")
		return
	}
	switch method {
	case "auth.test":
		w.Header().Set("X-OAuth-Scopes", strings.Join(s.opts.Scopes, ","))
		reply(w, map[string]any{"ok": true, "url": s.http.URL, "team": "Fake", "user": "liveward", "team_id": "T0FAKE", "user_id": "U0FAKE", "bot_id": "B0FAKE"})
	case "conversations.info":
		s.info(w, req["channel"])
	case "chat.postMessage":
		channel, ok := s.channel(req["channel"])
		if !ok {
			fail("channel_not_found")
			return
		}
		m, code := s.compose(req)
		if code != "" {
			fail(code)
			return
		}
		if m.ThreadTS != "" && s.find(channel, m.ThreadTS) == nil {
			fail("thread_not_found")
			return
		}
		m.Channel = channel
		s.add(m)
		reply(w, map[string]any{"ok": true, "channel": channel, "ts": m.TS, "message": map[string]any{"text": m.Text, "ts": m.TS}})
	case "chat.update":
		// Unlike chat.postMessage, it takes ids only.
		if !slices.Contains(slices.Collect(maps.Values(s.opts.Channels)), req["channel"]) {
			fail("channel_not_found")
			return
		}
		old := s.find(req["channel"], req["ts"])
		if old == nil {
			fail("message_not_found")
			return
		}
		if old.Webhook {
			fail("cant_update_message")
			return
		}
		m, code := s.compose(req)
		if code != "" {
			fail(code)
			return
		}
		old.Versions = append(old.Versions, old.Shown())
		old.Text, old.Blocks = m.Text, m.Blocks
		old.Edits++
		reply(w, map[string]any{"ok": true, "channel": old.Channel, "ts": old.TS, "text": old.Text})
	default:
		fail("unknown_method")
	}
}

// info tells of a channel, by its id alone.
func (s *Server) info(w http.ResponseWriter, id string) {
	name := ""
	for known, of := range s.opts.Channels {
		if of == id {
			name = strings.TrimPrefix(known, "#")
		}
	}
	switch {
	case !slices.Contains(s.opts.Scopes, "channels:read"):
		reply(w, map[string]any{"ok": false, "error": "missing_scope", "needed": "channels:read", "provided": strings.Join(s.opts.Scopes, ",")})
	case name == "" && !slices.Contains(s.opts.Outside, id):
		reply(w, map[string]any{"ok": false, "error": "channel_not_found"})
	default:
		reply(w, map[string]any{"ok": true, "channel": map[string]any{
			"id": id, "name": name, "is_channel": true, "is_member": name != "", "is_archived": slices.Contains(s.opts.Archived, id),
		}})
	}
}

func (s *Server) webhook(w http.ResponseWriter, r *http.Request, body []byte) {
	req, err := parse(r, body)
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	if req["thread_ts"] == "" {
		delete(req, "thread_ts")
	}
	m, code := s.compose(req)
	if code != "" {
		http.Error(w, code, http.StatusBadRequest)
		return
	}
	m.Channel, m.Webhook = DefaultChannel, true
	s.add(m)
	_, _ = io.WriteString(w, "ok")
}

// compose checks a message as Slack does.
func (s *Server) compose(req request) (*Message, string) {
	m := &Message{Text: req["text"], ThreadTS: req["thread_ts"], Broadcast: req["reply_broadcast"] == "true"}
	if raw := req["blocks"]; raw != "" && raw != "null" {
		blocks, err := parseBlocks([]byte(raw))
		if err != nil {
			return nil, "invalid_blocks"
		}
		m.Blocks = blocks
	}
	switch {
	case m.Text == "" && len(m.Blocks) == 0:
		return nil, "no_text"
	case length(m.Text) > 40000:
		return nil, "msg_too_long"
	}
	violate := func(format string, args ...any) {
		s.violations = append(s.violations, fmt.Sprintf(format, args...))
	}
	if m.Text == "" {
		violate("message without fallback text")
	}
	if req["unfurl_links"] != "false" || req["unfurl_media"] != "false" {
		violate("links unfurl")
	}
	if req["parse"] == "full" || req["link_names"] == "true" || req["link_names"] == "1" {
		violate("names become mentions")
	}
	if bad := unescaped(m.Text); bad != "" {
		violate("text: %s", bad)
	}
	for _, b := range m.Blocks {
		for _, t := range b.texts() {
			if bad := unescaped(t.Text); bad != "" {
				violate("%s: %s", b.Type, bad)
			}
			if t.Type == "mrkdwn" && !t.Verbatim {
				violate("%s: not verbatim, so that names and addresses become links", b.Type)
			}
		}
	}
	return m, ""
}

func (s *Server) channel(name string) (string, bool) {
	for known, id := range s.opts.Channels {
		if name == known || name == id || "#"+name == known {
			return id, true
		}
	}
	return "", false
}

func (s *Server) find(channel, ts string) *Message {
	for _, m := range s.messages {
		if m.Channel == channel && m.TS == ts {
			return m
		}
	}
	return nil
}

// add stores a message under a ts that no other has.
func (s *Server) add(m *Message) {
	now := time.Unix(1767225600+s.ticks, 0)
	s.ticks++
	if s.opts.Now != nil {
		now = s.opts.Now()
	}
	m.TS = fmt.Sprintf("%d.%06d", now.Unix(), s.ticks)
	if last, ok := s.lastAt[m.Channel]; ok && s.opts.HideAboveRate && now.Sub(last) < time.Second {
		m.Hidden = true
	}
	s.lastAt[m.Channel] = now
	s.messages = append(s.messages, m)
}

func reply(w http.ResponseWriter, body map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	out, err := json.Marshal(body)
	if err != nil {
		http.Error(w, strconv.Quote(err.Error()), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(out)
}
