package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/rules"
	"github.com/liveward/liveward/rules/backtest"
)

// historyEntry is a message of the journal on its way over the control socket, one a line. The last
// line has no message: it says that the list is whole, or why it is not.
type historyEntry struct {
	Seq     uint64    `json:"seq,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Time    time.Time `json:"time,omitzero"`
	Body    []byte    `json:"body,omitempty"`
	Error   string    `json:"error,omitempty"`
	End     bool      `json:"end,omitempty"`
}

// history reads the journal's events that were stored since a time and before the call.
func history(ctx context.Context, j *journal.Journal, since time.Time, f func(*journal.Entry) error) error {
	from, err := j.SeqAt(ctx, journal.Events, since)
	if err != nil {
		return err
	}
	_, last, err := j.Bounds(ctx, journal.Events)
	if err != nil {
		return err
	}
	return j.ReadRange(ctx, journal.Events, from, last, journal.All, func(e *journal.Entry) error {
		if e.Time.Before(since) {
			return nil // bisection ends at the message before
		}
		return f(e)
	})
}

// controlHistory streams it. Documents in the journal are what the stores get: nothing in them is raw.
func (a *Agent) controlHistory(w http.ResponseWriter, r *http.Request) (any, error) {
	since, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since"))
	if err != nil {
		return nil, badRequest{fmt.Errorf("since: %w", err)}
	}
	enc := json.NewEncoder(w)
	err = history(r.Context(), a.journal, since, func(e *journal.Entry) error {
		return enc.Encode(historyEntry{Seq: e.Seq, Subject: e.Subject, Time: e.Time, Body: e.Body})
	})
	last := historyEntry{End: true}
	if err != nil {
		last = historyEntry{Error: err.Error()}
	}
	_ = enc.Encode(last) // who asked has gone
	return nil, nil      //nolint:nilnil // the answer is written
}

// history asks a running agent for what its journal holds.
func (c *Client) history(ctx context.Context, since time.Time, f func(*journal.Entry) error) error {
	answer, err := c.stream(ctx, http.MethodGet, "/v1/journal?since="+url.QueryEscape(since.Format(time.RFC3339Nano)), nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	for dec := json.NewDecoder(answer); ; {
		var h historyEntry
		switch err := dec.Decode(&h); {
		case errors.Is(err, io.EOF):
			return errors.New("the agent stopped before it had answered: run this again")
		case err != nil:
			return fmt.Errorf("answer of the agent: %w", err)
		case h.Error != "":
			return fmt.Errorf("the agent says: %s", h.Error)
		case h.End:
			return nil
		}
		e := journal.Entry{Subject: h.Subject, Time: h.Time, Body: h.Body}
		e.Seq = h.Seq
		if err := f(&e); err != nil {
			return err
		}
	}
}

// readHistory reads the journal of the plan's agent: through the agent where it runs, else in its data
// directory.
func (p *Plan) readHistory(ctx context.Context, since time.Time, f func(*journal.Entry) error) error {
	client, err := Connect(ctx, p.Config.Agent.Data)
	if err == nil {
		defer client.Close()
		return client.history(ctx, since, f)
	}
	if !errors.Is(err, ErrNotRunning) {
		return err
	}
	j, release, err := openStopped(ctx, p)
	if err != nil {
		return err
	}
	return errors.Join(history(ctx, j, since, f), release())
}

// BacktestJournal runs rule sets over what the journal of the plan's agent holds of the time since, in
// one pass, and gathers of each what would have fired of the rule of an id, or of all where it is
// empty. Nothing is sent anywhere.
func (p *Plan) BacktestJournal(ctx context.Context, since time.Duration, id string, sets ...*rules.Set) ([]*backtest.Report, error) {
	tests := make([]*backtest.Report, len(sets))
	runs := make([]*pipeline.Rerun, len(sets))
	for i, set := range sets {
		b := backtest.New(set, id)
		r, err := pipeline.NewRerun(set, p.windowConfig(), p.joins())
		if err != nil {
			return nil, err
		}
		defer r.Close()
		r.Alert = b.Alert
		r.Event = func(ev *event.Event) {
			if ev.Has(event.LivewardJoinKind) {
				b.Join(ev.Time(event.Timestamp))
			} else {
				b.Event(ev.Time(event.Timestamp))
			}
		}
		tests[i], runs[i] = b, r
	}
	err := p.readHistory(ctx, time.Now().Add(-since), func(e *journal.Entry) error {
		for _, r := range runs {
			if err := r.Take(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if err := r.End(); err != nil {
			return nil, err
		}
	}
	return tests, nil
}

// windowConfig is how windows count the plan's inputs.
func (p *Plan) windowConfig() rules.WindowConfig {
	lateness := make(map[string]time.Duration)
	for i := range p.inputs {
		lateness[p.inputs[i].Name] = max(p.inputs[i].lateness(), 0)
	}
	cfg := p.windowLimits()
	cfg.LatenessOf = func(source string) time.Duration {
		if d, ok := lateness[source]; ok {
			return d
		}
		return pipeline.DefaultLateness
	}
	return cfg
}

// windowLimits bound the windows, of the agent and of a replay alike.
func (p *Plan) windowLimits() rules.WindowConfig {
	r := &p.Config.Rules
	memory := r.MaxMemory
	if memory == 0 {
		memory = p.Config.Agent.Memory / 4
	}
	return rules.WindowConfig{MaxKeys: r.MaxKeys, MaxBytes: int64(memory)}
}
