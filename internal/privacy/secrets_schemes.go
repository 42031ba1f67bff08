package privacy

import "strings"

// schemes finds what follows the name of a scheme, such as Bearer, and the options of commands.
func (sc *scanner) schemes(s string) {
	var cmd command
	word := 0 // where the word before the space begins
	for i := strings.IndexByte(s, ' '); i >= 0 && i < len(s); {
		end := i
		for i < len(s) && s[i] == ' ' {
			i++
		}
		before := s[:end]
		switch {
		case sc.option(s, &cmd, word, end, i):
		case schemeBefore(before):
			if from, to := credential(s, i); to-from >= 6 && !saysNothing(s[from:to]) {
				sc.add(from, to, kindCredential)
			}
		case tokenBefore(before):
			if from, to := credential(s, i); to-from >= 6 && issued(s[from:to]) {
				sc.add(from, to, kindCredential)
			}
		}
		word = i
		next := strings.IndexByte(s[i:], ' ')
		if next < 0 {
			sc.attached(s, &cmd, word, len(s))
			return
		}
		i += next
	}
}

// credential returns where the credential stands that begins at i, in quotes or brackets perhaps.
func credential(s string, i int) (from, to int) {
	for from = i; from < len(s) && from-i < 2 && strings.IndexByte("\"'\\([{<", s[from]) >= 0; from++ {
	}
	for to = from; to < len(s) && (class[s[to]]&(isToken|isAssign) != 0 || s[to] == '|'); to++ {
	}
	for to > from && (s[to-1] == ':' || s[to-1] == '|') {
		to--
	}
	return from, to
}

// saysNothing tells what follows the name of a scheme and is no credential: a word of running text, as in "Basic
// authentication failed", a parameter, as in "Basic realm=", or the name of what should stand there.
func saysNothing(v string) bool {
	v = strings.TrimRight(v, ".")
	name, _, parameter := strings.Cut(v, "=")
	return v == "" || parameter && in(challenge, name) || plainWord(v) || secretName(v) && wordy(v, 0)
}

// challenge are the parameters with which a server asks for a credential.
//
//nolint:gochecknoglobals // constant
var challenge = makeWords("realm error error_description charset scope title")

// plainWord tells whether s is a word in running text: "Basic Authentication failed".
func plainWord(s string) bool {
	if s == "" || len(s) > 16 || !pronounceable(s) {
		return false
	}
	rest := isLower
	if len(s) > 1 && class[s[0]]&isUpper != 0 && class[s[1]]&isUpper != 0 {
		rest = isUpper
	}
	for i := 1; i < len(s); i++ {
		if class[s[i]]&rest == 0 {
			return false
		}
	}
	return class[s[0]]&isAlpha != 0
}

func schemeBefore(s string) bool {
	for _, name := range [...]string{"bearer", "basic", "negotiate", "apikey"} {
		if endsInWord(s, name) {
			return true
		}
	}
	return false
}

// tokenBefore tells words that name a credential more often than they are followed by one.
func tokenBefore(s string) bool {
	if endsInWord(s, "token") {
		start := nameStart(s, len(s))
		return start == 0 || s[start-1] != '/' && s[start-1] != '.' // not of a path
	}
	if !endsInWord(s, "key") || len(s) < len("api-key") || strings.IndexByte(" -_", s[len(s)-len("-key")]) < 0 {
		return false
	}
	return endsInWord(s[:len(s)-len("-key")], "api")
}

// issued tells whether what follows "token" in text looks like one: it has a digit, and is no parameter, date, address,
// version, algorithm or numbered name, which stand there as well.
func issued(v string) bool {
	v = strings.TrimRight(v, "=.")
	if !strings.ContainsAny(v, "0123456789") || v[0] == '/' && wordy(v, 4) || dated(v) {
		return false
	}
	if i := strings.IndexAny(v, "=:"); i >= 0 && (v[i] == '=' || wordy(v[:i], 0)) {
		return false
	}
	digits := true
	for i := 0; i < len(v); i++ {
		from := i
		var seen uint8
		for ; i < len(v) && class[v[i]]&isAlnum != 0; i++ {
			seen |= class[v[i]]
		}
		part := v[from:i]
		switch {
		case seen&isDigit == 0:
			if part != "" && !word(part) {
				return true
			}
		case seen == isDigit:
			if len(part) > 5 { // a port at most
				return true
			}
		case seen&isLower == 0, lower(part[0]) == 'v' && allDigits(part[1:]):
			if len(part) > 8 || !word(part) {
				return true
			}
		default:
			return true
		}
		digits = digits && seen&isAlpha == 0
	}
	return digits && strings.IndexByte(v, '.') < 0
}

// dated tells what begins with a date, such as 2026-03-14.
func dated(v string) bool {
	return len(v) >= 10 && v[4] == '-' && v[7] == '-' && allDigits(v[:4]) && allDigits(v[5:7]) && allDigits(v[8:10])
}

// endsInWord tells whether the last word of s is this one, which is lower case.
func endsInWord(s, word string) bool {
	at := len(s) - len(word)
	return at >= 0 && hasFoldPrefix(s[at:], word) && (at == 0 || class[s[at-1]]&isAlnum == 0)
}

// scheme tells whether s is the name of a scheme and nothing else.
func scheme(s string) bool { return len(s) <= 9 && schemeBefore(s) }
