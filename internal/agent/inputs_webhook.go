package agent

import (
	"strings"
	"time"

	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/collectors/webhook"
	"github.com/liveward/liveward/internal/strict"
)

// WebhookConfig takes the outcomes that a liveness vendor posts.
type WebhookConfig struct {
	Listen         string          `yaml:"listen" doc:"host:port to listen on."`
	Path           string          `yaml:"path" doc:"The only URL path that is served. Left out: every path."`
	Vendor         string          `yaml:"vendor" doc:"Vendor who posts: names how requests are signed, the format and the vendor map."`
	Secrets        []SecretRef     `yaml:"secrets" doc:"Secrets the vendor signs with; two while one is being replaced."`
	Signature      SignatureConfig `yaml:"signature" doc:"How a vendor signs whom liveward does not know."`
	Tolerance      strict.Duration `yaml:"tolerance" doc:"Most time between a signature's time and now."`
	Remember       strict.Duration `yaml:"remember" doc:"How long bodies are remembered: one that comes again is answered 200 and not stored again."`
	TLS            TLSConfig       `yaml:"tls" doc:"Certificate of the listener. Needed unless the address is loopback."`
	Allow          []string        `yaml:"allow" doc:"Networks that may connect. Left out: all."`
	Tokens         []SecretRef     `yaml:"tokens" doc:"Bearer tokens, for vendors who do not sign."`
	Users          []UserConfig    `yaml:"users" doc:"Names and passwords, for vendors who do not sign."`
	MaxBody        strict.Size     `yaml:"max_body" doc:"Largest body, as sent and as unpacked."`
	MaxRequests    int             `yaml:"max_requests" doc:"Requests at a time; what comes beyond is answered 503."`
	MaxConnections int             `yaml:"max_connections" doc:"Connections at a time; what comes beyond is closed."`
	MaxRate        int             `yaml:"max_rate" doc:"Requests a second of one peer; what comes beyond is answered 429."`
}

// SignatureConfig is an HMAC of the body, with a time before it where the vendor has one.
type SignatureConfig struct {
	Header          string `yaml:"header" doc:"Header that holds the signature."`
	Prefix          string `yaml:"prefix" doc:"What stands before it, such as sha256=."`
	Encoding        string `yaml:"encoding" doc:"hex or base64. Default: hex."`
	Hash            string `yaml:"hash" doc:"sha256 or sha512. Default: sha256."`
	TimestampHeader string `yaml:"timestamp_header" doc:"Header that holds the seconds since the epoch."`
	TimestampSigned bool   `yaml:"timestamp_signed" doc:"Whether these seconds, and a dot, stand before the body in what is signed."`
}

func webhookDefaults() *WebhookConfig {
	return &WebhookConfig{
		Listen: "127.0.0.1:8089", Tolerance: minutes(5), Remember: strict.Duration(webhook.Remember),
		MaxBody: 1 << 20, MaxRequests: 64, MaxConnections: 256, MaxRate: 500,
	}
}

func (c *WebhookConfig) lateness() time.Duration { return 2 * time.Minute }

func (c *WebhookConfig) plan(l *inputLoader) (maker, string) {
	p := &PushConfig{
		Listen: c.Listen, Path: c.Path, TLS: c.TLS, Allow: c.Allow, Tokens: c.Tokens, Users: c.Users,
		SigningSecrets: c.Secrets, Tolerance: c.Tolerance, MaxBody: c.MaxBody,
		MaxRequests: c.MaxRequests, MaxConnections: c.MaxConnections, MaxRate: c.MaxRate,
	}
	if len(c.Tokens)+len(c.Users)+len(c.Secrets) == 0 && c.TLS.ClientCAFile == "" {
		l.problem("secrets", "a verdict that anybody may post is none", "set secrets; or tokens, users or tls.client_ca_file for a vendor who does not sign")
	}
	cfg := p.config(l)
	cfg.Once = time.Duration(c.Remember)
	cfg.Auth.Scheme = c.scheme(l)
	return p.maker(l, cfg, webhook.New), strings.TrimSpace("webhook of "+c.Vendor) + " on " + p.url() + p.proof()
}

// name gives an input the vendor who posts to it, and the format of what is posted.
func (c *WebhookConfig) name(in *InputConfig) {
	fill(&in.Vendor, c.Vendor)
	switch c.Vendor {
	case "didit", "idnow", "persona", "sumsub", "veriff":
		fill(&in.Format, "webhook_"+c.Vendor)
	}
}

// scheme is how the vendor signs; nil is liveward's own way.
func (c *WebhookConfig) scheme(l *inputLoader) push.Scheme {
	if c.Signature != (SignatureConfig{}) {
		s := webhook.Signature{
			Header: c.Signature.Header, Prefix: c.Signature.Prefix, Encoding: c.Signature.Encoding, Hash: c.Signature.Hash,
			TimestampHeader: c.Signature.TimestampHeader, Signed: c.Signature.TimestampSigned,
		}
		if err := s.Validate(); err != nil {
			l.problem("signature", err.Error(), "")
		}
		return s
	}
	s, ok := webhook.Scheme(c.Vendor)
	if !ok && len(c.Secrets) > 0 && c.Vendor != "" {
		l.problem("vendor", "how this vendor signs is not known", "describe it under signature, or use one of "+strings.Join(webhook.Vendors(), ", "))
	}
	if !ok {
		return nil
	}
	return s
}
