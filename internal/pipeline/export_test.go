package pipeline

import "github.com/liveward/liveward/rules"

// TellMatches is tellMatches for tests of this package's users.
func (p *Processor) TellMatches(tell func(rule string, s rules.MatchStats)) { p.tellMatches(tell) }
