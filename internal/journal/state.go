package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrChanged means that a value was changed by somebody else since it was loaded.
var ErrChanged = errors.New("journal: the value was changed by another writer")

// Bucket is a set of small values, each changed by compare-and-set.
type Bucket struct {
	j    *Journal
	name string
}

// Incidents is the bucket of incidents and of what was notified about them.
func (j *Journal) Incidents() *Bucket { return &Bucket{j, kvIncidents} }

func (j *Journal) positions() *Bucket { return &Bucket{j, kvPositions} }
func (j *Journal) cursors() *Bucket   { return &Bucket{j, kvCursors} }

func (b *Bucket) kv(ctx context.Context) (jetstream.KeyValue, error) {
	js, _ := b.j.client()
	kv, err := js.KeyValue(ctx, b.name)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", b.name, err)
	}
	return kv, nil
}

// Load returns a value and its revision; nil and 0 when there is none.
func (b *Bucket) Load(ctx context.Context, key string) ([]byte, uint64, error) {
	kv, err := b.kv(ctx)
	if err != nil {
		return nil, 0, err
	}
	e, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("load %s/%s: %w", b.name, key, err)
	}
	return e.Value(), e.Revision(), nil
}

// Save stores a value if its revision is still the one given (0: if it does not exist) and returns
// the new revision. ErrChanged otherwise.
func (b *Bucket) Save(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	kv, err := b.kv(ctx)
	if err != nil {
		return 0, err
	}
	var rev uint64
	if revision == 0 {
		rev, err = kv.Create(ctx, key, value)
	} else {
		rev, err = kv.Update(ctx, key, value, revision)
	}
	if err != nil && (isConflict(err) || errors.Is(err, jetstream.ErrKeyExists)) {
		return 0, fmt.Errorf("save %s/%s: %w", b.name, key, ErrChanged)
	}
	if err != nil {
		return 0, fmt.Errorf("save %s/%s: %w", b.name, key, err)
	}
	return rev, nil
}

// put stores a value whatever was there.
func (b *Bucket) put(ctx context.Context, key string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s/%s: %w", b.name, key, err)
	}
	kv, err := b.kv(ctx)
	if err != nil {
		return err
	}
	if _, err := kv.Put(ctx, key, data); err != nil {
		return fmt.Errorf("save %s/%s: %w", b.name, key, err)
	}
	return nil
}

func (b *Bucket) get(ctx context.Context, key string, v any) (found bool, err error) {
	data, _, err := b.Load(ctx, key)
	if err != nil || data == nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("decode %s/%s: %w", b.name, key, err)
	}
	return true, nil
}

// Keys lists the keys, sorted.
func (b *Bucket) Keys(ctx context.Context) ([]string, error) {
	kv, err := b.kv(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := kv.Keys(ctx)
	if errors.Is(err, jetstream.ErrNoKeysFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", b.name, err)
	}
	slices.Sort(keys)
	return keys, nil
}

// Delete removes a key; one that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	kv, err := b.kv(ctx)
	if err != nil {
		return err
	}
	if err := kv.Purge(ctx, key); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return fmt.Errorf("delete %s/%s: %w", b.name, key, err)
	}
	return nil
}

// Cursor returns how far a reader of a stream has come; the zero Ref when it never stored one. A
// cursor whose message is no longer the journal's (a truncated tail) goes back to the beginning of
// what is held: everything downstream of a cursor takes repeats.
func (j *Journal) Cursor(ctx context.Context, stream, reader string) (Ref, error) {
	var ref Ref
	if _, err := j.cursors().get(ctx, stream+"."+reader, &ref); err != nil {
		return Ref{}, err
	}
	ok, err := j.Holds(ctx, stream, ref)
	if err != nil {
		return Ref{}, err
	}
	if !ok {
		j.log.Warn("reader starts over: the journal no longer holds the message of its cursor", "reader", reader, "stream", stream, "sequence", ref.Seq)
		return Ref{}, nil
	}
	return ref, nil
}

// SaveCursor stores how far a reader has come.
func (j *Journal) SaveCursor(ctx context.Context, stream, reader string, ref Ref) error {
	return j.cursors().put(ctx, stream+"."+reader, ref)
}
