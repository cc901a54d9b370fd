#!/usr/bin/python3
"""Context switches: what a trace says of who had a CPU is compared with the kernel's own account
(thread CPU time, schedstat), with perf sched where that is there, and with the waits of the same trace.

usage: run_sched.py BUILD [NAME...]
"""
import json
import os
import re
import shutil
import subprocess
from collections import Counter, defaultdict

from harness import (PROGRAMS, RUN, Skip, Tests, analyze, calm, check_trace, must, preloaded, read_trace, run, short, traced,
                     wait_complete)

WOKEN, SOFTIRQ, HARDIRQ, NO_START, LATE = 1, 2, 4, 8, 16
NOBODY = 65534
GRAIN_NS = 16

# Runs what follows without perf_event_open, as a container does: a seccomp filter answers EPERM.
WITHOUT_PERF = r"""
import ctypes, os, struct, sys
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 298), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
program = b"".join(struct.pack("<HBBI", *i) for i in code)
buffer = ctypes.create_string_buffer(program)
fprog = struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.c_char_p(fprog), 0, 0):
    sys.exit("no seccomp")
os.execv(sys.argv[1], sys.argv[1:])
"""


def meta(trace):
    return {r["key"]: r["value"] for r in trace.records["META"]}


def load(out):
    """The trace, with what must hold for the slices of every trace."""
    wait_complete(out)
    check_trace(out)
    trace = read_trace.Trace(out)
    end, last, cpu_end = 0, {}, {}
    for s in trace.slices:
        must(s["start_ns"] <= s["end_ns"], f"a slice ends before it begins: {s}")
        must(s["slice"] == "LOST" or s["flags"] & LATE or s["end_ns"] >= end, f"a slice stands behind one that ended later: {s}")
        before = last.get(s["tid"])
        if before:
            must(s["start_ns"] >= before["end_ns"], f"slices of a thread overlap: {before}, {s}")
            if before["slice"] == "CONTINUED":
                must(s["start_ns"] == before["end_ns"] and s["cpu"] == before["cpu"], f"parts do not join: {before}, {s}")
            if s["flags"] & WOKEN:
                must(before["end_ns"] <= s["woken_ns"] <= s["start_ns"], f"woken at a wrong time: {before}, {s}")
                must(before["slice"] == "BLOCKED" or before["pid"] != s["pid"], f"woken, but was not blocked: {before}, {s}")
        must(s["start_ns"] >= cpu_end.get(s["cpu"], 0), f"slices of a CPU overlap: {s}")
        cpu_end[s["cpu"]] = s["end_ns"]
        end = max(end, s["end_ns"])
        last[s["tid"]] = s
    lost = sum(r["count"] for r in trace.records.get("LOSS", []) if r["what"] == 5)
    must(lost == sum(g["lost"] for g in trace.gaps), f"LOSS says {lost}, the gaps {trace.gaps[:5]}")
    must(trace.records["END"][-1]["slices"] == len(trace.slices), "END counts other slices")
    return trace


def need_switches(trace):
    found = meta(trace)
    if found["sched"] != "switches":
        raise Skip(f"no context-switch records here: {found.get('sched_refused')}")


def times(trace):
    """tid -> (running, ready): ready as far as it is known."""
    ran, ready, before = defaultdict(int), defaultdict(int), {}
    for s in trace.slices:
        tid, b = s["tid"], before.get(s["tid"])
        ran[tid] += s["end_ns"] - s["start_ns"]
        if s["flags"] & WOKEN:
            ready[tid] += s["start_ns"] - s["woken_ns"]
        elif b and b["slice"] == "PREEMPTED":
            ready[tid] += s["start_ns"] - b["end_ns"]
        before[tid] = s
    return {tid: (ran[tid], ready[tid]) for tid in ran}


SWITCH_NS = 2000  # what a switch itself takes is counted as the one's, the other's or nobody's


def near(a, b, what, share=0.01, least_ns=500000):
    must(abs(a - b) <= share * max(a, b) + least_ns, f"{what}: {a} and {b} ns (share {share:.3f}, {least_ns} ns)")


class Stolen:
    """The part of the time on CPUs that the kernel takes off a thread's account, though the thread has the CPU: what
    interrupts take, and the hypervisor."""

    def __init__(self):
        self.before = self.read()

    @staticmethod
    def read():
        with open("/proc/stat", encoding="ascii") as f:
            user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
        return irq + softirq + steal, user + nice + system + irq + softirq + steal

    def share(self):
        stolen, busy = (b - a for a, b in zip(self.before, self.read()))
        return stolen / max(busy, 1)


def same_account(trace, said, stolen):
    """Within 1 %, besides what was stolen and what the switches themselves take."""
    found, switches, share = times(trace), defaultdict(int), 0.01 + 3 * stolen.share()
    for s in trace.slices:
        switches[s["tid"]] += 1
    for thread in said:
        tid = thread["tid"]
        near(found[tid][0], thread["ran"], f"thread {tid} ran", share, 500000 + SWITCH_NS * switches[tid])
    return found, share


def complete(trace):
    if trace.gaps:
        raise Skip(f"{len(trace.gaps)} gaps: the machine is too busy to compare")


def account(where):
    """Against the threads' own account of the same run."""
    out, stolen = where / "t.bin", Stolen()
    ended = run(traced(out, [PROGRAMS / "turns", "mixed"]), cwd=where)
    must(ended.status == 0, str(ended))
    trace = load(out)
    need_switches(trace)
    complete(trace)
    said = [json.loads(line) for line in ended.out.splitlines()]
    must(len(said) == 6, str(ended))
    found, share = same_account(trace, said, stolen)
    if meta(trace)["wakes"] == "sched_waking":
        for thread in said:
            near(found[thread["tid"]][1], thread["delay"], f"thread {thread['tid']} waited for a CPU", 0.01 + share, 5000000)


def perf_sched(where):
    """Against perf sched timehist of the same run."""
    if os.geteuid() or not shutil.which("perf"):
        raise Skip("needs root and perf")
    out, data = where / "t.bin", where / "perf.data"
    # As perf sched record does, without the tracepoints that are not needed and whose data it loses.
    ended = run(["perf", "record", "-q", "-a", "-m", "4096", "-e", "sched:sched_switch", "-o", data, "--",
                 *traced(out, [PROGRAMS / "turns", "mixed"])], cwd=where)
    if ended.status or not out.exists():
        raise Skip(f"perf record: {short(ended.err)}")
    trace = load(out)
    need_switches(trace)
    complete(trace)
    listed = run(["perf", "sched", "timehist", "-i", data], cwd=where)
    if "lost" in listed.err:
        raise Skip(f"perf lost data: {short(listed.err)}")
    theirs = defaultdict(float)
    for line in listed.out.splitlines():
        m = re.match(r"\s*\d+\.\d+ \[\d+\]\s+(.*?)\s+(\d+\.\d+)\s+(\d+\.\d+)\s+(\d+\.\d+)\s*$", line)
        if m and (task := re.search(r"\[(\d+)(?:/\d+)?\]$", m[1])):
            theirs[int(task[1])] += float(m[4]) * 1e6
    switches = Counter(s["tid"] for s in trace.slices)
    found, compared = times(trace), 0
    for thread in [json.loads(line) for line in ended.out.splitlines() if line.startswith("{")]:
        tid = thread["tid"]
        if tid not in theirs:
            continue
        # On virtual machines timehist is up to 10 % off the kernel's own account, either way, where our slices are within
        # 1 % of it (the tests above): this finds what is grossly wrong.
        near(found[tid][0], theirs[tid], f"thread {tid} ran, by perf", 0.15, SWITCH_NS * switches[tid])
        compared += 1
    must(compared >= 4, f"perf sched timehist tells of {compared} threads: {short(listed.out)} {short(listed.err)}")


def waits(where):
    """Two clocks, one time: in a wait that left the CPU the thread's slices show it leave and come back."""
    out = where / "t.bin"
    run(traced(out, [PROGRAMS / "turns", "mixed"]), cwd=where)
    trace = load(out)
    need_switches(trace)
    complete(trace)
    error = 4 * GRAIN_NS + max(c["error_ns"] for c in trace.records["CLOCK"])
    left = defaultdict(list)
    for s in trace.slices:
        left[s["tid"]].append(s)
    checked = 0
    for e in trace.events:
        if e["kind"] != 1 or e["flags"] != 1 or trace.causes[e["cause"]] not in ("pipe", "sleep") or \
                e["end_ns"] - e["start_ns"] < 100000:
            continue
        inside = [s for s in left[trace.threads[e["thread"]]["tid"]]
                  if s["end_ns"] >= e["start_ns"] - error and s["start_ns"] <= e["end_ns"] + error]
        must(len(inside) >= 2, f"{e}: no slice before or after it: {inside}")
        must(inside[0]["start_ns"] <= e["start_ns"] + error and inside[-1]["end_ns"] >= e["end_ns"] - error,
             f"{e} begins or ends outside of its thread's slices {inside} (error {error} ns)")
        checked += 1
    must(checked >= 50, f"only {checked} waits")


def fast(where):
    """Switches as fast as a machine makes them: what is lost is told."""
    out = where / "t.bin"
    ended = run(traced(out, [PROGRAMS / "turns", "fast"]), cwd=where)
    must(ended.status == 0, str(ended))
    trace = load(out)
    need_switches(trace)
    must(len(trace.slices) > 1000, f"{len(trace.slices)} slices")
    if not trace.gaps:
        by_tid = times(trace)
        must(sum(t["tid"] in by_tid for t in trace.threads.values()) == 5, f"slices of {len(by_tid)} threads")


def off(where):
    out = where / "t.bin"
    ended = run(traced(out, [PROGRAMS / "turns", "mixed"], ["--sched", "off"]), cwd=where)
    trace = load(out)
    must(meta(trace)["sched"] == "off", str(meta(trace)))
    must(not trace.slices and not trace.gaps, "slices in spite of --sched off")
    ran = {t["tid"]: e["cpu_ns"] for e in trace.records["THREAD_END"] for t in [trace.threads[e["thread"]]]}
    for thread in [json.loads(line) for line in ended.out.splitlines()]:
        near(ran[thread["tid"]], thread["ran"], "CPU time by schedstat", 0.05, 5000000)


def refused(where):
    out = where / "t.bin"
    prefix = ["/usr/bin/python3", "-c", WITHOUT_PERF]
    ended = run([*prefix, *traced(out, [PROGRAMS / "turns", "fast"])], cwd=where)
    if "no seccomp" in ended.err:
        raise Skip("seccomp cannot be used here")
    must(ended.status == 0 and not ended.err, str(ended))
    trace = load(out)
    must(meta(trace)["sched"] == "schedstat", str(meta(trace)))
    must("not permitted" in meta(trace)["sched_refused"], str(meta(trace)))
    ended = run([*prefix, *traced(where / "u.bin", ["/bin/echo", "x"], ["--sched", "on"])], cwd=where)
    must(ended.status == 125 and not ended.out, str(ended))
    must(re.fullmatch(r"ctrace-run: --sched on: perf_event_open: [^\n]+\n", ended.err), str(ended))
    must(not (where / "u.bin").exists(), "a file is left behind")


def unprivileged(where):
    if os.geteuid() or not shutil.which("setpriv"):
        raise Skip("needs root, to become nobody")
    with open("/proc/sys/kernel/perf_event_paranoid", encoding="ascii") as f:
        if int(f.read()) > 2:
            raise Skip("perf_event_paranoid is above 2")
    for place in (where, where.parent):
        place.chmod(0o777)
    out, stolen = where / "t.bin", Stolen()
    nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
    if run([*nobody, "test", "-x", RUN]).status:
        raise Skip(f"{RUN} cannot be reached by nobody")
    ended = run([*nobody, *traced(out, [PROGRAMS / "turns", "mixed"], ["--sched", "on"])], cwd=where)
    must(ended.status == 0 and not ended.err, str(ended))
    trace = load(out)
    must(meta(trace)["sched"] == "switches", str(meta(trace)))
    complete(trace)
    same_account(trace, [json.loads(line) for line in ended.out.splitlines()], stolen)


def preload(where):
    """With LD_PRELOAD alone, as the environment says."""
    for mode, expected in (("auto", "switches"), ("switches", "switches"), ("off", "off")):
        out, stolen = where / f"{mode}.bin", Stolen()
        ended = run([PROGRAMS / "turns", "mixed"], cwd=where, env={**preloaded(out), "CTRACE_SCHED": mode})
        must(ended.status == 0 and not ended.err, str(ended))
        trace = load(out)
        if mode != "off":
            need_switches(trace)
        must(meta(trace)["sched"] == expected, f"CTRACE_SCHED={mode}: {meta(trace)}")
        must(mode != "switches" or meta(trace)["wakes"] == "none", f"wake-ups in spite of CTRACE_SCHED=switches: {meta(trace)}")
        if mode != "off" and not trace.gaps:
            same_account(trace, [json.loads(line) for line in ended.out.splitlines()], stolen)


def untraced_child(where):
    """A child that loads no library is seen all the same."""
    source = where / "child.c"
    source.write_text("int main(void) { for (volatile long i = 0; i < 100000000; i++) ; return 0; }\n")
    made = subprocess.run(["gcc", "-static", "-O1", "-o", where / "child", source], stderr=subprocess.PIPE, check=False)
    if made.returncode:
        raise Skip(f"no static program can be made: {short(made.stderr)}")
    out = where / "t.bin"
    run(traced(out, ["sh", "-c", "./child & wait; exit 0"]), cwd=where)
    trace = load(out)
    need_switches(trace)
    child = [s for s in trace.slices if s["name"] == "child"]
    must(child and child[-1]["slice"] == "EXITED", f"slices of the child: {child[:3]}")
    must(child[0]["pid"] not in [p["pid"] for p in trace.processes.values()] or len(trace.processes) == 2,
         "the child was traced")
    first = min(s["start_ns"] for s in trace.slices if s["pid"] == child[0]["pid"])
    must(first <= child[0]["start_ns"], "no slices before its exec")


def bad_environment(where):
    """An unknown word means what is usual."""
    out = where / "t.bin"
    ended = run(traced(out, ["true"]), cwd=where, env={"CTRACE_SCHED": "perhaps"})
    must(ended.status == 0 and not ended.err, str(ended))
    must(meta(load(out))["sched"] in ("switches", "schedstat"), "CTRACE_SCHED=perhaps")


def dumped(where):
    out = where / "t.bin"
    run(traced(out, [PROGRAMS / "turns", "mixed"]), cwd=where)
    trace = load(out)
    need_switches(trace)
    lines = [json.loads(line) for line in analyze("dump", "--json", out).splitlines()]
    theirs = [(s["tid"], s["pid"], s["name"], s["cpu"], s["start_ns"], s["duration_ns"], s["slice"],
               s.get("woken_ns"), s.get("waker")) for s in lines if "slice" in s]
    mine = [(s["tid"], s["pid"], s["name"], s["cpu"], s["start_ns"], s["end_ns"] - s["start_ns"], s["slice"].lower(),
             s.get("woken_ns"), s.get("waker_tid")) for s in trace.slices]
    must(theirs == mine, "the second reader finds other slices than the dump")


tests = Tests()
tests.run("running and ready, by the threads' own account", calm(account))
tests.run("running, by perf sched timehist", calm(perf_sched))
tests.run("slices and waits agree", calm(waits))
tests.run("as fast as it goes", fast)
tests.run("--sched off", off)
tests.run("perf_event_open refused", calm(refused))
tests.run("without privileges", calm(unprivileged))
tests.run("LD_PRELOAD alone", calm(preload))
tests.run("a child that is not traced", untraced_child)
tests.run("CTRACE_SCHED with an unknown word", bad_environment)
tests.run("dump of slices", dumped)
tests.finish()
