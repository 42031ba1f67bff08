package agent

import (
	"log/slog"
	"strings"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/journald"
	"github.com/liveward/liveward/collectors/s3"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// S3Config reads objects that notifications in an SQS queue name. Credentials come from where AWS tools
// look for them.
type S3Config struct {
	Queue      string          `yaml:"queue" doc:"URL of the SQS queue that gets the bucket's notifications."`
	Region     string          `yaml:"region" doc:"AWS region. Left out: that of the queue's URL, else what AWS tools are set to."`
	Endpoint   string          `yaml:"endpoint" doc:"Address of a store that is compatible with S3. Left out: AWS."`
	Buckets    []string        `yaml:"buckets" doc:"Buckets that may be read. Left out: every bucket the queue names."`
	Objects    int             `yaml:"objects" doc:"Objects that are read at a time."`
	Visibility strict.Duration `yaml:"visibility" doc:"How long a notification is hidden from other readers; renewed while it is worked on."`
	MaxObject  strict.Size     `yaml:"max_object" doc:"Unpacked bytes of an object; what is beyond is refused."`
}

func s3Defaults() *S3Config {
	return &S3Config{Objects: 2, Visibility: minutes(2), MaxObject: 16 << 30}
}

// lateness: a load balancer writes every five minutes, and its nodes do not wait for one another.
func (c *S3Config) lateness() time.Duration { return 10 * time.Minute }

func (c *S3Config) plan(l *inputLoader) (maker, string) {
	cfg := s3.Config{
		Source: l.in.Name, Queue: c.Queue, Region: c.Region, Endpoint: c.Endpoint, Buckets: c.Buckets,
		Objects: c.Objects, Visibility: time.Duration(c.Visibility), MaxLine: int(l.in.MaxLine), MaxObject: int64(c.MaxObject),
	}
	if c.Queue == "" {
		l.problem("queue", "no queue", "set queue, such as https://sqs.eu-central-1.amazonaws.com/123456789012/liveness-logs")
	} else if err := s3.CheckURL(c.Queue); err != nil {
		l.problem("queue", err.Error(), "")
	}
	if c.Endpoint != "" {
		if err := s3.CheckURL(c.Endpoint); err != nil {
			l.problem("endpoint", err.Error(), "")
		}
	}
	l.positive("objects", c.Objects)
	l.try(func() error { _, err := s3.New(cfg, nil, time.Now, slog.New(slog.DiscardHandler)); return err })
	what := "s3 objects named by " + c.Queue
	if len(c.Buckets) > 0 {
		what += ", of " + strings.Join(c.Buckets, ", ")
	}
	return func(resume []event.Position, now func() time.Time, log *slog.Logger) (collectors.Collector, error) {
		return s3.New(cfg, resume, now, log)
	}, what
}

// JournaldConfig follows systemd's journal.
type JournaldConfig struct {
	Units       []string `yaml:"units" doc:"Exact names of units; without a suffix a service's. Left out: all."`
	Identifiers []string `yaml:"identifiers" doc:"Syslog identifiers. Left out: all."`
	Directory   string   `yaml:"directory" doc:"Directory of journal files. Left out: the host's own journal."`
}

func (c *JournaldConfig) lateness() time.Duration { return time.Duration(DefaultInput().Lateness) }

func (c *JournaldConfig) plan(l *inputLoader) (maker, string) {
	cfg := journald.Config{
		Source: l.in.Name, Units: c.Units, Identifiers: c.Identifiers, Directory: c.Directory,
		FromEnd: l.in.Start == "end", MaxLine: int(l.in.MaxLine),
	}
	l.try(func() error { _, err := journald.New(cfg, nil, time.Now, slog.New(slog.DiscardHandler)); return err })
	what := "the journal"
	if c.Directory != "" {
		what += " in " + c.Directory
	}
	if len(c.Units) > 0 {
		what += ", units " + strings.Join(c.Units, ", ")
	}
	if len(c.Identifiers) > 0 {
		what += ", identifiers " + strings.Join(c.Identifiers, ", ")
	}
	return func(resume []event.Position, now func() time.Time, log *slog.Logger) (collectors.Collector, error) {
		return journald.New(cfg, resume, now, log)
	}, what
}
