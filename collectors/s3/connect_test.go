package s3

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTransport holds that the authorities of AWS_CA_BUNDLE are trusted and others are not, and that old
// versions of TLS are refused.
func TestTransport(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret-access-key")
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	for name, c := range map[string]struct {
		bundle bool
		most   uint16
		want   string
	}{
		"trusted": {true, tls.VersionTLS13, ""}, "not trusted": {false, tls.VersionTLS13, "certificate"}, "old": {true, tls.VersionTLS11, "protocol version"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: c.most}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			if c.bundle {
				file := filepath.Join(t.TempDir(), "ca.pem")
				text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
				if err := os.WriteFile(file, text, 0o600); err != nil {
					t.Fatal(err)
				}
				t.Setenv("AWS_CA_BUNDLE", file)
			}
			var said strings.Builder
			col, err := New(Config{Source: "x", Queue: server.URL + "/1/q"}, nil, time.Now, slog.New(slog.NewTextHandler(&said, nil)))
			if err != nil {
				t.Fatal(err)
			}
			hangUp, err := col.connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer hangUp()
			_, err = col.receive(t.Context(), 0)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("receive: %v", err)
			case c.want != "" && (!errors.Is(err, errRequest) || !strings.Contains(said.String(), c.want)):
				t.Errorf("receive: %v, want %q", err, c.want)
			}
		})
	}
}
