package formats

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// definition is a map file, read and checked, before it is compiled.
type definition struct {
	name        string
	product     string
	description string
	extends     string
	at          Node // where the name stands
	extendsAt   Node
	fold        [][]step
	require     []pathRef
	weights     []weightDef
	fields      []fieldDef
	tests       []mapTest
	problems    *Problems
	builtin     bool
}

type pathRef struct {
	text  string
	steps []step
	at    Node
}

type weightDef struct {
	path   pathRef
	points int
}

// fieldDef is one entry of fields:.
type fieldDef struct {
	op   op // without slots
	from []pathRef
	plus *pathRef
	when []conditionDef
}

type conditionDef struct {
	path  pathRef
	words []string
}

// mapTest is one embedded test.
type mapTest struct {
	name string
	line string
	want []wantField
	err  string // the reason the line must be refused with
	at   Node
}

type wantField struct {
	name   string
	id     event.ID
	label  bool
	values []string // none: must be absent
	at     Node
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// readDefinition reads a map file. What is wrong with it is in the definition's problems.
func readDefinition(file string, src []byte) *definition {
	root, problems := ReadYAML(file, src)
	d := &definition{problems: problems}
	if problems.Any() {
		return d
	}
	var fields, labels, tests, detect Node
	for _, e := range root.Entries("format", "product", "description", "extends", "case_insensitive", "detect", "fields", "labels", "tests") {
		switch e.Key {
		case "format":
			d.name, d.at = e.Value.Text(), e.Value
			if d.name != "" && !nameForm.MatchString(d.name) {
				e.Value.Bad("use lower-case letters, digits and underscores", "%q cannot be the name of a format", d.name)
			}
		case "product":
			d.product = e.Value.Text()
		case "description":
			d.description = e.Value.Text()
		case "extends":
			d.extends, d.extendsAt = e.Value.Text(), e.Value
		case "case_insensitive":
			for _, item := range e.Value.Items() {
				if ref, ok := readPath(item); ok {
					d.fold = append(d.fold, ref.steps)
				}
			}
		case "detect":
			detect = e.Value
		case "fields":
			fields = e.Value
		case "labels":
			labels = e.Value
		case "tests":
			tests = e.Value
		}
	}
	if d.at.IsZero() {
		d.at = root
		root.Bad("begin with format: my_gateway", "the map has no name")
	}
	if d.product == "" && d.extends == "" {
		d.at.Bad("add product: and the name of what writes this log", "the map names no product")
	}
	for _, e := range detect.Entries("require", "keys") {
		if e.Key == "require" {
			for _, item := range e.Value.Items() {
				if ref, ok := readPath(item); ok {
					d.require = append(d.require, ref)
				}
			}
			continue
		}
		for _, k := range e.Value.Entries() {
			ref, ok := parseRef(k.Key, k.At)
			if n, number := parseInt(k.Value.Text()); !number || n < 1 || n > 10 {
				k.Value.Bad("", "a weight is a whole number from 1 to 10")
			} else if ok {
				d.weights = append(d.weights, weightDef{ref, int(n)})
			}
		}
	}
	if !fields.IsZero() && !fields.IsSequence() {
		fields.Bad("write each field as - {to: name, from: key}", "fields is a list")
	} else {
		for _, item := range fields.Items() {
			if f, ok := readField(item); ok {
				d.fields = append(d.fields, f)
			}
		}
	}
	for _, e := range labels.Entries() {
		if !nameForm.MatchString(e.Key) {
			e.At.Bad("use lower-case letters, digits and underscores", "%q cannot be the name of a label", e.Key)
			continue
		}
		f := fieldDef{op: op{label: e.Key, plus: -1, scale: 1}}
		for _, item := range e.Value.Items() {
			if ref, ok := readPath(item); ok {
				f.from = append(f.from, ref)
			}
		}
		d.fields = append(d.fields, f)
	}
	for _, item := range tests.Items() {
		d.tests = append(d.tests, readTest(item))
	}
	return d
}

func readPath(n Node) (pathRef, bool) { return parseRef(n.Text(), n) }

func parseRef(text string, at Node) (pathRef, bool) {
	if text == "" {
		return pathRef{}, false
	}
	steps, err := parsePath(text)
	if err != nil {
		at.Bad(`paths look like request.headers.host, tries[-1].code or a."key.with.dots"`, "path %q: %v", text, err)
		return pathRef{}, false
	}
	return pathRef{text, steps, at}, true
}

// readField reads one entry of fields:.
func readField(n Node) (fieldDef, bool) {
	f := fieldDef{op: op{plus: -1, scale: 1}}
	var to, from, as, unit, words, other, value Node
	for _, e := range n.Entries("to", "from", "as", "unit", "plus", "plus_unit", "map", "else", "value", "when") {
		switch e.Key {
		case "to":
			to = e.Value
		case "from":
			from = e.Value
			for _, item := range from.Items() {
				if ref, ok := readPath(item); ok {
					f.from = append(f.from, ref)
				}
			}
		case "as":
			as = e.Value
		case "unit":
			unit = e.Value
		case "plus":
			if ref, ok := readPath(e.Value); ok {
				f.plus = &ref
			}
		case "plus_unit":
			f.op.plusUnit = readUnit(e.Value)
		case "map":
			words = e.Value
		case "else":
			other = e.Value
		case "value":
			value = e.Value
		case "when":
			for _, w := range e.Value.Entries() {
				if ref, ok := parseRef(w.Key, w.At); ok {
					c := conditionDef{path: ref, words: w.Value.Texts()}
					if len(c.words) == 1 && c.words[0] == "*" {
						c.words = nil
					}
					f.when = append(f.when, c)
				}
			}
		}
	}
	if to.IsZero() {
		n.Bad("add to: and the ECS name", "the entry names no field")
		return f, false
	}
	id, ok := target(to)
	if !ok {
		return f, false
	}
	f.op.to = id
	if from.IsZero() == value.IsZero() {
		n.Bad("", "%s needs either from: or value:", id)
		return f, false
	}
	field := event.FieldOf(id)
	if !value.IsZero() {
		f.op.constant = value.Text()
		checkWord(value, field, f.op.constant)
	}
	if !words.IsZero() {
		f.op.words = readWords(words, other, field)
	} else if !other.IsZero() {
		other.Bad("", "else: needs a map:")
	}
	if !readConversion(&f, field, as, unit, to) {
		return f, false
	}
	if f.plus != nil && (f.op.as != asTime || f.op.plusUnit == 0) {
		n.Bad("write plus: latencies.request and plus_unit: ms", "plus: adds a duration of known unit to a time")
	}
	return f, true
}

// target finds the field an entry fills.
func target(to Node) (event.ID, bool) {
	name := to.Text()
	id, ok := event.Lookup(name)
	if !ok {
		if name != "" {
			to.Bad(Suggest(name, writableNames()), "unknown field %q", name)
		}
		return 0, false
	}
	if hint, no := reserved(id); no {
		to.Bad(hint, "%s is not filled by a map", name)
		return 0, false
	}
	return id, true
}

// reserved tells which fields other stages fill, and what to write instead.
func reserved(id event.ID) (hint string, no bool) {
	switch id {
	case event.ClientIP, event.ClientAllowListed, event.ClientASNumber, event.ClientASOrg, event.ClientGeoCity,
		event.ClientGeoCountry, event.ClientGeoRegion, event.NetworkForwardedIP, event.RelatedIP:
		return "the peer goes to source.ip, the X-Forwarded-For chain to http.request.forwarded", true
	case event.LivenessMargin, event.LivenessViolation:
		return "the vendor map computes it from liveness.decision_raw and liveness.score_raw", true
	case event.EventOutcome, event.EventCategory, event.EventType, event.EventKind, event.EventModule:
		return "it follows from the status", true
	case event.APIKeyCreated, event.APIKeyOwner, event.APIKeyScope:
		return "it comes from the key roster", true
	case event.UserAgentClass, event.HTTPRequestCrossOrigin, event.RelatedUser:
		return "it is derived", true
	case event.GatewayProduct, event.ObserverProduct, event.EventProvider:
		return "it is the map's product: or name", true
	case event.AgentID, event.AgentVersion, event.ECSVersion, event.EventCreated, event.EventDataset, event.EventID,
		event.LivewardLate, event.LivewardMappingGap, event.LivewardOffset, event.LivewardPrivacyCount,
		event.LivewardPrivacyDropped, event.LivewardSkewed, event.LivewardSource, event.LogFilePath, event.Message,
		event.NetworkProtocol, event.ObserverType, event.Tags:
		return "the agent sets it", true
	}
	return "", false
}

func writableNames() []string {
	var names []string
	for _, id := range event.Fields() {
		if _, no := reserved(id); !no {
			names = append(names, id.String())
		}
	}
	return names
}

// readWords reads map: and else:.
func readWords(n, other Node, field *event.Field) *wordMap {
	m := &wordMap{exact: map[string]string{}}
	for _, e := range n.Entries() {
		word := ""
		if !e.Value.IsNull() {
			word = e.Value.Text()
			checkWord(e.Value, field, word)
		}
		key := strings.ToLower(e.Key)
		if len(key) > 64 {
			e.At.Bad("", "a word of the log has 64 characters at most")
		}
		if head, ok := strings.CutSuffix(key, "*"); ok {
			m.prefixes = append(m.prefixes, [2]string{head, word})
		} else {
			m.exact[key] = word
		}
	}
	if !other.IsZero() && !other.IsNull() {
		m.other = other.Text()
		checkWord(other, field, m.other)
	}
	return m
}

// checkWord checks a word that a map gives to a field.
func checkWord(at Node, field *event.Field, word string) {
	if field.Enum == nil || indexOf(field.Enum, word) >= 0 || word == "" {
		return
	}
	at.Bad(Suggest(word, field.Enum), "%q is not a value of %s", word, field.Name)
}

func readUnit(n Node) int64 {
	switch u := n.Text(); u {
	case "s":
		return 1e9
	case "ms":
		return 1e6
	case "us":
		return 1e3
	case "ns":
		return 1
	case "":
	default:
		n.Bad("units are s, ms, us and ns", "unknown unit %q", u)
	}
	return 0
}

// readConversion decides how the field is filled: by what the field is, unless the map says otherwise.
func readConversion(f *fieldDef, field *event.Field, as, unit, to Node) bool {
	o := &f.op
	if !unit.IsZero() {
		o.unit = readUnit(unit)
	}
	o.as = naturalConversion(o.to, field)
	if o.to == event.EventDuration {
		o.as = asDuration
		if unit.IsZero() && o.constant == "" {
			to.Bad("add unit: s, ms, us or ns", "event.duration needs the unit of the log")
		}
	} else if o.to == event.LivenessLatencyMS {
		if o.unit != 0 {
			o.scale = float64(o.unit) / 1e6
		}
	} else if o.unit != 0 {
		unit.Bad("", "only event.duration and liveness.latency_ms have a unit")
	}
	if o.words != nil || o.constant != "" {
		if o.as == asTime || o.as == asAddress || o.as == asURI {
			to.Bad("", "%s takes no map: and no value:", field.Name)
		}
		if field.Type == event.Keyword || field.Type == event.Keywords {
			if o.as != asTLS {
				o.as = asText
			}
		}
	} else if field.Class == event.Plain && o.as == asText {
		// Words of the log may not pass where nothing looks at them later.
		to.Bad("list the words of the log with map:, or give one with value:", "%s takes no free text from a log", field.Name)
	}
	if as.IsZero() {
		return true
	}
	word := as.Text()
	if o.as == asTime {
		switch word {
		case "time":
		case "epoch_s":
			o.epoch = epochS
		case "epoch_ms":
			o.epoch = epochMS
		case "epoch_us":
			o.epoch = epochUS
		case "epoch_ns":
			o.epoch = epochNS
		default:
			as.Bad("a time is one of time, epoch_s, epoch_ms, epoch_us, epoch_ns", "%s cannot be read as %q", field.Name, word)
		}
		return true
	}
	text := o.as == asText && (field.Type == event.Keyword || field.Type == event.Keywords || field.Type == event.Text)
	switch {
	case word == "lower" && text:
		o.as = asLower
	case word == "upper" && text:
		o.as = asUpper
	case word == "attempts" && field.Type == event.Long:
		o.as = asAttempts
	default:
		as.Bad("as: is lower or upper for words, attempts for retry lists, epoch_s … epoch_ns for times", "%s cannot be read as %q", field.Name, word)
	}
	return true
}

// naturalConversion is how a field is filled if the map says nothing about it.
func naturalConversion(id event.ID, field *event.Field) conversion {
	switch id {
	case event.URLPath:
		return asURI
	case event.URLDomain, event.TLSClientServerName:
		return asHost
	case event.TLSVersion:
		return asTLS
	case event.HTTPVersion:
		return asHTTPVersion
	case event.HTTPRequestMethod:
		return asMethod
	case event.HTTPRequestMimeType:
		return asMediaType
	case event.GatewayUpstreamStatus:
		return asAttempts
	case event.TraceID:
		return asTrace
	}
	switch field.Type {
	case event.IP:
		return asAddress
	case event.Date:
		return asTime
	case event.Long:
		return asInt
	case event.Double:
		return asFloat
	case event.Bool:
		return asBool
	}
	if field.Enum != nil {
		return asEnum
	}
	return asText
}

// fills are the fields an operation can set: its own, and those its conversion sets beside it.
func (o *op) fills() []event.ID {
	if o.label != "" {
		return nil
	}
	ids := []event.ID{o.to}
	switch o.as {
	case asURI:
		ids = append(ids, event.URLQuery, event.URLDomain, event.URLScheme)
	case asTLS:
		ids = append(ids, event.TLSVersionProtocol, event.TLSEstablished)
	case asAddress:
		if o.to == event.SourceIP {
			ids = append(ids, event.SourcePort)
		}
	case asAttempts:
		ids = append(ids, event.GatewayFlags)
	}
	return ids
}

// compile makes the program of a definition and of those it extends.
func (d *definition) compile(base *definition) *program {
	fields, require, weights, fold, product := d.fields, d.require, d.weights, d.fold, d.product
	if base != nil {
		fields = append(append([]fieldDef(nil), d.fields...), base.fields...)
		fold = append(append([][]step(nil), base.fold...), d.fold...)
		if len(require) == 0 && len(weights) == 0 {
			require, weights = base.require, base.weights
		}
		if product == "" {
			product = base.product
		}
	}
	t := newTree()
	for _, steps := range fold {
		t.at(steps).fold = true
	}
	want := func(ref pathRef) *treeNode {
		n := t.at(ref.steps)
		n.wanted = true
		return n
	}
	type nodes struct {
		from []*treeNode
		when []*treeNode
		plus *treeNode
	}
	at := make([]nodes, len(fields))
	for i, f := range fields {
		for _, ref := range f.from {
			at[i].from = append(at[i].from, want(ref))
		}
		for _, c := range f.when {
			at[i].when = append(at[i].when, want(c.path))
		}
		if f.plus != nil {
			at[i].plus = want(*f.plus)
		}
	}
	var requireAt, weightAt []*treeNode
	for _, ref := range require {
		requireAt = append(requireAt, want(ref))
	}
	for _, w := range weights {
		weightAt = append(weightAt, want(w.path))
	}
	p := &program{name: d.name, product: product}
	p.root, p.slots = t.compile()
	words := (len(fields) + 63) / 64
	p.always = make([]uint64, words)
	p.reads = make([][]uint64, p.slots)
	for i := range p.reads {
		p.reads[i] = make([]uint64, words)
	}
	for i, f := range fields {
		o := f.op
		triggers := at[i].from
		for _, n := range at[i].from {
			o.from = append(o.from, n.id)
		}
		for j, n := range at[i].when {
			o.when = append(o.when, condition{n.id, f.when[j].words})
		}
		if at[i].plus != nil {
			o.plus = at[i].plus.id
		}
		if len(triggers) == 0 {
			triggers = at[i].when
		}
		if len(triggers) == 0 {
			p.always[i/64] |= 1 << (i % 64)
		}
		for _, n := range triggers {
			p.reads[n.id][i/64] |= 1 << (i % 64)
		}
		p.ops = append(p.ops, o)
	}
	for _, n := range requireAt {
		p.require = append(p.require, n.id)
	}
	for i, n := range weightAt {
		p.weights = append(p.weights, weight{n.id, weights[i].points})
	}
	return p
}

// provides are the fields a program can fill.
func (p *program) provides() []event.ID {
	ids := commonFields()
	for i := range p.ops {
		ids = append(ids, p.ops[i].fills()...)
	}
	return ids
}

func commonFields() []event.ID {
	return []event.ID{event.Timestamp, event.EventProvider, event.GatewayProduct, event.ObserverProduct,
		event.LivewardPrivacyDropped, event.LivewardPrivacyCount}
}

// readTest reads one entry of tests:.
func readTest(n Node) mapTest {
	t := mapTest{at: n}
	for _, e := range n.Entries("name", "line", "want", "error") {
		switch e.Key {
		case "name":
			t.name = e.Value.Text()
		case "line":
			t.line = strings.TrimRight(e.Value.Text(), "\n")
		case "want":
			readWant(e.Value, "", &t.want)
		case "error":
			t.err = e.Value.Text()
		}
	}
	if t.line == "" || (len(t.want) == 0) == (t.err == "") {
		n.Bad("", "a test has a line: and either want: or error:")
	}
	if t.name == "" {
		t.name = fmt.Sprintf("line %d", lineOf(n))
	}
	return t
}

func lineOf(n Node) int { l, _ := n.position(); return l }

// readWant reads expected fields, dotted or nested.
func readWant(n Node, prefix string, out *[]wantField) {
	for _, e := range n.Entries() {
		name := prefix + e.Key
		if e.Value.IsMapping() {
			readWant(e.Value, name+".", out)
			continue
		}
		w := wantField{name: name, at: e.At}
		if !e.Value.IsNull() {
			w.values = e.Value.Texts()
		}
		if label, ok := strings.CutPrefix(name, "labels."); ok {
			w.name, w.label = label, true
		} else if id, ok := event.Lookup(name); ok {
			w.id = id
		} else {
			e.At.Bad(Suggest(name, fieldNames()), "unknown field %q", name)
			continue
		}
		*out = append(*out, w)
	}
}

func fieldNames() []string {
	var names []string
	for _, id := range event.Fields() {
		names = append(names, id.String())
	}
	return names
}
