package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The control socket: commands that concern a running agent speak to it over <data>/liveward.sock,
// HTTP with JSON on a Unix socket that only the agent's own user may open. This file is both ends of
// it; what may be asked stands in controlRoutes, in one place.
const (
	socketName      = "liveward.sock"
	controlRequests = 16       // answered at once
	controlBody     = 1 << 20  // bytes of a request's body
	controlAnswer   = 64 << 20 // bytes of an answer that is read as a whole
	controlPatience = 30 * time.Second
)

// control is the agent's end of the socket.
type control struct {
	path   string
	ln     net.Listener
	server *http.Server
	log    *slog.Logger
}

// controlHandler answers one kind of request. What it returns becomes the answer's JSON; a handler
// that has written the answer itself returns nil, nil.
type controlHandler func(w http.ResponseWriter, r *http.Request) (any, error)

// openControl opens the socket of a data directory whose lock the caller holds: a socket that lies
// there was left behind by an agent that was killed, and is replaced.
func openControl(dir string, routes map[string]controlHandler, log *slog.Logger) (*control, error) {
	c := &control{path: filepath.Join(dir, socketName), log: log}
	// Under a name of its own until only its owner may open it, then in one step under its right name.
	fresh := socketName + ".new"
	if err := os.Remove(filepath.Join(dir, fresh)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	address, done, err := socketAddress(dir, fresh)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer done()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ln.SetUnlinkOnClose(false)
	if err := os.Chmod(filepath.Join(dir, fresh), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), ln.Close())
	}
	if err := os.Rename(filepath.Join(dir, fresh), c.path); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), ln.Close())
	}
	c.ln = ln
	mux := http.NewServeMux()
	room := make(chan struct{}, controlRequests)
	for pattern, h := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			select {
			case room <- struct{}{}:
				defer func() { <-room }()
				respond(w, r, h)
			default:
				writeJSON(w, http.StatusServiceUnavailable, controlError{"the agent answers too many requests at once: try again"})
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusNotFound, controlError{"the running agent does not know this request: it is of another version than this command"})
	})
	c.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: controlPatience, IdleTimeout: controlPatience,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return c, nil
}

// serve answers until ctx is done.
func (c *control) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.server.Close() })
	defer stop()
	if err := c.server.Serve(c.ln); !errors.Is(err, http.ErrServerClosed) {
		// The agent does its work without it.
		c.log.Error("control socket", "error", err)
	}
	return nil
}

// close takes the socket away. The agent's lock is still held, so it is nobody else's.
func (c *control) close() error {
	err := c.server.Close()
	_ = c.ln.Close() // where serve was never called; closed twice it only says so
	if rerr := os.Remove(c.path); !errors.Is(rerr, os.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}

// controlError is the answer to a request that failed.
type controlError struct {
	Error string `json:"error"`
}

func respond(w http.ResponseWriter, r *http.Request, h controlHandler) {
	r.Body = http.MaxBytesReader(w, r.Body, controlBody)
	v, err := h(w, r)
	switch {
	case err != nil:
		status := http.StatusInternalServerError
		if _, bad := errors.AsType[badRequest](err); bad {
			status = http.StatusBadRequest
		}
		writeJSON(w, status, controlError{err.Error()})
	case v != nil:
		writeJSON(w, http.StatusOK, v)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who asked has gone
}

// badRequest marks what is wrong with a request, as opposed to with the agent.
type badRequest struct{ error }

// decodeRequest reads a request's body.
func decodeRequest(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badRequest{fmt.Errorf("request: %w", err)}
	}
	return nil
}

// socketAddress is an address of a socket in a directory that fits into the 108 bytes that the system
// has for one, however long the directory's name is. done is called once the address was used.
func socketAddress(dir, name string) (address string, done func(), err error) {
	const longest = 100
	if path := filepath.Join(dir, name); len(path) <= longest {
		return path, func() {}, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), name), func() { _ = f.Close() }, nil
}

// ErrNotRunning says that no agent runs on a data directory.
var ErrNotRunning = errors.New("no agent is running")

// Client asks a running agent.
type Client struct {
	dir  string
	http *http.Client
}

// Connect reaches the agent that runs on a data directory. The error is ErrNotRunning, with the
// directory, where there is none.
func Connect(ctx context.Context, dir string) (*Client, error) {
	c := &Client{dir: dir}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			address, done, err := socketAddress(dir, socketName)
			if err != nil {
				return nil, err
			}
			defer done()
			return new(net.Dialer).DialContext(ctx, "unix", address)
		},
	}}
	if err := c.Get(ctx, "/v1/status", new(Status)); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close lets the connection go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Get asks for something; out takes the answer.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, path, nil, out)
}

// Post tells the agent to do something; in is what is said to it, out takes the answer.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("ask the agent: %w", err)
	}
	return c.call(ctx, http.MethodPost, path, strings.NewReader(string(body)), out)
}

func (c *Client) call(ctx context.Context, method, path string, body io.Reader, out any) error {
	answer, err := c.stream(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	if err := json.NewDecoder(io.LimitReader(answer, controlAnswer)).Decode(out); err != nil {
		return fmt.Errorf("answer of the agent: %w", err)
	}
	return nil
}

// stream sends a request and returns the answer's body, which may be long.
func (c *Client) stream(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://liveward"+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask the agent: %w", err)
	}
	answer, err := c.http.Do(r)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("control socket %s: permission denied: run this as the agent's user", filepath.Join(c.dir, socketName))
	case notListening(err):
		return nil, fmt.Errorf("%w on data directory %s", ErrNotRunning, c.dir)
	default:
		return nil, fmt.Errorf("ask the agent: %w", err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer func() { _ = answer.Body.Close() }()
	var e controlError
	if json.NewDecoder(io.LimitReader(answer.Body, controlBody)).Decode(&e) != nil || e.Error == "" {
		e.Error = answer.Status
	}
	return nil, fmt.Errorf("the agent says: %s", e.Error)
}

// notListening tells that nobody listens at a socket: there is none, or one that was left behind.
func notListening(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}
