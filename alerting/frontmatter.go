package alerting

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

var (
	ruleID   = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)+$`)
	attackID = regexp.MustCompile(`^(AML\.)?TA?[0-9]{4}(\.[0-9]{3})?$`)
	csfID    = regexp.MustCompile(`^(GV|ID|PR|DE|RS|RC)\.[A-Z]{2}(-[0-9]{2})?$`)
)

// frontMatter reads the YAML between the first line of the page and the next line ---.
func (p *page) frontMatter(text string) {
	file := strict.Read(p.file, []byte("\n"+text)) // so that places are those of the page
	defer func() { p.problems = append(p.problems, file.Problems()...) }()
	if !file.Parsed() {
		return
	}
	root := file.Root()
	if !root.IsMapping() {
		p.problem(2, 1, "front matter must be one mapping with title, version, owner and rules")
		return
	}
	missing := []string{"title", "version", "owner", "rules"}
	for _, e := range root.Entries("title", "version", "owner", "rules", "attack", "csf", "tell") {
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == e.Key })
		switch e.Key {
		case "title":
			p.Title = phrase(e, 150)
		case "owner":
			p.Owner = phrase(e, 100)
		case "version":
			p.Version = int(e.Value.Int(1, 1_000_000))
		case "rules":
			p.Rules = words(e, ruleID, "a rule id such as lw.auth.burst-per-ip")
			if e.Value.IsList() && len(e.Value.Items()) == 0 {
				e.At.Bad("list the rules that the page serves", "rules: the list is empty")
			}
		case "attack":
			p.Attack = words(e, attackID, "a technique such as T1110.003 or AML.T0015")
		case "csf":
			p.CSF = words(e, csfID, "a CSF 2.0 id such as DE.AE or RS.MA-01")
		case "tell":
			p.tell(e)
		}
	}
	for _, name := range missing {
		p.problem(2, 1, "front matter lacks %q", name)
	}
}

// phrase reads a text on one line.
func phrase(e strict.Entry, limit int) string {
	s := e.Value.Text()
	switch {
	case e.Value.IsBlank():
		e.Value.Bad("", "%s is empty", e.Key)
	case len(s) > limit:
		e.Value.Bad("", "%s is longer than %d bytes", e.Key, limit)
	}
	return strings.Join(strings.Fields(s), " ")
}

// words reads a list of words of one form.
func words(e strict.Entry, form *regexp.Regexp, want string) []string {
	if !e.Value.IsList() {
		e.Value.Bad("", "%s: want a list, each %s", e.Key, want)
		return nil
	}
	var out []string
	for _, item := range e.Value.Items() {
		s := item.Text()
		switch {
		case !form.MatchString(s):
			item.Bad("", "%s: want %s", e.Key, want)
		case slices.Contains(out, s):
			item.Bad("remove one", "%s: %q stands here twice", e.Key, s)
		default:
			out = append(out, s)
		}
	}
	return out
}

func (p *page) tell(e strict.Entry) {
	if !e.Value.IsList() {
		e.Value.Bad("", "tell: want a list of {who, within, why}")
		return
	}
	const longest = 10 * 365 * 24 * time.Hour
	for _, item := range e.Value.Items() {
		var t Tell
		who, within := false, false
		for _, e := range item.Entries("who", "within", "why") {
			switch e.Key {
			case "who":
				t.Who, who = phrase(e, 150), true
			case "why":
				t.Why = phrase(e, 300)
			case "within":
				d, err := event.ParseDuration(e.Value.Text())
				if err != nil || d <= 0 || d > longest {
					e.Value.Bad("use a form like 4h or 30d", "within is no duration")
				}
				t.Within, within = d, true
			}
		}
		if !who || !within {
			item.Bad("", "tell needs who and within")
		}
		p.Tell = append(p.Tell, t)
	}
}
