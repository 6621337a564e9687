#!/bin/sh
# schema.sh DIR OLDER: the packages of OLDER, whose store has an older schema, on a machine that has no driftd: they are
# installed, work is put under way, and those of DIR take their place. Needs systemd as PID 1 and root; run.sh sees to that.
set -u
cd "$(dirname "$0")/../.."
packages=$1
older=$2
unit=driftd
home=/root/driftd-schema
store=/var/lib/driftd/requests.db
. tests/system/story.sh
. tests/system/asking.sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset DRIFTC_SOCKET

newest=$(sed -n 's/^#define STORE_VERSION \([0-9]*\)$/\1/p' daemon/requests/store_schema.h)

# The user_version in the head of SQLite's file; a restart brings it there out of the log.
schema() { systemctl restart $unit && until_true answers && od -An -t u1 -j 63 -N 1 "$store" | tr -d ' '; }
same_in() { ids --state "$1" >"$home/$1.now" && [ -s "$home/$1.now" ] && cmp -s "$home/$1" "$home/$1.now"; }
still_wait() { { ids --state pending; ids --state offered; } | sort >"$home/waiting" && [ -z "$(comm -23 "$home/offered" "$home/waiting")" ]; }
some_in() { [ -n "$(ids --state "$1")" ]; }
steps_of() { driftc --json request "$1" | tr ',{' '\n\n' | grep -c '^"to":'; }
# An offer that stood in the daemon of before is made again after accept_within.
all_done() { until_true count_is done 5 || until_true count_is done 5 || until_true count_is done 5 || until_true count_is done 5; }
silenced() { driftc --json status | grep -q '"pattern":"quiet/\*"'; }
trainer() { # NAME COMMAND [OPTION...]: runs beside this
    name=$1
    exec=$2
    shift 2
    setsid sh -c 'cd "$1" && echo $$ >"$2.pid" && shift 2 && exec "$@"' sh "$home" "$name" \
        driftc trainer --name "$name" --exec "$exec" "$@" >"$home/$name.log" 2>&1 &
}

install_older() {
    check "a version with an older schema is installed" quiet dpkg -i "$(echo "$older"/driftd_[0-9]*.deb)"
    check "it runs" until_true answers
    sed -i 's/^workers: auto.*/workers: 1  # edited/' /etc/driftd/driftd.yaml
    sed -i 's/accept_within: 30s/accept_within: 1m/' /etc/driftd/driftd.yaml
    before=$(schema)
    check "its store's schema is $before, before $newest" [ "$before" -lt "$newest" ]
    check "the edited file is in force" in_force 'workers: 1'
}

# Is connected to the jobs and takes none: what is sent to it stays OFFERED. (A `driftc trainer` that works leaves the jobs
# meanwhile, so that nothing can be offered to it.)
idler() {
    setsid /usr/bin/python3 -c '
import os, signal, sys, zmq
jobs = zmq.Context().socket(zmq.PULL)
jobs.setsockopt(zmq.RCVHWM, 1)
print(os.getpid(), file=open(sys.argv[1], "w"), flush=True)
jobs.connect("tcp://127.0.0.1:5571")
signal.pause()' "$home/idler.pid" >"$home/idler.log" 2>&1 &
}

# One request is done, one is trained, one or more are offered to somebody who does not answer, the others wait.
put_under_way() {
    publish shop/detector/v1
    check "a model is heard" until_true events_of_are shop/detector/v1 10
    driftc silence 'quiet/*' --for 2h --reason upgrade >/dev/null
    driftc retrain shop/first/v1 --reason trial >/dev/null
    trainer quick 'echo "{\"version\": \"v2\"}"' --once
    check "a request is done" until_true count_is done 1
    rm -f "$home/go"
    trainer slow 'until [ -e go ]; do sleep 0.1; done; echo "{\"version\": \"v2\"}"'
    driftc retrain shop/m1/v1 --reason trial >/dev/null
    check "one is worked on" until_true count_is running 1
    idler
    for i in 2 3 4; do
        driftc retrain shop/m$i/v1 --reason trial >/dev/null
    done
    check "others are offered" until_true some_in offered
    kill "$(cat "$home/idler.pid")"
    ids >"$home/ids"
    for state in done running offered; do
        ids --state $state >"$home/$state"
    done
    steps=$(steps_of "$(cat "$home/done")")
    check "all five are known" [ "$(wc -l <"$home/ids")" -eq 5 ]
}

upgrade() {
    sum=$(sha256sum /etc/driftd/driftd.yaml)
    before=$(property MainPID)
    check "this version replaces it" timed "upgrade" quiet dpkg --force-confold -i "$(ours driftd)"
    check "and is installed" installed "$(version)"
    check "another process runs" until_true another_pid "$before"
    check "it answers" until_true answers
    check "no request is lost, none is new" same_ids
    check "what was done is done" same_in done
    check "with its whole history" [ "$(steps_of "$(cat "$home/done")")" -eq "$steps" ]
    check "what was worked on still is" same_in running
    check "what was offered is offered again, or will be" still_wait
    check "the model has its events" events_of_are shop/detector/v1 10
    check "who was silenced still is" silenced
    check "the edited configuration is kept" [ "$(sha256sum /etc/driftd/driftd.yaml)" = "$sum" ]
    check "and in force" in_force 'workers: 1'
}

finish() {
    check "the store's schema is $newest" [ "$(schema)" -eq "$newest" ]
    check "no request is lost by a restart either" same_ids
    touch "$home/go"
    check "the trainer from before does all of them for the new daemon" all_done
    check "they are the same five" same_ids
    check "no job was done twice" [ "$(driftc --json requests | tr ',{' '\n\n' | grep -c '^"attempt":1$')" -eq 5 ]
}

mkdir -p "$home"
install_older
put_under_way
upgrade
finish
kill "$(cat "$home/slow.pid")"
dpkg -P driftd >/dev/null 2>&1
rm -rf "$home" /etc/driftd
