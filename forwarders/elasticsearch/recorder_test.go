package elasticsearch

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/liveward/liveward/internal/estest"
)

// recorder is a proxy to the server on loopback that notes the requests that change something.
func recorder(t *testing.T, s *estest.Server) (address string, changes *[]string) {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	changes = &[]string{}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if r.In.Method == http.MethodGet {
				return
			}
			b, err := io.ReadAll(r.In.Body)
			if err != nil {
				t.Error(err)
			}
			*changes = append(*changes, r.In.Method+" "+r.In.URL.Path+" "+string(b))
			r.Out.Body = io.NopCloser(bytes.NewReader(b))
		},
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return front.URL, changes
}
