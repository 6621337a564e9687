#!/usr/bin/env python3
"""detection_report.py TSV [SVG]: what bench/detection measured, as the tables of docs/detection.md; and its figure.

A cell of the first table is the time to a false alarm, where one in 10,000 values was promised or the default was taken;
of the second the median delay at that rate, with thresholds tuned to it where nothing can be promised.
"""
import math
import sys

PROMISE = 10000
PATIENCE = 4000
ORDER = ["window", "evidence", "cusum", "ewma", "shewhart", "page_hinkley", "adwin", "kswin", "ddm", "eddm", "hddm_a", "hddm_w",
         "psi", "js", "chi2", "ks", "wasserstein"]
INK, MUTED, GRID, PROMISED, TUNED = "#1f2937", "#6b7280", "#e5e7eb", "#0f766e", "#c2410c"


def number(text):
    value = float(text)
    return None if math.isnan(value) else value


def read(path):
    rows = {}
    with open(path) as file:
        next(file)
        for line in file:
            scene, detector, kind, time, delay, knob, tuned_time, tuned_delay = line.rstrip("\n").split("\t")
            rows[scene, detector] = {"promised": kind == "promised", "time": number(time), "delay": number(delay), "knob": knob,
                                     "tuned": number(tuned_delay)}
    return rows


def delay_of(row):
    return row["delay"] if row["promised"] else row["tuned"]


def said(value, least=None):
    if value is None:
        return ""
    if math.isinf(value):
        return "-"
    if least and value >= least:
        return f"> {least:,}"
    return f"{value:,.0f}"


def table(rows, scenes, cell):
    print("| detector | " + " | ".join(scenes) + " |")
    print("|---|" + "---|" * len(scenes))
    for detector in ORDER:
        cells = [cell(rows[scene, detector]) if (scene, detector) in rows else "" for scene in scenes]
        if any(cells):
            print(f"| `{detector}` | " + " | ".join(cells) + " |")
    print()


def figure(rows, scenes, path):
    left, top, row_height, panel, gap = 110, 64, 19, 250, 26
    columns, lines = 3, math.ceil(len(scenes) / 3)
    height_of = row_height * len(ORDER)
    width = left + columns * (panel + gap)
    height = top + lines * (height_of + 74)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{left}" y="20" fill="{INK}" font-size="15">Values from a change to the alarm (median), at one false alarm in '
           f'{PROMISE:,} values</text>',
           f'<circle cx="{left + 5}" cy="36" r="4.5" fill="{PROMISED}"/><text x="{left + 15}" y="40" fill="{INK}">by promise</text>',
           f'<circle cx="{left + 105}" cy="36" r="4.5" fill="white" stroke="{TUNED}" stroke-width="2"/>'
           f'<text x="{left + 115}" y="40" fill="{INK}">tuned to it on the healthy stream, which nobody can in practice</text>']

    def place(value):
        return panel * math.log10(max(1, value)) / math.log10(PATIENCE)

    for index, scene in enumerate(scenes):
        x = left + index % columns * (panel + gap)
        y = top + index // columns * (height_of + 74) + 18
        out.append(f'<text x="{x}" y="{y - 6}" fill="{INK}" font-weight="bold">{scene}</text>')
        for tick in (1, 10, 100, 1000):
            at = x + place(tick)
            out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y}" y2="{y + height_of}" stroke="{GRID}"/>'
                       f'<text x="{at:.1f}" y="{y + height_of + 15}" fill="{MUTED}" text-anchor="middle">{tick:,}</text>')
        for line, detector in enumerate(ORDER):
            middle = y + row_height * (line + 0.5)
            if index % columns == 0:
                out.append(f'<text x="{x - 8}" y="{middle + 4}" fill="{INK}" text-anchor="end">{detector}</text>')
            row = rows.get((scene, detector))
            if not row:
                continue
            out.append(f'<line x1="{x}" x2="{x + panel}" y1="{middle}" y2="{middle}" stroke="{GRID}"/>')
            delay = delay_of(row)
            if delay is None or math.isinf(delay):
                out.append(f'<text x="{x + panel}" y="{middle + 4}" fill="{MUTED}" text-anchor="end">'
                           f'{"cannot be tuned" if delay is None else "not found"}</text>')
                continue
            style = f'fill="{PROMISED}"' if row["promised"] else f'fill="white" stroke="{TUNED}" stroke-width="2"'
            out.append(f'<circle cx="{x + place(delay):.1f}" cy="{middle}" r="4.5" {style}/>')
    out.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")


def main():
    rows = read(sys.argv[1])
    scenes = list(dict.fromkeys(scene for scene, _ in rows))
    print(f"Values to a false alarm on healthy streams, where one in {PROMISE:,} was promised (or by default: in brackets)\n")
    table(rows, scenes, lambda row: said(row["time"], 250000) if row["promised"] else f"({said(row['time'], 250000)})"
          if row["time"] is not None else "")
    print("Median delay at that rate (tuned, where nothing can be promised: in brackets)\n")
    table(rows, scenes, lambda row: said(delay_of(row)) if row["promised"] else f"({said(delay_of(row))})"
          if delay_of(row) is not None else "")
    if len(sys.argv) > 2:
        figure(rows, scenes, sys.argv[2])


if __name__ == "__main__":
    main()
