"""messages.py - the sentences in the C sources that a person can meet, as patterns to find in what a program said."""
import glob
import os
import re

import line

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|#include[^\n]*|_Static_assert\s*\(.*?\);|\'(?:\\.|[^\'\\])\'|"(?:\\.|[^"\\])*"|[^\s]', re.S)
CONVERSION = re.compile(r"%(?:%|[-+ #0]*[\d*]*(?:\.(?:\d+|\*))?(?:hh|h|ll|l|j|z|t)?[a-zA-Z])")
ESCAPES = {r"\"": '"', r"\\": "\\", r"\n": "\n", r"\t": "\t", r"\v": "\v"}


def literals(text):
    """The string literals of C source in their order, adjacent ones as one."""
    found, open_ = [], False
    for token in TOKEN.findall(text):
        if token.startswith(("//", "/*")):
            continue
        if not token.startswith('"'):
            open_ = False
            continue
        plain = re.sub(r"\\.", lambda m: ESCAPES.get(m.group(), m.group()), token[1:-1])
        if open_:
            found[-1] += plain
        else:
            found.append(plain)
        open_ = True
    return found


def sentences(*patterns, but=()):
    """{literal: file} of what has the look of a sentence, or of a part of one, in the files."""
    found = {}
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(line.ROOT, pattern))):
            name = os.path.relpath(path, line.ROOT)
            if name in but:
                continue
            with open(path, encoding="utf-8") as file:
                for text in literals(file.read()):
                    if re.search(r"[a-z]{2,} [a-z]|[a-z]; ", CONVERSION.sub("", text)):
                        found.setdefault(text, name)
    return found


def pattern_of(text):
    """A pattern of everything that a format can become."""
    parts, at = [], 0
    for conversion in CONVERSION.finditer(text):
        parts.append(re.escape(text[at:conversion.start()]))
        parts.append("%" if conversion.group() == "%%" else r"[^\n]*")
        at = conversion.end()
    return re.compile("".join(parts) + re.escape(text[at:].rstrip("\n")))


def is_part_of(said, sentence):
    """Whether something that was said is said by a format: at least a dozen characters of it that it does not fill in."""
    constant = sorted((part.strip() for part in CONVERSION.split(sentence)), key=len)[-1]
    return constant in said or (len(said.strip()) >= 12 and said.strip() in constant)
