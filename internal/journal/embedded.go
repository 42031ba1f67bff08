package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// maxPayload is the largest message the embedded server takes.
const maxPayload = 8 << 20

// embedded is a NATS server in this process. It opens no port.
type embedded struct{ s *server.Server }

// InProcessConn implements nats.InProcessConnProvider.
func (e *embedded) InProcessConn() (net.Conn, error) { return e.s.InProcessConn() }

func startEmbedded(cfg Config, log *slog.Logger) (*embedded, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "liveward",
		DontListen: true,
		NoSigs:     true,
		JetStream:  true,
		StoreDir:   cfg.Dir,
		// The default is a share of what is free at start: a restart beside a large journal would
		// refuse every write. Alerts, key-value and blobs get their space on top of the events'.
		JetStreamMaxStore:  cfg.MaxBytes + cfg.MaxBytes/4 + 1<<30,
		JetStreamMaxMemory: 64 << 20,
		MaxPayload:         maxPayload,
		MaxPending:         4 * maxPayload,
		// A process kill loses nothing either way; an operating system crash or power cut does not
		// lose what was acknowledged only with this.
		SyncAlways: !cfg.NoSync,
	})
	if err != nil {
		return nil, fmt.Errorf("journal server: %w", err)
	}
	fatal := make(chan string, 1)
	s.SetLoggerV2(serverLog{log, fatal}, false, false, false)
	s.Start()
	for range 600 {
		if s.ReadyForConnections(100 * time.Millisecond) {
			return &embedded{s}, nil
		}
		select {
		case why := <-fatal:
			s.Shutdown()
			return nil, fmt.Errorf("journal server: %s", why)
		default:
		}
	}
	s.Shutdown()
	return nil, errors.New("journal server did not become ready within a minute: see the log before this line")
}

func (e *embedded) stop() {
	e.s.Shutdown()
	e.s.WaitForShutdown()
}

// serverLog passes the server's warnings and errors on; its notices are of no use to an operator.
// What it calls fatal ends it: whoever waits for it to become ready is told.
type serverLog struct {
	log   *slog.Logger
	fatal chan<- string
}

func (l serverLog) Noticef(string, ...any) {}
func (l serverLog) Debugf(string, ...any)  {}
func (l serverLog) Tracef(string, ...any)  {}
func (l serverLog) Warnf(format string, v ...any) {
	l.log.Warn("journal server", "message", fmt.Sprintf(format, v...))
}

func (l serverLog) Errorf(format string, v ...any) {
	l.log.Error("journal server", "message", fmt.Sprintf(format, v...))
}

func (l serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
	l.log.Error("journal server", "message", fmt.Sprintf(format, v...))
}
