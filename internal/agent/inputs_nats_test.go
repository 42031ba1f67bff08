package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/strict"
)

// What a NATS input shows and trusts is what its files hold when it is asked, and what cannot be read is
// found before the start.
func TestNATSFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(content string) {
		t.Helper()
		for _, name := range []string{"ca", "cert", "key", "token"} {
			if err := os.WriteFile(at(name), []byte(name+content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	cfg := &NATSConfig{CAFile: at("ca"), ClientCert: at("cert"), ClientKey: SecretRef{"file", at("key")}, Token: SecretRef{"file", at("token")}}
	check := func() (*inputLoader, *strict.File) {
		var c Config
		f := strict.Decode("liveward.yaml", nil, &c)
		return &inputLoader{f: f, at: "inputs[0].nats", in: &InputConfig{Name: "bus"}}, f
	}
	l, f := check()
	cfg.tls(l)
	if err := f.Err(); err == nil || strings.Count(err.Error(), "no such file") != 3 {
		t.Errorf("without files: %v", err)
	}
	write("-before")
	l, f = check()
	read, login := cfg.tls(l), cfg.login(l)
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"-before", "-after"} {
		write(content)
		got, err := read()
		if err != nil {
			t.Fatal(err)
		}
		token, err := login.Token()
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"ca" + content, "cert" + content, "key" + content, "token" + content}
		if diff := cmp.Diff(want, []string{string(got.CA), string(got.Certificate), string(got.Key), token}); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", content, diff)
		}
	}
}
