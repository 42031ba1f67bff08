package enrich

import (
	"errors"
	"fmt"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// Route says what the calls of a path do.
type Route struct {
	Methods  []string // upper case; none means every method
	Path     string   // segments, each literal, * (one segment, or part of one) or ** (any number, also none)
	Action   string   // event.action
	Outcomes bool     // calls of this route should yield a liveness outcome
}

// DefaultRoutes are the routes of common liveness gateways.
func DefaultRoutes() []Route {
	write := []string{"POST", "PUT", "PATCH", "DELETE"}
	post, get := []string{"POST", "PUT"}, []string{"GET"}
	return []Route{
		{write, "/**/webhooks/**", "liveness-webhook", false},
		{write, "/**/webhook/**", "liveness-webhook", false},
		{write, "/**/consents/**", "consent-change", false},
		{write, "/**/consent/**", "consent-change", false},
		{write, "/**/api-keys/**", "key-change", false},
		{write, "/**/keys/**", "key-change", false},
		{post, "/**/accounts", "account-opened", false},

		{post, "/**/liveness/sessions", "liveness-session-create", false},
		{post, "/**/liveness/session", "liveness-session-create", false},
		{post, "/**/liveness-sessions", "liveness-session-create", false},
		{post, "/**/*liveness-sessions", "liveness-session-create", false},
		{post, "/**/claim/*/token", "liveness-session-create", false},

		{get, "/**/liveness/results/**", "liveness-result", true},
		{get, "/**/liveness/result/**", "liveness-result", true},
		{get, "/**/liveness/sessions/**", "liveness-result", true},
		{get, "/**/liveness/checks/**", "liveness-result", true},
		{get, "/**/*liveness-sessions/**", "liveness-result", true},

		{post, "/**/liveness/**", "liveness-check", true},
		{post, "/**/liveness-check*/**", "liveness-check", true},
		{post, "/**/liveness-3d", "liveness-check", true},
		{post, "/**/enrollment-3d", "liveness-check", true},
		{post, "/**/livenessdetection", "liveness-check", true},
		{post, "/**/*livedetection", "liveness-check", true},
		{post, "/**/passive-liveness", "liveness-check", true},
		{post, "/**/claim/*/validate", "liveness-check", true},
	}
}

// otherAction is the action of calls that no route names.
const otherAction = "gateway-call"

// maxSegments bounds a pattern, and the path it is tried on.
const maxSegments = 64

// route is a compiled Route.
type route struct {
	methods  []string
	segments []string
	action   string
}

func compileRoute(r Route) (route, error) {
	if actionIndex(r.Action) < 0 {
		return route{}, fmt.Errorf("action %q: want one of %s", r.Action, strings.Join(event.FieldOf(event.EventAction).Enum, ", "))
	}
	if !strings.HasPrefix(r.Path, "/") {
		return route{}, fmt.Errorf("path %q: must begin with /", r.Path)
	}
	segments := strings.Split(strings.Trim(r.Path, "/"), "/")
	if len(segments) > maxSegments {
		return route{}, errors.New("path has too many segments")
	}
	for _, s := range segments {
		if s == "" {
			return route{}, fmt.Errorf("path %q: has an empty segment", r.Path)
		}
		if s != "**" && strings.Count(s, "*") > 1 {
			return route{}, fmt.Errorf("path %q: one * in a segment at most, or ** alone", r.Path)
		}
	}
	c := route{segments: segments, action: r.Action}
	for _, m := range r.Methods {
		c.methods = append(c.methods, strings.ToUpper(m))
	}
	return c, nil
}

// actionIndex is an action's place in the table's enumeration, or -1.
func actionIndex(action string) int {
	for i, a := range event.FieldOf(event.EventAction).Enum {
		if a == action {
			return i
		}
	}
	return -1
}

// action sets event.action: as the log says, else by the routes.
func (e *Enricher) action(ev *event.Event) {
	if a := ev.Str(event.EventAction); a != "" && actionIndex(a) >= 0 {
		return
	}
	ev.SetString(event.EventAction, e.routed(ev.Str(event.HTTPRequestMethod), ev.Str(event.URLPath)))
}

func (e *Enricher) routed(method, path string) string {
	var segments [maxSegments]string
	var buf [1024]byte
	n, ok := split(&segments, normal(buf[:0], path))
	if !ok {
		return otherAction
	}
	for i := range e.routes {
		r := &e.routes[i]
		if r.allows(method) && match(r.segments, segments[:n]) {
			return r.action
		}
	}
	return otherAction
}

func (r *route) allows(method string) bool {
	for _, m := range r.methods {
		if strings.EqualFold(m, method) {
			return true
		}
	}
	return len(r.methods) == 0
}

// normal resolves what lets one path be written in many ways, so that nobody slips past a route with
// %6c or /./ : escapes, matrix parameters, and dots. Ordinary paths come back as they are.
func normal(buf []byte, path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	if strings.IndexByte(path, '%') < 0 && strings.IndexByte(path, ';') < 0 && !strings.Contains(path, "/.") && !strings.Contains(path, "\\") {
		return path
	}
	if len(path) > 3*cap(buf) {
		return path
	}
	skip := false
	for i := 0; i < len(path); {
		c, n := unescapeByte(path[i:])
		i += n
		if c == '\\' {
			c = '/'
		}
		switch {
		case c == ';':
			skip = true
			continue
		case c == '/':
			skip = false
			buf = dots(buf)
		case skip:
			continue
		}
		buf = append(buf, c)
	}
	return event.Slot(dots(buf))
}

// dots resolves a last segment of . or .. .
func dots(buf []byte) []byte {
	s := event.Slot(buf)
	switch {
	case strings.HasSuffix(s, "/."):
		return buf[:len(buf)-2]
	case strings.HasSuffix(s, "/.."):
		buf = buf[:len(buf)-3]
		if i := strings.LastIndexByte(event.Slot(buf), '/'); i >= 0 {
			return buf[:i]
		}
		return buf[:0]
	}
	return buf
}

// split cuts a path into its segments; empty ones do not count.
func split(out *[maxSegments]string, path string) (int, bool) {
	n := 0
	for path != "" {
		seg, rest, _ := strings.Cut(path, "/")
		path = rest
		if seg == "" {
			continue
		}
		if n == len(out) {
			return 0, false
		}
		out[n] = seg
		n++
	}
	return n, true
}

// match tells whether segments match a pattern. It is linear but for one step back per **.
func match(pattern, segs []string) bool {
	p, s := 0, 0
	star, from := -1, 0
	for s < len(segs) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			star, from = p, s
			p++
		case p < len(pattern) && matchSegment(pattern[p], segs[s]):
			p++
			s++
		case star >= 0:
			from++
			p, s = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "**" {
		p++
	}
	return p == len(pattern)
}

// matchSegment matches one segment, without regard to case: gateways differ, and an attacker must not
// choose.
func matchSegment(pattern, seg string) bool {
	head, tail, star := strings.Cut(pattern, "*")
	if !star {
		return strings.EqualFold(pattern, seg)
	}
	return len(seg) >= len(head)+len(tail) && strings.EqualFold(seg[:len(head)], head) && strings.EqualFold(seg[len(seg)-len(tail):], tail)
}
