package journal

import "context"

// RestartForTest restarts the embedded server as a storage error does.
func (j *Journal) RestartForTest(ctx context.Context) error {
	_, gen := j.client()
	return j.restart(ctx, gen)
}

// StopForTest stops the embedded server as a restart does that fails half-way.
func (j *Journal) StopForTest() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.disconnect()
}

// AbandonBlobForTest leaves what a kill leaves of a blob that is being stored: parts, and no name.
func (j *Journal) AbandonBlobForTest(ctx context.Context, parts int) error {
	js, _ := j.client()
	for range parts {
		if _, err := js.Publish(ctx, "$O."+objBlobs+".C.abandoned", make([]byte, 128<<10)); err != nil {
			return err
		}
	}
	return nil
}

// BlobMessagesForTest counts the names and parts of blobs that take room.
func (j *Journal) BlobMessagesForTest(ctx context.Context) (uint64, error) {
	js, _ := j.client()
	s, err := js.Stream(ctx, "OBJ_"+objBlobs)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.Msgs, nil
}
