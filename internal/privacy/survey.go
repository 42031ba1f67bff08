package privacy

// traits is what one look at a string tells of it. Most strings of a log are judged by it alone.
type traits struct {
	seen    uint32 // classes of its bytes, and what follows here
	all     uint32 // those that all of its bytes are of
	digits  int32
	grouped int32  // most digits with nothing between them but what separates groups of digits; 0 below minGrouped, and in random ids
	longest int32  // longest run of token characters; 0 where none can be as long as minRun
	letters uint64 // characters it has, in either case; different ones may share a bit
}

// What traits.seen tells beside the classes of bytes.
const (
	hasEscape  uint32 = 1 << (8 + iota) // % \ &
	hasSpace                            // the space alone
	hasPlus                             //
	hasHyphen                           //
	hasDot                              //
	hasForeign                          // what no identifier has
	inToken                             // token characters
	inGroups                            // digits, and what separates groups of them
	_                                   // isHex
	_                                   // isHash
	inWord                              // letters and digits
)

// letterBits is where in the looks of a byte its bit of traits.letters stands.
const letterBits = 24

// isHex marks hexadecimal digits.
const isHex uint32 = 1 << 16

// isHash marks what event.Hash is written with.
const isHash uint32 = 1 << 17

//nolint:gochecknoglobals // constant
var looks = makeLooks()

func makeLooks() (t [256]uint32) {
	for i := range t {
		c := byte(i)
		t[i] = uint32(class[c])
		set := func(bit uint32, is bool) {
			if is {
				t[i] |= bit
			}
		}
		set(hasEscape, c == '%' || c == '\\' || c == '&')
		set(hasSpace, c == ' ')
		set(hasPlus, c == '+')
		set(hasHyphen, c == '-')
		set(hasDot, c == '.')
		set(hasForeign, !identByte(c))
		_, hex := unhex(c)
		set(isHex, hex)
		set(isHash, class[c]&isLower != 0 || c >= '2' && c <= '7')
		set(inToken, class[c]&isToken != 0)
		set(inWord, class[c]&isAlnum != 0)
		set(inGroups, class[c]&isDigit != 0 || c == ' ' || c == '-' || c == '.' || c == '(' || c == ')')
		switch {
		case class[c]&isDigit != 0:
			t[i] |= uint32(c-'0') << letterBits
		case class[c]&isAlpha != 0:
			t[i] |= uint32(10+lower(c)-'a') << letterBits
		default:
			t[i] |= (36 + uint32(c)%28) << letterBits
		}
	}
	return t
}

// Below these no detector asks how long a run is.
const (
	minGrouped = 8
	minRun     = 10
)

// survey looks at every byte, without a branch on what it is: what stands in ids is not to be predicted.
// What it sums up stands in registers meanwhile.
func survey(s string) (t traits) {
	seen, all, digits, letters := uint32(0), ^uint32(0), uint32(0), uint64(0)
	for i := range len(s) {
		c := looks[s[i]]
		seen |= c
		all &= c
		digits += c & uint32(isDigit)
		letters |= 1 << (c >> letterBits & 63)
	}
	t.seen, t.all, t.digits, t.letters = seen, all, int32(digits), letters
	if t.digits >= minGrouped && !t.hexToken(len(s)) {
		t.grouped = grouped(s)
	}
	switch {
	case len(s) < minRun:
	case t.all&inToken != 0:
		t.longest = int32(len(s))
	default:
		t.longest = longest(s)
	}
	return t
}

// hexToken tells whether a string of these traits is a random id: hexadecimal digits alone, with letters
// of one case among them. Digits in it are no number of a person, but by chance.
func (t *traits) hexToken(length int) bool {
	return t.all&isHex != 0 && length >= minHexToken && t.has(isLower) != t.has(isUpper)
}

func grouped(s string) (most int32) {
	group := int32(0)
	for i := range len(s) {
		c := looks[s[i]]
		group = (group + int32(c&uint32(isDigit))) & -int32(c/inGroups&1)
		most = max(most, group)
	}
	return most
}

func longest(s string) (most int32) {
	run := int32(0)
	for i := range len(s) {
		run = (run + 1) & -int32(looks[s[i]]/inToken&1)
		most = max(most, run)
	}
	return most
}

// glance is traits.seen and traits.letters alone.
func glance(s string) (seen uint32, letters uint64) {
	for i := range len(s) {
		c := looks[s[i]]
		seen |= c
		letters |= 1 << (c >> letterBits & 63)
	}
	return seen, letters
}

// lettersOf is traits.letters alone.
func lettersOf(s string) uint64 {
	_, letters := glance(s)
	return letters
}

// letterOf is the bit of a byte in traits.letters.
func letterOf(c byte) uint64 { return 1 << (looks[c] >> letterBits & 63) }

// digitLetters are the bits of the digits in traits.letters.
const digitLetters = 1<<10 - 1

// has tells whether one of the bytes is of one of the classes.
func (t *traits) has(classes uint8) bool { return t.seen&uint32(classes) != 0 }

// hides tells whether escapes may hide something: most strings have no byte that begins one.
func (t *traits) hides() bool { return t.seen&hasEscape != 0 }
