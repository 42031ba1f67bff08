package enrich

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// maxRoster bounds a roster file, in bytes.
const maxRoster = 16 << 20

// KeyRoster is what the bank knows of its API keys. It holds ids and hashes, never a key. It is
// immutable.
type KeyRoster struct {
	byID   map[string]*rosterKey // id of the gateway, or SHA-256 as lower-case hexadecimal
	byHash map[[sha256.Size]byte]*rosterKey
	listed []ListedKey
	size   int
	hash   event.Hash
}

// ListedKey is a key that the roster names by its id.
type ListedKey struct {
	ID      string
	Owner   string
	Created int64 // nanoseconds; 0 where not told
	Revoked bool
}

// rosterKey is one key of the roster.
type rosterKey struct {
	owner   string
	created int64 // nanoseconds; 0 where not told
	scopes  []string
	limited bool // has an allow list, which may be empty
	allow   []netip.Prefix
	regions []string // in which calls may be processed; none: anywhere
	revoked bool
}

// Len is the number of keys.
func (r *KeyRoster) Len() int { return r.size }

// Listed are the keys that the roster names by an id, in its order. The slice must not be written to.
func (r *KeyRoster) Listed() []ListedKey { return r.listed }

// Hash tells one roster from another by what its file says.
func (r *KeyRoster) Hash() event.Hash { return r.hash }

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
	return len(k.scopes) == 0 || slices.Contains(k.scopes, action)
}

// resides tells whether calls of the key may be processed in a region. Case does not matter.
func (k *rosterKey) resides(region string) bool {
	return slices.ContainsFunc(k.regions, func(r string) bool { return equalFold(r, region) })
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
//	    regions: [eu-central-1]   # where its calls may be processed
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
	l := &rosterLoader{file: strict.Read(name, text), roster: &KeyRoster{byID: map[string]*rosterKey{}, byHash: map[[sha256.Size]byte]*rosterKey{}, hash: event.HashOf(text)}}
	for _, e := range l.file.Root().Entries("keys") {
		if !e.Value.IsList() {
			if !e.Value.IsNull() {
				e.Value.Bad("", "keys: want a list")
			}
			continue
		}
		for _, key := range e.Value.Items() {
			l.key(key)
		}
	}
	if err := l.file.Err(); err != nil {
		return nil, err
	}
	return l.roster, nil
}

type rosterLoader struct {
	file   *strict.File
	roster *KeyRoster
}

func (l *rosterLoader) key(n strict.Node) {
	k := &rosterKey{}
	var ids []string
	var hashes [][sha256.Size]byte
	named := false
	for _, e := range n.Entries("id", "sha256", "raw", "owner", "created", "scopes", "allow", "regions", "status") {
		if e.Value.IsBlank() {
			e.Value.Bad("", "%s is empty", e.Key)
			continue
		}
		switch e.Key {
		case "id":
			ids, named = append(ids, e.Value.Text()), true
		case "sha256":
			hashes, named = append(hashes, keyHash(e.Value)), true
		case "raw":
			hashes, named = append(hashes, envHash(e.Value)), true
		case "owner":
			k.owner = e.Value.Text()
		case "created":
			k.created = keyTime(e.Value)
		case "scopes":
			k.scopes = e.Value.Texts()
		case "allow":
			k.limited = true
			for _, item := range e.Value.Items() {
				k.allow = append(k.allow, keyNetwork(item))
			}
		case "regions":
			k.regions = e.Value.Texts()
		case "status":
			k.revoked = keyRevoked(e.Value)
		}
	}
	if !named {
		n.Bad("", "a key needs id, sha256 or raw")
		return
	}
	l.add(n, k, ids, hashes)
}

func (l *rosterLoader) add(n strict.Node, k *rosterKey, ids []string, hashes [][sha256.Size]byte) {
	r := l.roster
	for _, id := range ids {
		if r.byID[id] != nil {
			n.Bad("", "the id of this key is there twice")
		}
		r.byID[id] = k
		r.listed = append(r.listed, ListedKey{ID: id, Owner: k.owner, Created: k.created, Revoked: k.revoked})
	}
	for _, h := range hashes {
		if have := r.byHash[h]; have != nil && have != k {
			n.Bad("", "this key is there twice")
		}
		r.byHash[h] = k
		r.byID[hex.EncodeToString(h[:])] = k
	}
	r.size++
}

func keyHash(n strict.Node) (h [sha256.Size]byte) {
	b, err := hex.DecodeString(n.Text())
	if err != nil || len(b) != len(h) {
		n.Bad("", "sha256: want 64 hexadecimal digits")
		return h
	}
	return [sha256.Size]byte(b)
}

func keyNetwork(n strict.Node) netip.Prefix {
	p, err := event.ParseOwnNetwork(n.Text())
	if err != nil {
		n.Bad("", "allow: %v", err)
	}
	return p
}

func keyRevoked(n strict.Node) bool {
	switch s := n.Text(); s {
	case "active":
	case "revoked":
		return true
	default:
		n.Bad("want active or revoked", "status: unknown word")
	}
	return false
}

// envHash takes a key from the environment and keeps its hash.
func envHash(n strict.Node) (h [sha256.Size]byte) {
	name, isEnv := strings.CutPrefix(n.Text(), "${env:")
	name, closed := strings.CutSuffix(name, "}")
	if !isEnv || !closed || name == "" {
		n.Bad("use ${env:NAME}, or give its sha256", "raw: a key never stands in a file")
		return h
	}
	v := os.Getenv(name)
	if v == "" {
		n.Bad("", "raw: environment variable %s is not set", name)
		return h
	}
	return sha256.Sum256([]byte(v))
}

func keyTime(n strict.Node) int64 {
	s := n.Text()
	for _, layout := range [...]string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			return t.UnixNano()
		}
	}
	n.Bad("", "created: want a date such as 2026-01-15")
	return 0
}
