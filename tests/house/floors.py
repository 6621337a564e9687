#!/usr/bin/env python3
"""floors.py: fails when a file includes what its floor may not.

Floors, lowest first. A file may include its own folder, floors below it within its own house, and what FLOORS says.
Stations of the daemon see the library (but not its configuration) and daemon/base, never one another.
"""
import pathlib
import re
import sys

# folder -> folders it may include besides itself. "lib" stands for the files that lie in lib/ itself.
GROUND = ["lib"]
FLOOR_2 = GROUND + ["lib/stats"]
LIBRARY = ["lib", "lib/stats", "lib/wire", "lib/detect", "lib/calibrate", "lib/retrain", "lib/monitor", "lib/explain"]
STATION = LIBRARY + ["daemon/base"]
FLOORS = {
    "lib": [],
    "lib/stats": GROUND,
    "lib/wire": FLOOR_2,
    "lib/calibrate": FLOOR_2,
    "lib/detect": FLOOR_2 + ["lib/calibrate"],
    "lib/monitor": FLOOR_2 + ["lib/wire", "lib/detect", "lib/calibrate"],
    "lib/retrain": FLOOR_2 + ["lib/monitor", "lib/wire"],
    "lib/explain": FLOOR_2 + ["lib/wire", "lib/detect", "lib/calibrate", "lib/monitor"],
    "lib/config": LIBRARY,
    "lib/backtest": LIBRARY + ["lib/config"],
    "daemon/base": [],
    "daemon/ingest": STATION,
    "daemon/workers": STATION,
    "daemon/requests": STATION,
    "daemon/dispatch": STATION,
    "daemon/observe": STATION,
    "daemon/security": STATION,
    "daemon/control": STATION,
    "daemon/checkpoint": STATION,
    # engine and main: the only places that know the configuration and all the stations
    "daemon": STATION + ["lib/config", "daemon/ingest", "daemon/workers", "daemon/requests", "daemon/dispatch",
                         "daemon/observe", "daemon/control", "daemon/security", "daemon/checkpoint"],
    "daemon/engine": STATION + ["lib/config", "daemon/ingest", "daemon/workers", "daemon/requests", "daemon/dispatch",
                                "daemon/observe", "daemon/control", "daemon/security", "daemon/checkpoint"],
    "cli": LIBRARY + ["lib/config", "lib/backtest"],
}
# A file that stands above its folder or below it, and why.
FILES = {
    "lib/drift.c": LIBRARY,                    # the public face: one call over the whole library
    "lib/detect/detect.h": FLOOR_2,
    "daemon/main.c": ["daemon/engine", "lib", "daemon/base", "lib/config"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def folder(path):
    return str(pathlib.PurePosixPath(path).parent)


def circles(graph):
    """Yields circles of files by depth-first search."""
    state, stack = {}, []

    def visit(node):
        state[node] = 1
        stack.append(node)
        for to in graph.get(node, ()):
            if state.get(to) == 1:
                yield stack[stack.index(to):] + [to]
            elif to not in state:
                yield from visit(to)
        stack.pop()
        state[node] = 2

    for node in list(graph):
        if node not in state:
            yield from visit(node)


def main():
    faults, graph = [], {}
    files = sorted(p.as_posix() for top in ("lib", "daemon", "cli") for p in pathlib.Path(top).rglob("*.[ch]"))
    for file in files:
        text = pathlib.Path(file).read_text(encoding="utf-8")
        mine = folder(file)
        allowed = FILES.get(file, FLOORS.get(mine))
        if allowed is None:
            faults.append(f"{file}: the folder {mine} has no floor; give it one in tests/house/floors.py")
            continue
        graph[file] = []
        for match in INCLUDE.finditer(text):
            target = match.group(1)
            line = text.count("\n", 0, match.start()) + 1
            if target.startswith("build/") or "/" not in target:
                faults.append(f'{file}:{line}: "{target}": includes are written from the root of the tree')
                continue
            if not pathlib.Path(target).exists():
                continue
            graph[file].append(target)
            if folder(target) != mine and folder(target) not in allowed:
                faults.append(f"{file}:{line}: {mine} may not include {target}")
    for circle in circles(graph):
        faults.append("circle: " + " -> ".join(circle))
    for fault in faults:
        print(fault)
    print(f"floors: {len(files)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
