package nats_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/nats"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
	"github.com/liveward/liveward/internal/loopback"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience is how long a test waits for what takes no time, on a machine that has other things to do.
const patience = 3 * time.Minute

// broker is a server of its own, as a bank runs one.
type broker struct {
	*server.Server
	t    testing.TB
	user string // name:password@ of who may do all, where not everybody may
}

func startBroker(t testing.TB, change func(*server.Options)) *broker {
	t.Helper()
	b := launch(t, change)
	b.ready()
	return b
}

func (b *broker) ready() {
	b.t.Helper()
	if !b.ReadyForConnections(patience) {
		b.t.Fatal("the server does not come up")
	}
}

func launch(t testing.TB, change func(*server.Options)) *broker {
	t.Helper()
	o := &server.Options{ServerName: "broker", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return &broker{Server: s, t: t}
}

func (b *broker) connect() *natsgo.Conn {
	b.t.Helper()
	nc, err := natsgo.Connect(strings.Replace(b.ClientURL(), "://", "://"+b.user, 1))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(nc.Close)
	return nc
}

func (b *broker) stream(replicas int, subjects ...string) jetstream.JetStream {
	b.t.Helper()
	js, err := jetstream.New(b.connect())
	if err != nil {
		b.t.Fatal(err)
	}
	again(b.t, "the stream", func() error {
		_, err := js.CreateStream(b.t.Context(), jetstream.StreamConfig{Name: "LOGS", Subjects: subjects, Replicas: replicas})
		return err
	})
	return js
}

// again asks a broker until it answers: one that elects a leader does not, and is asked the same.
func again(t testing.TB, what string, ask func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func publish(t testing.TB, js jetstream.JetStream, subject string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		once := jetstream.WithMsgID(rand.Text()) // one whose answer was lost is not there twice
		again(t, "publish", func() error {
			_, err := js.Publish(t.Context(), subject, []byte(body), once, jetstream.WithRetryAttempts(100), jetstream.WithRetryWait(50*time.Millisecond))
			return err
		})
	}
}

func newCollector(t testing.TB, cfg nats.Config, resume []event.Position, now func() time.Time) *nats.Collector {
	t.Helper()
	cfg.Source, cfg.Tick = "bus", 100*time.Millisecond
	c, err := nats.New(cfg, resume, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContract(t *testing.T) {
	t.Run("stream", func(t *testing.T) {
		collectorstest.Run(t, func(t *testing.T) collectorstest.Input {
			b := startBroker(t, nil)
			js := b.stream(1, "logs.>")
			return collectorstest.Input{
				New: func(t *testing.T, resume []event.Position, now func() time.Time) collectors.Collector {
					return newCollector(t, nats.Config{URLs: []string{b.ClientURL()}, Stream: "LOGS"}, resume, now)
				},
				Write:   func(t *testing.T, lines ...string) { publish(t, js, "logs.gateway", lines...) },
				Resumes: true, Reorders: true,
			}
		})
	})
	t.Run("subject", func(t *testing.T) {
		collectorstest.Run(t, func(t *testing.T) collectorstest.Input {
			b := startBroker(t, nil)
			nc := b.connect()
			return collectorstest.Input{
				New: func(t *testing.T, resume []event.Position, now func() time.Time) collectors.Collector {
					return newCollector(t, nats.Config{URLs: []string{b.ClientURL()}, Subjects: []string{"logs.gateway"}}, resume, now)
				},
				Write: func(t *testing.T, lines ...string) {
					// Nothing is kept for those who come later: it is waited for the subscription.
					await(t, "the subscription", func() bool { return interested(b, "logs.gateway") })
					for _, l := range lines {
						if err := nc.Publish("logs.gateway", []byte(l)); err != nil {
							t.Fatal(err)
						}
					}
					_ = nc.Flush()
				},
			}
		})
	})
}

func interested(b *broker, subject string) bool {
	return b.GlobalAccount().SubscriptionInterest(subject)
}

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A message may hold what a push may hold; what cannot be taken apart is one line, and never dropped.
func TestBodies(t *testing.T) {
	b := startBroker(t, nil)
	js := b.stream(1, "logs")
	sink := collectorstest.NewSink(t)
	c := newCollector(t, nats.Config{URLs: []string{b.ClientURL()}, Stream: "LOGS", MaxLine: 100}, nil, time.Now)
	run := collectorstest.Start(t, c, sink)
	publish(t, js, "logs", "one\ntwo\n", `[{"a":1},{"a":2}]`, "", "{\"requestId\":\"1\",\n\"records\":[{\"data\":\"*\"}]}", strings.Repeat("x", 200))
	sink.WaitLines(6)
	run.Stop(t)
	want := []string{"one", "two", `{"a":1}`, `{"a":2}`, `{"requestId":"1", "records":[{"data":"*"}]}`, strings.Repeat("x", 100)}
	if diff := cmp.Diff(want, sink.Texts()); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
}

// While the journal takes nothing, messages are given back, and come again; each is acknowledged once
// it is durable, and none is there twice.
func TestPushback(t *testing.T) {
	b := startBroker(t, nil)
	js := b.stream(1, "logs")
	var mu sync.Mutex
	refuse := true
	got := map[string]int{}
	c := newCollector(t, nats.Config{URLs: []string{b.ClientURL()}, Stream: "LOGS", Patience: 20 * time.Millisecond, Again: 50 * time.Millisecond}, nil, time.Now)
	run := collectorstest.Start(t, c, collectorstest.SinkFunc(func(_ context.Context, b *event.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		if refuse && len(b.Lines) > 0 {
			return collectors.ErrPushback
		}
		for _, l := range b.Lines {
			got[string(l.Data)]++
		}
		return nil
	}))
	for i := range 50 {
		publish(t, js, "logs", fmt.Sprint(i))
	}
	await(t, "messages that are given back", func() bool { return c.Stats().Returned > 50 })
	mu.Lock()
	refuse = false
	mu.Unlock()
	consumer, err := js.Consumer(t.Context(), "LOGS", "liveward-bus")
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the acknowledgements", func() bool {
		info, err := consumer.Info(t.Context())
		return err == nil && info.NumAckPending == 0 && info.NumPending == 0 && info.AckFloor.Stream == 50
	})
	run.Stop(t)
	if len(got) != 50 {
		t.Errorf("%d lines of 50", len(got))
	}
	for line, n := range got {
		if n != 1 {
			t.Errorf("line %s is there %d times", line, n)
		}
	}
}

// What was journaled and not acknowledged comes again with the ids it had, and is known.
func TestRedelivery(t *testing.T) {
	b := startBroker(t, nil)
	js := b.stream(1, "logs")
	ids := map[event.Hash]int{}
	var mu sync.Mutex
	crash := errors.New("crash")
	fail := true
	record := func(_ int, b *event.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range b.Positions {
			if p.Ordinal > 1 {
				ids[p.Fingerprint]++
			}
		}
		if fail && len(b.Lines) > 0 {
			return crash
		}
		return nil
	}
	sink := collectorstest.NewSink(t)
	sink.After = record
	cfg := nats.Config{URLs: []string{b.ClientURL()}, Stream: "LOGS"}
	publish(t, js, "logs", "one", "two", "three")
	run := collectorstest.Start(t, newCollector(t, cfg, nil, time.Now), sink)
	if err := run.Wait(t); !errors.Is(err, crash) {
		t.Fatalf("Collect returned %v", err)
	}
	mu.Lock()
	fail = false
	mu.Unlock()
	before := sink.Positions()
	sink.Restart()
	publish(t, js, "logs", "four")
	c := newCollector(t, cfg, before, time.Now)
	run = collectorstest.Start(t, c, sink)
	sink.WaitLines(4)
	await(t, "the redelivery", func() bool { return c.Stats().Messages >= 4 })
	run.Stop(t)
	// An agent whose journal was lost has them again, with the same ids: a store has them once.
	for _, l := range sink.Texts() {
		if strings.Count(strings.Join(sink.Texts(), ","), l) != 1 {
			t.Errorf("lines %q", sink.Texts())
		}
	}
	js2, err := jetstream.New(b.connect())
	if err != nil {
		t.Fatal(err)
	}
	if err := js2.DeleteConsumer(t.Context(), "LOGS", "liveward-bus"); err != nil {
		t.Fatal(err)
	}
	other := collectorstest.NewSink(t)
	other.After = record
	run = collectorstest.Start(t, newCollector(t, cfg, nil, time.Now), other)
	other.WaitLines(4)
	run.Stop(t)
	if len(ids) != 4 {
		t.Errorf("%d ids of 4 messages", len(ids))
	}
}

// A node of three is killed while messages flow: none is lost, none is there twice.
func TestClusterLosesANode(t *testing.T) {
	nodes := startCluster(t)
	js := nodes[0].stream(3, "logs")
	var urls []string
	for _, n := range nodes {
		urls = append(urls, n.ClientURL())
	}
	sink := collectorstest.NewSink(t)
	c := newCollector(t, nats.Config{URLs: urls, Stream: "LOGS"}, nil, time.Now)
	run := collectorstest.Start(t, c, sink)
	const before, after = 100, 200
	for i := range before {
		publish(t, js, "logs", fmt.Sprintf("message %03d", i))
	}
	sink.WaitLines(before / 2)
	// The node that leads the consumer, but never the one this test publishes to.
	consumer, err := js.Consumer(t.Context(), "LOGS", "liveward-bus")
	if err != nil {
		t.Fatal(err)
	}
	victim := nodes[1]
	if info, err := consumer.Info(t.Context()); err == nil && info.Cluster != nil && info.Cluster.Leader == nodes[2].Name() {
		victim = nodes[2]
	}
	victim.Shutdown()
	victim.WaitForShutdown()
	for i := before; i < after; i++ {
		publish(t, js, "logs", fmt.Sprintf("message %03d", i))
	}
	sink.WaitLines(after)
	run.Stop(t)
	seen := map[string]int{}
	for _, l := range sink.Texts() {
		seen[l]++
	}
	if len(seen) != after {
		t.Errorf("%d lines of %d", len(seen), after)
	}
	for l, n := range seen {
		if n != 1 {
			t.Errorf("%q is there %d times", l, n)
		}
	}
}

func startCluster(t *testing.T) []*broker {
	t.Helper()
	var routes, hosts []string
	var ports []int
	for range 3 {
		address := loopback.Address(t)
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		hosts, ports, routes = append(hosts, host), append(ports, n), append(routes, "nats://"+address)
	}
	var nodes []*broker
	for i := range 3 {
		nodes = append(nodes, launch(t, func(o *server.Options) {
			o.ServerName = fmt.Sprint("node-", i)
			o.Cluster = server.ClusterOpts{Name: "bank", Host: hosts[i], Port: ports[i]}
			o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
		}))
	}
	for _, n := range nodes {
		n.ready()
	}
	await(t, "the cluster", func() bool {
		for _, n := range nodes {
			if n.JetStreamIsLeader() && len(n.JetStreamClusterPeers()) == 3 {
				return true
			}
		}
		return false
	})
	return nodes
}

// What finds no room on a core subject is lost, and counted: sent = durable + lost.
func TestCoreSubjectLosesAndCounts(t *testing.T) {
	b := startBroker(t, nil)
	var mu sync.Mutex
	refuse, lines := true, 0
	c := newCollector(t, nats.Config{URLs: []string{b.ClientURL()}, Subjects: []string{"logs"}, Queue: "liveward", Buffer: 4096}, nil, time.Now)
	run := collectorstest.Start(t, c, collectorstest.SinkFunc(func(_ context.Context, b *event.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		if refuse && len(b.Lines) > 0 {
			return collectors.ErrPushback
		}
		lines += len(b.Lines)
		return nil
	}))
	await(t, "the subscription", func() bool { return interested(b, "logs") })
	nc := b.connect()
	const sent = 500
	for range sent {
		if err := nc.Publish("logs", []byte(strings.Repeat("x", 100))); err != nil {
			t.Fatal(err)
		}
	}
	_ = nc.Flush()
	await(t, "pushback", func() bool { return c.Stats().Pushbacks > 3 })
	mu.Lock()
	refuse = false
	mu.Unlock()
	await(t, "all of it", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return lines+int(c.Stats().Lost) >= sent
	})
	run.Stop(t)
	if s := c.Stats(); s.Lost == 0 || lines+int(s.Lost) != sent {
		t.Errorf("%d sent, %d lines, counted %+v", sent, lines, s)
	}
}

func TestConfig(t *testing.T) {
	f := func(want string, change func(*nats.Config)) {
		t.Helper()
		cfg := nats.Config{Source: "bus", URLs: []string{"nats://127.0.0.1:4222"}, Stream: "LOGS"}
		change(&cfg)
		_, err := nats.New(cfg, nil, time.Now, slog.New(slog.DiscardHandler))
		if want == "" && err == nil {
			return
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("New returned %v, want %q", err, want)
		}
	}
	f("", func(*nats.Config) {})
	f("", func(c *nats.Config) { c.URLs = []string{"tls://nats.bank.example:4222"} })
	f("", func(c *nats.Config) { c.URLs, c.Plaintext = []string{"nats://nats.bank.example:4222"}, true })
	f("source", func(c *nats.Config) { c.Source = "" })
	f("without TLS", func(c *nats.Config) { c.URLs = []string{"nats://nats.bank.example:4222"} })
	f("log in by", func(c *nats.Config) { c.URLs = []string{"tls://user:password@nats.bank.example:4222"} })
	f("no nats://", func(c *nats.Config) { c.URLs = []string{"https://nats.bank.example"} })
	f("one subject", func(c *nats.Config) { c.Stream = "" })
	f("queue", func(c *nats.Config) { c.Queue = "q" })
	f("start", func(c *nats.Config) { c.Start = "now" })
	f("patience", func(c *nats.Config) { c.Patience, c.AckWait = time.Minute, time.Second })
}
