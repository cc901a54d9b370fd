#!/usr/bin/python3
"""Ground truth: programs whose waits are known, run with and without ctrace.

usage: run_programs.py BUILD [NAME...]

Each program prints what it waited for, measured by itself; see tests/programs/case.h. Traced, it
must print the same (but for the times), end in the same way, and the report must agree with it:
cause, object, function in the stack, count, and time within 5 %.
CTRACE_TEST_KEEP=1 keeps the traces.
"""
import json
import os
import re
import signal
import time

from harness import (PROGRAMS, Failure, Skip, Tests, check_trace, count, functions, is_function, must, preloaded,
                     read_trace, report, run, short, sites, total, traced, wait_complete)

# program, arguments, and what is not ordinary about the case:
#   preload   also run with LD_PRELOAD alone
#   tiny      waits may be too short to compare their time
#   kill      the driver kills it when it says so
#   lingers   goes on after its first process has ended, until it creates the file "done"
#   untraced  some of its processes are not traced: their waits are not expected
#   min       options of ctrace-run
CASES = [
    ("locks", ["mutex"], {"preload": True}),
    ("locks", ["errorcheck"], {}),
    ("locks", ["heap"], {}),
    ("locks", ["waiters"], {"preload": True}),
    ("locks", ["timedlock"], {}),
    ("locks", ["rwlock"], {}),
    ("locks", ["returns"], {}),
    ("locks", ["deadlock"], {"kill": True, "preload": True}),
    ("sync", ["cond"], {"preload": True}),
    ("sync", ["timedwait"], {}),
    ("sync", ["semaphore"], {}),
    ("sync", ["barrier"], {}),
    ("sync", ["join"], {}),
    ("sync", ["futex"], {}),
    ("io", ["pipe-read"], {"preload": True}),
    ("io", ["pipe-readv"], {}),
    ("io", ["pipe-write"], {}),
    ("io", ["recv"], {}),
    ("io", ["socket-read"], {}),
    ("io", ["recvmsg"], {}),
    ("io", ["send"], {}),
    ("io", ["accept"], {}),
    ("io", ["connect"], {}),
    ("io", ["poll"], {}),
    ("io", ["select"], {}),
    ("io", ["epoll"], {}),
    ("io", ["eventfd"], {}),
    ("io", ["sync"], {"tiny": True}),
    ("io", ["returns"], {}),
    ("times", ["sleeps"], {}),
    ("times", ["many"], {}),
    ("procs", ["fork"], {"preload": True}),
    ("procs", ["waits"], {}),
    ("procs", ["exec"], {"preload": True}),
    ("procs", ["vfork"], {"preload": True}),
    ("procs", ["spawn"], {}),
    ("procs", ["no-environment"], {"untraced": True}),
    ("procs", ["exec-self"], {"preload": True}),
    ("procs", ["close-all"], {"preload": True}),
    ("procs", ["descriptors"], {"preload": True}),
    ("procs", ["daemon", "done"], {"lingers": True, "preload": True}),
    ("procs", ["ends", "exit"], {"preload": True}),
    ("procs", ["ends", "_exit"], {}),
    ("procs", ["ends", "return"], {}),
    ("procs", ["ends", "pthread_exit"], {}),
    ("procs", ["ends", "SEGV"], {"preload": True}),
    ("procs", ["ends", "ABRT"], {}),
    ("procs", ["ends", "TERM"], {"preload": True}),
    ("procs", ["ends", "KILL"], {"preload": True}),
    ("threads", ["many"], {"preload": True}),
    ("threads", ["churn"], {}),
    ("threads", ["kinds"], {}),
    ("threads", ["small-stack"], {}),
    ("threads", ["cancel"], {"preload": True}),
    ("threads", ["cancel-not"], {}),
    ("signals", ["nested"], {}),
    ("signals", ["alternate"], {}),
    ("signals", ["interrupted"], {}),
    ("signals", ["longjmp"], {}),
    ("signals", ["storm"], {"preload": True}),
    ("loads", ["load"], {"preload": True}),
    ("cpu", ["spins"], {}),
    ("cpu", ["reads"], {}),
    ("cxx", [], {}),
    ("rust", [], {}),
]

MEASURED = re.compile(r'"(ns|since|kill|disturbed|ran)":\d+')


def masked(text):
    return MEASURED.sub(r'"\1":N', text)


def expectations(out):
    """What the program says of its waits, those of one kind added up."""
    found = {}
    for line in out.splitlines():
        if not line.startswith("{") or '"cause"' not in line:
            continue
        said = json.loads(line)
        key = tuple(said.get(k) for k in ("thread", "cause", "function", "object", "call"))
        if key in found:
            found[key]["count"] += said["count"]
            found[key]["ns"] += said["ns"]
            found[key]["disturbed"] = found[key].get("disturbed", 0) + said.get("disturbed", 0)
        else:
            found[key] = said
    return list(found.values())


def killer(moment):
    """Waits for the program's word and kills it."""
    def during(output):
        until = time.monotonic() + 20
        while not (m := re.search(r'\{"kill":(\d+)\}\n', output())):
            must(time.monotonic() < until, f"the program did not get ready: {short(output())}")
            time.sleep(0.01)
        time.sleep(0.5)
        moment.append(time.monotonic_ns())
        os.kill(int(m[1]), signal.SIGKILL)
    return during


def patient(where):
    """Waits for the word of a program that goes on after its first process."""
    def during(output):
        until = time.monotonic() + 10
        while not (where / "done").exists():
            must(time.monotonic() < until, f"no file 'done': {short(output())}")
            time.sleep(0.01)
        (where / "done").unlink()
    return during


def start(argv, where, options, env=None):
    moment = []
    during = killer(moment) if options.get("kill") else patient(where) if options.get("lingers") else None
    ended = run(argv, cwd=where, env=env, during=during)
    return ended, moment[0] if moment else None


class Disturbed(Failure):
    """Times differ, and the program lost the CPU while it measured: its own time is no measure."""


def near(said, measured, reported, name):
    if abs(measured - reported) <= 0.05 * measured:
        return
    why = f"{name}: {reported} ns, were {measured} ns"
    # Programs that do not count (C++, Rust) may have been.
    raise Disturbed(why) if said.get("disturbed", 1) and reported < measured else Failure(why)


def matching(said, found, known):
    """The sites of one wait. A stack can have functions of several (a signal handler's has those of the
    wait that it interrupted): the innermost decides."""
    def innermost(site):
        return next((k for f in functions(site) for k in known if is_function(f, k)), None)

    return [s for s in sites(found, said["cause"], said.get("object"))
            if innermost(s) == said["function"] and ("call" not in said or s.get("call", said["call"]) == said["call"])]


def check_said(said, trace, options, moment, whole, known):
    name = f"{said['thread']}: {said['cause']}, {said.get('call')} in {said['function']}"
    found = report(trace, "--thread", said["thread"])
    match = matching(said, found, known)
    there = [(s["cause"], s["object"], s["count"], s["total_ns"], [f for f in (x["function"] for x in s["stack"])][:4])
             for s in found["sites"]]
    must(match, f"{name}: no such site for object {said.get('object')}; the thread has {short(str(there), 1500)}")
    ns = said["ns"] if "ns" in said else moment - said["since"]
    if options.get("tiny") and ns < 1000000 * said["count"]:
        must(count(match) <= said["count"], f"{name}: {count(match)} waits, were {said['count']}")
        must(total(match) <= 1.05 * ns, f"{name}: {total(match)} ns, were {ns} ns")
    elif said.get("least"):
        must(count(match) == said["count"], f"{name}: {count(match)} waits, were {said['count']}")
        must(said["least"] <= total(match) <= 1.05 * ns, f"{name}: {total(match)} ns, were {said['least']} to {ns} ns")
        ns = said["least"]
    else:
        must(count(match) == said["count"], f"{name}: {count(match)} waits, were {said['count']}")
        near(said, ns, total(match), name)
    if said.get("owner"):
        locks = [lock for lock in whole["locks"] if (said.get("object") or "") in lock["object"]]
        must(any(said["owner"] in json.dumps(lock["owners"]) for lock in locks),
             f"{name}: owner {said['owner']} is not named: {short(json.dumps(locks), 1000)}")
    if said.get("open"):
        events = [e for e in read_trace.Trace(trace).intervals(thread_name=said["thread"], call=said["call"])
                  if e["flags"] & 4]
        must(len(events) == 1, f"{name}: {len(events)} events of {said['call']} are marked open")
    rows = [t for t in whole["threads"] if t["name"] == said["thread"]]
    must(rows, f"{name}: the table of threads does not have it")
    must(sum(t["by_cause"].get(said["cause"], 0) for t in rows) >= 0.95 * ns or options.get("tiny"),
         f"{name}: the table of threads has {[t['by_cause'] for t in rows]}")


def check_report(trace, ended, options, moment):
    wait_complete(trace)
    whole = check_trace(trace)
    must(not whole["trace"]["lost_events"], f"lost {whole['trace']['lost_events']} events")
    if options.get("untraced"):
        return
    problems, disturbed = [], []
    for thread, ran in re.findall(r'\{"thread":"(\w+)","ran":(\d+)\}', ended.out):
        running = sum(t["running_ns"] for t in whole["threads"] if t["name"] == thread)
        # A call in which the thread was preempted counts as blocked as a whole: only context
        # switch records could tell how much of it ran. So up to a quarter may be missing.
        if not 0.75 * int(ran) <= running <= 1.05 * int(ran):
            problems.append(f"{thread} ran for {ran} ns, the report says {running} ns")
    expected = expectations(ended.out)
    known = {said["function"] for said in expected}
    for said in expected:
        try:
            check_said(said, trace, options, moment, whole, known)
        except Disturbed as e:
            disturbed.append(str(e))
        except Failure as e:
            problems.append(str(e))
    problems = problems or disturbed
    kind = Disturbed if problems is disturbed else Failure
    if problems:
        raise kind("; ".join(problems[:4]) + (f"; and {len(problems) - 4} more" if len(problems) > 4 else ""))


def compare(plain, ended, trace, options):
    err = ended.err
    if options.get("lingers"):
        # ctrace-run may have to say that the trace goes on after it.
        err = err.removeprefix(f"ctrace: {trace}: still running: 1 process; the trace ends with the last\n")
    must(ended.status == plain.status, f"status {ended.status}, untraced {plain.status}; {ended}")
    must(masked(ended.out) == masked(plain.out),
         f"other output: {short(masked(ended.out))}, untraced {short(masked(plain.out))}")
    must(err == plain.err, f"other stderr: {short(err)}, untraced {short(plain.err)}")


def case(program, arguments, options):
    def test(where):
        path = PROGRAMS / program
        if not path.exists():
            raise Skip(f"{program} was not built: no compiler for it")
        argv = [path, *arguments]
        plain, _ = start(argv, where, options)
        must(plain.status != 99, f"the program itself fails untraced: {plain}")
        for trace, line, env in [(where / "t.bin", traced(where / "t.bin", argv), None),
                                 (where / "p.bin", argv, preloaded(where / "p.bin"))][:1 + options.get("preload", False)]:
            for attempt in range(3):
                try:
                    trace.unlink(missing_ok=True)
                    ended, moment = start(line, where, options, env)
                    compare(plain, ended, trace, options)
                    check_report(trace, ended, options, moment)
                    break
                except Disturbed as e:
                    if attempt == 2:
                        raise
                    print(f"again: {e}")
                except Failure as e:
                    raise Failure(f"with LD_PRELOAD alone: {e}" if env else str(e)) from None
        left = sorted(p.name for p in where.iterdir() if p.name not in ("t.bin", "p.bin"))
        must(not left, f"files were left behind: {left}")
    return test


tests = Tests()
for program, arguments, options in CASES:
    tests.run(" ".join([program, *arguments]), case(program, arguments, options))
tests.finish()
