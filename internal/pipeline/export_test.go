package pipeline

import (
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
)

// Learn is learn for tests of this package's users.
func (o *Origins) Learn(alerts []*event.Alert, seq uint64) { o.learn(alerts, seq) }

// TellMatches is tellMatches for tests of this package's users.
func (p *Processor) TellMatches(tell func(rule string, s rules.MatchStats)) { p.tellMatches(tell) }
