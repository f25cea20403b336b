#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""table.py RAW JSON PEER: medians of the benchmark's measurements.

RAW holds lines "case contestant value".  Prints a table of medians, spread and
ratios beside their targets, and writes the same to JSON.
"""

import json
import statistics
import sys

NS, RATE, BYTES = "ns/op", "bytes/s", "bytes"

BOTH, LOCAL, REMOTE = ("local", "remote"), ("local",), ("remote",)

# case: (unit, peer that the target is about, target, True: ratio of speeds at
# least; False: ratio of costs at most, whose attributes it is for)
CASES = {
    "stat-uncached": (NS, "fuse", 0.8, False, REMOTE),
    "create": (NS, "fuse", 2.0, True, LOCAL),
    "create-small": (NS, "fuse", 2.0, True, LOCAL),
    "unlink": (NS, "fuse", 2.0, True, LOCAL),
    "untar": (NS, "fuse", 2.0, True, LOCAL),
    "stat-warm": (NS, "native", 0.95, True, LOCAL),
    "open-close": (NS, "native", 0.95, True, LOCAL),
    "read-cached": (RATE, "native", 0.95, True, LOCAL),
    "read-1m-cold": (RATE, "fuse", 1.2, True, BOTH),
    "write-1m": (RATE, "fuse", 1.2, True, BOTH),
    "kernel-bytes-per-inode": (BYTES, "fuse", 1.0, False, BOTH),
    "server-bytes-per-inode": (BYTES, "fuse", 1.0, False, BOTH),
    "kernel-bytes-per-idle-mount": (BYTES, "fuse", 1.0, False, LOCAL),
}


def load(path):
    """Return {case: {contestant: [values]}} of the lines in path."""
    data = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[2].lstrip("-").isdigit():
                data.setdefault(words[0], {}).setdefault(words[1], []).append(int(words[2]))
    return data


def ratio(unit, ours, theirs, speed):
    """Compare two medians: as speeds (more is better) or as costs."""
    if ours is None or not theirs:
        return None
    faster = ours / theirs if unit == RATE else theirs / ours
    return faster if speed else ours / theirs


def spread(values):
    """Half the distance between the extremes, as percent of the median."""
    middle = statistics.median(values)
    return 50 * (max(values) - min(values)) / middle if middle else 0


def show(unit, value):
    """Write a value the way a person reads it."""
    if unit == RATE:
        return f"{value / 1e6:.0f} MB/s"
    if unit == BYTES:
        return f"{value:.0f} B"
    if value >= 1e7:
        return f"{value / 1e6:.0f} ms"
    return f"{value / 1e3:.1f} us"


def main():
    """Print the table, write the JSON."""
    raw, out, peer = sys.argv[1:4]
    data, rows = load(raw), []
    print(f"peer: passthrough_ll of {peer}, cache=always, clone_fd; fuse-wb: writeback as well")
    print(f"{'case':28}{'attr':8}{'fusex':>12}{'+-%':>5}"
          f"{'native':>12}{'fuse':>12}{'fuse-wb':>12}{'ratio':>8}  target")
    for case, (unit, against, target, speed, whose) in CASES.items():
        values = data.get(case, {})
        medians = {who: statistics.median(v) for who, v in values.items()}
        for attr in ("local", "remote"):
            if attr not in medians:
                continue
            ours = medians[attr]
            ratios = {who: ratio(unit, ours, medians[who], speed)
                      for who in ("native", "fuse", "fuse-wb") if who in medians}
            got = ratios.get(against)
            if speed:
                met = got is not None and got >= target
            else:
                met = against in medians and ours <= target * medians[against]
            goal = f"{'>=' if speed else '<='} {target} {against}{'' if met else '  MISSED'}"
            cells = "".join(f"{show(unit, medians[w]) if w in medians else '-':>12}"
                            for w in ("native", "fuse", "fuse-wb"))
            print(f"{case:28}{attr:8}{show(unit, ours):>12}{spread(values[attr]):5.0f}"
                  f"{cells}{got if got is not None else 0:8.2f}"
                  f"  {goal if attr in whose else ''}".rstrip())
            rows.append({"case": case, "unit": unit, "mode": "plain", "attr": attr,
                         "transport": "read/write", "fusex": ours,
                         "peers": {w: m for w, m in medians.items()
                                   if w not in ("local", "remote")},
                         "ratio": ratios, "rounds": len(values[attr])})
    floor = data.get("pipe", {}).get("floor")
    if floor and "stat-uncached" in data:
        base = statistics.median(floor)
        for who, values in data["stat-uncached"].items():
            print(f"round trip of {who}: {statistics.median(values) / base:.2f} x a pinned pipe ping-pong")
    with open(out, "w", encoding="utf-8") as handle:
        json.dump(rows, handle, indent=1)


main()
