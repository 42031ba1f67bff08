package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/liveward/liveward/internal/event"
)

// A batch message is: magic, then three sections with their lengths: the head as JSON, the signals,
// and the documents, compressed. One message is one batch, so data and position are durable together.
const batchMagic = "LWB1"

// maxDocs bounds what a batch may hold once it is decompressed: a reader never takes more memory
// than this, whatever stands in the journal.
const maxDocs = 64 << 20

// BatchHead is the part of a batch that is read without touching documents or signals.
type BatchHead struct {
	Agent     string           `json:"agent"`
	Collector string           `json:"collector"`
	Ruleset   event.Hash       `json:"ruleset"` // the set the signals were matched with
	Ingest    int64            `json:"ingest"`  // nanoseconds
	Tick      bool             `json:"tick,omitempty"`
	Positions []event.Position `json:"positions"`
	Documents int              `json:"documents"`
	Runs      []Run            `json:"runs,omitempty"`      // which file each document is of
	Joins     []int            `json:"joins,omitempty"`     // indexes of the documents that joins look at
	Keys      []KeyTally       `json:"keys,omitempty"`      // calls of the documents by API key
	MoreKeys  int64            `json:"more_keys,omitempty"` // calls with keys for which Keys had no room
}

// KeyTally counts the calls with one API key. Times are event times, in nanoseconds; 0 where none is to
// be believed.
type KeyTally struct {
	ID       string `json:"id"`
	Owner    string `json:"owner,omitempty"`
	First    int64  `json:"first,omitempty"`
	Last     int64  `json:"last,omitempty"`
	Calls    int64  `json:"n"`
	Accepted int64  `json:"accepted,omitempty"`
	Refused  int64  `json:"refused,omitempty"`
}

// Run is a number of documents of one file that stand one after the other in a batch. Documents do
// not say their file: a path may have two in one batch, and privacy may have changed the path.
type Run struct {
	File  int `json:"f"` // index in Positions
	Count int `json:"n"`
}

// AddDocument counts a document of a file.
func (h *BatchHead) AddDocument(file int) {
	h.Documents++
	if n := len(h.Runs); n > 0 && h.Runs[n-1].File == file {
		h.Runs[n-1].Count++
		return
	}
	h.Runs = append(h.Runs, Run{file, 1})
}

// Files gives the file of each document.
func (h *BatchHead) Files() ([]int, error) {
	if h.Documents < 0 || h.Documents > maxDocs {
		return nil, errBatch
	}
	files := make([]int, 0, h.Documents)
	for _, r := range h.Runs {
		if r.File < 0 || r.File >= len(h.Positions) || r.Count < 0 || r.Count > h.Documents-len(files) {
			return nil, errBatch
		}
		for range r.Count {
			files = append(files, r.File)
		}
	}
	if len(files) != h.Documents {
		return nil, errBatch
	}
	return files, nil
}

// Batch is one journal message of a collector.
type Batch struct {
	BatchHead
	Signals []event.Signal
	// Docs holds the documents, one a line: id, dataset, tenant (as JSON string), document.
	Docs []byte
}

// AppendDoc appends one document to the lines of Batch.Docs.
func AppendDoc(dst []byte, id event.Hash, dataset, tenant string, doc []byte) []byte {
	dst = id.AppendText(dst)
	dst = append(dst, ' ')
	dst = append(dst, dataset...)
	dst = append(dst, ' ')
	dst = event.AppendJSONString(dst, tenant)
	dst = append(dst, ' ')
	dst = append(dst, doc...)
	return append(dst, '\n')
}

// Documents splits Batch.Docs; what it returns points into it.
func Documents(docs []byte) ([]event.Document, error) {
	out := make([]event.Document, 0, bytes.Count(docs, []byte{'\n'}))
	for n := 0; len(docs) > 0; n++ {
		line, rest, ok := bytes.Cut(docs, []byte{'\n'})
		if !ok {
			return nil, fmt.Errorf("journal: document %d is not complete", n)
		}
		docs = rest
		d, err := splitDoc(line)
		if err != nil {
			return nil, fmt.Errorf("journal: document %d: %w", n, err)
		}
		out = append(out, d)
	}
	return out, nil
}

func splitDoc(line []byte) (event.Document, error) {
	var d event.Document
	id, rest, ok1 := bytes.Cut(line, []byte{' '})
	dataset, rest, ok2 := bytes.Cut(rest, []byte{' '})
	if !ok1 || !ok2 || len(rest) == 0 || rest[0] != '"' {
		return d, errors.New("malformed line")
	}
	if err := d.ID.UnmarshalText(id); err != nil {
		return d, err
	}
	d.Dataset = event.Slot(dataset)
	end, escaped := 1, false
	for ; end < len(rest) && rest[end] != '"'; end++ {
		if rest[end] == '\\' {
			escaped = true
			end++
		}
	}
	if end+1 >= len(rest) || rest[end+1] != ' ' {
		return d, errors.New("malformed line")
	}
	if !escaped {
		d.Tenant = event.Slot(rest[1:end])
	} else if err := json.Unmarshal(rest[:end+1], &d.Tenant); err != nil {
		return d, err
	}
	d.JSON = rest[end+2:]
	return d, nil
}

// Codec encodes and decodes batches, reusing its buffers. It is for one goroutine.
type Codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
	sig []byte
}

// NewCodec makes a codec.
func NewCodec() (*Codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDocs), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return &Codec{enc: enc, dec: dec}, nil
}

// Close frees what the codec holds.
func (c *Codec) Close() {
	_ = c.enc.Close()
	c.dec.Close()
}

// Append encodes a batch behind dst.
func (c *Codec) Append(dst []byte, b *Batch) ([]byte, error) {
	head, err := json.Marshal(&b.BatchHead)
	if err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	dst = append(dst, batchMagic...)
	dst = binary.AppendUvarint(dst, uint64(len(head)))
	dst = append(dst, head...)
	c.sig = appendSignals(c.sig[:0], b.Signals)
	dst = binary.AppendUvarint(dst, uint64(len(c.sig)))
	dst = append(dst, c.sig...)
	return c.enc.EncodeAll(b.Docs, dst), nil
}

var errBatch = errors.New("journal: malformed batch")

func sections(body []byte) (head, signals, docs []byte, err error) {
	if len(body) < len(batchMagic) || string(body[:len(batchMagic)]) != batchMagic {
		return nil, nil, nil, fmt.Errorf("%w: unknown version", errBatch)
	}
	r := body[len(batchMagic):]
	for _, s := range []*[]byte{&head, &signals} {
		n, w := binary.Uvarint(r)
		if w <= 0 || n > uint64(len(r)-w) {
			return nil, nil, nil, errBatch
		}
		*s, r = r[w:w+int(n)], r[w+int(n):]
	}
	return head, signals, r, nil
}

// DecodeHead reads only the head.
func DecodeHead(body []byte) (*BatchHead, error) {
	head, _, _, err := sections(body)
	if err != nil {
		return nil, err
	}
	var h BatchHead
	if err := json.Unmarshal(head, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", errBatch, err)
	}
	return &h, nil
}

// DecodeSignals reads head and signals into b and leaves the documents alone.
func (c *Codec) DecodeSignals(body []byte, b *Batch) error {
	head, signals, _, err := sections(body)
	if err != nil {
		return err
	}
	b.BatchHead = BatchHead{}
	if err := json.Unmarshal(head, &b.BatchHead); err != nil {
		return fmt.Errorf("%w: %w", errBatch, err)
	}
	b.Signals, err = decodeSignals(signals, b.Signals[:0], len(b.Positions))
	return err
}

// DecodeDocs returns the batch's documents, appended to dst.
func (c *Codec) DecodeDocs(body, dst []byte) ([]byte, error) {
	_, _, docs, err := sections(body)
	if err != nil {
		return nil, err
	}
	out, err := c.dec.DecodeAll(docs, dst)
	if err != nil {
		return nil, fmt.Errorf("%w: documents: %w", errBatch, err)
	}
	return out, nil
}
