package privacy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// MinSecret is the shortest secret New accepts, in bytes.
const MinSecret = 32

// maxEpoch bounds the name of an epoch, in bytes.
const maxEpoch = 12

// Key is a pseudonym key: a secret, and the name of the epoch in which it is used. Destroying the
// secret of an epoch makes its pseudonyms anonymous for good.
type Key struct {
	Epoch  string // lower-case letters and digits, at most 12
	Secret []byte // at least MinSecret bytes
}

// String shows the epoch alone.
func (k Key) String() string { return k.Epoch + ":***" }

// GoString shows the epoch alone.
func (k Key) GoString() string { return k.String() }

// LogValue shows the epoch alone.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

func (k Key) check() error {
	if !validEpoch(k.Epoch) {
		return fmt.Errorf("pseudonym key: epoch must be 1 to %d lower-case letters or digits", maxEpoch)
	}
	if len(k.Secret) < MinSecret {
		return fmt.Errorf("pseudonym key %s: secret has %d bytes, want at least %d", k.Epoch, len(k.Secret), MinSecret)
	}
	return nil
}

func validEpoch(s string) bool {
	if s == "" || len(s) > maxEpoch {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// ParseKeys reads a key file: one key a line, "epoch:base64", oldest first, so that the last one is
// the current one. Empty lines and lines that begin with # are skipped. Errors name the line, never
// its content.
func ParseKeys(text string) ([]Key, error) {
	var keys []Key
	var errs []error
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		epoch, enc, ok := strings.Cut(line, ":")
		if !ok {
			errs = append(errs, fmt.Errorf("pseudonym keys: line %d: want epoch:base64", i+1))
			continue
		}
		secret, err := decodeSecret(strings.TrimSpace(enc))
		if err != nil {
			errs = append(errs, fmt.Errorf("pseudonym keys: line %d: secret is not base64", i+1))
			continue
		}
		k := Key{Epoch: strings.TrimSpace(epoch), Secret: secret}
		if err := k.check(); err != nil {
			errs = append(errs, fmt.Errorf("pseudonym keys: line %d: %w", i+1, err))
			continue
		}
		keys = append(keys, k)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("pseudonym keys: no key found; want lines of the form epoch:base64")
	}
	return keys, checkEpochs(keys)
}

func decodeSecret(s string) ([]byte, error) {
	enc := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		enc = base64.RawURLEncoding
	}
	return enc.DecodeString(strings.TrimRight(s, "="))
}

func checkEpochs(keys []Key) error {
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if seen[k.Epoch] {
			return fmt.Errorf("pseudonym keys: epoch %s is there twice", k.Epoch)
		}
		seen[k.Epoch] = true
	}
	return nil
}

// GenerateKey makes a new key as a line for a key file, with a random epoch name. Appended to the
// file it becomes the current key, and those before it stay live.
func GenerateKey() (string, error) {
	var b [MinSecret + 4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make pseudonym key: %w", err)
	}
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	epoch := []byte{'k', letters[b[0]&31], letters[b[1]&31], letters[b[2]&31], letters[b[3]&31]}
	return string(epoch) + ":" + base64.StdEncoding.EncodeToString(b[4:]), nil
}

// DevelopmentKey is the fixed key of demo, parse and replay. Its pseudonyms protect nobody: everyone
// has it.
func DevelopmentKey() Key {
	sum := sha256.Sum256([]byte("liveward development key, public, protects nobody"))
	return Key{Epoch: "dev", Secret: sum[:]}
}
