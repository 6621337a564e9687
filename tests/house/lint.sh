#!/bin/sh
# lint.sh "FLAGS" FILE...: clang-tidy and cppcheck over the given sources; any finding fails.
set -eu
# The version's quotes do not survive two shells; any value will do here.
flags=$(printf '%s' "$1" | sed 's/-DDRIFT_VERSION=[^ ]*//')
shift
mkdir -p "${BUILD:-build}"
# shellcheck disable=SC2086
if ! printf '%s\n' "$@" | xargs -n 4 -P 2 sh -c 'flags=$1; shift; clang-tidy --quiet --warnings-as-errors="*" "$@" -- $flags "-DDRIFT_VERSION=\"0\"" 2>/dev/null' sh "$flags" \
    >"${BUILD:-build}/clang-tidy.log"; then
    cat "${BUILD:-build}/clang-tidy.log"
    exit 1
fi
# unknownEvaluationOrder takes the initializers of the fields of a log line for side effects.
cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=unknownEvaluationOrder --suppress=normalCheckLevelMaxBranches -I. -D_GNU_SOURCE "-DDRIFT_VERSION=\"0\"" -j 2 "$@"
echo "lint: $# files, clean"
