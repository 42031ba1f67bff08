package leaktest

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestFind(t *testing.T) {
	before := append(known(), goleak.IgnoreCurrent())
	if err := find(1, before...); err != nil {
		t.Fatalf("nothing was started: %v", err)
	}
	leave := make(chan struct{})
	go func() { <-leave }()
	if err := find(1, before...); err == nil || !strings.Contains(err.Error(), "TestFind") {
		t.Errorf("a goroutine of this test runs; found %v", err)
	}
	close(leave)
	if err := find(looks, before...); err != nil {
		t.Errorf("it was told to end: %v", err)
	}
}

// What ran before is not the test's.
func TestCheckForgivesWhatRanBefore(t *testing.T) {
	leave := make(chan struct{})
	defer close(leave)
	go func() { <-leave }()
	t.Run("inner", func(t *testing.T) { Check(t) })
}
