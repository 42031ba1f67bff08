package formats

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// forgetful returns a scanner that learns nothing.
func forgetful(slots int) scanner {
	s := newScanner(slots)
	s.seen.room, s.seen.quota = 0, -1<<40
	return s
}

// compareLearned scans lines in turn with scanners that learn, one of which has hardly any room, and
// holds each outcome against encoding/json and against a scanner that learns nothing.
func compareLearned(t *testing.T, lines ...[]byte) {
	t.Helper()
	root, ids, slots := testTree(t)
	roomy, narrow := newScanner(slots), newScanner(slots)
	narrow.seen.room = 3
	for _, line := range lines {
		plain := forgetful(slots)
		want := plain.scan(line, root)
		if plain.seen.hand != 0 {
			t.Fatal("a scanner that should learn nothing has learned")
		}
		for _, s := range []*scanner{&roomy, &narrow} {
			got := s.scan(line, root)
			if !errors.Is(got, want) {
				t.Fatalf("line %q after %q: learned %v, plain %v", line, lines, got, want)
			}
			if got != nil {
				continue
			}
			if got, want := outcome(s, slots), outcome(&plain, slots); got != want {
				t.Fatalf("line %q after %q:\nlearned %s\nplain   %s", line, lines, got, want)
			}
		}
		compareScanner(t, roomy, root, ids, line)
		compareScanner(t, narrow, root, ids, line)
	}
}

var learnSeeds = []string{
	`{"a":1,"b":2,"n":3}`, `{"a":1"b":2}`, `{,"a":1}`, `{"a":1{"b":2}`, `{"a":{"b":1,"c":2}}`, `{"a":{"b":1},"c":2}`, `{"b":{"b":1}}`, `{"a":"x","b":"y"}`,
	`{"a":"x","b":7}`, `{"a":"x","b":"y","b":"z"}`, `{"b":"y","a":"x"}`, `{ "a" : "x" , "b" : "y" }`, `{ "a" :  "x" , "b" :"y"}`, `{"a":"x" ,"b":"y"}`,
	`{"z":"v","password":"p","t":true}`, `{"list":[{"x":1,"password":"p"},{"x":"s","password":"q"}]}`, `{"list":[[1,{"password":"p"}],{"x":{"password":"p"}}]}`,
	`{"request":{"uri":"/","headers":{"host":"h","cookie":"c"}},"n":null}`, `{"request":{"headers":{"host":"h"},"uri":"/"},"n":null}`, `{"request":null,"n":"1"}`,
	`{"k":{},"a":{"b":{"c":"1"}},"list":[]}`, `{"k":{"k":{"k":"v"}}}`, `{"k":{"k":"v"}}`, `{"\u0061":"x","b":"y"}`, `{"a":"\"","b":"\\"}`, "{\"a\":\"\xff\",\"b\":\"\xc3\xa9\"}",
	`{"z":"` + strings.Repeat("QUJD", 600) + `","a":1}`, `{"` + strings.Repeat("k", 70) + `":"v","a":1,"b":"2"}`, `{"a":1,"b":2} `, `{"a":1,"b":2}}`, `{"a":1,"b":2`, `{"a":1,"b":`, `{"a":1,"b`,
	`{"1":1,"2":2,"3":3,"4":4,"5":5,"6":6}`, `{"` + strings.Repeat("l", 8) + `":1,"` + strings.Repeat("l", 16) + `":1,"` + strings.Repeat("l", 30) + `":1}`,
	`{"` + strings.Repeat("l", 8) + `":1,"` + strings.Repeat("l", 16) + `":1,"` + strings.Repeat("l", 15) + "m" + strings.Repeat("l", 14) + `":1}`,
}

// padded is a line that goes on long enough for the comparison of words.
func padded(line string) string {
	return strings.Replace(line, "{", `{"pad":"`+strings.Repeat("p", maxLiteral+8)+`",`, 1)
}

func TestLearned(t *testing.T) {
	for i, a := range learnSeeds {
		for j, b := range learnSeeds {
			compareLearned(t, []byte(a), []byte(b), []byte(a))
			if (i+j)%3 > 0 {
				continue
			}
			tail := `,"tail":"` + strings.Repeat("t", maxLiteral+8) + `"}`
			compareLearned(t, []byte(strings.TrimSuffix(a, "}")+tail), []byte(strings.TrimSuffix(b, "}")+tail), []byte(padded(a)))
		}
	}
}

// TestLearnedMutations changes each byte of a line that was learned to each that means something.
func TestLearnedMutations(t *testing.T) {
	line := []byte(`{"a":"x","list":[{"x":1,"token":"t"}, 2],"request":{"headers":{"host":"h"},"uri":"/u"},"upstream_response_time":"0.1","n":-1.5e3,"t":true}`)
	for i := range line {
		for _, c := range []byte("\"\\{}[],: \x1f0-eax\xff") {
			changed := bytes.Clone(line)
			changed[i] = c
			compareLearned(t, line, changed)
		}
		compareLearned(t, line, slices.Delete(bytes.Clone(line), i, i+1), line)
		compareLearned(t, line, slices.Insert(bytes.Clone(line), i, line[i]), line)
	}
}

// lineMaker makes lines whose keys are few and alike, and spoils some of them.
type lineMaker struct {
	*rand.Rand
	keys []string
}

func newLineMaker(seed uint64) lineMaker {
	r := lineMaker{Rand: rand.New(rand.NewPCG(seed, 1))}
	for range 2 + r.IntN(8) {
		long := strings.Repeat("l", 4+r.IntN(10)*4)
		at := r.IntN(len(long))
		r.keys = append(r.keys, r.of("a", "b", "n", "t", "list", "request", "headers", "host", "x", "token", "cookie", `\u0061`, "é",
			"llllllllmlllllll", "llllllllnlllllll", "llllllllllllllllllmlllllllllllll", "llllllllllllllllllnlllllllllllll",
			long, long[:at]+"m"+long[at+1:], long[:at]+"n"+long[at+1:], long[:at]+"m"+long[at+1:], strings.Repeat("k", 60)))
	}
	return r
}

func (r lineMaker) of(words ...string) string { return words[r.IntN(len(words))] }

func (r lineMaker) space() string { return r.of("", "", "", "", "", " ", "\t ") }

func (r lineMaker) object(depth int) string {
	var b strings.Builder
	b.WriteString("{" + r.space())
	for i := range r.IntN(5) {
		if i > 0 {
			b.WriteString("," + r.space())
		}
		key := r.of(r.keys...)
		b.WriteString(`"` + key + `"` + r.space() + ":" + r.space() + r.value(depth) + r.space())
	}
	b.WriteString("}")
	return b.String()
}

func (r lineMaker) value(depth int) string {
	if depth == 0 || r.IntN(3) > 0 {
		return r.of(`""`, `"x"`, `"-"`, `"a longer text, more than eight bytes"`, `"\""`, `"\\"`, `"é"`, "\"\xff\"", "1", "-0.5", "true", "null")
	}
	if r.IntN(3) > 0 {
		return r.object(depth - 1)
	}
	var items []string
	for range r.IntN(4) {
		items = append(items, r.value(depth-1))
	}
	return "[" + strings.Join(items, r.space()+",") + "]"
}

func (r lineMaker) line() []byte {
	line := r.object(3)
	if r.IntN(2) == 0 {
		line = strings.TrimSuffix(line, "}") + "}" + strings.Repeat(" ", maxLiteral+8)
	}
	switch r.IntN(6) {
	case 0: // a comma too few
		if n := strings.Count(line, ","); n > 0 {
			return []byte(strings.ReplaceAll(strings.Replace(strings.Replace(line, ",", "\x00", r.IntN(n)), ",", "", 1), "\x00", ","))
		}
	case 1: // or too many
		n := strings.Count(line, "{")
		return []byte(strings.ReplaceAll(strings.Replace(strings.Replace(line, "{", "\x00", r.IntN(n)), "{", "{,", 1), "\x00", "{"))
	case 2:
		b, at := []byte(line), r.IntN(len(line))
		return slices.Insert(b, at, "\"\\{}[],: 0x"[r.IntN(11)])
	}
	return []byte(line)
}

// TestLearnedRandom lets scanners of all sizes learn from, and be led astray by, lines that are nearly
// the same.
func TestLearnedRandom(t *testing.T) {
	root, _, slots := testTree(t)
	accepted, total := 0, 0
	for seed := range uint64(500) {
		r := newLineMaker(seed)
		s, plain := newScanner(slots), forgetful(slots)
		s.seen.room = uint8([]int{1, 2, 3, 5, 8, 30, 255}[seed%7])
		for range 60 {
			line := r.line()
			got, want := s.scan(line, root), plain.scan(line, root)
			total++
			if !errors.Is(got, want) {
				t.Fatalf("seed %d, line %q: learned %v, plain %v", seed, line, got, want)
			}
			if got != nil {
				continue
			}
			accepted++
			if got, want := outcome(&s, slots), outcome(&plain, slots); got != want {
				t.Fatalf("seed %d, line %q:\nlearned %s\nplain   %s", seed, line, got, want)
			}
		}
	}
	if accepted < total/3 || accepted > total*9/10 {
		t.Errorf("%d of %d lines accepted: too few of one kind", accepted, total)
	}
}

// outcome is all that a scan has left behind.
func outcome(s *scanner, slots int) string {
	var all []slot
	for i := range slots {
		all = append(all, s.get(i))
	}
	return fmt.Sprintf("%+v %+v %v", s.marks, s.found, all)
}

// FuzzLearned: what a scanner has learned from a line changes nothing in what it makes of another.
func FuzzLearned(f *testing.F) {
	for i, a := range learnSeeds {
		f.Add([]byte(a), []byte(learnSeeds[(i+1)%len(learnSeeds)]))
		f.Add([]byte(padded(a)), []byte(padded(a)))
	}
	for _, line := range goldenLines(f) {
		f.Add(line, line)
	}
	f.Fuzz(func(t *testing.T, a, b []byte) { compareLearned(t, a, b, a) })
}

func TestMembersAreLearnedOnce(t *testing.T) {
	f := newFormat(t, "nginx_json").(*mapFormat)
	lines := generated(t, "nginx_json", 200)
	for i, line := range lines {
		if err := f.scan.scan(line, f.prog.root); err != nil {
			t.Fatal(err)
		}
		if i == 20 {
			f.scan.seen.quota = 0
		}
	}
	if n := f.scan.seen.hand; n == 0 || n > 60 {
		t.Errorf("%d members were learned of lines with 49 keys", n)
	}
	if f.scan.seen.quota != maxMembers {
		t.Errorf("lines like those before were learned from: quota %d", f.scan.seen.quota)
	}
}

// TestLearningIsBounded: keys that are never the same cost a few lessons a line, and what was known
// is not forgotten for long.
func TestLearningIsBounded(t *testing.T) {
	root, _, slots := testTree(t)
	s := newScanner(slots)
	key := 0
	for range 2000 {
		var b strings.Builder
		b.WriteString(`{"a":1`)
		for range 100 {
			key++
			b.WriteString(`,"` + strings.Repeat("j", key%50) + string(rune('a'+key%26)) + string(rune('a'+key/26%26)) + string(rune('a'+key/676%26)) + `":1`)
		}
		b.WriteString(`}`)
		before := s.seen.quota
		if err := s.scan([]byte(b.String()), root); err != nil {
			t.Fatal(err)
		}
		if used := min(before+perLine, maxMembers) - s.seen.quota; before == 0 && used > perLine {
			t.Fatalf("%d lessons of one line", used)
		}
	}
	if s.seen.quota != 0 {
		t.Errorf("quota %d", s.seen.quota)
	}
}
