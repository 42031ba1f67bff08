package journal

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// freeBytes is the free space of the disk the embedded journal is on.
func (j *Journal) freeBytes() (int64, error) {
	if j.cfg.URL != "" {
		return 0, errors.ErrUnsupported
	}
	if j.cfg.Free != nil {
		return j.cfg.Free()
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(j.cfg.Dir, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", j.cfg.Dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// Swept is what a sweep of the janitor did.
type Swept struct {
	Purged  uint64 // messages
	Expired uint64 // of those, messages that a reader had not read yet: lost to the legal maximum age
}

// Sweep purges what is past the age or size target, and never what a reader still needs: done holds
// the sequences up to which each reader of the stream has come. Only the legal maximum age goes
// further; what that loses is returned, to be counted and audited.
func (j *Journal) Sweep(ctx context.Context, stream string, now time.Time, done []uint64) (Swept, error) {
	var out Swept
	js, _ := j.client()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return out, fmt.Errorf("stream %s: %w", stream, err)
	}
	st := s.CachedInfo().State
	if st.Msgs == 0 {
		return out, nil
	}
	limit := st.LastSeq // the last message stays, unless the law wants it gone
	for _, d := range done {
		limit = min(limit, d+1)
	}
	target := st.FirstSeq
	if now.Sub(st.FirstTime) > j.cfg.MaxAge {
		target, err = seqAt(ctx, s, st, now.Add(-j.cfg.MaxAge))
		if err != nil {
			return out, err
		}
	}
	if st.Bytes > uint64(j.cfg.MaxBytes) {
		// Messages of a stream are of similar size: drop the share that is too much.
		excess := float64(st.Bytes-uint64(j.cfg.MaxBytes)) / float64(st.Bytes)
		target = max(target, st.FirstSeq+uint64(excess*float64(st.LastSeq-st.FirstSeq))+1)
	}
	keep := min(target, limit)
	if now.Sub(st.FirstTime) > j.cfg.LegalMaxAge {
		legal, err := seqAt(ctx, s, st, now.Add(-j.cfg.LegalMaxAge))
		if err != nil {
			return out, err
		}
		if now.Sub(st.LastTime) > j.cfg.LegalMaxAge {
			legal = st.LastSeq + 1
		}
		if legal > keep {
			read := legal
			for _, d := range done {
				read = min(read, d+1)
			}
			out.Expired = legal - max(read, st.FirstSeq)
			keep = legal
		}
	}
	if keep <= st.FirstSeq {
		return out, nil
	}
	if err := s.Purge(ctx, jetstream.WithPurgeSequence(keep)); err != nil {
		return Swept{}, fmt.Errorf("purge %s: %w", stream, err)
	}
	out.Purged = keep - st.FirstSeq
	return out, nil
}

// SeqAt returns the sequence before the first message that was stored at or after t.
func (j *Journal) SeqAt(ctx context.Context, stream string, t time.Time) (uint64, error) {
	js, _ := j.client()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", stream, err)
	}
	st := s.CachedInfo().State
	if st.Msgs == 0 {
		return st.LastSeq, nil
	}
	seq, err := seqAt(ctx, s, st, t)
	return seq - 1, err
}

// seqAt finds the first sequence stored at or after t, by bisection.
func seqAt(ctx context.Context, s jetstream.Stream, st jetstream.StreamState, t time.Time) (uint64, error) {
	lo, hi := st.FirstSeq, st.LastSeq
	for lo < hi {
		mid := lo + (hi-lo)/2
		m, err := s.GetMsg(ctx, mid)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			lo = mid + 1
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("message %d: %w", mid, err)
		}
		if m.Time.Before(t) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, nil
}

// Full tells whether the events stream is over its size target although everything that may go has
// gone: then collectors are pushed back.
func (j *Journal) Full(ctx context.Context) (bool, error) {
	js, _ := j.client()
	s, err := js.Stream(ctx, Events)
	if err != nil {
		return false, fmt.Errorf("stream %s: %w", Events, err)
	}
	return s.CachedInfo().State.Bytes > uint64(j.cfg.MaxBytes), nil
}
