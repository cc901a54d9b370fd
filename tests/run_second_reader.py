#!/usr/bin/python3
"""ctrace-analyze and the second reader (read_trace.py, written from docs/trace-format.md) must
find the same in real traces: events, their times, their calls, totals.

usage: run_second_reader.py BUILD [NAME...]
"""
import json
from collections import Counter, defaultdict

from harness import PROGRAMS, Tests, analyze, check_trace, must, read_trace, run, short, traced, wait_complete

TRACES = [
    ("locks", ["waiters"]),
    ("sync", ["cond"]),
    ("io", ["poll"]),
    ("times", ["many"]),
    ("procs", ["fork"]),
    ("procs", ["exec-self"]),
    ("threads", ["many"]),
    ("threads", ["cancel"]),
    ("signals", ["nested"]),
    ("signals", ["storm"]),
]


def compare(program, arguments):
    def test(where):
        out = where / "t.bin"
        run(traced(out, [PROGRAMS / program, *arguments]), cwd=where)
        wait_complete(out)
        whole = check_trace(out)
        other = read_trace.Trace(out)
        lines = [json.loads(line) for line in analyze("dump", "--json", out).splitlines()]
        events = [e for e in lines if "event" in e]
        must(events, f"dump --json has no events: {short(json.dumps(lines[:2]))}")
        mine = [{**e, "call": other.calls.get(e["call"], ""), "tid": other.threads[e["thread"]]["tid"]} for e in other.events]
        must(len(events) == len(mine), f"{len(events)} events, the second reader has {len(mine)}")

        def keys(found):
            return Counter((e["tid"], e["call"], e["duration_ns"] if "duration_ns" in e else e["end_ns"] - e["start_ns"])
                           for e in found)

        theirs, ours = keys(events), keys(mine)
        must(theirs == ours, f"events differ: only in the dump {list((theirs - ours).items())[:3]}, only in the second "
                             f"reader {list((ours - theirs).items())[:3]}")
        # The first event's start tells whether times are absolute or count from the trace's start.
        base = min(e["start_ns"] for e in mine) - min(e["start_ns"] for e in events)
        must(base in (0, other.file["start_ns"]) or base == min(p["start_ns"] for p in other.processes.values()),
             f"times differ by {base}")
        must(sorted(e["start_ns"] + base for e in events) == sorted(e["start_ns"] for e in mine), "starts differ")
        theirs = [(s["tid"], s["cpu"], s["start_ns"], s["duration_ns"], s["slice"]) for s in lines if "slice" in s]
        ours = [(s["tid"], s["cpu"], s["start_ns"], s["end_ns"] - s["start_ns"], s["slice"].lower()) for s in other.slices]
        must(theirs == ours, f"slices differ: {len(theirs)} in the dump, {len(ours)} by the second reader")
        must(whole["trace"]["threads"] == len(other.threads) and whole["trace"]["processes"] == len(other.processes),
             f"{whole['trace']['threads']} threads of {whole['trace']['processes']} processes, the second reader has "
             f"{len(other.threads)} of {len(other.processes)}")
        # Counts by cause: what nested intervals are worth is the report's matter, that they are there is not.
        flags = read_trace_flags(other)
        for c in whole["causes"]:
            if c["cause"] in flags:
                must(c["count"] >= flags[c["cause"]], f"{c['cause']}: {c['count']} waits, {flags[c['cause']]} events")
        end = other.records["END"][-1]
        must(end["events"] == len(mine) and not end["dropped"], f"END says {end}")
    return test


def read_trace_flags(other):
    """Intervals of each cause that left the CPU: those are waits by any account, unless slices say that the thread was
    only preempted, or woken before it had left the CPU. Of nested ones the outer may not have slept itself: it is a wait
    all the same."""
    slept, left = defaultdict(list), {}
    for s in other.slices:
        tid = s["tid"]
        if tid in left and s.get("woken_ns", s["start_ns"]) > left[tid]:
            slept[tid].append(left[tid])
        left.pop(tid, None)
        if s["slice"] == "BLOCKED":
            left[tid] = s["end_ns"]
    for tid, ns in left.items():
        slept[tid].append(ns)
    return Counter(other.causes[e["cause"]] for e in other.events if e["kind"] == 1 and e["flags"] & 1 and e["cause"] and
                   (not other.slices or any(e["start_ns"] + 2000 < ns < e["end_ns"] - 2000
                                            for ns in slept[other.threads[e["thread"]]["tid"]])))


tests = Tests()
for program, arguments in TRACES:
    tests.run(f"dump of {program} {arguments[0]}", compare(program, arguments))
tests.finish()
