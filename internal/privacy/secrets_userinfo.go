package privacy

import "strings"

// userinfos finds user:password before the @ of a URL, and of a database's address without a scheme.
func (sc *scanner) userinfos(s string) {
	for i := 0; ; {
		at := strings.Index(s[i:], "://")
		if at < 0 {
			break
		}
		from := i + at + len("://")
		end := strings.IndexAny(s[from:], "@/ \"'<>")
		if end > 0 && s[from+end] == '/' && !host(s[from:from+end]) { // a slash of the password
			end = strings.IndexAny(s[from:min(len(s), from+maxUserinfo)], "@ \"'<>")
		}
		if i = from; end > 0 && s[from+end] == '@' && strings.IndexByte(s[from:from+end], ':') >= 0 {
			sc.add(from, from+end, kindCredential)
		}
	}
	for at := strings.IndexByte(s, '@'); at >= 0; {
		if databaseHost(s[at+1:]) {
			sc.userBefore(s, at)
		}
		next := strings.IndexByte(s[at+1:], '@')
		if next < 0 {
			return
		}
		at += 1 + next
	}
}

// maxUserinfo bounds a user's name and password.
const maxUserinfo = 128

// host tells whether what stands before the first slash of a URL has no password in it: what follows its colon
// is a port.
func host(s string) bool {
	i := strings.LastIndexByte(s, ':')
	return i < 0 || s[0] == '[' || i == len(s)-1 || allDigits(s[i+1:])
}

// databaseHost tells tcp(…) and host:port, with which the address of a database goes on after its @.
func databaseHost(s string) bool {
	i := 0
	for i < len(s) && i < 256 && domainByte(s[i]) {
		i++
	}
	switch {
	case i == 0 || i >= len(s)-1:
		return false
	case s[i] == '(':
		return hasFoldPrefix(s, "tcp") || hasFoldPrefix(s, "unix")
	}
	return s[i] == ':' && class[s[i+1]] == isDigit
}

// userBefore finds user:password that ends at an @.
func (sc *scanner) userBefore(s string, at int) {
	from := at
	for from > 0 && at-from < maxUserinfo && strings.IndexByte(" \"'<>()[]{},;@", s[from-1]) < 0 {
		from--
	}
	colon := strings.IndexByte(s[from:at], ':')
	if colon <= 0 || at-from-colon <= 3 || strings.HasPrefix(s[from+colon:], "://") {
		return
	}
	name := s[from : from+colon]
	if strings.IndexByte(name, '.') > 0 && strings.Trim(name, "0123456789.") == "" {
		return // an address and its port
	}
	sc.add(from+strings.LastIndexByte(name, '=')+1, at, kindCredential) // dsn=user:password
}
