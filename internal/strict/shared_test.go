package strict_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/strict"
)

// TestShared: values that anchors name, for files that may share them.
func TestShared(t *testing.T) {
	file := strict.ReadShared("r.yaml", []byte("given: &bad {ip: a, user: &u x}\nfirst: *bad\nlist: [*u, 'y', \"z\", *bad]\n"))
	if err := file.Err(); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	var collect func(path string, n strict.Node)
	collect = func(path string, n strict.Node) {
		switch {
		case n.IsMapping():
			for _, e := range n.Entries() {
				collect(path+"."+e.Key, e.Value)
			}
		case n.IsList():
			for i, item := range n.Items() {
				collect(fmt.Sprintf("%s[%d]", path, i), item)
			}
		default:
			got[path] = fmt.Sprintf("%s at %d:%d, %d", n.Text(), n.Line(), n.Column(), n.Style())
		}
	}
	collect("", file.Root())
	want := map[string]string{
		".given.ip": "a at 1:18, 0", ".given.user": "x at 1:30, 0",
		".first.ip": "a at 1:18, 0", ".first.user": "x at 1:30, 0",
		".list[0]": "x at 1:30, 0", ".list[1]": "y at 3:12, 1", ".list[2]": "z at 3:17, 2",
		".list[3].ip": "a at 1:18, 0", ".list[3].user": "x at 1:30, 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 8))
	}
	const noKey = "a key is not shared; write the key itself; an anchor stands behind it, before the value that is shared"
	for src, want := range map[string]string{
		"a: *b\nb: &b c\n":                   "r.yaml:1:4: alias *b without its anchor; an anchor &name stands before its aliases",
		"a: &a [*a]\n":                       "r.yaml:1:8: alias *a without its anchor; an anchor &name stands before its aliases",
		"a: &a {b: c}\nd: {<<: *a}\n":        "r.yaml:2:5: merge keys are not supported; write the keys out",
		"a: &x {k: 1}\nb:\n  ? <<\n  : *x\n": "r.yaml:3:3: merge keys are not supported; write the keys out",
		"{? << : v}":                         "r.yaml:1:2: merge keys are not supported; write the keys out",
		"a: &x n\n*x : v\n":                  "r.yaml:2:1: " + noKey,
		"a: &x n\n? *x\n: v\n":               "r.yaml:2:1: " + noKey,
		"a: {b: &x n, *x : v}":               "r.yaml:1:14: " + noKey,
		"? &a b\n: *a\n":                     "r.yaml:1:1: " + noKey,
		"a:\n- &x k: v\n":                    "r.yaml:2:3: " + noKey,
		laughs:                               "r.yaml:6:10: aliases bring in more than 50000 values; write fewer, or shorter ones",
	} {
		if err := strict.ReadShared("r.yaml", []byte(src)).Err(); err == nil || err.Error() != want {
			t.Errorf("%.40q: %v, want %s", src, err, want)
		}
	}
}

// What an alias brings counts as deep as it stands.
func TestSharedDepth(t *testing.T) {
	var chain strings.Builder
	chain.WriteString("a0: &a0 x\n")
	for i := range 40 {
		fmt.Fprintf(&chain, "a%d: &a%d [*a%d]\n", i+1, i+1, i)
	}
	deep := func(lists int) string {
		return "a: &a " + strings.Repeat("[", 15) + strings.Repeat("]", 15) + "\nb: " + strings.Repeat("[", lists) + "*a" + strings.Repeat("]", lists) + "\n"
	}
	for src, want := range map[string]string{
		deep(17):       "<nil>",
		deep(18):       "r.yaml:2:22: nested deeper than 32, with what alias *a stands for",
		chain.String(): "r.yaml:32:12: nested deeper than 32, with what alias *a30 stands for",
	} {
		file := strict.ReadShared("r.yaml", []byte(src))
		if got := fmt.Sprint(file.Problems().Err()); got != want {
			t.Errorf("%q: %s, want %s", src, got, want)
		}
		if n := height(file.Root()); n > 33 {
			t.Errorf("%q: %d deep", src, n)
		}
	}
}

func height(n strict.Node) int {
	most := 0
	if n.IsMapping() {
		for _, e := range n.Entries() {
			most = max(most, height(e.Value))
		}
	}
	if n.IsList() {
		for _, item := range n.Items() {
			most = max(most, height(item))
		}
	}
	return 1 + most
}

// What an alias brings is wrong where it is used, by the name that it has there.
func TestSharedInTheWrongPlace(t *testing.T) {
	file := strict.ReadShared("f", []byte("when: &x [a, {k: v}]\nshow: *x\nat: *x\nin: [*x]\nmap: &m {k: [v]}\nsame: *m\n"))
	for _, e := range file.Root().Entries() {
		switch e.Key {
		case "at":
			_ = e.Value.Text()
		case "in":
			_ = e.Value.Items()[0].Items()[1].Text()
		case "same":
			_ = e.Value.Texts()
			_ = e.Value.Entries()[0].Value.Text() // written where the anchor is
		default:
			_ = e.Value.Texts()
		}
	}
	want := `f:1:14: when: want a text, not a mapping
f:2:7: show: want a text, not a mapping
f:3:5: at: want a text, not a list
f:4:6: want a text, not a mapping
f:5:9: map: want a text, not a mapping
f:5:13: k: want a text, not a list
f:6:7: same: want a text, not a mapping`
	if got := fmt.Sprint(file.Err()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
