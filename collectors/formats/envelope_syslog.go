package formats

import (
	"bytes"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// syslog peels the header of RFC 5424 or RFC 3164, with priority as it is sent or without as rsyslog
// and syslog-ng store it. Without a priority a program's name and a colon must end the header, else
// any text that begins with a time would lose its first words.
func (p *peeler) syslog(line []byte) ([]byte, bool) {
	rest, priority := line, false
	if line[0] == '<' {
		end := bytes.IndexByte(line[:5], '>')
		if end < 2 || !allDigits(line[1:end]) {
			return nil, false
		}
		rest, priority = line[end+1:], true
		if bytes.HasPrefix(rest, []byte("1 ")) {
			return p.syslog5424(rest[2:])
		}
	}
	rest, ok := p.syslogTime(rest)
	if !ok {
		return nil, false
	}
	w := words{rest}
	first := w.next()
	if tag(first) {
		return bytes.TrimLeft(w.rest, " "), true
	}
	afterHost := w.rest
	if second := w.next(); tag(second) {
		return bytes.TrimLeft(w.rest, " "), true
	}
	// No program's name: the text follows the host, as firewalls send CEF.
	return bytes.TrimLeft(afterHost, " "), priority
}

// tag tells whether a word is a program's name: haproxy[912]: or nginx:
func tag(b []byte) bool {
	if len(b) < 2 || len(b) > 64 || b[len(b)-1] != ':' {
		return false
	}
	for _, c := range b[:len(b)-1] {
		if c <= ' ' || c == '"' || c == '{' || c == '=' || c == '|' {
			return false
		}
	}
	return true
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// syslogTime reads the time of RFC 3164, or one with year and zone in its place.
func (p *peeler) syslogTime(b []byte) (rest []byte, ok bool) {
	if len(b) < 16 {
		return nil, false
	}
	if '0' <= b[0] && b[0] <= '9' {
		n := bytes.IndexByte(b, ' ')
		if n < 19 || n > maxStamp || b[4] != '-' || b[10] != 'T' {
			return nil, false
		}
		at, ok := parseTime(event.Slot(b[:n]), epochAuto, p.loc)
		if ok {
			p.outer.time = at
		}
		return b[n:], ok
	}
	month := monthOf(event.Slot(b[:3]))
	if month == 0 || b[3] != ' ' || b[6] != ' ' || b[9] != ':' || b[12] != ':' || b[15] != ' ' {
		return nil, false
	}
	day, hour, minute, sec := day2(event.Slot(b[4:6])), num2(event.Slot(b[7:9])), num2(event.Slot(b[10:12])), num2(event.Slot(b[13:15]))
	if day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || sec < 0 || sec > 60 {
		return nil, false
	}
	if p.now != nil {
		p.outer.time = yearless(p.now(), month, day, hour, minute, sec, p.loc)
	}
	return b[15:], true
}

// yearless is the time without a year that is nearest to now and not more than two days after it.
func yearless(now time.Time, month, day, hour, minute, sec int, loc *time.Location) instant {
	if loc == nil {
		loc = time.UTC
	}
	t := time.Date(now.In(loc).Year(), time.Month(month), day, hour, minute, sec, 0, loc)
	switch {
	case t.After(now.Add(48 * time.Hour)):
		t = time.Date(t.Year()-1, time.Month(month), day, hour, minute, sec, 0, loc)
	case t.Before(now.AddDate(-1, 0, 2)):
		t = time.Date(t.Year()+1, time.Month(month), day, hour, minute, sec, 0, loc)
	}
	_, offset := t.Zone()
	at, fold := localSeconds(t.Unix()+int64(offset), loc)
	return instant{at * 1e9, fold * 1e9}
}

// syslog5424 peels what follows the version: time host program process message-id structured-data.
func (p *peeler) syslog5424(b []byte) ([]byte, bool) {
	w := words{b}
	stamp := w.next()
	for range 4 {
		if len(w.next()) == 0 {
			return nil, false
		}
	}
	if string(stamp) != "-" {
		p.at(stamp)
	}
	rest := bytes.TrimLeft(w.rest, " ")
	if len(rest) > 0 && rest[0] == '-' {
		rest = rest[1:]
	} else {
		for len(rest) > 0 && rest[0] == '[' {
			end := elementEnd(rest)
			if end < 0 {
				return nil, false
			}
			rest = rest[end:]
		}
	}
	rest = bytes.TrimLeft(rest, " ")
	return bytes.TrimPrefix(rest, []byte("\ufeff")), true
}

// elementEnd returns the index behind the ] that ends an element of structured data.
func elementEnd(b []byte) int {
	in := false
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && in:
			i++
		case c == '"':
			in = !in
		case c == ']' && !in:
			return i + 1
		}
	}
	return -1
}
