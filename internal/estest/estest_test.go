package estest

import (
	"archive/zip"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestServer starts a server as "estest up" does, finds it by the environment, uses it as the tests of
// other packages do, and ends it.
func TestServer(t *testing.T) {
	state, err := Up()
	if err != nil {
		t.Fatal(err)
	}
	down := false
	t.Cleanup(func() {
		if !down {
			_ = Down(state)
		}
	})
	t.Setenv(StateEnv, state)
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err == nil {
		t.Error("a test may start the server of the whole run")
	}
	s.Remove() // not ours: has no effect
	if s.URL[:8] != "https://" {
		t.Errorf("URL %s is not TLS", s.URL)
	}
	var key struct{ Encoded string }
	s.Must(t, http.MethodPost, "/_security/api_key", `{"name":"estest"}`, &key)
	if key.Encoded == "" {
		t.Error("no API key can be made")
	}
	index := s.Namespace(t)
	if index == s.Namespace(t) {
		t.Error("a namespace was given twice")
	}
	if n := s.Count(t, index); n != 0 || len(s.Docs(t, index)) != 0 {
		t.Error("an index that does not exist has documents")
	}
	s.Must(t, http.MethodPut, "/"+index+"/_doc/a", `{"x":1}`, nil)
	docs := s.Docs(t, index)
	if s.Count(t, index) != 1 || len(docs) != 1 || docs[0].ID != "a" || string(docs[0].Source) != `{"x":1}` {
		t.Errorf("documents: %v", docs)
	}

	down = true
	if err := Down(state); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
		t.Errorf("directory is left: %v", err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "https://"))
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server still listens")
		}
	}
}

func TestUnpackStaysInside(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "a.zip")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	if _, err := z.Create("../outside"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unpack(archive, t.TempDir()); err == nil {
		t.Error("an entry that leads out of the directory was unpacked")
	}
}
