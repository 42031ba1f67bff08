package event

import (
	"encoding/binary"
	"math/bits"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, in the top bit of each byte, the bytes that end a plain stretch of a string: quote,
// backslash, control characters and bytes beyond ASCII. The lowest mark is always right; marks above
// it need not be. Without bit 1 a quote stands right above the control characters, in the place of the
// blank, so that one subtraction finds both.
func special(w uint64) uint64 {
	quote := (w ^ ones*0x02) - ones*0x21
	slash := (w ^ ones*'\\') - ones
	return (quote | slash | w) & highs
}

// SkipPlain skips what is plain in a JSON string, eight bytes at a time from i on, and tells whether it ends
// there: mostly it does. Else it has come to what is to be looked at, or to the last bytes of src.
func SkipPlain(src []byte, i int) (end int, quote bool) {
	for ; i+8 <= len(src); i += 8 {
		if m := special(binary.LittleEndian.Uint64(src[i:])); m != 0 {
			i += bits.TrailingZeros64(m) / 8
			return i, src[i] == '"'
		}
	}
	return i, false
}
