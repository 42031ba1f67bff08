package ndjson

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/liveward/liveward/internal/event"
)

// recent is the set of documents written last, bounded by their bytes.
type recent struct {
	max, bytes int64
	ids        map[event.Hash]struct{}
	queue      []entry // oldest first, from head on
	head       int
}

type entry struct {
	id   event.Hash
	size int64
}

func newRecent(limit int64) *recent {
	return &recent{max: limit, ids: map[event.Hash]struct{}{}}
}

func (r *recent) has(id event.Hash) bool {
	_, ok := r.ids[id]
	return ok
}

func (r *recent) add(id event.Hash, size int64) {
	if r.has(id) {
		return
	}
	r.ids[id] = struct{}{}
	r.queue = append(r.queue, entry{id, size})
	r.bytes += size
	for r.bytes > r.max && r.head < len(r.queue)-1 { // the newest always stays
		old := r.queue[r.head]
		r.head++
		r.bytes -= old.size
		delete(r.ids, old.id)
	}
	if r.head > len(r.queue)/2 {
		r.queue = append(r.queue[:0], r.queue[r.head:]...)
		r.head = 0
	}
}

// load enters the documents at the end of a file, as many as fit into the bound.
func (r *recent) load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return nil
	}
	start := max(0, st.Size()-r.max)
	if _, err := f.Seek(start, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(f, 1<<20)
	if start > 0 {
		if _, err := in.ReadBytes('\n'); err != nil { // rest of a line
			return ignoreEOF(err)
		}
	}
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return ignoreEOF(err)
		}
		if id, ok := documentID(line); ok {
			r.add(id, int64(len(line)-1))
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// documentID reads event.id, which every document of ours has, from a line.
func documentID(line []byte) (event.Hash, bool) {
	var doc struct {
		Event struct {
			ID event.Hash `json:"id"`
		} `json:"event"`
	}
	if json.Unmarshal(bytes.TrimSpace(line), &doc) != nil || doc.Event.ID.IsZero() {
		return event.Hash{}, false
	}
	return doc.Event.ID, true
}
