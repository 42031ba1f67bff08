package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The committed schema is the one the code writes.
func TestSchemaIsCommitted(t *testing.T) {
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	const path = "../rules.d/schema.json"
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("rules.d/schema.json is not what liveward rules schema prints: write it again with go test ./rules -run SchemaIsCommitted -update")
	}
}

// Every key that the loader knows is in the schema, and no other.
func TestSchemaHasTheKeys(t *testing.T) {
	properties := ruleSchema()["properties"].(object)
	for _, key := range ruleKeys() {
		if _, ok := properties[key]; !ok {
			t.Errorf("key %s is not in the schema", key)
		}
	}
	for key := range properties {
		if !slices.Contains(ruleKeys(), key) {
			t.Errorf("the schema has %s, which no rule has", key)
		}
	}
}

// The schema takes every rule of the pack and every draft, and refuses what the loader refuses for its
// form.
func TestSchemaAndLoaderAgree(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	v := validator{root}
	good := map[string]string{}
	for _, dir := range []fs.FS{os.DirFS("../rules.d"), os.DirFS("testdata/good")} {
		names, err := fs.Glob(dir, "*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if name == macroFile {
				continue
			}
			data, err := fs.ReadFile(dir, name)
			if err != nil {
				t.Fatal(err)
			}
			good[name] = string(data)
		}
	}
	for _, kind := range Kinds() {
		text, err := Draft{ID: "lw.own.draft", Kind: Kind(kind), Playbook: "a/b"}.Text()
		if err != nil {
			t.Fatal(err)
		}
		good["draft of "+kind] = text
	}
	for name, text := range good {
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		if wrong := v.check(root, plain(doc), name); wrong != "" {
			t.Error(wrong)
		}
	}
	base := good["draft of threshold"]
	for _, edit := range [][2]string{
		{"threshold: 25", "treshold: 25"},
		{"threshold: 25", "threshold: lots"},
		{"severity: medium", "severity: bad"},
		{"window: 15m", "window: 15 minutes"},
		{"by: [client.ip]", "by: [client.ipp]"},
		{"threshold: 25", "threshold: 25\ndistinct: {of: user.id, at_least: 3}"},
		{"version: 1", ""},
		{"mode: shadow", "mode: off"},
		{"playbook: a/b", "playbook: a"},
		{"suppress: {for: 1h, escalate_at: 500}", "suppress: {for: 1h, when: 3}"},
	} {
		text := strings.Replace(base, edit[0], edit[1], 1)
		if text == base {
			t.Fatalf("%q is not there", edit[0])
		}
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		if v.check(root, plain(doc), "") == "" {
			t.Errorf("the schema takes %q", edit[1])
		}
	}
}

// plain brings a YAML document into the types of encoding/json.
func plain(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	if json.Unmarshal(data, &out) != nil {
		return nil
	}
	return out
}

// validator checks the part of JSON Schema that the rule schema uses.
type validator struct{ root map[string]any }

func (v validator) check(schema, doc any, at string) string {
	s := schema.(map[string]any)
	if r, ok := s["$ref"].(string); ok {
		return v.check(v.root["$defs"].(map[string]any)[strings.TrimPrefix(r, "#/$defs/")], doc, at)
	}
	if t, ok := s["type"].(string); ok && !isType(t, doc) {
		return fmt.Sprintf("%s: %v is not of type %s", at, doc, t)
	}
	if words, ok := s["enum"].([]any); ok && !slices.Contains(words, doc) {
		return fmt.Sprintf("%s: %v is none of the words", at, doc)
	}
	if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(doc.(string)) {
		return fmt.Sprintf("%s: %v does not match %s", at, doc, p)
	}
	if low, ok := s["minimum"].(float64); ok && doc.(float64) < low {
		return fmt.Sprintf("%s: %v is below %v", at, doc, low)
	}
	if m, ok := doc.(map[string]any); ok {
		if wrong := v.object(s, m, at); wrong != "" {
			return wrong
		}
	}
	if list, ok := doc.([]any); ok && s["items"] != nil {
		for i, item := range list {
			if wrong := v.check(s["items"], item, fmt.Sprintf("%s[%d]", at, i)); wrong != "" {
				return wrong
			}
		}
	}
	for key, want := range map[string]func(int) bool{"anyOf": func(n int) bool { return n > 0 }, "oneOf": func(n int) bool { return n == 1 }} {
		if all, ok := s[key].([]any); ok {
			n, last := 0, ""
			for _, x := range all {
				if wrong := v.check(x, doc, at); wrong == "" {
					n++
				} else {
					last = wrong
				}
			}
			if !want(n) {
				return fmt.Sprintf("%s: %d of %s hold; %s", at, n, key, last)
			}
		}
	}
	if x, ok := s["not"]; ok && v.check(x, doc, at) == "" {
		return at + ": holds what it must not"
	}
	return ""
}

func (v validator) object(s, doc map[string]any, at string) string {
	properties, _ := s["properties"].(map[string]any)
	patterns, _ := s["patternProperties"].(map[string]any)
	for key, value := range doc {
		if p, ok := properties[key]; ok {
			if wrong := v.check(p, value, at+"."+key); wrong != "" {
				return wrong
			}
			continue
		}
		known := false
		for p := range patterns {
			known = known || regexp.MustCompile(p).MatchString(key)
		}
		if s["additionalProperties"] == false && !known {
			return at + ": unknown key " + key
		}
	}
	required, _ := s["required"].([]any)
	for _, key := range required {
		if _, ok := doc[key.(string)]; !ok {
			return fmt.Sprintf("%s: no %v", at, key)
		}
	}
	return ""
}

func isType(want string, doc any) bool {
	switch x := doc.(type) {
	case string:
		return want == "string"
	case float64:
		return want == "number" || want == "integer" && x == float64(int64(x))
	case bool:
		return want == "boolean"
	case nil:
		return want == "null"
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	}
	return false
}
