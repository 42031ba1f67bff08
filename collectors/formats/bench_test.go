package formats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/generator"
)

// generated returns n generated lines of a format, without the few that hold a body.
func generated(t testing.TB, format string, n int) [][]byte {
	t.Helper()
	g, err := generator.New(generator.Config{
		Seed: 1, Start: time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC), Format: format, Rate: 200,
	})
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	for len(lines) < n {
		line, ok := g.Next()
		if !ok {
			t.Fatal("the generator ended early")
		}
		if len(line.Text) < 4<<10 {
			lines = append(lines, bytes.Clone(line.Text))
		}
	}
	return lines
}

// shortKeys make a line of about 450 bytes: a call without its liveness answer.
var shortKeys = []string{
	"ts", "request_id", "remote_addr", "method", "uri", "protocol", "status", "request_length",
	"bytes_sent", "request_time", "upstream_status", "ssl_protocol", "consumer", "key_id", "ua", "tenant", "lv_decision", "lv_score",
}

func shortened(t testing.TB, lines [][]byte) [][]byte {
	t.Helper()
	var out [][]byte
	for _, line := range lines {
		dec := json.NewDecoder(bytes.NewReader(line))
		if _, err := dec.Token(); err != nil {
			t.Fatal(err)
		}
		b := []byte{'{'}
		for dec.More() {
			key, err := dec.Token()
			var value json.RawMessage
			if err == nil {
				err = dec.Decode(&value)
			}
			if err != nil {
				t.Fatal(err)
			}
			name, _ := key.(string)
			if !slices.Contains(shortKeys, name) {
				continue
			}
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = append(append(append(append(b, '"'), name...), `":`...), value...)
		}
		out = append(out, append(b, '}'))
	}
	return out
}

// cpu is the user and system time of this process: on a shared machine the wall clock says little.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchmarkParse(b *testing.B, f Format, lines [][]byte) {
	ev := newEvent()
	size := 0
	for _, line := range lines {
		size += len(line)
		ev.Reset()
		if err := f.Parse(line, ev); err != nil {
			b.Fatalf("line %q: %v", line, err)
		}
	}
	b.ReportAllocs()
	start, n, i := cpu(b), 0, 0
	for b.Loop() {
		ev.Reset()
		_ = f.Parse(lines[i], ev)
		if i++; i == len(lines) {
			i = 0
		}
		n++
	}
	b.ReportMetric(float64((cpu(b)-start).Nanoseconds())/float64(n), "cpu-ns/line")
	b.ReportMetric(float64(size)/float64(len(lines)), "B/line")
}

// BenchmarkParse is a line becoming an event, over about as many lines as a block holds.
func BenchmarkParse(b *testing.B) {
	const lines = 800
	for _, name := range []string{"nginx_json", "liveward_v1", "kong_json", "nginx_combined"} {
		b.Run(name, func(b *testing.B) { benchmarkParse(b, newFormat(b, name), generated(b, name, lines)) })
	}
	b.Run("nginx_json_short", func(b *testing.B) {
		benchmarkParse(b, newFormat(b, "nginx_json"), shortened(b, generated(b, "nginx_json", lines)))
	})
	b.Run("strange_keys", func(b *testing.B) {
		r := rand.New(rand.NewPCG(1, 1))
		all := make([][]byte, lines)
		for i := range all {
			all[i] = []byte(`{"remote_addr":"10.0.0.1","status":200`)
			for range 40 {
				all[i] = fmt.Appendf(all[i], `,"k%x":"0123456789abc"`, r.Uint64())
			}
			all[i] = append(all[i], `,"msec":1772416800.008}`...)
		}
		benchmarkParse(b, newFormat(b, "nginx_json"), all)
	})
	for _, name := range textFormats() {
		b.Run(name, func(b *testing.B) { benchmarkParse(b, newFormat(b, name), [][]byte{[]byte(typical[name])}) })
	}
	b.Run("auto", func(b *testing.B) { benchmarkParse(b, newFormat(b, Auto), generated(b, "nginx_json", lines)) })
}

// BenchmarkScan is the scanner's part of it.
func BenchmarkScan(b *testing.B) {
	for _, name := range []string{"nginx_json", "liveward_v1", "kong_json"} {
		b.Run(name, func(b *testing.B) {
			lines := generated(b, name, 800)
			f := newFormat(b, name).(*mapFormat)
			b.ReportAllocs()
			start, n := cpu(b), 0
			for b.Loop() {
				if err := f.scan.scan(lines[n%len(lines)], f.prog.root); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64((cpu(b)-start).Nanoseconds())/float64(n), "cpu-ns/line")
		})
	}
}
