# Two targets matter: make test, which brings up what it needs itself, and make ci, which is what
# .ci/run calls. Tools are pinned in tools/go.mod and never enter the product's module graph.

GO     ?= go
TOOL    = $(GO) tool -modfile=tools/go.mod
CACHE  ?= $(HOME)/.cache/liveward-build

.PHONY: test deps lint fmt bench report fuzz docs build ci

build:
	$(GO) build -trimpath -o bin/liveward ./cmd/liveward

# Everything, with real Elasticsearch, nginx and logrotate. A missing part is installed where that is
# possible, else it fails and is named; nothing is skipped.
test: deps
	./tools/test.sh ./...
	$(GO) test ./internal/scorecard # the pack's budgets, without the race detector: it is skipped above

deps:
	./tools/deps.sh

lint:
	$(TOOL) golangci-lint run

fmt:
	$(TOOL) golangci-lint fmt

# The references in docs/ and every golden file, written anew from the code.
docs:
	$(GO) test ./internal/agent ./internal/event ./collectors/formats ./rules.d -run 'Reference' -update

# The numbers of docs/benchmarks.md.
bench:
	./bench/run.sh

# The numbers of docs/pack.md: what the rules find on labelled traffic, and at what noise.
report:
	$(GO) run ./cmd/liveward rules report rules.d --rounds 3

# Every fuzz target for a while (FUZZTIME each).
FUZZTIME ?= 30s
fuzz:
	./tools/fuzz.sh $(FUZZTIME)

ci:
	./.ci/run
