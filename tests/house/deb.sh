#!/bin/sh
# deb.sh build DIR: the Debian packages of this tree, to DIR, without root. DEB_VERSION gives them another version than
#   debian/changelog does.
# deb.sh check DIR: builds them twice, in two folders, at two times and with two settings of locale, time zone and umask;
#   both must be the same bytes, and lintian must find nothing in them.
set -eu
what=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."

# build DIR FOLDER: the tree is copied to DIR/FOLDER, and what dpkg-buildpackage makes beside it stays in DIR.
build() {
    rm -rf "$1"
    mkdir -p "$1/$2"
    tar -c --exclude=./build --exclude=./.git --exclude=__pycache__ . | tar -x -C "$1/$2"
    if [ -n "${DEB_VERSION:-}" ]; then
        sed -i "1s/(.*)/($DEB_VERSION)/" "$1/$2/debian/changelog"
    fi
    # Nothing that somebody asked of this make reaches the one that builds the package.
    if ! (cd "$1/$2" && env -i PATH="$PATH" HOME="${HOME:-/}" LC_ALL="${LC_ALL:-C.UTF-8}" TZ="${TZ:-UTC}" \
        DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-parallel=2}" dpkg-buildpackage -b -us -uc) >"$1/build.log" 2>&1; then
        tail -n 30 "$1/build.log" >&2
        echo "deb: dpkg-buildpackage failed; all of it: $1/build.log" >&2
        exit 1
    fi
    rm -rf "${1:?}/$2"
}

version() { sed -n 's/^VERSION := //p' Makefile; }

case $what in
build)
    case $(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog) in
    "$(version)" | "$(version)"[+~-]*) ;;
    *)
        echo "deb: debian/changelog and VERSION in the Makefile are of two versions" >&2
        exit 1
        ;;
    esac
    build "$out" "driftd-$(version)"
    (cd "$out" && sha256sum ./*.deb)
    ;;
check)
    build "$out" "driftd-$(version)"
    (umask 077 && LC_ALL=C TZ=Pacific/Chatham && export LC_ALL TZ && build "$out-again/in/another/place" elsewhere)
    (cd "$out" && sha256sum ./*.deb) | tee "$out/sha256sums"
    (cd "$out-again/in/another/place" && sha256sum --quiet -c "$out/sha256sums")
    echo "deb: built twice, the same bytes"
    lintian --allow-root --fail-on error,warning "$out"/*.changes
    echo "deb: lintian has no errors and no warnings"
    rm -rf "$out-again"
    ;;
*)
    echo "usage: deb.sh build|check DIR" >&2
    exit 64
    ;;
esac
