// Package demo shows liveward at work without any set-up: a simulated bank's gateway writes a real
// log with real attacks in it, and the very agent of `liveward run` tails it.
//
// It has no pipeline of its own: all it adds is the traffic, the screen and the summary.
package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/terminal"
	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/forwarders/elasticsearch"
	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/generator"
)

// Config says how the demo runs.
type Config struct {
	For          time.Duration // 0: until it is stopped
	Seed         uint64
	Rate         float64 // genuine lines a second; 0: a lively bank's
	Keep         string  // directory that is kept; "": a temporary one that is removed
	SlackWebhook string
	Elastic      string // address; "": none
	ElasticKey   string // file with an API key; "": none, and the templates are made
	Out          io.Writer
	Color, Live  bool // colour; a status line that is written over, for terminals
	Width        int
	Version      string
}

// defaultRate gives a log that scrolls, and attacks that stand out from it.
const defaultRate = 40

// rotateAfter makes the log rotate while one watches.
const rotateAfter = 7 * time.Second

// settle is how long the demo waits, after the last line or after the agent has last come on, for windows
// to close and for all to be delivered.
const settle = 12 * time.Second

// Run runs the demo. It returns nil when it ran to its end or was stopped.
func Run(ctx context.Context, cfg Config) (err error) {
	dir := cfg.Keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "liveward-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if cfg.Rate == 0 {
		cfg.Rate = defaultRate
	}
	start := time.Now()
	gen, err := generator.New(generator.Config{Seed: cfg.Seed, Start: start, Duration: cfg.For, Rate: cfg.Rate, UTCOffset: time.Nanosecond})
	if err != nil {
		return err
	}
	plan, err := prepare(ctx, cfg, dir, gen)
	if err != nil {
		return err
	}
	d := &demo{cfg: cfg, dir: dir, gen: gen, plan: plan, start: start, screen: newScreen(cfg), caught: map[event.Hash]catch{}}
	return d.run(ctx)
}

// prepare writes the files of a real installation, and the configuration over them.
func prepare(ctx context.Context, cfg Config, dir string, gen *generator.Generator) (*agent.Plan, error) {
	keys := filepath.Join(dir, "keys.yaml")
	if err := os.WriteFile(keys, gen.Roster(), 0o600); err != nil {
		return nil, err
	}
	c := agent.Default()
	c.Agent.ID, c.Agent.Data = "demo", filepath.Join(dir, "data")
	c.Inputs = []agent.InputConfig{{
		Name: "gateway", Paths: []string{filepath.Join(dir, "gateway.json")}, Format: "nginx_json",
		TrustedProxies: gen.TrustedProxies(), Keys: keys, Environment: "demo",
	}}
	if cfg.Elastic != "" {
		c.Elasticsearch.URLs = []string{cfg.Elastic}
		if cfg.ElasticKey != "" {
			if err := c.Elasticsearch.APIKey.UnmarshalText([]byte("${file:" + cfg.ElasticKey + "}")); err != nil {
				return nil, fmt.Errorf("--elasticsearch-key-file: %w", err)
			}
		}
	}
	plan, err := agent.PrepareDemo(c, cfg.SlackWebhook)
	if err != nil {
		return nil, err
	}
	if cfg.Elastic != "" && cfg.ElasticKey == "" {
		if _, err := elasticsearch.Setup(ctx, plan.ElasticsearchConfig(time.Now), elasticsearch.SetupOptions{NoKey: true}); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// demo is one run.
type demo struct {
	cfg    Config
	dir    string
	gen    *generator.Generator
	plan   *agent.Plan
	start  time.Time
	screen *screen

	mu     sync.Mutex
	lines  int64
	caught map[event.Hash]catch // by alert
	order  []event.Hash
}

// catch is an alert with the time at which it was shown.
type catch struct {
	alert *event.Alert
	at    time.Time
}

func (d *demo) run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(d.screen, &slog.HandlerOptions{Level: slog.LevelWarn}))
	hooks := agent.Hooks{
		Version:   d.cfg.Version,
		Notifiers: map[string]alerting.Notifier{"terminal": terminal.New(d.screen, d.cfg.Color, d.cfg.Width)},
		File:      func(c *file.Config) { c.Tick = time.Second },
		Alert:     d.note,
	}
	// The agent is stopped after the traffic, not with it: what was written is to be seen.
	agentCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	a, err := agent.Start(agentCtx, d.plan, hooks, log)
	if err != nil {
		return err
	}
	d.intro()
	served := make(chan error, 1)
	go func() { served <- a.Serve(agentCtx, nil) }()
	statusCtx, stopStatus := context.WithCancel(agentCtx)
	var status sync.WaitGroup
	status.Go(func() { d.status(statusCtx, a) })
	err = d.write(ctx)
	if err == nil {
		d.settle(ctx, a)
	}
	stopStatus()
	status.Wait()
	d.screen.clear()
	totals, behind := a.Totals(), int64(0)
	if n, berr := a.Behind(agentCtx); berr == nil {
		behind = n
	}
	stop()
	err = errors.Join(err, <-served, a.Close())
	d.summary(totals, behind)
	if d.cfg.Keep != "" {
		err = errors.Join(err, d.writeTruth())
	}
	return err
}

// writeTruth keeps what was an attack beside the log it is in.
func (d *demo) writeTruth() error {
	f, err := os.OpenFile(filepath.Join(d.dir, "truth.json"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(d.gen.WriteTruth(f), f.Close())
}

// write writes the log as the gateway would: at its pace, with rotation by renaming.
func (d *demo) write(ctx context.Context) error {
	path := filepath.Join(d.dir, "gateway.json")
	var f *os.File
	var w *bufio.Writer
	closeLog := func() error {
		if f == nil {
			return nil
		}
		return errors.Join(w.Flush(), f.Close())
	}
	open := func() (err error) {
		if f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err == nil {
			w = bufio.NewWriter(f)
		}
		return err
	}
	if err := open(); err != nil {
		return err
	}
	rotate := d.start.Add(rotateAfter)
	for generation := 1; ; {
		line, ok := d.gen.Next()
		if !ok {
			return closeLog()
		}
		if wait := time.Until(line.At); wait > 0 {
			if err := w.Flush(); err != nil {
				return errors.Join(err, f.Close())
			}
			select {
			case <-ctx.Done():
				return closeLog()
			case <-time.After(wait):
			}
		}
		if line.At.After(rotate) {
			rotate = line.At.Add(rotateAfter)
			if err := closeLog(); err != nil {
				return err
			}
			if err := os.Rename(path, fmt.Sprintf("%s.%d", path, generation)); err != nil {
				return err
			}
			generation++
			if err := open(); err != nil {
				return err
			}
		}
		if _, err := w.Write(line.Text); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := w.WriteByte('\n'); err != nil {
			return errors.Join(err, f.Close())
		}
		d.mu.Lock()
		d.lines++
		d.mu.Unlock()
	}
}

// settle waits until every line was read and the windows have closed over the last one: as long as it takes
// on a machine that has other things to do, but not for a store that takes nothing.
func (d *demo) settle(ctx context.Context, a *agent.Agent) {
	last := time.Now().UnixNano()
	best := reached{behind: math.MaxInt64}
	for since := time.Now(); ctx.Err() == nil && time.Since(since) < settle; {
		behind, err := a.Behind(ctx)
		t := a.Totals()
		now := reached{t.Events + t.Quarantined, min(a.Watermark(), last-int64(time.Second)), behind}
		if err == nil && behind == 0 && now.read >= d.written() && a.Watermark() > last-int64(time.Second) {
			return
		}
		if err == nil && now.beyond(&best) {
			since = time.Now()
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// reached is how far an agent has come.
type reached struct{ read, watermark, behind int64 }

// beyond tells whether r is further in any way than best, which becomes the furthest.
func (r reached) beyond(best *reached) bool {
	further := r.read > best.read || r.watermark > best.watermark || r.behind < best.behind
	*best = reached{max(r.read, best.read), max(r.watermark, best.watermark), min(r.behind, best.behind)}
	return further
}

func (d *demo) written() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines
}

// note remembers when an alert reached the incidents.
func (d *demo) note(alert *event.Alert) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.caught[alert.ID]; !ok {
		d.caught[alert.ID] = catch{alert, time.Now()}
		d.order = append(d.order, alert.ID)
	}
}
