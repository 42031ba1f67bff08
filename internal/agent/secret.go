package agent

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/liveward/liveward/internal/secret"
)

// SecretRef says where a secret is: ${env:NAME}, ${file:/path} or ${cred:name} (a systemd
// credential). The secret itself never stands in a configuration.
type SecretRef struct{ kind, name string }

var errSecretForm = errors.New("a secret is never written here: use ${env:NAME}, ${file:/path} or ${cred:name}")

// UnmarshalText implements encoding.TextUnmarshaler. What was written is never part of the error: it
// may be the secret.
func (r *SecretRef) UnmarshalText(b []byte) error {
	body, ok := strings.CutPrefix(string(b), "${")
	if body, ok = cutSuffix(body, "}", ok); !ok {
		return errSecretForm
	}
	kind, name, ok := strings.Cut(body, ":")
	if !ok || name == "" || !regexp.MustCompile(`^[A-Za-z0-9_./@-]+$`).MatchString(name) {
		return errSecretForm
	}
	switch kind {
	case "env", "file", "cred":
		*r = SecretRef{kind, name}
		return nil
	}
	return errSecretForm
}

func cutSuffix(s, suffix string, ok bool) (string, bool) {
	if !ok {
		return s, false
	}
	return strings.CutSuffix(s, suffix)
}

// IsZero tells whether no secret is configured.
func (r SecretRef) IsZero() bool { return r.kind == "" }

// String is the reference, which is no secret.
func (r SecretRef) String() string {
	if r.IsZero() {
		return ""
	}
	return "${" + r.kind + ":" + r.name + "}"
}

// path is the file the secret stands in; empty where there is none.
func (r SecretRef) path() string {
	switch dir := os.Getenv("CREDENTIALS_DIRECTORY"); {
	case r.kind == "file":
		return r.name
	case r.kind == "cred" && dir != "":
		return filepath.Join(dir, filepath.Base(r.name))
	}
	return ""
}

// maxSecret bounds what is read as a secret.
const maxSecret = 64 << 10

// Resolve reads the secret. Its errors name the place, never the content.
func (r SecretRef) Resolve() (secret.String, error) {
	var text string
	switch r.kind {
	case "env":
		v, ok := os.LookupEnv(r.name)
		if !ok {
			return secret.String{}, fmt.Errorf("environment variable %s is not set", r.name)
		}
		text = v
	case "file", "cred":
		path := r.path()
		if path == "" {
			return secret.String{}, fmt.Errorf("credential %s: CREDENTIALS_DIRECTORY is not set: systemd passes no credentials", r.name)
		}
		st, err := os.Stat(path)
		if err != nil {
			return secret.String{}, fmt.Errorf("secret file: %w", err)
		}
		if r.kind == "file" && st.Mode().Perm()&0o077 != 0 {
			return secret.String{}, fmt.Errorf("secret file %s is readable by others: chmod 600 %s", path, path)
		}
		if st.Size() > maxSecret {
			return secret.String{}, fmt.Errorf("secret file %s is larger than 64 KiB", path)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return secret.String{}, fmt.Errorf("secret file: %w", err)
		}
		text = string(b)
	default:
		return secret.String{}, nil
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return secret.String{}, fmt.Errorf("secret %s is empty", r)
	}
	return secret.New(text), nil
}

// reader reads the secret each time it is called: one that was replaced needs no restart.
func (r SecretRef) reader() func() (string, error) {
	return func() (string, error) {
		s, err := r.Resolve()
		return s.Reveal(), err
	}
}

// decodeAPIKey accepts an Elasticsearch API key as "id:key" or already encoded.
func decodeAPIKey(s string) string {
	if strings.Contains(s, ":") {
		return base64.StdEncoding.EncodeToString([]byte(s))
	}
	return s
}

// SetupPassword reads the administrator's password for setup: from a file, else from the environment
// variable LIVEWARD_SETUP_PASSWORD. It is never taken from the command line, which others can read.
func SetupPassword(file string) (secret.String, error) {
	if file != "" {
		return SecretRef{"file", file}.Resolve()
	}
	return SecretRef{"env", "LIVEWARD_SETUP_PASSWORD"}.Resolve()
}
