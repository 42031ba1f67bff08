package agent

import (
	"fmt"
	"slices"
	"time"

	"github.com/liveward/liveward/internal/join"
	"github.com/liveward/liveward/internal/strict"
)

// JoinsConfig is about events that are derived from others.
type JoinsConfig struct {
	Outcomes bool            `yaml:"outcomes" doc:"Join checks whose line has no verdict with the outcome that comes another way."`
	Window   strict.Duration `yaml:"window" doc:"How far apart the two may be."`
	Accounts string          `yaml:"accounts" doc:"Hold opened accounts against their verdict: on, off, or auto: on where an input has the format account_opened or account_csv."`
	MaxAge   strict.Duration `yaml:"max_age" doc:"How old a verdict may be when its account is opened."`
}

// The values of joins.accounts.
const (
	accountsAuto = "auto"
	accountsOn   = "on"
	accountsOff  = "off"
)

func defaultJoins() JoinsConfig {
	return JoinsConfig{Outcomes: true, Window: minutes(15), Accounts: accountsAuto, MaxAge: strict.Duration(24 * time.Hour)}
}

func (p *Plan) checkJoins(f *strict.File) {
	j := &p.Config.Joins
	if j.Window <= 0 {
		f.Problem("joins.window", "no time", "use a duration such as 15m")
	}
	if j.MaxAge <= 0 {
		f.Problem("joins.max_age", "no time", "use a duration such as 24h")
	}
	if !slices.Contains([]string{accountsAuto, accountsOn, accountsOff}, j.Accounts) {
		f.Problem("joins.accounts", fmt.Sprintf("%q", j.Accounts), "use auto, on or off")
	}
}

// joinsAccounts tells whether opened accounts are held against their verdicts. Of a replay whose format is
// found line by line it is not known before they are read what its lines are.
func (p *Plan) joinsAccounts() bool {
	switch p.Config.Joins.Accounts {
	case accountsOn:
		return true
	case accountsOff:
		return false
	}
	return slices.ContainsFunc(p.inputs, func(in input) bool {
		return in.Format == "account_opened" || in.Format == "account_csv" || p.offline && in.Format == "auto"
	})
}

// joinRoles are the roles of events that joins look at.
func (p *Plan) joinRoles() join.Roles {
	var r join.Roles
	if p.Config.Joins.Outcomes {
		r |= join.Call | join.Outcome
	}
	if p.joinsAccounts() {
		r |= join.Verdict | join.Account | join.Consent
	}
	return r
}

// joins configures joins; nil where nothing is joined.
func (p *Plan) joins() *join.Config {
	roles := p.joinRoles()
	if roles == 0 {
		return nil
	}
	j := p.Config.Joins
	return &join.Config{Roles: roles, Window: time.Duration(j.Window), MaxAge: time.Duration(j.MaxAge)}
}
