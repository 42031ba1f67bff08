package push_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/listen"
	"github.com/liveward/liveward/collectors/push"
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
	// An address others can reach needs no more than the client CA.
	c := newCollector(t, push.Config{Address: "0.0.0.0:0", TLS: identity(t, listen.TLS{Certificate: cert, Key: key, ClientCA: ca.pem})}, nil, time.Now)
	run := collectorstest.Start(t, c, sink)
	_, port, err := net.SplitHostPort(c.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	post := func(by *authority, most uint16) error {
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
		tr := &http.Transport{TLSClientConfig: cfg}
		defer tr.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://127.0.0.1:"+port, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: tr}).Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("answered %d", resp.StatusCode)
		}
		return nil
	}
	if err := post(ca, tls.VersionTLS13); err != nil {
		t.Error(err)
	}
	if err := post(ca, tls.VersionTLS12); err != nil {
		t.Error(err)
	}
	if post(ca, tls.VersionTLS11) == nil {
		t.Error("TLS 1.1 is taken")
	}
	if post(nil, tls.VersionTLS13) == nil {
		t.Error("no certificate is taken")
	}
	if post(other, tls.VersionTLS13) == nil {
		t.Error("a stranger's certificate is taken")
	}
	run.Stop(t)
	if n := len(sink.Lines()); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}
