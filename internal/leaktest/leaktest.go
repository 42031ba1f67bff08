// Package leaktest ends the tests of a package with a look at the goroutines that are left: one that
// outlives its owner is a defect.
//
// It never forgives a goroutine of ours. What it knows are two of the libraries', which end by
// themselves and can't be waited for.
package leaktest

import (
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of m and fails them if a goroutine is left. It does not return.
func Main(m *testing.M) { goleak.VerifyTestMain(m, known()...) }

// Check fails t if, when it ends, goroutines run that did not when Check was called.
func Check(t testing.TB) {
	t.Helper()
	before := append(known(), goleak.IgnoreCurrent())
	t.Cleanup(func() { goleak.VerifyNone(t, before...) })
}

func known() []goleak.Option {
	return []goleak.Option{
		// A server that answers before it has read a request's whole body closes its half of the
		// connection and sleeps half a second, so that the answer arrives before the reset. Closing the
		// server doesn't end that sleep, and goleak waits a little less long.
		goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"),
		// The NATS client tells its JetStream of the end of a connection without being waited for.
		goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"),
	}
}
