package privacy

import (
	"fmt"
	"testing"
	"unicode"
)

// What stands between the digits of a number in escapes hides it no more than what stands there as it is.
func TestHidden(t *testing.T) {
	texts(t, map[string]string{
		"card 4111&#160;1111&#160;1111&#160;1111":                         "card [pan]",
		`card 4111\u00a01111\u00a01111\u00a01111 x`:                       "card [pan] x",
		`card 4111\u200b1111\ud83c\udff41111\udb40\udc201111`:             `card 4111\u200b1111\ud83c\udff41111\udb40\udc201111`,
		`card 4111\udb40\udc201111\udb40\udc201111\udb40\udc201111.`:      "card [pan].",
		`card 4111\t1111\n1111\r1111`:                                     "card [pan]",
		"card 4111%C2%A01111%c2%a01111%C2%A01111 x":                       "card [pan] x",
		"card 4111%25C2%25A01111%25C2%25A01111%25C2%25A01111":             "card [pan]",
		`card 4111\xC2\xA01111\xC2\xA01111\xC2\xA01111`:                   "card [pan]",
		"card 4111%A01111%A01111%A01111":                                  "card [pan]",
		"card 4111&#8209;1111&#8209;1111&#8209;1111":                      "card [pan]",
		"card 4111&#x200b;1111&zwj;1111&ZeroWidthSpace;1111":              "card [pan]",
		"card 4111&thinsp;1111&ensp;1111&NonBreakingSpace;1111":           "card [pan]",
		"card 4111&shy;1111&shy;1111&shy;1111":                            "card [pan]",
		"card 4111\ufe0f1111\u034f1111\u31641111":                         "card [pan]",
		"card 4111\u28001111\u28001111\u28001111":                         "card [pan]",
		"card ๔๑๑๑๑๑๑๑๑๑๑๑๑๑๑๑ or ४११११११११११११११១":                       "card [pan] or [pan]",
		"card &#3668;&#3665;&#3665;&#3665;111111111111":                   "card [pan]",
		"mail jane.roe&#xff20;bank.example, jane&shy;.roe%40bank.example": "mail [email], [email]",
	})
}

// Digits of every script are digits, and what is not seen is not kept.
func TestClean(t *testing.T) {
	for _, tables := range [][]rune{{0x0e50}, {0x660}, {0x966}, {0x17e0}, {0xff10}, {0x1d7ce}, {0x1d7f6}, {0x1e950}, {0x1fbf0}} {
		for n := range rune(10) {
			if got := string(appendClean(nil, string(tables[0]+n))); got != fmt.Sprint(n) {
				t.Errorf("%U is %q, want %d", tables[0]+n, got, n)
			}
		}
	}
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		got := string(appendClean(nil, string(r)))
		switch digit := unicode.Is(unicode.Nd, r); {
		case digit && (len(got) != 1 || class[got[0]] != isDigit):
			t.Fatalf("%U, a digit, is %q", r, got)
		case !digit && len(got) == 1 && class[got[0]] == isDigit:
			t.Fatalf("%U, no digit, is %q", r, got)
		case unicode.Is(unicode.Zs, r) && got != " ":
			t.Fatalf("%U, a space, is %q", r, got)
		}
	}
	for in, want := range map[string]string{
		"a\u00adb\u200bc\ufe0fd\u034fe\u115ff\u3164g\u2066h\U000e0020i\U000e0100j": "abcdefghij",
		"\u202ea\x00b\x7f\xffc\u0085": "abc", "épreuve 日本 \u0604": "épreuve 日本 \u0604", "\ufffd": "\ufffd",
	} {
		if got := string(appendClean(nil, in)); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
