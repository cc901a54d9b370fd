#!/usr/bin/python3
"""The states of threads: what the analyzer makes of slices and calls is compared with a join of another kind, with the
kernel's account, and with perf sched.

usage: run_states.py BUILD [NAME...]
"""
import json
import os
import re
import shutil
import subprocess
from collections import defaultdict

from harness import (PROGRAMS, Skip, Tests, analyze, calm, check_trace, must, read_trace, report, run, short, traced,
                     wait_complete)

WOKEN, NO_START_SLICE = 1, 8
OFF_CPU, NO_START, OPEN, ABANDONED = 1, 2, 4, 8
INTERVAL = 1


def take(where, program, options=()):
    """A trace of a program: the second reader's, the analyzer's report, and what the program printed."""
    out = where / "t.bin"
    ended = run(traced(out, program, options), cwd=where)
    must(ended.status == 0, str(ended))
    wait_complete(out)
    return read_trace.Trace(out), check_trace(out), ended


def need_switches(found):
    if found["trace"]["sched"] != "switches":
        raise Skip(f"no context-switch records here: {found['scheduler']['refused']}")
    if found["scheduler"]["gaps"]:
        raise Skip(f"{found['scheduler']['gaps']} gaps: the machine is too busy to compare")


def near(a, b, what, share=0.01, least_ns=200000):
    must(abs(a - b) <= max(share * max(a, b), least_ns), f"{what}: {a} and {b} ns")


def segments(slices):
    """(from, to, state) of a thread, without holes between its first slice and its last."""
    found = []
    for before, s in zip([None, *slices], slices):
        if before and before["end_ns"] < s["start_ns"]:
            woken = before["end_ns"] if before["slice"] == "PREEMPTED" else s.get("woken_ns", s["start_ns"])
            found += [(before["end_ns"], woken, "off"), (woken, s["start_ns"], "ready")]
        found.append((s["start_ns"], s["end_ns"], "running"))
    return found


def within(parts, start, end, state):
    return sum(max(0, min(b, end) - max(a, start)) for a, b, s in parts if s == state)


def join(trace):
    """tid -> (running, ready, {cause: blocked}) of threads whose number was used once. Call by call and piece by piece."""
    by_tid, found = defaultdict(list), {}
    for s in trace.slices:
        by_tid[s["tid"]].append(s)
    threads, ends = defaultdict(list), {e["thread"]: e["end_ns"] for e in trace.records["THREAD_END"]}
    for number, t in trace.threads.items():
        threads[t["tid"]].append((number, t))
    for tid, (first, *others) in threads.items():
        if others or tid not in by_tid:
            continue
        number, t = first
        parts, start = segments(by_tid[tid]), t["start_ns"]
        # What made a thread woke it: it was ready before it began. A main thread was there before its program.
        made = by_tid[tid][0]
        # It can lose its CPU before it says that it began.
        before = "woken_ns" in made and made["slice"] != "EXITED" and start - made["end_ns"] <= 10**9
        if tid != made["pid"] and made.get("woken_ns", made["start_ns"]) < start and (start <= made["end_ns"] or before):
            start = made.get("woken_ns", made["start_ns"])
            parts.insert(0, (start, made["start_ns"], "ready"))
        end = min(ends[number], parts[-1][1]) if by_tid[tid][-1]["slice"] == "EXITED" else ends[number]
        if parts[-1][1] < end:
            parts.append((parts[-1][1], end, "off"))
        blocked, calls = defaultdict(int), []
        for e in trace.events:
            if e["thread"] == number and e["kind"] == INTERVAL and not e["flags"] & (NO_START | ABANDONED) and \
                    (e["flags"] & (OFF_CPU | OPEN)):
                calls.append(e)
        for e in calls:
            inner = [i for i in calls if i is not e and e["start_ns"] <= i["start_ns"] and i["end_ns"] <= e["end_ns"]]
            outermost = [i for i in inner if not any(o is not i and o["start_ns"] <= i["start_ns"] and
                                                     i["end_ns"] <= o["end_ns"] for o in inner)]
            blocked[trace.causes[e["cause"]]] += within(parts, e["start_ns"], min(e["end_ns"], end), "off") - \
                sum(within(parts, i["start_ns"], min(i["end_ns"], end), "off") for i in outermost)
        found[tid] = (within(parts, start, end, "running"), within(parts, start, end, "ready"), blocked)
    return found


def joined(program):
    def test(where):
        trace, found, _ = take(where, program)
        need_switches(found)
        if found["scheduler"]["wake_records"] != "sched_waking":
            raise Skip("no wake-ups here")
        expected, compared = join(trace), 0
        for t in found["threads"]:
            if t["tid"] not in expected:
                continue
            running, ready, blocked = expected[t["tid"]]
            name = f"thread {t['name']} ({t['tid']})"
            near(t["running_ns"], running, name + " ran", 0.001, 20000)
            near(t["runnable_ns"], ready, name + " was ready", 0.001, 20000)
            if not any(e["flags"] & NO_START for e in trace.events):
                for cause in {*blocked, *t["by_cause"]}:
                    near(t["by_cause"].get(cause, 0), blocked.get(cause, 0), f"{name}: {cause}", 0.001, 20000)
            compared += 1
        must(compared, "no thread was compared")
    return test


def sums(where):
    """Sums by CPU, by waker and by thread are of the same."""
    _, found, _ = take(where, [PROGRAMS / "turns", "mixed"])
    need_switches(found)
    threads, s = found["threads"], found["scheduler"]
    must(sum(c["running_ns"] for c in s["cpus"]) == sum(t["running_ns"] for t in threads) == s["running_ns"], "running")
    must(sum(w["wakes"] for w in found["wakers"]) == sum(t["wakes"] for t in threads) == s["wakes"], "wake-ups")
    must(sum(w["wake_delay_ns"] for w in found["wakers"]) == sum(t["wake_delay_ns"] for t in threads), "delays")
    for key in ("switches", "preemptions", "migrations"):
        must(sum(t[key] for t in threads) == s[key], key)
    for key in ("lifetime_ns", "running_ns", "runnable_ns", "blocked_ns", "unexplained_ns", "unknown_ns"):
        must(sum(t[key] for t in threads) == sum(g[key] for g in found["groups"]), f"groups: {key}")
    for t in threads:
        must(t["wake_delay_ns"] + t["preempted_ns"] <= t["runnable_ns"], f"delays of {t}")
    for command in ("sched", "threads", "blocks", "stats"):
        text = analyze(command, where / "t.bin")
        must("context switches" in text, f"{command} does not say what it stands on: {short(text)}")
        long = [line for line in text.splitlines() if len(line.encode("latin-1").decode("utf-8")) > 80]
        must(not long, f"{command}: over 80 columns: {long[:2]}")


def stolen():
    """What interrupts and the hypervisor took from threads that had a CPU, and what was done in all."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
    return irq + softirq + steal, user + nice + system + irq + softirq + steal


def account(where):
    """Against the threads' own account."""
    before = stolen()
    _, found, ended = take(where, [PROGRAMS / "turns", "mixed"])
    need_switches(found)
    taken, busy = (b - a for a, b in zip(before, stolen()))
    share = 0.01 + 3 * taken / max(busy, 1)
    threads = {t["tid"]: t for t in found["threads"]}
    said = [json.loads(line) for line in ended.out.splitlines()]
    must(len(said) == 6, str(ended))
    for s in said:
        t = threads[s["tid"]]
        # What the hypervisor took is told in ticks of 10 ms: it may have been one thread's.
        switch_ns = 3000 * t["switches"] + 10000000 * min(taken, 2)
        near(t["running_ns"], s["ran"], f"thread {s['tid']} ran", share, 1000000 + switch_ns)
        near(t["runnable_ns"], s["delay"], f"thread {s['tid']} was ready", 0.01 + share, 5000000 + switch_ns)


def perf_sched(where):
    """Against perf sched timehist of the same run."""
    if os.geteuid() or not shutil.which("perf"):
        raise Skip("needs root and perf")
    out, data = where / "t.bin", where / "perf.data"
    events = [part for e in ("switch", "waking", "wakeup", "wakeup_new") for part in ("-e", f"sched:sched_{e}")]
    ended = run(["perf", "record", "-q", "-a", "-m", "4096", *events, "-o", data, "--",
                 *traced(out, [PROGRAMS / "turns", "mixed"])], cwd=where)
    if ended.status or not out.exists():
        raise Skip(f"perf record: {short(ended.err)}")
    wait_complete(out)
    found = check_trace(out)
    need_switches(found)
    listed = run(["perf", "sched", "timehist", "-i", data], cwd=where)
    if "lost" in listed.err:
        raise Skip(f"perf lost data: {short(listed.err)}")
    ran, delay = defaultdict(float), defaultdict(float)
    for line in listed.out.splitlines():
        m = re.match(r"\s*\d+\.\d+ \[\d+\]\s+(.*?)\s+(\d+\.\d+)\s+(\d+\.\d+)\s+(\d+\.\d+)\s*$", line)
        if m and (task := re.search(r"\[(\d+)(?:/\d+)?\]$", m[1])):
            delay[int(task[1])] += float(m[3]) * 1e6
            ran[int(task[1])] += float(m[4]) * 1e6
    compared, first = 0, {}
    for s in read_trace.Trace(out).slices:
        first.setdefault(s["tid"], s["end_ns"] - s["start_ns"])
    for t in found["threads"]:
        if t["tid"] not in ran or t["running_ns"] < 50000000:
            continue
        # Loose, as in run_sched.py: timehist is not exact on virtual machines.
        # Of a thread's first time on a CPU perf does not tell. A switch takes time itself, which each of the two counts
        # where its own record stands in it.
        near(t["running_ns"] - first[t["tid"]], ran[t["tid"]], f"thread {t['tid']} ran, by perf", 0.15,
             500000 + 4000 * t["switches"])
        # Theirs begins when the thread was queued, some microseconds after it was woken.
        if found["scheduler"]["wake_records"] == "sched_waking":
            near(t["wake_delay_ns"], delay[t["tid"]], f"thread {t['tid']} was ready after wake-ups, by perf", 0.01,
                 5000000 + 30000 * t["wakes"])
        compared += 1
    must(compared >= 4, f"perf sched timehist tells of {compared} threads: {short(listed.out)} {short(listed.err)}")


UNSEEN = r"""
#include <pthread.h>
#include <time.h>
#include <unistd.h>
static void nap(long ms)
{
	struct timespec t = { 0, ms * 1000000 };
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(35L), "D"(&t), "S"(0L) : "rcx", "r11", "memory");
}
static void *stuck(void *arg) { for (;;) pause(); return arg; }
int main(void)
{
	pthread_t t;

	pthread_create(&t, 0, stuck, 0);
	usleep(100000);
	for (int i = 0; i < 5; i++)
		nap(20);
	return 0;
}
"""


def unseen(where):
    """A wait that goes past every wrapper is unexplained; a thread that only ever waited is marked."""
    (where / "unseen.c").write_text(UNSEEN)
    subprocess.run(["gcc", "-O1", "-pthread", "-o", where / "unseen", where / "unseen.c"], check=True)
    _, found, _ = take(where, [where / "unseen"])
    need_switches(found)
    main, = [t for t in found["threads"] if t["pid"] == t["tid"]]
    must(90000000 < main["unexplained_ns"] < 110000000, f"100 ms are to be unexplained: {main}")
    must(90000000 < main["by_cause"]["sleep"] < 110000000, f"100 ms are to be sleep: {main}")
    other, = [t for t in found["threads"] if t["pid"] != t["tid"]]
    must(other["blocked_throughout"] and not main["blocked_throughout"], f"{other}")
    must("blocked all its life" in analyze("threads", where / "t.bin"), "the thread is not marked")


def without(where):
    """Without records of switches the kernel's totals stand in, and that is said."""
    _, found, _ = take(where, [PROGRAMS / "turns", "mixed"], ["--sched", "off"])
    must(found["trace"]["sched"] == "schedstat", f"{found['trace']}")
    must(sum(t["running_ns"] for t in found["threads"]) > 500000000, "the threads ran for more")
    text = analyze("sched", where / "t.bin")
    must("no context switches in the trace" in text and "--sched off" in text, short(text))


def parts(where):
    """The parts of a trace add up to the whole."""
    take(where, [PROGRAMS / "turns", "mixed"])
    out = where / "t.bin"
    whole = report(out, command="threads")
    need_switches(whole)
    keys = ("running_ns", "runnable_ns", "blocked_ns", "unexplained_ns", "unknown_ns")
    total = {key: sum(t[key] for t in whole["threads"]) for key in keys}
    for i in range(10):
        part = report(out, "--from", f"{10 * i}%", "--to", f"{10 * i + 10}%", command="threads")
        for key in keys:
            total[key] -= sum(t[key] for t in part["threads"])
    # What lies before the trace's begin and behind its end, and how single waits at the ends are cut.
    must(all(abs(left) < 5000000 for left in total.values()), f"what is left: {total}")


tests = Tests()
for words in ("turns mixed", "locks waiters", "io pipe-read", "io poll", "threads many", "cpu spins", "times sleeps"):
    tests.run(f"another join of {words}", joined([PROGRAMS / words.split()[0], words.split()[1]]))
tests.run("sums agree", sums)
tests.run("by the threads' own account", calm(account))
tests.run("by perf sched timehist", calm(perf_sched))
tests.run("a wait that is not wrapped", unseen)
tests.run("without switches", without)
tests.run("parts make the whole", parts)
tests.finish()
