package pipeline

import (
	"context"
	"fmt"

	"github.com/liveward/liveward/internal/journal"
)

// Retire tells the journal that inputs which the agent no longer has are at their end. Their sources
// would hold the watermark back until they were given up for silent. kept are the agent's inputs; now
// is in nanoseconds.
func Retire(ctx context.Context, j *journal.Journal, agent string, kept []string, now int64) error {
	names, err := j.Collectors(ctx, agent)
	if err != nil {
		return err
	}
	have := make(map[string]bool, len(kept))
	for _, name := range kept {
		have[name] = true
	}
	codec, err := journal.NewCodec()
	if err != nil {
		return err
	}
	defer codec.Close()
	for _, name := range names {
		if have[name] {
			continue
		}
		if err := retire(ctx, j, codec, agent, name, now); err != nil {
			return fmt.Errorf("retire input %s: %w", name, err)
		}
	}
	return nil
}

func retire(ctx context.Context, j *journal.Journal, codec *journal.Codec, agent, collector string, now int64) error {
	subject := journal.BatchSubject(agent, collector)
	positions, err := j.Positions(ctx, subject)
	if err != nil {
		return err
	}
	open := false
	for i := range positions {
		p := &positions[i]
		open = open || !p.Done || !p.Idle
		p.Start, p.Done, p.Idle = p.End, true, true
	}
	if !open {
		return nil
	}
	body, err := codec.Append(nil, &journal.Batch{BatchHead: journal.BatchHead{
		Agent: agent, Collector: collector, Ingest: now, Tick: true, Positions: positions,
	}})
	if err != nil {
		return err
	}
	w, err := j.Writer(ctx, journal.Events, subject)
	if err != nil {
		return err
	}
	ref, err := w.Append(ctx, journal.Cause{}, body)
	if err != nil {
		return err
	}
	return j.SavePositions(ctx, subject, ref, positions)
}
