package agent_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
)

// TestReplayReadsTheAgentsLines: a log, rotated once, gives the same documents and ids through the file
// collector and through a replay, plain and compressed, whatever a crash or a careless writer left in it.
func TestReplayReadsTheAgentsLines(t *testing.T) {
	p, err := agent.LoadOffline(agent.Offline{Format: "liveward_v1", NeedRules: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"blank first":         "\n" + callLine(1) + callLine(2),
		"return first":        "\r\n" + callLine(1),
		"blank within":        callLine(1) + "\n\r\n" + callLine(2),
		"zeros first":         strings.Repeat("\x00", 512) + callLine(1) + callLine(2),
		"zeros within":        callLine(1) + strings.Repeat("\x00", 4096) + callLine(2),
		"zeros alone":         callLine(1) + "\x00\x00\n" + callLine(2),
		"zeros last":          callLine(1) + strings.Repeat("\x00", 4096),
		"more zeros":          callLine(1) + strings.Repeat("\x00", 600<<10) + callLine(2),
		"byte order mark":     "\ufeff" + callLine(1) + callLine(2),
		"long":                callLine(1) + strings.Repeat("x", 2<<20) + "\n" + callLine(2),
		"long first":          `{"a":"` + strings.Repeat("x", 100<<10) + `"}` + "\n" + callLine(2),
		"no line feed":        strings.TrimSuffix(callLine(1), "\n"),
		"long, no line feed":  callLine(1) + strings.Repeat("x", 2<<20),
		"return, without end": callLine(1) + strings.TrimSuffix(callLine(2), "\n") + "\r",
		"nothing":             "",
	} {
		if diff := replayDiffers(t, p, 1<<20, text); diff != "" {
			t.Errorf("%s: agent (-), replay (+):\n%.2000s", name, diff)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.SampledFrom([]int{64, 200, 70_000, 1 << 20}).Draw(rt, "limit")
		text := strings.Join(rapid.SliceOfN(logPieces(limit), 0, 12).Draw(rt, "text"), "")
		if rest := text[strings.LastIndexByte(text, '\n')+1:]; strings.HasPrefix(rest, "\x00") && len(rest) > limit {
			text += "\n" // without it the collector counts the zero bytes against the limit
		}
		if diff := replayDiffers(t, p, limit, text); diff != "" {
			rt.Fatalf("agent (-), replay (+):\n%.2000s", diff)
		}
	})
}

func callLine(n int) string {
	return fmt.Sprintf(`{"ts":"2026-03-01T10:00:%02d.000Z","request_id":"r%02d","client_ip":"203.0.113.9","method":"POST","path":"/v1/liveness/check","status":401}`+"\n", n%60, n)
}

// logPieces are what a log is made of, for lines of at most limit bytes.
func logPieces(limit int) *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) string { return callLine(rapid.IntRange(0, 99).Draw(t, "call")) }),
		rapid.SampledFrom([]string{"\n", "\r\n", "\r\r\n", "\r", "\ufeff", "\x00", "\x00\n", "a\rb\n", "half", "#Fields: x\n"}),
		rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat("\x00", rapid.SampledFrom([]int{1, 3, 256, 4096, limit, 300_000}).Draw(t, "zeros"))
		}),
		rapid.Custom(func(t *rapid.T) string {
			n := rapid.SampledFrom([]int{limit - 1, limit, limit + 1, limit + 2, 64<<10 + 1, 64<<10 + 2, 300_000}).Draw(t, "long")
			return strings.Repeat("x", n) + rapid.SampledFrom([]string{"\n", "\r\n", ""}).Draw(t, "end")
		}),
	)
}

// replayDiffers tells what differs between the documents of a log that is read by the file collector and
// of one that is replayed.
func replayDiffers(t *testing.T, p *agent.Plan, limit int, text string) string {
	t.Helper()
	dir := folder(t.TempDir())
	path := filepath.Join(string(dir), "gw.log")
	replay := func(open func(string) (io.ReadCloser, error)) (docs []string) {
		r := p.Replay(agent.ReplayOptions{})
		r.MaxLine, r.Open = limit, open
		r.Document = func(d pipeline.Processed) error { docs = append(docs, d.ID.String()+" "+string(d.Doc)); return nil }
		if _, err := r.Run(t.Context(), []string{path, path + ".1"}); err != nil {
			t.Fatal(err)
		}
		return docs
	}
	want := collected(t, p.Replay(agent.ReplayOptions{}), limit, dir, text)
	if diff := cmp.Diff(want, replay(nil)); diff != "" {
		return diff
	}
	return cmp.Diff(want, replay(func(path string) (io.ReadCloser, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		_, err = z.Write(data)
		return io.NopCloser(&buf), errors.Join(err, z.Close())
	}))
}

// collected are the documents of the log gw.log, which has text, is rotated, and goes on with one line more.
func collected(t *testing.T, r *pipeline.Replay, limit int, dir folder, text string) (docs []string) {
	t.Helper()
	const last = `{"ts":"2026-03-01T10:01:00.000Z","request_id":"last","status":200}`
	path := dir.write(t, "gw.log", text)
	proc, err := r.New()
	if err != nil {
		t.Fatal(err)
	}
	c, err := file.New(file.Config{
		Name: r.Source, Paths: []string{path}, MaxLine: limit, PollOnly: true,
		Poll: time.Millisecond, Linger: time.Millisecond, Tick: time.Millisecond, Drain: time.Millisecond,
	}, nil, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := errors.New("done")
	rotated := false
	var signals event.SignalBuffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = c.Collect(ctx, collectorstest.SinkFunc(func(_ context.Context, b *event.Batch) error {
		if len(b.Positions) == 1 && b.Positions[0].Idle && !rotated { // it is read as far as it goes
			rotated = true
			if err := os.Rename(path, path+".1"); err != nil {
				return err
			}
			dir.write(t, "gw.log", last+"\n")
		}
		for i := range b.Lines {
			d := proc.Process(&b.Lines[i], &b.Positions[b.Lines[i].File], 0, &signals)
			if !d.Skipped {
				docs = append(docs, d.ID.String()+" "+string(d.Doc))
			}
			if strings.HasPrefix(last, string(b.Lines[i].Data)) {
				return done
			}
		}
		return nil
	}))
	if !errors.Is(err, done) {
		t.Fatal(err)
	}
	return docs
}
