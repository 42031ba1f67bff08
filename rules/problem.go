package rules

import "github.com/liveward/liveward/internal/strict"

type (
	// Problem is something wrong in a rule or a list, at the place where it stands. Its file is a path within
	// the rule directory.
	Problem = strict.Problem
	// Problems are all that is wrong with a rule set, in the order of file and line.
	Problems = strict.Problems
	// Level says how bad a problem is.
	Level = strict.Level
)

// The levels. A rule with an error is not loaded; a warning is advice.
const (
	LevelError   = strict.LevelError
	LevelWarning = strict.LevelWarning
)
