#!/bin/sh
# decisions.sh BASE: does this tree decide as revision BASE does, to the last bit, and go on from its checkpoints?
#
# Builds bench/decisions_*.c here and against the libraries of BASE, in a copy of it under $BUILD, and compares what they
# print. Fails where they differ, or where restarts make a difference here.
set -eu
base=$1
build=${BUILD:-build}
old=$build/decisions
programs="decisions_detect decisions_monitor"
failed=0

rm -rf "$old"
mkdir -p "$old/tree"
git archive "$base" | tar -x -C "$old/tree"
cp bench/decisions.h bench/streams.h bench/decisions_*.c "$old/tree/bench/"
for program in $programs; do
    make -s BUILD="$build" "$build/bench/$program" >/dev/null
    make -s -C "$old/tree" BUILD=build "build/bench/$program" >/dev/null
done

compare() {
    if cmp "$1" "$2"; then
        return
    fi
    echo "bench-decisions: $3"
    diff "$1" "$2" | head -n 10
    failed=1
}

for program in $programs; do
    of=$old/$program
    "$old/tree/build/bench/$program" keep "$of.state" >"$of.old" || echo "bench-decisions: $base: restarts make a difference"
    "$build/bench/$program" >"$of.new" || failed=1
    compare "$of.old" "$of.new" "$program decides otherwise than $base"
    "$old/tree/build/bench/$program" from "$of.state" >"$of.old-from"
    if "$build/bench/$program" from "$of.state" >"$of.new-from"; then
        compare "$of.old-from" "$of.new-from" "$program goes on otherwise from a checkpoint of $base"
    else
        echo "bench-decisions: $program does not read the checkpoints of $base"
        failed=1
    fi
    echo "bench-decisions: $program: $(wc -l <"$of.new") lines compared with $base"
done
exit $failed
