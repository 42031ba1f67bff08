package elasticsearch

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// FingerprintError says that no certificate of the server's chain has the configured fingerprint.
type FingerprintError struct{ Sent int }

// Error implements error.
func (e *FingerprintError) Error() string {
	return fmt.Sprintf("none of the %d certificates the server sent has the configured fingerprint; "+
		"a server that sends only its own certificate cannot be checked against the fingerprint of its CA: "+
		"append the CA to the server's certificate file, or configure the CA itself", e.Sent)
}

// tls returns the configuration of connections: TLS 1.2 or higher, the server always verified.
func (c Config) tls() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(c.CA) > 0 {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(c.CA) {
			return nil, errors.New("CA: no PEM certificate in it")
		}
	}
	if (len(c.ClientCert) > 0) != (len(c.ClientKey) > 0) {
		return nil, errors.New("client certificate and client key: need both")
	}
	if len(c.ClientCert) > 0 {
		pair, err := tls.X509KeyPair(c.ClientCert, c.ClientKey)
		if err != nil {
			return nil, errors.New("client certificate and client key: not a matching pair in PEM")
		}
		t.Certificates = []tls.Certificate{pair}
	}
	if c.Fingerprint == "" {
		return t, nil
	}
	pin, err := hex.DecodeString(strings.ReplaceAll(c.Fingerprint, ":", ""))
	if err != nil || len(pin) != sha256.Size {
		return nil, fmt.Errorf("fingerprint: want %d hexadecimal digits (SHA-256)", 2*sha256.Size)
	}
	if t.RootCAs != nil {
		// The CA decides as always; the fingerprint must be in the chain as well. The chain holds the CA
		// itself even if the server does not send it.
		t.VerifyConnection = func(s tls.ConnectionState) error {
			for _, chain := range s.VerifiedChains {
				if pinned(chain, pin) != nil {
					return nil
				}
			}
			return &FingerprintError{Sent: len(s.PeerCertificates)}
		}
		return t, nil
	}
	// Without a CA the pinned certificate is the only root. crypto/tls cannot be told so beforehand,
	// since the certificate comes with the handshake: its own check is switched off, and made here with
	// that root. The handshake proves that the server holds the key of the first certificate.
	t.InsecureSkipVerify = true
	addresses := c.addresses()
	t.VerifyConnection = func(s tls.ConnectionState) error { return verifyPinned(s, pin, addresses) }
	return t, nil
}

// addresses are the hosts of the URLs that are IP addresses.
func (c Config) addresses() []string {
	var out []string
	for _, raw := range c.URLs {
		u, err := url.Parse(raw)
		if err != nil {
			continue
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil {
			out = append(out, a.String())
		}
	}
	return out
}

// verifyPinned verifies name, time and chain of the server's certificate with the pinned one as the
// only root. A connection to an IP address has no server name; its certificate must then be that of
// one of the configured addresses.
func verifyPinned(s tls.ConnectionState, pin []byte, addresses []string) error {
	root := pinned(s.PeerCertificates, pin)
	if root == nil {
		return &FingerprintError{Sent: len(s.PeerCertificates)}
	}
	leaf := s.PeerCertificates[0]
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	opts.Roots.AddCert(root)
	for _, c := range s.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(opts); err != nil {
		return err
	}
	if s.ServerName != "" {
		return leaf.VerifyHostname(s.ServerName)
	}
	for _, a := range addresses {
		if leaf.VerifyHostname(a) == nil {
			return nil
		}
	}
	return x509.HostnameError{Certificate: leaf, Host: strings.Join(addresses, " or ")}
}

// pinned returns the certificate that has the fingerprint, or nil.
func pinned(chain []*x509.Certificate, pin []byte) *x509.Certificate {
	for _, c := range chain {
		sum := sha256.Sum256(c.Raw)
		if string(sum[:]) == string(pin) {
			return c
		}
	}
	return nil
}

// untrusted tells whether a connection failed because the server's certificate was not trusted.
func untrusted(err error) bool {
	var fingerprint *FingerprintError
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &fingerprint) || errors.As(err, &verify) || errors.As(err, &authority) ||
		errors.As(err, &host) || errors.As(err, &invalid)
}
