#!/bin/sh
# run.sh FUZZER: against libFuzzer for FUZZ_S seconds, from its examples and from what earlier runs found.
set -u
at=$BUILD/fuzz
examples=tests/fuzz/corpus/$1
mkdir -p "$at/corpus-$1"
[ -d "$examples" ] || examples=
words=tests/fuzz/${1#fuzz_}.dict
[ -f "$words" ] && words=-dict=$words || words=
"$at/$1" -max_total_time="$FUZZ_S" -timeout=30 -print_final_stats=1 -artifact_prefix="$at/" $words "$at/corpus-$1" $examples \
    >"$at/$1.log" 2>&1 || { tail -n 40 "$at/$1.log"; exit 1; }
printf '  FUZZ   %s for %s s: %s executions\n' "$1" "$FUZZ_S" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$at/$1.log")"
