package privacy

import "strings"

// pemLetters are the letters of what every PEM block has.
//
//nolint:gochecknoglobals // constant
var pemLetters = lettersOf("begin-")

// pems finds PEM blocks, whole or cut off, in any letter case: some fields are written in lower case.
func (sc *scanner) pems(s string) {
	for i := 0; ; {
		at := dashed(s, i, "begin")
		if at < 0 {
			return
		}
		stop := len(s)
		if end := dashed(s, at, "end"); end >= 0 {
			stop = end + len("-----end")
			if d := strings.Index(s[stop:], "-----"); d >= 0 && d < 64 {
				stop += d + 5
			}
		}
		sc.add(at, stop, kindPEM)
		i = stop
	}
}

// dashed finds five hyphens and a word after i.
func dashed(s string, i int, word string) int {
	for {
		at := strings.Index(s[i:], "-----")
		if at < 0 {
			return -1
		}
		i += at
		end := i + 5
		for end < len(s) && s[end] == '-' {
			end++
		}
		if hasFoldPrefix(s[end:], word) {
			return end - 5
		}
		i = end
	}
}

// schemes finds what follows Bearer, Basic and Digest.
func (sc *scanner) schemes(s string) {
	for i := strings.IndexByte(s, ' '); i >= 0 && i < len(s); {
		end := i
		for i < len(s) && s[i] == ' ' {
			i++
		}
		if schemeBefore(s[:end]) {
			j := i
			for j < len(s) && (class[s[j]]&isToken != 0 || s[j] == '=') {
				j++
			}
			if j-i >= 6 && !lowerWord(strings.TrimRight(s[i:j], ".")) {
				sc.add(i, j, kindCredential)
			}
		}
		next := strings.IndexByte(s[i:], ' ')
		if next < 0 {
			return
		}
		i += next
	}
}

// userinfos finds user:password before the @ of a URL.
func (sc *scanner) userinfos(s string) {
	for i := 0; ; {
		at := strings.Index(s[i:], "://")
		if at < 0 {
			return
		}
		from := i + at + len("://")
		end := strings.IndexAny(s[from:], "@/ \"'<>")
		if i = from; end > 0 && s[from+end] == '@' && strings.IndexByte(s[from:from+end], ':') >= 0 {
			sc.add(from, from+end, kindCredential)
		}
	}
}

// lowerWord tells whether s is a word in running text: "Basic authentication failed".
func lowerWord(s string) bool {
	for i := range len(s) {
		if class[s[i]]&isLower == 0 {
			return false
		}
	}
	return len(s) <= 16 && pronounceable(s)
}

func schemeBefore(s string) bool {
	for _, name := range [...]string{"bearer", "basic", "negotiate", "apikey"} {
		if len(s) >= len(name) && hasFoldPrefix(s[len(s)-len(name):], name) {
			return len(s) == len(name) || class[s[len(s)-len(name)-1]]&isAlnum == 0
		}
	}
	return false
}

// scheme tells whether s is the name of a scheme and nothing else.
func scheme(s string) bool { return len(s) <= 9 && schemeBefore(s) }

// assignments finds the value after a name such as password= or "api_key": .
func (sc *scanner) assignments(s string) {
	for i := 0; i < len(s); i++ {
		if class[s[i]] != isAssign {
			continue
		}
		end := i
		for end > 0 && i-end < 8 && strings.IndexByte(" \"'\\[]", s[end-1]) >= 0 {
			end--
		}
		start := end
		for start > 0 && end-start < 32 && (class[s[start-1]]&isAlnum != 0 || s[start-1] == '_' || s[start-1] == '-') {
			start--
		}
		name := s[start:end]
		short := shortSecret(name)
		if !short && !secretName(name) {
			continue
		}
		from, to := valueAfter(s, i+1, wholeHeader(name))
		switch {
		case scheme(s[from:to]), short && known(s[from:to]):
			i = max(i, to-1) // the value is what follows the scheme; "pin: failed" is none
		case to-from >= 3:
			sc.add(from, to, kindSecret)
			i = to - 1
		}
	}
}

// valueAfter returns where the value that begins at or after i stands: what is quoted up to its quote,
// which may be missing where the line was cut off; else up to what separates values, or, of a header
// with several values, to the end.
func valueAfter(s string, i int, header bool) (from, to int) {
	quote := byte(0)
	if i < len(s) && s[i] == '>' { // => of Ruby and PHP
		i++
	}
	for from = i; from < len(s) && strings.IndexByte(" \"'\\[", s[from]) >= 0; from++ {
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

// shortSecret tells names that are too short to be looked for at the end of others.
func shortSecret(name string) bool {
	if i := strings.LastIndexAny(name, "_-"); i >= 0 {
		name = name[i+1:]
	}
	return in(shortSecrets, name)
}

//nolint:gochecknoglobals // constant
var shortSecrets = makeWords("pin otp cvv cvc pass passcode sid sessid jsessionid phpsessid sig hmac")

// secretName tells whether what has this name is a credential.
func secretName(name string) bool {
	if len(name) < 3 || len(name) > 32 {
		return false
	}
	for _, suffix := range [...]string{
		"apikey", "api_key", "api-key", "token", "secret", "password", "passwd", "pwd", "passphrase",
		"authorization", "cookie", "private_key", "privatekey", "signature", "credential", "credentials", "access_key", "accesskey",
	} {
		if len(name) >= len(suffix) && hasFoldPrefix(name[len(name)-len(suffix):], suffix) {
			return true
		}
	}
	return false
}
