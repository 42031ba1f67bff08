package agent

import (
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/otlp"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// TLSConfig is what a listener proves itself with. The files are read again when they change.
type TLSConfig struct {
	CertFile     string    `yaml:"cert_file" doc:"PEM file of the certificate, with its chain."`
	Key          SecretRef `yaml:"key" doc:"Its key, PEM."`
	ClientCAFile string    `yaml:"client_ca_file" doc:"PEM file of authorities. Where set, senders must show a certificate signed by one of them."`
}

func (c *TLSConfig) isZero() bool { return *c == TLSConfig{} }

// PushConfig takes lines over HTTP.
type PushConfig struct {
	Listen         string          `yaml:"listen" doc:"host:port to listen on."`
	Path           string          `yaml:"path" doc:"The only URL path that is served. Left out: every path."`
	TLS            TLSConfig       `yaml:"tls" doc:"Certificate of the listener. Needed unless the address is loopback."`
	Allow          []string        `yaml:"allow" doc:"Networks that may connect. Left out: all."`
	Tokens         []SecretRef     `yaml:"tokens" doc:"Bearer tokens, of 16 characters at least. Any one of tokens, users and signing_secrets lets a sender in."`
	Users          []UserConfig    `yaml:"users" doc:"Names and passwords of basic authentication."`
	SigningSecrets []SecretRef     `yaml:"signing_secrets" doc:"Secrets of signed requests (docs/inputs.md); two while one is being replaced."`
	Tolerance      strict.Duration `yaml:"tolerance" doc:"Most time between a signature's time and now."`
	MaxBody        strict.Size     `yaml:"max_body" doc:"Largest body, as sent and as unpacked."`
	MaxRequests    int             `yaml:"max_requests" doc:"Requests at a time; what comes beyond is answered 503."`
	MaxConnections int             `yaml:"max_connections" doc:"Connections at a time; what comes beyond is closed."`
	MaxRate        int             `yaml:"max_rate" doc:"Requests a second of one peer; what comes beyond is answered 429."`
}

// OTLPConfig takes log records over OTLP/HTTP. Its keys are those of push.
type OTLPConfig PushConfig

// UserConfig is a name with its password.
type UserConfig struct {
	Name     string    `yaml:"name" doc:"The name, without a colon."`
	Password SecretRef `yaml:"password" doc:"The password, of 16 characters at least."`
}

// SyslogConfig takes messages over the network.
type SyslogConfig struct {
	UDP            string      `yaml:"udp" doc:"host:port for datagrams. At least one of udp, tcp and secure."`
	TCP            string      `yaml:"tcp" doc:"host:port for plain streams."`
	Secure         string      `yaml:"secure" doc:"host:port for streams over TLS."`
	TLS            TLSConfig   `yaml:"tls" doc:"Certificate for secure."`
	Allow          []string    `yaml:"allow" doc:"Networks that may send. Needed where other hosts can reach udp or tcp."`
	Framing        string      `yaml:"framing" doc:"How messages follow one another in a stream: auto, octet or newline."`
	KeepHeader     bool        `yaml:"keep_header" doc:"Leave the header on the line, where the format wants its time."`
	Buffer         strict.Size `yaml:"buffer" doc:"Datagrams that may wait for the journal; what comes beyond is lost, and counted."`
	MaxConnections int         `yaml:"max_connections" doc:"Connections at a time, of tcp and of secure each."`
}

// NATSConfig takes messages of a NATS server that is not liveward's own.
type NATSConfig struct {
	URLs           []string        `yaml:"urls" doc:"Addresses of the servers; tls://host:port, or nats://host:port on loopback."`
	Stream         string          `yaml:"stream" doc:"JetStream stream to read. Left out: a core subject, whose messages are lost while nobody can take them."`
	Consumer       string          `yaml:"consumer" doc:"Durable name of the stream's consumer; made where there is none. Default: liveward-<input>."`
	Subjects       []string        `yaml:"subjects" doc:"Subjects of the stream, all where left out; or the one core subject."`
	Queue          string          `yaml:"queue" doc:"Queue group of a core subject."`
	CredsFile      string          `yaml:"creds_file" doc:"File of credentials, mode 0600."`
	NkeyFile       string          `yaml:"nkey_file" doc:"File of a user's nkey seed, mode 0600."`
	Token          SecretRef       `yaml:"token" doc:"Token."`
	User           string          `yaml:"user" doc:"Name of a user."`
	Password       SecretRef       `yaml:"password" doc:"Its password."`
	CAFile         string          `yaml:"ca_file" doc:"PEM of the authorities to trust. Left out: the system's."`
	ClientCert     string          `yaml:"client_cert" doc:"PEM file of a client certificate."`
	ClientKey      SecretRef       `yaml:"client_key" doc:"Its key, PEM."`
	AllowPlaintext bool            `yaml:"allow_plaintext" doc:"Allow other hosts than loopback without TLS."`
	AckWait        strict.Duration `yaml:"ack_wait" doc:"Time after which a new consumer gives a message again that was not acknowledged."`
	Buffer         strict.Size     `yaml:"buffer" doc:"Messages of a core subject that may wait for the journal; what comes beyond is lost, and counted."`
}

// InputDefaults are an input with every kind it can be of, before keys are read.
func InputDefaults() InputConfig {
	in := DefaultInput()
	in.Push = &PushConfig{
		Listen: "127.0.0.1:8088", Tolerance: minutes(5), MaxBody: 16 << 20, MaxRequests: 256, MaxConnections: 1024, MaxRate: 5000,
	}
	otlpConfig := OTLPConfig(*in.Push)
	in.OTLP = &otlpConfig
	in.OTLP.Listen, in.OTLP.Path = "127.0.0.1:4318", otlp.Path
	in.Syslog = &SyslogConfig{Framing: "auto", Buffer: 4 << 20, MaxConnections: 512}
	in.S3, in.Journald = s3Defaults(), &JournaldConfig{}
	in.Webhook = webhookDefaults()
	in.NATS = &NATSConfig{AckWait: minutes(1), Buffer: 16 << 20}
	return in
}

func minutes(n int) strict.Duration { return strict.Duration(time.Duration(n) * time.Minute) }

// kind is a key of an input that says where its lines come from, instead of paths.
type kind interface {
	// lateness is how far behind its newest event such a source may be by default: as long as its
	// senders gather lines before they send them.
	lateness() time.Duration
	// plan checks the keys, reports what is wrong with them, and returns what makes the collector and
	// what it is, in a few words. It opens nothing.
	plan(l *inputLoader) (maker, string)
}

// maker makes a collector over the positions the journal holds of it.
type maker func(resume []event.Position, now func() time.Time, log *slog.Logger) (collectors.Collector, error)

// kinds are the kinds an input names, with their keys. A further kind is a line here.
func (in *InputConfig) kinds() (kinds []kind, keys []string) {
	add := func(key string, k kind) {
		if !reflect.ValueOf(k).IsNil() {
			kinds, keys = append(kinds, k), append(keys, key)
		}
	}
	add("push", in.Push)
	add("syslog", in.Syslog)
	add("otlp", in.OTLP)
	add("nats", in.NATS)
	add("webhook", in.Webhook)
	add("s3", in.S3)
	add("journald", in.Journald)
	return kinds, keys
}

// fillInput gives the keys that a file leaves out their defaults. The lateness is that of the kind.
func fillInput(in *InputConfig) {
	d := InputDefaults()
	if kinds, _ := in.kinds(); len(kinds) == 1 {
		d.Lateness = strict.Duration(kinds[0].lateness())
	}
	if in.Webhook != nil {
		in.Webhook.name(in)
	}
	fill(&in.Format, d.Format)
	fill(&in.Start, d.Start)
	fill(&in.MaxLine, d.MaxLine)
	fill(&in.Lateness, d.Lateness)
	fill(&in.Timezone, d.Timezone)
	fillKind(in.Push, d.Push)
	fillKind(in.Syslog, d.Syslog)
	fillKind(in.OTLP, d.OTLP)
	fillKind(in.NATS, d.NATS)
	fillKind(in.Webhook, d.Webhook)
	fillKind(in.S3, d.S3)
	fillKind(in.Journald, d.Journald)
}

func fill[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// fillKind gives each key of a kind its default; nothing to a kind that is not there.
func fillKind[T any](to, defaults *T) {
	if to == nil {
		return
	}
	t, d := reflect.ValueOf(to).Elem(), reflect.ValueOf(defaults).Elem()
	for i := range t.NumField() {
		if t.Field(i).IsZero() {
			t.Field(i).Set(d.Field(i))
		}
	}
}

// useStdin makes an input read standard input, and keeps the lateness of what it read before.
func (in *InputConfig) useStdin() {
	fillInput(in)
	in.Paths, in.Push, in.Syslog, in.OTLP, in.NATS, in.Webhook = []string{"-"}, nil, nil, nil, nil, nil
	in.S3, in.Journald = nil, nil
}

// Inputs says in a line each what the inputs are.
func (p *Plan) Inputs() []string {
	out := make([]string, len(p.inputs))
	for i := range p.inputs {
		in := &p.inputs[i]
		what := in.what
		if what == "" {
			what = "files " + strings.Join(in.Paths, ", ")
		}
		out[i] = "input " + in.Name + ": " + what + "; format " + in.Format + "; lateness " + in.Lateness.String()
	}
	return out
}
