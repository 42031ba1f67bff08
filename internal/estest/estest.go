// Package estest gets and starts a real Elasticsearch for tests: security and TLS on, a CA of its
// own, API keys usable. It is the minimal distribution from Maven Central, unpacked once into a cache.
//
// It never skips: what is missing on the machine (Java, Maven) fails the test and is named. Nothing
// but tests and their tools may import it.
package estest

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
)

// StateEnv names the file in which a server that was started beforehand (estest up) is described.
const StateEnv = "LIVEWARD_TEST_ES_STATE"

// Options are what a private server differs in.
type Options struct {
	// Settings are further lines of elasticsearch.yml, such as "indexing_pressure.memory.limit: 2mb".
	Settings []string
	// LeafOnly makes the server send its own certificate without that of its CA.
	LeafOnly bool
	// Heap is the size of the heap, "1g" where empty.
	Heap string
}

// shared is the server of this test binary.
//
//nolint:gochecknoglobals // one server per test binary is the point
var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// Shared returns the server that all tests of the run use: the one that StateEnv names, else one of
// this test binary's own, started at first use. Streams cannot be deleted there: use Namespace. The
// test binary's TestMain must call Run.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = open()
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

func open() (*Server, error) {
	path := os.Getenv(StateEnv)
	if path == "" {
		return Launch(Options{}, false)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("estest: %s: %w", StateEnv, err)
	}
	s := &Server{foreign: true}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("estest: %s: %w", path, err)
	}
	return s, s.connect()
}

// Run runs the tests of a binary that uses Shared, and stops the server afterwards. In TestMain:
//
//	os.Exit(estest.Run(m))
func Run(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil && !shared.server.foreign {
		shared.server.Remove()
	}
	return code
}

// Start starts a private server and removes it when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Launch(o, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Remove)
	return s
}
