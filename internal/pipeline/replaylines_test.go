package pipeline

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/internal/event"
)

// FuzzLineReader: whatever comes in one read, and however many lines are asked for, the lines are those of
// the whole stream cut at once, with the numbers that an editor gives them.
func FuzzLineReader(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n\x00\x00c\nhalf"), 3, 5, 0)
	f.Add([]byte("\n\r\n\x00first"), 1, 1, 7)
	f.Add([]byte("a\nxyz\nb"), 9, 2, blockBytes)
	f.Add([]byte("x\x00y\n\n"), 70_000, 1, minRead)
	f.Fuzz(func(t *testing.T, data []byte, limit, most, times int) {
		limit, most, times = 1+abs(limit)%(2*blockBytes), 1+abs(most)%8, abs(times)%(3*blockBytes)
		// One byte often makes a line, or a run of zero bytes, that is longer than a block.
		if n := len(data) / 2; n < len(data) {
			data = slices.Concat(data[:n], bytes.Repeat(data[n:n+1], times), data[n:])
		}
		want, wantNumbers, wantFirst := wholeLines(data, limit)
		for _, r := range []io.Reader{bytes.NewReader(data), iotest.HalfReader(bytes.NewReader(data)), iotest.DataErrReader(bytes.NewReader(data))} {
			var got []event.Line
			var numbers []int
			l := lineReader{longest: limit, numbered: true}
			l.reset(r)
			for {
				lines, err := l.next(most)
				if errors.Is(err, io.EOF) && len(lines) == 0 {
					break
				}
				if err != nil || len(lines) == 0 || len(lines) > most {
					t.Fatalf("%d lines, %v", len(lines), err)
				}
				for _, line := range lines {
					line.Data = bytes.Clone(line.Data)
					got = append(got, line)
				}
				numbers = append(numbers, l.number)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("lines (-want +got):\n%.2000s", diff)
			}
			if most == 1 && !slices.Equal(numbers, wantNumbers) {
				t.Fatalf("numbers %v, want %v", numbers, wantNumbers)
			}
			if len(got) > 0 && l.first != wantFirst {
				t.Fatal("another fingerprint")
			}
			if l.off != int64(len(data)) {
				t.Fatalf("ends at %d, want %d", l.off, len(data))
			}
			if most := limit + blockBytes + 2*minRead; len(l.block) > most {
				t.Fatalf("a block of %d bytes, for lines of %d", len(l.block), limit)
			}
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }

// wholeLines cuts a stream that is there at once.
func wholeLines(data []byte, limit int) (lines []event.Line, numbers []int, first event.Hash) {
	limits := split.Limits{Line: limit, Lines: len(data) + 1}
	lines, done := split.Lines(nil, data, 0, 0, limits)
	lines = split.Rest(lines, data[done:], 0, int64(done), limits)
	for _, line := range lines {
		numbers = append(numbers, 1+bytes.Count(data[:line.Offset], []byte{'\n'}))
	}
	if first = split.Fingerprint(data); first.IsZero() {
		first = split.WholeFingerprint(data)
	}
	return lines, numbers, first
}

// TestLineReaderFails: the lines before a failure come first, and of a line that has no end nothing does.
func TestLineReaderFails(t *testing.T) {
	broken := errors.New("broken")
	long := string(bytes.Repeat([]byte("x"), 2*blockBytes))
	for name, tc := range map[string]struct {
		text string
		want int
	}{
		"at once": {"", 0}, "within the first line": {"a", 0}, "behind a line": {"a\n", 1}, "within a line": {"a\nb\nhalf", 2},
		"within a long line": {"a\n" + long, 1}, "behind a long line": {"a\n" + long + "\n", 2},
	} {
		for _, end := range []io.Reader{iotest.ErrReader(broken), dull{}} {
			l := lineReader{longest: 100}
			l.reset(io.MultiReader(bytes.NewReader([]byte(tc.text)), end))
			got := 0
			lines, err := l.next(10)
			for ; err == nil; lines, err = l.next(10) {
				got += len(lines)
			}
			if got != tc.want || !errors.Is(err, broken) && !errors.Is(err, io.ErrNoProgress) {
				t.Errorf("%s: %d lines and %v, want %d", name, got, err, tc.want)
			}
		}
	}
}

// dull is a reader that never gives anything.
type dull struct{}

func (dull) Read([]byte) (int, error) { return 0, nil }
