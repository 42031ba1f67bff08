package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func statusRoute() map[string]controlHandler {
	return map[string]controlHandler{
		"GET /v1/status": func(http.ResponseWriter, *http.Request) (any, error) { return Status{Agent: "test"}, nil },
		"GET /v1/broken": func(http.ResponseWriter, *http.Request) (any, error) { return nil, errors.New("the disk is gone") },
		"POST /v1/echo": func(_ http.ResponseWriter, r *http.Request) (any, error) {
			var v struct{ Text string }
			err := decodeRequest(r, &v)
			return v, err
		},
	}
}

// serveControl serves a control socket until the test ends.
func serveControl(t *testing.T, dir string) {
	t.Helper()
	c, err := openControl(dir, statusRoute(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- c.serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := c.close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, socketName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
}

func TestControl(t *testing.T) {
	for name, dir := range map[string]string{
		"short": t.TempDir(),
		"long":  filepath.Join(t.TempDir(), strings.Repeat("a", 100), strings.Repeat("b", 100)),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if _, err := Connect(t.Context(), dir); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("nobody listens: %v", err)
			}
			serveControl(t, dir)
			st, err := os.Stat(filepath.Join(dir, socketName))
			if err != nil {
				t.Fatal(err)
			}
			if st.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", st.Mode())
			}
			c, err := Connect(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var status Status
			if err := c.Get(t.Context(), "/v1/status", &status); err != nil || status.Agent != "test" {
				t.Errorf("status %+v, %v", status, err)
			}
			var echo struct{ Text string }
			if err := c.Post(t.Context(), "/v1/echo", map[string]string{"Text": "hello"}, &echo); err != nil || echo.Text != "hello" {
				t.Errorf("echo %q, %v", echo.Text, err)
			}
			for _, tc := range []struct {
				path string
				body any
				want string
			}{
				{"/v1/echo", map[string]string{"Txt": ""}, `the agent says: request: json: unknown field "Txt"`},
				{"/v1/echo", strings.Repeat("x", controlBody), "the agent says: request: http: request body too large"},
				{"/v1/nothing", nil, "the agent says: the running agent does not know this request: it is of another version than this command"},
			} {
				if err := c.Post(t.Context(), tc.path, tc.body, &echo); err == nil || err.Error() != tc.want {
					t.Errorf("%s: %v, want %s", tc.path, err, tc.want)
				}
			}
			if err := c.Get(t.Context(), "/v1/broken", &echo); err == nil || err.Error() != "the agent says: the disk is gone" {
				t.Error(err)
			}
		})
	}
}

// A socket that an agent left behind when it was killed says that none is running, and is no hindrance
// to the next one.
func TestControlStaleSocket(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{socketName, socketName + ".new"} {
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		ln.SetUnlinkOnClose(false)
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Connect(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("stale socket: %v", err)
	}
	serveControl(t, dir)
	c, err := Connect(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
