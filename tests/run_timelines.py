#!/usr/bin/python3
"""Exports of what happened when: real programs are traced, the trace is exported, and what the tool for the format
reads in it is compared with what ctrace-analyze says of the trace itself.

usage: run_timelines.py BUILD [NAME...]
"""
import base64
import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from exports.perfetto_reader import MONOTONIC, REALTIME, Trace
from harness import (ANALYZE, BUILD, ENVIRONMENT, PROGRAMS, Tests, analyze, calm, damage_events, must, preloaded, report, run, short,
                     stopped_trace, traced, wait_complete)

HERE = Path(__file__).resolve().parent
THREADS = HERE / "real/threads.py"
NOT_WAITS = ("runnable", "unexplained", "none")
SHARED = Path(tempfile.mkdtemp(prefix="ctrace-test-timelines-"))


def trace_of(name, argv, *options):
    """The trace of a program; it is run once for all tests."""
    where = SHARED / "-".join([name, *[o.strip("-") for o in options]])
    out = where / f"{name}.bin"
    if out.exists():
        return out
    where.mkdir(exist_ok=True)
    ended = run(traced(out, argv, options), cwd=where)
    must(ended.status == 0, str(ended))
    wait_complete(out)
    analyze("check", out)
    return out


def wakers(case, *options):
    return trace_of(case, [PROGRAMS / ("writers" if case == "pipes" else "wakers"), case], *options)


def python_trace():
    return trace_of("python", ["/usr/bin/python3", THREADS])


def nested_trace():
    return trace_of("nested", [PROGRAMS / "signals", "nested"])


def redis_trace():
    """A short load on redis-server."""
    where = SHARED / "redis"
    out = where / "redis.bin"
    if out.exists():
        return out
    where.mkdir(exist_ok=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    argv = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir", where,
            "--loglevel", "warning"]
    server = subprocess.Popen([str(a) for a in traced(out, argv)], cwd=where, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        load = ["redis-benchmark", "-p", port, "-c", "10", "-n", "3000", "-t", "set", "-q"]
        until = time.monotonic() + 20
        while run(["redis-cli", "-p", port, "ping"]).out.strip() != "PONG":
            must(time.monotonic() < until, "redis-server does not answer")
            time.sleep(0.05)
        must(run(load).status == 0, "redis-benchmark")
        run(["redis-cli", "-p", port, "shutdown", "nosave"])
        server.wait(20)
    finally:
        server.kill()
        server.wait()
    wait_complete(out)
    analyze("check", out)
    return out


def export(trace, format_, *options):
    out = Path(trace).with_suffix({"perfetto": ".perfetto-trace", "chrome": ".json", "firefox": ".firefox.json"}[format_])
    analyze("export", "--format", format_, "-o", out, *options, trace)
    return out


def near(a, b, share, ns, what):
    must(abs(a - b) <= share * max(a, b) + ns, f"{what}: {a} and {b} ns")


def waits_of(found):
    return [c for c in found["causes"] if c["cause"] not in NOT_WAITS]


# --- Perfetto ---

def perfetto(trace, *options):
    t = Trace(export(trace, "perfetto", *options))
    must(not t.faults, f"what trace_processor would count as errors: {t.faults}")
    must(t.primary_clock == MONOTONIC and REALTIME in t.clocks, f"clocks: {t.clocks}")
    return t


def waits(t):
    return [s for s in t.slices if s.category not in ("wake", "lost")]


def compare_waits(t, trace, *options, exact=True):
    """Waits by cause and by thread are those of blocks, their flows those of wakers."""
    found = report(trace, *options)
    counts, blocked = defaultdict(int), defaultdict(int)
    by_thread = defaultdict(int)
    for s in waits(t):
        counts[s.args["cause"]] += 1
        blocked[s.args["cause"]] += s.args["blocked_ns"]
        thread = t.threads[s.track]
        by_thread[thread.pid, thread.tid] += s.args["blocked_ns"]
        must(s.dur == -1 or s.dur >= s.args["blocked_ns"] or s.depth, f"blocked for longer than it lasted: {s}")
        must(s.dur >= 0 or s.args["ended_by"] == "open", f"a wait without an end: {s}")
    for c in waits_of(found):
        must(c["count"] - c["unknown"] <= counts[c["cause"]] <= c["count"],
             f"{c['cause']}: {counts[c['cause']]} slices, blocks has {c['count']}, {c['unknown']} of unknown duration")
        near(blocked[c["cause"]], c["total_ns"], 0 if exact else 0.05, 1000 if exact else 100000, c["cause"])
    must(set(counts) <= {c["cause"] for c in waits_of(found)}, f"causes: {dict(counts)}")
    said = defaultdict(int)  # exec keeps the numbers
    for th in found["threads"]:
        said[th["pid"], th["tid"]] += th["blocked_ns"]
    for who, blocked_ns in said.items():
        near(by_thread[who], blocked_ns, 0 if exact else 0.05, 1000 if exact else 100000, f"blocked time of {who}")
    must({(th.pid, th.tid) for th in t.threads.values()} >= {(th["pid"], th["tid"]) for th in found["threads"]},
         "threads without a track")
    return found


def compare_flows(t, trace):
    found = report(trace, command="wakers")
    known = sum(r["count"] for r in found["wakers"] if r["waker"])
    few = max(2, known // 200)
    must(known - few <= len(t.flows) <= known, f"{len(t.flows)} flows, wakers knows {known}")
    pairs = defaultdict(int)
    for a, b in t.flows:
        must(b.ts <= a.ts <= b.ts + b.dur, f"released outside of the wait: {a.ts}, {b}")
        pairs[t.threads[b.track].tid, t.threads[a.track].tid] += 1
    rows = defaultdict(int)
    for r in found["wakers"]:
        if r["waker"]:
            rows[r["waiter"]["tid"], r["waker"]["tid"]] += r["count"]
    must(all(rows[p] - few <= pairs[p] <= rows[p] for p in pairs | rows), f"who woke whom: {dict(pairs)}, {dict(rows)}")


def ends_of(trace):
    """By tid when its thread had ended, as the trace says: what the kernel then does for it is no part of its life."""
    tids, ends = {}, {}
    for line in analyze("dump", "--json", trace).splitlines():
        record = json.loads(line) if '"record":"THREAD_' in line else {}
        if record.get("record") == "THREAD_START":
            tids[record["thread"]] = record["tid"]
        elif record.get("record") == "THREAD_END":
            ends[tids[record["thread"]]] = max(ends.get(tids[record["thread"]], 0), record["end_ns"])
    return ends


def compare_states(t, trace, found, window=False):
    """Running and ready time as the scheduler's events give it are those of threads. What a thread did when a window began the
    events cannot say."""
    ends = ends_of(trace)
    for th in found["threads"]:
        if th["unknown_ns"]:
            continue  # records were lost: there is no state for that
        states = defaultdict(int)
        for begin, end, state in t.turns[th["tid"]]:
            states[state] += max(0, min(end, ends.get(th["tid"], end)) - begin)
        near(states["Running"], th["running_ns"], 0.001, 100000 if window else 10000, f"running time of {th['name']}")
        must(states["R"] <= th["runnable_ns"] * 1.001 + 10000 and (window or states["R"] >= th["runnable_ns"] * 0.999 - 10000),
             f"ready time of {th['name']}: {states['R']} and {th['runnable_ns']} ns")


def perfetto_convoy(where):
    trace = wakers("convoy")
    t = perfetto(trace)
    found = compare_waits(t, trace)
    compare_flows(t, trace)
    compare_states(t, trace, found)
    locks = [s for s in waits(t) if s.name == "pthread_mutex_lock g_lock"]
    must(len(locks) >= 20 and all(s.category == "contention" for s in locks), f"{len(locks)} waits for the lock")
    for s in locks:
        must(any(f[0] == "queue_up" and f[1].endswith("/wakers") and f[2] and f[4].endswith("wakers.c") and f[5] > 0
                 for f in s.stack), f"stack: {s.stack}")
        must(s.args["object"] == "g_lock" and s.args["owner"].startswith("rider-"), f"arguments: {s.args}")
    must(any(f[0] == "let_go" for a, b in t.flows if b in locks for f in a.stack), "no release in let_go")
    start, end = found["trace"]["duration_ns"], max(s.ts + s.dur for s in waits(t))
    must(0 < end - t.clocks[MONOTONIC] < start + 60 * 10**9, f"times are not of CLOCK_MONOTONIC: {end}")


def perfetto_others(where):
    for case in ("pipeline", "readers", "barrier", "pingpong", "child", "pipes"):
        trace = wakers(case)
        t = perfetto(trace)
        found = compare_waits(t, trace)
        compare_flows(t, trace)
        if case != "child":
            compare_states(t, trace, found)


def perfetto_unscheduled(where):
    """Without the scheduler's records there are no CPUs, and all the rest."""
    trace = wakers("convoy", "--sched", "off")
    compare_flows(perfetto(trace), trace)
    # The last one at a barrier, preempted there: without slices blocks takes that for a wait.
    options = ["--cause", "mutex,join,sleep"]
    t = perfetto(trace, *options)
    compare_waits(t, trace, *options)
    must(not t.sched and not t.lost_records, "scheduling without records of it")


def perfetto_nested(where):
    """Waits in waits: a signal handler that waits."""
    trace = nested_trace()
    t = perfetto(trace)
    compare_waits(t, trace)
    must(any(s.depth for s in waits(t)), "no wait in a wait")
    for s in waits(t):
        if s.parent:
            must(s.parent.ts <= s.ts and s.ts + s.dur <= s.parent.ts + s.parent.dur, f"{s} lies not in its parent")


def perfetto_real(where):
    for name, trace in (("redis", redis_trace()), ("python", python_trace())):
        t = perfetto(trace)
        found = compare_waits(t, trace)
        compare_flows(t, trace)
        compare_states(t, trace, found)
        print(f"   {name}: {t.packets} packets, {len(waits(t))} waits, {len(t.flows)} flows, {len(t.sched)} turns on CPUs")


def filters(where):
    trace = wakers("pipeline")
    for options in (["--from", "25%", "--to", "75%"], ["--cause", "cond"], ["--min", "1ms"], ["--thread", "slow"],
                    ["--from", "50%", "--cause", "cond,sleep"]):
        t = perfetto(trace, *options)
        must(waits(t), f"{options}: no waits")
        found = compare_waits(t, trace, *options)
        if "--from" not in options:
            continue
        began = min(s.ts for s in waits(t))
        whole = report(trace)["trace"]["duration_ns"]
        must(all(s.ts + s.dur <= began + 0.505 * whole + 1000000 for s in waits(t)), f"{options}: waits outside of the window")
        compare_states(t, trace, found, window=True)
    t = perfetto(trace, "--thread", "slow")
    must(all(t.threads[s.track].name == "slow" for s in waits(t)), "--thread")


def damaged(where):
    """A trace without its end, and one with a hole: what is there is exported, and that something is not."""
    trace = wakers("convoy")
    data = trace.read_bytes()
    for name, part in (("cut", data[:len(data) * 2 // 3]), ("hole", data[:3000] + bytes(64) + data[3064:])):
        broken = where / f"{name}.bin"
        broken.write_bytes(part)
        for format_ in ("perfetto", "chrome"):
            out = where / f"{name}.{format_}"
            ended = run([ANALYZE, "export", "--format", format_, "-o", out, broken])
            must(ended.status == 1, str(ended))
            if format_ == "chrome":
                must(json.loads(out.read_text())["otherData"]["complete"] is False, "not told to be incomplete")
                continue
            t = Trace(out)
            must(not t.faults, f"{name}: {t.faults}")
            must(any(s.category == "lost" for s in t.slices), f"{name}: nothing said to be lost")


def lost(where):
    """Records of the scheduler that were lost: where they are missing, how many, and no state in between."""
    out = where / "gap.bin"
    must(run([BUILD / "tests/make_trace", out, "scheduled"]).status == 0, "make_trace")
    t = perfetto(out)
    found = report(out, command="threads")
    gaps = [s for s in t.slices if s.category == "lost"]
    must([(s.name, s.dur, s.args) for s in gaps] == [("records lost", 5000000, {"count": 7})], f"gaps: {gaps}")
    must(t.lost_records == 7, f"{t.lost_records} records lost")
    main = next(th for th in found["threads"] if th["name"] == "main")
    states = t.states[main["tid"]]
    # A thread that was woken while it was switched out is woken a nanosecond later there.
    must(all(abs(theirs - ours) <= 2 for theirs, ours in (
        (states["Running"], main["running_ns"]), (states["R"], main["runnable_ns"]),
        (states["S"], main["blocked_ns"] + main["unexplained_ns"]), (states["?"], main["unknown_ns"]))),
         f"states of main: {dict(states)}, {main}")


def not_recorded(where):
    """Time in which recording was switched off, and time whose events are damaged, are slices."""
    trace = stopped_trace(where)
    said = {(th["pid"], th["tid"]): th["unrecorded_ns"] for th in report(trace, command="threads")["threads"]}
    must(sum(ns > 300e6 for ns in said.values()) >= 5, f"not recorded: {said}")
    t, sums, counts = perfetto(trace), defaultdict(int), defaultdict(int)
    for s in t.slices:
        if s.name == "not recorded":
            thread = t.threads[s.track]
            sums[thread.pid, thread.tid] += s.dur
            counts[thread.pid, thread.tid] += 1
            must(s.category == "lost" and s.dur > 0, f"{s}")
    events = [e for e in chrome(trace)["traceEvents"] if e["ph"] == "X" and e["cat"] != "wake"]
    check_nesting(events)
    theirs = defaultdict(int)
    for e in events:
        if e["name"] == "not recorded":
            theirs[e["pid"], e["tid"]] += e["args"]["elapsed_ns"]
    for who, ns in said.items():
        # Without slices of the scheduler all of it is unknown, with them what it did not run.
        must(sums[who] >= ns - 1000 and theirs[who] >= ns - 1000 and abs(sums[who] - theirs[who]) <= 17 * counts[who],
             f"{who}: {sums[who]} and {theirs[who]} ns, threads says {ns}")
        must(counts[who] <= 6, f"{counts[who]} pieces of what is one")
    broken, convoy = where / "broken.bin", wakers("convoy")
    header = damage_events(convoy, broken)
    for format_ in ("perfetto", "chrome"):
        must(run([ANALYZE, "export", "--format", format_, "-o", where / format_, broken]).status == 1, "export")
    holes = [s for s in Trace(where / "perfetto").slices if s.name == "not recorded: damaged"]
    must(len(holes) == 1 and header["first_ns"] <= holes[0].ts < holes[0].ts + holes[0].dur <= header["last_ns"], f"{holes} {header}")
    events = json.loads((where / "chrome").read_text())["traceEvents"]
    must(sorted(e["ph"] for e in events if e["name"] == "not recorded: damaged") == ["b", "e"], "chrome: damage")


def killed(where):
    """What had not ended when the program was killed has no end."""
    out = where / "killed.bin"
    ended = run(["/bin/sh", "-c", f"exec timeout -s KILL 2 {PROGRAMS}/stuck cycle"], env=preloaded(out), cwd=where)
    must(ended.status in (137, -9), str(ended))
    wait_complete(out)
    t = perfetto(out)
    compare_waits(t, out)
    still = [s for s in waits(t) if s.dur == -1]
    must(len(still) >= 2 and all(s.args["ended_by"] == "open" for s in still), f"waits that had not ended: {still}")
    events = chrome(out)["traceEvents"]
    must(sum(e["ph"] == "X" and e["args"].get("ended_by") == "open" for e in events) == len(still), "chrome: open waits")


# --- Chrome ---

def chrome(trace, *options):
    return json.loads(export(trace, "chrome", *options).read_text())


def ns(us):
    return round(us * 1000)


def check_nesting(events):
    """Complete events of a thread lie in one another or apart: the format has no other."""
    by_thread = defaultdict(list)
    for e in events:
        by_thread[e["pid"], e["tid"]].append((ns(e["ts"]), -ns(e["dur"]), e))
    for rows in by_thread.values():
        stack = []
        for ts, dur, e in sorted(rows, key=lambda r: r[:2]):
            while stack and stack[-1] <= ts:
                stack.pop()
            must(not stack or ts - dur <= stack[-1] + 2, f"overlaps what it is not nested in: {e}")
            stack.append(ts - dur)


def compare_chrome(trace, *options):
    found, data = report(trace, *options), chrome(trace, *options)
    events = data["traceEvents"]
    slices = [e for e in events if e["ph"] == "X" and e["cat"] != "wake"]
    must({e["ph"] for e in events} <= set("XMsf"), "kinds of events")
    check_nesting(slices)
    for c in waits_of(found):
        rows = [e for e in slices if e["args"]["cause"] == c["cause"]]
        must(c["count"] - c["unknown"] <= len(rows) <= c["count"], f"{c['cause']}: {len(rows)} events, blocks has {c}")
        near(sum(e["args"]["blocked_ns"] for e in rows), c["total_ns"], 0, 1000, c["cause"])
    for e in slices:
        if "sf" not in e:
            continue
        names, at = [], e["sf"]
        while at:
            names.append(data["stackFrames"][at]["name"])
            at = data["stackFrames"][at].get("parent")
        must(" < ".join(names[:8]) == e["args"]["detail"], f"stack: {names}, {e['args']['detail']}")
    starts = {e["id"]: e for e in events if e["ph"] == "s"}
    ends = {e["id"]: e for e in events if e["ph"] == "f"}
    must(starts.keys() == ends.keys() and len(starts) == sum(e["ph"] == "s" for e in events), "flows")
    known = sum(r["count"] for r in report(trace, *options, command="wakers")["wakers"] if r["waker"])
    must(known - max(2, known // 200) <= len(starts) <= known or options, f"{len(starts)} flows, wakers knows {known}")
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    for th in found["threads"]:
        must(not th["name"] or names.get((th["pid"], th["tid"])) == th["name"], f"the name of thread {th}")
    return data


def chrome_programs(where):
    for trace in (wakers("convoy"), nested_trace(), python_trace(), redis_trace()):
        compare_chrome(trace)
    compare_chrome(wakers("convoy"), "--from", "25%", "--to", "75%")


# --- speedscope ---

def in_browser(where, page, *options):
    """The page as it stands when its scripts have run."""
    argv = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
            f"--user-data-dir={where}/browser", "--virtual-time-budget=10000", *options, "--dump-dom", page]
    ended = run(argv, cwd=where, timeout=120)
    must(ended.status == 0, short(ended.err))
    return ended.out.encode("latin-1").decode("utf-8")


def speedscope(where, file, view="time-ordered"):
    """The page of speedscope's own release with a file opened, as its command line tool opens it."""
    root = subprocess.run(["npm", "root", "-g"], check=True, capture_output=True, text=True).stdout.strip()
    release = Path(root) / "speedscope/dist/release"
    must((release / "index.html").exists(), f"no speedscope in {root}: scripts/setup test")
    script = where / "profile.js"
    script.write_text(f"speedscope.loadFileFromBase64({json.dumps(file.name)}, "
                      f"{json.dumps(base64.b64encode(file.read_bytes()).decode())})")
    return in_browser(where, f"file://{release}/index.html#localProfilePath={script}&view={view}")


def opened_by_speedscope(where):
    trace = wakers("convoy")
    page = speedscope(where, export(trace, "chrome"))
    must("<title>convoy.json - speedscope</title>" in page, f"not opened: {short(page)}")
    shown = re.search(r"wakers \(pid \d+\), ([\w-]+) \(tid \d+\) <span[^>]*>\((\d+)/(\d+)\)", page)
    must(shown and shown[3] == str(len(report(trace)["threads"])), f"threads: {shown and shown[0]}")
    page = speedscope(where, export(trace, "chrome"), "sandwich")
    must("pthread_join rider-" in page, f"what the main thread waits for: {short(page, 4000)}")


tests = Tests()
tests.run("perfetto: a convoy", perfetto_convoy)
tests.run("perfetto: other waits", perfetto_others)
tests.run("perfetto: without the scheduler", perfetto_unscheduled)
tests.run("perfetto: nested waits", perfetto_nested)
tests.run("perfetto: redis and python", perfetto_real)
tests.run("filters", filters)
tests.run("damaged traces", damaged)
tests.run("lost records", lost)
tests.run("not recorded", calm(not_recorded))
tests.run("a program that was killed", calm(killed))
tests.run("chrome", chrome_programs)
tests.run("opened by speedscope", calm(opened_by_speedscope))
shutil.rmtree(SHARED, ignore_errors=True)
tests.finish()
