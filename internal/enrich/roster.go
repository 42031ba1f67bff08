package enrich

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/liveward/liveward/internal/event"
)

// maxRoster bounds a roster file, in bytes.
const maxRoster = 16 << 20

// KeyRoster is what the bank knows of its API keys. It holds ids and hashes, never a key. It is
// immutable.
type KeyRoster struct {
	byID   map[string]*rosterKey // id of the gateway, or SHA-256 as lower-case hexadecimal
	byHash map[[sha256.Size]byte]*rosterKey
	size   int
}

// rosterKey is one key of the roster.
type rosterKey struct {
	owner   string
	created int64 // nanoseconds; 0 where not told
	scopes  []string
	limited bool // has an allow list, which may be empty
	allow   []netip.Prefix
	revoked bool
}

// Len is the number of keys.
func (r *KeyRoster) Len() int { return r.size }

// lookup finds a key by what a log can hold of it: its id, its hash, or the key itself.
func (r *KeyRoster) lookup(raw string) *rosterKey {
	if k := r.byID[raw]; k != nil {
		return k
	}
	if len(r.byHash) == 0 {
		return nil
	}
	if len(raw) == 2*sha256.Size {
		var buf [2 * sha256.Size]byte
		for i := range buf {
			buf[i] = lower(raw[i])
		}
		if k := r.byID[string(buf[:])]; k != nil {
			return k
		}
	}
	return r.byHash[sha256.Sum256(event.Bytes(raw))]
}

// grants tells whether the key may do an action; a key without scopes may do all.
func (k *rosterKey) grants(action string) bool {
	for _, s := range k.scopes {
		if s == action {
			return true
		}
	}
	return len(k.scopes) == 0
}

// LoadKeyRoster reads a roster:
//
//	keys:
//	  - id: mobile-onb            # the gateway's id of the key, and/or
//	    sha256: 9f86d081…         # the key's hash, and/or
//	    raw: ${env:ONB_KEY}       # the key itself, from the environment: never in the file
//	    owner: onboarding
//	    created: 2026-01-15
//	    scopes: [liveness-check, liveness-result]
//	    allow: [10.20.0.0/16, 203.0.113.7]
//	    status: active            # or revoked
//
// All that is wrong is reported at once, each with name:line:column. Errors never show a key.
func LoadKeyRoster(r io.Reader, name string) (*KeyRoster, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxRoster+1))
	if err != nil {
		return nil, fmt.Errorf("read key roster %s: %w", name, err)
	}
	if len(text) > maxRoster {
		return nil, fmt.Errorf("key roster %s: larger than %d bytes", name, maxRoster)
	}
	l := &rosterLoader{name: name, roster: &KeyRoster{byID: map[string]*rosterKey{}, byHash: map[[sha256.Size]byte]*rosterKey{}}}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var ye yaml.Error
		if errors.As(err, &ye) && ye.GetToken() != nil && ye.GetToken().Position != nil {
			p := ye.GetToken().Position
			return nil, fmt.Errorf("%s:%d:%d: not YAML: %s", name, p.Line, p.Column, ye.GetMessage())
		}
		return nil, fmt.Errorf("%s: not YAML", name) // the parser's text would quote the file
	}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			l.document(doc.Body)
		}
	}
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return l.roster, nil
}

type rosterLoader struct {
	name   string
	roster *KeyRoster
	errs   []error
}

func (l *rosterLoader) fail(n ast.Node, format string, args ...any) {
	where := l.name
	if n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		p := n.GetToken().Position
		where = fmt.Sprintf("%s:%d:%d", l.name, p.Line, p.Column)
	}
	l.errs = append(l.errs, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// entries returns the entries of a mapping, also where the parser made a mapping of one a bare entry.
func entries(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	}
	return nil, false
}

func (l *rosterLoader) document(n ast.Node) {
	if n.Type() == ast.CommentType || n.Type() == ast.NullType {
		return
	}
	top, ok := entries(n)
	if !ok {
		l.fail(n, "want a mapping with the key keys")
		return
	}
	for _, e := range top {
		if key := scalarText(e.Key); key != "keys" {
			l.fail(e.Key, "unknown key %q; want keys", key)
			continue
		}
		list, ok := e.Value.(*ast.SequenceNode)
		if !ok {
			if e.Value.Type() != ast.NullType {
				l.fail(e.Value, "keys: want a list")
			}
			continue
		}
		for _, v := range list.Values {
			l.key(v)
		}
	}
}

func (l *rosterLoader) key(n ast.Node) {
	fields, ok := entries(n)
	if !ok {
		l.fail(n, "want a mapping with id, sha256 or raw")
		return
	}
	k := &rosterKey{}
	before := len(l.errs)
	seen := map[string]bool{}
	var ids []string
	var hashes [][sha256.Size]byte
	for _, f := range fields {
		name := scalarText(f.Key)
		if seen[name] {
			l.fail(f.Key, "%s is there twice", name)
			continue
		}
		seen[name] = true
		switch name {
		case "id":
			if s, ok := l.text(f); ok {
				ids = append(ids, s)
			}
		case "sha256":
			if h, ok := l.hash(f); ok {
				hashes = append(hashes, h)
			}
		case "raw":
			if h, ok := l.raw(f); ok {
				hashes = append(hashes, h)
			}
		case "owner":
			k.owner, _ = l.text(f)
		case "created":
			k.created = l.time(f)
		case "scopes":
			for _, s := range l.texts(f) {
				k.scopes = append(k.scopes, s.text)
			}
		case "allow":
			k.limited = true
			for _, s := range l.texts(f) {
				if p, err := parsePrefix(s.text); err != nil {
					l.fail(s.node, "allow: %q is no address or network; use a form like 10.0.0.0/8", s.text)
				} else {
					k.allow = append(k.allow, p)
				}
			}
		case "status":
			switch s, _ := l.text(f); s {
			case "active":
			case "revoked":
				k.revoked = true
			default:
				l.fail(f.Value, "status %q: want active or revoked", s)
			}
		default:
			l.fail(f.Key, "unknown key %q; want id, sha256, raw, owner, created, scopes, allow or status", name)
		}
	}
	if len(ids)+len(hashes) == 0 {
		if len(l.errs) == before {
			l.fail(n, "a key needs id, sha256 or raw")
		}
		return
	}
	l.add(n, k, ids, hashes)
}

func (l *rosterLoader) add(n ast.Node, k *rosterKey, ids []string, hashes [][sha256.Size]byte) {
	r := l.roster
	for _, id := range ids {
		if r.byID[id] != nil {
			l.fail(n, "the id of this key is there twice")
		}
		r.byID[id] = k
	}
	for _, h := range hashes {
		if have := r.byHash[h]; have != nil && have != k {
			l.fail(n, "this key is there twice")
		}
		r.byHash[h] = k
		r.byID[hex.EncodeToString(h[:])] = k
	}
	r.size++
}

type textNode struct {
	text string
	node ast.Node
}

// scalarText is the text of a scalar as it stands in the file; empty for anything else.
func scalarText(n ast.Node) string {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value
	case *ast.LiteralNode:
		return strings.TrimSpace(v.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value
	}
	return ""
}

func (l *rosterLoader) text(f *ast.MappingValueNode) (string, bool) {
	s := scalarText(f.Value)
	if s == "" {
		l.fail(f.Value, "%s: want a text", scalarText(f.Key))
	}
	return s, s != ""
}

func (l *rosterLoader) texts(f *ast.MappingValueNode) []textNode {
	list, ok := f.Value.(*ast.SequenceNode)
	if !ok {
		l.fail(f.Value, "%s: want a list", scalarText(f.Key))
		return nil
	}
	var out []textNode
	for _, v := range list.Values {
		s := scalarText(v)
		if s == "" {
			l.fail(v, "%s: want texts", scalarText(f.Key))
			continue
		}
		out = append(out, textNode{s, v})
	}
	return out
}

func (l *rosterLoader) hash(f *ast.MappingValueNode) (h [sha256.Size]byte, ok bool) {
	b, err := hex.DecodeString(scalarText(f.Value))
	if err != nil || len(b) != len(h) {
		l.fail(f.Value, "sha256: want 64 hexadecimal digits")
		return h, false
	}
	return [sha256.Size]byte(b), true
}

// raw takes a key from the environment and keeps its hash.
func (l *rosterLoader) raw(f *ast.MappingValueNode) (h [sha256.Size]byte, ok bool) {
	name, isEnv := strings.CutPrefix(scalarText(f.Value), "${env:")
	name, closed := strings.CutSuffix(name, "}")
	if !isEnv || !closed || name == "" {
		l.fail(f.Value, "raw: a key never stands in a file; use ${env:NAME}, or give its sha256")
		return h, false
	}
	v := os.Getenv(name)
	if v == "" {
		l.fail(f.Value, "raw: environment variable %s is not set", name)
		return h, false
	}
	return sha256.Sum256([]byte(v)), true
}

func (l *rosterLoader) time(f *ast.MappingValueNode) int64 {
	s := scalarText(f.Value)
	for _, layout := range [...]string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			return t.UnixNano()
		}
	}
	l.fail(f.Value, "created: want a date such as 2026-01-15")
	return 0
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.IndexByte(s, '/') < 0 {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return canonicalPrefix(p), nil
}
