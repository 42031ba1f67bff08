package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/liveward/liveward/rules"
	pack "github.com/liveward/liveward/rules.d"
)

// A site's directory changes and adds to what is shipped, and is no worse a file system than others.
func TestLayered(t *testing.T) {
	site := fstest.MapFS{
		"overlays/lw.auth.burst-per-ip.yaml": {Data: []byte("base: 2\nmode: shadow\n")},
		"lists/own.yaml":                     {Data: []byte("entries: [a]\n")},
	}
	l := layered{upper: site, lower: pack.FS}
	if err := fstest.TestFS(l, "overlays/lw.auth.burst-per-ip.yaml", "lists/own.yaml", "lw.auth.burst-per-ip.yaml"); err != nil {
		t.Error(err)
	}
	opts := rules.Options{}
	set, err := rules.Load(l, opts)
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := rules.Load(pack.FS, opts)
	if err != nil {
		t.Fatal(err)
	}
	r := set.Rule("lw.auth.burst-per-ip")
	if len(set.Rules()) != len(shipped.Rules()) || r.Mode != rules.Shadow || !r.Overlaid() || shipped.Rule(r.ID).Mode != rules.Live {
		t.Errorf("%d rules of %d, %s in mode %s", len(set.Rules()), len(shipped.Rules()), r.ID, r.Mode)
	}
	if before, after := fingerprint(pack.FS), fingerprint(l); before == after {
		t.Error("a change of the site's directory goes unseen")
	}
	if _, err := fs.ReadDir(l, "nothing"); err == nil {
		t.Error("a directory that neither has is read")
	}
}

// A directory of one's own has the pages of the pack beside its own, which take their place, and no rule of it.
func TestShippedPages(t *testing.T) {
	const page, other = "playbooks/auth/bad-credentials-burst.md", "playbooks/own/page.md"
	own := fstest.MapFS{page: {Data: []byte("mine")}, other: {Data: []byte("mine, too")}}
	l := layered{upper: own, lower: shippedPages{pack.FS}}
	if err := fstest.TestFS(l, page, other, "playbooks/replay/media-reuse.md"); err != nil {
		t.Error(err)
	}
	if text, err := fs.ReadFile(l, page); err != nil || string(text) != "mine" {
		t.Errorf("%s: %q, %v", page, text, err)
	}
	for _, name := range []string{"lw.auth.burst-per-ip.yaml", "lists"} {
		if _, err := fs.Stat(l, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of the pack: %v", name, err)
		}
	}
}

// A directory that cannot be used is told of once, with what is wrong with it.
func TestNoDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		file:                         "this is not a directory",
		filepath.Join(dir, "absent"): "there is no such directory",
	} {
		_, problems := LoadRules(RuleDirs{Dir: name}, rules.Options{})
		problems = append(problems, LintPlaybooks(RuleDirs{Dir: name})...)
		if len(problems) != 1 || problems[0].Message != want {
			t.Errorf("%s: %v, want %q", name, problems, want)
		}
	}
	forbidden := (&noDirectory{key: "dir", dir: dir, cause: &fs.PathError{Op: "open", Path: dir, Err: fs.ErrPermission}}).problem()
	if forbidden != "permission denied" {
		t.Errorf("forbidden: %q", forbidden)
	}
}

// A page is the user's where it is in a directory of theirs and is not the pack's word for word.
func TestOwnPage(t *testing.T) {
	const page = "auth/bad-credentials-burst"
	shipped, err := fs.ReadFile(pack.FS, "playbooks/"+page+".md")
	if err != nil {
		t.Fatal(err)
	}
	dir := func(text string) string {
		root := t.TempDir()
		if text != "" {
			replaceFile(t, filepath.Join(root, "playbooks", page+".md"), text)
		}
		return root
	}
	none, copied, changed := dir(""), dir(string(shipped)), dir("# our own\n")
	for _, c := range []struct {
		dirs RuleDirs
		want bool
	}{
		{RuleDirs{}, false},
		{RuleDirs{Dir: none}, false},
		{RuleDirs{Dir: copied}, false},
		{RuleDirs{Dir: changed}, true},
		{RuleDirs{Overlay: changed}, true},
		{RuleDirs{Overlay: copied, Dir: changed}, false}, // what lies on top is read
		{RuleDirs{Overlay: none, Dir: changed}, true},
	} {
		if got := c.dirs.ownPage(page); got != c.want {
			t.Errorf("%+v: own is %v, want %v", c.dirs, got, c.want)
		}
	}
}
