package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/collectors/stdin"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/rules"
)

// drainTime bounds how long an agent that stops waits for its readers to catch up. What is left then
// is in the journal, and goes on at the next start.
const drainTime = 15 * time.Second

// Hooks let a caller put parts of its own into an agent: the demo its terminal, tests their doubles.
type Hooks struct {
	Notifiers map[string]alerting.Notifier // beside those of the configuration
	Journal   func(*journal.Config)        // changes the journal's configuration
	File      func(*file.Config)           // changes the configuration of file collectors
	Alert     func(*event.Alert)           // sees every alert when it reaches the incidents
	Version   string                       // of the program: agent.version
}

// Agent is a running agent's parts.
type Agent struct {
	plan  *Plan
	hooks Hooks
	log   *slog.Logger
	now   func() time.Time

	started    time.Time
	lock       *os.File
	control    *control
	journal    *journal.Journal
	rulesets   *pipeline.Rulesets
	counts     *pipeline.Counts
	detector   *pipeline.Detector
	keys       *pipeline.KeyIndex
	deliveries []*pipeline.Delivery
	manager    *alerting.Manager
	notifying  *pipeline.Notifying
	gate       *pipeline.Gate
	monitor    *monitor
	collectors sync.Map // the collector that runs, by the input's name
	full       atomic.Bool
	expired    atomic.Int64
	broken     atomic.Int64 // files of rules that keep their old version
}

// Run runs a plan until ctx is done, then drains and closes. reload asks for the rules to be loaded
// again; it may be nil.
func Run(ctx context.Context, plan *Plan, hooks Hooks, log *slog.Logger, reload <-chan struct{}) error {
	a, err := Start(ctx, plan, hooks, log)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it had begun
		}
		return err
	}
	a.warn()
	err = a.Serve(ctx, reload)
	return errors.Join(err, a.Close())
}

// Start takes the data directory and opens the journal. The caller calls Serve, then Close.
func Start(ctx context.Context, plan *Plan, hooks Hooks, log *slog.Logger) (*Agent, error) {
	a := &Agent{plan: plan, hooks: hooks, log: log, now: time.Now, started: time.Now(), counts: pipeline.NewCounts()}
	a.monitor = &monitor{agent: a, samples: []healthSample{{at: a.started}}}
	cfg := plan.Config
	debug.SetMemoryLimit(int64(cfg.Agent.Memory))
	runtime.GOMAXPROCS(cfg.Agent.CPUs)
	if err := os.MkdirAll(cfg.Agent.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := lockDir(cfg.Agent.Data)
	if err != nil {
		return nil, err
	}
	a.lock = lock
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// lockDir makes sure that one agent has the data directory.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("data directory %s is in use by another liveward: stop it, or set agent.data", dir)
	}
	return f, nil
}

func (a *Agent) open(ctx context.Context) error {
	cfg := a.plan.Config
	jcfg := journal.Config{
		Dir:      filepath.Join(cfg.Agent.Data, "journal"),
		MaxBytes: int64(cfg.Journal.MaxSize), MaxAge: time.Duration(cfg.Journal.MaxAge),
		LegalMaxAge: time.Duration(cfg.Journal.LegalMaxAge), ReserveFree: int64(cfg.Journal.ReserveFree),
	}
	if a.hooks.Journal != nil {
		a.hooks.Journal(&jcfg)
	}
	if err := os.MkdirAll(jcfg.Dir, 0o700); err != nil {
		return fmt.Errorf("journal directory: %w", err)
	}
	var err error
	if a.journal, err = journal.Open(ctx, jcfg, a.log.With("component", "journal")); err != nil {
		return err
	}
	if a.rulesets, err = pipeline.NewRulesets(ctx, a.journal); err != nil {
		return err
	}
	if err := a.rulesets.Use(ctx, a.plan.Rules); err != nil {
		return err
	}
	if a.detector, err = pipeline.NewDetector(a.journal, a.plan.ruleOptions(), a.windowConfig(), a.plan.joins(), a.now, a.log.With("component", "windows")); err != nil {
		return err
	}
	a.keys = pipeline.NewKeyIndex(a.journal, a.now, a.log.With("component", "keys"))
	if err := a.openDeliveries(ctx); err != nil {
		return err
	}
	if err := a.openAlerting(); err != nil {
		return err
	}
	a.control, err = openControl(cfg.Agent.Data, a.controlRoutes(), a.log.With("component", "control"))
	return err
}

func (a *Agent) windowConfig() rules.WindowConfig {
	cfg := a.plan.windowConfig()
	cfg.Clock = a.elapsed
	return cfg
}

// elapsed is the time since the start, for measuring how long something takes.
func (a *Agent) elapsed() time.Duration { return a.now().Sub(a.started) }

func (a *Agent) openAlerting() error {
	notifiers, err := a.notifiers()
	if err != nil {
		return err
	}
	origins, err := pipeline.NewOrigins(a.journal, a.log)
	if err != nil {
		return err
	}
	a.manager = a.plan.manager(a.journal, notifiers, origins.Samples, a.log)
	a.notifying = pipeline.NewNotifying(a.journal, a.manager, origins, a.hooks.Alert, a.now, a.log.With("component", "alerting"))
	return nil
}

// manager keeps the incidents of a journal.
func (p *Plan) manager(j *journal.Journal, notifiers map[string]alerting.Notifier, samples func(context.Context, []event.Hash) []event.Document, log *slog.Logger) *alerting.Manager {
	c := p.Config.Alerting
	return alerting.New(alerting.Config{
		ResolveAfter: time.Duration(c.ResolveAfter), RepeatInterval: time.Duration(c.RepeatInterval), NotifyShadow: c.NotifyShadow,
	}, j.Incidents(), notifiers, alerting.Deps{Playbooks: p.Playbooks, Links: p.links(), Samples: samples, Log: log})
}

// Close gives the data directory back. Serve must have returned.
func (a *Agent) Close() error {
	var errs []error
	if a.control != nil {
		errs = append(errs, a.control.close())
	}
	if a.journal != nil {
		errs = append(errs, a.journal.Close())
	}
	return errors.Join(append(errs, a.lock.Close())...)
}

// Serve runs all parts until ctx is done or one of them fails, then drains: collectors stop first,
// then the readers catch up with the journal, then they stop.
func (a *Agent) Serve(ctx context.Context, reload <-chan struct{}) error {
	readers, stopReaders := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReaders()
	rg, rctx := errgroup.WithContext(readers)
	rg.Go(func() error { return a.detector.Run(rctx) })
	rg.Go(func() error { return a.keys.Run(rctx) })
	rg.Go(func() error { return a.notifying.Run(rctx) })
	rg.Go(func() error { return a.notify(rctx) })
	for _, d := range a.deliveries {
		rg.Go(func() error { return d.Run(rctx) })
	}
	rg.Go(func() error { return a.sweep(rctx) })
	rg.Go(func() error { return a.control.serve(rctx) })
	rg.Go(func() error { return a.serveMetrics(rctx) })

	// A reader that fails stops the collectors: what cannot be worked on is not taken.
	intake, stopIntake := context.WithCancel(ctx)
	defer stopIntake()
	context.AfterFunc(rctx, stopIntake)
	cg, cctx := errgroup.WithContext(intake)
	names := make([]string, len(a.plan.inputs))
	for i, in := range a.plan.inputs {
		names[i] = in.Name
	}
	a.gate = pipeline.NewGate(names...)
	if err := pipeline.Retire(ctx, a.journal, a.plan.Config.Agent.ID, names, a.now().UnixNano()); err != nil {
		// Its sources are given up for silent some time later: alerts come late, none is lost.
		a.log.Warn("inputs that are no longer configured could not be retired", "error", err)
	}
	for _, in := range a.plan.inputs {
		cg.Go(func() error { return a.collect(cctx, in) })
	}
	cg.Go(func() error { return a.reloads(cctx, reload) })
	cg.Go(func() error { return a.health(cctx) })
	cg.Go(func() error { a.plan.certs.watch(cctx, certificatesPoll, a.log); return nil })
	err := cg.Wait()
	if ctx.Err() != nil || errors.Is(err, errEnded) {
		err = nil
	}
	a.drain(rctx)
	stopReaders()
	return errors.Join(err, rg.Wait())
}

// notify delivers notifications, once the alerts of the time before the start were applied: an
// incident that goes on in them must not be told of as resolved first.
func (a *Agent) notify(ctx context.Context) error {
	for {
		behind, err := a.notifying.Behind(ctx)
		if err == nil && behind == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
	return ignoreDone(ctx, a.manager.Run(ctx, a.now))
}

// errEnded says that every input has come to its end, as standard input does.
var errEnded = errors.New("all inputs have ended")

func ignoreDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// drain waits until windows and forwarders have read all that was appended.
func (a *Agent) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	for ctx.Err() == nil {
		behind, err := a.Behind(ctx)
		if err == nil && behind == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	behind, err := a.Behind(context.WithoutCancel(ctx))
	a.log.Warn("stopped before all was delivered; the journal has the rest", "messages", behind, "error", err)
}

// Behind is how many journal messages the windows, the incidents and the slowest forwarder still
// have to read.
func (a *Agent) Behind(ctx context.Context) (int64, error) {
	readers, err := a.readers(ctx)
	most := int64(0)
	for _, n := range readers {
		most = max(most, n)
	}
	return most, err
}

// readers tells for each reader of the journal how many messages it has still to read.
func (a *Agent) readers(ctx context.Context) (map[string]int64, error) {
	_, last, err := a.journal.Bounds(ctx, journal.Events)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{
		"windows": max(0, int64(last)-int64(a.detector.Stats().Sequence)), "keys": max(0, int64(last)-int64(a.keys.Reached())),
	}
	if out["incidents"], err = a.notifying.Behind(ctx); err != nil {
		return nil, err
	}
	for _, d := range a.deliveries {
		if out["forwarder."+d.Name()], err = d.Behind(ctx); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// collect runs one input's collector, anew from the journal's positions when it was fenced.
func (a *Agent) collect(ctx context.Context, in input) error {
	log := a.log.With("component", "collector", "input", in.Name)
	said, again := "", 0 // what was told of last, and how often it happened since
	var delivered pipeline.Delivered
	for {
		err := a.collectOnce(ctx, in, &delivered, log)
		a.gate.Arrive(in.Name) // one that fails holds up no other
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			return a.ended()
		case errors.Is(err, collectors.ErrFenced):
			log.Warn("another writer has appended under this input's name: starting from the journal's positions")
		case err.Error() == said && again < 30:
			again++ // a port in use is told of once a minute
		default:
			log.Error("collector ended; it starts again", "error", err)
			said, again = err.Error(), 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(2 * time.Second):
		}
	}
}

// ended is the result of an input that has come to its end: the agent ends with its last input.
func (a *Agent) ended() error {
	if len(a.plan.inputs) == 1 {
		return errEnded
	}
	return nil
}

func (a *Agent) collectOnce(ctx context.Context, in input, delivered *pipeline.Delivered, log *slog.Logger) error {
	proc, err := a.processor(in, log)
	if err != nil {
		return err
	}
	sink, resume, err := pipeline.NewIntake(ctx, a.journal, a.plan.Config.Agent.ID, in.Name, proc, a.rulesets, a.gate, a.full.Load, a.counts, log)
	if err != nil {
		return err
	}
	defer sink.Close()
	if in.Webhook != nil { // a vendor posts again for as long as bodies are remembered
		since := a.now().Add(-time.Duration(in.Webhook.Remember))
		earlier, err := delivered.Since(ctx, a.journal, journal.BatchSubject(a.plan.Config.Agent.ID, in.Name), since)
		if err != nil {
			return err
		}
		resume = slices.Concat(earlier, resume)
	}
	c, err := a.collector(in, resume)
	if err != nil {
		return err
	}
	a.collectors.Store(in.Name, c)
	return c.Collect(ctx, sink)
}

func (a *Agent) collector(in input, resume []event.Position) (collectors.Collector, error) {
	if in.make != nil {
		return in.make(resume, a.now, a.log)
	}
	if len(in.Paths) == 1 && in.Paths[0] == "-" {
		return stdin.New(in.Name, os.Stdin, a.now, a.log), nil
	}
	cfg := file.Config{
		Name: in.Name, Paths: in.Paths, Exclude: in.Exclude, StartAtEnd: in.Start == "end", MaxLine: int(in.MaxLine),
	}
	if a.hooks.File != nil {
		a.hooks.File(&cfg)
	}
	return file.New(cfg, resume, a.now, a.log)
}

// Totals counts what went through since the start.
func (a *Agent) Totals() pipeline.Totals { return a.counts.Totals() }

// Watermark is the event time up to which windows have counted, in nanoseconds.
func (a *Agent) Watermark() int64 { return a.detector.Stats().Windows.Watermark }

// OpenIncidents counts the incidents that are not resolved.
func (a *Agent) OpenIncidents(ctx context.Context) (int, error) {
	all, err := a.manager.Incidents(ctx)
	n := 0
	for _, i := range all {
		if i.Resolved == 0 {
			n++
		}
	}
	return n, err
}

func (a *Agent) processor(in input, log *slog.Logger) (*pipeline.Processor, error) {
	stages, who, err := a.plan.stages(in, log, a.now, a.hooks.Version)
	if err != nil {
		return nil, err
	}
	stages.Clock = a.elapsed
	return pipeline.NewProcessor(stages, who), nil
}

// stages are what an input's lines go through, and what their documents say of the agent.
func (p *Plan) stages(in input, log *slog.Logger, now func() time.Time, version string) (pipeline.Stages, pipeline.Identity, error) {
	format, err := p.Formats.New(in.Format, in.formatOptions(log, now))
	if err != nil {
		return pipeline.Stages{}, pipeline.Identity{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return pipeline.Stages{
		Format: format, Vendors: p.Vendors, Vendor: in.Vendor, Enrich: in.enricher, Privacy: p.Privacy.Worker(),
		Lateness: in.lateness(), JudgeSkew: true, Joins: p.joinRoles(),
	}, pipeline.Identity{Agent: p.Config.Agent.ID, Version: version, Host: host}, nil
}

// sweep is the janitor: it purges what every reader has done, and says when the journal is full.
func (a *Agent) sweep(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := a.purge(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("janitor", "error", err)
		}
		full, err := a.journal.Full(ctx)
		if err == nil && full != a.full.Swap(full) {
			a.log.Warn("journal size", "full", full)
		}
	}
}

// purge lets go of what nobody needs any more. Dead letters are needed until the law wants them gone.
func (a *Agent) purge(ctx context.Context) error {
	subjects := make([]string, len(a.plan.inputs))
	for i, in := range a.plan.inputs {
		subjects[i] = journal.BatchSubject(a.plan.Config.Agent.ID, in.Name)
	}
	positions, err := a.journal.PositionsNeed(ctx, subjects)
	if err != nil {
		return err
	}
	events := []uint64{a.detector.Stats().Needed, a.keys.Needed(), positions}
	alerts := []uint64{a.notifying.Reached()}
	for _, d := range a.deliveries {
		e, al := d.Reached()
		events, alerts = append(events, e), append(alerts, al)
	}
	var errs []error
	for stream, done := range map[string][]uint64{journal.Events: events, journal.Alerts: alerts, journal.DeadLetters: {0}} {
		swept, err := a.journal.Sweep(ctx, stream, a.now(), done)
		if err != nil {
			errs = append(errs, err)
		}
		if swept.Expired > 0 {
			a.expired.Add(int64(swept.Expired))
			a.log.Error("messages were purged at their legal maximum age before every reader had read them", "stream", stream, "messages", swept.Expired)
		}
	}
	return errors.Join(errs...)
}
