package privacy

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"hash/maphash"

	"github.com/liveward/liveward/internal/event"
)

// domain separates pseudonyms: the same raw value in two domains gives two pseudonyms that nobody can
// link without the key. user.id and user.name share one, because they name the same people in
// different logs and a case is worked by user; so do the identifiers by which events are joined.
type domain uint8

const (
	domainKey domain = iota
	domainUser
	domainDevice
	domainMedia
	domainID
	numDomains
)

//nolint:gochecknoglobals // constant; these names are part of every pseudonym and must never change
var domainNames = [numDomains]string{"api_key", "user", "device", "media", "id"}

func domainOf(id event.ID) domain {
	switch id {
	case event.APIKeyID:
		return domainKey
	case event.UserID, event.UserName, event.RelatedUser:
		return domainUser
	case event.DeviceID:
		return domainDevice
	case event.LivenessMediaDigest:
		return domainMedia
	}
	return domainID
}

// epoch is a key, derived for each domain.
type epoch struct {
	name string
	keys [numDomains][]byte
}

func newEpoch(k Key) (epoch, error) {
	e := epoch{name: k.Epoch}
	for d := range e.keys {
		// The epoch is in the derivation: a secret used twice by mistake does not link two epochs.
		derived, err := hkdf.Key(sha256.New, k.Secret, []byte("liveward pseudonym v1"), domainNames[d]+"/"+k.Epoch, sha256.Size)
		if err != nil {
			return epoch{}, fmt.Errorf("derive pseudonym key %s: %w", k.Epoch, err)
		}
		e.keys[d] = derived
	}
	return e, nil
}

// appendHash appends what follows the epoch in a pseudonym: HMAC-SHA256 cut to 128 bits, as 26
// characters. mac is reset.
func appendHash(dst []byte, mac hash.Hash, sum []byte, raw string) []byte {
	mac.Reset()
	mac.Write(event.Bytes(raw))
	sum = mac.Sum(sum[:0])
	return event.Hash(sum[:16]).AppendText(dst)
}

// Pseudonyms returns the pseudonyms of a raw value of a field under all live keys, the current one
// first: lists and rosters are loaded through it, so that they match over a change of epoch.
func (f *Filter) Pseudonyms(id event.ID, raw string) []string {
	out := make([]string, 0, len(f.epochs))
	for i := len(f.epochs) - 1; i >= 0; i-- {
		e := &f.epochs[i]
		mac := hmac.New(sha256.New, e.keys[domainOf(id)])
		out = append(out, string(appendHash([]byte(e.name+"-"), mac, nil, raw)))
	}
	return out
}

// Sizes of the caches of one worker, in entries of 48 bytes: 540 KiB in all. Each domain has its own, so
// that a flood of users does not push out the keys. Powers of two.
//
//nolint:gochecknoglobals // constant
var cacheSizes = [numDomains]int{domainKey: 2048, domainUser: 4096, domainDevice: 4096, domainMedia: 512, domainID: 512}

// cached is the hash of a pseudonym. The key stands for the raw value: two seeded hashes, so that the
// cache holds no raw value. A place of the cache is a pair of entries, the one used last first; what
// hashes to a third place out of two is computed again, which costs no more than it did the first time.
type cached struct {
	key  [2]uint64
	text [event.HashTextLen]byte
	used bool
}

// pseudonymizer computes pseudonyms under the current key for one goroutine.
type pseudonymizer struct {
	epoch  string
	macs   [numDomains]hash.Hash
	caches [numDomains][]cached
	seeds  [2]maphash.Seed
	sum    [sha256.Size]byte
	text   []byte
}

func (p *pseudonymizer) init(e *epoch) {
	p.epoch = e.name
	p.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	for d := range p.macs {
		p.macs[d] = hmac.New(sha256.New, e.keys[d])
		p.caches[d] = make([]cached, cacheSizes[d])
	}
}

// of returns the pseudonym of a raw value. It is valid until the next call.
func (p *pseudonymizer) of(d domain, raw string) []byte {
	p.text = append(append(p.text[:0], p.epoch...), '-')
	key := [2]uint64{maphash.String(p.seeds[0], raw), maphash.String(p.seeds[1], raw)}
	at := int(key[0]) & (cacheSizes[d] - 2)
	pair := p.caches[d][at : at+2]
	switch {
	case pair[0].key == key && pair[0].used:
	case pair[1].key == key && pair[1].used:
		pair[0], pair[1] = pair[1], pair[0]
	default:
		pair[1] = pair[0]
		pair[0].key, pair[0].used = key, true
		appendHash(pair[0].text[:0], p.macs[d], p.sum[:0], raw)
	}
	p.text = append(p.text, pair[0].text[:]...)
	return p.text
}
