// Package leaktest ends the tests of a package with a look at the goroutines that are left: one that
// outlives its owner is a defect.
//
// It never forgives a goroutine of ours. One that is on its way out may be slow, because the machine
// has other things to do: it is looked at again, for a time that is counted in looks and not by the
// clock, so that a process that gets no turn loses none of it.
package leaktest

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// looks is how often goroutines are looked for. Each look takes goleak half a second where there are
// some, and no time where there are none.
const looks = 40

// Main runs the tests of m and fails them if a goroutine is left. It does not return.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := find(looks, known()...); err != nil {
			_, _ = os.Stderr.WriteString("goroutines are left: " + err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code) //nolint:forbidigo // of a test binary, as testing does it
}

// Check fails t if, when it ends, goroutines run that did not when Check was called.
func Check(t testing.TB) {
	t.Helper()
	before := append(known(), goleak.IgnoreCurrent())
	t.Cleanup(func() {
		if err := find(looks, before...); err != nil {
			t.Error("goroutines are left:", err)
		}
	})
}

// find looks until no goroutine is left, and returns those that stay.
func find(looks int, options ...goleak.Option) (err error) {
	for range looks {
		if err = goleak.Find(options...); err == nil {
			return nil
		}
	}
	return err
}

// known are goroutines of libraries that can't be waited for.
func known() []goleak.Option {
	return []goleak.Option{
		// The NATS client tells its JetStream of the end of a connection without being waited for.
		goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"),
	}
}
