package privacy

import "github.com/liveward/liveward/internal/event"

// Bounds of a number, in digits and in groups of digits.
const (
	maxDigits = 19
	maxGroups = 6
)

// numbers finds payment cards, telephone and national numbers. text says that s is text, where a
// number that stands alone is what it looks like; elsewhere it is an id that looks like one.
func (sc *scanner) numbers(s string, text bool) {
	sc.run = run{}
	for i := 0; i < len(s); {
		if class[s[i]]&isAlnum == 0 {
			i++
			continue
		}
		if n := uuidAt(s, i); n > 0 {
			i = n
			continue
		}
		if class[s[i]]&isDigit == 0 {
			i++
			continue
		}
		if n := sc.plusPhone(s, i); n > 0 {
			i = n
			continue
		}
		i = sc.digitGroups(s, i, text)
	}
}

// uuidAt returns where the UUID that begins at i ends, or 0. One without letters may hide a number.
func uuidAt(s string, i int) int {
	end := i + 36
	if end > len(s) || s[i+8] != '-' || i > 0 && class[s[i-1]]&isAlnum != 0 || end < len(s) && class[s[end]]&isAlnum != 0 || !isUUID(s[i:end]) {
		return 0
	}
	for _, c := range event.Bytes(s[i:end]) {
		if class[c]&isAlpha != 0 {
			return end
		}
	}
	return 0
}

// plusPhone takes a number that begins with + or, after it, at i; it returns where it ends, or 0. No
// country's code begins with 0: that is a time zone.
func (sc *scanner) plusPhone(s string, i int) int {
	start := i - 1
	if start >= 0 && s[start] == '(' {
		start--
	}
	if s[i] == '0' || start < 0 || s[start] != '+' || (start > 0 && class[s[start-1]]&isAlnum != 0) {
		return 0
	}
	digits, end, good := 0, i, 0
scan:
	for j := i; j < len(s); j++ {
		switch {
		case class[s[j]]&isDigit != 0:
			digits++
			end = j + 1
			if digits > 15 {
				break scan
			}
			if digits >= 8 && (end == len(s) || class[s[end]]&isDigit == 0) {
				good = end
			}
		case s[j] == ' ' || s[j] == '-' || s[j] == '.' || s[j] == '(' || s[j] == ')':
			if j-end > 1 {
				break scan
			}
		default:
			break scan
		}
	}
	if good > 0 {
		sc.add(start, good, kindPhone)
	}
	return good
}

// digitGroups takes the group of digits at i and those that follow it, with single spaces or hyphens
// between them, and returns where the search goes on: after the longest number that begins at i, else
// after its first group.
func (sc *scanner) digitGroups(s string, i int, text bool) int {
	first := i + 1
	for first < len(s) && class[s[first]]&isDigit != 0 {
		first++
	}
	if first-i > maxDigits {
		return first // no number of a person
	}
	var digit [maxDigits]byte
	var pos [maxDigits]int
	n, best, found := 0, 0, kindNone
	count := 1
	for j, end := i, first; n+end-j <= maxDigits && count <= maxGroups; count++ {
		for ; j < end; j++ {
			digit[n], pos[n] = s[j]-'0', j
			n++
		}
		if k := sc.judge(s, digit[:n], pos[:n], text); k != kindNone {
			best, found = end, k
		}
		if j+1 >= len(s) || s[j] != ' ' && s[j] != '-' || class[s[j+1]]&isDigit == 0 || n == maxDigits {
			break
		}
		for j, end = j+1, j+2; end < len(s) && class[s[end]]&isDigit != 0; {
			end++
		}
	}
	if found == kindNone {
		return first
	}
	sc.add(i, best, found)
	return best
}

// run is a token of letters and digits, as far as it is known to be hexadecimal.
type run struct {
	start, end int
	random     bool
}

// minHexToken is the length from which a token of hexadecimal digits is taken for a random one.
const minHexToken = 24

// inHexToken tells whether the digits from..to are part of a longer token of hexadecimal digits in
// one case, such as a request id: one in some thousands of those has a card number's digits in it by
// chance. A token is looked at once, however many digits stand in it.
func (sc *scanner) inHexToken(s string, from, to int) bool {
	r := &sc.run
	if from < r.start || to > r.end {
		lower, upper := false, false
		hex := func(c byte) bool {
			switch {
			case c >= 'a' && c <= 'f':
				lower = true
			case c >= 'A' && c <= 'F':
				upper = true
			default:
				return class[c]&isDigit != 0
			}
			return true
		}
		a, b := from, to
		for a > 0 && hex(s[a-1]) {
			a--
		}
		for b < len(s) && hex(s[b]) {
			b++
		}
		whole := (a == 0 || class[s[a-1]]&isAlpha == 0) && (b == len(s) || class[s[b]]&isAlpha == 0)
		*r = run{a, b, whole && lower != upper && b-a >= minHexToken}
	}
	return r.random
}

// judge says what the digits at pos are.
func (sc *scanner) judge(s string, d []byte, pos []int, text bool) kind {
	n := len(d)
	if n < 9 {
		return kindNone
	}
	from, to := pos[0], pos[n-1]+1
	solid := to-from == n
	if solid && sc.inHexToken(s, from, to) {
		return kindNone
	}
	alone := (from == 0 || class[s[from-1]]&isAlpha == 0) && (to == len(s) || class[s[to]]&isAlpha == 0)
	k, weak := numberOf(d, pos, solid, alone)
	if k == kindNone {
		return kindNone
	}
	return sc.certain(s, from, to, k, solid, weak, text)
}

// numberOf says what a number can be. solid: no separators; alone: no letter touches it. weak: so
// many other numbers look like it that only a name before it makes it one.
func numberOf(d []byte, pos []int, solid, alone bool) (k kind, weak bool) {
	n := len(d)
	if n >= 13 && n <= 19 && (solid || cardGroups(pos)) && cardIssuer(d) && luhn(d) {
		return kindPAN, n > 16
	}
	switch {
	case n == 16 && (solid || cardGroups(pos)) && nik(d):
		return kindNationalID, solid && timeLike(d)
	case n == 11 && alone && solid && cpf(d):
		return kindNationalID, true
	case n == 12 && alone && (solid || groups(pos, 4, 4, 4)) && d[0] >= 2 && verhoeff(d):
		return kindNationalID, solid
	case n == 9 && alone && groups(pos, 3, 2, 4) && ssn(d):
		return kindNationalID, false
	case alone && n >= 11 && n <= 15 && solid && d[0] == 0 && d[1] == 0 && d[2] != 0:
		return kindPhone, false
	case alone && n >= 10 && n <= 13 && d[0] == 0 && d[1] == 8, alone && n >= 11 && n <= 14 && d[0] == 6 && d[1] == 2 && d[2] == 8:
		return kindPhone, !solid && pos[5] == pos[0]+5 // 0812 3456 7890, but not 08280621-76688
	}
	return kindNone, false
}

// timeLike tells 16 digits that are microseconds since 1970, from 2014 to 2039.
func timeLike(d []byte) bool { return d[0] == 1 && d[1] >= 4 || d[0] == 2 && d[1] < 2 }

// groups tells whether digits at pos stand in groups of these sizes.
func groups(pos []int, sizes ...int) bool {
	i := 0
	for _, size := range sizes {
		if i+size > len(pos) {
			return false
		}
		for j := i + 1; j < i+size; j++ {
			if pos[j] != pos[j-1]+1 {
				return false
			}
		}
		i += size
		if i < len(pos) && pos[i] == pos[i-1]+1 {
			return false
		}
	}
	return i == len(pos)
}

func cardGroups(pos []int) bool {
	return groups(pos, 4, 4, 4, 4) || groups(pos, 4, 6, 5) || groups(pos, 4, 6, 4) || groups(pos, 4, 4, 4, 4, 3) || groups(pos, 4, 4, 4, 1)
}

// cardIssuer tells whether the leading digits are a card scheme's, with its lengths.
func cardIssuer(d []byte) bool {
	n := len(d)
	p := func(k int) int {
		v := 0
		for _, x := range d[:k] {
			v = v*10 + int(x)
		}
		return v
	}
	switch {
	case d[0] == 4:
		return n == 13 || n == 16 || n == 19
	case p(2) >= 51 && p(2) <= 55, p(4) >= 2221 && p(4) <= 2720:
		return n == 16
	case p(2) == 34, p(2) == 37:
		return n == 15
	case p(3) >= 300 && p(3) <= 305, p(2) == 36, p(2) == 38, p(2) == 39:
		return n == 14 || n == 16
	case p(4) >= 3528 && p(4) <= 3589, p(4) == 6011, p(2) == 65, p(3) >= 644 && p(3) <= 649, p(2) == 62, p(2) == 60, p(2) == 81:
		return n >= 16
	}
	return false
}

func luhn(d []byte) bool {
	sum := 0
	for i, x := range d {
		v := int(x)
		if (len(d)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// nik is Indonesia's number: province, regency (01 to 39) or city (71 to 79), district, birth date (day
// + 40 for women), serial.
func nik(d []byte) bool {
	two := func(i int) int { return int(d[i])*10 + int(d[i+1]) }
	province, regency, day := two(0), two(2), two(6)
	if day > 40 {
		day -= 40
	}
	serial := two(12)*100 + two(14)
	return provinces[province] && (regency >= 1 && regency <= 39 || regency >= 71 && regency <= 79) && two(4) >= 1 &&
		day >= 1 && day <= 31 && two(8) >= 1 && two(8) <= 12 && serial >= 1
}

// provinces are the codes of Indonesia's provinces.
//
//nolint:gochecknoglobals // constant
var provinces = [100]bool{
	11: true, 12: true, 13: true, 14: true, 15: true, 16: true, 17: true, 18: true, 19: true, 21: true,
	31: true, 32: true, 33: true, 34: true, 35: true, 36: true, 51: true, 52: true, 53: true,
	61: true, 62: true, 63: true, 64: true, 65: true, 71: true, 72: true, 73: true, 74: true, 75: true, 76: true,
	81: true, 82: true, 91: true, 92: true, 93: true, 94: true, 95: true, 96: true, 97: true,
}

// cpf is Brazil's number, with its two check digits.
func cpf(d []byte) bool {
	same := true
	for _, x := range d {
		same = same && x == d[0]
	}
	check := func(n int) byte {
		sum := 0
		for i := range n {
			sum += int(d[i]) * (n + 1 - i)
		}
		return byte(sum * 10 % 11 % 10)
	}
	return !same && d[9] == check(9) && d[10] == check(10)
}

// cpfDotted finds 123.456.789-09.
func (sc *scanner) cpfDotted(s string) {
	for i := 0; i+14 <= len(s); i++ {
		if s[i+3] != '.' || s[i+7] != '.' || s[i+11] != '-' {
			continue
		}
		var d [11]byte
		n := 0
		for j := i; j < i+14; j++ {
			if class[s[j]]&isDigit != 0 {
				if n < len(d) {
					d[n] = s[j] - '0'
				}
				n++
			}
		}
		if n == len(d) && cpf(d[:]) {
			sc.add(i, i+14, kindNationalID)
		}
	}
}

func ssn(d []byte) bool {
	area := int(d[0])*100 + int(d[1])*10 + int(d[2])
	return area != 0 && area != 666 && area < 900 && (d[3] != 0 || d[4] != 0) && (d[5] != 0 || d[6] != 0 || d[7] != 0 || d[8] != 0)
}

// verhoeff is the check of India's Aadhaar number.
func verhoeff(d []byte) bool {
	var c byte
	for i := range d {
		c = verhoeffD[c][verhoeffP[i%8][d[len(d)-1-i]]]
	}
	return c == 0
}

//nolint:gochecknoglobals // constant
var verhoeffD = [10][10]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
	{1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
	{2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
	{3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
	{4, 0, 1, 2, 3, 9, 5, 6, 7, 8},
	{5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
	{6, 5, 9, 8, 7, 1, 0, 4, 3, 2},
	{7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
	{8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
	{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
}

//nolint:gochecknoglobals // constant
var verhoeffP = [8][10]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
	{1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
	{5, 8, 0, 3, 7, 9, 6, 1, 4, 2},
	{8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
	{9, 4, 5, 3, 1, 2, 6, 8, 7, 0},
	{4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
	{2, 7, 9, 3, 8, 0, 6, 4, 1, 5},
	{7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
}
