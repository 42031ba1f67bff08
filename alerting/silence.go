package alerting

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/event"
)

// MaxSilence is the longest a silence lasts. What is to be quiet for longer belongs into the rule, as
// an exception with an owner and an end that a review sees.
const MaxSilence = 7 * 24 * time.Hour

// MaxSilences bounds the silences kept, those that have ended lately among them.
const MaxSilences = 1000

// silencePrefix begins the keys of silences in the store.
const silencePrefix = "silence."

// silenceVersion is the version of the stored form.
const silenceVersion = 1

// Silence holds back what is told of the incidents of a rule, or of one key of it, for a while. Alerts
// are stored and incidents opened as ever. It holds back that an incident was opened or updated; of an
// incident that people know already, a higher severity and the end are told. When it is over, what is
// open and was not told is told of as it stands; what was opened and resolved in it never is.
type Silence struct {
	ID      event.Hash `json:"id"`
	Rule    string     `json:"rule"`          // id of the rule
	Key     string     `json:"key,omitempty"` // as in Incident.Key; "" is every key, and the shared incident of many
	Created int64      `json:"created"`       // by the clock of the agent, as Until
	Until   int64      `json:"until"`         // the end, also where it was ended early
	By      string     `json:"by"`            // who is answerable for it
	Reason  string     `json:"reason"`
}

// Active tells whether a silence holds anything back at a time in nanoseconds.
func (s *Silence) Active(now int64) bool { return now < s.Until }

// Matches tells whether a silence is about an incident. One of a key is never about an incident that
// many keys share: it would hide the others.
func (s *Silence) Matches(inc *Incident) bool {
	return s.Rule == inc.Rule && (s.Key == "" || s.Key == inc.Key && !inc.Overflow)
}

// check tells what is wrong with a silence that is to begin.
func (s *Silence) check() error {
	switch length := time.Duration(s.Until - s.Created); {
	case s.Rule == "":
		return errors.New("a silence names a rule")
	case strings.TrimSpace(s.Reason) == "" || strings.TrimSpace(s.By) == "":
		return errors.New("a silence says why, and who is answerable for it")
	case len(s.Reason) > maxText || len(s.By) > maxText || len(s.Key) > maxText:
		return fmt.Errorf("a text of a silence has at most %d bytes", maxText)
	case !printable(s.Reason) || !printable(s.By):
		return errors.New("the texts of a silence are one line each, without control characters")
	case length <= 0:
		return errors.New("a silence ends after it began")
	case length > MaxSilence:
		return fmt.Errorf("a silence lasts at most %s: for longer, write an exception into the rule, with an owner and an end", MaxSilence)
	}
	return nil
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError })
}

// storedSilence is the stored form of a silence.
type storedSilence struct {
	Version int     `json:"v"`
	Silence Silence `json:"silence"`

	revision uint64
}

func (s *storedSilence) key() string { return silencePrefix + s.Silence.ID.String() }

// Silence begins a silence at now, which lasts until s.Until, and returns it, with its id, once it is
// stored. After an error it may have begun: Silences tells.
func (m *Manager) Silence(ctx context.Context, now time.Time, s Silence) (Silence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(ctx); err != nil {
		return Silence{}, err
	}
	s.Created = now.UnixNano()
	if err := s.check(); err != nil {
		return Silence{}, err
	}
	if len(m.silences) >= MaxSilences {
		return Silence{}, fmt.Errorf("there are %d silences: one of a whole rule takes the place of many", MaxSilences)
	}
	s.ID = event.HashStrings("silence", s.Rule, s.Key, s.By, fmt.Sprint(s.Created))
	kept := &storedSilence{Version: silenceVersion, Silence: s}
	if m.silences[kept.key()] != nil {
		return Silence{}, errors.New("this silence exists already")
	}
	if err := m.saveSilence(ctx, kept); err != nil {
		return Silence{}, err
	}
	m.silences[kept.key()] = kept
	return s, nil
}

// EndSilence ends a silence at now, and returns it once that is stored; false where there is none of
// that id. One that is over already is left as it is.
func (m *Manager) EndSilence(ctx context.Context, now time.Time, id event.Hash) (Silence, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(ctx); err != nil {
		return Silence{}, false, err
	}
	kept := m.silences[silencePrefix+id.String()]
	switch {
	case kept == nil:
		return Silence{}, false, nil
	case !kept.Silence.Active(now.UnixNano()):
		return kept.Silence, true, nil
	}
	ended := *kept
	ended.Silence.Until = now.UnixNano()
	if err := m.saveSilence(ctx, &ended); err != nil {
		return Silence{}, false, err
	}
	m.silences[ended.key()] = &ended
	m.wakeAll()
	return ended.Silence, true, nil
}

// Silences returns the silences that hold back something, or did within Config.Retain; the one that
// ends last comes first.
func (m *Manager) Silences(ctx context.Context) ([]Silence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(ctx); err != nil {
		return nil, err
	}
	return m.sortedSilences(), nil
}

func (m *Manager) sortedSilences() []Silence {
	out := make([]Silence, 0, len(m.silences))
	for _, s := range m.silences {
		out = append(out, s.Silence)
	}
	slices.SortFunc(out, func(a, b Silence) int {
		return cmp.Or(cmp.Compare(b.Until, a.Until), slices.Compare(a.ID[:], b.ID[:]))
	})
	return out
}

// silencedUntil is when the last of the silences of an incident ends, or has ended; 0 without any.
func (m *Manager) silencedUntil(inc *Incident) int64 {
	until := int64(0)
	for _, s := range m.silences {
		if s.Silence.Until > until && s.Silence.Matches(inc) {
			until = s.Silence.Until
		}
	}
	return until
}

// due is when a delivery may be made that has something to tell.
func (m *Manager) due(rec *record, d *delivery, reason Reason) int64 {
	return max(rec.due(d, reason, m.cfg.UpdateInterval), m.silenced(rec, reason))
}

// silenced is until when silences hold back, or held back, what there is to tell.
func (m *Manager) silenced(rec *record, reason Reason) int64 {
	if reason != Opened && reason != Updated {
		return 0
	}
	return m.silencedUntil(&rec.Incident)
}

// resolve ends an incident. Nobody is told of the end of what a silence has kept from them.
func (m *Manager) resolve(rec *record, now int64) {
	rec.resolve(now)
	if m.silencedUntil(&rec.Incident) <= now {
		return
	}
	for _, d := range rec.Deliveries {
		if d.Told == 0 {
			d.Told = rec.Incident.Changes
		}
	}
}

// expireSilences forgets the silences that ended long ago.
func (m *Manager) expireSilences(ctx context.Context, now int64) error {
	for key, s := range m.silences {
		if now-s.Silence.Until < int64(m.cfg.Retain) {
			continue
		}
		if err := m.store.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete silence %s: %w", s.Silence.ID, err)
		}
		delete(m.silences, key)
	}
	return nil
}

// saveSilence stores a silence. After an error all are loaded again before they are used.
func (m *Manager) saveSilence(ctx context.Context, s *storedSilence) error {
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode silence: %w", err)
	}
	if s.revision, err = m.store.Save(ctx, s.key(), value, s.revision); err != nil {
		m.silences = nil
		return fmt.Errorf("save silence: %w", err)
	}
	return nil
}

// loadSilences makes memory what the store has.
func (m *Manager) loadSilences(ctx context.Context) error {
	if m.silences != nil {
		return nil
	}
	keys, err := m.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("list silences: %w", err)
	}
	silences := make(map[string]*storedSilence)
	for _, key := range keys {
		if !strings.HasPrefix(key, silencePrefix) {
			continue
		}
		value, revision, err := m.store.Load(ctx, key)
		if err != nil {
			return fmt.Errorf("load silence: %w", err)
		}
		if revision == 0 {
			continue
		}
		s := &storedSilence{revision: revision}
		if err := json.Unmarshal(value, s); err != nil || s.Version != silenceVersion || s.key() != key {
			m.deps.Log.Error("stored silence cannot be read and silences nothing", "key", key)
			continue
		}
		silences[key] = s
	}
	m.silences = silences
	return nil
}
