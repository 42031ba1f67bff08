package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
)

// DeadLetters reads the dead letters of an agent that is stopped.
func DeadLetters(ctx context.Context, plan *Plan, f func(pipeline.DeadLetter) error) (err error) {
	dir := plan.Config.Agent.Data
	if _, err := os.Stat(filepath.Join(dir, "journal")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data directory %s holds no journal: no agent has run with this configuration", dir)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	j, err := journal.Open(ctx, journal.Config{Dir: filepath.Join(dir, "journal"), MaxBytes: int64(plan.Config.Journal.MaxSize)}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	_, last, err := j.Bounds(ctx, journal.DeadLetters)
	if err != nil {
		return err
	}
	return j.ReadRange(ctx, journal.DeadLetters, 0, last, journal.All, func(e *journal.Entry) error {
		var d pipeline.DeadLetter
		if err := json.Unmarshal(e.Body, &d); err != nil {
			return fmt.Errorf("dead letter %d: %w", e.Seq, err)
		}
		return f(d)
	})
}
