package push

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"a\nb", `{"a":1}` + "\n" + `{"a":2}`, "[{\"a\":\"\\\"]\"},\n2]", `{"records":[{"a":1},{"b":2}]}`, `[{"records":[{}]}]`, `{"entries":[{"insertId":"1"}],"logName":"x"}`,
		`{"requestId":"r","records":[{"data":"YQpi"},{"data":"H4sI"}]}`, `{"message":{"data":"e30=","messageId":"1"},"subscription":"s"}`, "{\n\"a\":\n1}", `{"a":`, "[1,", "\ufeff{}",
	} {
		f.Add([]byte(s), true, false)
		f.Add([]byte(s), false, false)
		f.Add([]byte(s), false, true)
	}
	f.Fuzz(func(t *testing.T, body []byte, isJSON, firehose bool) {
		const lines, line, room = 1000, 4096, 1 << 20
		var b budget
		b.left.Store(room)
		d := decoder{&Lines{maxLine: line, maxLines: lines, room: room, memory: &loan{from: &b}}}
		clone := bytes.Clone(body)
		err := d.decode(body, isJSON, firehose)
		if err != nil && status(err) == 503 && !errors.Is(err, errMemory) {
			t.Fatalf("%v has no answer of its own", err)
		}
		if len(d.lines) > lines {
			t.Fatalf("%d lines", len(d.lines))
		}
		end := int64(0)
		for _, l := range d.lines {
			if l.Offset < end || l.Offset+int64(len(l.Data)) > d.end {
				t.Fatalf("line at %d+%d, the one before ends at %d, all at %d", l.Offset, len(l.Data), end, d.end)
			}
			end = l.Offset + int64(len(l.Data))
			if len(l.Data) == 0 || len(l.Data) > line || bytes.IndexByte(l.Data, '\n') >= 0 {
				t.Fatalf("line %q", l.Data)
			}
		}
		d.memory.release()
		if b.left.Load() != room {
			t.Fatal("memory is not given back")
		}
		// The same delivery has the same lines: its event ids hang on that.
		again := decoder{&Lines{maxLine: line, maxLines: lines, room: room, memory: &loan{from: &b}}}
		if errAgain := again.decode(clone, isJSON, firehose); !errors.Is(errAgain, err) || len(again.lines) != len(d.lines) {
			t.Fatalf("a second time: %v and %d lines, before %v and %d", errAgain, len(again.lines), err, len(d.lines))
		}
		for i := range d.lines {
			if !bytes.Equal(d.lines[i].Data, again.lines[i].Data) || d.lines[i].Offset != again.lines[i].Offset {
				t.Fatalf("line %d differs", i)
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(w.EncodeAll([]byte("line\nline\n"), nil), "zstd")
	_ = w.Close()
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "gzip")
	f.Add([]byte("x"), "identity")
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		const limit, room = 1 << 16, 32 << 20
		var b budget
		b.left.Store(room)
		l := &loan{from: &b}
		out, err := unpack(encoding, body, limit, l)
		if encoding != "" && encoding != "identity" && err == nil && len(out) > limit {
			t.Fatalf("%d bytes came out", len(out))
		}
		if err != nil && status(err) == 503 {
			t.Fatalf("%v has no answer of its own", err)
		}
		l.release()
		if b.left.Load() != room {
			t.Fatal("memory is not given back")
		}
	})
}

func FuzzSignature(f *testing.F) {
	f.Add("t=1,v1=00")
	f.Add("v1=,t=-1")
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := ParseClaim([]string{s}); ok && (got.At <= 0 || got.Text == "" || len(got.MACs) != 1) {
			t.Fatalf("%+v", got)
		}
	})
}
