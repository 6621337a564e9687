#!/usr/bin/env python3
"""pure.py BUILD: fails when the pure core links anything beyond memory, string and math.

Reads the undefined symbols of every object of lib/ and holds them against a list: no clock, no file, no thread, no
randomness, no log can be called by what does not link it. Two folders may call one pure library more each.
"""
import pathlib
import re
import subprocess
import sys

CORE = set("""
malloc calloc realloc free aligned_alloc posix_memalign reallocarray
memcpy memmove memset memcmp memchr memmem memrchr strlen strnlen strcmp strncmp strchr strrchr strstr strcpy strncpy
strspn strcspn strdup strndup strtod strtoul strtoull strtol strtoll strerror strcasecmp strncasecmp strcat strncat
snprintf vsnprintf qsort bsearch abort __errno_location
__memcpy_chk __memmove_chk __memset_chk __snprintf_chk __vsnprintf_chk __strcpy_chk __strncpy_chk __strcat_chk __strncat_chk
__assert_fail __stack_chk_fail _GLOBAL_OFFSET_TABLE_ __ctype_b_loc __ctype_tolower_loc tolower toupper
__isoc99_sscanf __isoc23_strtol __isoc23_strtoul __isoc23_strtoull __isoc23_strtoll
open_memstream
""".split()) - {"open_memstream"}
MATH = set("""
acos asin atan atan2 cbrt ceil cos cosh erf erfc exp exp2 expm1 fabs floor fma fmax fmin fmod frexp hypot ldexp lgamma
lgamma_r llround log log10 log1p log2 logb lrint lround modf nearbyint nextafter nextafterf pow rint round sin sinh sqrt
sqrtf tan tanh tgamma trunc fabsf fmaxf fminf floorf ceilf roundf scalbn isnan isinf
""".split())
EXTRA = {"config": re.compile(r"^(yaml_|json_)"), "wire": re.compile(r"^json_")}
JSON_FILES = {"job", "feedback", "cloud_event"}
SANITIZER = re.compile(r"^(__asan|__ubsan|__tsan|__sanitizer|__gcov|__llvm|_Unwind)")


def undefined(path):
    out = subprocess.run(["nm", "-u", "-P", path], check=True, capture_output=True, text=True).stdout
    return {line.split()[0] for line in out.splitlines() if line.strip()}


def main(build):
    root = pathlib.Path(build) / "obj" / "lib"
    objects = sorted(root.rglob("*.o"))
    if not objects:
        sys.exit("pure: no objects; run make first")
    own = set()
    for path in objects:
        out = subprocess.run(["nm", "--defined-only", "-P", path], check=True, capture_output=True, text=True).stdout
        own |= {line.split()[0] for line in out.splitlines() if line.strip()}
    faults = []
    for path in objects:
        folder = path.relative_to(root).parts[0]
        extra = EXTRA.get(folder)
        if folder == "wire" and path.stem not in JSON_FILES:
            extra = None
        for symbol in sorted(undefined(path) - own - CORE - MATH):
            if SANITIZER.match(symbol) or (extra and extra.match(symbol)):
                continue
            faults.append(f"{path}: calls {symbol}")
    for fault in faults:
        print(fault)
    print(f"pure: {len(objects)} objects, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "build"))
