# asking.sh, to be read by the stories of packages: what one asks of an installed driftd. $home is a folder of the story's own,
# $packages that of the packages.

ours() { echo "$packages"/"$1"_[0-9]*.deb; }
version() { dpkg-deb -f "$(ours driftd)" Version; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' driftd 2>/dev/null)" = "ii $1" ]; }
quiet() { "$@" >"$home/output" 2>&1 || { cat "$home/output"; return 1; }; }
printed() { grep -q "$1" "$home/output"; }
in_force() { driftd --print-config >"$home/output" && printed "^$1 "; }
status_is() { wanted=$1; shift; "$@" >"$home/output" 2>&1; [ $? -eq "$wanted" ]; }

ids() { driftc --json requests "$@" | tr ',{' '\n\n' | sed -n 's/^"id":"\([0-9a-f]*\)"$/\1/p' | sort; }
count_is() { [ "$(ids --state "$1" | wc -l)" -eq "$2" ]; }
same_ids() { ids >"$home/ids.now" && [ -s "$home/ids.now" ] && cmp -s "$home/ids" "$home/ids.now"; }
knows_model() { driftc --json models "$1" | grep -q "\"$1\""; }
events_of_are() { driftc --json model "$1" | tr ',{' '\n\n' | grep -qx "\"events\":$2"; }
answers() { driftc status >/dev/null; }
publish() { # MODEL [OPTION...]: ten healthy events
    i=0
    while [ $i -lt 10 ]; do
        echo '{"accuracy": 0.97, "latency_ms": 20, "processed_fps": 30}'
        i=$((i + 1))
    done >"$home/events"
    model=$1
    shift
    driftc --timeout 10 publish --model "$model" "$@" "$home/events" >"$home/output" 2>&1
}
