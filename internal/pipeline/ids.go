package pipeline

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/minio/highwayhash"

	"github.com/liveward/liveward/internal/event"
)

// ids gives events their ids. The id of a line is CONTRACT's: a hash of source name, hash of the file's
// first line, offset, hash of the line and index within the line's envelope. No inode and no path: a
// rotated file keeps its ids. It is for one goroutine.
type ids struct {
	source string
	first  event.Hash
	file   [sha256.Size]byte // SHA-256 of the two, and the key under which lines of the file are hashed
	known  bool
}

// of returns the id of a line of the file at pos.
//
// The line itself is hashed with HighwayHash, which takes a sixth of the time that SHA-256 does. Lines
// are the attacker's, who would hide a call behind the id of another if he could: he would need two
// lines of one hash at the same offset of two files with the same first line. The key is made of that
// first line and the source's name, so that without both he cannot even compute a hash.
func (h *ids) of(line *event.Line, pos *event.Position) event.Hash {
	h.begin(pos)
	content := highwayhash.Sum128(line.Data, h.file[:])
	return h.id(content[:], line.Offset)
}

// begin makes the key of the file at pos.
func (h *ids) begin(pos *event.Position) {
	if h.known && h.first == pos.Fingerprint && h.source == pos.Source {
		return
	}
	h.source, h.first, h.known = pos.Source, pos.Fingerprint, true
	h.file = sha256.Sum256(append(append([]byte(pos.Source), 0), pos.Fingerprint[:]...))
}

// content returns the hash of a line of the file that begin was called with, for one that comes in pieces.
func (h *ids) content() hash.Hash {
	c, err := highwayhash.New128(h.file[:])
	if err != nil {
		panic(err) // only for a key of another length
	}
	return c
}

// id returns the id of the line with this hash.
func (h *ids) id(content []byte, offset int64) event.Hash {
	var buf [48]byte // with its padding one block of SHA-256
	b := append(buf[:0], h.file[:16]...)
	b = binary.BigEndian.AppendUint64(b, uint64(offset))
	b = append(b, content...)
	b = binary.BigEndian.AppendUint32(b, 0)
	sum := sha256.Sum256(b)
	return event.Hash(sum[:16])
}
