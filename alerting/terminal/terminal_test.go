package terminal_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/alertingtest"
	"github.com/liveward/liveward/alerting/terminal"
	"github.com/liveward/liveward/internal/event"
)

var update = flag.Bool("update", false, "write the golden files")

func TestContract(t *testing.T) {
	alertingtest.Contract(t, func(*testing.T) alerting.Notifier {
		return terminal.New(&bytes.Buffer{}, false, 80)
	})
}

func TestGolden(t *testing.T) {
	for _, n := range alertingtest.Notifications() {
		if strings.HasPrefix(n.Name, "long") || n.Name == "wide" {
			continue // held by TestWidth and TestNoControlCharacters
		}
		for _, color := range []bool{false, true} {
			if color && n.Name != "opened" {
				continue
			}
			name := strings.ReplaceAll(n.Name, " ", "-")
			if color {
				name += "-color"
			}
			t.Run(name, func(t *testing.T) {
				var b bytes.Buffer
				note := n.Notification
				if note.Reason == alerting.Updated || note.Reason == alerting.Resolved {
					note.Receipt = alerting.Receipt{"shown": "1"}
				}
				if _, err := terminal.New(&b, color, 80).Notify(t.Context(), note); err != nil {
					t.Fatal(err)
				}
				golden(t, name, b.Bytes())
			})
		}
	}
	t.Run("digest", func(t *testing.T) {
		var b bytes.Buffer
		var d alerting.Digest
		for i := range 14 {
			d.Incidents = append(d.Incidents, alertingtest.Notification(alerting.Opened,
				alertingtest.Alert("r.x", "203.0.113.7", i, event.Medium)).Incident)
		}
		if _, err := terminal.New(&b, false, 80).Digest(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		golden(t, "digest", b.Bytes())
	})
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s:\n%s", name, diff)
	}
}

// ours are the sequences that the notifier itself writes.
var ours = regexp.MustCompile("\x1b\\[[0-9;]*m|\x1b\\]8;;https://[!-~]*\x1b\\\\|\x1b\\]8;;\x1b\\\\")

func TestNoControlCharacters(t *testing.T) {
	for _, n := range alertingtest.Notifications() {
		for _, color := range []bool{false, true} {
			var b bytes.Buffer
			if _, err := terminal.New(&b, color, 80).Notify(t.Context(), n.Notification); err != nil {
				t.Fatal(err)
			}
			rest := b.String()
			if color {
				rest = ours.ReplaceAllString(rest, "")
			}
			for _, r := range rest {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Errorf("%s, color %v: writes %U", n.Name, color, r)
				}
			}
		}
	}
}

func TestWidth(t *testing.T) {
	for _, width := range []int{40, 80, 120} {
		for _, n := range alertingtest.Notifications() {
			var b bytes.Buffer
			if _, err := terminal.New(&b, false, width).Notify(t.Context(), n.Notification); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if strings.Contains(line, "https://") {
					continue // addresses are not broken
				}
				columns := 0
				for _, r := range line {
					columns++
					if strings.ContainsRune("顔😀", r) {
						columns++
					}
				}
				if columns > width {
					t.Errorf("%s at %d: a line takes %d columns: %q", n.Name, width, columns, line)
				}
			}
		}
	}
}

func TestLinks(t *testing.T) {
	note := alertingtest.Notification(alerting.Opened, alertingtest.Alert("r.x", "203.0.113.7", 0, event.High))
	for _, color := range []bool{false, true} {
		var b bytes.Buffer
		if _, err := terminal.New(&b, color, 0).Notify(t.Context(), note); err != nil {
			t.Fatal(err)
		}
		for _, link := range []string{note.Links.Discover, note.Links.Playbook} {
			if !strings.Contains(b.String(), link) {
				t.Errorf("color %v: %s is not there in one piece", color, link)
			}
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestWriteError(t *testing.T) {
	note := alertingtest.Notification(alerting.Opened, alertingtest.Alert("r.x", "203.0.113.7", 0, event.High))
	if _, err := terminal.New(broken{}, false, 80).Notify(t.Context(), note); err == nil {
		t.Error("no error")
	}
}
