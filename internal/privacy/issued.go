package privacy

import "strings"

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
	if n := lowerAWS(t); n > 0 {
		return n
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

// lowerAWS tells the id of an access key that was written in lower case: 20 letters and digits. A digit tells it
// from asiapacificsoutheast.
func lowerAWS(t string) int {
	const length = 20
	if len(t) < length || !equalPrefix(t, "akia") && !equalPrefix(t, "asia") {
		return 0
	}
	digits := false
	for i := range length {
		if class[t[i]]&isAlnum == 0 {
			return 0
		}
		digits = digits || class[t[i]]&isDigit != 0
	}
	if !digits || len(t) > length && class[t[length]]&isAlnum != 0 {
		return 0
	}
	return length
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
