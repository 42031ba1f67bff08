package nats_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/nats"
)

func check(t *testing.T, cfg nats.Config, want ...string) {
	t.Helper()
	var got []string
	for _, f := range newCollector(t, cfg, nil, time.Now).Check(t.Context()) {
		got = append(got, string(f.Verdict)+" "+f.What+": "+f.Said)
	}
	if len(got) != len(want) {
		t.Errorf("Check found %q, want %q", got, want)
		return
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("Check found %q, want %q", got[i], want[i])
		}
	}
}

func TestCheckStream(t *testing.T) {
	b := startBroker(t, nil)
	cfg := nats.Config{URLs: []string{b.ClientURL()}, Stream: "LOGS", Subjects: []string{"logs.a"}}
	const connected = "ok server: connected to nats://127.0.0.1:"
	check(t, cfg, connected, "wrong stream LOGS: there is no such stream")
	js := b.stream(1, "logs.>")
	publish(t, js, "logs.a", "one", "two")
	check(t, cfg, connected, "ok stream LOGS: is there; its consumer liveward-bus is made at the start")
	if _, err := js.Consumer(t.Context(), "LOGS", "liveward-bus"); err == nil {
		t.Fatal("Check made a consumer")
	}
	make := func(name string, cfg jetstream.ConsumerConfig) jetstream.Consumer {
		t.Helper()
		cfg.Durable = name
		c, err := js.CreateConsumer(t.Context(), "LOGS", cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	consumer := make("liveward-bus", jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "logs.a"})
	check(t, cfg, connected, "ok stream LOGS: is read by consumer liveward-bus; 2 waiting, 0 not acknowledged")
	info, err := consumer.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.NumPending != 2 || info.NumAckPending != 0 || info.Delivered.Consumer != 0 {
		t.Errorf("Check took messages: %+v", info)
	}
	make("other", jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, FilterSubjects: []string{"logs.c", "logs.b"}})
	cfg.Consumer = "other"
	check(t, cfg, connected, "warning stream LOGS: its consumer other reads logs.b, logs.c, and not the configured subjects")
	make("careless", jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy})
	cfg.Consumer = "careless"
	check(t, cfg, connected, "wrong stream LOGS: consumer careless of stream LOGS does not acknowledge each message")
}

func TestCheckServer(t *testing.T) {
	t.Run("nobody there", func(t *testing.T) {
		b := startBroker(t, nil)
		url := b.ClientURL()
		b.Shutdown()
		check(t, nats.Config{URLs: []string{url}, Stream: "LOGS"}, "wrong server: connect: nats: no servers available for connection: nobody answers at urls")
	})
	t.Run("no JetStream", func(t *testing.T) {
		b := startBroker(t, func(o *server.Options) { o.JetStream = false })
		check(t, nats.Config{URLs: []string{b.ClientURL()}, Stream: "LOGS"}, "ok server", "wrong stream LOGS: the server, or the user's account, has no JetStream")
	})
	t.Run("login", func(t *testing.T) {
		b := startBroker(t, func(o *server.Options) { o.Authorization = "secret-of-the-broker" })
		check(t, nats.Config{URLs: []string{b.ClientURL()}, Stream: "LOGS", Login: nats.Login{Token: secret("secret-of-nobody")}},
			"wrong server: connect: nats: Authorization Violation: the server does not take")
	})
	t.Run("TLS", func(t *testing.T) {
		ca := collectorstest.NewAuthority(t)
		b := startBroker(t, secured(t, ca))
		other := collectorstest.NewAuthority(t)
		check(t, nats.Config{URLs: []string{b.ClientURL()}, Stream: "LOGS", TLS: always(nats.TLS{CA: other.PEM})}, "wrong server: connect: ")
		found := newCollector(t, nats.Config{URLs: []string{b.ClientURL()}, Stream: "LOGS", TLS: always(nats.TLS{CA: other.PEM})}, nil, time.Now).Check(t.Context())
		if !strings.Contains(found[0].Said, "set ca_file") {
			t.Errorf("Check said %q", found[0].Said)
		}
	})
}

// Each permission that is missing is named, and nothing is said to be wrong with those that suffice.
func TestCheckPermissions(t *testing.T) {
	const (
		info, create = "$JS.API.CONSUMER.INFO.LOGS.liveward-bus", "$JS.API.CONSUMER.CREATE.LOGS.liveward-bus"
		next, ack    = "$JS.API.CONSUMER.MSG.NEXT.LOGS.liveward-bus", "$JS.ACK.LOGS.liveward-bus.>"
	)
	f := func(want string, subscribe []string, publish ...string) {
		t.Helper()
		b := startBroker(t, func(o *server.Options) {
			o.Users = []*server.User{
				{Username: "admin", Password: "admin"},
				{Username: "agent", Password: "agent", Permissions: &server.Permissions{
					Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe},
				}},
			}
		})
		b.user = "admin:admin@"
		b.stream(1, "logs")
		cfg := nats.Config{URLs: []string{b.ClientURL()}, Stream: "LOGS", Login: nats.Login{User: "agent", Password: secret("agent")}}
		check(t, cfg, "ok server", want)
		// What suffices for the check suffices for the collector.
		if strings.HasPrefix(want, "ok") {
			sink := collectorstest.NewSink(t)
			run := collectorstest.Start(t, newCollector(t, cfg, nil, time.Now), sink)
			js, err := jetstream.New(b.connect())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := js.Publish(t.Context(), "logs", []byte("one")); err != nil {
				t.Fatal(err)
			}
			sink.WaitLines(1)
			await(t, "the acknowledgement", func() bool {
				c, err := js.Consumer(t.Context(), "LOGS", "liveward-bus")
				return err == nil && c.CachedInfo().AckFloor.Stream == 1
			})
			run.Stop(t)
			check(t, cfg, "ok server", "ok stream LOGS: is read by consumer")
		}
	}
	inbox := []string{"_INBOX.>"}
	f("ok stream LOGS: is there", inbox, info, create, next, ack)
	f("wrong stream LOGS: the user may not publish to "+info+": grant it", inbox, create, next, ack)
	f("wrong stream LOGS: the user may not publish to "+create+": grant it", inbox, info, next, ack)
	f("wrong stream LOGS: the user may not publish to "+next+", $JS.ACK.LOGS.liveward-bus.0", inbox, info, create)
	f("wrong stream LOGS: nats: permissions violation: let the user subscribe to _INBOX.>", []string{"logs"}, info, create, next, ack)
}

func TestCheckSubject(t *testing.T) {
	b := startBroker(t, func(o *server.Options) {
		o.JetStream = false
		o.Users = []*server.User{{Username: "agent", Password: "agent", Permissions: &server.Permissions{
			Subscribe: &server.SubjectPermission{Allow: []string{"logs"}},
		}}}
	})
	cfg := nats.Config{URLs: []string{b.ClientURL()}, Subjects: []string{"logs"}, Login: nats.Login{User: "agent", Password: secret("agent")}}
	check(t, cfg, "ok server", "ok subject logs: may be read")
	cfg.Queue = "agents"
	check(t, cfg, "ok server", "unknown subject logs: whether queue group agents may be joined shows at the start")
	cfg.Queue, cfg.Subjects = "", []string{"others"}
	check(t, cfg, "ok server", "wrong subject others: nats: permissions violation: let the user subscribe to it")
}
