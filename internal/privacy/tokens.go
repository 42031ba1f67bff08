package privacy

import "strings"

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
