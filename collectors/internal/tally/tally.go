// Package tally counts what a collector does, while others read the counts.
//
// It never says what the counts are: every collector has a struct of its own for that.
package tally

import "sync"

// Of guards counts of a type S. Its zero value is ready; it must not be copied.
type Of[S any] struct {
	mu     sync.Mutex
	counts S
}

// Add calls f with the counts, alone; f keeps nothing of them.
func (t *Of[S]) Add(f func(*S)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.counts)
}

// Now returns a copy of the counts.
func (t *Of[S]) Now() S {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}
