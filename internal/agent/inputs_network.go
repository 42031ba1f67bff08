package agent

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/listen"
	"github.com/liveward/liveward/collectors/otlp"
	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/collectors/syslog"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// inputLoader checks one input. Paths it reports at are below the kind's key.
type inputLoader struct {
	f     *strict.File
	at    string // such as inputs[0].push
	in    *InputConfig
	certs *certificates
	taken map[string]string // addresses that are listened on, and by which input
	bad   bool              // something was reported
}

func (l *inputLoader) problem(key, message, hint string) {
	l.bad = true
	at := l.at
	if key != "" {
		at += "." + key
	}
	l.f.Problem(at, message, hint)
}

// secrets reads secrets of a length at least.
func (l *inputLoader) secrets(key string, refs []SecretRef, shortest int) []string {
	var out []string
	for i, ref := range refs {
		if s := l.secret(fmt.Sprintf("%s[%d]", key, i), ref, shortest); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (l *inputLoader) secret(key string, ref SecretRef, shortest int) string {
	if ref.IsZero() {
		l.bad = true
		if l.f.Has(l.at+"."+key) && l.f.Err() != nil {
			return "" // what stands there is no reference, and that is reported
		}
		l.problem(key, "no secret", "use ${env:NAME}, ${file:/path} or ${cred:name}")
		return ""
	}
	s, err := ref.Resolve()
	if err != nil {
		l.problem(key, err.Error(), "")
		return ""
	}
	if len(s.Reveal()) < shortest {
		l.problem(key, fmt.Sprintf("is shorter than %d characters", shortest), "make one with: openssl rand -hex 32")
		return ""
	}
	return s.Reveal()
}

// networks reads a list of networks or addresses.
func (l *inputLoader) networks(key string, list []string) []netip.Prefix {
	var out []netip.Prefix
	for i, s := range list {
		p, err := event.ParseOwnNetwork(s)
		if err != nil {
			l.problem(fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%q is %v", s, err), "")
			continue
		}
		out = append(out, p)
	}
	return out
}

// address checks an address to listen on, and that no other input has it. It tells whether other
// hosts can reach it.
func (l *inputLoader) address(network, key, address string) (open bool) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		l.problem(key, fmt.Sprintf("%q is no address", address), "use host:port, such as 127.0.0.1:8088 or 0.0.0.0:8443")
		return false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		l.problem(key, fmt.Sprintf("%q is no port", port), "use a number up to 65535")
		return false
	}
	open = !listen.Loopback(address)
	if port == "0" {
		return open // the system chooses
	}
	full := network + "/" + address
	if other, ok := l.taken[full]; ok {
		l.problem(key, fmt.Sprintf("input %s listens on %s already", other, address), "choose another port")
		return open
	}
	l.taken[full] = l.in.Name
	return open
}

func (l *inputLoader) positive(key string, n int) {
	if n < 0 {
		l.problem(key, "is below zero", "")
	}
}

// identity reads the certificate of a listener; nil where there is none.
func (l *inputLoader) identity(c *TLSConfig) *listen.Identity {
	if c.isZero() {
		return nil
	}
	if c.CertFile == "" {
		l.problem("tls", "no certificate", "set cert_file")
	}
	if c.Key.IsZero() {
		l.problem("tls", "no key of the certificate", "set key: ${file:/path/key.pem}")
	}
	if c.CertFile == "" || c.Key.IsZero() {
		return nil
	}
	of, err := c.read()
	if err != nil {
		l.problem("tls", err.Error(), "")
		return nil
	}
	id, err := listen.NewIdentity(of)
	if err != nil {
		l.problem("tls", err.Error(), "")
		return nil
	}
	l.certs.add(c, id)
	return id
}

func (c *TLSConfig) read() (listen.TLS, error) {
	var t listen.TLS
	var err error
	if t.Certificate, err = os.ReadFile(c.CertFile); err != nil {
		return t, fmt.Errorf("certificate: %w", err)
	}
	key, err := c.Key.Resolve()
	if err != nil {
		return t, fmt.Errorf("key: %w", err)
	}
	t.Key = []byte(key.Reveal())
	if c.ClientCAFile != "" {
		if t.ClientCA, err = os.ReadFile(c.ClientCAFile); err != nil {
			return t, fmt.Errorf("client CA: %w", err)
		}
	}
	return t, nil
}

// shortest is the length of secrets that senders prove themselves with.
const shortest = 16

// makeHTTP makes the collector of a kind that takes requests.
type makeHTTP func(cfg push.Config, resume []event.Position, now func() time.Time, log *slog.Logger) (*push.Collector, error)

func (c *PushConfig) lateness() time.Duration { return 2 * time.Minute }

func (c *PushConfig) plan(l *inputLoader) (maker, string) {
	return c.maker(l, c.config(l), push.New), "push on " + c.url() + c.proof()
}

func (c *OTLPConfig) lateness() time.Duration { return time.Minute }

func (c *OTLPConfig) plan(l *inputLoader) (maker, string) {
	p := (*PushConfig)(c)
	return p.maker(l, p.config(l), otlp.New), "otlp on " + p.url() + p.proof()
}

// maker makes a kind's collector, and asks it what it thinks of the configuration.
func (c *PushConfig) maker(l *inputLoader, cfg push.Config, make makeHTTP) maker {
	l.try(func() error { _, err := make(cfg, nil, time.Now, slog.New(slog.DiscardHandler)); return err })
	return func(resume []event.Position, now func() time.Time, log *slog.Logger) (collectors.Collector, error) {
		return make(cfg, resume, now, log)
	}
}

// config checks the keys that all kinds over HTTP have.
func (c *PushConfig) config(l *inputLoader) push.Config {
	cfg := push.Config{
		Source: l.in.Name, Address: c.Listen, Path: c.Path, Allow: l.networks("allow", c.Allow), TLS: l.identity(&c.TLS),
		Auth: push.Auth{
			Tokens: l.secrets("tokens", c.Tokens, shortest), Secrets: l.secrets("signing_secrets", c.SigningSecrets, shortest),
			Tolerance: time.Duration(c.Tolerance),
		},
		MaxBody: int64(c.MaxBody), MaxMemory: max(256<<20, 4*int64(c.MaxBody)), MaxLine: int(l.in.MaxLine),
		MaxRequests: c.MaxRequests, MaxConns: c.MaxConnections, MaxRate: c.MaxRate,
	}
	open := l.address("tcp", "listen", c.Listen)
	for i, u := range c.Users {
		key := fmt.Sprintf("users[%d]", i)
		if u.Name == "" || strings.Contains(u.Name, ":") {
			l.problem(key+".name", "a user needs a name without a colon", "")
		}
		if password := l.secret(key+".password", u.Password, shortest); password != "" {
			cfg.Auth.Users = append(cfg.Auth.Users, push.User{Name: u.Name, Password: password})
		}
	}
	if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
		l.problem("path", "does not begin with /", "")
	}
	if time.Duration(c.Tolerance) < time.Second {
		l.problem("tolerance", "is below a second", "")
	}
	l.positive("max_requests", c.MaxRequests)
	l.positive("max_connections", c.MaxConnections)
	l.positive("max_rate", c.MaxRate)
	if open {
		if c.TLS.isZero() {
			l.problem("listen", "other hosts can reach this address, and there is no certificate", "set tls, or listen on 127.0.0.1")
		}
		if len(c.Tokens)+len(c.Users)+len(c.SigningSecrets) == 0 && c.TLS.ClientCAFile == "" {
			l.problem("listen", "other hosts can reach this address, and anybody is let in", "set tokens, users, signing_secrets or tls.client_ca_file")
		}
	}
	return cfg
}

// try is the last guard: what the collector itself refuses.
func (l *inputLoader) try(make func() error) {
	if l.bad {
		return
	}
	if err := make(); err != nil {
		l.problem("", err.Error(), "")
	}
}

func (c *PushConfig) url() string {
	scheme := "http"
	if !c.TLS.isZero() {
		scheme = "https"
	}
	return scheme + "://" + c.Listen + c.Path
}

// proof says how senders prove who they are.
func (c *PushConfig) proof() string {
	var ways []string
	add := func(n int, way string) {
		if n > 0 {
			ways = append(ways, way)
		}
	}
	add(len(c.Tokens), "bearer tokens")
	add(len(c.Users), "basic authentication")
	add(len(c.SigningSecrets), "signatures")
	s := ", no authentication"
	if len(ways) > 0 {
		s = ", " + strings.Join(ways, " or ")
	}
	if c.TLS.ClientCAFile != "" {
		s = strings.TrimSuffix(s, ", no authentication") + ", client certificates"
	}
	if len(c.Allow) > 0 {
		s += ", from " + strings.Join(c.Allow, ", ")
	}
	return s
}

func (c *SyslogConfig) lateness() time.Duration { return time.Duration(DefaultInput().Lateness) }

func (c *SyslogConfig) plan(l *inputLoader) (maker, string) {
	cfg := syslog.Config{
		Source: l.in.Name, UDP: c.UDP, TCP: c.TCP, Secure: c.Secure, TLS: l.identity(&c.TLS), Allow: l.networks("allow", c.Allow),
		Framing: syslog.Framing(c.Framing), KeepHeader: c.KeepHeader, MaxLine: min(int(l.in.MaxLine), 64<<10),
		Buffer: int(c.Buffer), MaxConns: c.MaxConnections,
	}
	var on []string
	for _, a := range []struct{ network, key, address string }{{"udp", "udp", c.UDP}, {"tcp", "tcp", c.TCP}, {"tcp", "secure", c.Secure}} {
		if a.address == "" {
			continue
		}
		on = append(on, a.key+" "+a.address)
		open := l.address(a.network, a.key, a.address)
		switch {
		case a.key == "secure" && c.TLS.isZero():
			l.problem(a.key, "there is no certificate", "set tls")
		case a.key == "secure" && open && len(c.Allow) == 0 && c.TLS.ClientCAFile == "":
			l.problem(a.key, "other hosts can reach this address, and anybody is let in", "set tls.client_ca_file or allow")
		case a.key != "secure" && open && len(c.Allow) == 0:
			l.problem(a.key, "other hosts can reach this address, and anybody is let in", "set allow, or use secure with tls.client_ca_file")
		}
	}
	if len(on) == 0 {
		l.problem("", "no address", "set udp, tcp or secure, such as tcp: 127.0.0.1:6514")
	}
	if c.Secure == "" && !c.TLS.isZero() {
		l.problem("tls", "nothing uses it", "set secure: host:port")
	}
	switch cfg.Framing {
	case syslog.FramingAuto, syslog.FramingOctet, syslog.FramingNewline:
	default:
		l.problem("framing", fmt.Sprintf("unknown framing %q", c.Framing), "use auto, octet or newline")
	}
	l.positive("max_connections", c.MaxConnections)
	l.try(func() error { _, err := syslog.New(cfg, nil, time.Now, slog.New(slog.DiscardHandler)); return err })
	what := "syslog on " + strings.Join(on, ", ")
	if c.TLS.ClientCAFile != "" {
		what += ", client certificates"
	}
	if len(c.Allow) > 0 {
		what += ", from " + strings.Join(c.Allow, ", ")
	}
	return func(resume []event.Position, now func() time.Time, log *slog.Logger) (collectors.Collector, error) {
		return syslog.New(cfg, resume, now, log)
	}, what
}
