#!/bin/sh
# run.sh: the unit under a real systemd: it starts, says that it is ready, writes fields to the journal, stops, is started
# again after a crash and after a hang, and is not after a mistake in its configuration.
#
# Needs systemd as PID 1 and root; elsewhere it says that it was skipped. It runs the unit under another name with folders
# of its own, beside an installed driftd, and leaves nothing behind.
set -u
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
unit=driftd-check
stage=/usr/local/lib/$unit
dropins=/run/systemd/system/$unit.service.d
passed=0
failed=0

if [ "$(cat /proc/1/comm)" != systemd ] || [ ! -d /run/systemd/system ]; then
    echo "system: skipped: PID 1 is not systemd here"
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "system: skipped: not root"
    exit 0
fi
if [ ! -x "$build/driftd" ]; then
    echo "system: $build/driftd is not there: make it first" >&2
    exit 1
fi

had_user=$(id -u driftd 2>/dev/null || true)

clean() {
    systemctl stop $unit 2>/dev/null
    systemctl reset-failed $unit 2>/dev/null
    rm -rf "$stage" "$dropins" "/run/systemd/system/$unit.service" "/var/lib/$unit"
    systemctl daemon-reload
    [ -n "$had_user" ] || userdel driftd 2>/dev/null
}
trap clean EXIT
trap 'exit 1' INT TERM

check() { # check SENTENCE COMMAND...: one test
    sentence=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok    $sentence"
    else
        failed=$((failed + 1))
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

property() { systemctl show -P "$1" $unit; }
property_is() { [ "$(property "$1")" = "$2" ]; }
property_like() { property "$1" | grep -q "$2"; }
journal_of() { journalctl --no-pager -q -u $unit _SYSTEMD_INVOCATION_ID="$1" -o "$2"; }
said() { journalctl --sync; journal_of "$1" cat | grep -q "$2"; }
field() { journalctl --sync; journal_of "$1" json | grep -q "\"$2\":\"$3\""; }
# A MainPID of 0 says that nothing runs; to kill(1) it would mean ourselves.
signal_main() { [ "$2" -gt 1 ] && kill "$1" "$2"; }
another_pid() { [ "$(property MainPID)" != "$1" ] && [ "$(property MainPID)" != 0 ] && property_is ActiveState active; }
mode_is() { [ "$(stat -c %a "$1")" = "$2" ] && [ "$(stat -c %U "$1")" = driftd ]; }

# --- set-up: the unit as it is shipped, with folders of its own ---
mkdir -p "$stage/etc/driftd" "$dropins"
install -m 755 "$build/driftd" "$build/driftc" "$stage/"
mkdir -p "$stage/etc/driftd/conf.d"
sed -e "s|@sbindir@|$stage|g" -e "s|@bindir@|$stage|g" -e "s|@sysconfdir@|$stage/etc|g" systemd/driftd.service.in >/run/systemd/system/$unit.service
cat >"$dropins/folders.conf" <<CONF
[Service]
StateDirectory=
StateDirectory=$unit
RuntimeDirectory=
RuntimeDirectory=$unit
Environment=DRIFTC_SOCKET=ipc:///run/$unit/control.sock
# An empty assignment takes the mode back as well.
$(grep -E '^(State|Runtime)DirectoryMode=' systemd/driftd.service.in)
CONF
write_config() {
    cat >"$stage/etc/driftd/driftd.yaml" <<CONF
metrics: {bind: [ipc:///run/$unit/metrics]}
jobs: {bind: [ipc:///run/$unit/jobs]}
feedback: {bind: [ipc:///run/$unit/feedback]}
events: {bind: [ipc:///run/$unit/events]}
control: {bind: ipc:///run/$unit/control.sock}
state: {dir: /var/lib/$unit}
$1
CONF
}
write_config "workers: 1"
systemd-sysusers "$PWD/systemd/driftd.sysusers"
systemctl daemon-reload

# --- it starts ---
check "the unit has no mistakes" systemd-analyze verify --man=no /run/systemd/system/$unit.service
check "it starts, which with Type=notify means that it was ready" systemctl start $unit
check "it runs as a user of its own" [ "$(stat -c %U "/proc/$(property MainPID)")" = driftd ]
check "it says how it stands" until_true property_like StatusText "events per second"
invocation=$(property InvocationID)
check "the journal has its sentence" until_true said "$invocation" "driftd runs"
check "the journal has its fields" field "$invocation" DRIFTD_CONTROL "ipc:///run/$unit/control.sock"
check "the journal has its priority" field "$invocation" PRIORITY 6
check "the journal has its name" field "$invocation" SYSLOG_IDENTIFIER driftd
check "the control socket is for user and group" mode_is /run/$unit/control.sock 660
check "the state folder is its own" mode_is /var/lib/$unit 750

# --- it reloads ---
before=$(property MainPID)
write_config 'workers: 1
budgets: [{models: "*", kpis: {accuracy: {min: 0.9}}}]'
check "systemctl reload takes a good configuration" systemctl reload $unit
check "and it is in force" until_true said "$invocation" "the configuration was read again and is in force"
write_config 'workers: 1
budgets: [{models: "*", windw: 3}]'
check "systemctl reload refuses a bad one" sh -c "! systemctl reload $unit 2>/dev/null"
check "and the journal has the mistake with its line" until_true said "$invocation" 'driftd.yaml:8:25: budgets.*windw: unknown key; did you mean window'
check "said by driftc too, to whom systemctl status listens" until_true said "$invocation" 'driftc: refused'
check "and it runs on" property_is ActiveState active
check "as the same process" property_is MainPID "$before"
printf 'budgets: [{models: shop}]\n' >"$stage/etc/driftd/conf.d/shop.yaml"
write_config "workers: 1"
check "conf.d is read with a reload" systemctl reload $unit
check "and counted" until_true said "$invocation" "budgets=1"
rm "$stage/etc/driftd/conf.d/shop.yaml"
write_config "workers: 2"
signal_main -HUP "$before"
check "SIGHUP is refused what needs a restart" until_true said "$invocation" "workers: a change from"
write_config "workers: 1"

# --- it stops ---
check "it stops when asked" systemctl stop $unit
check "and says so by its exit status" property_is Result success
check "its last line says what was left" until_true said "$invocation" "stopped live_requests=0"

# --- it comes back ---
systemctl start $unit
before=$(property MainPID)
signal_main -KILL "$before"
check "killed, it is started again" until_true another_pid "$before"

printf '[Service]\nWatchdogSec=4\n' >"$dropins/watchdog.conf"
systemctl daemon-reload
systemctl restart $unit
sleep 6 # longer than the interval: the test is that nothing happens
check "the watchdog lets it live" property_is NRestarts 0
before=$(property MainPID)
signal_main -STOP "$before"
check "hung, it is started again by the watchdog" until_true another_pid "$before"
check "and the manager knows why" until_true sh -c "journalctl -q -u $unit | grep -q 'Watchdog timeout'"
rm "$dropins/watchdog.conf"
systemctl daemon-reload

# --- it does not come back ---
systemctl stop $unit
systemctl reset-failed $unit 2>/dev/null
write_config "workers: many"
check "a wrong configuration stops the start" sh -c "! systemctl start $unit 2>/dev/null"
check "with status 78" property_is ExecMainStatus 78
sleep 2 # longer than RestartSec
check "and is not tried again" property_is NRestarts 0
check "the journal has the mistake with its line" until_true said "$(property InvocationID)" 'driftd.yaml:7:10: workers'

echo "exposure: $(systemd-analyze security --no-pager $unit 2>/dev/null | tail -n 1 | sed 's/^[^0-9]*//')"
echo "system: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
