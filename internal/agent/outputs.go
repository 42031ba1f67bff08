package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/slack"
	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/forwarders/elasticsearch"
	"github.com/liveward/liveward/forwarders/ndjson"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/internal/strict"
)

// openDeliveries opens the forwarders of the configuration.
func (a *Agent) openDeliveries(ctx context.Context) error {
	add := func(name string, f forwarders.Forwarder) error {
		d, err := pipeline.NewDelivery(ctx, name, a.journal, &forwarders.Delivery{
			Forwarder: f, Now: a.now,
			OnHealth: func(h forwarders.Health) {
				level := slog.LevelWarn
				if h.State == forwarders.Healthy {
					level = slog.LevelInfo
				}
				a.log.Log(ctx, level, "forwarder health", "forwarder", name, "state", h.State, "error", h.Err)
			},
		}, a.now, a.log.With("component", "forwarder"))
		if err != nil {
			return err
		}
		a.deliveries = append(a.deliveries, d)
		return nil
	}
	for _, name := range a.plan.forwarderNames() {
		f, err := a.plan.forwarder(name, a.now, a.log)
		if err != nil {
			return err
		}
		if err := add(name, f); err != nil {
			return err
		}
	}
	return nil
}

// The names of forwarders, as dead letters have them.
const (
	elasticsearchForwarder = "elasticsearch"
	ndjsonForwarder        = "ndjson"
)

// forwarderNames names the forwarders of the configuration.
func (p *Plan) forwarderNames() []string {
	var names []string
	if len(p.Config.Elasticsearch.URLs) > 0 {
		names = append(names, elasticsearchForwarder)
	}
	if p.Config.NDJSON.Path != "" {
		names = append(names, ndjsonForwarder)
	}
	return names
}

// forwarder makes a forwarder of the configuration.
func (p *Plan) forwarder(name string, now func() time.Time, log *slog.Logger) (f forwarders.Forwarder, err error) {
	switch {
	case !slices.Contains(p.forwarderNames(), name):
		return nil, fmt.Errorf("forwarder %s is not configured any more", name)
	case name == elasticsearchForwarder:
		f, err = elasticsearch.New(p.ElasticsearchConfig(now), log)
	default:
		f, err = ndjson.New(ndjson.Config{Path: p.Config.NDJSON.Path})
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// ElasticsearchConfig is the forwarder's configuration.
func (p *Plan) ElasticsearchConfig(now func() time.Time) elasticsearch.Config {
	c := p.Config.Elasticsearch
	cfg := elasticsearch.Config{
		URLs: c.URLs, CA: p.secrets.ca, Fingerprint: c.Fingerprint, ClientCert: p.secrets.clientCert,
		AllowPlaintext: c.AllowPlaintext, Namespace: c.Namespace, NamespaceByTenant: c.NamespaceByTenant,
		Timeout: time.Duration(c.Timeout), Now: now,
	}
	if !p.secrets.elasticClientKey.IsZero() {
		cfg.ClientKey = []byte(p.secrets.elasticClientKey.Reveal())
	}
	if ref := p.secrets.elasticKey; !ref.IsZero() {
		// Read again whenever the server refuses the key: a rotated key needs no restart.
		cfg.APIKey = func() (string, error) {
			s, err := ref.Resolve()
			if err != nil {
				return "", err
			}
			return decodeAPIKey(s.Reveal()), nil
		}
	}
	return cfg
}

// notifiers builds the notifiers of the configuration, beside those of the hooks.
func (a *Agent) notifiers() (map[string]alerting.Notifier, error) {
	out := make(map[string]alerting.Notifier)
	maps.Copy(out, a.hooks.Notifiers)
	cfg, ok := a.plan.slackConfig()
	if !ok {
		return out, nil
	}
	n, err := slack.New(cfg, slack.Deps{Now: a.now, Log: a.log})
	if err != nil {
		return nil, err
	}
	out["slack"] = n
	return out, nil
}

// slackConfig is how Slack is reached, where it is.
func (p *Plan) slackConfig() (cfg slack.Config, ok bool) {
	c := p.Config.Slack
	cfg = slack.Config{Token: p.secrets.slackToken, Channel: c.Channel, Webhook: p.secrets.slackWebhook, BaseURL: c.BaseURL}
	return cfg, !cfg.Token.IsZero() || !cfg.Webhook.IsZero()
}

// checkClients makes what would store and notify, which connects to nothing yet: what run would refuse
// is a problem with its place.
func (p *Plan) checkClients(f *strict.File) {
	refused := func(path string, err error) {
		if err == nil {
			return
		}
		for text := range strings.SplitSeq(err.Error(), "\n") {
			f.Problem(path, strings.TrimPrefix(text, path+": "), "")
		}
	}
	if len(p.Config.Elasticsearch.URLs) > 0 {
		_, err := elasticsearch.New(p.ElasticsearchConfig(time.Now), nil)
		refused("elasticsearch", err)
	}
	if cfg, ok := p.slackConfig(); ok {
		_, err := slack.New(cfg, slack.Deps{Now: time.Now})
		refused("slack", err)
	}
}
