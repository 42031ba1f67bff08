package elasticsearch

import (
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// Profile says which field types the server knows.
type Profile string

// The profiles.
const (
	Full    Profile = "full"    // every type of ECS: any ordinary Elasticsearch
	Minimal Profile = "minimal" // the core's own types only: a server without the mapper modules
)

// substitute is the type that stands for one the minimal profile does not have. It is the only
// difference between the profiles.
func (p Profile) substitute(esType string) string {
	if p != Minimal {
		return esType
	}
	switch esType {
	case "wildcard", "constant_keyword":
		return "keyword"
	case "match_only_text":
		return "text"
	}
	return esType
}

// ignoreAbove bounds what of a string is indexed; longer ones stay in the document all the same.
const ignoreAbove = 1024

// Mappings returns the mappings of all classes, made from the table of fields. What is not in the
// table stays in the document and is not indexed, so that no log can blow up the mapping; labels are
// the one open part.
func Mappings(p Profile) map[string]any {
	root := map[string]any{}
	for _, id := range event.Fields() {
		f := event.FieldOf(id)
		if f.Class != event.Transient {
			put(root, f.Name, leaf(p, typeOf(f)))
		}
	}
	for _, f := range event.AlertFields() {
		put(root, f.Name, leaf(p, f.Type))
	}
	for _, name := range []string{"data_stream.type", "data_stream.dataset", "data_stream.namespace"} {
		put(root, name, map[string]any{"type": p.substitute("constant_keyword")})
	}
	// Names of labels may hold dots; without subobjects a label a never clashes with a label a.b.
	root["labels"] = map[string]any{"type": "object", "dynamic": true, "subobjects": false}
	return map[string]any{
		"dynamic":        false,
		"date_detection": false,
		"dynamic_templates": []any{map[string]any{"labels": map[string]any{
			"path_match": "labels.*",
			"mapping":    map[string]any{"type": "keyword", "ignore_above": ignoreAbove},
		}}},
		"properties": root,
	}
}

// typeOf is the Elasticsearch type of a field: ECS's where ECS has the field.
func typeOf(f *event.Field) string {
	switch f.Type {
	case event.Keyword:
		if f.Name == "url.path" {
			return "wildcard"
		}
		return "keyword"
	case event.Keywords:
		if f.Class == event.Address {
			return "ip"
		}
		return "keyword"
	case event.Text:
		return "match_only_text"
	default: // IP, Date, Long, Double and Bool are named as Elasticsearch names them
		return f.Type.String()
	}
}

func leaf(p Profile, esType string) map[string]any {
	m := map[string]any{"type": p.substitute(esType)}
	switch esType {
	case "keyword", "wildcard", "flattened":
		m["ignore_above"] = ignoreAbove
	}
	return m
}

// put places a field at its dotted name.
func put(properties map[string]any, name string, field map[string]any) {
	head, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		properties[head] = field
		return
	}
	object, ok := properties[head].(map[string]any)
	if !ok {
		object = map[string]any{"properties": map[string]any{}}
		properties[head] = object
	}
	put(object["properties"].(map[string]any), rest, field)
}
