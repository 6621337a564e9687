#!/usr/bin/env python3
"""pure.py BUILD: fails when the pure core links anything beyond memory, string and math.

Reads the undefined symbols of every object of lib/ and holds them against a list: no clock, no file, no thread, no
randomness, no log can be called by what does not link it. A few files may call one pure library more, and one reads the
configuration file. Fails as well when a name of ours is also a library's that we link: the linker would silently take one
for the other.
"""
import pathlib
import re
import subprocess
import sys

CORE = set("""
malloc calloc realloc free aligned_alloc posix_memalign reallocarray
memcpy memmove memset memcmp memchr memmem memrchr strlen strnlen strcmp strncmp strchr strrchr strstr strcpy strncpy
strspn strcspn strpbrk strdup strndup strtod strtoul strtoull strtol strtoll strerror strcasecmp strncasecmp strcat strncat
snprintf vsnprintf qsort bsearch abort __errno_location
__memcpy_chk __memmove_chk __memset_chk __snprintf_chk __vsnprintf_chk __strcpy_chk __strncpy_chk __strcat_chk __strncat_chk
__assert_fail __stack_chk_fail __udivmodti4 __divti3 __udivti3 __umodti3 __modti3 _GLOBAL_OFFSET_TABLE_ __ctype_b_loc __ctype_tolower_loc tolower toupper
__isoc99_sscanf __isoc23_strtol __isoc23_strtoul __isoc23_strtoull __isoc23_strtoll
open_memstream
""".split()) - {"open_memstream"}
MATH = set("""
acos asin atan atan2 cbrt ceil cos cosh erf erfc exp exp2 expm1 fabs floor fma fmax fmin fmod frexp hypot ldexp lgamma
lgamma_r llround log log10 log1p log2 logb lrint lround modf nearbyint nextafter nextafterf pow rint round sin sinh sqrt
sqrtf tan tanh tgamma trunc fabsf fmaxf fminf floorf ceilf roundf scalbn isnan isinf sincos
""".split())
# file or folder -> what it may call besides
EXTRA = {
    "config": re.compile(r"^(yaml_|json_|asprintf$|vasprintf$|__asprintf_chk$|__vasprintf_chk$|strtod_l$|newlocale$|freelocale$)"),
    "config/endpoint": re.compile(r"^inet_pton$"),
    "pages": re.compile(r"^madvise$"),  # memory, and nothing but its own
    "config/file": re.compile(r"^(fopen|fread|__fread_chk|ferror|fclose|opendir|readdir|closedir|stat)$"),
    "wire/job": re.compile(r"^json_"),
    "wire/feedback": re.compile(r"^json_"),
    "wire/recorded": re.compile(r"^json_"),
    "wire/cloud_event": re.compile(r"^json_"),
    "explain/live": re.compile(r"^json_"),
    "wire/json_wide": re.compile(r"^json_"),
    "wire/json_write": re.compile(r"^json_"),
}
LIBRARIES = ["jansson", "zmq", "czmq", "sqlite3", "yaml"]
SANITIZER = re.compile(r"^(__asan|__ubsan|__tsan|__sanitizer|__gcov|__llvm|_Unwind)")


def symbols(option, objects):
    """{object: its undefined or defined symbols}"""
    out = subprocess.run(["nm", option, "-P", "-A", *objects], check=True, capture_output=True, text=True).stdout
    found = {path: set() for path in objects}
    for path, _, rest in (line.partition(": ") for line in out.splitlines() if line.strip()):
        found[pathlib.Path(path)].add(rest.split()[0])
    return found


def exported(library):
    where = subprocess.run(["gcc", f"-print-file-name=lib{library}.so"], check=True, capture_output=True, text=True).stdout.strip()
    if not pathlib.Path(where).exists():
        return set()
    out = subprocess.run(["nm", "-D", "--defined-only", "-P", where], check=True, capture_output=True, text=True).stdout
    return {line.split()[0].split("@")[0] for line in out.splitlines() if line.strip()}


def main(build):
    root = pathlib.Path(build) / "obj" / "lib"
    objects = sorted(root.rglob("*.o"))
    if not objects:
        sys.exit("pure: no objects; run make first")
    own = set().union(*symbols("--defined-only", objects).values())
    faults = []
    for path, undefined in symbols("-u", objects).items():
        name = path.relative_to(root).with_suffix("").as_posix()
        extras = [EXTRA[key] for key in (name, name.split("/")[0]) if key in EXTRA]
        for symbol in sorted(undefined - own - CORE - MATH):
            if SANITIZER.match(symbol) or any(extra.match(symbol) for extra in extras):
                continue
            faults.append(f"{path}: calls {symbol}")
    for library in LIBRARIES:
        for symbol in sorted(own & exported(library)):
            faults.append(f"{symbol}: lib{library} has a function of that name")
    for fault in faults:
        print(fault)
    print(f"pure: {len(objects)} objects, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "build"))
