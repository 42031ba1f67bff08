package rules

// Template is an alert's title: text with {field} placeholders.
type Template struct{}
