package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/liveward/liveward/internal/secret"
)

const canary = "xoxb-1234-canary"

func TestStringIsNeverShown(t *testing.T) {
	s := secret.New(canary)
	type holder struct {
		Token  secret.String
		hidden secret.String
		Ptr    *secret.String
	}
	h := holder{Token: s, hidden: s, Ptr: &s}
	show := func(name, got string) {
		t.Helper()
		if strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) {
			t.Errorf("%s shows the secret: %s", name, got)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%T", "%10.3s"} {
		show(verb, fmt.Sprintf(verb, s))
		show(verb+" of a pointer", fmt.Sprintf(verb, &s))
		show(verb+" of a struct", fmt.Sprintf(verb, h))
		show(verb+" of a pointer to a struct", fmt.Sprintf(verb, &h))
		show(verb+" of a map", fmt.Sprintf(verb, map[string]any{"a": s, "b": []secret.String{s}}))
	}
	show("an error", fmt.Errorf("dial %v: %w", s, fmt.Errorf("token %s", s)).Error())
	out, err := json.Marshal(map[string]any{"h": h, "s": s})
	if err != nil {
		t.Fatal(err)
	}
	show("JSON", string(out))
	out, err = yaml.Marshal(map[string]any{"h": h.Token})
	if err != nil {
		t.Fatal(err)
	}
	show("YAML", string(out))
	for _, handler := range []func(*bytes.Buffer) slog.Handler{
		func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var buf bytes.Buffer
		slog.New(handler(&buf)).Info("configured", "token", s, "holder", h, "pointer", &s)
		show("slog", buf.String())
		if !strings.Contains(buf.String(), secret.Redacted) {
			t.Errorf("slog: %s does not say that there is a secret", buf.String())
		}
	}
}

func TestStringReveals(t *testing.T) {
	if got := secret.New(canary).Reveal(); got != canary {
		t.Errorf("Reveal() = %q, want %q", got, canary)
	}
	if got := secret.New(canary).String(); got != secret.Redacted {
		t.Errorf("String() = %q, want %q", got, secret.Redacted)
	}
	for _, none := range []secret.String{{}, secret.New("")} {
		if !none.IsZero() || none.Reveal() != "" || none.String() != "" {
			t.Errorf("no secret: IsZero %v, Reveal %q, String %q", none.IsZero(), none.Reveal(), none.String())
		}
	}
}
