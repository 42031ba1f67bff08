package event

// Batch is what a collector hands over in one Put: raw lines, and the positions they came from.
// Data and positions are journaled in one message, so a crash can neither lose nor repeat a line.
//
// The batch and everything it points at belong to the receiver until Put returns; then the
// collector may use the memory again.
type Batch struct {
	// Ingest is when the collector read the lines, in nanoseconds since the epoch. It never goes
	// backwards within one collector. Skew is judged from it; nothing else reads a clock.
	Ingest int64
	// Lines are in the order of their files: offsets of one file ascend.
	Lines []Line
	// Positions has one entry for every file the batch touches. In a tick it has all files of the
	// collector, also those with nothing new.
	Positions []Position
	// Tick marks a batch that carries all positions.
	Tick bool
}

// Line is one raw line, without its line ending.
type Line struct {
	// File is the index of the line's file in Batch.Positions.
	File int
	// Offset is the byte offset at which the line starts in its file (uncompressed).
	Offset int64
	// Data is the line. A line longer than the collector's limit has only its beginning here.
	Data []byte
	// Oversize marks a line whose end was cut off: it is quarantined, never parsed.
	Oversize bool
}

// Position says how far one file has been read.
//
// A source, for watermarks and order, is one tailed path: (Source, Path). Ordinal counts the files
// that were found at that path over time, so that (time, source, ordinal, offset) orders events over
// rotations.
type Position struct {
	Source      string `json:"source"`             // the configuration's name of the log
	Path        string `json:"path"`               // the tailed path; what begins with - is no file: "-" is standard input
	Name        string `json:"name,omitempty"`     // what the file is called where the path is not its name, such as s3://bucket/key
	Ordinal     uint64 `json:"ordinal"`            // 1 for the first file seen at the path, then ascending
	Fingerprint Hash   `json:"fingerprint"`        // hash of the file's first line, zero until it is complete
	Check       Hash   `json:"check,omitzero"`     // the file collector's hash of the bytes before CheckAt: tells files with one first line apart
	CheckAt     int64  `json:"check_at,omitzero"`  // where Check ends, or Cursor stands; not End, because a batch may be journaled in parts
	Cursor      string `json:"cursor,omitempty"`   // the journald collector's: the entry that ends at CheckAt
	Start       int64  `json:"start"`              // first byte of this batch
	End         int64  `json:"end"`                // byte after the last one of this batch
	Done        bool   `json:"done,omitempty"`     // the file was rotated away and is read to its end
	Idle        bool   `json:"idle,omitempty"`     // the collector stood at the end of the file when it made the batch
	MaxTime     int64  `json:"max_time,omitempty"` // largest event time seen in the file; set by the pipeline
}

// Key names the source for watermarks and order.
func (p *Position) Key() SourceKey { return SourceKey{p.Source, p.Path} }

// SourceKey names one tailed path.
type SourceKey struct{ Source, Path string }

// Document is an encoded document on its way to a store.
type Document struct {
	// ID is the document's id; in Elasticsearch its _id, written with op_type create.
	ID Hash
	// Dataset is its event.dataset, such as "liveward.event".
	Dataset string
	// Tenant is its organization.id; empty where there is none.
	Tenant string
	// JSON is the document on one line, without event.ingested.
	JSON []byte
}
