package formats

import (
	"math"
	"math/bits"
	"strconv"
	"time"
)

// epochUnit says what a bare number of a time means, in nanoseconds; 0 tells by its size.
type epochUnit int64

const (
	epochAuto epochUnit = 0
	epochS    epochUnit = 1e9
	epochMS   epochUnit = 1e6
	epochUS   epochUnit = 1e3
	epochNS   epochUnit = 1
)

// parseTime reads RFC 3339 and its relatives (any number of digits, any zone, a blank or a slash
// where others have T and -), the common log format, and numbers since the epoch. Times without a zone
// are taken in loc. Only 1970 to 2261 are times: what nanoseconds can hold.
func parseTime(s string, unit epochUnit, loc *time.Location) (instant, bool) {
	var c clock
	return c.parse(s, unit, loc)
}

// clock is parseTime for the lines of one log, which mostly share their second with the line before.
type clock struct {
	text    [20]byte // date and time of day of the last line
	length  int
	seconds int64          // what they mean, were the zone UTC
	loc     *time.Location // local and fold are what they mean there; nil where no line has asked
	local   int64
	fold    int64
}

func (c *clock) parse(s string, unit epochUnit, loc *time.Location) (instant, bool) {
	n := dateLength(s)
	if n == 0 {
		ns, ok := parseEpoch(s, unit)
		return instant{ns: ns}, ok
	}
	if n != c.length || s[:n] != string(c.text[:n]) {
		seconds, ok := parseDate(s[:n])
		if !ok {
			return instant{}, false
		}
		c.length, c.seconds, c.loc = copy(c.text[:], s[:n]), seconds, nil
	}
	frac, rest, ok := cutFraction(s[n:])
	if !ok {
		return instant{}, false
	}
	if rest == "" && loc != nil && loc != time.UTC {
		if c.loc != loc {
			c.loc = loc
			c.local, c.fold = localSeconds(c.seconds, loc)
		}
		at := instant{c.local*1e9 + frac, c.fold * 1e9}
		return at, at.ns >= 0
	}
	offset := 0
	if rest != "" {
		if offset, ok = zone(rest); !ok {
			return instant{}, false
		}
	}
	ns := (c.seconds-int64(offset))*1e9 + frac
	return instant{ns: ns}, ns >= 0
}

// dateLength returns the length of the date and time of day that s begins with, or 0.
func dateLength(s string) int {
	switch {
	case len(s) >= 19 && (s[4] == '-' || s[4] == '/') && s[7] == s[4]:
		return 19
	case len(s) >= 20 && s[2] == '/' && s[6] == '/':
		return 20
	}
	return 0
}

// parseDate reads 2026-03-14T09:12:44 or 14/Mar/2026:09:12:44 and returns the seconds since the epoch,
// were the zone UTC.
func parseDate(s string) (int64, bool) {
	var year, month, day int
	var clock string
	if len(s) == 19 {
		if c := s[10]; c != 'T' && c != 't' && c != ' ' {
			return 0, false
		}
		year, month, day, clock = num4(s), num2(s[5:]), num2(s[8:]), s[11:]
	} else {
		if s[11] != ':' {
			return 0, false
		}
		year, month, day, clock = num4(s[7:]), monthOf(s[3:6]), num2(s), s[12:]
	}
	if clock[2] != ':' || clock[5] != ':' {
		return 0, false
	}
	hour, minute, sec := num2(clock), num2(clock[3:]), num2(clock[6:])
	if year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || sec < 0 || sec > 60 {
		return 0, false
	}
	return daysSinceEpoch(year, month, day)*86400 + int64(hour*3600+minute*60+sec), true
}

// cutFraction reads the fraction of a second that may follow the time of day, and returns what stands
// behind it: the zone, or nothing.
func cutFraction(s string) (ns int64, rest string, ok bool) {
	if len(s) > 1 && (s[0] == '.' || s[0] == ',') {
		n := 0
		if ns, n = fraction(s[1:]); n == 0 {
			return 0, "", false
		}
		s = s[1+n:]
	}
	if len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	return ns, s, true
}

// zone reads Z, UTC, GMT, +07:00, +0700 or +07 and returns seconds east of Greenwich.
func zone(s string) (int, bool) {
	switch s {
	case "Z", "z", "UTC", "GMT":
		return 0, true
	}
	sign := 1
	switch s[0] {
	case '+':
	case '-':
		sign = -1
	default:
		return 0, false
	}
	s = s[1:]
	var h, m int
	switch {
	case len(s) == 2:
		h = num2(s)
	case len(s) == 4:
		h, m = num2(s), num2(s[2:])
	case len(s) == 5 && s[2] == ':':
		h, m = num2(s), num2(s[3:])
	default:
		return 0, false
	}
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	return sign * (h*3600 + m*60), true
}

// parseEpoch reads a number since the epoch, with or without a fraction.
func parseEpoch(s string, unit epochUnit) (int64, bool) {
	var whole int64
	i := 0
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		if i == 19 {
			return 0, false
		}
		d := int64(s[i] - '0')
		if whole > (math.MaxInt64-d)/10 {
			return 0, false
		}
		whole = whole*10 + d
	}
	if i == 0 {
		return 0, false
	}
	var frac int64
	if i < len(s) && s[i] == '.' {
		n := 0
		if frac, n = fraction(s[i+1:]); n == 0 {
			return 0, false
		}
		i += 1 + n
	}
	if i < len(s) { // 1.773e9, as some encoders write
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f < 0 || f >= 1e18 {
			return 0, false
		}
		whole, frac = int64(f), int64((f-math.Floor(f))*1e9)
	}
	if unit == epochAuto {
		switch {
		case whole < 1e8: // before 1973: a number, but not a time
			return 0, false
		case whole < 1e11:
			unit = epochS
		case whole < 1e14:
			unit = epochMS
		case whole < 1e17:
			unit = epochUS
		default:
			unit = epochNS
		}
	}
	if whole > math.MaxInt64/int64(unit)-1 {
		return 0, false
	}
	return whole*int64(unit) + frac/(1e9/int64(unit)), true
}

// scaleDecimal reads a decimal number and returns it times unit, rounded down, without going through
// a float where there is no exponent: 0.742 s is 742,000,000 ns and not one less.
func scaleDecimal(s string, unit int64) (int64, bool) {
	neg := len(s) > 0 && s[0] == '-'
	t := s
	if neg {
		t = s[1:]
	}
	var whole uint64
	i := 0
	for ; i < len(t) && '0' <= t[i] && t[i] <= '9'; i++ {
		d := uint64(t[i] - '0')
		if whole > (math.MaxInt64-d)/10 {
			return 0, false
		}
		whole = whole*10 + d
	}
	var frac int64
	n := 0
	if i < len(t) && t[i] == '.' {
		frac, n = fraction(t[i+1:])
		if n == 0 && i == 0 {
			return 0, false
		}
		i++
	} else if i == 0 {
		return 0, false
	}
	i += n
	if i < len(t) {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return 0, false
		}
		f *= float64(unit)
		if math.IsNaN(f) || f >= math.MaxInt64 || f <= math.MinInt64 {
			return 0, false
		}
		return int64(f), true
	}
	hi, lo := bits.Mul64(whole, uint64(unit))
	if hi != 0 || lo > math.MaxInt64-uint64(unit) {
		return 0, false
	}
	// frac has nine digits; unit is 1, 1e3, 1e6 or 1e9.
	v := int64(lo) + frac/(1e9/unit)
	if neg {
		v = -v
	}
	return v, true
}

// fraction reads digits as nanoseconds and returns how many there were; those beyond nine are read
// and not used.
func fraction(s string) (ns int64, n int) {
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		if n < 9 {
			ns = ns*10 + int64(s[n]-'0')
		}
		n++
	}
	return ns * powers[min(n, 9)], n
}

// powers are what completes so many digits to nine.
//
//nolint:gochecknoglobals // constant; Go has no constant arrays
var powers = [...]int64{1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1}

// daysSinceEpoch counts the days from 1970-01-01 in the proleptic Gregorian calendar.
func daysSinceEpoch(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	yoe := year - era*400
	doy := (153*(month-3)+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func monthOf(s string) int {
	switch s {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

// num2 reads two digits; a large negative number if they are not.
func num2(s string) int {
	a, b := s[0]-'0', s[1]-'0'
	if a > 9 || b > 9 {
		return math.MinInt16
	}
	return int(a)*10 + int(b)
}

func num4(s string) int {
	a, b := num2(s), num2(s[2:])
	if a < 0 || b < 0 {
		return math.MinInt16
	}
	return a*100 + b
}
