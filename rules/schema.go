package rules

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// object is a JSON object of the schema. Its keys are written in order.
type object = map[string]any

// Schema is the JSON Schema (2020-12) of a rule's file, for editors: completion of keys and fields, and
// a first check while typing. What it cannot say, such as the types in a condition, lint says.
func Schema() ([]byte, error) {
	text, err := json.MarshalIndent(ruleSchema(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return append(text, '\n'), nil
}

func described(doc string, o object) object {
	o["description"] = doc
	return o
}

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

func enum(words ...string) object { return object{"type": "string", "enum": words} }

func whole(low, high int64) object { return object{"type": "integer", "minimum": low, "maximum": high} }

func closed(properties object, required ...string) object {
	o := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func listOf(item object, least, most int) object {
	return object{"type": "array", "items": item, "minItems": least, "maxItems": most}
}

func oneOrList(item object, most int) object {
	return object{"anyOf": []any{item, listOf(item, 0, most)}}
}

func matching(pattern string) object { return object{"type": "string", "pattern": pattern} }

func ruleSchema() object {
	f := newForms()
	var fields, values []string
	for _, id := range event.Fields() {
		if event.FieldOf(id).Class == event.Transient {
			continue
		}
		fields = append(fields, id.String())
		if event.FieldOf(id).Type != event.Keywords {
			values = append(values, id.String())
		}
	}
	properties := ruleProperties(f)
	properties["tests"] = described("Events and the alerts they raise; at least one in which the rule fires and one in which it does not.", listOf(ref("test"), 1, maxTests))
	kinds := make([]any, 0, len(kindKeys()))
	for i, a := range kindKeys() {
		for _, b := range kindKeys()[i+1:] {
			kinds = append(kinds, object{"required": []string{string(a), string(b)}})
		}
	}
	return object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "liveward rule",
		"description": "One rule a file, called by its id. See docs/rules.md.",
		"type":        "object", "additionalProperties": false,
		"properties": properties,
		"required":   []string{"id", "version", "title", "description", "severity", "playbook", "tests"},
		"anyOf":      []any{object{"required": []string{"when"}}, object{"required": []string{"sequence"}}},
		"not":        object{"anyOf": kinds},
		"$defs": object{
			"field":      object{"type": "string", "enum": fields},
			"value":      object{"type": "string", "enum": values},
			"values":     oneOrList(ref("value"), maxBy),
			"duration":   described("A duration such as 30s, 5m, 1h30m or 30d.", matching(`^(\d+(\.\d+)?(ms|s|m|h|d))+$`)),
			"offset":     described("A time from the base instant, 2026-01-01T00:00:00Z; may be negative.", matching(`^-?(\d+(\.\d+)?(ms|s|m|h|d))+$`)),
			"condition":  described("A condition over the fields of the field reference, in expr.", object{"type": "string", "minLength": 1, "maxLength": maxExprBytes}),
			"list":       described("The name of a list, lists.<name>.", matching(`^lists\.[a-z][a-z0-9_]*$`)),
			"step":       stepSchema(),
			"exception":  exceptionSchema(),
			"test":       testSchema(),
			"expected":   expectedSchema(values),
			"settings":   object{"type": "object"},
			"test_event": testEventSchema(),
		},
	}
}

func ruleProperties(f *forms) object {
	return object{
		"id":          described("Stable for ever; the file is called by it.", matching(f.id.String())),
		"version":     described("Goes up with every change of what the rule finds.", whole(1, 1_000_000)),
		"title":       described("The alert's title, one line; {field}, {count}, {window} and such are filled in.", object{"type": "string", "minLength": 1, "maxLength": 200}),
		"description": described("What the rule finds and why it matters.", object{"type": "string", "minLength": 1, "maxLength": maxTextBytes}),
		"severity":    described("Decides whom an alert reaches.", enum(severityWords()...)),
		"risk":        described("The risk a firing adds to an entity.", closed(object{"score": object{"type": "number", "minimum": 0, "maximum": 100}, "entity": ref("value")}, "score", "entity")),
		"tags": described("References to the field's catalogues.", closed(object{
			"attack": oneOrList(matching(f.attack.String()), 20), "atlas": oneOrList(matching(f.atlas.String()), 20),
			"owasp": oneOrList(matching(f.owasp.String()), 20), "reg": oneOrList(matching(f.reg.String()), 20), "concern": matching(f.concern.String()),
		})),
		"mode":       described("shadow: alerts are stored and never notified.", enum(string(Live), string(Shadow))),
		"when":       described("Which events, or for a chain which alerts, the rule is about.", ref("condition")),
		"except":     described("What is known and harmless: each with an end, an owner and a reason.", listOf(ref("exception"), 0, maxExcept)),
		"needs":      described("Fields without which the rule is blind; by default those its condition demands.", listOf(ref("field"), 0, 20)),
		"by":         described("The key: events with the same values are counted together.", ref("values")),
		"by_missing": described("group: events without a value of by are counted under a key of their own; skip, as by default, leaves them out.", enum("skip", "group")),
		"emit":       described("eager: fire on arrival, without waiting for the order of events; for threshold, distinct and plain sequences.", enum("ordered", "eager")),
		"once":       described("Events with the same values of these count once in the window.", ref("values")),
		"window":     described("How far back an event looks: (t-window, t].", ref("duration")),
		"threshold":  described("Fires at so many matching events of one key in the window.", whole(1, maxCount)),
		"distinct": described("Fires at so many different values in the window.",
			closed(object{"of": ref("values"), "at_least": whole(2, maxCount)}, "of", "at_least")),
		"spike":      described("Fires where a window is far from what is normal for the key.", spikeSchema()),
		"first_seen": described("Fires on values that a key has not had before.", closed(object{"of": ref("values"), "history": ref("duration"), "learn": ref("duration"), "again": ref("duration")}, "of")),
		"sequence":   described("Fires where steps follow one another within the window.", listOf(ref("step"), 2, maxSteps)),
		"absence":    described("Fires where a key is silent.", closed(object{"for": ref("duration"), "expect": ref("list"), "unless": ref("list")}, "for")),
		"chain": described("A rule on the alerts of other rules.", closed(object{
			"as": enum(string(ChainRisk), string(ChainCount), string(ChainDistinct)), "of": enum(chainValues()...),
			"at_least": object{"type": "number", "minimum": 1, "maximum": 1_000_000}, "half_life": ref("duration"),
		}, "as", "at_least")),
		"suppress": described("For how long one key has no further alert; the window by default.", object{"anyOf": []any{
			ref("duration"), closed(object{"for": ref("duration"), "escalate_at": whole(1, 1_000_000_000), "until": enum("recovered")}),
		}}),
		"budget":   described("How many alerts the rule may have on a day on which nobody attacks; backtests and the pack's own test hold it to it.", whole(0, maxCount)),
		"show":     described("Fields that alerts show beside the key.", listOf(ref("value"), 0, event.MaxShow)),
		"playbook": described("The page for whoever is called: <area>/<name>.", matching(f.playbook.String())),
	}
}

func spikeSchema() object {
	return closed(object{
		"of":        described("Which of the matching events are hits.", ref("condition")),
		"as":        enum(string(SpikeRatio), string(SpikeCount)),
		"factor":    object{"type": "number", "minimum": 1, "maximum": 1000},
		"min_hits":  whole(1, 1_000_000),
		"min_total": whole(1, 1_000_000),
		"min_share": object{"type": "number", "minimum": 0, "maximum": 1},
		"baseline":  ref("duration"), "season": ref("duration"), "warmup": ref("duration"),
		"tz":    described("Zone in which days are counted, such as Europe/Berlin.", object{"type": "string"}),
		"floor": object{"type": "number", "exclusiveMinimum": 0},
		"drop":  object{"type": "boolean"},
	}, "baseline")
}

func stepSchema() object {
	o := closed(object{
		"name": object{"type": "string", "minLength": 1, "maxLength": 60}, "when": ref("condition"),
		"not":      described("What must not come: the last step alone.", ref("condition")),
		"at_least": whole(1, maxCount), "until": described("What resets the step.", ref("condition")),
	}, "name")
	o["oneOf"] = []any{object{"required": []string{"when"}}, object{"required": []string{"not"}}}
	return o
}

func exceptionSchema() object {
	return closed(object{
		"when": ref("condition"), "until": described("First instant at which it has no effect, in UTC.", matching(`^\d{4}-\d{2}-\d{2}`)),
		"owner": object{"type": "string", "minLength": 1}, "why": object{"type": "string", "minLength": 1},
	}, "when", "until", "owner", "why")
}

func testSchema() object {
	o := closed(object{
		"name": object{"type": "string", "maxLength": 200}, "given": described("What all events of the test have.", object{"anyOf": []any{ref("settings"), object{"type": "null"}}}),
		"events": listOf(ref("test_event"), 0, maxMoves), "alerts": listOf(ref("expected"), 0, maxMoves),
		"table":    described("t, fields and alert as columns; a row is an event.", object{"type": "string"}),
		"lists":    described("Entries of lists; without it they are empty.", object{"type": "object"}),
		"vendors":  described("What the events of a vendor carry beside.", object{"type": "object"}),
		"baseline": described("What is normal, for a spike.", closed(object{"total": whole(0, 1_000_000_000), "hits": whole(0, 1_000_000_000)}, "hits")),
	})
	o["oneOf"] = []any{object{"required": []string{"table"}}, object{"required": []string{"events", "alerts"}}}
	return o
}

func testEventSchema() object {
	return closed(object{
		"at": ref("offset"), "from": ref("offset"), "repeat": whole(1, maxRepeat), "every": ref("duration"),
		"set": ref("settings"), "clock": ref("offset"),
	})
}

func expectedSchema(values []string) object {
	properties := object{"steps": listOf(whole(0, maxCount), 1, maxSteps)}
	for _, name := range slices.Concat(alertProperties(), values) {
		if _, ok := properties[name]; !ok {
			properties[name] = object{}
		}
	}
	properties["at"] = ref("offset")
	properties["recovered"], properties["updated"] = object{"type": "boolean"}, object{"type": "boolean"}
	o := closed(properties, "at")
	o["patternProperties"] = object{`^steps\[\d+\]\.count$`: object{}}
	return o
}
