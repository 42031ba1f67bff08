// Package elasticsearch stores documents in Elasticsearch data streams, sets up the templates and the
// key for that, and checks what a key may do.
//
// It never retries or waits (forwarders.Delivery does), never overwrites or deletes a document, never
// reads one back, and never tells in an error what a document held.
package elasticsearch

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"
)

// Defaults of Config.
const (
	DefaultNamespace   = "default"
	DefaultCompression = 1
	DefaultBulkBytes   = 5 << 20
	DefaultTimeout     = 60 * time.Second
	DefaultMaxTenants  = 1000

	// NoCompression as Config.Compression sends requests as they are.
	NoCompression = -1
)

// Config is what a Forwarder, Setup and Preflight need to know.
type Config struct {
	URLs []string // of the nodes; https, or http on loopback

	// APIKey returns the key in its encoded form (base64 of id:key). It is called once, and again when
	// the server refuses the key, so that a key can be rotated under a running agent.
	APIKey func() (string, error)
	// Username and Password are for Setup, where no key exists yet; ignored where APIKey is set.
	Username, Password string

	CA          []byte // PEM of the authorities to trust; the system's where empty
	Fingerprint string // SHA-256 of a certificate that must be in the server's chain, hex; "" for none
	ClientCert  []byte // PEM, for mutual TLS
	ClientKey   []byte // PEM
	// AllowPlaintext permits http to other hosts than loopback.
	AllowPlaintext bool

	Namespace         string // of the data streams; DefaultNamespace where empty
	NamespaceByTenant bool   // a document with a tenant goes to that tenant's namespace
	MaxTenants        int    // tenants beyond these share Namespace; DefaultMaxTenants where 0

	Compression int           // gzip level 1 to 9; DefaultCompression where 0; NoCompression
	BulkBytes   int           // body of one bulk request before compression; DefaultBulkBytes where 0
	Timeout     time.Duration // of one request; DefaultTimeout where 0

	Now func() time.Time // for event.ingested; required by New
}

// withDefaults checks the configuration and fills in what it leaves open.
func (c Config) withDefaults() (Config, error) {
	if c.Namespace == "" {
		c.Namespace = DefaultNamespace
	}
	if c.Compression == 0 {
		c.Compression = DefaultCompression
	}
	if c.BulkBytes == 0 {
		c.BulkBytes = DefaultBulkBytes
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxTenants == 0 {
		c.MaxTenants = DefaultMaxTenants
	}
	var errs []error
	if len(c.URLs) == 0 {
		errs = append(errs, errors.New("no URL"))
	}
	for _, u := range c.URLs {
		if err := checkURL(u, c.AllowPlaintext); err != nil {
			errs = append(errs, err)
		}
	}
	if !validNamespace(c.Namespace) {
		errs = append(errs, fmt.Errorf("namespace %q: want lower-case letters, digits, _ and ., beginning with a letter or digit, at most %d bytes", c.Namespace, maxPart))
	}
	if c.Compression != NoCompression && (c.Compression < 1 || c.Compression > 9) {
		errs = append(errs, fmt.Errorf("compression %d: want 1 to 9", c.Compression))
	}
	if c.BulkBytes < 0 || c.Timeout < 0 || c.MaxTenants < 0 {
		errs = append(errs, errors.New("bulk size, time-out and tenants must not be negative"))
	}
	return c, errors.Join(errs...)
}

// checkURL refuses what would send the key, or the documents, over a network in the clear.
func checkURL(raw string, allowPlaintext bool) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("URL cannot be parsed") // the error would repeat it, with a password in it
	}
	switch {
	case u.User != nil:
		return fmt.Errorf("URL of host %s: must not hold a user or password", u.Host)
	case u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return fmt.Errorf("URL of host %q: want https://host:port", u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("URL of host %s: must not have a query or fragment", u.Host)
	case u.Scheme == "http" && !loopback(u.Hostname()) && !allowPlaintext:
		return fmt.Errorf("URL of host %s: http only to loopback; use https, or set allow_plaintext: true", u.Host)
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
