package privacy

// wordy tells whether s is made of ordinary words and small numbers joined by - _ . : and the like,
// with no more than maxDigits digits in all: a name that people gave, not random text.
func wordy(s string, maxDigits int) bool {
	digits := 0
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && class[s[j]]&isAlnum != 0 {
			digits += int(class[s[j]] & isDigit)
			j++
		}
		if j > i && !word(s[i:j]) {
			return false
		}
		if j < len(s) {
			switch s[j] {
			case '-', '_', '.', ':', '~', '{', '}', '*', '/', ',', '|':
			default:
				return false
			}
		}
		i = j + 1
	}
	return digits <= maxDigits
}

// word tells whether s, letters and digits, looks like a word: liveness, detectLiveness, oauth2, v12,
// SHA256, 3d, 64. Not: 9f2c51aa, QSkZJRgABAQ, qwkjzxhvbn. Random letters can look
// like a word, and then pass for one.
func word(s string) bool {
	letters, digits := 0, 0
	for i := range len(s) {
		if class[s[i]]&isDigit != 0 {
			digits++
		} else {
			letters++
		}
	}
	switch {
	case letters > 24 || digits > 4:
		return false
	case letters == 0:
		return true
	case digits == 0:
		return cased(s) && pronounceable(s)
	}
	// Digits stand at one end (oauth2, 3d), or once in between (v1beta1, h2c).
	changes := 0
	for i := 1; i < len(s); i++ {
		if (class[s[i]]^class[s[i-1]])&isDigit != 0 {
			changes++
		}
	}
	if changes > 1 && (len(s) > 8 || changes > 2 && s[0] != 'v') {
		return false
	}
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && class[s[j]]&isDigit == 0 {
			j++
		}
		if !cased(s[i:j]) || !pronounceable(s[i:j]) {
			return false
		}
		for j < len(s) && class[s[j]]&isDigit != 0 {
			j++
		}
		i = j
	}
	return true
}

// cased tells whether letters are cased as in names: lower, UPPER, Capital, camelCase, HTTPServer.
func cased(s string) bool {
	upper := 0
	for i := range len(s) {
		if class[s[i]]&isUpper != 0 {
			upper++
		}
	}
	if upper == 0 || upper == len(s) {
		return upper <= 12 || upper == 0
	}
	// Humps: every run of lower-case letters but a plural's has two letters or more.
	acronyms := 0
	for i := 0; i < len(s); {
		u := i
		for u < len(s) && class[s[u]]&isUpper != 0 {
			u++
		}
		l := u
		for l < len(s) && class[s[l]]&isLower != 0 {
			l++
		}
		if u-i > 1 {
			acronyms++
		}
		if l-u == 1 && l < len(s) || l == i { // l == i: no letter at all
			return false
		}
		i = l
	}
	return acronyms <= 1
}

// pronounceable is false where more than five letters in a row are no vowels.
func pronounceable(s string) bool {
	run := 0
	for i := range len(s) {
		switch lower(s[i]) {
		case 'a', 'e', 'i', 'o', 'u', 'y':
			run = 0
		default:
			if run++; run > 5 {
				return false
			}
		}
	}
	return true
}
