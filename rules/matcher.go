package rules

// matcher is the compiled form of a rule's when, except and steps.
type matcher struct{}
