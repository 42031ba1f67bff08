package syslog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/syslog"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const head = "<13>Mar 14 02:12:44 host app[7]: "

func newCollector(t testing.TB, cfg syslog.Config, resume []event.Position, now func() time.Time) *syslog.Collector {
	t.Helper()
	cfg.Source = "network"
	c, err := syslog.New(cfg, resume, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c.SetTick(50 * time.Millisecond)
	return c
}

func dial(t *testing.T, c *syslog.Collector, network string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, c.Addr(network).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestContract(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			collectorstest.Run(t, func(t *testing.T) collectorstest.Input {
				var c *syslog.Collector
				var conn net.Conn
				sent := 0
				return collectorstest.Input{
					New: func(t *testing.T, resume []event.Position, now func() time.Time) collectors.Collector {
						cfg := syslog.Config{TCP: "127.0.0.1:0"}
						if network == "udp" {
							cfg = syslog.Config{UDP: "127.0.0.1:0"}
						}
						c, conn, sent = newCollector(t, cfg, resume, now), nil, 0
						return c
					},
					Write: func(t *testing.T, lines ...string) {
						if conn == nil {
							conn = dial(t, c, network)
						}
						for _, l := range lines {
							// A collector that has ended takes no more; the suite says whether it should have.
							_, _ = io.WriteString(conn, head+l+"\n")
							// The system has room for some hundred datagrams that nobody has taken.
							if sent++; network == "udp" && sent%100 == 0 {
								waitFor(t, "the datagrams", func() bool { return c.Stats().Messages >= int64(sent) })
							}
						}
					},
				}
			})
		})
	}
}

func TestStreams(t *testing.T) {
	long := strings.Repeat("x", 500)
	f := func(name, in string, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			sink := collectorstest.NewSink(t)
			c := newCollector(t, syslog.Config{TCP: "127.0.0.1:0", MaxLine: 100}, nil, time.Now)
			run := collectorstest.Start(t, c, sink)
			conn := dial(t, c, "tcp")
			if _, err := io.WriteString(conn, in); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			sink.WaitLines(len(want))
			sink.Wait("its end", func() bool {
				for _, p := range sink.Positions() {
					if p.Ordinal > 1 {
						return p.Done
					}
				}
				return true
			})
			run.Stop(t)
			if diff := cmp.Diff(want, sink.Texts()); diff != "" {
				t.Errorf("lines differ (-want +got):\n%s", diff)
			}
		})
	}
	f("lines", head+"one\n"+head+"two\r\n", "one", "two")
	f("no end of the last line", head+"one\n"+head+"two", "one", "two")
	f("counted", "36 "+head+"one36 "+head+"t\no", "one", "t o")
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprint(i))
	}
	f("many short lines", strings.Join(many, "\n")+"\n", many...)
	f("no header", `{"a":1}`+"\n", `{"a":1}`)
	f("too long", head+long+"\n"+head+"two\n", (head + long)[len(head):100], "two")
	f("counted, broken", "36 "+head+"one"+"??", "one", "??")
}

func TestDatagrams(t *testing.T) {
	sink := collectorstest.NewSink(t)
	c := newCollector(t, syslog.Config{UDP: "127.0.0.1:0", MaxLine: 50}, nil, time.Now)
	run := collectorstest.Start(t, c, sink)
	conn := dial(t, c, "udp")
	for _, s := range []string{head + "one", "<34>1 - - - - - - two\n", head, strings.Repeat("y", 60)} {
		if _, err := io.WriteString(conn, s); err != nil {
			t.Fatal(err)
		}
	}
	sink.WaitLines(3)
	run.Stop(t)
	if diff := cmp.Diff([]string{"one", "two", strings.Repeat("y", 50)}, sink.Texts()); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
	if l := sink.Lines(); !l[2].Oversize || l[0].Oversize {
		t.Errorf("lines %+v", l)
	}
}

// A datagram that finds no room while the journal pushes back is lost, and counted; what had room is
// there in the end.
func TestDatagramsThatFindNoRoom(t *testing.T) {
	sink := collectorstest.NewSink(t)
	c := newCollector(t, syslog.Config{UDP: "127.0.0.1:0", Buffer: 2000}, nil, time.Now)
	var mu sync.Mutex
	refuse := true
	sink.Before = func(_ int, b *event.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		if refuse && len(b.Lines) > 0 {
			return collectors.ErrPushback
		}
		return nil
	}
	run := collectorstest.Start(t, c, sink)
	conn := dial(t, c, "udp")
	const sent = 200
	for i := range sent {
		if _, err := fmt.Fprintf(conn, "%sdatagram %d", head, i); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the datagram", func() bool { return c.Stats().Messages == int64(i)+1 })
	}
	mu.Lock()
	refuse = false
	mu.Unlock()
	lost := c.Stats().Lost
	sink.WaitLines(sent - int(lost))
	run.Stop(t)
	if lost == 0 || lost == sent || len(sink.Lines())+int(lost) != sent {
		t.Errorf("%d sent, %d lines, %d lost", sent, len(sink.Lines()), lost)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// While the journal takes nothing, a stream is not read: its sender is held up, and nothing is lost.
func TestStreamWaitsForTheJournal(t *testing.T) {
	sink := collectorstest.NewSink(t)
	c := newCollector(t, syslog.Config{TCP: "127.0.0.1:0"}, nil, time.Now)
	open := make(chan struct{})
	sink.Before = func(_ int, b *event.Batch) error {
		if len(b.Lines) == 0 {
			return nil
		}
		select {
		case <-open:
			return nil
		default:
			return collectors.ErrPushback
		}
	}
	run := collectorstest.Start(t, c, sink)
	conn := dial(t, c, "tcp")
	line := []byte(head + strings.Repeat("z", 1000) + "\n")
	sent := 0
	for sent < 64<<10 {
		_ = conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		if n, err := conn.Write(line); err != nil {
			if n > 0 { // a part of the line is there: the rest belongs to it
				line = line[n:]
			}
			break
		}
		sent++
	}
	if sent == 64<<10 {
		t.Fatal("the sender was never held up")
	}
	close(open)
	_ = conn.SetWriteDeadline(time.Now().Add(3 * time.Minute))
	if _, err := conn.Write(line); err != nil {
		t.Fatal(err)
	}
	sink.WaitLines(sent + 1)
	run.Stop(t)
	if n := c.Stats().Lost; n != 0 || len(sink.Lines()) != sent+1 {
		t.Errorf("%d lines of %d, %d lost", len(sink.Lines()), sent+1, n)
	}
}

func TestListener(t *testing.T) {
	var secure bool
	collectorstest.RunListener(t, collectorstest.Listener{
		New: func(t *testing.T, with collectorstest.Listening) collectors.Collector {
			cfg := syslog.Config{Allow: with.Allow, MaxConns: with.Conns, IdleTime: with.Slow, FrameTime: with.Slow, HandshakeTime: with.Slow}
			if secure = with.TLS != nil; secure {
				cfg.Secure, cfg.TLS = "127.0.0.1:0", with.TLS
			} else {
				cfg.TCP = "127.0.0.1:0"
			}
			return newCollector(t, cfg, nil, time.Now)
		},
		Addr: func(c collectors.Collector) net.Addr {
			if secure {
				return c.(*syslog.Collector).Addr("tls")
			}
			return c.(*syslog.Collector).Addr("tcp")
		},
		Send: func(conn net.Conn, line string) error {
			_, err := io.WriteString(conn, head+line+"\n")
			return err
		},
		Begin: []string{"<13>half a mess", "100 <13>half"},
	})
}

// What was refused is counted.
func TestPeersThatAreNotAllowed(t *testing.T) {
	sink := collectorstest.NewSink(t)
	c := newCollector(t, syslog.Config{TCP: "127.0.0.1:0", UDP: "127.0.0.1:0", Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, nil, time.Now)
	run := collectorstest.Start(t, c, sink)
	collectorstest.Gone(t, dial(t, c, "tcp"))
	_, _ = io.WriteString(dial(t, c, "udp"), head+"x")
	waitFor(t, "the counts", func() bool { return c.Stats().Forbidden == 2 })
	run.Stop(t)
	if n := len(sink.Lines()); n > 0 {
		t.Errorf("%d lines", n)
	}
}

// A restart ends the streams of the run before and gives their ordinals to nobody.
func TestRestart(t *testing.T) {
	sink := collectorstest.NewSink(t)
	c := newCollector(t, syslog.Config{TCP: "127.0.0.1:0"}, nil, time.Now)
	run := collectorstest.Start(t, c, sink)
	_, _ = io.WriteString(dial(t, c, "tcp"), head+"before\n")
	sink.WaitLines(1)
	run.Stop(t)
	sink.Restart()
	c = newCollector(t, syslog.Config{TCP: "127.0.0.1:0"}, sink.Positions(), time.Now)
	run = collectorstest.Start(t, c, sink)
	_, _ = io.WriteString(dial(t, c, "tcp"), head+"after\n")
	sink.WaitLines(2)
	run.Stop(t)
	if l := sink.Lines(); l[0].Ordinal >= l[1].Ordinal {
		t.Errorf("ordinals %d, then %d", l[0].Ordinal, l[1].Ordinal)
	}
}

func TestLinesThatCouldNotBeStored(t *testing.T) {
	broken := errors.New("disk full")
	c := newCollector(t, syslog.Config{TCP: "127.0.0.1:0"}, nil, time.Now)
	run := collectorstest.Start(t, c, collectorstest.SinkFunc(func(_ context.Context, b *event.Batch) error {
		if len(b.Lines) > 0 {
			return broken
		}
		return nil
	}))
	_, _ = io.WriteString(dial(t, c, "tcp"), head+"one\n")
	if err := run.Wait(t); !errors.Is(err, broken) {
		t.Fatalf("Collect returned %v", err)
	}
	if n := c.Stats().Lost; n != 1 {
		t.Errorf("%d counted as lost", n)
	}
}

func TestConfig(t *testing.T) {
	f := func(want string, cfg syslog.Config) {
		t.Helper()
		_, err := syslog.New(cfg, nil, time.Now, slog.New(slog.DiscardHandler))
		if err == nil && want == "" {
			return
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("New returned %v, want %q", err, want)
		}
	}
	allow := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	f("", syslog.Config{Source: "s", UDP: "127.0.0.1:514"})
	f("", syslog.Config{Source: "s", UDP: ":514", Allow: allow})
	f("source", syslog.Config{UDP: "127.0.0.1:514"})
	f("no address", syslog.Config{Source: "s"})
	f("address", syslog.Config{Source: "s", TCP: "514"})
	f("list of peers", syslog.Config{Source: "s", UDP: ":514"})
	f("list of peers", syslog.Config{Source: "s", TCP: "0.0.0.0:514"})
	f("framing", syslog.Config{Source: "s", TCP: "127.0.0.1:514", Framing: "lines"})
	f("certificate", syslog.Config{Source: "s", Secure: ":6514", Allow: allow})
}
