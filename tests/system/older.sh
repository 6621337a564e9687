#!/bin/sh
# older.sh DIR: the Debian packages of the newest commit before the store got its present schema, to DIR; made once. Nothing is
# fetched: they are built from the history of this repository. Status 2, with a sentence: there is no such commit here.
set -eu
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
header=daemon/requests/store_schema.h

none() {
    echo "$1"
    exit 2
}

# Whose folder this is does not matter: root may build what another user has checked out.
history() { git -c safe.directory="$PWD" "$@"; }
schema_in() { sed -n 's/^#define STORE_VERSION \([0-9]*\)$/\1/p'; }
schema_at() { history show "$1:$header" 2>/dev/null | schema_in; }

command -v git >/dev/null || none "there is no git"
history rev-parse -q --verify HEAD >/dev/null 2>&1 || none "this folder has no history"
now=$(schema_in <"$header")
older=
for commit in $(history rev-list HEAD -- "$header"); do
    before=$(history rev-parse -q --verify "$commit^") || break
    schema=$(schema_at "$before")
    if [ "${schema:-$now}" -lt "$now" ]; then
        older=$before
        break
    fi
done
[ -n "$older" ] || none "the history knows no older schema of the store than $now"
history cat-file -e "$older:debian/control" 2>/dev/null || none "the commit before schema $now made no packages"
if [ -e "$out/commit" ] && [ "$(cat "$out/commit")" = "$older" ]; then
    exit 0
fi

rm -rf "$out" && mkdir -p "$out/tree"
history archive "$older" | tar -x -C "$out/tree"
version=$(sed -n 's/^VERSION := //p' "$out/tree/Makefile")
DEB_VERSION="$version~schema$schema" "$out/tree/tests/house/deb.sh" build "$out/packages" >/dev/null
mv "$out/packages"/*.deb "$out"
rm -rf "$out/tree" "$out/packages"
echo "$older" >"$out/commit"
