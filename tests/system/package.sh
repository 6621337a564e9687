#!/bin/sh
# package.sh DIR PHASE: the Debian packages of DIR on a machine that has no driftd. `before` installs a version before this
# one, puts work under way, upgrades, kills and hangs; `after`, which may follow a boot, looks at what is left, turns CURVE
# on, removes and purges. Needs systemd as PID 1 and root; run.sh sees to that.
set -u
cd "$(dirname "$0")/../.."
packages=$1
unit=driftd
home=/root/driftd-package
dropins=/run/systemd/system/$unit.service.d
. tests/system/story.sh
. tests/system/asking.sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset DRIFTC_SOCKET

# The same files as a version before this one, which dpkg takes for an upgrade.
make_older() {
    rm -rf "$home/older"
    dpkg-deb -R "$(ours driftd)" "$home/older" && sed -i 's/^Version: .*/&~before/' "$home/older/DEBIAN/control" &&
        dpkg-deb --root-owner-group -b "$home/older" "$home/older.deb" >/dev/null
}

trainer() { # runs beside this until it is told to go on
    (cd "$home" && setsid driftc trainer --once --name gpu-1 --exec 'until [ -e go ]; do sleep 0.1; done; echo {}' >trainer.log 2>&1) &
}

install_and_look() {
    check "a version before this one is installed" quiet dpkg -i "$home/older.deb"
    check "it runs at once" until_true answers
    check "and after a boot" [ "$(systemctl is-enabled $unit)" = enabled ]
    check "as a user of its own" [ "$(stat -c %U "/proc/$(property MainPID)")" = driftd ]
    check "its exposure is at most 1.2" exposure_is_at_most 1.2
    check "its state is its own" owned /var/lib/driftd 'driftd 750'
    check "dpkg knows the configuration" sh -c "dpkg-query -W -f '\${Conffiles}' driftd | grep -q /etc/driftd/driftd.yaml"
    check "the manual is there" quiet man -w driftd driftc driftd.yaml
    check "no file differs from the package's" [ -z "$(dpkg -V driftd)" ]
}

reload_and_fail() {
    before=$(property MainPID)
    sed -i 's/^workers: auto.*/workers: 1  # edited/' /etc/driftd/driftd.yaml
    check "a reload is refused what needs a restart, and says so" status_is 1 driftc reload
    check "with the line" printed 'driftd.yaml:[0-9]*:[0-9]*: workers: '
    check "a restart takes it" systemctl restart $unit
    check "and the edited file is in force" in_force 'workers: 1'
    before=$(property MainPID)
    printf 'budgets:\n  - models: shop/*\n    windw: 3\n' >/etc/driftd/conf.d/shop.yaml
    check "a mistake fails driftc reload" status_is 1 driftc reload
    check "and it prints file, line and the nearest key" printed 'shop.yaml:3:5: .*windw: unknown key; did you mean window'
    check "it fails systemctl reload too" refused systemctl reload $unit
    check "and leaves the daemon as it was" property_is MainPID "$before"
    printf 'budgets:\n  - models: shop/*\n    window: 8\n' >/etc/driftd/conf.d/shop.yaml
    check "mended, it is taken" timed "reload" quiet driftc reload
}

work_under_way() {
    publish shop/detector/v1
    check "a model is heard" until_true events_of_are shop/detector/v1 10
    for i in 1 2 3 4 5; do
        driftc retrain shop/m$i/v1 --reason trial >/dev/null
    done
    rm -f "$home/go"
    trainer
    check "five requests are under way, one of them is worked on" until_true count_is running 1
    ids >"$home/ids"
    check "all five are known" [ "$(wc -l <"$home/ids")" -eq 5 ]
}

upgrade() {
    sum=$(sha256sum /etc/driftd/driftd.yaml)
    before=$(property MainPID)
    check "this version replaces it" timed "upgrade" quiet dpkg -i "$(ours driftd)" "$(ours libdrift0)" "$(ours libdrift-dev)"
    check "and is installed" installed "$(version)"
    check "another process runs" until_true another_pid "$before"
    check "the edited configuration is kept" [ "$(sha256sum /etc/driftd/driftd.yaml)" = "$sum" ]
    check "and in force" in_force 'workers: 1'
    check "no request is lost, none is new" same_ids
    check "what was worked on still is" count_is running 1
    check "the model has its events" events_of_are shop/detector/v1 10
    check "pkg-config finds the library" [ "$(pkg-config --modversion libdrift)" = "$(sed -n 's/^VERSION := //p' Makefile)" ]
    touch "$home/go"
    check "the trainer from before reports to the new daemon" until_true count_is done 1
    ids >"$home/ids"
}

back_after() { # SIGNAL
    before=$(property MainPID)
    signal_main "$1" "$before"
    until_true another_pid "$before" && until_true answers
}

crash_and_hang() {
    check "killed, it comes back" timed "kill -9 to the next answer" back_after -KILL
    check "with all requests" same_ids
    mkdir -p "$dropins"
    printf '[Service]\nWatchdogSec=4\n' >"$dropins/watchdog.conf"
    systemctl daemon-reload
    systemctl restart $unit
    check "hung, it is killed and comes back" timed "SIGSTOP to the next answer, with WatchdogSec=4" back_after -STOP
    check "with all requests" same_ids
    rm -r "$dropins"
    systemctl daemon-reload
    check "it stops when asked" timed "stop" systemctl stop $unit
    check "in order" property_is Result success
    check "it starts again" timed "start" systemctl start $unit
    check "with all requests" same_ids
}

curve() {
    (cd "$home" && rm -f ./*.secret && driftc keygen server --server --file /etc/driftd/curve.secret >server.pub &&
        driftc keygen node-1 --project shop >/etc/driftd/clients.yaml) 2>/dev/null
    check "the secret key is root's" owned /etc/driftd/curve.secret 'root 600'
    echo 'security: {curve: on}' >/etc/driftd/conf.d/curve.yaml
    check "it starts with CURVE and root's key" systemctl restart $unit
    check "and says so" until_true said "$(property InvocationID)" 'CURVE is on'
    check "who has a key is heard" publish shop/secret/v1 --server-key "$home/server.pub" --cert "$home/node-1.secret"
    check "and its model known" until_true events_of_are shop/secret/v1 10
    check "who has none is not" refused publish shop/forged/v1 --timeout 2
    (cd "$home" && driftc keygen stranger 2>/dev/null >/dev/null)
    check "nor who has one that is not listed" refused publish shop/forged/v1 --timeout 2 --server-key "$home/server.pub" --cert "$home/stranger.secret"
    check "nor is their model known" refused knows_model shop/forged/v1
    rm /etc/driftd/curve.secret
    check "without the key it does not start" refused systemctl restart $unit
    check "and says what makes one" until_true said "$(property InvocationID)" 'handed over no secret key.*driftc keygen'
    rm /etc/driftd/conf.d/curve.yaml /etc/driftd/clients.yaml
    systemctl restart $unit
}

take_away() {
    check "it is removed" quiet dpkg -r driftd
    check "and stopped" property_is ActiveState inactive
    check "state and configuration stay" [ -s /var/lib/driftd/requests.db -a -s /etc/driftd/driftd.yaml ]
    check "it is installed again" quiet dpkg -i "$(ours driftd)"
    check "and runs" until_true answers
    check "with all requests" same_ids
    check "and the edited configuration" grep -q '# edited' /etc/driftd/driftd.yaml
    check "it is purged" quiet dpkg -P driftd libdrift-dev libdrift0
    check "state goes with that" [ ! -e /var/lib/driftd ]
    check "and the configuration" [ ! -e /etc/driftd/driftd.yaml ]
    check "but not what somebody else put there" [ -s /etc/driftd/conf.d/shop.yaml ]
    check "nothing else of it is left" [ -z "$(ls -d /run/driftd /lib/systemd/system/driftd.service /etc/systemd/system/*/driftd.service 2>/dev/null)" ]
}

case $2 in
before)
    mkdir -p "$home"
    make_older || exit 1
    install_and_look
    reload_and_fail
    work_under_way
    upgrade
    crash_and_hang
    ;;
after)
    check "it runs after the boot" until_true answers
    check "with all requests" same_ids
    check "and the edited configuration" in_force 'workers: 1'
    check "the model has its events" events_of_are shop/detector/v1 10
    curve
    take_away
    rm -rf "$home" /etc/driftd
    ;;
esac
