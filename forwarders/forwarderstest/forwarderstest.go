// Package forwarderstest is the contract of forwarders.Forwarder as tests. Every forwarder runs them
// against the real thing it writes to.
//
// It knows nothing of any store.
package forwarderstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/internal/event"
)

// Target is a store, empty at first, and the forwarder that writes to it.
type Target struct {
	// New makes a forwarder to the store, as after a restart. It is closed by t.Cleanup.
	New func(t *testing.T) forwarders.Forwarder
	// Stored returns every document in the store, as often as it is there, without event.ingested.
	Stored func(t *testing.T) [][]byte
	// Poison is a document that the store will never take. Where it has a value that the store may
	// speak of, that is PoisonValue.
	Poison event.Document
}

// PoisonValue must never be seen in an error.
const PoisonValue = "kr0kodil-4711"

// Run runs the contract; each test gets a store of its own.
func Run(t *testing.T, target func(t *testing.T) Target) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, target Target)
	}{
		{"nothing is nothing", testEmpty},
		{"each document is stored as it is", testStores},
		{"again is harmless", testAgain},
		{"again after a restart is harmless", testRestart},
		{"twice in one call is stored once", testTwice},
		{"a poisonous document is rejected alone", testPoison},
		{"only poison", testOnlyPoison},
		{"memory belongs to the caller", testOwnership},
		{"a done context stores nothing new or says so", testContext},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, target(t)) })
	}
}

// Docs makes n different documents from first on, with all kinds of strings in them.
func Docs(first, n int) []event.Document {
	odd := []string{"plain", `quote " and \ back`, "Grüße 界 🙂", "{\"event\":{\"x\":1}}", "\"event\":{", "line\nbreak\ttab\x00\x7f", "\xff\xfe bad", "<script>&amp;</script>", strings.Repeat("long ", 300)}
	var e event.Event
	docs := make([]event.Document, n)
	for i := range docs {
		k := first + i
		e.Reset()
		id := event.HashStrings("forwarderstest", fmt.Sprint(k))
		e.SetTime(event.Timestamp, 1_767_225_600_000_000_000+int64(k)*1_000_000)
		e.SetString(event.ClientIP, "203.0.113.7")
		e.SetString(event.EventDataset, "liveward.event")
		e.SetString(event.EventID, id.String())
		e.SetString(event.EventKind, "event")
		e.SetString(event.UserAgentOriginal, odd[k%len(odd)])
		e.SetInt(event.HTTPResponseStatusCode, int64(200+k%300))
		e.SetLabel("n", fmt.Sprint(k))
		docs[i] = event.Document{ID: id, Dataset: "liveward.event", JSON: e.AppendJSON(nil)}
	}
	return docs
}

func testEmpty(t *testing.T, target Target) {
	f := target.New(t)
	if err := f.Forward(t.Context(), nil); err != nil {
		t.Errorf("Forward of nothing: %v", err)
	}
	check(t, target, nil)
}

func testStores(t *testing.T, target Target) {
	f := target.New(t)
	docs := Docs(0, 50)
	before := clone(docs)
	must(t, f.Forward(t.Context(), docs))
	if diff := cmp.Diff(before, docs); diff != "" {
		t.Errorf("Forward changed its documents:\n%s", diff)
	}
	must(t, f.Forward(t.Context(), Docs(50, 1)))
	check(t, target, Docs(0, 51))
}

func testAgain(t *testing.T, target Target) {
	f := target.New(t)
	must(t, f.Forward(t.Context(), Docs(0, 20)))
	must(t, f.Forward(t.Context(), Docs(10, 20)))
	must(t, f.Forward(t.Context(), Docs(0, 30)))
	check(t, target, Docs(0, 30))
}

func testRestart(t *testing.T, target Target) {
	must(t, target.New(t).Forward(t.Context(), Docs(0, 20)))
	must(t, target.New(t).Forward(t.Context(), Docs(10, 20)))
	check(t, target, Docs(0, 30))
}

func testTwice(t *testing.T, target Target) {
	docs := append(Docs(0, 5), Docs(0, 5)...)
	must(t, target.New(t).Forward(t.Context(), docs))
	check(t, target, Docs(0, 5))
}

func testPoison(t *testing.T, target Target) {
	docs := Docs(0, 10)
	docs[3], docs[7] = target.Poison, target.Poison
	docs[7].ID = event.HashStrings("another")
	rejected(t, target.New(t).Forward(t.Context(), docs), 3, 7)
	want := Docs(0, 10)
	check(t, target, append(append(want[:3:3], want[4:7]...), want[8:]...))
}

func testOnlyPoison(t *testing.T, target Target) {
	rejected(t, target.New(t).Forward(t.Context(), []event.Document{target.Poison}), 0)
	check(t, target, nil)
}

func testOwnership(t *testing.T, target Target) {
	f := target.New(t)
	docs := Docs(0, 20)
	must(t, f.Forward(t.Context(), docs))
	for _, d := range docs {
		for i := range d.JSON {
			d.JSON[i] = 'x'
		}
	}
	must(t, f.Forward(t.Context(), Docs(20, 20)))
	must(t, f.Forward(t.Context(), Docs(0, 40)))
	check(t, target, Docs(0, 40))
}

func testContext(t *testing.T, target Target) {
	f := target.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := f.Forward(ctx, Docs(0, 5))
	var partial *forwarders.PartialError
	switch {
	case err == nil:
		check(t, target, Docs(0, 5)) // allowed only if it is true
	case errors.As(err, &partial) && len(partial.Retry) < 5:
		t.Errorf("Forward with a done context settled documents: %v", err)
	}
	must(t, f.Forward(t.Context(), Docs(0, 5)))
	check(t, target, Docs(0, 5))
}

func rejected(t *testing.T, err error, want ...int) {
	t.Helper()
	var partial *forwarders.PartialError
	if !errors.As(err, &partial) {
		t.Fatalf("Forward returned %v, want a PartialError", err)
	}
	if len(partial.Retry) > 0 {
		t.Errorf("documents to retry: %v", partial.Retry)
	}
	var got []int
	for _, r := range partial.Reject {
		got = append(got, r.Index)
		if r.Reason == "" {
			t.Errorf("document %d: rejected without a reason", r.Index)
		}
		if strings.Contains(r.Reason, PoisonValue) {
			t.Errorf("reason holds a value of the document: %s", r.Reason)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rejected documents (-want +got):\n%s", diff)
	}
	if strings.Contains(err.Error(), PoisonValue) {
		t.Errorf("error holds a value of the document: %v", err)
	}
}

// check compares the store with what should be in it; the order is the store's own.
func check(t *testing.T, target Target, want []event.Document) {
	t.Helper()
	got := map[string]any{}
	for _, b := range target.Stored(t) {
		id, doc := decode(t, b)
		if _, twice := got[id]; twice {
			t.Errorf("document %s is stored twice", id)
		}
		got[id] = doc
	}
	wanted := map[string]any{}
	for _, d := range want {
		id, doc := decode(t, d.JSON)
		wanted[id] = doc
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("stored documents (-want +got):\n%s", diff)
	}
}

func decode(t *testing.T, b []byte) (string, any) {
	t.Helper()
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		t.Fatalf("stored document is not JSON: %v", err)
	}
	id, _ := doc["event"].(map[string]any)["id"].(string)
	return id, doc
}

func clone(docs []event.Document) []event.Document {
	out := make([]event.Document, len(docs))
	for i, d := range docs {
		d.JSON = bytes.Clone(d.JSON)
		out[i] = d
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
