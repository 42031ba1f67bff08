#!/bin/sh
# Makes sure of the programs that tests use beside Go: installs what is missing where it may (Debian,
# as root), else says what to install and fails.
set -eu

missing=""
need() { # command, Debian package
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
PATH="$PATH:/usr/sbin:/sbin"
need nginx nginx-light
need logrotate logrotate
need javac default-jdk-headless
need mvn maven
need cc gcc
need sqlite3 sqlite3

[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	# shellcheck disable=SC2086 # a list of packages
	apt-get install -y -qq --no-install-recommends $missing
	exit 0
fi
echo "liveward's tests need these Debian packages:$missing" >&2
echo "install them: apt-get install$missing" >&2
exit 1
