package agent

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/nats"
	"github.com/liveward/liveward/internal/event"
)

func (c *NATSConfig) lateness() time.Duration { return time.Minute }

func (c *NATSConfig) plan(l *inputLoader) (maker, string) {
	cfg := nats.Config{
		Source: l.in.Name, URLs: c.URLs, Stream: c.Stream, Consumer: c.Consumer, Subjects: c.Subjects, Queue: c.Queue,
		Start: nats.Start(l.in.Start), MaxLine: int(l.in.MaxLine), Plaintext: c.AllowPlaintext,
		AckWait: time.Duration(c.AckWait), Buffer: int(c.Buffer),
	}
	if len(c.URLs) == 0 {
		l.problem("urls", "no address of a server", "set urls: [tls://nats.bank.example:4222]")
	}
	if c.Stream == "" && len(c.Subjects) != 1 {
		l.problem("stream", "neither a stream nor one subject", "set stream, or one of subjects for messages that may be lost")
	}
	if cfg.AckWait <= 10*time.Second {
		l.problem("ack_wait", "leaves no time to wait for the journal", "use 30s or more")
	}
	cfg.Login = c.login(l)
	cfg.TLS = c.tls(l)
	l.try(func() error { _, err := nats.New(cfg, nil, time.Now, slog.New(slog.DiscardHandler)); return err })
	return func(resume []event.Position, now func() time.Time, log *slog.Logger) (collectors.Collector, error) {
		return nats.New(cfg, resume, now, log)
	}, c.what(l.in.Name)
}

func (c *NATSConfig) login(l *inputLoader) nats.Login {
	login := nats.Login{CredsFile: c.CredsFile, NkeyFile: c.NkeyFile, User: c.User}
	ways := 0
	for _, given := range []bool{c.CredsFile != "", c.NkeyFile != "", !c.Token.IsZero(), c.User != ""} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		l.problem("", "several ways to log in", "use one of creds_file, nkey_file, token and user")
	}
	if !c.Token.IsZero() {
		l.secret("token", c.Token, 1)
		login.Token = c.Token.reader()
	}
	if c.User != "" {
		l.secret("password", c.Password, 1)
		login.Password = c.Password.reader()
	}
	for key, path := range map[string]string{"creds_file": c.CredsFile, "nkey_file": c.NkeyFile} {
		if path == "" {
			continue
		}
		st, err := os.Stat(path)
		switch {
		case err != nil:
			l.problem(key, err.Error(), "")
		case st.Mode().Perm()&0o077 != 0:
			l.problem(key, fmt.Sprintf("%s is readable by others", path), "chmod 600 "+path)
		}
	}
	return login
}

// tls checks the files of certificates, and returns what reads them; nil where there are none.
func (c *NATSConfig) tls(l *inputLoader) func() (nats.TLS, error) {
	if c.CAFile == "" && c.ClientCert == "" && c.ClientKey.IsZero() {
		return nil
	}
	if !c.ClientKey.IsZero() {
		l.secret("client_key", c.ClientKey, 1)
	}
	l.file("ca_file", c.CAFile)
	l.file("client_cert", c.ClientCert)
	return func() (t nats.TLS, err error) {
		if c.CAFile != "" {
			if t.CA, err = os.ReadFile(c.CAFile); err != nil {
				return t, fmt.Errorf("ca_file: %w", err)
			}
		}
		if c.ClientCert != "" {
			if t.Certificate, err = os.ReadFile(c.ClientCert); err != nil {
				return t, fmt.Errorf("client_cert: %w", err)
			}
		}
		key, err := c.ClientKey.Resolve()
		if err != nil {
			return t, fmt.Errorf("client_key: %w", err)
		}
		t.Key = []byte(key.Reveal())
		return t, nil
	}
}

// file looks whether a file that is no secret can be read.
func (l *inputLoader) file(key, path string) {
	if path == "" {
		return
	}
	if _, err := os.ReadFile(path); err != nil {
		l.problem(key, err.Error(), "")
	}
}

func (c *NATSConfig) what(input string) string {
	if c.Stream == "" {
		return "nats subject " + strings.Join(c.Subjects, ", ") + ", at most once"
	}
	consumer := c.Consumer
	if consumer == "" {
		consumer = "liveward-" + input
	}
	return "nats stream " + c.Stream + " by consumer " + consumer
}
