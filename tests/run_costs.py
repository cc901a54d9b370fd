#!/usr/bin/python3
"""What a trace says of ctrace's own cost: the estimate of `stats`, on programs that do one thing.

usage: run_costs.py BUILD [NAME...]
"""
import json
import signal
import sys
from pathlib import Path

from harness import Tests, analyze, check_trace, must, report, run, traced, wait_complete

MICRO = Path(sys.argv[1]) / "tests/bench/bench-micro"
KINDS = ["CLOCK", "COUNTED", "TIMED", "WRITTEN", "STACK", "SWITCH", "THREAD", "PROCESS"]


def trace_of(where, argv, options=()):
    out = where / "trace.bin"
    ended = run(traced(out, argv, options), cwd=where)
    must(ended.status == 0, str(ended))
    wait_complete(out)
    check_trace(out)
    return out


def costs(trace):
    lines = [json.loads(line) for line in analyze("dump", "--json", trace).splitlines() if '"COST"' in line]
    must([c["what"] for c in lines] == list(range(len(KINDS))), f"one of each kind: {lines}")
    must(all(c["ps"] for c in lines), f"nothing is free: {lines}")
    return {KINDS[c["what"]]: c["ps"] / 1000 for c in lines}


def near(value, wanted, what):
    must(abs(value - wanted) <= 1 + wanted / 1000, f"{what}: {value}, not {wanted}")


def adds_up(trace):
    """Returns the estimate and the prices."""
    price, found = costs(trace), report(trace, command="stats")
    cost, events, calls = found["cost"], found["trace"]["events"], sum(c["calls"] for c in found["calls"])
    near(sum(cost["parts"].values()), cost["program_cpu_ns"] - 3, "parts")
    near(cost["parts"]["written_ns"], events * price["WRITTEN"], "written")
    near(cost["parts"]["starts_ns"], found["trace"]["threads"] * price["THREAD"] +
         found["trace"]["processes"] * price["PROCESS"], "starts")
    # Each call is counted or timed.
    most = calls * max(price["COUNTED"], price["TIMED"]) + events * price["TIMED"]
    must(0 < cost["parts"]["counted_ns"] + cost["parts"]["timed_ns"] <= most, f"{cost} of {calls} calls")
    must(0 < cost["wall_ns"] <= cost["program_cpu_ns"], str(cost))
    must(cost["collector_cpu_ns"] == found["file"]["collector_cpu_ns"], str(cost))
    near(cost["wall_share"] * found["trace"]["duration_ns"], cost["wall_ns"], "share of the wall time")
    return cost, price


def locks(where):
    cost, price = adds_up(trace_of(where, [MICRO, "lock", "2000000"]))
    # 2,020,001 pairs.
    near(cost["parts"]["counted_ns"] / 1e6, 4.04 * price["COUNTED"], "ms of locks")


def reads(where):
    cost, price = adds_up(trace_of(where, [MICRO, "read", "200000"]))
    must(cost["parts"]["timed_ns"] >= 200000 * price["TIMED"], str(cost))


def threads(where):
    cost, price = adds_up(trace_of(where, [MICRO, "threads", "200"]))
    must(cost["parts"]["starts_ns"] >= 200 * price["THREAD"], str(cost))


def no_stacks(where):
    options = ["--stacks", "off", "--sched", "off", "--min", "0"]
    cost, _ = adds_up(trace_of(where, [MICRO, "poll", "2000"], options))
    must(cost["parts"]["stacks_ns"] == cost["parts"]["switches_ns"] == 0 < cost["parts"]["written_ns"], str(cost))


def text(where):
    printed = analyze("stats", trace_of(where, [MICRO, "malloc", "100000"]))
    for part in "What recording cost, estimated", "wall time", "CPU time", "calls that were counted", "of a core":
        must(part in printed, f"{part}: {printed}")
    must(max(map(len, printed.split("\nCalls")[0].split("What recording cost")[1].splitlines())) <= 80, printed)


def cut(where):
    """A trace without its end has none, and says so."""
    whole = trace_of(where, [MICRO, "lock", "1000"]).read_bytes()
    short = where / "cut.bin"
    short.write_bytes(whole[: len(whole) * 2 // 3])
    must(report(short, command="stats", status=1)["cost"] is None, "a cost of half a trace")
    must("What recording cost" not in analyze("stats", short, status=1), "a cost of half a trace")


signal.alarm(300)
tests = Tests()
tests.run("locks", locks)
tests.run("calls that are timed", reads)
tests.run("threads", threads)
tests.run("without stacks and context switches", no_stacks)
tests.run("text", text)
tests.run("a trace that was cut", cut)
tests.finish()
