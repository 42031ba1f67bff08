package agent

import (
	"io/fs"
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
