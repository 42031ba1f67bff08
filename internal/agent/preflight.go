package agent

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/liveward/liveward/alerting/slack"
	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/forwarders/elasticsearch"
)

// Finding is what was found of one thing that the agent would open.
type Finding = collectors.Finding

// expiresSoon is how long before its end a certificate is worth a word.
const expiresSoon = 14 * 24 * time.Hour

// Preflight asks everything that the configuration opens whether it is there and may be used. It stores,
// sends and takes nothing, and does not disturb an agent that runs. The error says that something is
// wrong; the findings say what.
func (p *Plan) Preflight(ctx context.Context, now func() time.Time) ([]Finding, error) {
	var asks []func() []Finding
	for i := range p.inputs {
		asks = append(asks, func() []Finding { return p.inputs[i].preflight(ctx, now) })
	}
	asks = append(asks,
		p.preflightDisk,
		func() []Finding { return p.preflightCertificates(now()) },
		func() []Finding { return p.preflightElasticsearch(ctx, now) },
		func() []Finding { return p.preflightSlack(ctx, now) },
	)
	answers := make([][]Finding, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() { answers[i] = ask() })
	}
	wg.Wait()
	all := slices.Concat(answers...)
	wrong := 0
	for _, f := range all {
		if f.Verdict == collectors.Wrong {
			wrong++
		}
	}
	if wrong > 0 {
		return all, fmt.Errorf("%d of %d checks went wrong", wrong, len(all))
	}
	return all, nil
}

// preflight asks about an input. A listener waits for others: of it only the certificate can be looked
// at, and its port is the running agent's.
func (in *input) preflight(ctx context.Context, now func() time.Time) []Finding {
	if in.make == nil {
		return in.preflightFiles()
	}
	c, err := in.make(nil, now, slog.New(slog.DiscardHandler))
	if err != nil {
		return []Finding{{Verdict: collectors.Wrong, What: "input " + in.Name, Said: err.Error()}}
	}
	checker, ok := c.(collectors.Checker)
	if !ok {
		return nil
	}
	found := checker.Check(ctx)
	for i := range found {
		found[i].What = "input " + in.Name + ", " + found[i].What
	}
	return found
}

// preflightFiles looks whether the files that are there may be read.
func (in *input) preflightFiles() []Finding {
	var found []Finding
	for _, pattern := range in.Paths {
		if pattern == "-" {
			continue
		}
		f := Finding{Verdict: collectors.OK, What: "input " + in.Name + ", " + pattern}
		paths, err := filepath.Glob(pattern)
		if err == nil && len(paths) == 0 {
			_, err = os.ReadDir(filepath.Dir(pattern))
		}
		readable := 0
		for _, path := range paths {
			switch open := mayBeRead(path); {
			case open == nil:
				readable++
			case !errors.Is(open, errNotRegular) || len(paths) == 1: // a directory beside logs is none
				err = open
			}
		}
		switch {
		case errors.Is(err, fs.ErrPermission):
			f.Verdict, f.Said = collectors.Wrong, fmt.Sprintf("%v: let the user that liveward runs as read it, and the directories above", err)
		case err != nil && len(paths) == 0:
			f.Verdict, f.Said = collectors.Warning, fmt.Sprintf("%v: nothing is there yet", err)
		case err != nil:
			f.Verdict, f.Said = collectors.Wrong, err.Error()
		case readable == 0:
			f.Verdict, f.Said = collectors.Warning, "no such file yet: it is waited for"
		default:
			f.Said = "may be read"
		}
		found = append(found, f)
	}
	return found
}

var errNotRegular = errors.New("not a regular file: only those are read")

// mayBeRead tells why a file cannot be read. What is no file is not opened: that would wait for who writes
// into a pipe, and disturb him.
func mayBeRead(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", path, errNotRegular)
	}
	file, err := os.OpenFile(filepath.Clean(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return file.Close()
}

func (p *Plan) preflightElasticsearch(ctx context.Context, now func() time.Time) []Finding {
	const what = "elasticsearch"
	if len(p.Config.Elasticsearch.URLs) == 0 {
		return nil
	}
	has, err := elasticsearch.Preflight(ctx, p.ElasticsearchConfig(now))
	if err != nil {
		return []Finding{{Verdict: collectors.Wrong, What: what, Said: strings.TrimPrefix(err.Error(), what+": ")}}
	}
	if len(has.Missing) > 0 {
		return []Finding{{
			Verdict: collectors.Wrong, What: what,
			Said: "reached; the key may not " + strings.Join(has.Missing, ", ") + ": make one with liveward setup elasticsearch",
		}}
	}
	found := []Finding{{Verdict: collectors.OK, What: what, Said: "reached; the key may do what is needed"}}
	for _, s := range has.Excess {
		found = append(found, Finding{Verdict: collectors.Warning, What: what, Said: "the key may also " + s + "; a stolen agent key must not read or delete"})
	}
	return found
}

func (p *Plan) preflightSlack(ctx context.Context, now func() time.Time) []Finding {
	cfg, ok := p.slackConfig()
	if !ok {
		return nil
	}
	f := Finding{Verdict: collectors.Wrong, What: "slack"}
	n, err := slack.New(cfg, slack.Deps{Now: now})
	if err != nil {
		f.Said = strings.TrimPrefix(err.Error(), "slack: ")
		return []Finding{f}
	}
	s, err := n.Check(ctx)
	who := ""
	if s.Bot != "" {
		who = "bot " + s.Bot + " of " + s.Team
	}
	switch {
	case err != nil:
		f.Said = strings.TrimPrefix(err.Error(), "slack ")
	case s.Unsure != "" && who != "":
		f.Verdict, f.Said = collectors.Unknown, "reached as "+who+"; "+s.Unsure
	case s.Unsure != "":
		f.Verdict, f.Said = collectors.Unknown, s.Unsure
	default:
		f.Verdict, f.Said = collectors.OK, "reached as "+who+", who may post in "+s.Channel
	}
	return []Finding{f}
}

// preflightCertificates looks at the files of certificates. Those of authorities may hold some that are
// over, as long as one is not.
func (p *Plan) preflightCertificates(now time.Time) []Finding {
	var found []Finding
	seen := map[string]bool{}
	look := func(path string, authorities bool) {
		if path == "" || seen[path] {
			return
		}
		seen[path] = true
		f := Finding{What: "certificate " + path}
		f.Verdict, f.Said = judgeCertificates(path, authorities, now)
		found = append(found, f)
	}
	for _, c := range p.certs.all {
		look(c.cfg.CertFile, false)
		look(c.cfg.ClientCAFile, true)
	}
	for i := range p.inputs {
		if c := p.inputs[i].NATS; c != nil {
			look(c.CAFile, true)
			look(c.ClientCert, false)
		}
	}
	look(p.Config.Elasticsearch.CAFile, true)
	look(p.Config.Elasticsearch.ClientCert, false)
	return found
}

func judgeCertificates(path string, authorities bool, now time.Time) (collectors.Verdict, string) {
	list, err := readCertificates(path)
	if err != nil {
		return collectors.Wrong, err.Error()
	}
	if !authorities {
		list = list[:1] // its own; what follows are those between it and the authority
	}
	last := slices.MaxFunc(list, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	until := last.NotAfter.UTC().Format(time.DateTime) + " UTC"
	switch {
	case now.After(last.NotAfter):
		return collectors.Wrong, "expired on " + until + ": replace it"
	case now.Before(last.NotBefore):
		return collectors.Wrong, "not valid before " + last.NotBefore.UTC().Format(time.DateTime) + " UTC: check the clock, or wait"
	case now.Add(expiresSoon).After(last.NotAfter):
		return collectors.Warning, "expires on " + until + ": replace it"
	}
	return collectors.OK, "valid until " + until
}

// readCertificates returns one certificate at least, or an error.
func readCertificates(path string) ([]*x509.Certificate, error) {
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no certificate in PEM", path)
	}
	return list, nil
}
