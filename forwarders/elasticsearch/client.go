package elasticsearch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	elastic "github.com/elastic/go-elasticsearch/v8"

	"github.com/liveward/liveward/forwarders"
)

// client is a connection to Elasticsearch with the credentials of a Config.
type client struct {
	es        *elastic.BaseClient
	transport *http.Transport
	timeout   time.Duration

	key                func() (string, error)
	username, password string

	mu   sync.Mutex
	auth string // value of the Authorization header; "" before it was first needed
}

func newClient(cfg Config) (*client, error) {
	tlsConfig, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	tr := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: cfg.Timeout,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true,
	}
	es, err := elastic.NewBaseClient(elastic.Config{
		Addresses: cfg.URLs, Transport: &gate{tr}, DisableRetry: true, EnableCompatibilityMode: true, DisableMetaHeader: true,
	})
	if err != nil {
		return nil, fmt.Errorf("elasticsearch client: %w", err)
	}
	c := &client{
		es: es, transport: tr, timeout: cfg.Timeout,
		key: cfg.APIKey, username: cfg.Username, password: cfg.Password,
	}
	return c, nil
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// authorize returns the Authorization header; it reads the key where it is not known yet.
func (c *client) authorize() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.auth != "" {
		return c.auth, nil
	}
	auth, err := c.readKey()
	if err == nil {
		c.auth = auth
	}
	return auth, err
}

// refresh reads the key again after the server has refused it; changed tells whether there is
// another one now.
func (c *client) refresh() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	auth, err := c.readKey()
	if err != nil {
		return false, err
	}
	changed = auth != c.auth
	c.auth = auth
	return changed, nil
}

func (c *client) readKey() (string, error) {
	switch {
	case c.key != nil:
		key, err := c.key()
		if err != nil {
			return "", fmt.Errorf("read API key: %w", err)
		}
		key = strings.TrimSpace(key)
		if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "", errors.New("read API key: empty, or not the encoded form (base64 of id:key)")
		}
		return "ApiKey " + key, nil
	case c.username != "":
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(c.username, c.password)
		return r.Header.Get("Authorization"), nil
	}
	return "", nil
}

// header is what every request carries.
func (c *client) header() (http.Header, error) {
	auth, err := c.authorize()
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	if auth != "" {
		h.Set("Authorization", auth)
	}
	return h, nil
}

// bound gives a request its deadline.
func (c *client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

// sized is the client for a request whose body has a length that net/http cannot see by itself.
func (c *client) sized(length int64) sized { return sized{c.es, length} }

type sized struct {
	es     *elastic.BaseClient
	length int64
}

// Perform implements esapi.Transport.
func (s sized) Perform(req *http.Request) (*http.Response, error) {
	req.ContentLength = s.length
	return s.es.Perform(req)
}

// gate stands before the transport: it notes which bodies were lent out, and lets no answer pass as
// success that does not come from Elasticsearch.
type gate struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if b, ok := req.Body.(*body); ok {
		b.lent = true
	}
	res, err := g.next.RoundTrip(req)
	if err == nil && res.StatusCode/100 == 2 && res.Header.Get("X-Elastic-Product") != "Elasticsearch" {
		res.Body.Close() //nolint:errcheck // nothing of it is wanted
		return nil, errProduct
	}
	return res, err
}

var errProduct = errors.New("what answers is not Elasticsearch")

// connectionError tells what somebody has to mend from what passes by itself.
func connectionError(err error) error {
	var alert tls.AlertError
	var record tls.RecordHeaderError
	switch {
	case untrusted(err), errors.As(err, &alert):
		return &forwarders.ConfigError{Kind: forwarders.TLS, Err: fmt.Errorf("connect to elasticsearch: %w", err)}
	case errors.Is(err, errProduct), errors.As(err, &record):
		return &forwarders.ConfigError{Kind: forwarders.Protocol, Err: fmt.Errorf("connect to elasticsearch: %w", err)}
	}
	return fmt.Errorf("connect to elasticsearch: %w", err)
}
