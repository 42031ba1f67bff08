package estest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Doc is a stored document.
type Doc struct {
	Index  string          `json:"_index"` // backing index
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`
}

func (s *Server) connect() error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CA) {
		return errors.New("estest: CA is not PEM")
	}
	s.client = &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, IdleConnTimeout: time.Second},
	}
	return nil
}

// do makes a request as superuser.
func (s *Server) do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.SetBasicAuth("elastic", s.Password)
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}

// Do makes a request as superuser and returns status and body, whatever the status.
func (s *Server) Do(t testing.TB, method, path, body string) (int, []byte) {
	t.Helper()
	status, b, err := s.do(t.Context(), method, path, []byte(body))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return status, b
}

// Must is Do for requests that have to succeed; it decodes the answer into out, unless that is nil.
func (s *Server) Must(t testing.TB, method, path, body string, out any) {
	t.Helper()
	status, b := s.Do(t, method, path, body)
	if status/100 != 2 {
		t.Fatalf("%s %s: %d\n%s", method, path, status, b)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, b)
	}
}

// Namespace returns a namespace that no other test uses.
func (s *Server) Namespace(t testing.TB) string {
	t.Helper()
	b := make([]byte, 10)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return "t" + strings.ToLower(base32.StdEncoding.EncodeToString(b))
}

// Refresh makes what was stored visible to searches.
func (s *Server) Refresh(t testing.TB, target string) {
	t.Helper()
	s.Must(t, http.MethodPost, "/"+target+"/_refresh", "", nil)
}

// Count refreshes the target and counts its documents; 0 where it does not exist.
func (s *Server) Count(t testing.TB, target string) int {
	t.Helper()
	var out struct{ Count int }
	if status, _ := s.Do(t, http.MethodPost, "/"+target+"/_refresh", ""); status == http.StatusNotFound {
		return 0
	}
	s.Must(t, http.MethodGet, "/"+target+"/_count", "", &out)
	return out.Count
}

// Search makes a search and decodes its answer into out.
func (s *Server) Search(t testing.TB, target, body string, out any) {
	t.Helper()
	s.Must(t, http.MethodPost, "/"+target+"/_search", body, out)
}

// Docs refreshes the target and returns all its documents, over all its backing indices; none where
// it does not exist.
func (s *Server) Docs(t testing.TB, target string) []Doc {
	t.Helper()
	if status, _ := s.Do(t, http.MethodPost, "/"+target+"/_refresh", ""); status == http.StatusNotFound {
		return nil
	}
	var pit struct{ ID string }
	s.Must(t, http.MethodPost, "/"+target+"/_pit?keep_alive=1m", "", &pit)
	var docs []Doc
	after := ""
	for {
		var out struct {
			Hits struct {
				Hits []struct {
					Doc
					Sort json.RawMessage `json:"sort"`
				} `json:"hits"`
			} `json:"hits"`
		}
		s.Must(t, http.MethodPost, "/_search",
			fmt.Sprintf(`{"size":5000,"track_total_hits":false,"pit":{"id":%q,"keep_alive":"1m"},"sort":["_shard_doc"]%s}`, pit.ID, after), &out)
		if len(out.Hits.Hits) == 0 {
			break
		}
		for _, h := range out.Hits.Hits {
			docs = append(docs, h.Doc)
		}
		after = `,"search_after":` + string(out.Hits.Hits[len(out.Hits.Hits)-1].Sort)
	}
	s.Must(t, http.MethodDelete, "/_pit", fmt.Sprintf(`{"id":%q}`, pit.ID), nil)
	return docs
}

// Block sets or lifts a block of a stream's backing indices: "write", or "read_only_allow_delete",
// which is what Elasticsearch sets when a disk is full.
func (s *Server) Block(t testing.TB, target, block string, on bool) {
	t.Helper()
	s.Must(t, http.MethodPut, "/"+target+"/_settings", fmt.Sprintf(`{"index.blocks.%s":%t}`, block, on), nil)
}
