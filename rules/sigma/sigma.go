// Package sigma turns rules of the Sigma specification 2.x, detections and correlations, into rules of
// liveward, and says of each exactly what could not be carried over.
//
// It never carries a rule as something wider than it is: what cannot be expressed may be left out where
// that makes a rule match less, which is said, and else the rule is refused. It reads no files.
package sigma

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// Options say what an imported rule gets that Sigma rules do not have.
type Options struct {
	Prefix   string // ids are this, a dot and the rule's title; "sigma" where empty
	Playbook string // page of every rule
	By       string // key of detections; client.ip where empty
	Live     bool   // else rules begin in shadow mode
}

// Note is something that was not carried over, at its place in the Sigma rule.
type Note struct {
	Line    int    `json:"line"`
	Message string `json:"message"`
}

// Result is what became of one Sigma rule.
type Result struct {
	Title string `json:"title"`
	Sigma string `json:"sigma,omitempty"` // its id
	// ID and Text are those of the rule it became; empty where it was refused.
	ID   string `json:"id,omitempty"`
	Text string `json:"-"`
	// Refused says why it became none, Left what was left out of it.
	Refused []Note `json:"refused,omitempty"`
	Left    []Note `json:"left,omitempty"`

	drafts []string // of Text, the best first
	logic  string   // what decides which events it is about
}

// maxNote bounds a note, in bytes.
const maxNote = 300

// document is a rule as it stands in a file.
type document struct {
	root  strict.Node
	rule  *detectionRule
	order int

	title, id, name, description, status, level, author, license string
	tags, falsePositives                                         []string

	notes   []Note // left out
	refused []Note
}

// Importer turns Sigma rules into rules for one rule directory.
type Importer struct {
	o    Options
	dir  fs.FS
	same map[string]string // ids of what was carried, by what it tests
}

// New makes an importer. dir is the rule directory the rules are for, with its playbooks.
func New(o Options, dir fs.FS) (*Importer, error) {
	o.Prefix = cmp.Or(o.Prefix, "sigma")
	o.By = cmp.Or(o.By, "client.ip")
	if _, ok := event.Lookup(o.By); !ok {
		return nil, fmt.Errorf("unknown field %q; see docs/fields.md", o.By)
	}
	return &Importer{o: o, dir: dir, same: make(map[string]string)}, nil
}

// Import reads a file of one or more Sigma rules. Every rule it returns loads, and passes its tests. The
// error is of the file: not YAML, or no rule in it.
func (im *Importer) Import(name string, src []byte) ([]Result, error) {
	docs, err := read(name, src)
	if err != nil {
		return nil, err
	}
	known := make(map[string]*document)
	for _, d := range docs {
		for _, key := range []string{d.id, d.name} {
			if key != "" {
				known[key] = d
			}
		}
	}
	parts := partsOf(docs)
	var out []Result
	for _, d := range docs {
		if d.rule != nil && !parts[d.id] && !parts[d.name] {
			r := d.carry(im.o, known)
			im.settle(&r)
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no Sigma rule in it: want detection or correlation", name)
	}
	return out, nil
}

// read splits a file into its documents and takes the parts that every rule has.
func read(name string, src []byte) ([]*document, error) {
	var docs []*document
	for i, part := range split(string(src)) {
		f := strict.Read(name, []byte(part))
		if err := f.Err(); err != nil {
			return nil, err
		}
		if !f.Root().IsMapping() {
			continue
		}
		d := &document{root: f.Root(), order: i}
		d.head()
		if err := f.Err(); err != nil {
			return nil, err
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// split cuts a file at its document marks. Each part keeps its lines' numbers.
func split(src string) []string {
	var parts []string
	var part strings.Builder
	line := 0
	for text := range strings.Lines(src) {
		line++
		if strings.TrimRight(text, " \r\n") == "---" {
			parts = append(parts, part.String())
			part.Reset()
			part.WriteString(strings.Repeat("\n", line))
			continue
		}
		part.WriteString(text)
	}
	return append(parts, part.String())
}

func (d *document) head() {
	for _, e := range d.root.Entries() {
		switch e.Key {
		case "title":
			d.title = e.Value.Text()
		case "id":
			d.id = e.Value.Text()
		case "name":
			d.name = e.Value.Text()
		case "description":
			d.description = e.Value.Text()
		case "status":
			d.status = e.Value.Text()
		case "level":
			d.level = e.Value.Text()
		case "author":
			d.author = e.Value.Text()
		case "license":
			d.license = e.Value.Text()
		case "tags":
			d.tags = e.Value.Texts()
		case "falsepositives":
			d.falsePositives = texts(e.Value)
		case "detection", "correlation", "filter", "logsource", "action":
			if d.rule == nil {
				d.rule = new(detectionRule)
			}
			d.rule.take(e)
		}
	}
	if d.rule != nil && d.rule.empty() {
		d.rule = nil
	}
}

// texts are the texts of a list in which anything else may stand as well.
func texts(n strict.Node) []string {
	var out []string
	for _, item := range n.Items() {
		if !item.IsMapping() && !item.IsList() && !item.IsNull() {
			out = append(out, item.Text())
		}
	}
	return out
}

func (d *document) refuse(at strict.Node, format string, args ...any) {
	d.refused = append(d.refused, note(at, format, args...))
}

func note(at strict.Node, format string, args ...any) Note {
	return Note{at.Line(), oneLine(fmt.Sprintf(format, args...), maxNote)}
}

// carry makes the rule, or says why not.
func (d *document) carry(o Options, known map[string]*document) Result {
	res := Result{Title: oneLine(d.title, maxNote), Sigma: oneLine(d.id, maxNote)}
	if d.title == "" {
		d.refuse(d.root, "it has no title")
	}
	if d.status == "deprecated" || d.status == "unsupported" {
		d.refuse(d.root, "its status is %s", d.status)
	}
	var w *writer
	if len(d.refused) == 0 {
		if d.rule.correlation.IsZero() {
			w = d.detection(o)
		} else {
			w = d.correlated(o, known)
		}
	}
	sortNotes(d.refused)
	sortNotes(d.notes)
	if len(d.refused) > 0 {
		res.Refused = d.refused
		return res
	}
	res.ID, res.Left, res.logic = o.ruleID(d.title), d.notes, w.logic()
	res.drafts = w.rule()
	return res
}

func sortNotes(notes []Note) {
	slices.SortStableFunc(notes, func(a, b Note) int { return cmp.Compare(a.Line, b.Line) })
}

// ruleID makes an id of a title: its words, joined by hyphens.
func (o Options) ruleID(title string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(title) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= maxSlug {
			break
		}
	}
	return o.Prefix + "." + cmp.Or(strings.Trim(b.String(), "-"), "rule")
}

// maxSlug bounds the part of an id that comes from a title.
const maxSlug = 80
