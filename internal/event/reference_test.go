package event_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

var update = flag.Bool("update", false, "write the reference anew")

const fieldsPage = "../../docs/fields.md"

// The field reference is the table.
func TestFieldsReference(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Field reference

Written from the code by ` + "`make docs`" + `; a test holds the two together. Names are ECS ` + event.ECSVersionValue + ` where ECS has one.
The same names are used in rules. Privacy says what happens to a value before anything is stored:

| class | what privacy does |
| --- | --- |
| plain | numbers, booleans, and words that liveward or its configuration chose |
| identifier | bounded, restricted characters; what looks like a secret is masked |
| free text | bounded; personal data and secrets in it are masked |
| path | segments that look like ids or personal data become placeholders |
| address | kept, or truncated to its network where configured |
| pseudonym | replaced by a keyed hash |
| transient | used before privacy, never stored, not usable in rules |

## Events

| field | type | ECS | privacy | meaning |
| --- | --- | --- | --- | --- |
`)
	for _, id := range event.Fields() {
		f := event.FieldOf(id)
		doc := f.Doc
		if len(f.Enum) > 0 {
			doc += " One of `" + strings.Join(f.Enum, "`, `") + "`."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Type, yes(f.ECS), f.Class, doc)
	}
	b.WriteString("| `labels.*` | keyword | yes | identifier | Whatever a format map puts there; at most 16. |\n")
	b.WriteString("\n## Alerts, beside these\n\n| field | type | ECS | meaning |\n| --- | --- | --- | --- |\n")
	for _, f := range event.AlertFields() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, yes(f.ECS), f.Doc)
	}
	if *update {
		if err := os.WriteFile(fieldsPage, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(fieldsPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("docs/fields.md is not what the code says; run make docs:\n%s", diff)
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
