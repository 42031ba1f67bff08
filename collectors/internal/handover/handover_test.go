package handover_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/internal/handover"
	"github.com/liveward/liveward/internal/event"
)

// sink answers with the errors of a list, and with the last of them from then on.
type sink struct {
	answers []error
	got     []*event.Batch
	at      []time.Time
}

func (s *sink) Put(_ context.Context, b *event.Batch) error {
	s.got, s.at = append(s.got, b), append(s.at, time.Now())
	err := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	return err
}

func TestPut(t *testing.T) {
	pushback := fmt.Errorf("full: %w", collectors.ErrPushback)
	refused := errors.New("refused")
	for _, tc := range []struct {
		name    string
		answers []error
		manner  handover.Manner
		ends    time.Duration // of the context
		want    error
		puts    int // at least
	}{
		{name: "taken at once", answers: []error{nil}, puts: 1},
		{name: "the same again until it is taken", answers: []error{pushback, pushback, pushback, nil}, puts: 4},
		{name: "refused", answers: []error{refused}, want: refused, puts: 1},
		{name: "refused after pushback", answers: []error{pushback, refused}, want: refused, puts: 2},
		{name: "until the context ends", answers: []error{pushback}, ends: time.Hour, want: context.DeadlineExceeded, puts: 400},
		{name: "until patience ends", answers: []error{pushback}, manner: handover.Manner{Patience: time.Minute}, want: pushback, puts: 12},
		{name: "more often", answers: []error{pushback}, manner: handover.Manner{Patience: time.Minute, Longest: time.Second}, want: pushback, puts: 35},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tc.ends > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.ends)
					defer cancel()
				}
				s, b, pushbacks := &sink{answers: tc.answers}, new(event.Batch), 0
				tc.manner.Pushback = func() { pushbacks++ }
				if err := tc.manner.Put(ctx, s, b); !errors.Is(err, tc.want) {
					t.Errorf("put: %v, not %v", err, tc.want)
				}
				if len(s.got) < tc.puts || len(s.got) > 3*tc.puts {
					t.Errorf("%d attempts, not about %d", len(s.got), tc.puts)
				}
				for i, got := range s.got {
					if got != b {
						t.Errorf("attempt %d was of another batch", i)
					}
				}
				if last := errors.Is(tc.want, collectors.ErrPushback) || tc.ends > 0; last != (pushbacks == len(s.got)) {
					t.Errorf("%d pushbacks of %d attempts", pushbacks, len(s.got))
				}
			})
		})
	}
}

// The time between two attempts grows, and has an end.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{answers: []error{collectors.ErrPushback}}
		_ = handover.Manner{Patience: time.Hour}.Put(t.Context(), s, new(event.Batch)) // gives up, as another test holds
		for i := range s.at[1:] {
			usual := min(handover.First<<min(i, 20), 5*time.Second)
			if d := s.at[i+1].Sub(s.at[i]); d < usual/2 || d > usual+usual/2 {
				t.Errorf("%s before attempt %d, not about %s", d, i+2, usual)
			}
		}
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := handover.Wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("waited: %v", err)
	}
}
