package rules

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// setting gives a field or label of a test event its value.
type setting struct {
	field event.ID
	label string
	alert string // field of an alert, in the tests of a chain
	clear bool
	text  string
	num   int64
	real  float64
	list  []string
}

// setting reads a value for a field. "{i}" in it is the number of the repetition, from 1.
func (d decoder) setting(key, value *node, i int64) (setting, bool) {
	if name, ok := strings.CutPrefix(key.text, "labels."); ok && name != "" {
		s := setting{label: name, clear: value.shape == shapeNull}
		if !s.clear && !d.scalar(value, key.text) {
			return s, false
		}
		s.text = numbered(value.text, i)
		return s, true
	}
	if f, ok := alertFields()[key.text]; ok && d.alerts {
		var texts []string
		for _, item := range d.list(value, key.text, 100) {
			if !d.scalar(item, key.text) {
				return setting{}, false
			}
			texts = append(texts, numbered(item.text, i))
		}
		s, err := alertSetting(key.text, f.kind, texts)
		if err != nil {
			d.errorf(value, "", "%s", err)
		}
		return s, err == nil
	}
	id, ok := d.field(key, "test")
	if !ok {
		return setting{}, false
	}
	if id == event.Timestamp {
		d.errorf(key, "the time of an event is its at", "@timestamp cannot be set")
		return setting{}, false
	}
	s := setting{field: id}
	if value.shape == shapeNull {
		s.clear = true
		return s, true
	}
	if event.FieldOf(id).Type == event.Keywords {
		for _, item := range d.list(value, key.text, 100) {
			if !d.scalar(item, key.text) {
				return s, false
			}
			for part := range strings.SplitSeq(numbered(item.text, i), ",") {
				if err := s.parse(part); err != nil {
					d.errorf(item, "", "%s", err)
					return s, false
				}
			}
		}
		return s, true
	}
	if !d.scalar(value, key.text) {
		return s, false
	}
	if err := s.parse(numbered(value.text, i)); err != nil {
		d.errorf(value, "", "%s", err)
		return s, false
	}
	return s, true
}

// alertSetting reads a field of an alert.
func alertSetting(name string, k kind, texts []string) (setting, error) {
	s := setting{alert: name, list: texts}
	if name == "threat.tactic.name" {
		return s, errors.New("threat.tactic.name follows from threat.technique.id")
	}
	if k == kindStrings {
		return s, nil
	}
	if len(texts) != 1 {
		return s, fmt.Errorf("%s has one value", name)
	}
	var err error
	switch s.text = texts[0]; {
	case name == "event.severity":
		word := event.Severity(s.text)
		if n, e := strconv.Atoi(s.text); e == nil {
			for _, x := range event.Severities() {
				if x.Number() == n {
					word = x
				}
			}
		}
		if s.num = int64(word.Number()); s.num == 0 {
			return s, fmt.Errorf("event.severity %q: want low, medium, high or critical", s.text)
		}
	case k == kindInt:
		s.num, err = strconv.ParseInt(s.text, 10, 64)
	case k == kindFloat:
		s.real, err = strconv.ParseFloat(s.text, 64)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %q is not a number", name, s.text)
	}
	return s, nil
}

func numbered(text string, i int64) string {
	return strings.ReplaceAll(text, "{i}", strconv.FormatInt(i, 10))
}

// parse reads text as the field's type.
func (s *setting) parse(text string) error {
	f := event.FieldOf(s.field)
	if f.Enum != nil && !slices.Contains(f.Enum, text) {
		if hint := strict.Suggest(text, f.Enum); hint != "" {
			return fmt.Errorf("%s is never %q; %s", f.Name, text, hint)
		}
		return fmt.Errorf("%s is never %q", f.Name, text)
	}
	var err error
	switch f.Type {
	case event.Keyword, event.Text:
		s.text = text
	case event.Keywords:
		s.list = append(s.list, text)
	case event.IP:
		ip, ok := event.CanonicalIP(text)
		if !ok {
			return fmt.Errorf("%s: %q is not an IP address", f.Name, text)
		}
		s.text = ip
	case event.Long:
		s.num, err = strconv.ParseInt(text, 10, 64)
	case event.Double:
		s.real, err = strconv.ParseFloat(text, 64)
	case event.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%s: want true or false, not %q", f.Name, text)
		}
		if text == "true" {
			s.num = 1
		}
	case event.Date:
		if offset, e := parseOffset(text); e == nil {
			s.num = testBase().Add(offset).UnixNano()
			return nil
		}
		var ok bool
		if s.num, ok = parseInstant(text); !ok {
			return fmt.Errorf("%s: want a time, or a duration from the base instant such as -100d", f.Name)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %q is not a number", f.Name, text)
	}
	return nil
}

// apply sets the value in an event.
func (s *setting) apply(e *event.Event) {
	switch {
	case s.label != "":
		if !s.clear {
			e.SetLabel(s.label, s.text)
		}
	case s.clear:
		e.Clear(s.field)
	default:
		switch event.FieldOf(s.field).Type {
		case event.Keyword, event.Text, event.IP:
			e.SetString(s.field, s.text)
		case event.Keywords:
			e.Clear(s.field)
			for _, v := range s.list {
				e.Append(s.field, v)
			}
		case event.Long:
			e.SetInt(s.field, s.num)
		case event.Double:
			e.SetFloat(s.field, s.real)
		case event.Bool:
			e.SetBool(s.field, s.num == 1)
		case event.Date:
			e.SetTime(s.field, s.num)
		}
	}
}
