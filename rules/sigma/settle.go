package sigma

import (
	"io/fs"
	"path"
	"strings"

	"github.com/liveward/liveward/rules"
)

// settle takes the first draft that loads in the rule directory, of which it sees all but other rules, and
// passes its tests. Where none of those fires on a made-up event, the rule says so. What does not load, or
// tests what another rule does, is refused.
func (im *Importer) settle(r *Result) {
	if len(r.drafts) == 0 {
		return
	}
	if other, ok := im.same[r.logic]; ok {
		r.refuse("it tests the same as " + other)
		return
	}
	var failed error
	for i, text := range r.drafts {
		if _, err := rules.Try(noRules{im.dir}, r.ID, text); err != nil {
			failed = err
			continue
		}
		if i >= len(silentTests) {
			r.Left = append(r.Left, Note{1, "no event could be made up in which it fires: write that test"})
		}
		r.Text, im.same[r.logic] = text, r.ID
		return
	}
	first, _, _ := strings.Cut(failed.Error(), "\n")
	r.refuse("what it became does not load: " + oneLine(first, maxNote))
}

func (r *Result) refuse(why string) {
	r.Refused = append(r.Refused, Note{1, why})
	r.ID, r.Text, r.Left = "", "", nil
}

// noRules is a rule directory without its rules: only what a rule can refer to.
type noRules struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (d noRules) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(d.FS, name)
	if name != "." || err != nil {
		return all, err
	}
	var out []fs.DirEntry
	for _, e := range all {
		if e.IsDir() || path.Ext(e.Name()) != ".yaml" || strings.HasPrefix(e.Name(), "_") {
			out = append(out, e)
		}
	}
	return out, nil
}
