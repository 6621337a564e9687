#!/bin/sh
# run.sh: the unit and the packages under a real systemd.
#
# Where systemd-nspawn can be used, in a machine that it boots from a copy of this one's disk, which can be rebooted and
# spoilt (machine.sh). Else here, where systemd is PID 1: the unit under another name, and the packages where no driftd is
# installed. Needs root; where it cannot run it says so. PACKAGES is a folder with the packages, as `make deb` makes them.
set -u
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
packages=${PACKAGES:-$BUILD/deb}
export BUILD

skip() {
    echo "system: skipped: $1"
    exit 0
}

[ "$(id -u)" -eq 0 ] || skip "not root"
if [ ! -x "$BUILD/driftd" ] || ! ls "$packages"/driftd_*.deb >/dev/null 2>&1; then
    echo "system: $BUILD/driftd or the packages are not there: make system makes them" >&2
    exit 1
fi

. tests/system/machine.sh
log=$(mktemp)
trap 'machine_destroy; rm -f "$log"' EXIT
trap 'exit 1' INT TERM

in_machine() {
    machine_in timeout 300 env BUILD="$BUILD" sh -c 'cd "$1" && shift && exec "$@"' sh "$PWD" "$@"
}

here() { timeout 300 "$@"; }

# A story that ends before its end has failed, whatever it said.
story() { # RUNNER COMMAND...
    "$@" || echo "FAIL  $2 ended with status $?"
}

boot_again() {
    if machine_down && machine_up; then
        echo "ok    the machine boots again"
    else
        echo "FAIL  the machine boots again"
    fi
}

# What is needed of an upgrade from an older schema: $older, or why it is not to be had.
older=$BUILD/deb-older
if ! why_not=$(tests/system/older.sh "$older"); then
    older=
    why_not=${why_not:-"it could not be built"}
fi

from_older() { # RUNNER
    if [ -n "$older" ]; then
        story "$1" tests/system/schema.sh "$packages" "$older"
    else
        echo "      an upgrade from an older schema: skipped: $why_not"
    fi
}

all_in_machine() {
    story in_machine tests/system/unit.sh
    story in_machine tests/system/package.sh "$packages" before
    boot_again
    story in_machine tests/system/package.sh "$packages" after
    from_older in_machine
}

all_here() {
    story here tests/system/unit.sh
    if [ -e /etc/driftd ] || [ -e /var/lib/driftd ] || dpkg-query -W driftd >/dev/null 2>&1; then
        echo "      the packages: skipped: there is a driftd on this machine, which they would replace"
        return
    fi
    story here tests/system/package.sh "$packages" before
    echo "      a boot: skipped: this machine is not to be rebooted"
    story here tests/system/package.sh "$packages" after
    from_older here
}

why=$(machine_possible) && { machine_make "$PWD" && machine_up || why="systemd-nspawn boots no machine here"; }
if [ -z "$why" ]; then
    echo "system: in a machine of systemd-nspawn"
    all_in_machine
elif [ "$(cat /proc/1/comm)" = systemd ] && [ -d /run/systemd/system ]; then
    echo "system: on this machine ($why)"
    all_here
else
    skip "PID 1 is not systemd here, and $why"
fi | tee "$log"

if grep -q '^system: skipped' "$log"; then
    exit 0
fi
failed=$(grep -c '^FAIL' "$log")
echo "$(grep -c '^ok ' "$log") passed, $failed failed"
[ "$failed" -eq 0 ]
