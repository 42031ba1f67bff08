package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/agent"
)

// The document keeps its shape, and what stands in it cannot speak to the terminal.
func TestShowLetter(t *testing.T) {
	var out bytes.Buffer
	l := &agent.DeadLetter{Kind: agent.LineLetter, Reason: "not\x1b[31m JSON", Document: []byte(`{"log":{"offset":1},"message":"a"}`)}
	if err := showLetter(&out, l); err != nil {
		t.Fatal(err)
	}
	want := "  {\n    \"log\": {\n      \"offset\": 1\n    },\n    \"message\": \"a\"\n  }\n"
	if got := out.String(); !strings.HasSuffix(got, want) || strings.Contains(got, "\x1b") {
		t.Errorf("shown:\n%q\nnot an end of\n%q", got, want)
	}
}
