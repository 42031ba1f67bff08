package enrich

import (
	"bytes"
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
		{get, "/**/liveness/**/media/**", "data-read", false},
		{get, "/**/liveness/**/frames/**", "data-read", false},
		{get, "/**/liveness/**/images/**", "data-read", false},
		{get, "/**/liveness/**/templates/**", "data-read", false},
		{[]string{"DELETE"}, "/**/liveness/**/media/**", "data-deleted", false},
		{[]string{"DELETE"}, "/**/liveness/**/templates/**", "data-deleted", false},

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

// resultAction is the action of calls that ask for a session's result.
const resultAction = "liveness-result"

// fewSegments are as many as most paths have.
const fewSegments = 12

// maxSegments bounds a pattern, and the path it is tried on.
const maxSegments = 64

// route is a compiled Route.
type route struct {
	methods  []string
	segments []segment
	action   string
	sieve
}

// sieve tells most calls that a route is not for from those it may be for.
type sieve struct {
	takes uint64 // bits of its methods
	needs uint64 // bits of its literal segments: a path without them all cannot match
}

// segment is one segment of a pattern: ** , or what a segment begins and ends with. Without a star
// between the two, the first is all of it.
type segment struct {
	text, head, tail string
	star, any        bool
}

func compileSegment(s string) segment {
	if s == "**" {
		return segment{text: s, any: true}
	}
	head, tail, star := strings.Cut(s, "*")
	return segment{text: s, head: head, tail: tail, star: star}
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
	c := route{action: r.Action}
	for _, s := range segments {
		c.segments = append(c.segments, compileSegment(s))
		if strings.IndexByte(s, '*') < 0 {
			c.needs |= segmentBit(s)
		}
	}
	for _, m := range r.Methods {
		c.methods = append(c.methods, strings.ToUpper(m))
		c.takes |= methodBit(m)
	}
	if len(c.methods) == 0 {
		c.takes = ^uint64(0)
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

// action sets event.action: as the log says, else by the routes. What the log does not say of a result
// or of a stored object (whose it is, and what), the path does: an answer that nothing was found names
// no session.
func (e *Enricher) action(ev *event.Event) {
	method, path := ev.Str(event.HTTPRequestMethod), ev.Str(event.URLPath)
	a := ev.Str(event.EventAction)
	named := a != "" && actionIndex(a) >= 0
	if !named {
		a = e.routed(method, path)
		ev.SetString(event.EventAction, a)
	}
	switch a {
	case resultAction:
		if !ev.Has(event.LivenessSessionID) {
			_, id := e.asked(method, path)
			ev.SetString(event.LivenessSessionID, id)
		}
	case "data-read", "data-deleted", "data-stored":
		if !named {
			class, id := e.asked(method, path)
			if !ev.Has(event.DataClass) {
				ev.SetString(event.DataClass, class)
			}
			if !ev.Has(event.DataObjectID) {
				ev.SetString(event.DataObjectID, id)
			}
		}
		principal(ev)
	}
}

// principal makes the application the one who read, wrote or deleted where the log names no user: rules
// count such calls by user.name.
func principal(ev *event.Event) {
	for _, id := range [...]event.ID{event.UserName, event.GatewayConsumer, event.APIKeyID} {
		if who := ev.Str(id); who != "" {
			ev.SetString(event.UserName, who)
			return
		}
	}
}

// routed finds the action of a call.
func (e *Enricher) routed(method, path string) string {
	var few [fewSegments]string
	r, n := e.route(method, path, few[:])
	if n == tooManyParts {
		var all [maxSegments]string
		r, _ = e.route(method, path, all[:])
	}
	return r.does()
}

// asked finds, where the route of a call ends as /results/** does, the collection and what of it was asked for.
func (e *Enricher) asked(method, path string) (collection, id string) {
	var all [maxSegments]string
	if r, n := e.route(method, path, all[:]); r != nil {
		return r.subject(all[:n])
	}
	return "", ""
}

// route finds the route of a call, nil where it has none. It leaves the segments of the path in segments, and
// returns how many there are, or tooManyParts.
func (e *Enricher) route(method, path string, segments []string) (r *route, n int) {
	n, have := split(segments, path, &pathBytes)
	if n == unusualPath {
		n, have = split(segments, normal(path), &normalBytes)
	}
	if n < 0 {
		return nil, n
	}
	takes := methodBit(method)
	for i := range e.sieves {
		if f := &e.sieves[i]; f.takes&takes == 0 || f.needs&^have != 0 {
			continue
		}
		if r := &e.routes[i]; r.allows(method) && match(r.segments, segments[:n]) {
			return r, n
		}
	}
	return nil, n
}

// does is the action of a call of this route.
func (r *route) does() string {
	if r == nil {
		return otherAction
	}
	return r.action
}

// subject is the last literal of a pattern such as /**/results/**, and the segment that follows it in a
// path.
func (r *route) subject(segments []string) (collection, id string) {
	last := len(r.segments) - 2
	if last < 0 || !r.segments[last+1].any || r.segments[last].any {
		return "", ""
	}
	collection = r.segments[last].text
	for i := len(segments) - 2; i >= 0; i-- {
		if r.segments[last].match(segments[i]) {
			return collection, segments[i+1]
		}
	}
	return collection, ""
}

func (r *route) allows(method string) bool {
	for _, m := range r.methods {
		if equalFold(m, method) {
			return true
		}
	}
	return len(r.methods) == 0
}

// methodBit is one of 64 bits for a method.
func methodBit(m string) uint64 {
	if m == "" {
		return 1
	}
	return segmentBit(m)
}

// segmentBit is one of 64 bits for a segment, by its first letter and its length.
func segmentBit(s string) uint64 {
	return 1 << ((uint(lower(s[0]))*7 + uint(len(s))) & 63)
}

// maxNormal bounds the path that is looked at, in bytes.
const maxNormal = 4096

// normal resolves what lets one path be written in many ways, so that nobody slips past a route with
// %6c or /./ : escapes, matrix parameters, and dots.
func normal(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	path = path[:min(len(path), maxNormal)]
	buf := make([]byte, 0, len(path))
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
	return string(dots(buf))
}

// dots resolves a last segment of . or .. .
func dots(buf []byte) []byte {
	switch {
	case bytes.HasSuffix(buf, []byte("/.")):
		return buf[:len(buf)-2]
	case bytes.HasSuffix(buf, []byte("/..")):
		buf = buf[:len(buf)-3]
		return buf[:max(bytes.LastIndexByte(buf, '/'), 0)]
	}
	return buf
}

// What split says of a path that it did not cut.
const (
	unusualPath  = -1 // it may be written in more than one way
	tooManyParts = -2
)

// What a byte of a path may mean.
const (
	ordinaryByte uint8 = iota
	slashByte
	unusualByte
	dotByte // unusual after a slash
)

// pathBytes are of a path as it was written, normalBytes of one that is written in its one way.
//
//nolint:gochecknoglobals // constant
var pathBytes, normalBytes = func() (t, normal [256]uint8) {
	t['/'], t['.'], normal['/'] = slashByte, dotByte, slashByte
	for _, c := range []byte{'%', ';', '\\', '?', '#'} {
		t[c] = unusualByte
	}
	return t, normal
}()

// split cuts a path into its segments; empty ones do not count. have are the bits of the segments.
func split(out []string, path string, meaning *[256]uint8) (n int, have uint64) {
	from := 0
	for i := 0; i <= len(path); i++ {
		if i < len(path) {
			switch meaning[path[i]] {
			case ordinaryByte:
				continue
			case dotByte:
				if i == 0 || path[i-1] != '/' {
					continue
				}
				return unusualPath, 0
			case unusualByte:
				return unusualPath, 0
			}
		}
		if i > from && n < len(out) {
			out[n] = path[from:i]
			have |= segmentBit(out[n])
		}
		if i > from {
			n++ // also of those that have no place: what follows may take them back
		}
		from = i + 1
	}
	if n > len(out) {
		return tooManyParts, 0
	}
	return n, have
}

// match tells whether segments match a pattern. It is linear but for one step back per **.
func match(pattern []segment, segs []string) bool {
	p, s := 0, 0
	star, from := -1, 0
	for s < len(segs) {
		switch {
		case p < len(pattern) && pattern[p].any:
			star, from = p, s
			p++
		case p < len(pattern) && pattern[p].match(segs[s]):
			p++
			s++
		case star >= 0:
			from++
			p, s = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p].any {
		p++
	}
	return p == len(pattern)
}

// match matches one segment, without regard to case: gateways differ, and an attacker must not choose.
func (p *segment) match(seg string) bool {
	if !p.star {
		return equalFold(p.head, seg)
	}
	return len(seg) >= len(p.head)+len(p.tail) && equalFold(seg[:len(p.head)], p.head) && equalFold(seg[len(seg)-len(p.tail):], p.tail)
}

// equalFold compares without regard to the case of ASCII letters.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}
