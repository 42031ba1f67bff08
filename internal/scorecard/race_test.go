//go:build race

package scorecard

// raced tells that the race detector watches, which makes everything ten times slower.
const raced = true
