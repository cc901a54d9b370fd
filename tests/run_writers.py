#!/usr/bin/python3
"""Who ended waits on descriptors, and for signals: programs that know which process wrote or sent, in which
function, are traced with privileges and without, and wakers must say the same; with privileges the kernel must, too.

usage: run_writers.py BUILD [NAME...]
"""
import json
import os
import shutil

from harness import PROGRAMS, RUN, Skip, Tests, calm, check_trace, must, report, run, traced, wait_complete

ENOUGH = 0.95
CASES = {
    "pipes": "two pipes", "pair": "a socket pair", "eventfds": "eventfds", "tcp": "a TCP connection on loopback",
    "unix": "a unix connection", "full": "a full pipe", "ends": "end of file, by close",
    "exits": "end of file, by exit", "polls": "poll and epoll", "lines": "streams",
}
SENDERS = {
    "sigwaits": "sigwait and kill", "queued": "sigwaitinfo and sigqueue", "to-thread": "pthread_kill",
    "queued-to-thread": "pthread_sigqueue", "tgkilled": "tgkill", "raw": "a raw system call", "suspended": "sigsuspend",
    "signalfds": "a signalfd", "latches": "epoll on a signalfd", "groups": "killpg", "cut-read": "a read that is cut short",
    "cut-poll": "a poll that is cut short", "cut-sleep": "a sleep that is cut short",
}
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]


def program_of(case):
    return PROGRAMS / ("senders" if case in SENDERS or case == "answers" else "writers")


def said_of(where, case, options, before):
    out = where / f"{case}.bin"
    ended = run([*before, *traced(out, [program_of(case), case], options)], cwd=where)
    must(ended.status == 0 and not ended.err, str(ended))
    wait_complete(out)
    check_trace(out)
    return report(out, "--top", "0", command="wakers"), [json.loads(line) for line in ended.out.splitlines()]


def has(stack, name):
    return any(f["function"] == name for f in stack)


def is_right(row, said):
    return (row["waker"] or {}).get("name") == said["waker"] and \
        (not said["wake_site"] or has(row["waker_stack"], said["wake_site"]))


def compare(case, found, said):
    """At least 95 % of the waits have the waker, and the function that it wrote in."""
    rows = [r for r in found["wakers"] if r["cause"] == said["cause"] and r["waiter"]["name"] == said["waiter"] and
            has(r["waiter_stack"], said["wait_site"])]
    waits = sum(r["count"] for r in rows)
    must(0.8 * said["count"] <= waits <= said["count"] + 2, f"{case}: {waits} waits, the program says {said['count']}")
    right = sum(r["count"] for r in rows if is_right(r, said))
    wrong = [(r["count"], r["ended_by"], (r["waker"] or {}).get("label"), [f["function"] for f in r["waker_stack"]][:3])
             for r in rows if not is_right(r, said)]
    must(right >= ENOUGH * waits, f"{case}: {right} of {waits} waits of {said['waiter']} were ended by {said['waker']} "
         f"in {said['wake_site']}; others: {wrong[:6]}")
    print(f"   {right} of {waits} waits of {said['waiter']} by {said['waker']} in {said['wake_site'] or 'its end'}")


def known_answers(case, options=(), before=()):
    def test(where):
        found, said = said_of(where, case, options, before)
        for s in said:
            compare(case, found, s)
        kernel = found["waits"]["kernel_agrees"] + found["waits"]["kernel_differs"]
        must(found["waits"]["kernel_differs"] <= 0.02 * kernel, f"the kernel names other threads: {found['waits']}")
    return test


def unprivileged(case):
    def test(where):
        if os.geteuid() or not shutil.which("setpriv"):
            raise Skip("needs root, to become nobody")
        for place in (where, where.parent):
            place.chmod(0o777)
        if run([*NOBODY, "test", "-x", RUN]).status:
            raise Skip(f"{RUN} cannot be reached by nobody")
        known_answers(case, (), NOBODY)(where)
    return test


def alike(where):
    """Calls that differ in their addresses only are one row."""
    found, said = said_of(where, "alike", (), ())
    compare("alike", found, said[0])
    rows = [r for r in found["wakers"] if has(r["waiter_stack"], "await_both")]
    must(len(rows) == 1, f"{len(rows)} rows for two calls on one line")


def answers(where):
    """What the calls that send signals answer and do is what it was."""
    argv = [program_of("answers"), "answers"]
    plain, ended = run(argv, cwd=where), run(traced(where / "t.bin", argv), cwd=where)
    must(plain.status == 0 and (plain.status, plain.out, plain.err) == (ended.status, ended.out, ended.err),
         f"{ended}, untraced {plain}")
    wait_complete(where / "t.bin")
    check_trace(where / "t.bin")


tests = Tests()
for name, text in CASES.items():
    tests.run(text, calm(known_answers(name)))
    tests.run(f"{text}, without privileges", calm(unprivileged(name)))
    tests.run(f"{text}, without slices", calm(known_answers(name, ["--sched", "off"])))
for name, text in SENDERS.items():
    tests.run(text, calm(known_answers(name)))
    tests.run(f"{text}, without privileges", calm(unprivileged(name)))
tests.run("a signal's answers", answers)
tests.run("sites that are alike", calm(alike))
tests.finish()
