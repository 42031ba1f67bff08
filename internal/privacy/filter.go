package privacy

import (
	"errors"
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// Config configures a Filter.
type Config struct {
	// Keys are the live pseudonym keys, oldest first: the last one is current, the others are those
	// of epochs that still overlap with it.
	Keys []Key
	// TruncateIP cuts every address to its network: /24 for IPv4, /48 for IPv6.
	TruncateIP bool
}

// Filter is the privacy filter. It is immutable and safe for concurrent use; each goroutine takes a
// Worker of its own.
type Filter struct {
	epochs     []epoch
	truncate   bool
	treat      [event.NumFields]treatment
	treated    event.Set // fields that may not stay as they are
	pseudonyms []event.ID
}

// New checks the keys and returns a filter.
func New(cfg Config) (*Filter, error) {
	if len(cfg.Keys) == 0 {
		return nil, errors.New("no pseudonym key is configured")
	}
	f := &Filter{truncate: cfg.TruncateIP, treat: treatments()}
	for _, k := range cfg.Keys {
		if err := k.check(); err != nil {
			return nil, err
		}
		e, err := newEpoch(k)
		if err != nil {
			return nil, err
		}
		f.epochs = append(f.epochs, e)
	}
	if err := checkEpochs(cfg.Keys); err != nil {
		return nil, err
	}
	for _, id := range event.Fields() {
		if f.treat[id] != keep && f.treat[id] != derived {
			f.treated.Add(id)
		}
		if event.FieldOf(id).Class == event.Pseudonym {
			f.pseudonyms = append(f.pseudonyms, id)
		}
	}
	return f, nil
}

// Bounds of values, in bytes.
const (
	maxText       = 512
	maxIdentifier = 128
	maxLabelKey   = 64
	maxLabelValue = 256
	maxChosen     = 512 // values that configuration chooses
	maxList       = 32  // values of a list
)

// Worker applies a filter. It is the scratch of one goroutine: some 300 KiB, 3 MiB of pseudonyms when
// its caches are full, and up to 2 MiB more once it has seen long malformed lines full of escapes.
type Worker struct {
	f       *Filter
	pseudo  pseudonymizer
	former  []pseudonymizer // under former keys, the latest first
	sc      scanner
	needles needles
	clean   [event.NumFields]*[memos]memo
	words   [16]memo // segments of paths that are words
	traits  traits   // of the value that was looked at last
	buf     []byte
	list    []string
	hits    []span   // copies of raw values in a path
	raw     []string // of the fields that become pseudonyms
	ips     []string // addresses of this event that are in their one form

	ev    *event.Event
	kinds uint32 // bit per kind found in this event
	count int64

	ids []event.ID // the fields of an event that are treated

	keep func([]byte) string // a method value made once, so that Apply allocates nothing
}

// memo is a value of a field in which nothing was found, with its traits. It holds nothing that is
// not stored.
type memo struct {
	text []byte
	traits
}

func (m *memo) holds(s string) bool { return string(m.text) == s && s != "" }

func (m *memo) keep(s string, t *traits) {
	if len(s) <= maxText {
		m.text, m.traits = append(m.text[:0], s...), *t
	}
}

// memos is how many clean values of a field are remembered, each in a place of its own.
const memos = 64

// Worker returns a new worker for one goroutine.
func (f *Filter) Worker() *Worker {
	w := &Worker{f: f, raw: make([]string, len(f.pseudonyms))}
	current := len(f.epochs) - 1
	w.pseudo.init(&f.epochs[current])
	w.former = make([]pseudonymizer, current)
	for i := range w.former {
		w.former[i].init(&f.epochs[current-1-i])
	}
	w.keep = func(b []byte) string { return w.ev.Keep(b) }
	return w
}

// Apply makes ev fit to be stored, in place; the package comment says what that means. Its strings
// live as long as the event's.
func (w *Worker) Apply(ev *event.Event) {
	w.begin(ev)
	w.gather(ev)
	ev.Clear(event.RelatedUser)
	w.fields()
	if w.f.truncate && ev.Has(event.RelatedIP) {
		w.truncated(event.RelatedIP)
	}
	w.labels()
	w.needles.reset()
	clear(w.raw)
	clear(w.ips)
	w.finish()
}

func (w *Worker) begin(ev *event.Event) {
	w.ev, w.kinds, w.count, w.ips = ev, 0, 0, w.ips[:0]
}

func (w *Worker) finish() {
	if w.count > 0 {
		for k := kindNone + 1; k < numKinds; k++ {
			if w.kinds&(1<<k) != 0 {
				w.ev.Append(event.LivewardPrivacyDropped, kindNames[k])
			}
		}
		w.ev.SetInt(event.LivewardPrivacyCount, w.ev.Int(event.LivewardPrivacyCount)+w.count)
	}
	w.ev = nil
}

func (w *Worker) found(k kind) {
	w.kinds |= 1 << k
	w.count++
}

func (w *Worker) fields() {
	w.ids = w.ev.AppendPresent(w.ids[:0], &w.f.treated)
	for _, id := range w.ids {
		w.field(id)
	}
}

// field treats one field. Strings that end as they came stay the slots they are.
func (w *Worker) field(id event.ID) {
	ev := w.ev
	switch w.f.treat[id] {
	case keep:
	case date:
		w.date(id)
	case measure:
		w.measure(id)
	case closed:
		if !slices.Contains(event.FieldOf(id).Enum, ev.Str(id)) {
			ev.Clear(id)
		}
	case chosen:
		s := ev.Str(id)
		if id == event.EventID && hashLike(s) {
			return
		}
		if m, clean := w.remembered(id, s, nobody); !clean {
			w.set(id, m, s, w.chosen(id, s))
		}
	case code:
		s := ev.Str(id)
		if !shortWord(s) {
			ev.Clear(id)
			return
		}
		if t := survey(s); w.copied(s, &t, strong) {
			ev.Clear(id)
		}
	case text:
		s := ev.Str(id)
		if m, clean := w.remembered(id, s, everyone); !clean {
			w.set(id, m, s, w.text(s, maxText, everyone))
		}
	case identifier, joined, single, tenant:
		s := ev.Str(id)
		if out := w.identifier(id, s); out != s {
			ev.SetString(id, out)
		}
	case urlPath:
		s := ev.Str(id)
		// A path that is remembered as clean may hold what is the session's id now.
		if m, clean := w.remembered(id, s, everyone); !clean || w.inSession(s) {
			w.set(id, m, s, w.path(s))
		}
	case address:
		w.address(id)
	case pseudonym:
		raw := ev.Str(id)
		p := w.keep(w.pseudo.of(domainOf(id), raw))
		for i := range w.former {
			ev.Former = append(ev.Former, event.Value{Field: id, Str: w.keep(w.former[i].of(domainOf(id), raw))})
		}
		if domainOf(id) == domainUser {
			ev.Append(event.RelatedUser, p)
		}
		ev.SetString(id, p)
	case transient:
		w.inspect(id)
		ev.Clear(id)
	case closedList, chosenList, identifierList, addressList, kindList:
		w.values(id)
	case derived:
	}
}

// remembered tells whether nothing was found in this value of the field before, and now no copy of a raw value of this
// event stands in it. m is where a clean value is kept: most fields have few values, and take turns with them.
func (w *Worker) remembered(id event.ID, s string, who searched) (m *memo, clean bool) {
	if w.clean[id] == nil {
		w.clean[id] = new([memos]memo)
	}
	m = &w.clean[id][placeOf(s)%memos]
	return m, m.holds(s) && !w.needles.overflow && !w.copied(s, &m.traits, who)
}

// placeOf is where a value is remembered: its length, middle and end tell the values of a field apart.
func placeOf(s string) uint {
	n := len(s)
	if n == 0 {
		return 0
	}
	return uint(n)*7 + uint(s[n-1])*3 + uint(s[n/2])*5 + uint(s[n*3/4])
}

// set stores what a value became, and remembers it in m where it was clean.
func (w *Worker) set(id event.ID, m *memo, was, is string) {
	if was == is {
		m.keep(is, &w.traits)
		return
	}
	w.ev.SetString(id, is)
}

func slot(b []byte) string { return event.Slot(b) }
