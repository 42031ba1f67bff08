package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liveward/liveward/internal/estest"
)

func TestMain(m *testing.M) {
	testscript.Main(withServer{m}, map[string]func(){"liveward": main})
}

// withServer stops the Elasticsearch of this test binary, if it had one, when the tests are over, and
// removes the command that was built for them.
type withServer struct{ m *testing.M }

// Run implements testscript.TestingM.
func (w withServer) Run() int {
	defer func() { _ = os.RemoveAll(built.dir) }()
	return estest.Run(w.m)
}

// built is the command as users have it, without the race detector, for the tests that run it.
var built struct {
	sync.Once
	dir string
	err error
}

// buildCommand builds the command, once for all tests, and returns its path.
func buildCommand(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "liveward-built-"); built.err != nil { //nolint:usetesting // for all tests
			return
		}
		if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(built.dir, "liveward"), ".").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "liveward")
}

func TestScripts(t *testing.T) {
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("RULES", filepath.Join(repo, "rules.d"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"awaitlines":  awaitLines,
			"awaitmatch":  awaitMatch,
			"awaitsocket": awaitSocket,
			"lines":       countLines,
			"terminate":   terminate,
		},
	})
}

// awaitLines waits until a file has at least N lines: awaitlines FILE N.
func awaitLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: awaitlines file n")
	}
	want := atoi(ts, args[1])
	path := ts.MkAbs(args[0])
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		data, err := os.ReadFile(path)
		if err == nil && strings.Count(string(data), "\n") >= want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s has %d lines after three minutes, want %d", args[0], strings.Count(string(data), "\n"), want)
		}
	}
}

// awaitMatch waits until a line of a file matches an expression: awaitmatch FILE REGEXP.
func awaitMatch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: awaitmatch file regexp")
	}
	want, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		data, err := os.ReadFile(path)
		if err == nil && want.Match(data) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no line of %s matches %s after three minutes", args[0], args[1])
		}
	}
}

// awaitSocket waits until somebody listens on a Unix socket: awaitsocket FILE.
func awaitSocket(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: awaitsocket file")
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("unix", ts.MkAbs(args[0]))
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nobody listens on %s after three minutes: %v", args[0], err)
		}
	}
}

// terminate sends SIGTERM to every command in the background: terminate.
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: terminate")
	}
	for _, c := range ts.BackgroundCmds() {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			ts.Fatalf("terminate: %v", err)
		}
	}
}

// countLines checks that a file has exactly N lines: lines FILE N.
func countLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines file n")
	}
	if n := strings.Count(ts.ReadFile(args[0]), "\n"); n != atoi(ts, args[1]) {
		ts.Fatalf("%s has %d lines, want %s", args[0], n, args[1])
	}
}

func atoi(ts *testscript.TestScript, s string) (n int) {
	for _, c := range s {
		if c < '0' || c > '9' {
			ts.Fatalf("%q is not a number", s)
		}
		n = n*10 + int(c-'0')
	}
	return n
}
