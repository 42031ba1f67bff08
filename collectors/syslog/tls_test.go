package syslog_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/listen"
	"github.com/liveward/liveward/collectors/syslog"
)

// authority signs certificates of one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func issue(t *testing.T, name string, by *authority) (certificate, key []byte, a *authority) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: by == nil,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := tmpl, k
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &k.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	return certificate, key, &authority{cert, k, certificate}
}

func identity(t *testing.T, of listen.TLS) *listen.Identity {
	t.Helper()
	id, err := listen.NewIdentity(of)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestMutualTLS(t *testing.T) {
	_, _, ca := issue(t, "ca", nil)
	_, _, other := issue(t, "another ca", nil)
	cert, key, _ := issue(t, "server", ca)
	sink := collectorstest.NewSink(t)
	c := newCollector(t, syslog.Config{Secure: "127.0.0.1:0", TLS: identity(t, listen.TLS{Certificate: cert, Key: key, ClientCA: ca.pem})}, nil, time.Now)
	run := collectorstest.Start(t, c, sink)
	send := func(by *authority, most uint16, text string) {
		cfg := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS10, MaxVersion: most}
		cfg.RootCAs.AddCert(ca.cert)
		if by != nil {
			cert, key, _ := issue(t, "client", by)
			pair, err := tls.X509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Certificates = []tls.Certificate{pair}
		}
		conn, err := tls.Dial("tcp", c.Addr("tls").String(), cfg)
		if err != nil {
			return // refused, or so it seems; the lines tell
		}
		_, _ = io.WriteString(conn, head+text+"\n")
		_ = conn.Close()
	}
	send(ca, tls.VersionTLS13, "1.3")
	sink.WaitLines(1)
	send(ca, tls.VersionTLS12, "1.2")
	sink.WaitLines(2)
	send(ca, tls.VersionTLS11, "1.1")
	send(nil, tls.VersionTLS13, "none")
	send(other, tls.VersionTLS13, "stranger")
	waitFor(t, "the refusals", func() bool { return c.Stats().Handshakes == 3 })
	run.Stop(t)
	if got := sink.Texts(); len(got) != 2 || got[0] != "1.3" || got[1] != "1.2" {
		t.Errorf("lines %q", got)
	}
}
