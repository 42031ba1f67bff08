package split_test

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/internal/event"
)

// model splits with bufio, which knows nothing of blocks, offsets and limits.
func model(data []byte, limit int) (lines []event.Line, done int) {
	r := bufio.NewReader(bytes.NewReader(data))
	for {
		raw, err := r.ReadBytes('\n')
		if err != nil {
			return lines, done
		}
		start := done
		done += len(raw)
		raw = bytes.TrimSuffix(raw[:len(raw)-1], []byte("\r"))
		text := bytes.TrimLeft(raw, "\x00")
		start += len(raw) - len(text)
		switch {
		case len(text) == 0:
		case len(text) > limit:
			lines = append(lines, event.Line{Offset: int64(start), Data: text[:limit], Oversize: true})
		default:
			lines = append(lines, event.Line{Offset: int64(start), Data: text})
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n\x00\x00c\nhalf"), 3, 5)
	f.Add([]byte("\r\n\r\r\n\x00\n\x00\r\n"), 1, 1)
	f.Add([]byte("a long line\nanother long line\n"), 4, 2)
	f.Fuzz(func(t *testing.T, data []byte, limit, step int) {
		limit = 1 + abs(limit)%64
		step = 1 + abs(step)%8
		want, wantDone := model(data, limit)

		// At once, and a few lines at a time: the same.
		for _, most := range []int{1 << 20, step} {
			var got []event.Line
			done := 0
			for {
				part, n := split.Lines(nil, data[done:], 0, int64(done), split.Limits{Line: limit, Lines: most})
				got = append(got, part...)
				done += n
				if n == 0 {
					break
				}
			}
			if done != wantDone {
				t.Fatalf("%d bytes are covered, want %d", done, wantDone)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("lines differ (-want +got):\n%s", diff)
			}
		}
		if rest := data[wantDone:]; bytes.IndexByte(rest, '\n') >= 0 {
			t.Fatal("a complete line is left over")
		}

		// The fingerprint does not depend on how much was read beyond the first line.
		first, _, complete := bytes.Cut(data, []byte("\n"))
		fp := split.Fingerprint(data)
		if complete == fp.IsZero() {
			t.Fatalf("complete %v, fingerprint %s", complete, fp)
		}
		if complete && (fp != split.Fingerprint(data[:len(first)+1]) || fp != split.WholeFingerprint(first)) {
			t.Fatal("the fingerprint depends on what follows")
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

func TestFingerprintIsOfTheFirstLine(t *testing.T) {
	line := []byte("10.0.0.1 first")
	want := event.HashOf(line)
	for _, head := range []string{"10.0.0.1 first\n", "10.0.0.1 first\r\n", "10.0.0.1 first\nsecond\n"} {
		if got := split.Fingerprint([]byte(head)); got != want {
			t.Errorf("%q: %s, want %s", head, got, want)
		}
	}
	if got := split.Fingerprint(line); !got.IsZero() {
		t.Errorf("a line without an end has fingerprint %s", got)
	}
	long := bytes.Repeat([]byte("x"), split.FingerprintBytes+100)
	want = event.HashOf(long[:split.FingerprintBytes])
	if got := split.Fingerprint(long); got != want {
		t.Errorf("long, end not seen: %s, want %s", got, want)
	}
	if got := split.Fingerprint(append(long, '\n')); got != want {
		t.Errorf("long, end seen: %s, want %s", got, want)
	}
	if got := split.WholeFingerprint(long); got != want {
		t.Errorf("long, whole: %s, want %s", got, want)
	}
}

func TestLinesPointIntoTheBlock(t *testing.T) {
	block := bytes.Repeat([]byte("a line of the block\n"), 1000)
	limits := split.Limits{Line: 100, Lines: 2000}
	lines := make([]event.Line, 0, limits.Lines)
	allocs := testing.AllocsPerRun(100, func() { lines, _ = split.Lines(lines[:0], block, 0, 0, limits) })
	if allocs != 0 {
		t.Errorf("%v allocations a block, want none", allocs)
	}
	if &lines[0].Data[0] != &block[0] {
		t.Error("a line was copied")
	}
}

func BenchmarkLines(b *testing.B) {
	line := append(bytes.Repeat([]byte("x"), 474), '\n')
	block := bytes.Repeat(line, (1<<20)/len(line))
	limits := split.Limits{Line: 1 << 20, Lines: 1 << 14}
	lines := make([]event.Line, 0, limits.Lines)
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		lines, _ = split.Lines(lines[:0], block, 0, 0, limits)
	}
}
