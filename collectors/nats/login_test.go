package nats_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/nats"
)

// nkey is a key pair as NATS writes them: what it is for, the key, and a checksum, in base32.
type nkey struct {
	ed25519.PrivateKey
	kind byte // what public keys begin with: O, A or U
}

func newNkey(t testing.TB, kind byte) nkey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return nkey{key, kind}
}

func (k nkey) prefix() byte { return (k.kind - 'A') << 3 }

func (k nkey) public() string {
	return checked(append([]byte{k.prefix()}, k.Public().(ed25519.PublicKey)...))
}

func (k nkey) seed() string {
	const seeds = byte('S'-'A') << 3
	return checked(append([]byte{seeds | k.prefix()>>5, k.prefix() & 31 << 3}, k.Seed()...))
}

// checked appends CRC-16/XMODEM, and encodes.
func checked(b []byte) string {
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(b, byte(crc), byte(crc>>8)))
}

// token is a JWT that k signs about somebody.
func (k nkey) token(t testing.TB, subject string, what map[string]any) string {
	t.Helper()
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	what["version"] = 2
	signed := encode(map[string]string{"typ": "JWT", "alg": "ed25519-nkey"}) + "." +
		encode(map[string]any{"jti": "1", "iat": time.Now().Unix(), "iss": k.public(), "sub": subject, "nats": what})
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(k.PrivateKey, []byte(signed)))
}

// credentials are a file of a user of the account.
func (k nkey) credentials(t testing.TB) string {
	t.Helper()
	user := newNkey(t, 'U')
	token := k.token(t, user.public(), map[string]any{"type": "user", "subs": -1, "data": -1, "payload": -1})
	return "-----BEGIN NATS USER JWT-----\n" + token + "\n------END NATS USER JWT------\n\n" +
		"-----BEGIN USER NKEY SEED-----\n" + user.seed() + "\n------END USER NKEY SEED------\n"
}

// operated makes a server let in whoever has credentials of the account.
func operated(t testing.TB, operator, account nkey) func(*server.Options) {
	t.Helper()
	accounts := &server.MemAccResolver{}
	none := map[string]any{}
	token := operator.token(t, account.public(), map[string]any{
		"type": "account", "default_permissions": map[string]any{"pub": none, "sub": none},
		"limits": map[string]any{"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1},
	})
	if err := accounts.Store(account.public(), token); err != nil {
		t.Fatal(err)
	}
	return func(o *server.Options) {
		o.JetStream, o.TrustedKeys, o.AccountResolver = false, []string{operator.public()}, accounts
	}
}

// write writes a file as somebody would who replaces it.
func write(t testing.TB, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func secret(s string) func() (string, error) { return func() (string, error) { return s, nil } }

func latest(s *atomic.Pointer[string]) func() (string, error) {
	return func() (string, error) { return *s.Load(), nil }
}

func always(t nats.TLS) func() (nats.TLS, error) { return func() (nats.TLS, error) { return t, nil } }

// secured makes a server show a certificate of an authority, and ask for one.
func secured(t testing.TB, ca *collectorstest.Authority) func(*server.Options) {
	t.Helper()
	certificate, key := ca.Issue(t, "broker")
	dir := t.TempDir()
	cfg, err := server.GenTLSConfig(&server.TLSConfigOpts{
		CertFile: write(t, filepath.Join(dir, "cert.pem"), string(certificate)), KeyFile: write(t, filepath.Join(dir, "key.pem"), string(key)),
		CaFile: write(t, filepath.Join(dir, "ca.pem"), string(ca.PEM)), Verify: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(o *server.Options) { o.TLSConfig, o.TLSTimeout, o.TLSVerify = cfg, 5, true }
}

// Each way to log in, and none.
func TestLogin(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string { return write(t, filepath.Join(dir, name), content) }
	f := func(name string, b *broker, ok bool, login nats.Login, of func() (nats.TLS, error)) {
		t.Helper()
		c := newCollector(t, nats.Config{URLs: []string{b.ClientURL()}, Subjects: []string{"logs"}, Login: login, TLS: of}, nil, time.Now)
		sink := collectorstest.NewSink(t)
		run := collectorstest.Start(t, c, sink)
		if !ok {
			if err := run.Wait(t); err == nil || strings.Contains(err.Error(), "secret-of") {
				t.Errorf("%s: Collect returned %v", name, err)
			}
			return
		}
		sink.Wait("a tick", func() bool { _, ticks := sink.Counts(); return ticks > 0 })
		run.Stop(t)
	}
	t.Run("token and TLS", func(t *testing.T) {
		ca := collectorstest.NewAuthority(t)
		certificate, key := ca.Issue(t, "agent")
		withTLS := secured(t, ca)
		b := startBroker(t, func(o *server.Options) { withTLS(o); o.Authorization, o.JetStream = "secret-of-the-broker", false })
		right := nats.Login{Token: secret("secret-of-the-broker")}
		both := nats.TLS{CA: ca.PEM, Certificate: certificate, Key: key}
		f("all", b, true, right, always(both))
		f("wrong token", b, false, nats.Login{Token: secret("secret-of-nobody")}, always(both))
		f("no token", b, false, nats.Login{}, always(both))
		f("no client certificate", b, false, right, always(nats.TLS{CA: ca.PEM}))
		f("another authority", b, false, right, always(nats.TLS{CA: collectorstest.NewAuthority(t).PEM, Certificate: certificate, Key: key}))
	})
	t.Run("password", func(t *testing.T) {
		b := startBroker(t, func(o *server.Options) { o.Username, o.Password, o.JetStream = "agent", "secret-of-the-agent", false })
		f("right", b, true, nats.Login{User: "agent", Password: secret("secret-of-the-agent")}, nil)
		f("wrong", b, false, nats.Login{User: "agent", Password: secret("secret-of-nobody")}, nil)
	})
	t.Run("nkey", func(t *testing.T) {
		user := newNkey(t, 'U')
		b := startBroker(t, func(o *server.Options) { o.Nkeys, o.JetStream = []*server.NkeyUser{{Nkey: user.public()}}, false })
		f("right", b, true, nats.Login{NkeyFile: file("user.nk", user.seed())}, nil)
		f("unknown", b, false, nats.Login{NkeyFile: file("other.nk", newNkey(t, 'U').seed())}, nil)
		f("none", b, false, nats.Login{}, nil)
	})
	t.Run("credentials", func(t *testing.T) {
		operator, account := newNkey(t, 'O'), newNkey(t, 'A')
		b := startBroker(t, operated(t, operator, account))
		f("right", b, true, nats.Login{CredsFile: file("user.creds", account.credentials(t))}, nil)
		f("of another account", b, false, nats.Login{CredsFile: file("other.creds", newNkey(t, 'A').credentials(t))}, nil)
		f("none", b, false, nats.Login{}, nil)
	})
}

// What is replaced while the collector runs is what it shows and trusts when it connects again.
func TestReplacedWhileConnected(t *testing.T) {
	// replace makes what both sides know each other by: for the server, and for the collector.
	f := func(name string, replace func(t *testing.T) (func(*server.Options), nats.Config)) {
		t.Run(name, func(t *testing.T) {
			options, cfg := replace(t)
			b := startBroker(t, options)
			cfg.URLs, cfg.Subjects = []string{b.ClientURL()}, []string{"logs"}
			c := newCollector(t, cfg, nil, time.Now)
			sink := collectorstest.NewSink(t)
			run := collectorstest.Start(t, c, sink)
			sink.Wait("a tick", func() bool { _, ticks := sink.Counts(); return ticks > 0 })
			options, _ = replace(t)
			again := b.again(options)
			await(t, "the connection", func() bool { return again.subscribed("logs") })
			run.Stop(t)
		})
	}
	dir := t.TempDir()
	var shown atomic.Pointer[nats.TLS]
	material := func(t *testing.T) (func(*server.Options), nats.Config) {
		authority := collectorstest.NewAuthority(t)
		certificate, private := authority.Issue(t, "agent")
		shown.Store(&nats.TLS{CA: authority.PEM, Certificate: certificate, Key: private})
		withTLS := secured(t, authority)
		return func(o *server.Options) { withTLS(o); o.JetStream = false },
			nats.Config{TLS: func() (nats.TLS, error) { return *shown.Load(), nil }}
	}
	f("certificates", material)

	var current atomic.Pointer[string]
	read := latest(&current)
	tokens := func(*testing.T) (func(*server.Options), nats.Config) {
		token := rand.Text()
		current.Store(&token)
		return func(o *server.Options) { o.Authorization, o.JetStream = token, false }, nats.Config{Login: nats.Login{Token: read}}
	}
	f("token", tokens)
	passwords := func(*testing.T) (func(*server.Options), nats.Config) {
		password := rand.Text()
		current.Store(&password)
		return func(o *server.Options) { o.Username, o.Password, o.JetStream = "agent", password, false },
			nats.Config{Login: nats.Login{User: "agent", Password: read}}
	}
	f("password", passwords)

	operator := newNkey(t, 'O')
	credentials := func(t *testing.T) (func(*server.Options), nats.Config) {
		account := newNkey(t, 'A')
		path := write(t, filepath.Join(dir, "user.creds"), account.credentials(t))
		return operated(t, operator, account), nats.Config{Login: nats.Login{CredsFile: path}}
	}
	f("credentials", credentials)
}

// A secret that cannot be read for a moment is what it was; one that cannot be read at all is said so.
func TestSecretThatCannotBeRead(t *testing.T) {
	b := startBroker(t, func(o *server.Options) { o.Authorization, o.JetStream = "right", false })
	gone := errors.New("no such file")
	reads := 0
	login := nats.Login{Token: func() (string, error) {
		if reads++; reads > 2 { // New, and the start of Collect
			return "", gone
		}
		return "right", nil
	}}
	c := newCollector(t, nats.Config{URLs: []string{b.ClientURL()}, Subjects: []string{"logs"}, Login: login}, nil, time.Now)
	sink := collectorstest.NewSink(t)
	run := collectorstest.Start(t, c, sink)
	sink.Wait("a tick", func() bool { _, ticks := sink.Counts(); return ticks > 0 })
	run.Stop(t)

	_, err := nats.New(nats.Config{Source: "bus", URLs: []string{b.ClientURL()}, Subjects: []string{"logs"}, Login: login}, nil, time.Now, slog.New(slog.DiscardHandler))
	if !errors.Is(err, gone) {
		t.Errorf("New returned %v", err)
	}
}

// A seed that is replaced ends the connection, and the next run begins with it.
func TestReplacedSeed(t *testing.T) {
	dir := t.TempDir()
	before, after := newNkey(t, 'U'), newNkey(t, 'U')
	path := write(t, filepath.Join(dir, "user.nk"), before.seed())
	users := func(k nkey) func(*server.Options) {
		return func(o *server.Options) { o.Nkeys, o.JetStream = []*server.NkeyUser{{Nkey: k.public()}}, false }
	}
	b := startBroker(t, users(before))
	cfg := nats.Config{URLs: []string{b.ClientURL()}, Subjects: []string{"logs"}, Login: nats.Login{NkeyFile: path}}
	sink := collectorstest.NewSink(t)
	run := collectorstest.Start(t, newCollector(t, cfg, nil, time.Now), sink)
	sink.Wait("a tick", func() bool { _, ticks := sink.Counts(); return ticks > 0 })
	write(t, path, after.seed())
	again := b.again(users(after))
	if err := run.Wait(t); !errors.Is(err, natsgo.ErrConnectionClosed) && !errors.Is(err, natsgo.ErrAuthorization) {
		t.Fatalf("Collect returned %v", err)
	}
	run = collectorstest.Start(t, newCollector(t, cfg, nil, time.Now), sink)
	await(t, "the connection", func() bool { return again.subscribed("logs") })
	run.Stop(t)
}

// A subject that may not be read is an error, and not one on which nothing comes.
func TestForbiddenSubject(t *testing.T) {
	b := startBroker(t, func(o *server.Options) {
		o.JetStream = false
		o.Users = []*server.User{{Username: "agent", Password: "right", Permissions: &server.Permissions{
			Subscribe: &server.SubjectPermission{Allow: []string{"other"}},
		}}}
	})
	cfg := nats.Config{URLs: []string{b.ClientURL()}, Subjects: []string{"logs"}, Login: nats.Login{User: "agent", Password: secret("right")}}
	run := collectorstest.Start(t, newCollector(t, cfg, nil, time.Now), collectorstest.NewSink(t))
	if err := run.Wait(t); !errors.Is(err, natsgo.ErrPermissionViolation) {
		t.Errorf("Collect returned %v", err)
	}
}

// again stops a server and starts another where it was.
func (b *broker) again(change func(*server.Options)) *broker {
	b.t.Helper()
	port := b.Addr().(*net.TCPAddr).Port
	b.Shutdown()
	b.WaitForShutdown()
	return startBroker(b.t, func(o *server.Options) { change(o); o.Port = port })
}

// subscribed tells whether a client has a subscription, of whatever account it is.
func (b *broker) subscribed(subject string) bool {
	b.t.Helper()
	clients, err := b.Connz(&server.ConnzOptions{Subscriptions: true})
	if err != nil {
		b.t.Fatal(err)
	}
	return slices.ContainsFunc(clients.Conns, func(c *server.ConnInfo) bool { return slices.Contains(c.Subs, subject) })
}
