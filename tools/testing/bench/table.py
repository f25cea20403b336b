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


PASSTHROUGH = ("write-128k", "read-128k", "randwrite-4k", "randread-4k",
               "write-128k-dio", "read-128k-dio", "randwrite-4k-dio",
               "randread-4k-dio", "read-cached")
COSTS = ("stat-warm", "create", "unlink", "untar")

# mode: [(cases, peer, ratio of speeds at least)]; the first peer is the libfuse
# server and setting that does the same
MODES = {
    "plain": [(PASSTHROUGH + COSTS, "fuse", 1.0), (("read-cached",), "native", 0.95)],
    "direct": [(PASSTHROUGH + COSTS, "fuse-direct", 1.0)],
    "writeback": [(PASSTHROUGH + COSTS, "fuse-wb", 1.0),
                  (("write-128k", "randwrite-4k"), "fuse", 5.0),
                  (("write-128k", "randwrite-4k"), "fuse-wb", 2.0),
                  (("read-cached",), "native", 0.95)],
    "passthrough": [(PASSTHROUGH + COSTS, "fuse-hp", 1.0),
                    (PASSTHROUGH + COSTS, "fuse", 1.0), (PASSTHROUGH, "native", 0.95)],
}

ALLOCATING = ("write-128k", "write-128k-fsync", "write-128k-dio")
IN_PLACE = ("overwrite-128k", "overwrite-128k-dio", "read-128k", "read-128k-dio",
            "randwrite-4k", "randwrite-4k-dio", "randread-4k", "randread-4k-dio",
            "read-cached")
NAMES = ("stat-warm", "open-close", "readdir-stat", "create", "unlink", "untar", "rm-rf")

EXT4 = {
    "fusex": [(IN_PLACE, "ext4", 0.97), (ALLOCATING, "ext4", 0.85),
              (("stat-warm", "open-close"), "ext4", 0.95),
              (("readdir-stat",), "ext4", 0.3),
              (("create", "unlink"), "ext4", 0.2), (("create", "unlink"), "fuse2fs", 5.0)],
}


KEPT = ("kept-write-128k", "kept-read-128k", "kept-randwrite-4k", "kept-randread-4k", "load",
        "store")
FAULTS = ("fault-4k", "fault-4k-store", "fault-4k-first", "fault-2m", "fault-2m-store",
          "fault-2m-first")

DAX = {"fusex-dax": [(KEPT + FAULTS + ("write-128k",), "kernel-dax", 0.95)]}

EXTENTS = {"million": [(FAULTS, "one", 0.67)]}


class Comparison:
    """Cases in which some contestants, ours, are held against others."""

    def __init__(self, part, title, note, rates, costs, peers, ours, mode):
        self.part = part        # what the names of its cases begin with
        self.title = title
        self.note = note        # settings of the peers
        self.rates = rates      # cases that are speeds of data
        self.costs = costs      # cases that are times of an operation
        self.peers = peers      # columns
        self.ours = ours        # {contestant: goals}
        self.mode = mode        # contestant -> io mode

    def goals(self, who, case, speeds):
        """Return [(peer, ratio, goal, met)] of what is asked of ours in a case."""
        goals = []
        for cases, peer, goal in self.ours[who]:
            if case in cases and speeds.get(peer) and speeds.get(who):
                got = speeds[who] / speeds[peer]
                goals.append((peer, got, goal, got >= goal))
        return goals

    def print_case(self, case, values, rows):
        """Print the medians of a case and whether goals are met; append to rows."""
        medians = {who: statistics.median(v) for who, v in values.items()}
        unit = RATE if case in self.rates else NS
        speeds = {who: m if unit == RATE else 1 / m for who, m in medians.items() if m}
        print(f"{case:20}" + "".join(
            f"{show(unit, medians[p]) if p in medians else '-':>13}" for p in self.peers))
        for who in self.ours:
            goals = self.goals(who, case, speeds)
            for peer, got, goal, met in goals:
                print(f"  {who:12} {got:6.2f} x {peer:12} >= {goal}{'' if met else '  MISSED'}")
            rows.append({"case": case, "unit": unit, "mode": self.mode(who),
                         "attr": "local", "transport": "read/write",
                         "fusex": medians.get(who),
                         "peers": {w: m for w, m in medians.items() if w not in self.ours},
                         "ratio": {peer: got for peer, got, _, _ in goals},
                         "rounds": len(values.get(who, []))})

    def print(self, data, rows):
        """Print all of it, if there is any."""
        cases = [(case, data[f"{self.part}/{case}"]) for case in self.rates + self.costs
                 if f"{self.part}/{case}" in data]
        if not cases:
            return
        print(f"\n{self.note}")
        print(f"{self.title:20}" + "".join(f"{p:>13}" for p in self.peers))
        for case, values in cases:
            self.print_case(case, values, rows)


COMPARISONS = (
    Comparison("modes", "modes, local",
               "fuse-direct: passthrough_ll, cache=never; fuse-hp: passthrough_hp, cached, "
               "clone-fd, the kernel's passthrough; overlay: the kernel's overlayfs",
               PASSTHROUGH, COSTS,
               ("native", *MODES, "fuse", "fuse-wb", "fuse-direct", "fuse-hp", "overlay"),
               MODES, lambda who: who),
    Comparison("ext4", "ext4",
               "ext4: the kernel's, its defaults; fusex: fusex-ext4, io=iomap; fuse2fs: "
               "kernel_cache, clone_fd,\nattributes and names cached for ever; each on a "
               "ramdisk of its own",
               ALLOCATING + IN_PLACE, NAMES, ("ext4", "fusex", "fuse2fs"),
               EXT4, lambda who: "iomap"),
    Comparison("dax", "dax",
               "kernel-dax: ext4 of the kernel, dax=always; fusex-dax: fusex-ext4, io=dax; by "
               "turns on one memory\ndevice",
               ("write-128k",) + KEPT, FAULTS, ("kernel-dax", "fusex-dax"), DAX, lambda who: "dax"),
    Comparison("extents", "cached extents",
               "files of which one mapping is cached, or a million",
               (), FAULTS, ("one", "million"), EXTENTS, lambda who: "dax"),
)


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


def print_mirror(data, rows, peer):
    """Print plain mode, and memory, and append the same to rows."""
    if not any(case in data for case in CASES):
        return
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


def main():
    """Print the tables, write the JSON."""
    raw, out, peer = sys.argv[1:4]
    data, rows = load(raw), []
    print_mirror(data, rows, peer)
    for comparison in COMPARISONS:
        comparison.print(data, rows)
    with open(out, "w", encoding="utf-8") as handle:
        json.dump(rows, handle, indent=1)


main()
