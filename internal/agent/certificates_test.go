package agent

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/listen"
)

// A certificate is taken when its files have changed and fit; until then the old one stays, and what is
// wrong is told of once.
func TestCertificatesThatChange(t *testing.T) {
	dir := t.TempDir()
	cfg := TLSConfig{CertFile: filepath.Join(dir, "cert.pem"), Key: SecretRef{"file", filepath.Join(dir, "key.pem")}}
	written := time.Now()
	write := func(path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		written = written.Add(time.Second) // file systems may be coarse
		if err := os.Chtimes(path, written, written); err != nil {
			t.Fatal(err)
		}
	}
	before, after := collectorstest.NewAuthority(t), collectorstest.NewAuthority(t)
	certificate, key := before.Issue(t, "before")
	write(cfg.CertFile, certificate)
	write(cfg.Key.name, key)
	of, err := cfg.read()
	if err != nil {
		t.Fatal(err)
	}
	id, err := listen.NewIdentity(of)
	if err != nil {
		t.Fatal(err)
	}
	var certs certificates
	certs.add(&cfg, id)
	var told bytes.Buffer
	log := slog.New(slog.NewTextHandler(&told, nil))
	shown := func() string {
		t.Helper()
		client, server := net.Pipe()
		defer func() { _, _ = client.Close(), server.Close() }()
		go func() { _ = tls.Server(server, id.Server()).Handshake() }()
		conn := tls.Client(client, &tls.Config{InsecureSkipVerify: true, VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error { return nil }})
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	look := func() { certs.all[0].renew(log) }

	look()
	if got := shown(); got != "before" || told.Len() > 0 {
		t.Errorf("shown %s, told %s", got, &told)
	}
	certificate, key = after.Issue(t, "after")
	write(cfg.CertFile, certificate)
	look()
	look()
	if got := shown(); got != "before" {
		t.Errorf("between the two files %s is shown", got)
	}
	if n := strings.Count(told.String(), "cannot be used"); n != 1 {
		t.Errorf("told of %d times:\n%s", n, &told)
	}
	write(cfg.Key.name, key)
	look()
	if got := shown(); got != "after" {
		t.Errorf("%s is shown", got)
	}
	if err := os.Remove(cfg.CertFile); err != nil {
		t.Fatal(err)
	}
	look()
	if got := shown(); got != "after" {
		t.Errorf("without a file %s is shown", got)
	}
}
