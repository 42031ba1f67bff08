//go:build !race

package scorecard

// raced tells that the race detector watches.
const raced = false
