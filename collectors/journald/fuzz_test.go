package journald

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/event"
)

func printed(messages ...string) []byte {
	var b bytes.Buffer
	for i, m := range messages {
		fmt.Fprintf(&b, "__CURSOR=s=1;i=%d\n__REALTIME_TIMESTAMP=1\nMESSAGE\n", i)
		_ = binary.Write(&b, binary.LittleEndian, uint64(len(m)))
		b.WriteString(m + "\n\n")
	}
	return b.Bytes()
}

func readEntries(t *testing.T, content []byte, limit int) (lines []event.Line, end int64, err error) {
	t.Helper()
	r := &exportReader{r: bufio.NewReaderSize(bytes.NewReader(content), 2*maxName), maxLine: limit}
	for last := int64(0); ; {
		k := &chunk{end: r.at}
		err = r.chunk(k)
		for _, l := range k.lines {
			if l.Offset < last || l.Offset+int64(len(l.Data)) > k.end || bytes.IndexByte(l.Data, '\n') >= 0 || len(l.Data) == 0 || len(l.Data) > limit {
				t.Fatalf("line %q at %d after %d, end %d", l.Data, l.Offset, last, k.end)
			}
			last = l.Offset + int64(len(l.Data))
			lines = append(lines, l)
		}
		if err != nil {
			return lines, k.end, err
		}
	}
}

// FuzzExport holds that whatever is printed is read within bounds.
func FuzzExport(f *testing.F) {
	f.Add(printed("a", "b\nc", ""))
	f.Add([]byte("__CURSOR=a\nMESSAGE=text\nMESSAGE=again\n\n\n\n__CURSOR=b\n\n"))
	f.Add([]byte("MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffx"))
	f.Add([]byte("__CURSOR=--root=/ \n\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		lines, end, err := readEntries(t, content, 32)
		if err == nil || end < 0 || end > int64(len(content)) {
			t.Fatalf("%d lines, end %d of %d bytes: %v", len(lines), end, len(content), err)
		}
	})
}

// FuzzMessages holds that messages come out as they went in.
func FuzzMessages(f *testing.F) {
	f.Add("plain", "two\r\nlines\n")
	f.Add("", "\n\n__CURSOR=x\n\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		const limit = 1 << 16
		if len(a) > limit || len(b) > limit {
			return
		}
		lines, _, _ := readEntries(t, printed(a, b), limit)
		var want []string
		for _, m := range []string{a, b} {
			for line := range strings.SplitSeq(m, "\n") {
				if line = strings.TrimSuffix(line, "\r"); line != "" {
					want = append(want, line)
				}
			}
		}
		if len(want) != len(lines) {
			t.Fatalf("%d lines, want %d", len(lines), len(want))
		}
		for i := range want {
			if string(lines[i].Data) != want[i] {
				t.Fatalf("line %q, want %q", lines[i].Data, want[i])
			}
		}
	})
}

func BenchmarkExport(b *testing.B) {
	content := printed(make([]string, 10_000)...)
	content = bytes.ReplaceAll(content, []byte("MESSAGE\n\x00\x00\x00\x00\x00\x00\x00\x00\n"), []byte("MESSAGE="+strings.Repeat("x", 200)+"\n"))
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	from := bytes.NewReader(nil)
	r, k := &exportReader{r: bufio.NewReaderSize(from, 64<<10), maxLine: 1 << 20}, new(chunk)
	for b.Loop() {
		from.Reset(content)
		r.r.Reset(from)
		for {
			*k = chunk{lines: k.lines[:0], text: k.text[:0], cursor: k.cursor[:0], end: r.at}
			if r.chunk(k) != nil {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/entry")
}
