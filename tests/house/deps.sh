#!/bin/sh
# deps.sh PACKAGE...: installs the Debian packages among the arguments that are missing, and does nothing when none is.
set -eu
missing=
for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "deps: not root and no sudo; install by hand:$missing" >&2; exit 1; }
    as_root=sudo
fi
count=$(printf '%s\n' $missing | wc -l)
printf 'Installing %s Debian packages:%s\n' "$count" "$missing"
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "deps: apt-get failed; the lines above say why" >&2
    exit 1
fi
