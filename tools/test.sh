#!/bin/sh
# Runs the tests with one Elasticsearch for all packages. Arguments go to go test.
set -eu
cd "$(dirname "$0")/.."

PATH="$PATH:/usr/sbin:/sbin"
export PATH

up=$(go run ./internal/estest/cmd/estest up)
export "${up?}"
trap 'go run ./internal/estest/cmd/estest down' EXIT
# Packages that start servers of their own (nginx, NATS, more Elasticsearch) share two cores with the
# others: a generous time limit, and no timing in any test.
go test -race -shuffle=on -timeout 25m "$@"
