package forwarders

import (
	"fmt"
	"time"
)

// Kind says what an operator has to mend.
type Kind string

// The kinds of a ConfigError.
const (
	Credentials Kind = "credentials" // the key or password is refused
	Privilege   Kind = "privilege"   // the key may not do what it must
	Missing     Kind = "missing"     // template, stream or address is not there
	TLS         Kind = "tls"         // the certificate is not trusted
	Protocol    Kind = "protocol"    // what answers is not the store, or not one we can speak to
	Blocked     Kind = "blocked"     // the store is closed to writes
	DiskFull    Kind = "disk_full"   // the store has no room left
	Capacity    Kind = "capacity"    // the store has used up another of its limits
)

// ConfigError is a state of the store that no retry mends: somebody has to act. The documents are
// kept and tried again with long pauses, never dead-lettered, and the loop's health says so.
type ConfigError struct {
	Kind   Kind
	Status int // what the store answered with; 0 where it did not
	Err    error
}

// Error implements error.
func (e *ConfigError) Error() string { return fmt.Sprintf("%s: %v", e.Kind, e.Err) }

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// OverloadError says that the store has too much to do: fewer documents at once, and later.
type OverloadError struct {
	Err   error
	After time.Duration // what the store asked for; 0 where it did not
}

// Error implements error.
func (e *OverloadError) Error() string { return "overloaded: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *OverloadError) Unwrap() error { return e.Err }

// RetryAfter is how long the store asked to be left alone.
func (e *OverloadError) RetryAfter() time.Duration { return e.After }

// TooLargeError says that a request was refused for its size. The loop sends half as much; a single
// document that is refused so is rejected.
type TooLargeError struct {
	Status int
	Err    error
}

// Error implements error.
func (e *TooLargeError) Error() string { return "request too large: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *TooLargeError) Unwrap() error { return e.Err }

// retryAfterer is any error that carries the store's wish to be left alone.
type retryAfterer interface{ RetryAfter() time.Duration }
