package ndjson

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/forwarders/forwarderstest"
	"github.com/liveward/liveward/internal/event"
)

func open(t *testing.T, cfg Config) *Forwarder {
	t.Helper()
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		t.Errorf("%s ends in half a line", path)
	}
	return slices.Collect(strings.Lines(string(b)))
}

func want(docs []event.Document) []string {
	var out []string
	for _, d := range docs {
		out = append(out, string(d.JSON)+"\n")
	}
	return out
}

func forward(t *testing.T, f *Forwarder, docs []event.Document) {
	t.Helper()
	if err := f.Forward(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	forwarderstest.Run(t, func(t *testing.T) forwarderstest.Target {
		path := filepath.Join(t.TempDir(), "events.ndjson")
		return forwarderstest.Target{
			New: func(t *testing.T) forwarders.Forwarder { return open(t, Config{Path: path}) },
			Stored: func(t *testing.T) (out [][]byte) {
				for _, l := range lines(t, path) {
					out = append(out, []byte(l))
				}
				return out
			},
			Poison: event.Document{ID: event.HashStrings("poison"), Dataset: "liveward.event", JSON: []byte("{\"a\":\n\"" + forwarderstest.PoisonValue + "\"}")},
		}
	})
}

func TestMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	open(t, Config{Path: path})
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", st.Mode().Perm())
	}
}

func TestTornLineIsCutOff(t *testing.T) {
	docs := forwarderstest.Docs(0, 3)
	whole := docs[0].JSON
	f := func(name, before string, wantDocs []event.Document) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			forward(t, open(t, Config{Path: path}), docs)
			if diff := cmp.Diff(want(wantDocs), lines(t, path)); diff != "" {
				t.Error(diff)
			}
		})
	}
	f("empty", "", docs)
	f("only half a line", string(whole[:40]), docs)
	f("a line and a half", string(docs[1].JSON)+"\n"+string(whole[:40]), []event.Document{docs[1], docs[0], docs[2]})
	f("a line without its end", string(docs[1].JSON)+"\n"+string(whole), []event.Document{docs[1], docs[0], docs[2]})
	f("half a line longer than a block", string(docs[1].JSON)+"\n{"+strings.Repeat("x", 200<<10), []event.Document{docs[1], docs[0], docs[2]})
	f("whole", string(whole)+"\n", docs)
}

func TestForeignFileIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	const log = "203.0.113.7 - - [01/Jan/2026] \"GET /\"\nhalf a li"
	if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Path: path}); err == nil {
		t.Error("a foreign file was taken")
	}
	if b, _ := os.ReadFile(path); string(b) != log {
		t.Error("a foreign file was changed")
	}
	if _, err := New(Config{Path: dir}); err == nil {
		t.Error("a directory was taken")
	}
	if _, err := New(Config{Path: filepath.Join(dir, "none", "f")}); err == nil {
		t.Error("a missing directory was taken")
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f := open(t, Config{Path: path})
	forward(t, f, forwarderstest.Docs(0, 3))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	forward(t, f, forwarderstest.Docs(2, 3)) // 2 is in the file moved away
	if diff := cmp.Diff(want(forwarderstest.Docs(0, 3)), lines(t, path+".1")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want(forwarderstest.Docs(3, 2)), lines(t, path)); diff != "" {
		t.Error(diff)
	}
	// A restart knows both files.
	forward(t, open(t, Config{Path: path}), forwarderstest.Docs(0, 6))
	if diff := cmp.Diff(want(forwarderstest.Docs(3, 3)), lines(t, path)); diff != "" {
		t.Error(diff)
	}
	// copytruncate and deletion
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	forward(t, f, forwarderstest.Docs(10, 1))
	if diff := cmp.Diff(want(forwarderstest.Docs(10, 1)), lines(t, path)); diff != "" {
		t.Error(diff)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	forward(t, f, forwarderstest.Docs(11, 1))
	if diff := cmp.Diff(want(forwarderstest.Docs(11, 1)), lines(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestRememberIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	docs := forwarderstest.Docs(0, 100)
	size := int64(len(docs[0].JSON))
	f := open(t, Config{Path: path, Remember: 20 * size})
	for _, d := range docs {
		forward(t, f, []event.Document{d})
	}
	if len(f.recent.ids) > 40 || len(f.recent.queue)-f.recent.head != len(f.recent.ids) {
		t.Errorf("remembers %d ids, queue of %d", len(f.recent.ids), len(f.recent.queue)-f.recent.head)
	}
	again := open(t, Config{Path: path, Remember: 20 * size})
	forward(t, again, docs[99:])
	if n := len(lines(t, path)); n != 100 {
		t.Errorf("%d lines, want 100: the newest document was written twice", n)
	}
	forward(t, again, docs[:1])
	if n := len(lines(t, path)); n != 101 {
		t.Errorf("%d lines: the bound has no effect, or the test", n)
	}
}

// TestFailedWriteLeavesNothing closes the file under the forwarder, which fails the write.
func TestFailedWriteLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f := open(t, Config{Path: path})
	docs := forwarderstest.Docs(0, 4)
	forward(t, f, docs[:2])
	ro, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f.file.Close()
	f.file = ro // cannot be written to
	if err := f.Forward(t.Context(), docs[2:]); err == nil {
		t.Fatal("a failed write was reported as stored")
	}
	if diff := cmp.Diff(want(docs[:2]), lines(t, path)); diff != "" {
		t.Error(diff)
	}
	forward(t, f, docs)
	if diff := cmp.Diff(want(docs), lines(t, path)); diff != "" {
		t.Error(diff)
	}
}

func FuzzOpen(f *testing.F) {
	doc := forwarderstest.Docs(0, 1)[0]
	f.Add([]byte{})
	f.Add(append(bytes.Clone(doc.JSON), '\n'))
	f.Add([]byte("{\"event\":{\"id\":\"x\"}}\n{"))
	f.Add([]byte("\n{"))
	f.Fuzz(func(t *testing.T, before []byte) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
		fw, err := New(Config{Path: path, Remember: 4 << 10})
		after, _ := os.ReadFile(path)
		if err != nil {
			if !bytes.Equal(before, after) {
				t.Fatal("refused file was changed")
			}
			return
		}
		defer fw.Close()
		if !bytes.HasPrefix(before, after) || bytes.IndexByte(before[len(after):], '\n') >= 0 {
			t.Fatal("more than a torn line was cut off")
		}
		known := fw.recent.has(doc.ID)
		if err := fw.Forward(t.Context(), []event.Document{doc}); err != nil {
			t.Fatal(err)
		}
		end, _ := os.ReadFile(path)
		line := append(bytes.Clone(doc.JSON), '\n')
		if !known && !bytes.Equal(end, append(after, line...)) {
			t.Fatal("document was not appended")
		}
	})
}
