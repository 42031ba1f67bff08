package agent_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/pipeline"
)

func zip(t *testing.T, text string) string {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// TestReplayReadsEachLineOnce: a file and its archive, whichever is not complete yet, and a file of two names
// are read once; what is no copy is read.
func TestReplayReadsEachLineOnce(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		b.WriteString(callLine(i))
	}
	text := b.String()
	archive := zip(t, text)
	half := text[:len(text)/2]
	p, err := agent.LoadOffline(agent.Offline{Format: "liveward_v1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		files  map[string]string // an arrow is a link
		lines  int64
		copies []pipeline.Copy
		fails  string
	}{
		"kept beside its archive":     {map[string]string{"a.log.1": text, "a.log.1.gz": archive, "a.log": callLine(1)}, 3001, []pipeline.Copy{{Path: "a.log.1.gz", Of: "a.log.1"}}, ""},
		"being compressed":            {map[string]string{"a.log.1": text, "a.log.1.gz": archive[:len(archive)/2]}, 3000, []pipeline.Copy{{Path: "a.log.1.gz", Of: "a.log.1"}}, ""},
		"only begun to be compressed": {map[string]string{"a.log.1": text, "a.log.1.gz": ""}, 3000, []pipeline.Copy{{Path: "a.log.1.gz", Of: "a.log.1"}}, ""},
		"being unpacked":              {map[string]string{"a.log.1": half, "a.log.1.gz": archive}, 3000, []pipeline.Copy{{Path: "a.log.1", Of: "a.log.1.gz"}}, ""},
		"grown since":                 {map[string]string{"a.log": text + callLine(7), "a.log.gz": archive}, 3001, []pipeline.Copy{{Path: "a.log.gz", Of: "a.log"}}, ""},
		"of another day":              {map[string]string{"a.log": callLine(7), "a.log.gz": archive}, 3001, nil, ""},
		"of another day, and broken":  {map[string]string{"a.log": callLine(7), "a.log.gz": archive[:len(archive)/2]}, 0, nil, "unexpected EOF"},
		"no archive":                  {map[string]string{"a.log": callLine(7), "a.log.gz": text}, 0, nil, "a.log.gz: gzip: invalid header"},
		"a link":                      {map[string]string{"a.log": text, "0.log": "→a.log"}, 3000, []pipeline.Copy{{Path: "0.log", Of: "a.log"}}, ""},
		"a link and its archive": {map[string]string{"a.log-20260301": text, "a.log-20260301.gz": archive, "a.log": "→a.log-20260301"}, 3000, []pipeline.Copy{
			{Path: "a.log", Of: "a.log-20260301"}, {Path: "a.log-20260301.gz", Of: "a.log-20260301"},
		}, ""},
	} {
		dir := folder(t.TempDir())
		var paths []string
		for file, content := range tc.files {
			path := filepath.Join(string(dir), file)
			if target, ok := strings.CutPrefix(content, "→"); ok {
				if err := os.Symlink(target, path); err != nil {
					t.Fatal(err)
				}
			} else {
				dir.write(t, file, content)
			}
			paths = append(paths, path, path, string(dir)+"/./"+file)
		}
		for range 2 {
			slices.Reverse(paths)
			res, err := p.Replay(agent.ReplayOptions{}).Run(t.Context(), paths)
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("%s: %v, want %s", name, err, tc.fails)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i := range res.Copies {
				res.Copies[i].Path, res.Copies[i].Of = filepath.Base(res.Copies[i].Path), filepath.Base(res.Copies[i].Of)
			}
			if diff := cmp.Diff(tc.copies, res.Copies); res.Lines != tc.lines || diff != "" {
				t.Errorf("%s: %d lines, want %d; copies (-want +got):\n%s", name, res.Lines, tc.lines, diff)
			}
		}
	}
}
