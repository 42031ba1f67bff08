package forwarders

import "time"

// State is how a delivery fares.
type State string

// The states.
const (
	Healthy  State = "healthy"  // the last attempt stored what it was given
	Retrying State = "retrying" // the store fails or is overloaded; it will be tried again
	Stuck    State = "stuck"    // somebody has to act: see ConfigError
)

// Health is how a delivery fares, and why.
type Health struct {
	State State
	Kind  Kind      // what has to be mended; empty unless Stuck
	Since time.Time // when it came into this state
	Err   error     // the last error; nil when Healthy
}

// Stats counts since the Delivery was made.
type Stats struct {
	Stored   uint64 // documents stored, or found stored before
	Retried  uint64 // attempts at single documents that have to be repeated
	Rejected uint64 // documents handed to the dead letters
	Attempts uint64 // calls of Forward
	Failures uint64 // calls of Forward that did not store everything
	Health   Health
}

// Stats returns the counts so far. It may be called at any time by any goroutine.
func (d *Delivery) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

func (d *Delivery) count(f func(*Stats)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.stats)
}

// report sets the state and tells OnHealth where state or kind changed.
func (d *Delivery) report(state State, kind Kind, err error) {
	d.mu.Lock()
	changed := d.stats.Health.State != state || d.stats.Health.Kind != kind
	if changed {
		d.stats.Health = Health{State: state, Kind: kind, Since: d.now()}
	}
	d.stats.Health.Err = err
	h := d.stats.Health
	d.mu.Unlock()
	if changed && d.OnHealth != nil {
		d.OnHealth(h)
	}
}
