package agent

import (
	"context"
	"io/fs"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
)

// rulesPoll is how often the rule directory is looked at. Polling sees every way a directory can
// change, symlinks of a mounted volume among them.
const rulesPoll = 2 * time.Second

// reloads loads rules and lists again, and the files of enrichment, when asked to, or when they have
// changed.
func (a *Agent) reloads(ctx context.Context, ask <-chan struct{}) error {
	enrichment := newKnowledge(a.plan, a.now, a.log.With("component", "enrichment"))
	seen := fingerprint(a.plan.rulesFS)
	tick := time.NewTicker(rulesPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ask:
			seen = fingerprint(a.plan.rulesFS)
			a.reload(ctx)
			enrichment.reload()
		case <-tick.C:
			enrichment.poll()
			now := fingerprint(a.plan.rulesFS)
			if now == seen {
				continue
			}
			// Once more when the directory is quiet: an editor or a git pull writes many files.
			seen = now
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if again := fingerprint(a.plan.rulesFS); again != seen {
				continue
			}
			a.reload(ctx)
		}
	}
}

// reload takes the rules as they are now. A broken rule keeps its old version and is reported; the
// others change.
func (a *Agent) reload(ctx context.Context) {
	current, _ := a.rulesets.Current()
	set, err := rules.Reload(a.plan.rulesFS, a.plan.ruleOptions(), current)
	a.broken.Store(0)
	if err != nil {
		files := rules.Broken(err)
		a.broken.Store(int64(max(1, len(files))))
		a.log.Error("rules have errors: a broken file keeps its old version", "files", files, "error", err)
	}
	if set == nil {
		return
	}
	if set.Hash() == current.Hash() {
		return
	}
	if err := a.rulesets.Use(ctx, set); err != nil {
		if ctx.Err() == nil {
			a.log.Error("rules were not reloaded", "error", err)
		}
		return
	}
	a.log.Info("rules reloaded", "rules", len(set.Rules()), "ruleset", set.Hash().String())
	a.warn()
}

// warn says that something is probably not meant in the user's rules as they are now, in one line: there may
// be dozens, and liveward check lists them.
func (a *Agent) warn() {
	if n := len(a.plan.Warnings(a.now())); n > 0 {
		a.log.Warn("rules have warnings: liveward check lists them", "warnings", n, "blind", a.plan.blindOwn())
	}
}

// fingerprint tells whether any file of a tree has changed.
func fingerprint(fsys fs.FS) event.Hash {
	var parts []string
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		st, err := fs.Stat(fsys, path)
		if err != nil {
			return nil //nolint:nilerr // a file that vanished is a change like any other
		}
		parts = append(parts, path, st.ModTime().String(), st.Mode().String(), time.Duration(st.Size()).String())
		return nil
	})
	if err != nil {
		parts = append(parts, err.Error())
	}
	return event.HashStrings(parts...)
}
