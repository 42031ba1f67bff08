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
	for _, name := range [...]string{"bearer", "basic", "negotiate"} {
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
		for end > 0 && i-end < 8 && (s[end-1] == ' ' || s[end-1] == '"' || s[end-1] == '\'' || s[end-1] == '\\') {
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
	for from = i; from < len(s) && (s[from] == ' ' || s[from] == '"' || s[from] == '\'' || s[from] == '\\'); from++ {
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

// tokens finds web tokens, keys with a known prefix, images, base64 and random text.
func (sc *scanner) tokens(s string, tr *traits, text bool) {
	if tr.all&isHex != 0 && len(s) < minHexBlob {
		return // ids and digests
	}
	staged := mayHaveStage(tr.letters)
	if tr.all&inToken != 0 {
		sc.token(s, 0, len(s), staged, text)
		return
	}
	for i := 0; i < len(s); {
		if class[s[i]]&isToken == 0 {
			i++
			continue
		}
		j := i + 1
		for j < len(s) && class[s[j]]&isToken != 0 {
			j++
		}
		if j-i >= minToken {
			sc.token(s, i, j, staged, text)
		}
		i = j
	}
}

// Lengths from which a run can be a key, a blob, and hexadecimal text a blob.
const (
	minToken   = 11
	minBlob    = 24
	minHexBlob = 40
)

// token looks at the run of token characters from start to end. staged: a key may say in it where it
// is good.
func (sc *scanner) token(s string, start, end int, staged, text bool) {
	t := s[start:end]
	const unknown = -2
	dot := unknown // the last one, looked for once however many tokens begin
	// Keys and web tokens begin where a run of letters and digits does.
	for i, inside := 0, false; i+1 < len(t); i++ {
		was := inside
		if inside = class[t[i]]&isAlnum != 0; was || !inside || !staged && beginsKey[t[i]]&letterOf(t[i+1]) == 0 {
			continue
		}
		if dot == unknown && hasFoldPrefix(t[i:], tokenStart) {
			dot = strings.LastIndexByte(t, '.')
		}
		if webToken(t[i:], dot > i) {
			sc.add(start+i, padded(s, end), kindJWT)
			return
		}
		if n := secretPrefix(t[i:]); n > 0 {
			sc.add(start+i, start+i+n, kindSecret)
			return
		}
	}
	if len(t) < minBlob {
		return
	}
	pad := padded(s, end)
	// Blobs: dots and tildes end them.
	for i := 0; i < len(t); {
		j := i
		for j < len(t) && t[j] != '.' && t[j] != '~' {
			j++
		}
		blobEnd := start + j
		if j == len(t) {
			blobEnd = pad
		}
		if k := blob(t[i:j], text); k != kindNone {
			sc.add(start+i, blobEnd, k)
		}
		i = j + 1
	}
}

// padded is the end of what ends at end with the padding of base64 that follows it.
func padded(s string, end int) int {
	pad := end
	for pad < len(s) && s[pad] == '=' && pad-end < 2 {
		pad++
	}
	return pad
}

// webToken tells a JSON web token, or the beginning of one. In another letter case it is no token any
// more, but it is still what it was to who tries both. dotted tells that t has a dot.
func webToken(t string, dotted bool) bool {
	if !hasFoldPrefix(t, tokenStart) {
		return false
	}
	return t[2] == 'J' && len(t) >= 16 || len(t) >= 40 && dotted
}

const tokenStart = "eyj" // base64 of {"

// blob says what a run of base64 characters is. In text, shorter random runs count as well.
func blob(t string, text bool) kind {
	n := len(t)
	if n < minBlob || (n < 32 && !text) {
		return kindNone
	}
	if imageStart(t) {
		return kindImage
	}
	if isUUID(t) {
		return kindNone
	}
	if allHex(t) {
		switch {
		case n > 128:
			return kindBase64 // longer than any digest
		case text && n >= minHexBlob:
			return kindToken
		}
		return kindNone
	}
	switch {
	case n >= 64:
		if pieces(t, text) {
			return kindNone
		}
		return kindBase64
	case n >= 40:
		if pieces(t, text) {
			return kindNone
		}
		return kindToken
	case text && mixed(t) && !pieces(t, text):
		return kindToken
	}
	return kindNone
}

// pieces tells whether t is words, UUIDs and numbers (and, in identifiers, hexadecimal) joined by
// marks: a path, a cipher, a composed id.
func pieces(t string, text bool) bool {
	for i := 0; i < len(t); {
		if i+36 <= len(t) && isUUID(t[i:i+36]) {
			i += 36
			continue
		}
		j := i
		for j < len(t) && class[t[j]]&isAlnum != 0 {
			j++
		}
		p := t[i:j]
		if p != "" && !word(p) && (text || !allHex(p)) && (len(p) > 20 || !allDigits(p)) {
			return false
		}
		i = j
		if i < len(t) {
			i++
		}
	}
	return true
}

// mixed tells whether both cases and digits alternate as they do in random text.
func mixed(t string) bool {
	var seen uint8
	changes := 0
	for i := range len(t) {
		c := class[t[i]] & isAlnum
		seen |= c
		if i > 0 && c != class[t[i-1]]&isAlnum {
			changes++
		}
	}
	return seen == isAlnum && changes*3 >= len(t)
}

// imageStart tells whether base64 or hexadecimal text begins as pictures, videos and documents do.
func imageStart(t string) bool {
	switch {
	case strings.HasPrefix(t, "/9j/"), // JPEG
		strings.HasPrefix(t, "iVBORw0KGgo"),         // PNG
		strings.HasPrefix(t, "R0lGOD"),              // GIF
		strings.HasPrefix(t, "UklGR"),               // WebP, AVI
		strings.HasPrefix(t, "JVBERi0"),             // PDF
		strings.HasPrefix(t, "GkXfo"),               // WebM
		strings.HasPrefix(t, "Qk0") && len(t) >= 64, // BMP
		strings.HasPrefix(t, "AAAA") && len(t) >= 12 && strings.Contains(t[4:12], "ZnR5c"): // MP4, HEIC, AVIF
		return true
	case len(t) >= 64 && (hasFoldPrefix(t, "ffd8ff") || hasFoldPrefix(t, "89504e470d0a")):
		return allHex(t)
	}
	return false
}

// secretPrefix tells how long the key at the beginning of t is; 0 where there is none.
func secretPrefix(t string) int {
	if t == "" {
		return 0
	}
	for _, p := range prefixesByByte[t[0]] {
		// Some fields are written in one letter case; a prefix with a mark at its end is still one.
		if last := p.text[len(p.text)-1]; !strings.HasPrefix(t, p.text) && (last != '_' && last != '-' || !equalPrefix(t, p.text)) {
			continue
		}
		n := len(p.text)
		for n < len(t) && (class[t[n]]&isAlnum != 0 || t[n] == '_' || t[n] == '-' || (p.path && (t[n] == '/' || t[n] == '.'))) {
			n++
		}
		if n-len(p.text) >= p.rest {
			return n
		}
	}
	// The common shape of issued keys: sk_live_…, pk_test_…
	i := 0
	for i < len(t) && i < 8 && class[t[i]]&isAlpha != 0 {
		i++
	}
	if i < 2 || i >= len(t) || (t[i] != '_' && t[i] != '-') {
		return 0
	}
	for _, stage := range keyStages {
		if !hasFoldPrefix(t[i+1:], stage) {
			continue
		}
		n := i + 1 + len(stage)
		if n >= len(t) || t[n] != t[i] {
			continue
		}
		from := n + 1
		for n = from; n < len(t) && (class[t[n]]&isAlnum != 0 || t[n] == '_'); n++ {
		}
		if n-from >= 8 && (t[i] == '_' || !wordy(t[from:n], 4)) {
			return n
		}
	}
	return 0
}

// equalPrefix tells whether t begins with prefix in any letter case.
func equalPrefix(t, prefix string) bool { return equalFold(t, prefix) == len(prefix) }

type prefix struct {
	text string
	rest int  // bytes that follow at least
	path bool // slashes and dots belong to it
}

//nolint:gochecknoglobals // constant
var secretPrefixes = []prefix{
	{"AKIA", 12, false},
	{"ASIA", 12, false},
	{"AIza", 30, false},
	{"ya29", 20, true},
	{"ghp_", 20, false},
	{"gho_", 20, false},
	{"ghu_", 20, false},
	{"ghs_", 20, false},
	{"ghr_", 20, false},
	{"github_pat_", 20, false},
	{"glpat-", 16, false},
	{"npm_", 20, false},
	{"pypi-", 20, false},
	{"dop_v1_", 20, false},
	{"shpat_", 20, false},
	{"xoxb-", 10, false},
	{"xoxp-", 10, false},
	{"xoxa-", 10, false},
	{"xoxs-", 10, false},
	{"xapp-", 10, false},
	{"hooks.slack.com/services/", 10, true},
	{"SG.", 20, true},
	{"sk-", 20, false},
	{"whsec_", 16, false},
	{"key-", 32, false},
	{"hvs.", 20, true},
}

// keyStages are what issued keys say of where they are good.
//
//nolint:gochecknoglobals // constant
var keyStages = [...]string{"live", "test", "prod", "sandbox"}

// stageLetters are the letters of each of keyStages.
//
//nolint:gochecknoglobals // constant
var stageLetters = func() (out [len(keyStages)]uint64) {
	for i, stage := range keyStages {
		out[i] = lettersOf(stage)
	}
	return out
}()

// mayHaveStage tells whether a key's stage can stand in what has these letters.
func mayHaveStage(letters uint64) bool {
	for _, stage := range stageLetters {
		if stage&^letters == 0 {
			return true
		}
	}
	return false
}

// beginsKey is by its first byte with which letters a key or a web token may go on.
//
//nolint:gochecknoglobals // constant
var beginsKey = func() (out [256]uint64) {
	out['e'], out['E'] = letterOf(tokenStart[1]), letterOf(tokenStart[1])
	for c, prefixes := range prefixesByByte {
		for _, p := range prefixes {
			out[c] |= letterOf(p.text[1])
		}
	}
	return out
}()

// prefixesByByte are the prefixes that may begin with a byte: most letters begin none.
//
//nolint:gochecknoglobals // constant
var prefixesByByte = func() (out [256][]prefix) {
	for _, p := range secretPrefixes {
		first := p.text[0]
		out[first] = append(out[first], p)
		if other := first ^ 0x20; class[first]&isAlpha != 0 {
			out[other] = append(out[other], p)
		}
	}
	return out
}()
