package event

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"unsafe"
)

// Hash is an identifier of the product: SHA-256 cut to 128 bits. Event, alert, state and message
// hashes all have this form; as text it is 26 characters of lower-case base32.
type Hash [16]byte

//nolint:gochecknoglobals // made once, never changed
var hashText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// HashTextLen is the length of a Hash as text.
const HashTextLen = 26

// HashOf hashes parts with their lengths, so that ("ab","c") and ("a","bc") differ.
func HashOf(parts ...[]byte) Hash {
	n := 0
	for _, p := range parts {
		n += 8 + len(p)
	}
	buf := make([]byte, 0, max(n, 256))
	for _, p := range parts {
		buf = appendUint64(buf, uint64(len(p)))
		buf = append(buf, p...)
	}
	sum := sha256.Sum256(buf)
	return Hash(sum[:16])
}

// HashStrings is HashOf for strings.
func HashStrings(parts ...string) Hash {
	var few [256]byte
	buf := few[:0]
	for _, p := range parts {
		buf = appendUint64(buf, uint64(len(p)))
		buf = append(buf, p...)
	}
	sum := sha256.Sum256(buf)
	return Hash(sum[:16])
}

// String is the textual form used in documents and as Elasticsearch's _id.
func (h Hash) String() string { return hashText.EncodeToString(h[:]) }

// AppendText appends the textual form without allocating.
func (h Hash) AppendText(dst []byte) []byte { return hashText.AppendEncode(dst, h[:]) }

// IsZero tells whether the hash was never set.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return h.AppendText(nil), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(b []byte) error {
	var out [32]byte
	if len(b) != HashTextLen {
		return fmt.Errorf("hash %q: want %d characters", b, HashTextLen)
	}
	n, err := hashText.Decode(out[:], b)
	if err != nil || n != len(h) {
		return fmt.Errorf("hash %q: not lower-case base32", b)
	}
	copy(h[:], out[:n])
	return nil
}

// ParseHash reads the textual form.
func ParseHash(s string) (Hash, error) {
	var h Hash
	err := h.UnmarshalText([]byte(s))
	return h, err
}

func appendUint64(dst []byte, v uint64) []byte {
	return append(dst, byte(v>>56), byte(v>>48), byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// Slot returns b as a string without copying. The string is valid only as long as b is not written
// to: this is how an event's strings point into the block that was read. Whatever outlives the batch
// must be cloned with strings.Clone.
func Slot(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Bytes returns the bytes of a slot without copying; they must not be written to.
func Bytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
