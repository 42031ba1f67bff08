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
