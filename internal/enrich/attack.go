package enrich

import (
	"bytes"

	"github.com/liveward/liveward/internal/event"
)

// maxProbe bounds the part of a value that is searched for attacks.
const maxProbe = 2048

// attackMark is a flag with the words that raise it. Words are lower case and resolved from escapes.
type attackMark struct {
	flag  string
	words []string
}

// attackMarks are what nobody writes into a parameter of a liveness API by accident. They are few on
// purpose: an apostrophe is a name, a quote is a nickname, a web address is a callback. The flags are
// named as the tags of the OWASP core rule set.
//
//nolint:gochecknoglobals // constant
var attackMarks = [...]attackMark{
	{"attack_lfi", []string{"../", "..\\", "/etc/passwd", "/proc/self", "win.ini", "/.env", "/.git/", "/.aws/", "/.ssh/", "php://", "file:///"}},
	{"attack_sqli", []string{"union select", "union all select", "' or '", "' or 1", "\" or \"", "' and '", "'--", "';--", "or 1=1", "sleep(", "benchmark(", "waitfor delay", "information_schema", "xp_cmdshell"}},
	{"attack_xss", []string{"<script", "javascript:", "onerror=", "onload=", "<svg", "<img "}},
	{"attack_rce", []string{"${jndi:", "${env:", "() {", "$(", ";wget ", ";curl ", "|sh", "/bin/sh", "cmd.exe", "powershell"}},
	{"attack_ssrf", []string{"169.254.169.254", "metadata.google.internal", "://127.0.0.1", "://localhost", "://[::1]", "gopher://", "dict://"}},
}

// The bytes without which none of the words can be in a path or a query, and in a user agent.
//
//nolint:gochecknoglobals // constant
var (
	suspicious      = bytesOf("%'\"<>$;|\\(:.` +")
	suspiciousAgent = bytesOf("${<'\\%")
)

func bytesOf(s string) (t [256]bool) {
	for i := range len(s) {
		t[s[i]] = true
	}
	return t
}

// attacks flags a call whose path, query or user agent holds the marks of an attack. It comes before
// privacy, which drops the query: what is kept is the name of the kind, never what was written.
func attacks(ev *event.Event, a *agent) {
	var found [len(attackMarks)]bool
	if path := ev.Str(event.URLPath); suspect(path, &suspicious) {
		probe(path, &found)
	}
	if q := ev.Str(event.URLQuery); suspect(q, &suspicious) {
		probe(q, &found)
	}
	if ua := ev.Str(event.UserAgentOriginal); a != nil && (a.suspect || len(ua) > maxAgent && suspect(ua, &suspiciousAgent)) {
		probe(ua, &found)
	}
	for i := range found {
		if found[i] {
			ev.Append(event.GatewayFlags, attackMarks[i].flag)
		}
	}
}

// suspect tells whether one of some bytes is in s.
func suspect(s string, some *[256]bool) bool {
	for i := 0; i < len(s) && i < maxProbe; i++ {
		if some[s[i]] {
			return true
		}
	}
	return false
}

// probe searches a value, as it is and with its escapes resolved twice: once by the gateway, and once
// more by who it is meant to fool.
func probe(s string, found *[len(attackMarks)]bool) {
	var buf [maxProbe]byte
	b := buf[:copy(buf[:], s)]
	for i := range b {
		b[i] = lower(b[i])
	}
	for range 3 {
		for i := range attackMarks {
			if found[i] {
				continue
			}
			for _, w := range attackMarks[i].words {
				if bytes.Contains(b, event.Bytes(w)) {
					found[i] = true
					break
				}
			}
		}
		n, changed := resolve(b)
		if !changed {
			return
		}
		b = b[:n]
	}
}

// resolve resolves percent escapes and plus signs in place. It returns the length that remains, and
// whether there were any.
func resolve(b []byte) (n int, changed bool) {
	for i := 0; i < len(b); n++ {
		c, w := b[i], 1
		if c == '%' && i+2 < len(b) {
			hi, ok1 := unhex(b[i+1])
			lo, ok2 := unhex(b[i+2])
			if ok1 && ok2 {
				c, w = hi<<4|lo, 3
			}
		}
		if c == '+' {
			c = ' '
		}
		changed = changed || w > 1 || c != b[i]
		b[n] = lower(c)
		i += w
	}
	return n, changed
}
