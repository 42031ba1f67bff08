package pipeline_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
)

// keyCall is a call with a key, as its document says.
type keyCall struct {
	key, owner, auth string
	at               time.Duration // behind base
	skewed           bool
}

func (c keyCall) event() *event.Event {
	ev := new(event.Event)
	ev.SetTime(event.Timestamp, base.Add(c.at).UnixNano())
	ev.SetString(event.AgentID, "a")
	ev.SetString(event.APIKeyID, c.key)
	ev.SetString(event.APIKeyOwner, c.owner)
	ev.SetString(event.GatewayAuth, c.auth)
	if c.skewed {
		ev.SetBool(event.LivewardSkewed, true)
	}
	return ev
}

// keyBench is a journal and an index that reads it.
type keyBench struct {
	*bench
	x      *pipeline.KeyIndex
	cancel context.CancelFunc
	ended  chan error
}

func newKeyBench(t *testing.T) *keyBench {
	b := &keyBench{bench: &bench{t: t, dir: t.TempDir()}}
	b.clock.Store(base.UnixNano())
	t.Cleanup(b.close)
	return b
}

func (b *keyBench) start(ctx context.Context) {
	b.t.Helper()
	var err error
	if b.j == nil {
		if b.j, err = journal.Open(b.t.Context(), journal.Config{Dir: b.dir, NoSync: true}, nowhere); err != nil {
			b.t.Fatal(err)
		}
	}
	ctx, b.cancel = context.WithCancel(ctx)
	b.x, b.ended = pipeline.NewKeyIndex(b.j, b.now, nowhere), make(chan error, 1)
	x, ended := b.x, b.ended
	go func() { ended <- x.Run(ctx) }()
}

func (b *keyBench) halt() {
	b.cancel()
	if err := <-b.ended; err != nil {
		b.t.Errorf("index: %v", err)
	}
}

func (b *keyBench) put(calls ...keyCall) {
	b.t.Helper()
	codec, err := journal.NewCodec()
	if err != nil {
		b.t.Fatal(err)
	}
	defer codec.Close()
	batch := journal.Batch{BatchHead: journal.BatchHead{Agent: "a", Collector: "gw"}}
	events := make([]*event.Event, len(calls))
	for i, c := range calls {
		events[i] = c.event()
	}
	pipeline.TallyKeys(&batch.BatchHead, events...)
	body, err := codec.Append(nil, &batch)
	if err != nil {
		b.t.Fatal(err)
	}
	w, err := b.j.Writer(b.t.Context(), journal.Events, journal.BatchSubject("a", "gw"))
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := w.Append(b.t.Context(), journal.Cause{}, body); err != nil {
		b.t.Fatal(err)
	}
}

// read waits until the index has read all.
func (b *keyBench) read() pipeline.KeyTable {
	b.t.Helper()
	_, last, err := b.j.Bounds(b.t.Context(), journal.Events)
	if err != nil {
		b.t.Fatal(err)
	}
	await(b.t, "the index of keys", func() bool { return b.x.Table().Cursor.Seq >= last })
	return b.x.Table()
}

// Cut up at random by stops and crashes, with snapshots in between or not, the index is what the calls
// say.
func TestKeyIndexAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newKeyBench(t)
		b.start(t.Context())
		defer func() { b.halt(); b.close() }()
		model := map[string]pipeline.KeySeen{}
		var strangers int64
		call := rapid.Custom(func(rt *rapid.T) keyCall {
			c := keyCall{
				key: rapid.SampledFrom([]string{"k1", "k2", "k3", "k4"}).Draw(rt, "key"), auth: rapid.SampledFrom([]string{"accepted", "refused", "absent"}).Draw(rt, "auth"),
				at: time.Duration(rapid.IntRange(0, 1e6).Draw(rt, "at")) * time.Millisecond, skewed: rapid.IntRange(0, 9).Draw(rt, "skewed") == 0,
			}
			if c.key == "k4" {
				c.owner = rapid.SampledFrom([]string{`the "owner"`, "team\\b", ""}).Draw(rt, "owner")
			}
			return c
		})
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0:
				b.halt()
				b.start(t.Context())
			case 1:
				b.cancel() // as if killed: what the image has not, the index has not stored
				crashed := b.ended
				b.crash()
				<-crashed
				b.start(t.Context())
			case 2:
				b.clock.Add(int64(time.Minute)) // the next message brings a snapshot
			default:
				calls := rapid.SliceOfN(call, 1, 8).Draw(rt, "calls")
				welcome := map[string]bool{} // in this message
				for _, c := range calls {
					welcome[c.key] = welcome[c.key] || c.auth == "accepted" || c.owner != ""
				}
				for _, c := range calls {
					k, known := model[c.key]
					if !known && !welcome[c.key] {
						strangers++
						continue
					}
					k.ID = c.key
					if c.owner != "" {
						k.Owner = c.owner
					}
					k.Calls++
					if c.auth == "refused" {
						k.Refused++
					}
					if at := base.Add(c.at).UnixNano(); !c.skewed {
						k.Last = max(k.Last, at)
						if k.First == 0 || at < k.First {
							k.First = at
						}
					}
					model[c.key] = k
				}
				b.put(calls...)
			}
		}
		got := b.read()
		want := slices.SortedFunc(maps.Values(model), func(a, b pipeline.KeySeen) int { return strings.Compare(a.ID, b.ID) })
		if want == nil {
			want = []pipeline.KeySeen{}
		}
		if d := cmp.Diff(want, got.Keys); d != "" || got.Strangers != strangers {
			rt.Fatalf("strangers %d, want %d (-want +got):\n%s", got.Strangers, strangers, d)
		}
	})
}

// Whoever tries keys by the million fills no table, and keys long gone leave it.
func TestKeyIndexBounds(t *testing.T) {
	b := newKeyBench(t)
	b.start(t.Context())
	for i := range 30 {
		calls := make([]keyCall, 1000) // more than a message names
		for k := range calls {
			calls[k] = keyCall{key: fmt.Sprint("s", i, "-", k), auth: "refused"}
		}
		b.put(calls...)
	}
	b.put(keyCall{key: "old", auth: "accepted"}, keyCall{key: "k", auth: "accepted", at: 401 * 24 * time.Hour})
	got := b.read()
	if len(got.Keys) != 2 || got.Strangers != 30_000 || got.LeftOut != 0 {
		t.Errorf("%d keys, %d strangers", len(got.Keys), got.Strangers)
	}
	b.halt() // a snapshot
	b.start(t.Context())
	await(t, "the restored index", func() bool { return len(b.x.Table().Keys) == 1 })
	for i := range 21 {
		calls := make([]keyCall, 1000)
		for k := range calls {
			calls[k] = keyCall{key: fmt.Sprint("a", i, "-", k), auth: "accepted", at: 401 * 24 * time.Hour}
		}
		b.put(calls...)
	}
	got = b.read()
	if len(got.Keys) != 20_000 || got.LeftOut != 1001 {
		t.Errorf("%d keys, %d calls left out", len(got.Keys), got.LeftOut)
	}
	b.halt()
}

// A journal that lost its tail, or is another one, keeps when keys were first seen, and counts anew.
func TestKeyIndexOfLostJournal(t *testing.T) {
	b := newKeyBench(t)
	b.start(t.Context())
	b.put(keyCall{key: "k", owner: "o", auth: "accepted"})
	b.put(keyCall{key: "k", owner: "o", auth: "accepted", at: time.Hour})
	b.read()
	b.halt()
	blob, err := b.j.Blob(t.Context(), "keys.0")
	if err != nil || blob == nil {
		t.Fatalf("%s %v", blob, err)
	}
	b.close()
	b.dir = t.TempDir()
	if b.j, err = journal.Open(t.Context(), journal.Config{Dir: b.dir, NoSync: true}, nowhere); err != nil {
		t.Fatal(err)
	}
	if err := b.j.PutBlob(t.Context(), "keys.0", blob); err != nil {
		t.Fatal(err)
	}
	b.put(keyCall{key: "k", owner: "o", auth: "refused", at: 2 * time.Hour})
	b.start(t.Context())
	want := []pipeline.KeySeen{{ID: "k", Owner: "o", First: base.UnixNano(), Last: base.Add(2 * time.Hour).UnixNano(), Calls: 1, Refused: 1}}
	if d := cmp.Diff(want, b.read().Keys); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	b.halt()
}
