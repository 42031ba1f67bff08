package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/agent"
)

// screen shows cards and log lines above one status line, which is written over where the output is
// a terminal and written now and then where it is not.
type screen struct {
	mu     sync.Mutex
	w      io.Writer
	live   bool
	width  int
	status string
}

func newScreen(cfg Config) *screen {
	width := cfg.Width
	if width <= 0 {
		width = terminalWidth
	}
	return &screen{w: cfg.Out, live: cfg.Live, width: width}
}

const (
	terminalWidth = 80 // where it is not known
	leastWidth    = 40
	mostWidth     = 120
)

// Write implements io.Writer: what is written stands above the status line.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	n, err := s.w.Write(p)
	s.draw()
	return n, err
}

// say writes a paragraph that fits the screen. Words stay whole: a path can be copied.
func (s *screen) say(format string, a ...any) {
	s.printf("%s\n", wrap(fmt.Sprintf(format, a...), s.columns()))
}

// columns is how wide text is, as cards are.
func (s *screen) columns() int { return min(max(s.width, leastWidth), mostWidth) }

func (s *screen) printf(format string, a ...any) {
	_, _ = fmt.Fprintf(s, format, a...)
}

// set changes the status line.
func (s *screen) set(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		_, _ = fmt.Fprintln(s.w, status)
		return
	}
	s.erase()
	s.status = status
	s.draw()
}

func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.status = ""
}

func (s *screen) erase() {
	if s.live && s.status != "" {
		_, _ = io.WriteString(s.w, "\r\x1b[K")
	}
}

func (s *screen) draw() {
	if s.live && s.status != "" {
		line := []rune(s.status)
		_, _ = io.WriteString(s.w, string(line[:min(len(line), s.width-1)]))
	}
}

// status keeps the status line.
func (d *demo) status(ctx context.Context, a *agent.Agent) {
	every := time.Second / 4
	if !d.cfg.Live {
		every = 5 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	last, lastAt := int64(0), time.Now()
	rate := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			t := a.Totals()
			seen := t.Events + t.Quarantined
			if since := now.Sub(lastAt); since >= time.Second || last == 0 {
				rate = float64(seen-last) / max(since.Seconds(), 0.001)
				last, lastAt = seen, now
			}
			lag := time.Duration(0)
			if t.NewestEvent > 0 {
				lag = max(0, now.Sub(time.Unix(0, t.NewestEvent)))
			}
			open, _ := a.OpenIncidents(ctx)
			d.screen.set(fmt.Sprintf("%s  %.0f events/s  live %d  spoof %d  other %d  refused %d  lag %.1fs  alerts %d  open incidents %d",
				now.UTC().Format(time.TimeOnly), rate, t.Decisions["live"], t.Decisions["spoof"],
				sum(t.Decisions)-t.Decisions["live"]-t.Decisions["spoof"], t.Refused, lag.Seconds(), d.alerts(), open))
		}
	}
}

func (d *demo) alerts() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.order)
}

func sum(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func (d *demo) intro() {
	length := "until ctrl-C"
	if d.cfg.For > 0 {
		length = "for " + d.cfg.For.String()
	}
	d.screen.say("liveward demo, %s. A simulated bank group's gateway writes %s; the agent tails it. Attacks begin within seconds; "+
		"alerts follow about five seconds after the event that fires them, once no earlier one can come any more.", length, d.dir)
	keep := ""
	if d.cfg.Keep == "" {
		keep = " The directory is removed at the end; --keep DIR keeps one."
	}
	d.screen.say("\nPseudonyms are made with a published development key.%s\n", keep)
}

// rule draws a line.
func rule(n int) string { return strings.Repeat("─", n) }

// wrap breaks text between words into lines of at most width columns, paragraph by paragraph.
func wrap(text string, width int) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		used := 0
		for word := range strings.FieldsSeq(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case used == 0:
			case used+1+n > width:
				b.WriteByte('\n')
				used = 0
			default:
				b.WriteByte(' ')
				used++
			}
			b.WriteString(word)
			used += n
		}
	}
	return b.String()
}
