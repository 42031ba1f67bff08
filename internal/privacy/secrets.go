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

// schemes finds what follows the name of a scheme, such as Bearer, or an option of a command.
func (sc *scanner) schemes(s string) {
	for i := strings.IndexByte(s, ' '); i >= 0 && i < len(s); {
		end := i
		for i < len(s) && s[i] == ' ' {
			i++
		}
		switch before := s[:end]; {
		case schemeBefore(before):
			if j := credentialEnd(s, i); j-i >= 6 && !lowerWord(strings.TrimRight(s[i:j], ".")) {
				sc.add(i, j, kindCredential)
			}
		case endsInWord(before, "token"): // more often a word of running text than a scheme
			if j := credentialEnd(s, i); j-i >= 6 && strings.ContainsAny(s[i:j], "0123456789") && strings.IndexByte(strings.TrimRight(s[i:j], "="), '=') < 0 {
				sc.add(i, j, kindCredential)
			}
		default:
			sc.option(s, before, i)
		}
		next := strings.IndexByte(s[i:], ' ')
		if next < 0 {
			return
		}
		i += next
	}
}

// credentialEnd returns where the credential at i ends.
func credentialEnd(s string, i int) int {
	for i < len(s) && (class[s[i]]&isToken != 0 || s[i] == '=') {
		i++
	}
	return i
}

// option finds the value at i of an option of a command, where before ends in one: -u name:password of curl,
// --password and the like.
func (sc *scanner) option(s, before string, i int) {
	name := before[nameStart(before, len(before)):]
	if len(name) < 2 || name[0] != '-' {
		return
	}
	from, to := valueAfter(s, i, false)
	switch {
	case name == "-u", name == "--user", name == "--proxy-user":
		if strings.IndexByte(s[from:to], ':') > 0 {
			sc.add(from, to, kindCredential)
		}
	case name[1] == '-' && secretName(name[2:]):
		if to-from >= 3 && s[from] != '-' {
			sc.add(from, to, kindSecret)
		}
	}
}

// elements finds the content of an XML element such as <password>, up to the next tag.
func (sc *scanner) elements(s string) {
	for i := strings.IndexByte(s, '<'); i >= 0; {
		i++
		end := i
		for end < len(s) && end-i < 64 && (class[s[end]]&isAlnum != 0 || strings.IndexByte("_-.:", s[end]) >= 0) {
			end++
		}
		name := s[i:end]
		name = name[strings.LastIndexByte(name, ':')+1:]
		if short := shortSecret(name); short || secretName(name) {
			if open := strings.IndexByte(cut(s[end:], maxAttributes), '>'); open >= 0 {
				from, to := content(s, end+open+1)
				if to-from >= 3 && (!short || !known(s[from:to])) {
					sc.add(from, to, kindSecret)
				}
				i = to
			}
		}
		next := strings.IndexByte(s[i:], '<')
		if next < 0 {
			return
		}
		i += next
	}
}

// maxAttributes bounds what stands between the name of an element and the end of its tag.
const maxAttributes = 256

// content returns where the text of an element stands whose tag ends at i.
func content(s string, i int) (from, to int) {
	const cdata = "<![cdata["
	stop := "<"
	if hasFoldPrefix(s[i:], cdata) {
		i, stop = i+len(cdata), "]]>"
	}
	if n := strings.Index(s[i:], stop); n >= 0 {
		return i, i + n
	}
	return i, len(s)
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
		if endsInWord(s, name) {
			return true
		}
	}
	return false
}

// endsInWord tells whether the last word of s is this one, which is lower case.
func endsInWord(s, word string) bool {
	at := len(s) - len(word)
	return at >= 0 && hasFoldPrefix(s[at:], word) && (at == 0 || class[s[at-1]]&isAlnum == 0)
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
		name := s[nameStart(s, end):end]
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
	for _, suffix := range [...]string{
		"apikey", "api_key", "api-key", "token", "secret", "password", "passwd", "pwd", "passphrase",
		"authorization", "cookie", "private_key", "privatekey", "bearer", "signature", "credential", "credentials", "access_key", "accesskey",
	} {
		if len(name) >= len(suffix) && hasFoldPrefix(name[len(name)-len(suffix):], suffix) {
			return true
		}
	}
	return false
}
