// Package secret holds values that must not be printed: tokens, webhook addresses, passwords.
//
// It never stores them anywhere, and no way of formatting, logging or encoding shows them. Only
// Reveal does, so that a search for Reveal finds every place where a secret leaves its type.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what is shown instead of a secret.
const Redacted = "***"

// String is a secret text. Its zero value is no secret. The text is kept behind a pointer, so that
// not even reflection over an enclosing struct (the %#v of its parent) prints it.
type String struct{ value *string }

// New makes a secret of text.
func New(text string) String {
	if text == "" {
		return String{}
	}
	return String{&text}
}

// Reveal returns the secret itself.
func (s String) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero tells whether there is no secret.
func (s String) IsZero() bool { return s.value == nil }

// String shows Redacted, or nothing where there is no secret.
func (s String) String() string {
	if s.value == nil {
		return ""
	}
	return Redacted
}

// GoString implements fmt.GoStringer.
func (s String) GoString() string { return fmt.Sprintf("secret.String(%q)", s.String()) }

// Format implements fmt.Formatter: every verb shows what String shows.
func (s String) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		_, _ = io.WriteString(f, s.GoString())
		return
	}
	_, _ = io.WriteString(f, s.String())
}

// MarshalText implements encoding.TextMarshaler; JSON and YAML show what String shows.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
