#!/usr/bin/python3
"""Programs that hang: what `ctrace-analyze deadlocks` says of them while they run, and when they were killed;
and ctrace-run --watchdog.

usage: run_deadlocks.py BUILD [NAME...]

See tests/programs/stuck.c. CTRACE_TEST_KEEP=1 keeps the traces.
"""
import json
import os
import re
import signal
import time

from harness import (ANALYZE, PROGRAMS, RUN, Failure, Skip, Tests, analyze, functions, must, preloaded, read_trace,
                     report, run, short, traced, wait_complete)

STUCK = PROGRAMS / "stuck"


def live_report(trace):
    """Of a trace that is still being written: this is no damage."""
    ended = run([ANALYZE, "deadlocks", "--json", "--top", "0", trace])
    must(ended.status == 0 and not ended.err, f"{ended}; expected status 0 and no word")
    return json.loads(ended.out)


def cycles(found):
    """Each as the set of (waiter, held by)."""
    names = {t["tid"]: t["name"] for c in found["cycles"] for t in c["threads"]}
    return sorted(sorted((t["name"], names.get(t["held_by"])) for t in c["threads"]) for c in found["cycles"])


def stalls(found):
    return sorted((t["name"], t["reason"]) for t in found["stalls"])


class Expected:
    def __init__(self, cycles=(), stalls=(), function=None, object_=None, cause=None, taken=None):
        self.cycles = sorted(sorted(c) for c in cycles)
        self.stalls = sorted(stalls)
        self.function, self.object, self.cause = function, object_, cause
        self.taken = taken or {}  # where a thread of a cycle took the lock that it holds

    def check(self, found):
        must(cycles(found) == self.cycles, f"cycles {cycles(found)}, expected {self.cycles}")
        must(stalls(found) == self.stalls, f"stalls {stalls(found)}, expected {self.stalls}")
        for t in (t for c in found["cycles"] for t in c["threads"]):
            for key in ("pid", "tid", "call", "wait_ns", "holders"):
                must(t.get(key), f"no {key} in {short(json.dumps(t))}")
            must(not self.cause or t["cause"] == self.cause, f"cause {t['cause']}, expected {self.cause}")
            must(not self.function or self.function in functions(t), f"{self.function} is not in {functions(t)}")
            for h in t["holders"]:
                taken = self.taken.get(h["name"])
                must(not taken or h["role"] == "writer" or functions(h)[:1] == [taken],
                     f"{h['name']} took it in {functions(h)}, expected {taken}")
            must(not self.object or self.object in t["object"], f"object {t['object']}, expected {self.object}")


def ring(n):
    return [(f"ring-{i}", f"ring-{(i + 1) % n}") for i in range(n)]


BEHIND = ("main", "behind")
RING_2 = Expected([ring(2)], [BEHIND], "take", "g_lock", "mutex", {"ring-0": "take", "ring-1": "take"})

CASES = [
    ("self", [], Expected([[("self", "self")]], [BEHIND], "take", "g_lock", "mutex", {"self": "take"})),
    ("cycle", ["2"], RING_2),
    ("cycle", ["5"], Expected([ring(5)], [BEHIND], "take", "g_lock", "mutex", {f"ring-{i}": "take" for i in range(5)})),
    ("among", [], Expected([ring(2)], [BEHIND], "take", "g_lock", "mutex")),
    ("timed", [], Expected()),
    ("ended", [], Expected([], [("waiter", "ended"), BEHIND])),
    ("holder", [], Expected([], [("waiter", "holder")])),
    ("changes-hands", [], Expected([[("waiter", "second"), ("second", "waiter")]], [], "take", "g_lock", "mutex")),
    ("upgrade", [], Expected([[("upgrader", "upgrader")]], [BEHIND], "upgrade_lock", "g_rwlock", "rwlock",
                             {"upgrader": "upgrader"})),
    ("sites", [], Expected([[("left", "right"), ("right", "left")]], [BEHIND],
                           taken={"left": "hold_left", "right": "hold_right"})),
    ("upgrades", [], Expected([[("up-0", None), ("up-1", None)]], [BEHIND], "upgrade_lock", "g_rwlock", "rwlock")),
    ("behind-writer", [], Expected([[("reader", "writer"), ("writer", "reader")]], [BEHIND], None, "g_rwlock", "rwlock",
                                   {"reader": "reads_twice"})),
    ("joins", [], Expected([[(f"join-{i}", f"join-{(i + 1) % 3}") for i in range(3)]], [], "joiner", None, "join")),
    ("lost-signal", [], Expected([], [("waiter", "nobody"), BEHIND])),
    ("mixed", [], Expected([], [("holder", "nobody"), ("signaller", "behind"), BEHIND])),
    ("comes-back", [], Expected([[("waiter", "keeper"), ("keeper", "waiter")]], [BEHIND])),
    ("idle", [], Expected()),
    ("idle", ["join"], Expected()),
    ("processes", [], Expected([[("parent", "child"), ("child", "parent")]], [], "take", None, "mutex")),
    ("processes", ["wait"], Expected([[("parent", "child"), ("child", "parent")]])),
]


def said_ready(output, seconds=20):
    until = time.monotonic() + seconds
    while not (m := re.search(r'\{"ready":(\[[\d,]+\])\}', output())):
        must(time.monotonic() < until, f"the program did not get ready: {short(output())}")
        time.sleep(0.01)
    return json.loads(m[1])


def without_holders(expected, found):
    """Of two that upgrade each waits for itself, too: which of the two is named is not promised."""
    for c in found["cycles"]:
        if len(c["threads"]) == 2 and any(("up-0", None) in e for e in expected.cycles):
            for t in c["threads"]:
                t["held_by"] = None
    return found


def case(name, arguments, expected):
    def test(where):
        trace = where / "t.bin"

        def during(output):
            pids = said_ready(output)
            try:
                until = time.monotonic() + 8
                while True:
                    try:
                        # What hangs must be seen soon; what does not, must still not be after a while.
                        if not expected.cycles and not expected.stalls:
                            time.sleep(2.5)
                        expected.check(without_holders(expected, live_report(trace)))
                        break
                    except Failure as e:
                        if time.monotonic() > until or "expected status 0" in str(e):
                            raise Failure(f"while it runs: {e}") from None
                        time.sleep(0.2)
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)

        ended = run(traced(trace, [STUCK, name, *arguments]), cwd=where, during=during)
        must(ended.status == -signal.SIGKILL, f"{ended}; expected to be killed")
        wait_complete(trace)
        analyze("check", trace)
        must(not read_trace.Trace(trace).faults, "the second reader finds damage")
        expected.check(without_holders(expected, report(trace, command="deadlocks")))
        for width in ("80", "200"):
            text = run([ANALYZE, "deadlocks", trace], env={"COLUMNS": width})
            must(text.status == 0, str(text))
            long = [line for line in text.out.encode("latin-1").decode().splitlines() if len(line) > int(width)]
            must(not long, f"lines of more than {width} columns: {long[:2]}")
        blocks = analyze("blocks", trace)
        must(("deadlock: " in blocks) == bool(expected.cycles), "the line in `blocks` is there or missing wrongly")
    return test


def killed_at_once(where):
    """No wait has lasted for a second: the events that were open say it."""
    trace = where / "t.bin"
    ended = run(traced(trace, [STUCK, "cycle", "2"]), cwd=where,
                during=lambda output: os.kill(said_ready(output)[0], signal.SIGKILL))
    wait_complete(trace)
    found = report(trace, command="deadlocks")
    must(cycles(found) == [ring(2)], f"{ended}")
    RING_2.check({**found, "stalls": [{"name": "main", "reason": "behind"}]})
    blocks = analyze("blocks", trace)
    must(f"deadlock: 2 threads wait for each other: ctrace-analyze deadlocks {trace}" in blocks, short(blocks, 2000))


def collector_killed(where):
    """The trace has no end, and never will."""
    trace = where / "t.bin"

    def during(output):
        pid = said_ready(output)[0]
        time.sleep(3.5)
        children = [int(p) for p in os.listdir("/proc") if p.isdigit()
                    and b"ctrace-collector" in command(p) and str(trace).encode() in command(p)]
        must(children, "no collector")
        for p in children:
            os.kill(p, signal.SIGKILL)
        time.sleep(0.2)
        os.kill(pid, signal.SIGKILL)

    run(traced(trace, [STUCK, "cycle", "2"]), cwd=where, during=during)
    must(cycles(live_report(trace)) == [ring(2)], "the cycle is not in the trace")


def command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read()
    except OSError:
        return b""


def preload_alone(where):
    trace = where / "p.bin"

    def during(output):
        pid = said_ready(output)[0]
        time.sleep(3)
        found = live_report(trace)
        os.kill(pid, signal.SIGKILL)
        must(cycles(found) == [[("upgrader", "upgrader")]], f"cycles {cycles(found)}")

    run([STUCK, "upgrade"], cwd=where, env=preloaded(trace), during=during)
    wait_complete(trace)


def answers(where):
    """What glibc answers to threads that join themselves or each other stays so."""
    argv = [STUCK, "join-answers"]
    plain, ended = run(argv, cwd=where), run(traced(where / "t.bin", argv), cwd=where)
    must((plain.status, plain.out) == (ended.status, ended.out), f"{ended}, untraced {plain}")


def filters(where):
    trace = where / "t.bin"
    run(traced(trace, [STUCK, "cycle", "2"]), cwd=where,
        during=lambda output: os.kill(said_ready(output)[0], signal.SIGKILL))
    wait_complete(trace)
    must(report(trace, "--thread", "ring-0", command="deadlocks")["cycles"], "a cycle is shown as a whole")
    must(not report(trace, "--thread", "main", command="deadlocks")["cycles"], "--thread selects nothing")
    must(not report(trace, "--cause", "cond", command="deadlocks")["cycles"], "--cause selects nothing")
    must(not report(trace, "--min", "1h", command="deadlocks")["cycles"], "--min selects nothing")


NO_PROGRESS = "no thread has made progress for "


def watchdog(where):
    trace = where / "t.bin"
    seen = []

    def during(output):
        pid = said_ready(output)[0]
        started = time.monotonic()
        # Its stderr is in a file that only the harness has: look into it through /proc.
        until = started + 10
        while NO_PROGRESS not in (text := stderr_of(pid)):
            must(time.monotonic() < until, "the watchdog did not bark within 10 s")
            time.sleep(0.05)
        seen.append(time.monotonic() - started)
        time.sleep(2.5)
        seen.append(stderr_of(pid))
        os.kill(pid, signal.SIGKILL)

    ended = run([RUN, "-q", "-o", trace, "--watchdog", "1s", "--", STUCK, "cycle", "2"], cwd=where, during=during)
    must(ended.status == -signal.SIGKILL, str(ended))
    must(0.5 < seen[0] < 4, f"the watchdog barked after {seen[0]:.1f} s")
    must(ended.err.count(NO_PROGRESS) == 1, f"not once a stall: {short(ended.err, 3000)}")
    for wanted in ("Deadlock 1: 2 threads wait for each other", "ring-0", "ring-1", "g_lock", "held by", "taken in  take"):
        must(wanted in seen[1], f"{wanted} is missing: {short(seen[1], 3000)}")
    must("ctrace-analyze:" not in ended.err, f"a warning: {short(ended.err, 3000)}")
    must(ended.out.count("\n") == 1, f"the report is on stdout: {short(ended.out)}")
    wait_complete(trace)
    analyze("check", trace)


def stderr_of(pid):
    with open(f"/proc/{pid}/fd/2", "rb") as f:
        return f.read().decode("utf-8", "replace")


def watchdog_twice(where):
    """A program that pauses twice is told of twice, and ends as without."""
    argv = [STUCK, "pauses"]
    plain = run(argv, cwd=where)
    for sched in ("auto", "off"):
        ended = run([RUN, "-q", "-o", where / "t.bin", "--sched", sched, "--watchdog", "700ms", "--", *argv], cwd=where)
        must((ended.status, ended.out) == (plain.status, plain.out), f"{ended}, untraced {plain}")
        must(ended.err.count(NO_PROGRESS) == 2, f"not twice: {short(ended.err, 3000)}")
        must("No deadlock" in ended.err, short(ended.err, 3000))


def watchdog_flight(where):
    """A flight recorder writes a snapshot of it."""
    def during(output):
        pid = said_ready(output)[0]
        until = time.monotonic() + 60
        while "Deadlock 1" not in stderr_of(pid):
            must(time.monotonic() < until, f"the watchdog did not bark: {short(stderr_of(pid), 3000)}")
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)

    ended = run([RUN, "-q", "-o", where / "t.bin", "--flight", "30s", "--watchdog", "1s", "--", STUCK, "cycle", "2"], cwd=where, during=during,
                timeout=120)
    must(ended.status == -signal.SIGKILL and ended.err.count(NO_PROGRESS) == 1, str(ended))
    for wanted in ("Deadlock 1: 2 threads wait for each other", "ring-0", "g_lock"):
        must(wanted in ended.err, f"{wanted} is missing: {short(ended.err, 3000)}")
    analyze("check", where / "t-1.bin")
    must(NO_PROGRESS in analyze("stats", where / "t-1.bin"), "what it was written for")


def watchdog_silent(where):
    for sched in ("auto", "off"):
        ended = run([RUN, "-q", "-o", where / "t.bin", "--sched", sched, "--watchdog", "600ms", "--", STUCK, "busy"], cwd=where)
        must(ended.status == 3 and not ended.err, f"{ended}; expected silence")


def watchdog_options(where):
    for bad in ("0", "x", "-1s", ""):
        ended = run([RUN, "--watchdog", bad, "--", "/bin/true"], cwd=where)
        must(ended.status == 125 and ended.err.startswith("ctrace-run: --watchdog"), str(ended))


if not STUCK.exists():
    raise SystemExit("no program stuck")
tests = Tests()
for name, arguments, expected in CASES:
    tests.run(" ".join([name, *arguments]), case(name, arguments, expected))
tests.run("killed at once", killed_at_once)
tests.run("collector killed", collector_killed)
tests.run("preload alone", preload_alone)
tests.run("join answers", answers)
tests.run("filters", filters)
tests.run("watchdog", watchdog)
tests.run("watchdog twice", watchdog_twice)
tests.run("watchdog of a flight recorder", watchdog_flight)
tests.run("watchdog silent", watchdog_silent)
tests.run("watchdog options", watchdog_options)
tests.finish()
