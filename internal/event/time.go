package event

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ECSVersionValue is the ecs.version of every document.
const ECSVersionValue = "8.17.0"

// AppendTime appends nanoseconds since the epoch as RFC 3339 in UTC with milliseconds; more digits
// only where the time has them.
func AppendTime(dst []byte, ns int64) []byte {
	t := time.Unix(0, ns).UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	}
	hour, minute, sec := t.Clock()
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, int(month), 2)
	dst = append(dst, '-')
	dst = appendPadded(dst, day, 2)
	dst = append(dst, 'T')
	dst = appendPadded(dst, hour, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, minute, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, sec, 2)
	dst = append(dst, '.')
	frac := t.Nanosecond()
	switch {
	case frac%1e6 == 0:
		dst = appendPadded(dst, frac/1e6, 3)
	case frac%1e3 == 0:
		dst = appendPadded(dst, frac/1e3, 6)
	default:
		dst = appendPadded(dst, frac, 9)
	}
	return append(dst, 'Z')
}

func appendPadded(dst []byte, v, width int) []byte {
	for n := pow10(width - 1); n > 0; n /= 10 {
		dst = append(dst, byte('0'+v/n%10))
	}
	return dst
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}

// FormatTime is AppendTime as a string.
func FormatTime(ns int64) string { return string(AppendTime(nil, ns)) }

// ParseTime reads what AppendTime wrote, and any other RFC 3339.
func ParseTime(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, err
	}
	return t.UnixNano(), nil
}

// ParseDuration reads "90s", "5m", "1h30m", "30d" or "2w": Go's form, with days and weeks.
func ParseDuration(s string) (time.Duration, error) {
	var total time.Duration
	rest := s
	for _, unit := range []struct {
		suffix string
		d      time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		head, tail, ok := strings.Cut(rest, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(head, 64)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("duration %q: want a form like 30s, 5m, 1h30m or 30d", s)
		}
		total += time.Duration(n * float64(unit.d))
		rest = tail
	}
	if rest == "" && s != "" {
		return total, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		return 0, fmt.Errorf("duration %q: want a form like 30s, 5m, 1h30m or 30d", s)
	}
	if d < 0 {
		return 0, errors.New("duration " + strconv.Quote(s) + ": must not be negative")
	}
	return total + d, nil
}

// FormatDuration writes a duration as rules write it: 5m, 1h30m, 30d.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d >= day:
		return strconv.FormatInt(int64(d/day), 10) + "d" + FormatDuration(d%day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
