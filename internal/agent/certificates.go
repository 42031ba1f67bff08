package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/liveward/liveward/collectors/listen"
)

// certificatesPoll is how often the files of certificates are looked at.
const certificatesPoll = 10 * time.Second

// certificates are what the listeners prove themselves with, and the files it comes from.
type certificates struct{ all []*certificate }

type certificate struct {
	cfg      TLSConfig
	identity *listen.Identity
	used     string // state of the files that are in use
	tried    string // state of the files that were looked at last
}

func (c *certificates) add(cfg *TLSConfig, id *listen.Identity) {
	state := cfg.state()
	c.all = append(c.all, &certificate{*cfg, id, state, state})
}

// watch takes certificates again when their files change, until ctx is done. Connections that are
// open keep what they began with.
func (c *certificates) watch(ctx context.Context, every time.Duration, log *slog.Logger) {
	if len(c.all) == 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, one := range c.all {
			one.renew(log)
		}
	}
}

// renew takes the files if they have changed. Certificate and key are written one after the other: a
// pair that does not fit is tried again while it is not the one in use, and told of once.
func (c *certificate) renew(log *slog.Logger) {
	state := c.cfg.state()
	if state == c.used {
		return
	}
	of, err := c.cfg.read()
	if err == nil {
		err = c.identity.Change(of)
	}
	if err != nil {
		if state != c.tried {
			log.Error("certificate has changed and cannot be used: the old one stays", "file", c.cfg.CertFile, "error", err)
		}
		c.tried = state
		return
	}
	c.used, c.tried = state, state
	log.Info("certificate has changed", "file", c.cfg.CertFile)
}

// state tells whether any of the files has changed.
func (c *TLSConfig) state() string {
	var s strings.Builder
	for _, path := range []string{c.CertFile, c.ClientCAFile, c.Key.path()} {
		if path == "" {
			continue
		}
		st, err := os.Stat(path)
		if err != nil {
			s.WriteString("none ")
			continue
		}
		fmt.Fprint(&s, st.ModTime().UnixNano(), st.Size(), " ")
	}
	return s.String()
}
