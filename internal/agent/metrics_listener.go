package agent

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/liveward/liveward/collectors/listen"
	"github.com/liveward/liveward/internal/strict"
)

// MetricsConfig is where metrics can be had.
type MetricsConfig struct {
	Listen string      `yaml:"listen" doc:"host:port under which /metrics is served, such as 127.0.0.1:9464. Left out: the control socket alone has them."`
	TLS    TLSConfig   `yaml:"tls" doc:"Certificate of the listener. Needed unless the address is loopback."`
	Allow  []string    `yaml:"allow" doc:"Networks that may connect. Left out: all."`
	Tokens []SecretRef `yaml:"tokens" doc:"Bearer tokens, of 16 characters at least. Tokens or tls.client_ca_file are needed unless the address is loopback."`
}

// metricsPlan is what was loaded for it.
type metricsPlan struct {
	address  string
	identity *listen.Identity
	allow    []netip.Prefix
	tokens   []string
}

// planMetrics checks where metrics are served.
func (p *Plan) planMetrics(f *strict.File) {
	c := &p.Config.Metrics
	if c.Listen == "" {
		if !c.TLS.isZero() || len(c.Allow)+len(c.Tokens) > 0 {
			f.Problem("metrics", "there is nothing to listen on", "set metrics.listen, such as 127.0.0.1:9464")
		}
		return
	}
	l := &inputLoader{f: f, at: "metrics", in: &InputConfig{Name: "metrics"}, certs: &p.certs, taken: p.taken}
	p.metrics = metricsPlan{
		address: c.Listen, identity: l.identity(&c.TLS), allow: l.networks("allow", c.Allow), tokens: l.secrets("tokens", c.Tokens, shortest),
	}
	if !l.address("tcp", "listen", c.Listen) {
		return
	}
	if c.TLS.isZero() {
		l.problem("listen", "other hosts can reach this address, and there is no certificate", "set tls, or listen on 127.0.0.1")
	}
	if len(c.Tokens) == 0 && c.TLS.ClientCAFile == "" {
		l.problem("listen", "other hosts can reach this address, and anybody is let in", "set tokens or tls.client_ca_file")
	}
}

// metricsHandler answers with the metrics in the text format.
func (a *Agent) metricsHandler() http.Handler {
	return promhttp.HandlerFor(a.registry(), promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 2, Timeout: 20 * time.Second,
	})
}

// serveMetrics answers scrapes until ctx is done. An address that cannot be had is tried again: the
// agent's own work does not wait for it.
func (a *Agent) serveMetrics(ctx context.Context) error {
	p := &a.plan.metrics
	if p.address == "" {
		return nil
	}
	log := a.log.With("component", "metrics")
	for told := false; ; told = true {
		ln, err := listen.Open(ctx, listen.Config{Address: p.address, Allow: p.allow, Conns: 16})
		if err == nil {
			log.Info("metrics", "address", ln.Addr().String())
			p.serve(ctx, ln, a.metricsHandler(), log)
			return nil
		}
		if !told && ctx.Err() == nil {
			log.Error("metrics are not served yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Second):
		}
	}
}

func (p *metricsPlan) serve(ctx context.Context, ln net.Listener, metrics http.Handler, log *slog.Logger) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.guard(metrics))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	if cfg := p.identity.Server(); cfg != nil {
		ln = tls.NewListener(ln, cfg)
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		log.Error("metrics are no longer served", "error", err)
	}
}

// guard lets in who shows a token, or everybody where none is configured. A page that a browser on this
// host shows may not read them: requests across origins are refused.
func (p *metricsPlan) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Origin") != "":
			http.Error(w, "requests across origins are refused", http.StatusForbidden)
		case !p.known(r.Header.Get("Authorization")):
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// known compares in a time that says nothing of how much was right.
func (p *metricsPlan) known(header string) bool {
	if len(p.tokens) == 0 {
		return true
	}
	token, ok := strings.CutPrefix(header, "Bearer ")
	given, found := sha256.Sum256([]byte(token)), 0
	for _, t := range p.tokens {
		want := sha256.Sum256([]byte(t))
		found |= subtle.ConstantTimeCompare(given[:], want[:])
	}
	return ok && found == 1
}

// controlMetrics serves them over the control socket as well.
func (a *Agent) controlMetrics() controlHandler {
	metrics := a.metricsHandler()
	return func(w http.ResponseWriter, r *http.Request) (any, error) {
		metrics.ServeHTTP(w, r)
		return nil, nil
	}
}

// Metrics asks a running agent for its metrics, in Prometheus' text format.
func (c *Client) Metrics(ctx context.Context) (string, error) {
	body, err := c.stream(ctx, http.MethodGet, "/v1/metrics", nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(io.LimitReader(body, controlAnswer))
	if err != nil {
		return "", fmt.Errorf("answer of the agent: %w", err)
	}
	return string(text), nil
}
