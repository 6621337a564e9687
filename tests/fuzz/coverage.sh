#!/bin/sh
# coverage.sh FUZZER...: what all inputs reach of that which the fuzzers are for: the examples, and what earlier runs found.
set -u
at=$BUILD/fuzz/coverage
rm -rf "$at/profiles" && mkdir -p "$at/profiles"
programs=
for fuzzer; do
    found=$BUILD/fuzz/corpus-$fuzzer
    [ -d "$found" ] || found=
    LLVM_PROFILE_FILE=$at/profiles/$fuzzer "$at/fuzz/$fuzzer" -runs=0 -timeout=30 "tests/fuzz/corpus/$fuzzer" $found >"$at/$fuzzer.log" 2>&1 ||
        { tail -n 20 "$at/$fuzzer.log"; exit 1; }
    programs="$programs ${programs:+-object }$at/fuzz/$fuzzer"
done
llvm-profdata merge -o "$at/all.profile" "$at"/profiles/* || exit 1

# report NAME FILE...: files that no fuzzer is linked with do not count.
report() {
    name=$1
    shift
    llvm-cov report $programs -instr-profile="$at/all.profile" "$@" >"$at/$name.txt" || exit 1
    awk -v name="$name" '$1 == "TOTAL" { printf "  COVER  %s: %s of the lines, %s of the regions, %s of the branches\n", name, $10, $4, $13 }' "$at/$name.txt"
}
report wire lib/wire
report config lib/config
report http daemon/observe/http*.c daemon/observe/answers.c daemon/observe/history.c
report zap daemon/security/zap.c
report commands daemon/control/command*.c
echo "per file: $at/*.txt"
