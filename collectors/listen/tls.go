package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
)

// TLS is what a listener proves itself with, and asks of its peers. PEM.
type TLS struct {
	Certificate []byte // chain, the listener's own first
	Key         []byte
	ClientCA    []byte // where set, peers must show a certificate signed by one of these
}

// Identity is a TLS that may change while listeners are open: a handshake takes what is there when it
// begins, and a connection keeps what it began with. Its methods may be called at any time.
type Identity struct{ current atomic.Pointer[tls.Config] }

// NewIdentity makes an identity.
func NewIdentity(t TLS) (*Identity, error) {
	i := new(Identity)
	if err := i.Change(t); err != nil {
		return nil, err
	}
	return i, nil
}

// Change takes another certificate, or other client CAs. An error leaves what was there.
func (i *Identity) Change(t TLS) error {
	pair, err := tls.X509KeyPair(t.Certificate, t.Key)
	if err != nil {
		return fmt.Errorf("certificate and key: %w", err)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if len(t.ClientCA) > 0 {
		cfg.ClientCAs = x509.NewCertPool()
		if !cfg.ClientCAs.AppendCertsFromPEM(t.ClientCA) {
			return errors.New("client CA holds no certificate")
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	// Sessions of before are not resumed: they were agreed on under what was there then.
	cfg.SessionTicketsDisabled = true
	i.current.Store(cfg)
	return nil
}

// Server is the configuration of listeners; nil for no identity.
func (i *Identity) Server() *tls.Config {
	if i == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return i.current.Load(), nil },
	}
}

// Mutual tells whether peers must show a certificate.
func (i *Identity) Mutual() bool { return i != nil && i.current.Load().ClientCAs != nil }
