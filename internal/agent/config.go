// Package agent is the composition root: the whole configuration as one struct, and the code that
// builds the parts from it, runs them, reloads rules and drains them at the end.
//
// It decides nothing about events, rules or alerts; every such decision lives in the package of the
// thing decided about.
package agent

import (
	"runtime"
	"time"

	"github.com/liveward/liveward/internal/strict"
)

// Config is the whole configuration, as liveward.yaml has it. The doc tags are the reference in
// docs/configuration.md; a test keeps the two in step.
type Config struct {
	Agent         ProcessConfig       `yaml:"agent" doc:"The agent itself."`
	Inputs        []InputConfig       `yaml:"inputs" doc:"The logs to read. At least one."`
	Enrich        EnrichConfig        `yaml:"enrich" doc:"What is known of callers' addresses (see docs/enrichment.md)."`
	Privacy       PrivacyConfig       `yaml:"privacy" doc:"Pseudonyms and what else leaves a log."`
	Rules         RulesConfig         `yaml:"rules" doc:"The rules and their playbooks."`
	Journal       JournalConfig       `yaml:"journal" doc:"The journal between reading and everything else."`
	Joins         JoinsConfig         `yaml:"joins" doc:"Events that are derived from others (see docs/joins.md)."`
	Elasticsearch ElasticsearchConfig `yaml:"elasticsearch" doc:"Where events and alerts go. Left out: nowhere."`
	NDJSON        NDJSONConfig        `yaml:"ndjson" doc:"A file that gets every document as a line. Left out: none."`
	Alerting      AlertingConfig      `yaml:"alerting" doc:"How alerts become incidents."`
	Slack         SlackConfig         `yaml:"slack" doc:"Where on-call reads. Left out: nowhere."`
	Metrics       MetricsConfig       `yaml:"metrics" doc:"Where metrics can be had (docs/metrics.md). Left out: over the control socket alone."`
	Kibana        KibanaConfig        `yaml:"kibana" doc:"Where links of alerts lead. Left out: no links."`
}

// ProcessConfig is about the process.
type ProcessConfig struct {
	ID       string          `yaml:"id" doc:"Name of this agent; part of its subjects in the journal. Default: the host's name."`
	Data     string          `yaml:"data" doc:"Data directory, mode 0700, for one agent."`
	Memory   strict.Size     `yaml:"memory" doc:"Soft limit of the process's memory."`
	CPUs     int             `yaml:"cpus" doc:"Most CPUs used at once. Default: half of the host's, at least one."`
	LogLevel string          `yaml:"log_level" doc:"debug, info, warn or error."`
	Health   strict.Duration `yaml:"health" doc:"How often the agent writes of its own health, as events that rules see; 0s for never."`
}

// InputConfig is one log.
type InputConfig struct {
	Name           string          `yaml:"name" doc:"Name of the log: liveward.source in every event. Changing it changes the ids of events."`
	Paths          []string        `yaml:"paths" doc:"Files to tail; globs are allowed. \"-\" is standard input."`
	Exclude        []string        `yaml:"exclude" doc:"Globs of files to leave out."`
	Push           *PushConfig     `yaml:"push" doc:"Lines over HTTP instead of paths."`
	Syslog         *SyslogConfig   `yaml:"syslog" doc:"Syslog over the network instead of paths."`
	OTLP           *OTLPConfig     `yaml:"otlp" doc:"Log records of OTLP over HTTP instead of paths."`
	NATS           *NATSConfig     `yaml:"nats" doc:"Messages of a NATS server instead of paths."`
	Webhook        *WebhookConfig  `yaml:"webhook" doc:"Outcomes that a liveness vendor posts, instead of paths."`
	S3             *S3Config       `yaml:"s3" doc:"Objects in S3 that notifications in an SQS queue name, instead of paths."`
	Journald       *JournaldConfig `yaml:"journald" doc:"Messages in systemd's journal instead of paths."`
	Format         string          `yaml:"format" doc:"Format of the lines, or auto."`
	Envelope       string          `yaml:"envelope" doc:"What the transport puts around lines: auto, none, cri, docker or syslog."`
	Columns        string          `yaml:"columns" doc:"Columns of W3C logs before their first #Fields directive, of account_csv before its first header."`
	Vendor         string          `yaml:"vendor" doc:"Liveness vendor, where the lines do not name it."`
	Tenant         string          `yaml:"tenant" doc:"organization.id, where the lines do not name it."`
	Environment    string          `yaml:"environment" doc:"service.environment."`
	Region         string          `yaml:"region" doc:"data.region, where the lines do not name it."`
	Tags           []string        `yaml:"tags" doc:"Tags of every event."`
	Timezone       string          `yaml:"timezone" doc:"Zone of times that are written without one."`
	TrustedProxies []string        `yaml:"trusted_proxies" doc:"Networks whose X-Forwarded-For is believed. Empty: nobody's."`
	Lateness       strict.Duration `yaml:"lateness" doc:"How far behind the log's newest event an event may come and still count. Default: 5s of files and syslog, as long as senders gather lines of the others (docs/inputs.md)."`
	Start          string          `yaml:"start" doc:"Where to begin with files found at the first start: beginning or end."`
	MaxLine        strict.Size     `yaml:"max_line" doc:"Longer lines are quarantined."`
	Keys           string          `yaml:"keys" doc:"Key roster: owners, scopes and allow lists of API keys (see docs/keys.md)."`
	Routes         []RouteConfig   `yaml:"routes" doc:"What calls do, by path. Left out: the defaults."`
}

// RouteConfig maps calls to an action.
type RouteConfig struct {
	Methods  []string `yaml:"methods" doc:"Methods; empty means all."`
	Path     string   `yaml:"path" doc:"Path; * is one segment, ** is the rest."`
	Action   string   `yaml:"action" doc:"event.action of these calls."`
	Outcomes bool     `yaml:"outcomes" doc:"Whether these calls should yield a liveness outcome."`
}

// PrivacyConfig is about what is kept of people.
type PrivacyConfig struct {
	Keys       SecretRef `yaml:"keys" doc:"Pseudonym keys, one epoch:key a line, the last in use. liveward pseudonym new-key makes one."`
	TruncateIP bool      `yaml:"truncate_ip" doc:"Keep only the network of addresses (/24 and /48)."`
}

// RulesConfig is where the rules are.
type RulesConfig struct {
	Dir         string      `yaml:"dir" doc:"Directory of rules, with lists/ and playbooks/. Left out: the pack that comes with liveward."`
	Overlay     string      `yaml:"overlay" doc:"Directory of your own on top of it: overlays/ for changes of shipped rules, lists/, playbooks/ and rules. A file there takes the place of the shipped one of the same path."`
	FormatsDir  string      `yaml:"formats_dir" doc:"Directory of your own format maps."`
	VendorsDir  string      `yaml:"vendors_dir" doc:"Directory of your own vendor maps."`
	PlaybookURL string      `yaml:"playbook_url" doc:"Address under which people read the playbooks. Pages of your own have none before it is set."`
	MaxKeys     int         `yaml:"max_keys" doc:"Keys (addresses, users, sessions) that one rule's windows hold; beyond it those not seen for longest are forgotten, counted, and alerted on."`
	MaxMemory   strict.Size `yaml:"max_memory" doc:"Memory of all windows together; beyond it the rule that has most forgets keys. Default: a quarter of agent.memory."`
}

// JournalConfig bounds the journal.
type JournalConfig struct {
	MaxSize     strict.Size     `yaml:"max_size" doc:"Size at which what all readers have done is purged, and at which collectors are pushed back if that is not enough."`
	MaxAge      strict.Duration `yaml:"max_age" doc:"Age at which what all readers have done is purged."`
	LegalMaxAge strict.Duration `yaml:"legal_max_age" doc:"Age at which everything is purged, read or not; what is lost that way is counted."`
	ReserveFree strict.Size     `yaml:"reserve_free" doc:"Free space of the disk that is never used."`
}

// ElasticsearchConfig is where documents go.
type ElasticsearchConfig struct {
	URLs              []string        `yaml:"urls" doc:"Addresses of the nodes; https, or http on loopback."`
	APIKey            SecretRef       `yaml:"api_key" doc:"API key, as id:key or encoded. liveward setup elasticsearch makes one."`
	CAFile            string          `yaml:"ca_file" doc:"PEM of the authorities to trust. Left out: the system's."`
	Fingerprint       string          `yaml:"fingerprint" doc:"SHA-256 of a certificate the server sends."`
	ClientCert        string          `yaml:"client_cert" doc:"PEM file of a client certificate."`
	ClientKey         SecretRef       `yaml:"client_key" doc:"Its key, PEM."`
	AllowPlaintext    bool            `yaml:"allow_plaintext" doc:"Allow http to other hosts than loopback."`
	Namespace         string          `yaml:"namespace" doc:"Namespace of the data streams."`
	NamespaceByTenant bool            `yaml:"namespace_by_tenant" doc:"A data stream a tenant."`
	Timeout           strict.Duration `yaml:"timeout" doc:"Most time for one request."`
}

// NDJSONConfig is a file of documents.
type NDJSONConfig struct {
	Path string `yaml:"path" doc:"The file."`
}

// AlertingConfig is how alerts become incidents.
type AlertingConfig struct {
	ResolveAfter   strict.Duration `yaml:"resolve_after" doc:"Quiet time after which an incident is resolved."`
	RepeatInterval strict.Duration `yaml:"repeat_interval" doc:"Shortest time between messages about one incident, where the first cannot be edited."`
	NotifyShadow   bool            `yaml:"notify_shadow" doc:"Notify of shadow rules too."`
}

// SlackConfig is a channel.
type SlackConfig struct {
	Token   SecretRef `yaml:"token" doc:"Bot token with the scope chat:write; messages are edited and threaded."`
	Channel string    `yaml:"channel" doc:"Channel for the bot."`
	Webhook SecretRef `yaml:"webhook" doc:"Incoming webhook instead; messages cannot be edited."`
	BaseURL string    `yaml:"base_url" doc:"Address of the Web API, where Slack is reached through a gateway."`
}

// KibanaConfig is where links lead.
type KibanaConfig struct {
	URL      string `yaml:"url" doc:"Address people open Kibana at."`
	Space    string `yaml:"space" doc:"Kibana space."`
	DataView string `yaml:"data_view" doc:"Id of the data view of events."`
}

// Default returns the configuration before a file is read.
func Default() Config {
	return Config{
		Agent: ProcessConfig{
			Data: "/var/lib/liveward", Memory: 512 << 20, CPUs: max(1, runtime.NumCPU()/2), LogLevel: "info", Health: strict.Duration(time.Minute),
		},
		Journal: JournalConfig{
			MaxSize: 8 << 30, MaxAge: days(7), LegalMaxAge: days(30), ReserveFree: 512 << 20,
		},
		Joins:         defaultJoins(),
		Elasticsearch: ElasticsearchConfig{Namespace: "default", Timeout: strict.Duration(60 * time.Second)},
		Alerting:      AlertingConfig{ResolveAfter: strict.Duration(time.Hour), RepeatInterval: strict.Duration(30 * time.Minute)},
		Rules: RulesConfig{
			PlaybookURL: packPlaybooks, MaxKeys: 100_000,
		},
	}
}

// DefaultInput is an input before its keys are read.
func DefaultInput() InputConfig {
	return InputConfig{
		Format: "auto", Start: "beginning", MaxLine: 1 << 20,
		Lateness: strict.Duration(5 * time.Second), Timezone: "UTC",
	}
}

func days(n int) strict.Duration { return strict.Duration(time.Duration(n) * 24 * time.Hour) }
