# story.sh, to be read by the stories of this folder: how a test is told, and what one asks of a unit. $unit is its name.

check() { # check SENTENCE COMMAND...: one test
    sentence=$1
    shift
    if "$@"; then
        echo "ok    $sentence"
    else
        echo "FAIL  $sentence"
    fi
}

# Asks again until the command succeeds, for 30 seconds.
until_true() {
    tries=300
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}

# How long a command takes, which is told and not judged.
timed() { # timed WHAT COMMAND...
    timed=$1
    shift
    began=$(date +%s%N)
    "$@"
    status=$?
    echo "      $timed: $((($(date +%s%N) - began) / 1000000)) ms"
    return $status
}

refused() { ! "$@" >/dev/null 2>&1; }
property() { systemctl show -P "$1" "$unit"; }
property_is() { [ "$(property "$1")" = "$2" ]; }
property_like() { property "$1" | grep -q "$2"; }
journal_of() { journalctl --no-pager -q -u "$unit" _SYSTEMD_INVOCATION_ID="$1" -o "$2"; }
said() { journalctl --sync && journal_of "$1" cat | grep -q "$2"; }
field() { journalctl --sync && journal_of "$1" json | grep -q "\"$2\":\"$3\""; }
# A MainPID of 0 says that nothing runs; to kill(1) it would mean ourselves.
signal_main() { [ "$2" -gt 1 ] && kill "$1" "$2"; }
another_pid() { [ "$(property MainPID)" != "$1" ] && [ "$(property MainPID)" != 0 ] && property_is ActiveState active; }
owned() { [ "$(stat -c '%U %a' "$1")" = "$2" ]; }
exposure() { systemd-analyze security --no-pager "$unit" 2>/dev/null | tail -n 1 | sed 's/^[^0-9]*//; s/ .*//'; }
exposure_is_at_most() { exposure | awk -v most="$1" '{ exit !($1 != "" && $1 <= most) }'; }
