#!/bin/sh
# promtool.sh FILE: puts promtool there, where neither it nor an installed one is. It comes out of Debian's package prometheus, which
# is not installed: that would start a server.
set -eu
[ -x "$1" ] || command -v promtool >/dev/null && exit 0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! (cd "$folder" && apt-get download -qq prometheus) >"$folder/log" 2>&1; then
    echo "deps: no promtool, so its tests are skipped: $(tail -n 1 "$folder/log")" >&2
    exit 0
fi
dpkg-deb -x "$folder"/prometheus_*.deb "$folder/root"
mkdir -p "$(dirname "$1")"
mv "$folder/root/usr/bin/promtool" "$1"
