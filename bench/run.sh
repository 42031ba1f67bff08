#!/bin/sh
# Runs the benchmarks that docs/benchmarks.md quotes, and prints them. Compare within one run only:
# machines differ, and shared ones are noisy.
set -eu
cd "$(dirname "$0")/.."
go version
grep -m1 'model name' /proc/cpuinfo 2>/dev/null || true
echo "load: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || true)"
run() { echo "\$ go test $*"; go test "$@" | grep -E '^Benchmark'; }
run ./collectors/formats -run '^$' -bench 'Parse/' -benchtime 100ms
run ./rules -run '^$' -bench 'Match' -benchtime 100ms
run ./rules -run '^$' -bench MillionKeys -benchtime 5x
run ./internal/event -run '^$' -bench AppendJSON -benchtime 100ms
run ./internal/privacy -run '^$' -bench . -benchtime 100ms
run ./internal/journal -run '^$' -bench Append -benchtime 200x
run ./collectors/push -run '^$' -bench Push -benchtime 5000x
run ./collectors/syslog -run '^$' -bench TCP -benchtime 1000000x
run ./bench -run '^$' -bench Replay -benchtime 2x -timeout 30m
run ./bench -run '^$' -bench Keys -benchtime 1x
