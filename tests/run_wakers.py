#!/usr/bin/python3
"""Who ended each wait: programs that know the answer are traced, and what wakers, locks and path
say of them is compared with it, and with the kernel's own word on who woke whom.

usage: run_wakers.py BUILD [NAME...]
"""
import json
import os
import shutil

from harness import PROGRAMS, RUN, Skip, Tests, calm, check_trace, must, report, run, traced, wait_complete

ENOUGH = 0.95
CASES = ["convoy", "bus", "pipeline", "readers", "pingpong", "barrier", "join", "child", "semaphore", "shared",
         "last-reader", "c11"]
HOLDERS = ["last-reader", "c11", "spin", "hammered", "cools"] # of tests/programs/holders.c


def is_thread(who, name):
    return who is not None and (who["name"].startswith(name) if name.endswith("-") else who["name"] == name)


def has_function(stack, name):
    return any((f["function"] or "").startswith(name) for f in stack)


def trace_of(where, case, *options):
    out = where / f"{case}.bin"
    ended = run(traced(out, [PROGRAMS / ("holders" if case in HOLDERS else "wakers"), case], options), cwd=where)
    must(ended.status == 0 and not ended.err, str(ended))
    wait_complete(out)
    check_trace(out)
    return out, [json.loads(line) for line in ended.out.splitlines()]


def compare(case, found, said, kernel):
    """At least 95 % of the waits at the site have the waker and the waker's site that the program says."""
    rows = [r for r in found["wakers"] if r["cause"] == said["cause"] and is_thread(r["waiter"], said["waiter"]) and
            has_function(r["waiter_stack"], said["wait_site"])]
    waits = sum(r["count"] for r in rows)
    must(waits > 0, f"{case}: no waits of {said['waiter']} in {said['wait_site']}")
    if said["count"]:
        must(waits <= said["count"] * 1.5 + 2, f"{case}: {waits} waits, the program says {said['count']}")
    # Where only the kernel knows, there is nothing to be known without its word.
    if not kernel and not said["wake_site"] and said["cause"] not in ("join", "child"):
        return waits, waits, 0
    right = sum(r["count"] for r in rows if is_thread(r["waker"], said["waker"]) and
                (not said["wake_site"] or has_function(r["waker_stack"], said["wake_site"])))
    differs = sum(r["kernel_differs"] for r in rows)
    wrong = [(r["count"], r["ended_by"], (r["waker"] or {}).get("label"), [f["function"] for f in r["waker_stack"]][:3])
             for r in rows if not is_thread(r["waker"], said["waker"])]
    must(right >= ENOUGH * waits, f"{case}: {right} of {waits} waits of {said['waiter']} were ended by {said['waker']} "
         f"in {said['wake_site']}; others: {wrong[:6]}")
    return waits, right, differs


def known_answers(case):
    def test(where):
        out, said = trace_of(where, case)
        found = report(out, command="wakers")
        kernel = found["waits"]["ended_by"]["kernel"] > 0 or found["waits"]["kernel_agrees"] > 0
        for s in said:
            waits, right, differs = compare(case, found, s, kernel)
            print(f"   {case}: {right} of {waits} waits of {s['waiter']} by {s['waker']}; the kernel differs in {differs}")
            must(differs <= 0.1 * waits + 1, f"{case}: the kernel names another thread for {differs} of {waits} waits")
        for r in found["wakers"]:
            must(r["release_ns"] + r["resume_ns"] == r["total_ns"], f"a wait's two parts: {r}")
        return found
    return test


def without_slices(where):
    """The events alone say it, too."""
    for case in ("convoy", "readers", "pingpong", "barrier", "semaphore", "join", "last-reader", "c11"):
        out, said = trace_of(where, case, "--sched", "off")
        found = report(out, command="wakers")
        must(found["waits"]["ended_by"]["kernel"] == 0, "wake-ups without slices")
        for s in said:
            compare(case, found, s, False)


def blame(where):
    """The publisher is whom the others wait for; the slow stage, not the idle ones, in the pipeline."""
    out, _ = trace_of(where, "bus")
    found = report(out, command="wakers")
    threads = found["blame"]["threads"]
    must(threads and threads[0]["name"] == "publisher", f"blame: {threads[:3]}")
    sites = [s for s in found["blame"]["sites"] if has_function(s["stack"], "publish")]
    must(sites and sites[0]["blame_ns"] > 0, f"no blame for publish: {found['blame']['sites'][:3]}")


def locks(where):
    """Pairs of sites, convoys, readers and writers, names."""
    out, _ = trace_of(where, "convoy")
    found = report(out, command="locks")["locks"]
    must(len(found) == 1 and found[0]["object"] == "g_lock", f"locks of the convoy: {[x['object'] for x in found]}")
    lock = found[0]
    pair = lock["site_pairs"][0]
    must(has_function(pair["holder_stack"], "let_go") and has_function(pair["waiter_stack"], "queue_up"),
         f"pair of sites: {pair}")
    must(abs(sum(p["total_ns"] for p in lock["site_pairs"]) - lock["wait_ns"]) <= 0.15 * lock["wait_ns"],
         f"pairs do not add up to the wait: {lock['wait_ns']}, {[p['total_ns'] for p in lock['site_pairs']]}")
    must(lock["max_waiters"] == 3 and lock["longest_convoy"]["hand_overs"] >= 20, f"convoy: {lock['longest_convoy']}")
    must(lock["average_hold_ns"] >= 1000000, f"average hold {lock['average_hold_ns']}")
    must(0.8 * lock["hold_ns"] <= lock["waited_ns"] <= 1.05 * lock["hold_ns"], f"held with waiters: {lock['waited_ns']}")
    out, _ = trace_of(where, "readers")
    lock = [x for x in report(out, command="locks")["locks"] if x["object"] == "g_rwlock"][0]
    must(80 <= lock["read_waits"] <= 90 and lock["write_waits"] <= 35, f"readers: {lock}")
    must(lock["read_wait_ns"] > lock["write_wait_ns"], f"readers: {lock}")
    out, _ = trace_of(where, "alone")
    must(not report(out, command="locks")["locks"], "a lock that nobody waited for is listed")
    names = []
    for run_ in (1, 2):
        out, _ = trace_of(where, "heap")
        names.append([x["object"] for x in report(out, command="locks")["locks"]])
    must(names[0] == names[1] and "mutex of lock_other  wakers.c:" in names[0][0], f"names of heap locks: {names}")


def spin_locks(where):
    """Who holds a spin lock that another thread spins for."""
    out, _ = trace_of(where, "spin")
    found = [x for x in report(out, command="locks")["locks"] if x["object"] == "g_spin"]
    must(len(found) == 1 and found[0]["kind"] == "spin", f"the spin lock: {found}")
    lock = found[0]
    must(lock["acquisitions"] >= 50 and lock["holds"] >= 25, f"acquisitions: {lock}")
    must(lock["hold_ns"] >= 25 * 3000000, f"held for {lock['hold_ns']} ns, not 90 ms")
    must(lock["owners"] and lock["owners"][0]["name"] == "holder", f"the holder: {lock['owners']}")


def hammered(where):
    """A mutex that threads take as often as they can: nothing is lost, and the sums are what they can be."""
    out, _ = trace_of(where, "hammered")
    found = report(out, command="locks")
    must(not found["trace"]["lost_events"], f"{found['trace']['lost_events']} of {found['trace']['events']} events lost")
    lock = found["locks"][0]
    must(0.3 * 1600000 <= lock["acquisitions"] <= 1600000, f"{lock['acquisitions']} acquisitions of 1600000")
    # Long holds among many short ones are seen where a waiter came in them.
    must(lock["hold_ns"] <= 1.1 * found["trace"]["duration_ns"], f"held for {lock['hold_ns']} ns")
    must(lock["max_hold_ns"] >= 4e6 and not lock["shared_holds"], f"holds of 5 ms: {lock['max_hold_ns']}")
    found = report(out, command="wakers")["waits"]
    if found["kernel_agrees"]:
        must(found["ended_by"].get("unknown", 0) <= 0.05 * found["count"], f"who ended the waits: {found}")


def cools(where):
    """A hold begins when it does, not with an earlier one in which the lock cooled down."""
    out, _ = trace_of(where, "cools")
    lock = report(out, command="locks")["locks"][0]
    must(40e6 <= lock["max_hold_ns"] < 1e9, f"held for {lock['max_hold_ns']} ns, not 60 ms")


def path(where):
    """What is on the critical path, and what is not."""
    out, _ = trace_of(where, "convoy")
    found = report(out, command="path")
    whole = found["path"]["to_ns"] - found["path"]["from_ns"]
    parts = sum(found["path"][k] for k in ("running_ns", "ready_ns", "blocked_ns", "resuming_ns", "unknown_ns"))
    must(parts == whole, f"the path's parts add up to {parts} ns, it is {whole} ns long")
    must(sum(t["path_ns"] for t in found["threads"]) + found["path"]["unknown_ns"] == whole, "threads do not add up")
    must(sum(s["path_ns"] for s in found["sites"]) + found["path"]["unknown_ns"] == whole, "sites do not add up")
    lock = found["locks"][0]
    must(lock["object"] == "g_lock" and lock["path_ns"] >= 0.7 * whole, f"the lock on the path: {lock}")
    must(has_function(lock["stack"], "let_go"), f"where it was held: {lock}")
    must(found["path"]["jumps"] >= 20, f"{found['path']['jumps']} changes of thread")
    out, _ = trace_of(where, "pipeline")
    found = report(out, command="path")
    whole = found["path"]["to_ns"] - found["path"]["from_ns"]
    waits = sum(s["path_ns"] for s in found["sites"] if s["state"] == "blocked" and s["cause"] == "cond")
    must(waits <= 0.02 * whole, f"{waits} ns of {whole} of waits for work are on the path")
    slow = sum(s["path_ns"] for s in found["sites"] if s["name"] == "slow" and s["cause"] == "sleep")
    must(slow >= 0.3 * whole, f"the slow stage's work is {slow} of {whole} ns: {short_rows(found)}")
    out, _ = trace_of(where, "bus")
    found = report(out, command="path")
    whole = found["path"]["to_ns"] - found["path"]["from_ns"]
    top = found["threads"][0]
    must(top["name"] == "publisher" and top["path_ns"] >= 0.8 * whole, f"the bus: {found['threads'][:3]}")
    must(not any(t["name"] == "subscriber" and t["path_ns"] > 0.1 * whole for t in found["threads"]),
         f"subscribers that waited for work are on the path: {found['threads']}")
    must(0 <= found["parallel"]["serial_fraction"] <= 1 and len(found["parallel"]["over_time"]) == 40, "parallel")
    ended = report(out, "--thread", "joiner", command="path")
    must(ended["path"]["ends_in"]["name"] == "joiner", f"--thread: {ended['path']}")
    half = report(out, "--from", "25%", "--to", "75%", command="path")["path"]
    must(half["to_ns"] - half["from_ns"] <= 0.51 * found["trace"]["duration_ns"], f"--from, --to: {half}")


def whatif(where):
    """A replay of what was takes as long as it did; a change has its effect where it must, and only there."""
    out, _ = trace_of(where, "convoy")
    for question, least, most in ((["--lock", "g_lock", "--scale", "1"], 0.97, 1.03),
                                  (["--lock", "g_lock", "--scale", "0.5"], 1.2, 2.2),
                                  (["--lock", "g_lock"], 3, 1e9), (["--lock", "g_lock", "--split", "4"], 1.3, 4),
                                  (["--cause", "mutex"], 3, 1e9), (["--site", "queue_up"], 0.97, 1.03)):
        found = report(out, *question, command="whatif")
        must(abs(found["replayed_ns"] / found["duration_ns"] - 1) <= 0.15, f"the replay of what was: {found}")
        must(len(found["answers"]) == 1 and found["answers"][0]["complete"], f"{question}: {found}")
        must(least <= found["answers"][0]["speed_up"] <= most, f"{question}: {found['answers']}")
    found = report(out, command="whatif")["answers"]
    must(any(a["what"] == "g_lock" for a in found), f"what is tried: {[a['what'] for a in found]}")


def unprivileged(where):
    """Slices that do not say who woke whom: the events' word and the path hold."""
    if os.geteuid() or not shutil.which("setpriv"):
        raise Skip("needs root, to become nobody")
    for place in (where, where.parent):
        place.chmod(0o777)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
    if run([*nobody, "test", "-x", RUN]).status:
        raise Skip(f"{RUN} cannot be reached by nobody")
    out = where / "t.bin"
    ended = run([*nobody, *traced(out, [PROGRAMS / "wakers", "convoy"])], cwd=where)
    must(ended.status == 0, str(ended))
    wait_complete(out)
    for said in [json.loads(line) for line in ended.out.splitlines()]:
        compare("convoy", report(out, command="wakers"), said, False)
    found = report(out, command="path")
    whole = found["path"]["to_ns"] - found["path"]["from_ns"]
    must(found["locks"] and found["locks"][0]["path_ns"] >= 0.7 * whole, f"the lock on the path: {found['locks']}")
    found = report(out, "--lock", "g_lock", "--scale", "1", command="whatif")
    must(abs(found["replayed_ns"] / found["duration_ns"] - 1) <= 0.15, f"the replay of what was: {found}")


def short_rows(found):
    return [(s["name"], s["state"], s["cause"], s["path_ns"]) for s in found["sites"][:6]]


tests = Tests()
for name in CASES:
    tests.run(f"who ended it: {name}", calm(known_answers(name)))
tests.run("who ended it, without slices", calm(without_slices))
tests.run("because of whom", calm(blame))
tests.run("locks", calm(locks))
tests.run("spin locks", calm(spin_locks))
tests.run("a hammered mutex", calm(hammered))
tests.run("a mutex that cools down", calm(cools))
tests.run("path", calm(path))
tests.run("what if", calm(whatif))
tests.run("without privileges", calm(unprivileged))
tests.finish()
