package journald

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// mode is what journalctl is run for.
type mode int

const (
	modeLast   mode = iota // the last entry alone, for its cursor
	modeStored             // what there is
	modeFollow             // what there is and what comes
)

const (
	chunkBytes = 1 << 20
	chunkLines = 16 << 10
	stopTime   = 2 * time.Second
)

// process is a running journalctl. A goroutine reads what it prints; two chunks go back and forth.
type process struct {
	chunks chan *chunk
	free   chan *chunk
	cancel context.CancelFunc
	done   sync.WaitGroup
	err    error // of reading; set before chunks is closed
	cmd    *exec.Cmd
	stderr tail
	ended  func() error
}

// chunk is some whole entries.
type chunk struct {
	lines    []event.Line
	text     []byte
	first    string // cursor of its first entry
	cursor   []byte // cursor of its last entry
	end      int64  // offset behind it
	entries  int64
	oversize int64
	vacuumed bool
}

// arguments are those of journalctl.
func (c *Collector) arguments(mode mode) []string {
	args := []string{"--output=export", "--output-fields=MESSAGE", "--no-pager"}
	if mode == modeLast {
		args = append(args, "--lines=1")
	} else {
		args = append(args, "--no-tail") // all, and not the last few
		// --after-cursor would pass over the first entry behind one that was vacuumed: the entry that is
		// known is asked for, and it shows whether it is still there.
		if c.pos.Cursor != "" {
			args = append(args, "--cursor="+c.pos.Cursor)
		}
	}
	if mode == modeFollow {
		args = append(args, "--follow")
	}
	if c.cfg.Directory != "" {
		args = append(args, "--directory="+c.cfg.Directory)
	}
	for _, unit := range c.cfg.Units {
		if !strings.Contains(unit, ".") {
			unit += ".service"
		}
		args = append(args, "_SYSTEMD_UNIT="+unit)
	}
	for _, id := range c.cfg.Identifiers {
		args = append(args, "SYSLOG_IDENTIFIER="+id)
	}
	return args
}

func (c *Collector) start(ctx context.Context, mode mode) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, c.program, c.arguments(mode)...) //nolint:gosec // the program the configuration names
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "SYSTEMD_COLORS=0")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	p := &process{chunks: make(chan *chunk), free: make(chan *chunk, 2), cancel: cancel, cmd: cmd}
	cmd.Stderr = &p.stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start journalctl: %w", err)
	}
	p.ended = sync.OnceValue(cmd.Wait)
	p.free <- new(chunk)
	p.free <- new(chunk)
	r := &exportReader{
		r: bufio.NewReaderSize(out, 64<<10), maxLine: c.cfg.MaxLine,
		after: c.pos.Cursor, at: c.pos.CheckAt, end: c.pos.End,
	}
	if mode == modeLast {
		r.after = ""
	} else if r.after == "" && r.end > r.at {
		r.begin = c.pos.Fingerprint
	}
	p.done.Go(func() {
		defer close(p.chunks)
		p.err = p.read(ctx, r)
	})
	return p, nil
}

// read hands over chunks until the output ends.
func (p *process) read(ctx context.Context, r *exportReader) error {
	for {
		var k *chunk
		select {
		case k = <-p.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		*k = chunk{lines: k.lines[:0], text: k.text[:0], cursor: k.cursor[:0], end: r.at}
		err := r.chunk(k)
		if k.entries > 0 {
			select {
			case p.chunks <- k:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// wait returns how journalctl ended. It is called when there are no more chunks.
func (p *process) wait() error {
	p.done.Wait()
	if p.err != nil {
		return p.err
	}
	err := p.ended()
	if line := p.stderr.line(); err != nil && line != "" {
		return fmt.Errorf("journalctl: %w: %s", err, line)
	}
	if err != nil {
		return fmt.Errorf("journalctl: %w", err)
	}
	return nil
}

// stop ends journalctl and what reads from it.
func (p *process) stop() {
	p.cancel()
	p.done.Wait()
	_ = p.ended()
}

// tail keeps the beginning of what a program has to say about its failure.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p[:min(len(p), 512-len(t.b))]...)
	return len(p), nil
}

// line returns it as one line, without control characters.
func (t *tail) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.FieldsFunc(string(t.b), func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}
