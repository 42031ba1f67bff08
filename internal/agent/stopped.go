package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/liveward/liveward/internal/journal"
)

// openStopped opens the journal of an agent that does not run, as its only user until release is called.
func openStopped(ctx context.Context, plan *Plan) (j *journal.Journal, release func() error, err error) {
	dir := plan.Config.Agent.Data
	if _, err := os.Stat(filepath.Join(dir, "journal")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("data directory %s holds no journal: no agent has run with this configuration", dir)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, nil, err
	}
	j, err = journal.Open(ctx, journal.Config{Dir: filepath.Join(dir, "journal"), MaxBytes: int64(plan.Config.Journal.MaxSize)}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	return j, func() error { return errors.Join(j.Close(), lock.Close()) }, nil
}
