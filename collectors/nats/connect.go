package nats

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/nats-io/nats.go"
)

// Login is how the collector proves who it is. One way at most. All of it is read again at each
// connection, so that what was replaced is used without a restart.
type Login struct {
	CredsFile string                 // of a user's JWT and seed
	NkeyFile  string                 // of a seed
	Token     func() (string, error) // nil: none
	User      string
	Password  func() (string, error)
}

// TLS is what the server is known by, and what the collector shows. PEM.
type TLS struct {
	CA          []byte // authorities to trust; the system's where empty
	Certificate []byte
	Key         []byte
}

// authorities are nil where the system's are meant.
func (t *TLS) authorities() (*x509.CertPool, error) {
	if len(t.CA) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(t.CA) {
		return nil, errors.New("tls: CA holds no certificate")
	}
	return pool, nil
}

// pair is empty where nothing is shown.
func (t *TLS) pair() (tls.Certificate, error) {
	if len(t.Certificate) == 0 && len(t.Key) == 0 {
		return tls.Certificate{}, nil
	}
	pair, err := tls.X509KeyPair(t.Certificate, t.Key)
	if err != nil {
		return pair, fmt.Errorf("tls: certificate and key: %w", err)
	}
	return pair, nil
}

// address tells whether a URL leads to another host, and whether it wants TLS.
func address(s string) (remote, secure bool, err error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls" {
		return false, false, errors.New("an address is no nats://host:port or tls://host:port")
	}
	if u.User != nil {
		return false, false, errors.New("an address has a name or a password in it: log in by the keys for that")
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()), u.Scheme == "tls", nil
}

// connect connects to one of the servers.
func (c *Collector) connect(more ...nats.Option) (*nats.Conn, error) {
	given, err := c.connection()
	if err != nil {
		return nil, err
	}
	options := nats.GetDefaultOptions()
	options.Servers = c.cfg.URLs
	for _, o := range append(given, more...) {
		if err := o(&options); err != nil {
			return nil, err
		}
	}
	nc, err := options.Connect()
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return nc, nil
}

// connection is how the server is connected to, the first time and again.
func (c *Collector) connection() ([]nats.Option, error) {
	options := []nats.Option{
		nats.Name("liveward " + c.cfg.Source), nats.Timeout(connectTime), nats.MaxReconnects(-1), nats.DrainTimeout(drainTime),
		nats.PermissionErrOnSubscribe(true), // else a subject that may not be read is one on which nothing comes
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.log.Warn("connection is lost: connecting again", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { c.log.Info("connected again", "server", nc.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !errors.Is(err, nats.ErrSlowConsumer) { // that is counted as lost
				c.log.Warn("server reports", "error", err)
			}
		}),
	}
	secure, err := c.secure()
	if err != nil {
		return nil, err
	}
	login, err := c.login()
	if err != nil {
		return nil, err
	}
	return append(append(options, secure...), login...), nil
}

// secure is TLS 1.2 or higher, where it is asked for.
func (c *Collector) secure() ([]nats.Option, error) {
	if c.cfg.TLS == nil {
		for _, u := range c.cfg.URLs {
			if _, wanted, err := address(u); err != nil {
				return nil, err
			} else if wanted {
				return []nats.Option{nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12})}, nil
			}
		}
		return nil, nil
	}
	pair := func() (tls.Certificate, error) {
		t, err := c.cfg.TLS()
		if err != nil {
			return tls.Certificate{}, err
		}
		return t.pair()
	}
	authorities := func() (*x509.CertPool, error) {
		t, err := c.cfg.TLS()
		if err != nil {
			return nil, err
		}
		return t.authorities()
	}
	// What cannot be used is said now, and not by a connection that is made again without end.
	_, wrongPair := pair()
	_, wrongAuthorities := authorities()
	if err := errors.Join(wrongAuthorities, wrongPair); err != nil {
		return nil, err
	}
	return []nats.Option{nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12}), nats.ClientTLSConfig(pair, authorities)}, nil
}

func (c *Collector) login() ([]nats.Option, error) {
	switch l := c.cfg.Login; {
	case l.CredsFile != "":
		return []nats.Option{nats.UserCredentials(l.CredsFile)}, nil
	case l.NkeyFile != "":
		// The public key stands in the connection. Where the seed is replaced the server refuses the
		// signature, the connection ends, and the next run begins with the new one.
		nkey, err := nats.NkeyOptionFromSeed(l.NkeyFile)
		if err != nil {
			return nil, fmt.Errorf("nkey: %w", err)
		}
		return []nats.Option{nkey}, nil
	case l.Token != nil:
		token, err := c.current("token", l.Token)
		if err != nil {
			return nil, err
		}
		return []nats.Option{nats.TokenHandler(token)}, nil
	case l.User != "":
		password, err := c.current("password", l.Password)
		if err != nil {
			return nil, err
		}
		return []nats.Option{nats.UserInfoHandler(func() (string, string) { return l.User, password() })}, nil
	}
	return nil, nil
}

// current reads a secret now and whenever it is called. One that cannot be read is what it was.
func (c *Collector) current(what string, read func() (string, error)) (func() string, error) {
	if read == nil {
		return nil, fmt.Errorf("no %s", what)
	}
	last, err := read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return func() string {
		now, err := read()
		if err != nil {
			c.log.Warn("secret cannot be read: what it was before is used", "secret", what, "error", err)
			return last
		}
		last = now
		return now
	}, nil
}
