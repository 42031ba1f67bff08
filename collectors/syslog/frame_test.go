package syslog

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cutAll feeds a stream in pieces and returns its messages, as a reader would.
func cutAll(f *framer, stream []byte, piece int) (out []string, err error) {
	var buf []byte
	for len(stream) > 0 {
		n := min(piece, len(stream))
		buf, stream = append(buf, stream[:n]...), stream[n:]
		for {
			msg, n, _, err := f.next(buf)
			if err != nil {
				return out, err
			}
			if n == 0 {
				break
			}
			if len(msg) > 0 {
				out = append(out, string(msg))
			}
			buf = buf[n:]
		}
	}
	if msg := f.rest(buf); len(msg) > 0 {
		out = append(out, string(msg))
	}
	return out, nil
}

func TestFrames(t *testing.T) {
	f := func(name string, framing Framing, in string, wantErr error, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, 2, 3, 7, 1000} {
				got, err := cutAll(&framer{framing: framing, limit: 10}, []byte(in), piece)
				if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
					t.Errorf("in pieces of %d: error %v, messages (-want +got):\n%s", piece, err, diff)
				}
			}
		})
	}
	f("lines", FramingAuto, "<1>a\n<2>b\r\n\n<3>c", nil, "<1>a", "<2>b\r", "<3>c")
	f("counted", FramingAuto, "4 <1>a5 <2>\nb4 <3>c", nil, "<1>a", "<2>\nb", "<3>c")
	f("counted with line ends between", FramingAuto, "4 <1>a\n4 <2>b\r\n4 <3>c", nil, "<1>a", "<2>b", "<3>c")
	f("counted, cut off", FramingAuto, "4 <1>a9 <2>b", nil, "<1>a", "<2>b")
	f("counted, broken", FramingAuto, "4 <1>ax <2>b", errFrame, "<1>a")
	f("length zero", FramingOctet, "0 <1>a", errFrame)
	f("length too long to read", FramingOctet, "123456789 <1>a", errFrame)
	f("a line that begins with a number", FramingAuto, "12 a\n13 b\n", nil, "12 a", "13 b")
	f("lines by order", FramingNewline, "4 <1>a\n", nil, "4 <1>a")
	f("longest", FramingAuto, "<1>4567890\nb\n", nil, "<1>4567890", "b")
	f("too long", FramingNewline, "12345678901\nb\n1234567890123456789012345678\nc\n", nil, "1234567890", "b", "1234567890", "c")
	f("counted, too long", FramingOctet, "26 <1>456789012345678901234 4 <2>b", errFrame, "<1>4567890")
	f("counted, too long and exact", FramingOctet, "24 <1>4567890123456789012344 <2>b", nil, "<1>4567890", "<2>b")
}

func FuzzFrames(f *testing.F) {
	for _, s := range []string{"<1>a\n<2>b", "4 <1>a5 <2>\nb", "99999999 <", strings.Repeat("x", 100), "12", "0 "} {
		f.Add([]byte(s), uint8(3), uint8(10))
	}
	f.Fuzz(func(t *testing.T, in []byte, piece, limit uint8) {
		p, l := int(piece)+1, int(limit)+1
		whole, err := cutAll(&framer{limit: l}, in, len(in)+1)
		pieces, errPieces := cutAll(&framer{limit: l}, in, p)
		if diff := cmp.Diff(whole, pieces); diff != "" || !errors.Is(errPieces, err) {
			t.Fatalf("pieces of %d give something else (%v, %v):\n%s", p, err, errPieces, diff)
		}
		for _, m := range whole {
			if len(m) > l {
				t.Fatalf("message of %d bytes, limit %d", len(m), l)
			}
			if !bytes.Contains(in, []byte(m)) {
				t.Fatal("message is not a part of the stream")
			}
		}
	})
}

func TestMessage(t *testing.T) {
	f := func(in, want string, known bool) {
		t.Helper()
		got, ok := Message([]byte(in))
		if string(got) != want || ok != known {
			t.Errorf("%q: %q, %v; want %q, %v", in, got, ok, want, known)
		}
	}
	f(`<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 - {"a":1}`, `{"a":1}`, true)
	f(`<165>1 2003-10-11T22:14:15.003Z h a - ID47 [x@1 k="]\"\]"][y z="1"] an event`, "an event", true)
	f("<34>1 - - - - - - \ufeffmessage", "message", true)
	f("<34>1 - - - - - -", "", true)
	f("<34>1 - - - - - [x", "1 - - - - - [x", false)
	f("<34>1 - - - - - -x", "1 - - - - - -x", false)
	f("<34>1 ", "1 ", false)
	f("<34>Oct 11 22:14:15 mymachine su[12]: 'su root' failed", "'su root' failed", true)
	f("<34>Oct  1 22:14:15 su: failed", "failed", true)
	f("<190>2026-03-14T02:12:44+01:00 gw nginx: {\"a\": 1}", `{"a": 1}`, true)
	f("<134>Mar 14 02:12:44 fw CEF:0|V|P|1|2|n|5|src=192.0.2.1", "CEF:0|V|P|1|2|n|5|src=192.0.2.1", true)
	f("<134>Mar 14 02:12:44 haproxy[9]: 192.0.2.1:1 [x] y", "192.0.2.1:1 [x] y", true)
	f("<189>77: %ASA-1: text", "77: %ASA-1: text", false)
	f(`{"no":"header"}`, `{"no":"header"}`, false)
	f("<192>Oct 11 22:14:15 h a: b", "<192>Oct 11 22:14:15 h a: b", false)
	f("<>", "<>", false)
	f("", "", false)
}

func FuzzMessage(f *testing.F) {
	for _, s := range []string{"<165>1 - h a - - [x k=\"]\"] m", "<34>Oct 11 22:14:15 h su: x", "<1>", "<190>2026-03-14T02:12:44Z h a: b", "text"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		msg, known := Message(in)
		if !bytes.HasSuffix(in, msg) {
			t.Fatalf("%q is not the end of the message", msg)
		}
		if !known && len(in)-len(msg) > 5 {
			t.Fatalf("%d bytes were taken off something unknown", len(in)-len(msg))
		}
		if line := clean(bytes.Clone(in)); bytes.IndexByte(line, '\n') >= 0 {
			t.Fatal("line has a line end")
		}
	})
}
