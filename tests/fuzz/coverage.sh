#!/bin/sh
# coverage.sh FUZZER...: what of lib/wire and lib/config all inputs reach: the examples, and what earlier runs found.
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
for folder in lib/wire lib/config; do
    llvm-cov report $programs -instr-profile="$at/all.profile" "$folder" >"$at/$(basename "$folder").txt" || exit 1
    awk -v folder="$folder" '$1 == "TOTAL" { printf "  COVER  %s: %s of the lines, %s of the regions, %s of the branches\n", folder, $10, $4, $13 }' \
        "$at/$(basename "$folder").txt"
done
echo "per file: $at/wire.txt, $at/config.txt"
