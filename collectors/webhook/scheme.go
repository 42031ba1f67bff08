package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/liveward/liveward/collectors/push"
)

// Signature is a scheme of signatures: an HMAC of the body, with a time before it where the scheme has
// one.
type Signature struct {
	Header          string // that holds the signature
	Prefix          string // before the signature, such as sha256=
	Encoding        string // hex or base64; hex where empty
	Hash            string // sha256 or sha512; sha256 where empty
	TimestampHeader string // that holds the seconds since the epoch; none where empty
	// Signed tells that the time, and a dot, stand before the body in what is signed.
	Signed bool
	// HashHeader names a header that tells the hash, such as HMAC_SHA512_HEX.
	HashHeader string
}

// signatures are the schemes of vendors, by the name of the vendor map. What a vendor offers beside
// these is left out.
func signatures() map[string]push.Scheme {
	return map[string]push.Scheme{
		"didit":   Signature{Header: "X-Signature", TimestampHeader: "X-Timestamp"},
		"onfido":  Signature{Header: "X-SHA2-Signature"},
		"persona": persona{},
		"sumsub":  Signature{Header: "X-Payload-Digest", HashHeader: "X-Payload-Digest-Alg"},
		"veriff":  Signature{Header: "X-HMAC-Signature"},
	}
}

// Vendors are those whose scheme is known, sorted.
func Vendors() []string { return slices.Sorted(maps.Keys(signatures())) }

// Scheme is the scheme of a vendor.
func Scheme(vendor string) (push.Scheme, bool) {
	s, ok := signatures()[vendor]
	return s, ok
}

// Validate tells what is wrong with a scheme.
func (s Signature) Validate() error {
	switch {
	case s.Header == "":
		return errors.New("no header holds the signature")
	case s.Encoding != "" && s.Encoding != "hex" && s.Encoding != "base64":
		return errors.New("encoding is neither hex nor base64")
	case s.Hash != "" && s.Hash != "sha256" && s.Hash != "sha512":
		return errors.New("hash is neither sha256 nor sha512")
	}
	return nil
}

// longestMAC bounds a signature as it is written: sha512 in hex, and a prefix.
const longestMAC = 256

// Claim implements push.Scheme.
func (s Signature) Claim(h http.Header) (push.Claim, bool) {
	var c push.Claim
	values := h.Values(s.Header)
	if len(values) != 1 || len(values[0]) > longestMAC {
		return c, false
	}
	text, ok := strings.CutPrefix(values[0], s.Prefix)
	if !ok {
		return c, false
	}
	decode := hex.DecodeString
	if s.Encoding == "base64" {
		decode = base64.StdEncoding.DecodeString
	}
	mac, err := decode(text)
	if err != nil || len(mac) == 0 {
		return c, false
	}
	c.MACs = [][]byte{mac}
	if s.TimestampHeader == "" {
		return c, true
	}
	c.Text = h.Get(s.TimestampHeader)
	c.At, err = strconv.ParseInt(c.Text, 10, 64)
	return c, err == nil && c.At > 0 && c.At < 1<<40 && len(h.Values(s.TimestampHeader)) == 1
}

// Sum implements push.Scheme.
func (s Signature) Sum(secret []byte, h http.Header, c push.Claim, body []byte) []byte {
	name := s.Hash
	if s.HashHeader != "" {
		switch h.Get(s.HashHeader) {
		case "", "HMAC_SHA256_HEX":
			name = "sha256"
		case "HMAC_SHA512_HEX":
			name = "sha512"
		default: // SHA-1 is no proof any more
			return nil
		}
	}
	make := sha256.New
	if name == "sha512" {
		make = sha512.New
	}
	mac := hmac.New(make, secret)
	if s.Signed {
		mac.Write([]byte(c.Text + "."))
	}
	mac.Write(body)
	return mac.Sum(nil)
}

// persona is the scheme of Persona: t=<seconds>,v1=<hex>, and a second pair behind a space while a
// secret is being replaced.
type persona struct{}

// Claim implements push.Scheme.
func (persona) Claim(h http.Header) (push.Claim, bool) {
	values := h.Values("Persona-Signature")
	if len(values) != 1 || len(values[0]) > 2*longestMAC {
		return push.Claim{}, false
	}
	var all push.Claim
	for pair := range strings.FieldsSeq(values[0]) {
		c, ok := push.ParseClaim([]string{pair})
		if !ok || all.Text != "" && all.Text != c.Text {
			return push.Claim{}, false
		}
		all.At, all.Text, all.MACs = c.At, c.Text, append(all.MACs, c.MACs...)
	}
	return all, len(all.MACs) > 0
}

// Sum implements push.Scheme.
func (persona) Sum(secret []byte, _ http.Header, c push.Claim, body []byte) []byte {
	return Signature{Signed: true}.Sum(secret, nil, c, body)
}
