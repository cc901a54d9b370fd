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
from collections import Counter

from harness import (PROGRAMS, Failure, Skip, Tests, check_trace, count, functions, is_function, lasted, must, preloaded,
                     read_trace, report, run, short, sites, total, traced, wait_complete)

# program, arguments, and what is not ordinary about the case:
#   preload   also run with LD_PRELOAD alone
#   tiny      waits may be too short to compare their time
#   kill      the driver kills it when it says so
#   lingers   goes on after its first process has ended, until it creates the file "done"
#   untraced  some of its processes are not traced: their waits are not expected
#   min       options of ctrace-run
#   through   a condition in which it is started, see tests/programs/through.c; the tracer meets it, too
#   with      a library that is preloaded, traced or not
#   then      what else must hold: called with the trace, its report, and the program's output untraced and traced


def processes(n):
    """So many are in the trace."""
    def then(trace, whole, plain, out):
        found = [p["pid"] for p in trace.records.get("PROCESS_START", [])]
        must(len(found) == n, f"{len(found)} processes are in the trace, expected {n}")
    return then


def nothing_open(trace, whole, plain, out):
    events = [(e["thread_name"], e["call"]) for e in trace.intervals() if e["flags"] & 4]
    must(not events, f"waits are reported as open at the end: {events[:4]}")


def whole_holds(trace, whole, plain, out):
    """The recursive mutex is held for two times 95 ms; what is shorter is not held, but unlocked inside."""
    found = [e["end_ns"] - e["start_ns"] for e in trace.events if e["kind"] == 2 and not e["flags"] & 2]
    without_start = sum(e["kind"] == 2 for e in trace.events) - len(found)
    must(found and len(found) + without_start <= 2, f"held {len(found)} and {without_start} times, expected 2")
    must(all(90e6 < ns < 300e6 for ns in found), f"held for {found} ns, expected 95 ms each")


def own_sleeps(trace, whole, plain, out):
    """Each thread is there once, with its own sleeps."""
    said = json.loads(next(line for line in out.splitlines() if "sleepers" in line))
    started = [t["tid"] for t in trace.records["THREAD_START"]]
    must(len(set(started)) == len(started), "a thread is in the trace twice")
    counts = Counter(e["thread"] for e in trace.intervals(call="nanosleep"))
    wrong = sorted(n for n in counts.values() if n != said["sleeps"])
    must(len(counts) == said["sleepers"] and not wrong,
         f"{len(counts)} threads slept, were {said['sleepers']}; not {said['sleeps']} times, but: {wrong[:20]}")


def little_memory(trace, whole, plain, out):
    if "mlockall(MCL_CURRENT | MCL_FUTURE) = 0" not in plain:
        raise Skip("memory cannot be locked here")
    before, after = (int(re.search(r'"rss":(\d+)', text)[1]) for text in (plain, out))
    must(after <= before + 120 * 1024, f"{after} kB in memory, untraced {before} kB")


def only_waiters(trace, whole, plain, out):
    """Who runs an initialiser does not wait for it, even if it calls what is wrapped and is preempted."""
    waited = sum(t["by_cause"].get("once", 0) for t in whole["threads"] if t["name"] == "first")
    must(waited < 1e6, f"the threads that ran the initialisers waited for them for {waited} ns")


def victims_end(trace, whole, plain, out):
    """A cancelled wait ends with its thread."""
    found = list(trace.intervals(thread_name="victim"))
    must(found and not any(e["flags"] & 4 for e in found), f"{len(found)} waits of victims, some open at the end")


def only_below(trace, whole, plain, out):
    """What waits is what the stream's own functions call, not the call on the stream."""
    found = [e["call"] for e in trace.intervals() if e["call"] in ("fgets", "fputs")]
    must(not found, f"calls on streams without a descriptor are waits: {found}")


def message_queues(trace, whole, plain, out):
    if "no message queues" in plain:
        raise Skip(f"no POSIX message queues here: {short(plain)}")


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
    ("times", ["many"], {"naps": True}),
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
    ("cxx", ["caught"], {"preload": True}),
    ("cxx", ["uncaught"], {"preload": True}),
    ("cxx", ["noexcept"], {"preload": True}),
    ("cxx", ["last"], {"preload": True}),
    ("cxx", ["streams"], {}),
    ("cxx", ["throws"], {"then": nothing_open}),
    ("rust", [], {}),
    ("forks", ["alone"], {"preload": True}),
    ("forks", ["alone"], {"through": "sigchld-blocked", "preload": True}),
    ("forks", ["alone"], {"through": "sigchld-ignored", "preload": True}),
    ("forks", ["alone"], {"through": "subreaper", "preload": True}),
    *(("forks", ["in-handler", obstacle, thread], {"preload": thread == "main", "then": processes(n)})
      for thread in ("main", "thread")
      for obstacle, n in (("none", 2), ("no-descriptors", 1), ("small-files", 1), ("no-collector", 1))),
    ("forks", ["raw", "none"], {"preload": True}),
    ("forks", ["raw", "no-descriptors"], {"preload": True}),
    ("restricted", ["strict"], {"preload": True}),
    ("restricted", ["filter"], {"preload": True}),
    ("restricted", ["filter-fork"], {"preload": True}),
    ("restricted", ["no-tsc"], {"preload": True}),
    ("restricted", ["address-space"], {"preload": True}),
    ("restricted", ["address-space"], {"through": "address-space", "preload": True}),
    ("restricted", ["lock-memory"], {"preload": True, "then": little_memory}),
    ("restricted", ["closed"], {"through": "closed", "preload": True, "then": processes(1)}),
    ("calls", ["mtx"], {"preload": True}),
    ("calls", ["cnd"], {}),
    ("calls", ["thrd"], {}),
    ("calls", ["once"], {"then": only_waiters}),
    ("calls", ["once-cancel"], {"then": nothing_open}),
    ("calls", ["spin"], {}),
    ("calls", ["semop"], {}),
    ("calls", ["msg"], {}),
    ("calls", ["mq"], {"then": message_queues}),
    ("calls", ["filelock"], {"preload": True}),
    ("calls", ["fifo"], {}),
    ("calls", ["eventfd"], {}),
    ("calls", ["splice"], {}),
    ("calls", ["sendfile"], {}),
    ("calls", ["shell"], {}),
    ("calls", ["names"], {}),
    ("calls", ["opens"], {}),
    ("calls", ["mapping"], {}),
    ("calls", ["cancel"], {"preload": True, "then": victims_end}),
    ("calls", ["cancel-not"], {"then": victims_end}),
    ("cancels", ["all"], {"preload": True, "then": victims_end}),
    ("streams", ["cookies"], {"then": only_below}),
    *(("streams", [name], {"preload": name in ("in", "out", "cancel", "shares", "stdouts", "answers")})
      for name in ("in", "out", "out-all", "opens", "locks", "behind", "shares", "memory", "cancel", "jump",
                   "handler", "answers", "stdouts")),
    *(("streams-fortified", [name], {}) for name in ("in", "out", "locks", "cookies", "cancel", "answers")),
    *(("files", [name], {"preload": True}) for name in ("paths", "spawns", "raw", "rare")),
    *(("searches", [name], {"preload": True}) for name in ("search", "wait", "iterate")),
    ("hostile", ["mutex-kinds"], {"preload": True}),
    ("hostile", ["recursive"], {"preload": True, "then": whole_holds}),
    ("hostile", ["signal-first"], {"preload": True, "then": own_sleeps}),
    ("hostile", ["signal-stack", "1024"], {"preload": True}),
    ("hostile", ["signal-stack", "2048"], {}),
    ("hostile", ["leave", "0", "3"], {"preload": True, "then": nothing_open}),
    ("hostile", ["leave", "3", "0"], {"then": nothing_open}),
    ("hostile", ["leave", "3", "3"], {"then": nothing_open}),
    ("hostile", ["leave-last"], {"preload": True, "then": nothing_open}),
    ("hostile", ["coroutines"], {"preload": True}),
    ("hostile", ["old-cond"], {"preload": True}),
    ("hostile", ["allocate"], {}),
    ("hostile", ["allocate"], {"with": "rseq_malloc.so", "preload": True}),
]

MEASURED = re.compile(r'"(ns|since|kill|disturbed|ran|rss)":\d+')


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
    # A killed process waits until it is dead, some time between these two.
    return ended, (moment[0], time.monotonic_ns()) if moment else None


class Disturbed(Failure):
    """Times differ, and the program lost the CPU while it measured: its own time is no measure."""


def near(said, measured, reported, name):
    if abs(measured - reported) <= 0.05 * measured:
        return
    why = f"{name}: {reported} ns, were {measured} ns"
    # The program was preempted, or waited for a CPU when its wait was over, which it cannot see.
    raise Disturbed(why) if reported < measured else Failure(why)


def matching(said, found, known):
    """The sites of one wait. A stack can have functions of several (a signal handler's has those of the
    wait that it interrupted): the innermost decides."""
    def innermost(site):
        return next((k for f in functions(site) for k in known if is_function(f, k)), None)

    return [s for s in sites(found, said["cause"], said.get("object"))
            if innermost(s) == said.get("function") and ("call" not in said or s.get("call", said["call"]) == said["call"])]


def check_said(said, trace, options, moment, whole, known, reports):
    name = f"{said['thread']}: {said['cause']}, {said.get('call')} in {said.get('function')}"
    if said["thread"] not in reports:
        reports[said["thread"]] = report(trace, "--thread", said["thread"])
    found = reports[said["thread"]]
    match = matching(said, found, known)
    there = [(s["cause"], s["object"], s["count"], s["total_ns"], [f for f in (x["function"] for x in s["stack"])][:4])
             for s in found["sites"]]
    must(match, f"{name}: no such site for object {said.get('object')}; the thread has {short(str(there), 1500)}")
    ns = said["ns"] if "ns" in said else moment[0] - said["since"]
    took = lasted(match, said.get("least", ns))
    if options.get("tiny") and ns < 1000000 * said["count"]:
        must(count(match) <= said["count"], f"{name}: {count(match)} waits, were {said['count']}")
        must(took <= 1.05 * ns, f"{name}: {took} ns, were {ns} ns")
    elif said.get("least"):
        must(count(match) == said["count"], f"{name}: {count(match)} waits, were {said['count']}")
        must(said["least"] <= took <= 1.05 * ns, f"{name}: {took} ns, were {said['least']} to {ns} ns")
        ns = said["least"]
    elif "since" in said:
        must(count(match) == said["count"], f"{name}: {count(match)} waits, were {said['count']}")
        must(0.95 * ns <= took <= 1.05 * (moment[1] - said["since"]),
             f"{name}: {took} ns, were {ns} to {moment[1] - said['since']} ns")
    else:
        # A nap whose timer fires before the thread is switched out never leaves the CPU: no wait.
        least = 0.98 * said["count"] if options.get("naps") else said["count"]
        must(least <= count(match) <= said["count"], f"{name}: {count(match)} waits, were {said['count']}")
        near(said, ns, took, name)
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
    must(sum(t["by_cause"].get(said["cause"], 0) for t in rows) >= 0.95 * min(ns, total(match)) or
         options.get("tiny"),
         f"{name}: the table of threads has {[t['by_cause'] for t in rows]}")


def check_report(trace, plain, ended, options, moment):
    wait_complete(trace)
    whole = check_trace(trace)
    must(not whole["trace"]["lost_events"], f"lost {whole['trace']['lost_events']} events")
    if "then" in options:
        options["then"](read_trace.Trace(trace), whole, plain.out, ended.out)
    if options.get("untraced"):
        return
    problems, disturbed, reports = [], [], {}
    for thread, ran in re.findall(r'\{"thread":"(\w+)","ran":(\d+)\}', ended.out):
        running = sum(t["running_ns"] for t in whole["threads"] if t["name"] == thread)
        # A call in which the thread was preempted counts as blocked as a whole: only context
        # switch records could tell how much of it ran. So up to half may be missing
        # on a busy machine.
        if not 0.5 * int(ran) <= running <= 1.05 * int(ran):
            problems.append(f"{thread} ran for {ran} ns, the report says {running} ns")
    expected = expectations(ended.out)
    known = {said["function"] for said in expected if "function" in said}
    for said in expected:
        try:
            check_said(said, trace, options, moment, whole, known, reports)
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
        library = {"LD_PRELOAD": str(PROGRAMS / options["with"])} if "with" in options else {}
        alone = preloaded(where / "p.bin")
        alone["LD_PRELOAD"] = ":".join([alone["LD_PRELOAD"], *library.values()])
        argv = [path, *arguments]
        lines = [("u.bin", argv, library), ("t.bin", traced(where / "t.bin", argv), library), ("p.bin", argv, alone)]
        if "through" in options:
            # By env, so that what sets the condition is not traced itself.
            lines = [(name, [PROGRAMS / "through", options["through"], "/usr/bin/env",
                             *(f"{k}={v}" for k, v in env.items()), *line], None) for name, line, env in lines]
        plain, _ = start(lines[0][1], where, options, lines[0][2])
        must(plain.status != 99, f"the program itself fails untraced: {plain}")
        for name, line, env in lines[1:2 + options.get("preload", False)]:
            trace = where / name
            for attempt in range(3):
                try:
                    trace.unlink(missing_ok=True)
                    ended, moment = start(line, where, options, env)
                    compare(plain, ended, trace, options)
                    check_report(trace, plain, ended, options, moment)
                    break
                except Disturbed as e:
                    if attempt == 2:
                        raise
                    print(f"again: {e}")
                except Failure as e:
                    raise Failure(f"with LD_PRELOAD alone: {e}" if name == "p.bin" else str(e)) from None
        left = sorted(p.name for p in where.iterdir() if p.name not in ("t.bin", "p.bin"))
        must(not left, f"files were left behind: {left}")
    return test


tests = Tests()
for program, arguments, options in CASES:
    name = " ".join([program, *arguments, *(f"{word} {options[word]}" for word in ("through", "with") if word in options)])
    tests.run(name, case(program, arguments, options))
tests.finish()
