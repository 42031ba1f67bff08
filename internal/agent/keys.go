package agent

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/liveward/liveward/internal/enrich"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
)

// KeyReport is what the journal's events and the key rosters say of API keys.
type KeyReport struct {
	Keys []KeyUse `json:"keys"` // the last used first, those that never were at the end
	// Strangers counts calls with keys that were never accepted and are on no roster.
	Strangers int64 `json:"strangers"`
	// LeftOut counts calls with keys for which the index had no room.
	LeftOut int64 `json:"left_out,omitempty"`
}

// KeyUse is one API key. Times are event times.
type KeyUse struct {
	// IDs are its pseudonyms, the latest epoch first: those it was seen under, else those it would have.
	IDs     []string  `json:"ids"`
	Owner   string    `json:"owner,omitempty"`
	Created time.Time `json:"created,omitzero"`
	First   time.Time `json:"first_seen,omitzero"`
	Last    time.Time `json:"last_seen,omitzero"`
	Calls   int64     `json:"calls"`
	Refused int64     `json:"refused"`
	Revoked bool      `json:"revoked,omitempty"`
}

// ListKeys asks the running agent of a plan for its keys, or reads them where its data lies.
func ListKeys(ctx context.Context, plan *Plan) (report KeyReport, err error) {
	client, err := Connect(ctx, plan.Config.Agent.Data)
	if err == nil {
		defer client.Close()
		err = client.Get(ctx, "/v1/keys", &report)
		return report, err
	}
	if !errors.Is(err, ErrNotRunning) {
		return report, err
	}
	j, release, err := openStopped(ctx, plan)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, release()) }()
	table, err := pipeline.LoadKeyTable(ctx, j)
	if err != nil {
		return report, err
	}
	return plan.keyReport(&table), nil
}

func (a *Agent) controlKeys(http.ResponseWriter, *http.Request) (any, error) {
	table := a.keys.Table()
	return a.plan.keyReport(&table), nil
}

// keyReport joins what was seen with what the rosters say. A key that the log shows by its id has a row
// over all epochs of its pseudonym; one that is known by its hash alone has a row an epoch.
func (p *Plan) keyReport(t *pipeline.KeyTable) KeyReport {
	report := KeyReport{Keys: []KeyUse{}, Strangers: t.Strangers, LeftOut: t.LeftOut}
	seen := make(map[string]*pipeline.KeySeen, len(t.Keys))
	for i := range t.Keys {
		seen[t.Keys[i].ID] = &t.Keys[i]
	}
	done := make(map[*enrich.KeyRoster]bool)
	listed := make(map[string]bool)
	for i := range p.inputs {
		roster := p.inputs[i].enricher.Keys()
		if roster == nil || done[roster] {
			continue
		}
		done[roster] = true
		for _, k := range roster.Listed() {
			if listed[k.ID] {
				continue // of another input's roster
			}
			listed[k.ID] = true
			use := KeyUse{Owner: k.Owner, Created: keyTime(k.Created), Revoked: k.Revoked}
			names := p.Privacy.Pseudonyms(event.APIKeyID, k.ID)
			for _, name := range names {
				if s := seen[name]; s != nil {
					use.add(s)
					delete(seen, name)
				}
			}
			if use.IDs == nil {
				use.IDs = names[:1]
			}
			report.Keys = append(report.Keys, use)
		}
	}
	for _, s := range seen {
		use := KeyUse{Owner: s.Owner}
		use.add(s)
		report.Keys = append(report.Keys, use)
	}
	slices.SortFunc(report.Keys, func(a, b KeyUse) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.IDs[0], b.IDs[0]))
	})
	return report
}

func (u *KeyUse) add(s *pipeline.KeySeen) {
	u.IDs = append(u.IDs, s.ID)
	u.Calls += s.Calls
	u.Refused += s.Refused
	if first := keyTime(s.First); u.First.IsZero() || !first.IsZero() && first.Before(u.First) {
		u.First = first
	}
	if last := keyTime(s.Last); last.After(u.Last) {
		u.Last = last
	}
}

// keyTime is a time in nanoseconds as people read it; 0 is none.
func keyTime(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
