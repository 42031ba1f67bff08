// Package pack is the default rule pack as it comes inside the binary: rules, lists and playbooks.
//
// It holds files and nothing else.
package pack

import "embed"

// FS is the pack.
//
//go:embed *.yaml lists playbooks
var FS embed.FS
