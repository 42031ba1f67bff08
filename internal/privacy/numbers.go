package privacy

// maxDigitRun bounds a run of digits that is looked at; longer ones are no number of a person.
const maxDigitRun = 40

// numbers finds payment cards, telephone and national numbers. bare says that unmarked forms count as
// well: in text, not in identifiers.
func (sc *scanner) numbers(s string, bare bool) {
	for i := 0; i < len(s); {
		if class[s[i]]&isDigit == 0 {
			i++
			continue
		}
		if n := sc.plusPhone(s, i); n > 0 {
			i = n
			continue
		}
		i = sc.digitRun(s, i, bare)
	}
}

// plusPhone takes a number that begins with + or, after it, at i; it returns where it ends, or 0.
func (sc *scanner) plusPhone(s string, i int) int {
	start := i - 1
	if start >= 0 && s[start] == '(' {
		start--
	}
	if start < 0 || s[start] != '+' || (start > 0 && class[s[start-1]]&isAlnum != 0) {
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

// digitRun takes the digits at i, with single spaces or hyphens between them, and returns its end.
func (sc *scanner) digitRun(s string, i int, bare bool) int {
	var digit [maxDigitRun]byte
	var pos [maxDigitRun]int
	n, j := 0, i
	for j < len(s) {
		if class[s[j]]&isDigit != 0 {
			if n < maxDigitRun {
				digit[n], pos[n] = s[j]-'0', j
				n++
			}
			j++
			continue
		}
		if (s[j] == ' ' || s[j] == '-') && j+1 < len(s) && class[s[j+1]]&isDigit != 0 {
			j++
			continue
		}
		break
	}
	if n < 8 || n == maxDigitRun {
		return j
	}
	starts := func(a int) bool { return a == 0 || pos[a] != pos[a-1]+1 }
	ends := func(b int) bool { return b == n || pos[b] != pos[b-1]+1 }
	for a := 0; a < n; a++ {
		if !starts(a) {
			continue
		}
		for b := n; b-a >= 8; b-- {
			if !ends(b) {
				continue
			}
			from, to := pos[a], pos[b-1]+1
			solid := to-from == b-a
			if solid && inHexToken(s, from, to) {
				continue
			}
			alone := (from == 0 || class[s[from-1]]&isAlpha == 0) && (to == len(s) || class[s[to]]&isAlpha == 0)
			if k := judge(digit[a:b], pos[a:b], solid, alone, bare); k != kindNone {
				sc.add(from, to, k)
				a = b - 1
				break
			}
		}
	}
	return j
}

// minHexToken is the length from which a token of hexadecimal digits is taken for a random one.
const minHexToken = 24

// inHexToken tells whether the digits from..to are part of a longer token of hexadecimal digits in
// one case, such as a request id: one in some thousands of those has a card number's digits in it by
// chance, and each would be an alarm about nothing.
func inHexToken(s string, from, to int) bool {
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
	return whole && lower != upper && b-a >= minHexToken
}

// judge says what a number is. solid: no separators; alone: no letter touches it.
func judge(d []byte, pos []int, solid, alone, bare bool) kind {
	n := len(d)
	if n >= 13 && n <= 19 && (solid || cardGroups(pos)) && cardIssuer(d) && luhn(d) {
		return kindPAN
	}
	switch {
	case n == 16 && (solid || cardGroups(pos)) && nik(d):
		return kindNationalID
	case n == 11 && alone && solid && cpf(d):
		return kindNationalID
	case n == 12 && alone && (!solid && groups(pos, 4, 4, 4) || solid && bare) && d[0] >= 2 && verhoeff(d):
		return kindNationalID
	case n == 9 && alone && groups(pos, 3, 2, 4) && ssn(d):
		return kindNationalID
	case bare && alone && n >= 11 && n <= 15 && solid && d[0] == 0 && d[1] == 0 && d[2] != 0:
		return kindPhone
	case bare && alone && n >= 10 && n <= 13 && d[0] == 0 && d[1] == 8:
		return kindPhone
	}
	return kindNone
}

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

// nik is Indonesia's number: province, regency, district, birth date (day + 40 for women), serial.
func nik(d []byte) bool {
	two := func(i int) int { return int(d[i])*10 + int(d[i+1]) }
	day := two(6)
	if day > 40 {
		day -= 40
	}
	serial := two(12)*100 + two(14)
	return two(0) >= 11 && two(0) <= 96 && two(2) >= 1 && two(4) >= 1 && day >= 1 && day <= 31 && two(8) >= 1 && two(8) <= 12 && serial >= 1
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

// ibans finds international bank account numbers, solid or in groups of four.
func (sc *scanner) ibans(s string) {
	for i := 0; i+15 <= len(s); i++ {
		if class[s[i]]&isUpper == 0 || class[s[i+1]]&isUpper == 0 || class[s[i+2]]&isDigit == 0 || class[s[i+3]]&isDigit == 0 {
			continue
		}
		if i > 0 && class[s[i-1]]&isAlnum != 0 {
			continue
		}
		rem, n, end := 0, 0, 0
		for j := i + 4; j < len(s) && n < 30; j++ {
			c := s[j]
			if c == ' ' && n%4 == 0 && j+1 < len(s) && class[s[j+1]]&isAlnum != 0 {
				continue
			}
			switch {
			case class[c]&isDigit != 0:
				rem = (rem*10 + int(c-'0')) % 97
			case class[c]&isUpper != 0:
				rem = (rem*100 + int(c-'A') + 10) % 97
			default:
				j = len(s)
				continue
			}
			n++
			if n >= 11 && (j+1 == len(s) || class[s[j+1]]&isAlnum == 0) {
				full := rem
				for _, h := range []byte{s[i], s[i+1]} {
					full = (full*100 + int(h-'A') + 10) % 97
				}
				full = (full*100 + int(s[i+2]-'0')*10 + int(s[i+3]-'0')) % 97
				if full == 1 {
					end = j + 1
				}
			}
		}
		if end > 0 {
			sc.add(i, end, kindIBAN)
			i = end - 1
		}
	}
}
