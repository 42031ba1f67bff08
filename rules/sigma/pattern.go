package sigma

import (
	"regexp/syntax"
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// test is a test of one field with one value.
type test struct {
	name     string // of the field in the Sigma rule
	field    target
	kind     testKind
	text     string // in lower case, unless cased
	compare  string // of testCompare
	cased    bool
	narrower bool // the field holds more in Sigma than here: the test can miss
}

type testKind uint8

const (
	testEquals testKind = iota
	testContains
	testPrefix
	testSuffix
	testPattern // RE2
	testHas
	testMissing
	testNumber
	testCompare
	testHundred // a status from its digit on
	testNet
	testBool
	testElement // of a list
)

// piece is a part of a value: a literal, or one of Sigma's wildcards.
type piece struct {
	text string
	wild byte // '*', '?' or 0
}

// pieces takes a value apart. A backslash before a wildcard or a backslash makes it a letter.
func pieces(s string) []piece {
	var out []piece
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			out = append(out, piece{text: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '*' || s[i+1] == '?' || s[i+1] == '\\'):
			i++
			lit.WriteByte(s[i])
		case c == '*' || c == '?':
			flush()
			if n := len(out); c == '*' && n > 0 && out[n-1].wild == '*' {
				continue
			}
			out = append(out, piece{wild: c})
		default:
			lit.WriteByte(c)
		}
	}
	flush()
	return out
}

// textual is a test of a text.
func textual(name string, tg target, m modifiers, text string, v strict.Node, leaf func(testKind, string) *tree) *tree {
	t := textTest(name, m, text, v, leaf)
	if t.op != opTest {
		return t
	}
	switch {
	case tg.extension:
		if t.test.kind != testEquals {
			return cannot(v, "%s: only whole extensions can be expressed", name)
		}
		t.test.kind, t.test.text = testSuffix, "."+t.test.text
	case tg.path:
		t.test.narrower = name != "cs-uri-stem" && name != "c-uri-stem" && name != event.URLPath.String()
		signs := "?=&"
		if t.test.kind == testPattern {
			signs = "=&" // and an escaped question mark
		}
		if strings.ContainsAny(t.test.text, signs) || strings.Contains(t.test.text, `\?`) {
			return cannot(v, "%s: %s", name, queryGone)
		}
	}
	return t
}

func textTest(name string, m modifiers, text string, v strict.Node, leaf func(testKind, string) *tree) *tree {
	switch m.shape {
	case "", "contains", "startswith", "endswith":
	case "re":
		return regular(name, m, text, v, leaf)
	default:
		return cannot(v, "%s: %s of a text cannot be expressed", name, m.shape)
	}
	ps := pieces(text)
	star := piece{wild: '*'}
	if m.shape == "contains" || m.shape == "endswith" {
		if ps[0] != star {
			ps = append([]piece{star}, ps...)
		}
	}
	if m.shape == "contains" || m.shape == "startswith" {
		if ps[len(ps)-1] != star {
			ps = append(ps, star)
		}
	}
	fold := strings.ToLower
	if m.cased {
		fold = func(s string) string { return s }
	}
	lit := func(i int) bool { return ps[i].wild == 0 }
	switch n := len(ps); {
	case n == 1 && lit(0):
		return leaf(testEquals, fold(ps[0].text))
	case n == 1 && ps[0] == star:
		return leaf(testHas, "")
	case n == 2 && lit(0) && ps[1] == star:
		return leaf(testPrefix, fold(ps[0].text))
	case n == 2 && ps[0] == star && lit(1):
		return leaf(testSuffix, fold(ps[1].text))
	case n == 3 && ps[0] == star && lit(1) && ps[2] == star:
		return leaf(testContains, fold(ps[1].text))
	}
	return leaf(testPattern, glob(ps, fold))
}

// glob is a value with wildcards as a regular expression.
func glob(ps []piece, fold func(string) string) string {
	var b strings.Builder
	for i, p := range ps {
		switch {
		case p.wild == '*' && i == 0, p.wild == '*' && i == len(ps)-1:
			continue
		case i == 0:
			b.WriteByte('^')
		}
		switch p.wild {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		default:
			b.WriteString(quoteMeta(fold(p.text)))
		}
	}
	if ps[len(ps)-1].wild != '*' {
		b.WriteByte('$')
	}
	return b.String()
}

// regular is a regular expression, which Sigma matches with case.
func regular(name string, m modifiers, text string, v strict.Node, leaf func(testKind, string) *tree) *tree {
	if m.flags != "" {
		text = "(?" + m.flags + ")" + text
	}
	if _, err := syntax.Parse(text, syntax.Perl); err != nil {
		return cannot(v, "%s: the pattern is not of RE2, which has no look-around and no back references", name)
	}
	t := leaf(testPattern, text)
	t.test.cased = true
	return t
}
