package agent_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/agent"
)

var update = flag.Bool("update", false, "write the reference anew")

const configurationPage = "../../docs/configuration.md"

// The configuration reference is what the struct says: each key with its type, default and meaning.
func TestConfigurationReference(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Configuration reference

Written from the code by ` + "`make docs`" + `; a test holds the two together. One YAML file, read by
` + "`liveward run -c FILE`" + ` and checked by ` + "`liveward check -c FILE`" + `. Unknown keys, wrong types and missing secrets
are errors, all reported at once with their place.

Durations carry a unit (` + "`30s`, `5m`, `7d`" + `), sizes too (` + "`512KiB`, `64MiB`, `8GiB`" + `). A secret is never written
here: its place is, as ` + "`${env:NAME}`, `${file:/path}` (mode 0600) or `${cred:name}`" + ` (a systemd credential).
`)
	defaults := agent.Default()
	defaults.Agent.CPUs = 0 // depends on the host
	root := reflect.ValueOf(defaults)
	for i := range root.NumField() {
		f := root.Type().Field(i)
		name := f.Tag.Get("yaml")
		value := root.Field(i)
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", name, f.Tag.Get("doc"))
		if value.Kind() == reflect.Slice {
			table(t, &b, name+"[]", reflect.ValueOf(agent.InputDefaults()))
			continue
		}
		table(t, &b, name, value)
	}
	if *update {
		if err := os.WriteFile(configurationPage, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(configurationPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("docs/configuration.md is not what the code says; run make docs:\n%s", diff)
	}
}

func table(t *testing.T, b *strings.Builder, prefix string, v reflect.Value) {
	t.Helper()
	b.WriteString("\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n")
	var nested []func()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, doc := f.Tag.Get("yaml"), f.Tag.Get("doc")
		if key == "" || !strings.HasSuffix(doc, ".") {
			t.Errorf("%s.%s has no key, or no sentence that explains it", prefix, f.Name)
		}
		fmt.Fprintf(b, "| `%s.%s` | %s | %s | %s |\n", prefix, key, typeName(f.Type), defaultText(v.Field(i)), doc)
		if f.Type.Kind() == reflect.Pointer {
			nested = append(nested, func() { table(t, b, prefix+"."+key, v.Field(i).Elem()) })
		}
		if f.Type.Kind() == reflect.Struct && typeName(f.Type) == "mapping" {
			nested = append(nested, func() { table(t, b, prefix+"."+key, v.Field(i)) })
		}
		if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct && typeName(f.Type.Elem()) == "mapping" {
			nested = append(nested, func() { table(t, b, prefix+"."+key+"[]", reflect.New(f.Type.Elem()).Elem()) })
		}
	}
	for _, f := range nested {
		f()
	}
}

func typeName(t reflect.Type) string {
	switch t.Name() {
	case "Duration":
		return "duration"
	case "Size":
		return "size"
	case "SecretRef":
		return "secret"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Struct, reflect.Pointer:
		return "mapping"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	}
	return t.Kind().String()
}

func defaultText(v reflect.Value) string {
	if v.IsZero() || v.Kind() == reflect.Struct || v.Kind() == reflect.Pointer {
		return ""
	}
	return fmt.Sprintf("`%v`", v.Interface())
}
