package privacy

import "strings"

// assignments finds the value after a name such as password= or "api_key": , and that of {"name":"password","value":…}.
func (sc *scanner) assignments(s string) {
	p := pair{named: -1, value: -1}
	for i := 0; i < len(s); i++ {
		if class[s[i]] != isAssign {
			continue
		}
		name := nameBefore(s, i)
		short := shortSecret(name)
		from, to := 0, 0
		switch {
		case short || secretName(name):
			from, to = valueAfter(s, i+1, wholeHeader(name))
		case name == "--user" || name == "--proxy-user":
			if from, to = valueAfter(s, i+1, false); namePassword(s[from:to]) {
				sc.add(from, to, kindCredential)
			}
			continue
		default:
			if from, to = p.next(s, name, i); to-from >= 3 && !known(s[from:to]) {
				sc.add(from, to, kindSecret)
				i = max(i, to-1)
			}
			continue
		}
		switch v := s[from:to]; {
		case scheme(v), short && known(v):
			i = max(i, to-1) // the value is what follows the scheme; "pin: failed" is none
		case to-from >= 3:
			sc.add(from, to, kindSecret)
			i = to - 1
		}
	}
}

// pair is what was seen last of a name and a value that stand in members of their own. One may come before the other.
type pair struct {
	named int // where the name of a secret was given
	value int // where a value was
}

// pairReach is how far a name and its value may stand apart.
const pairReach = 96

// next looks at the member with this name, whose sign stands at i. It returns where a secret's value stands, which is
// empty where there is none.
func (p *pair) next(s, name string, i int) (from, to int) {
	switch {
	case in(valueNames, name):
		if p.named >= 0 && i-p.named <= pairReach {
			p.named = -1
			return valueAfter(s, i+1, false)
		}
		p.value = i
	case in(nameNames, name):
		value := p.value
		p.named, p.value = -1, -1
		from, to = valueAfter(cut(s, i+pairReach), i+1, false)
		if v := s[from:to]; !shortSecret(v) && !secretName(v) {
			break
		}
		if value >= 0 && i-value <= pairReach {
			return valueAfter(s[:i], value+1, false)
		}
		p.named = i
	}
	return 0, 0
}

// Names of members that hold the name of another value, and of those that hold it.
//
//nolint:gochecknoglobals // constant
var (
	nameNames  = makeWords("name key field header param parameter property attribute k")
	valueNames = makeWords("value val v")
)

// nameBefore returns the name before the sign at i: what stands in quotes or before brackets, such as [] and [0], too.
func nameBefore(s string, i int) string {
	end := i
	for end > 0 && i-end < 8 {
		c := s[end-1]
		if class[c]&isDigit != 0 && end < i && s[end] == ']' {
			end--
			for end > 0 && i-end < 8 && class[s[end-1]]&isDigit != 0 {
				end--
			}
			continue
		}
		if strings.IndexByte(" \"'\\[]", c) < 0 {
			break
		}
		end--
	}
	return s[nameStart(s, end):end]
}

// nameStart returns where the name begins that ends at end.
func nameStart(s string, end int) int {
	start := end
	for start > 0 && end-start < 32 && (class[s[start-1]]&isAlnum != 0 || s[start-1] == '_' || s[start-1] == '-') {
		start--
	}
	return start
}

// valueAfter returns where the value that begins at or after i stands: what is quoted up to its quote,
// which may be missing where the line was cut off; else up to what separates values, or, of a header
// with several values, to the end.
func valueAfter(s string, i int, header bool) (from, to int) {
	quote := byte(0)
	if i < len(s) && (s[i] == '>' || s[i] == '=') { // => of Ruby and PHP, := and ==
		i++
	}
	for from = i; from < len(s) && (strings.IndexByte(" \"'\\[", s[from]) >= 0 || bracketed(s, from)); from++ {
		if s[from] == '"' || s[from] == '\'' {
			if quote != 0 {
				return from, from // nothing between the quotes
			}
			quote = s[from]
		}
	}
	for to = from; to < len(s); to++ {
		c := s[to]
		switch {
		case quote != 0:
			if c == quote {
				return from, to - backslashes(s[from:to])
			}
		case header:
		case strings.IndexByte(" \"'&;,<>()[]{}|\\", c) >= 0:
			return from, to
		}
		if c == ' ' && scheme(s[from:to]) {
			return from, to
		}
	}
	return from, to
}

// bracketed tells whether a value in brackets begins at i: no object, no call, no word such as (none) or {token}.
func bracketed(s string, i int) bool {
	if s[i] != '(' && s[i] != '{' {
		return false
	}
	const longest = 64
	v := s[i+1 : min(len(s), i+1+longest)]
	end := strings.IndexAny(v, ")} \"'")
	if end >= 0 {
		v = v[:end]
	}
	return len(v) >= 3 && !wordy(v, 0) && !strings.ContainsAny(strings.TrimRight(v, "="), "=:")
}

// backslashes counts those at the end of s.
func backslashes(s string) (n int) {
	for n < len(s) && s[len(s)-1-n] == '\\' {
		n++
	}
	return n
}

// wholeHeader tells the headers that have spaces within their value.
func wholeHeader(name string) bool {
	return len(name) >= 6 && hasFoldPrefix(name[len(name)-6:], "cookie") || len(name) >= 13 && hasFoldPrefix(name[len(name)-13:], "authorization")
}
