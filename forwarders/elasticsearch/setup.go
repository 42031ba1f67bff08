package elasticsearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Defaults of SetupOptions.
const (
	DefaultKeyName       = "liveward-writer"
	DefaultKeyExpiration = 400 * 24 * time.Hour
)

// templatePriority is above that of the templates Elasticsearch brings along (100).
const templatePriority = 500

// SetupOptions say what Setup makes.
type SetupOptions struct {
	Profile    Profile                 // Full where empty
	Serverless bool                    // leave out settings that serverless projects refuse
	Retention  map[Class]time.Duration // DefaultRetention for those not named; whole hours

	NoKey         bool          // make templates only
	NewKey        bool          // make a key even where an active one of that name exists: rotation
	KeyName       string        // DefaultKeyName where empty
	KeyExpiration time.Duration // DefaultKeyExpiration where 0; negative for none
}

// DefaultRetention is how long documents of a class are kept.
func DefaultRetention(c Class) time.Duration {
	const day = 24 * time.Hour
	switch c {
	case Alert, Audit:
		return 400 * day
	case Health:
		return 14 * day
	default:
		return 90 * day
	}
}

// Request is one request of Setup.
type Request struct {
	Method string
	Path   string
	Body   json.RawMessage
}

// Outcome is what a step of Setup did.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged"
)

// Step is a request of Setup and what it did.
type Step struct {
	Request
	Outcome Outcome
}

// Key is an API key that Setup has made. Encoded is the secret: show it once, or write it to a file
// that only the agent can read.
type Key struct {
	ID      string
	Name    string
	Encoded string
	Expires time.Time // zero for never
}

// String leaves the secret out.
func (k *Key) String() string { return "API key " + k.Name + " (id " + k.ID + ")" }

// GoString leaves the secret out.
func (k *Key) GoString() string { return k.String() }

// Report is what Setup did.
type Report struct {
	Steps []Step
	Key   *Key // nil where none was made
}

// Setup makes the component templates, the index templates and the key that the forwarder needs. It
// can be run again at any time: templates are brought to the wanted state, an active key is kept.
// Templates act on streams when they are created or rolled over; existing backing indices keep theirs.
func Setup(ctx context.Context, cfg Config, opts SetupOptions) (Report, error) {
	var report Report
	cfg, err := cfg.withDefaults()
	if err != nil {
		return report, fmt.Errorf("elasticsearch: %w", err)
	}
	plan, err := SetupPlan(opts)
	if err != nil {
		return report, err
	}
	c, err := newClient(cfg)
	if err != nil {
		return report, fmt.Errorf("elasticsearch: %w", err)
	}
	defer c.close()
	for _, r := range plan {
		step := Step{Request: r, Outcome: Created}
		if r.Method == http.MethodPost { // the key, last in the plan
			if !opts.NewKey {
				active, err := c.keyActive(ctx, opts.keyName())
				if err != nil {
					return report, err
				}
				if active {
					step.Outcome = Unchanged
					report.Steps = append(report.Steps, step)
					continue
				}
			}
			if report.Key, err = c.createKey(ctx, r); err != nil {
				return report, err
			}
			report.Steps = append(report.Steps, step)
			continue
		}
		if step.Outcome, err = c.putTemplate(ctx, r); err != nil {
			return report, err
		}
		report.Steps = append(report.Steps, step)
	}
	return report, nil
}

// SetupPlan returns the requests that Setup makes to change something, in order. The last one, which
// makes the key, is left out by Setup where an active key of that name exists.
func SetupPlan(opts SetupOptions) ([]Request, error) {
	if opts.Profile != "" && opts.Profile != Full && opts.Profile != Minimal {
		return nil, fmt.Errorf("profile %q: want %s or %s", opts.Profile, Full, Minimal)
	}
	plan := []Request{
		template("_component_template/liveward-settings", map[string]any{"template": map[string]any{"settings": settings(opts)}}),
		template("_component_template/liveward-mappings", map[string]any{"template": map[string]any{"mappings": Mappings(opts.Profile)}}),
	}
	for _, c := range Classes() {
		keep, ok := opts.Retention[c]
		if !ok {
			keep = DefaultRetention(c)
		}
		if keep < time.Hour || keep%time.Hour != 0 {
			return nil, fmt.Errorf("retention of %s: want whole hours, at least one", c)
		}
		plan = append(plan,
			template("_component_template/liveward-lifecycle-"+string(c), map[string]any{
				"template": map[string]any{"lifecycle": map[string]any{"data_retention": hoursOrDays(keep)}},
			}),
			template("_index_template/logs-liveward."+string(c), map[string]any{
				"index_patterns": []string{StreamName(c, "*")},
				"priority":       templatePriority,
				"data_stream":    map[string]any{},
				"composed_of": []string{
					"liveward-settings", "liveward-mappings", "liveward-lifecycle-" + string(c), "liveward@custom",
				},
				// The operator's own component, if there is one, has the last word.
				"ignore_missing_component_templates": []string{"liveward@custom"},
			}))
	}
	if opts.NoKey {
		return plan, nil
	}
	key := map[string]any{
		"name":             opts.keyName(),
		"role_descriptors": map[string]any{"liveward_writer": writerRole()},
		"metadata":         map[string]any{"managed_by": "liveward"},
	}
	if e := opts.keyExpiration(); e > 0 {
		key["expiration"] = hoursOrDays(e)
	}
	return append(plan, Request{http.MethodPost, "/_security/api_key", encode(key)}), nil
}

// neededPrivileges are those of the writer: create streams and add documents, nothing else. It can
// neither read nor change what it wrote.
func neededPrivileges() []string { return []string{"auto_configure", "create_doc"} }

// streamPattern covers all streams of the product.
const streamPattern = "logs-liveward.*"

func writerRole() map[string]any {
	return map[string]any{
		"cluster": []string{},
		"indices": []any{map[string]any{"names": []string{streamPattern}, "privileges": neededPrivileges()}},
	}
}

func (o SetupOptions) keyName() string {
	if o.KeyName == "" {
		return DefaultKeyName
	}
	return o.KeyName
}

func (o SetupOptions) keyExpiration() time.Duration {
	if o.KeyExpiration == 0 {
		return DefaultKeyExpiration
	}
	return o.KeyExpiration
}

func settings(opts SetupOptions) map[string]any {
	index := map[string]any{
		"mapping": map[string]any{"total_fields": map[string]any{"limit": 400, "ignore_dynamic_beyond_limit": true}},
		"query":   map[string]any{"default_field": []string{"message", "error.message", "event.action", "rule.name"}},
	}
	if !opts.Serverless {
		index["codec"] = "best_compression"
		index["lifecycle"] = map[string]any{"prefer_ilm": false}
	}
	return map[string]any{"index": index}
}

func hoursOrDays(d time.Duration) string {
	h := int64(d / time.Hour)
	if h%24 == 0 {
		return strconv.FormatInt(h/24, 10) + "d"
	}
	return strconv.FormatInt(h, 10) + "h"
}

// template is the request that puts a template; its version and owner stand in it.
func template(path string, body map[string]any) Request {
	body["_meta"] = map[string]any{"managed_by": "liveward"}
	return Request{http.MethodPut, "/" + path, encode(body)}
}

// encode encodes what was built here of maps, lists and plain values.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("elasticsearch: encode request: %v", err))
	}
	return b
}

// putTemplate brings a template to the wanted state. Elasticsearch rewrites what it is given, so the
// versions before and after are compared, not the wanted and the found one.
func (c *client) putTemplate(ctx context.Context, r Request) (Outcome, error) {
	before, status, err := c.call(ctx, Request{Method: http.MethodGet, Path: r.Path}, http.StatusNotFound)
	if err != nil {
		return "", err
	}
	if _, _, err := c.call(ctx, r); err != nil {
		return "", err
	}
	if status == http.StatusNotFound {
		return Created, nil
	}
	after, _, err := c.call(ctx, Request{Method: http.MethodGet, Path: r.Path})
	if err != nil {
		return "", err
	}
	if bytes.Equal(before, after) {
		return Unchanged, nil
	}
	return Updated, nil
}

func (c *client) keyActive(ctx context.Context, name string) (bool, error) {
	b, _, err := c.call(ctx, Request{Method: http.MethodGet, Path: "/_security/api_key?active_only=true&owner=true&name=" + queryEscape(name)})
	if err != nil {
		return false, err
	}
	var answer struct {
		Keys []struct {
			Name string `json:"name"`
		} `json:"api_keys"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return false, errors.New("list API keys: answer cannot be parsed")
	}
	for _, k := range answer.Keys {
		if k.Name == name { // the query matches patterns too
			return true, nil
		}
	}
	return false, nil
}

func (c *client) createKey(ctx context.Context, r Request) (*Key, error) {
	b, _, err := c.call(ctx, r)
	if err != nil {
		return nil, err
	}
	var answer struct {
		ID         string `json:"id"`
		Name       string `json:"name"`
		Encoded    string `json:"encoded"`
		Expiration int64  `json:"expiration"` // milliseconds since the epoch
	}
	if err := json.Unmarshal(b, &answer); err != nil || answer.Encoded == "" {
		return nil, errors.New("create API key: answer cannot be parsed")
	}
	k := &Key{ID: answer.ID, Name: answer.Name, Encoded: answer.Encoded}
	if answer.Expiration > 0 {
		k.Expires = time.UnixMilli(answer.Expiration).UTC()
	}
	return k, nil
}

// maxCallAnswer bounds the answer to a call of Setup or Preflight.
const maxCallAnswer = 4 << 20

// call makes a request that is not a bulk request. Statuses other than 2xx are errors, but for those
// named.
func (c *client) call(ctx context.Context, r Request, also ...int) ([]byte, int, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, r.Path, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("%s %s: %w", r.Method, pathOf(r.Path), err)
	}
	if req.Header, err = c.header(); err != nil {
		return nil, 0, err
	}
	if len(r.Body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(r.Body))
		req.ContentLength = int64(len(r.Body))
	}
	res, err := c.es.Perform(req)
	if err != nil {
		return nil, 0, fmt.Errorf("%s %s: %w", r.Method, pathOf(r.Path), connectionError(err))
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(io.LimitReader(res.Body, maxCallAnswer))
	if err != nil {
		return nil, 0, fmt.Errorf("%s %s: read answer: %w", r.Method, pathOf(r.Path), err)
	}
	if res.StatusCode/100 == 2 {
		return b, res.StatusCode, nil
	}
	for _, s := range also {
		if res.StatusCode == s {
			return b, s, nil
		}
	}
	err = requestError(res.StatusCode, res.Header, b)
	// These requests hold nothing of a log, so what the server says can be told; it is what helps.
	if text := firstReason(b); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return nil, res.StatusCode, fmt.Errorf("%s %s: %w", r.Method, pathOf(r.Path), err)
}

func pathOf(p string) string {
	p, _, _ = strings.Cut(p, "?")
	return p
}
