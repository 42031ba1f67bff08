package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// PutBlob stores a blob under a name.
func (j *Journal) PutBlob(ctx context.Context, name string, data []byte) error {
	js, _ := j.client()
	o, err := js.ObjectStore(ctx, objBlobs)
	if err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	if _, err := o.Put(ctx, jetstream.ObjectMeta{Name: name}, bytes.NewReader(data)); err != nil {
		return fmt.Errorf("store blob %s: %w", name, err)
	}
	return nil
}

// blobPatience bounds the reading of one blob.
const blobPatience = time.Minute

// Blob returns a blob; nil when there is none of that name. It is read to its end even where ctx ends
// meanwhile: a client that is stopped while it subscribes leaves a goroutine behind that writes to nobody.
func (j *Journal) Blob(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), blobPatience)
	defer cancel()
	js, _ := j.client()
	o, err := js.ObjectStore(ctx, objBlobs)
	if err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	r, err := o.Get(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", name, err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", name, errors.Join(err, r.Close()))
	}
	return data, r.Close()
}

// collectBlobs frees the parts of blobs that were being stored, or replaced, when the process was killed:
// no blob names them, so nothing else ever would. Only who stores alone may do so.
func (j *Journal) collectBlobs(ctx context.Context) error {
	o, err := j.js.ObjectStore(ctx, objBlobs)
	if err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	list, err := o.List(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		return fmt.Errorf("blobs: %w", err)
	}
	const parts = "$O." + objBlobs + ".C."
	named := make(map[string]bool, len(list))
	for _, info := range list {
		named[parts+info.NUID] = true
	}
	s, err := j.js.Stream(ctx, "OBJ_"+objBlobs)
	if err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(parts+">"))
	if err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	for subject, n := range info.State.Subjects {
		if named[subject] {
			continue
		}
		if err := s.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return fmt.Errorf("blobs: %w", err)
		}
		j.log.Info("parts of a blob that was not stored to its end were freed", "parts", n)
	}
	return nil
}
