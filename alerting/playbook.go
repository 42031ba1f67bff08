package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Playbook is a page of rules.d/playbooks: what to do about an incident.
//
// A page is Markdown with YAML front matter (title, version, owner, rules, attack, csf, tell) and
// exactly the five sections Detection, Containment, Eradication, Recovery and Post-incident, in this
// order, as headings of level two.
type Playbook struct {
	Name    string // area/name, as rules refer to it
	Title   string
	Version int
	Owner   string   // role that keeps the page up to date
	Rules   []string // ids of the rules it serves
	Attack  []string // ATT&CK and ATLAS techniques and tactics
	CSF     []string // NIST CSF 2.0 categories
	Tell    []Tell   // who must be told by when
	// FirstStep is what on-call does first: the first numbered list item of Detection, else its first
	// item of any list, else the same of Containment. Plain text on one line.
	FirstStep string
	URL       string // empty where no base URL is configured
	Intro     string // Markdown before the first section
	// Sections hold the Markdown below each of SectionNames, by name.
	Sections map[string]string
}

// Tell is a duty to tell somebody in time.
type Tell struct {
	Who    string
	Within time.Duration
	Why    string // what makes it a duty, such as GDPR 33
}

// SectionNames returns the names of the five sections, in their order.
func SectionNames() []string {
	return []string{"Detection", "Containment", "Eradication", "Recovery", "Post-incident"}
}

// Nearest returns the tightest duty to tell, if there is one.
func (p *Playbook) Nearest() (Tell, bool) {
	if p == nil || len(p.Tell) == 0 {
		return Tell{}, false
	}
	return slices.MinFunc(p.Tell, func(a, b Tell) int { return cmp.Compare(a.Within, b.Within) }), true
}

// String is the duty as people read it.
func (t Tell) String() string {
	within := event.FormatDuration(t.Within)
	if t.Within%time.Hour == 0 && t.Within <= 96*time.Hour {
		within = fmt.Sprintf("%dh", t.Within/time.Hour) // as regulations say it
	}
	s := t.Who + " within " + within
	if t.Why != "" {
		s += " (" + t.Why + ")"
	}
	return s
}
