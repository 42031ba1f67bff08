package strict

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Duration is written with a unit: 30s, 5m, 7d.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := event.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// String is the duration as it is written.
func (d Duration) String() string { return event.FormatDuration(time.Duration(d)) }

// Size is a number of bytes, written with a unit: 64MiB, 8GiB, 512KiB.
type Size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(b []byte) error {
	text := string(b)
	shift := 0
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			text, shift = strings.TrimSpace(n), 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > (1<<62)>>shift || (shift == 0 && n > 0) {
		return fmt.Errorf("size %q: want a form like 512KiB, 64MiB or 8GiB", b)
	}
	*s = Size(n << shift)
	return nil
}

// String is the size as it is written.
func (s Size) String() string {
	for i, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if step := Size(1) << (10 * (4 - i)); s >= step && s%step == 0 {
			return fmt.Sprintf("%d%s", s/step, unit)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
