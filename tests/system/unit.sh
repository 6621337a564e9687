#!/bin/sh
# unit.sh: the unit as it is shipped, with what was built: it starts, says that it is ready, writes fields to the journal,
# reloads, stops, is started again after a crash and after a hang, and is not after a mistake in its configuration.
#
# Needs systemd as PID 1 and root; run.sh sees to that. It runs the unit under another name with folders of its own, beside
# an installed driftd, and leaves nothing behind.
set -u
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
unit=driftd-check
stage=/usr/local/lib/$unit
dropins=/run/systemd/system/$unit.service.d
. tests/system/story.sh

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

# --- set-up: the unit as it is shipped, with folders of its own ---
mkdir -p "$stage/etc/driftd" "$dropins"
install -m 755 "$build/driftd" "$build/driftc" "$stage/"
mkdir -p "$stage/etc/driftd/conf.d"
sed -e "s|@sbindir@|$stage|g" -e "s|@bindir@|$stage|g" -e "s|@sysconfdir@|$stage/etc|g" -e "s|@docdir@|$PWD/docs|g" systemd/driftd.service.in >/run/systemd/system/$unit.service
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
systemd-sysusers "$PWD/systemd/driftd.sysusers" 2>/dev/null
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
check "the control socket is for user and group" owned /run/$unit/control.sock 'driftd 660'
check "the state folder is its own" owned /var/lib/$unit 'driftd 750'

check "nobody else reads the store" owned /var/lib/$unit/requests.db 'driftd 600'
check "it knows the boot of the machine" refused said "$invocation" "boot of the machine has no name"
check "its filter lets it ask for large pages" refused said "$invocation" "memory stays in small pages.*not permitted"
check "its exposure is at most 1.2" exposure_is_at_most 1.2
echo "      exposure: $(exposure)"

# --- it reloads ---
before=$(property MainPID)
write_config 'workers: 1
budgets: [{models: "*", kpis: {accuracy: {min: 0.9}}}]'
check "systemctl reload takes a good configuration" systemctl reload $unit
check "and it is in force" until_true said "$invocation" "the configuration was read again and is in force"
write_config 'workers: 1
budgets: [{models: "*", windw: 3}]'
check "systemctl reload refuses a bad one" refused systemctl reload $unit
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
check "a wrong configuration stops the start" refused systemctl start $unit
check "with status 78" property_is ExecMainStatus 78
sleep 2 # longer than RestartSec
check "and is not tried again" property_is NRestarts 0
check "the journal has the mistake with its line" until_true said "$(property InvocationID)" 'driftd.yaml:7:10: workers'

