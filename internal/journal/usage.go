package journal

import (
	"context"
	"fmt"
)

// Streams returns the names of the streams.
func Streams() []string { return []string{Events, Alerts, DeadLetters} }

// Usage is what a stream takes.
type Usage struct {
	Bytes    uint64
	Messages uint64
}

// Usage tells what a stream takes on disk.
func (j *Journal) Usage(ctx context.Context, stream string) (Usage, error) {
	js, _ := j.client()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return Usage{}, fmt.Errorf("stream %s: %w", stream, err)
	}
	st := s.CachedInfo().State
	return Usage{Bytes: st.Bytes, Messages: st.Msgs}, nil
}
