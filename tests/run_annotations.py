#!/usr/bin/python3
"""What programs say of themselves (include/ctrace.h): regions, tasks and log lines of programs that know what they
said, in views and exports; in C, C++, Rust and Python; traced and not.

usage: run_annotations.py BUILD [NAME...]
"""
import csv
import gzip
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from exports.perfetto_reader import Trace
from harness import CTL, PROGRAMS, RUN, Failure, Tests, analyze, check_trace, must, report, run, traced, wait_complete

SOURCE = Path(__file__).resolve().parents[1]
HEADER = SOURCE / "include"
EXAMPLES = SOURCE / "examples/annotations"
MS = 1_000_000


def trace_of(where, argv, status=0, options=(), check=True):
    out = where / "trace.bin"
    ended = run(traced(out, argv, options), cwd=where)
    must(ended.status == status and not ended.err, str(ended))
    wait_complete(out)
    if check:
        check_trace(out)
    return out


def annotated(where, *arguments, **more):
    return trace_of(where, [PROGRAMS / "annotated", *arguments], **more)


def regions(trace, *options):
    found = report(trace, "--top", "0", *options, command="regions")
    return {r["region"]: r for r in found["regions"]}, found


def tasks(trace, *options):
    found = report(trace, "--top", "0", *options, command="tasks")
    return {t["task"]: t for t in found["tasks"]}, found


def logs(trace, *options):
    return [e for e in map(json.loads, analyze("dump", "--json", *options, trace).splitlines()) if e.get("event") == "log"]


def balances(row, elapsed):
    """Where switches are known, the parts of a region's time add up."""
    if "running_ns" not in row:
        return
    parts = row["running_ns"] + row["runnable_ns"] + row["blocked_ns"] + row["unexplained_ns"]
    must(abs(parts - elapsed) <= elapsed / 100 + 20000, f"{parts} ns of {elapsed} ns: {row}")


def known(where):
    trace = annotated(where, "all")
    by_name, found = regions(trace)
    must({n: r["count"] for n, r in by_name.items()} == {"main loop": 1, "prepare": 30, "reply": 30, "send": 30},
         f"regions {by_name.keys()}")
    must(not found["unbalanced_ends"] and not found["left_open"], "all of them are balanced")
    for row in by_name.values():
        must(not row["open"] and row["p50_ns"] <= row["p99_ns"] <= row["max_ns"] <= row["total_ns"], str(row))
        must(sum(row["by_cause"].values()) == row["blocked_ns"], f"causes are all that was blocked: {row}")
        must(row["longest"]["blocked_ns"] <= row["max_ns"], str(row))
        balances(row, row["total_ns"])
    must(30 * 5 * MS <= by_name["send"]["by_cause"]["sleep"] <= by_name["send"]["total_ns"], f"sleeps of 5 ms: {by_name['send']}")
    must(by_name["reply"]["by_cause"]["sleep"] >= 30 * 7 * MS, "the inner region's waits are the outer one's, too")
    must(by_name["reply"]["by_cause"].get("mutex"), "replies wait for each other")
    must("join" in by_name["main loop"]["by_cause"] and "sleep" not in by_name["main loop"]["by_cause"],
         f"the main thread joins, and sleeps only behind it: {by_name['main loop']}")
    by_name, found = tasks(trace)
    request, batch = by_name["request"], by_name["batch"]
    must(request["count"] == 30 and batch["count"] == 1 and not found["unbalanced_ends"], str(found))
    must(not request["open"] and not batch["open"], "all have ended")
    must(request["p50_ns"] >= 7 * MS and request["total_ns"] >= request["in_regions_ns"] > 30 * 7 * MS, str(request))
    must(batch["max_ns"] > request["max_ns"] and not batch["in_regions_ns"], "regions are of requests")
    must(len(request["threads"]) == 30 and all(t["regions"] == 1 for t in request["threads"]),
         "each of 30 threads has one outer region")
    must(sum(t["blocked_ns"] for t in request["threads"]) == request["blocked_ns"] == sum(request["by_cause"].values()),
         f"threads and causes add up: {request}")
    balances(request, request["in_regions_ns"])
    said = logs(trace)
    must(sorted(e["message"] for e in said if e["category"] == "reply") == sorted(f"request {i} is done" for i in range(30)),
         "the messages")
    must(len([e for e in said if e["category"] == "main" and e["message"] == "begin" and e["task"]]) == 30, "of tasks")
    for command, columns in (("regions", "region"), ("tasks", "task")):
        rows = list(csv.DictReader(io.StringIO(analyze(command, "--csv", trace))))
        want = regions(trace)[0] if command == "regions" else tasks(trace)[0]
        must({r[columns]: int(r["total_ns"]) for r in rows} == {n: w["total_ns"] for n, w in want.items()}, f"{command} --csv")
        text = analyze(command, trace)
        text = text.encode("latin-1").decode()
        must(all(n in text for n in want) and max(map(len, text.splitlines())) <= 80, f"{command}: {text}")


def a_snapshot(where):
    """Of a flight recorder: names are known wherever it begins; what began before it is not in it."""
    ended = run([RUN, "-q", "-o", where / "t.bin", "--flight", "1s,64M", "--snapshot-at-end", "--", PROGRAMS / "annotated",
                 "steps", "2.5"], cwd=where)
    must(ended.status == 0 and not ended.err, str(ended))
    trace = where / "t-1.bin"
    check_trace(trace)
    total = int(ended.out.split()[1].strip(","))
    by_name, found = regions(trace)
    must(set(by_name) == {"step", "part"}, f"whole began before: {set(by_name)}")
    must(found["unbalanced_ends"] in (1, 2, 3) and not found["left_open"], f"its end is one without a begin: {found}")
    must(total / 8 < by_name["step"]["count"] < total * 0.7, f"{by_name['step']['count']} of {total} steps")
    must(set(by_name["part"]["by_cause"]) == {"sleep"}, str(by_name["part"]))
    turns = tasks(trace)[0]
    must(set(turns) == {"turn"} and abs(turns["turn"]["count"] - by_name["step"]["count"]) <= 1, str(turns))
    said = logs(trace)
    must(said and {e["category"] for e in said} == {"steps"}, str(said[:3]))
    must([int(e["message"]) for e in said] == list(range(total - len(said), total)), "the last lines, all of them")


def switched(where):
    """While recording is off nothing begins; what had begun ends."""
    trace, env = where / "t.bin", {"XDG_RUNTIME_DIR": str(where)}

    def during(_):
        for what, seconds in (("stop", 0.7), ("start", 1)):
            time.sleep(seconds)
            must(run([CTL, what, "--all"], env=env).status == 0, what)

    ended = run(traced(trace, [PROGRAMS / "annotated", "steps", "3"]), cwd=where, env=env, during=during)
    must(ended.status == 0 and not ended.err, str(ended))
    wait_complete(trace)
    check_trace(trace)
    total = int(ended.out.split()[1].strip(","))
    by_name, found = regions(trace)
    must({n: r["open"] for n, r in by_name.items()} == {"whole": 0, "step": 0, "part": 0}, str(by_name))
    must(not found["unbalanced_ends"] and not found["left_open"], f"what began ends, nothing else does: {found}")
    must(by_name["whole"]["count"] == 1 and by_name["whole"]["total_ns"] >= 3000 * MS, str(by_name["whole"]))
    must(10 < by_name["step"]["count"] < total * 0.8, f"{by_name['step']['count']} of {total} steps")
    turns, found = tasks(trace)
    must(not turns["turn"]["open"] and not found["unbalanced_ends"], str(found))
    must(abs(turns["turn"]["count"] - by_name["step"]["count"]) <= 1, f"{turns['turn']['count']} turns")
    said = [int(e["message"]) for e in logs(trace)]
    gaps = [b - a for a, b in zip(said, said[1:]) if b - a > 1]
    must(len(gaps) == 1 and gaps[0] > 10 and said[0] == 0 and said[-1] == total - 1, f"lines are missing where it was off: {gaps}")


def filters(where):
    trace = annotated(where, "all")
    whole, send = report(trace), report(trace, "--region", "send")
    must({c["cause"] for c in send["causes"] if c["total_ns"]} == {"sleep"}, f"send only sleeps: {send['causes']}")
    must(sum(t["blocked_ns"] for t in send["threads"]) == regions(trace)[0]["send"]["blocked_ns"],
         "blocks and regions say the same of a region")
    must(send["trace"]["filters"] == {"region": "send"}, str(send["trace"]["filters"]))
    of_task = report(trace, "--task", "request")
    must(sum(t["blocked_ns"] for t in of_task["threads"]) == tasks(trace)[0]["request"]["blocked_ns"],
         "blocks and tasks say the same of a task")
    nothing = report(trace, "--region", "no such region")
    must(not sum(t["blocked_ns"] for t in nothing["threads"]), "nothing is in a region that is not there")
    sleeps = {t["tid"]: t["blocked_ns"] for t in send["threads"] if t["blocked_ns"]}
    must(len(sleeps) == 30, "of all 30 threads")
    for a, b in zip(sorted(whole["threads"], key=lambda t: t["tid"]), sorted(send["threads"], key=lambda t: t["tid"])):
        must(a["lifetime_ns"] == b["lifetime_ns"], "what is left out is told, not lost")
    pattern = report(trace, "--region", "se*")
    must(pattern["causes"] == send["causes"], "a pattern")
    locks = report(trace, "--region", "reply", command="locks")["locks"]
    must(locks and not [l for l in report(trace, "--region", "send", command="locks")["locks"] if l["contended"]],
         "the lock is waited for in reply, not in send")
    wakers = report(trace, "--region", "send", command="wakers")
    must(wakers["waits"]["count"] == 30, f"30 waits: {wakers['waits']}")
    for command in ("io", "malloc", "latency", "threads", "sched", "wakers", "locks"):
        analyze(command, "--region", "reply", "--task", "request", trace)
    dumped = [json.loads(line) for line in analyze("dump", "--json", "--region", "send", trace).splitlines()]
    must(len([e for e in dumped if e["event"] == "interval" and e["cause"] == "sleep"]) == 30, "dump shows those in it")
    # A region that began before the window is known in it.
    window = report(trace, "--from", "40%", "--to", "60%", "--region", "main loop")
    must([c for c in window["causes"] if c["cause"] == "join" and c["total_ns"]], f"joins in the middle: {window['causes']}")
    part = regions(trace, "--from", "40%", "--to", "60%")[0]["main loop"]
    must(abs(part["total_ns"] - whole["trace"]["duration_ns"] / 5) < whole["trace"]["duration_ns"] / 50, f"clipped: {part}")
    balances(part, part["total_ns"])
    for command in ("stats", "check", "deadlocks"):
        analyze(command, "--region", "x", trace, status=2)


def exports(where):
    """The same regions, tasks and lines in every format."""
    trace = annotated(where, "all")
    by_name = regions(trace)[0]
    chrome = where / "chrome.json"
    analyze("export", "--format", "chrome", "-o", chrome, trace)
    events = json.loads(chrome.read_text())["traceEvents"]
    slices = [e for e in events if e.get("cat") == "region"]
    for name, row in by_name.items():
        mine = [e["args"]["elapsed_ns"] for e in slices if e["name"] == name]
        must(len(mine) == row["count"] and sum(mine) == row["total_ns"], f"Chrome: {name}")
    for phase in "be":
        must(len([e for e in events if e["ph"] == phase and e["cat"] == "task" and e["name"] == "request"]) == 30, "tasks")
    must(len([e for e in events if e["ph"] == "i" and e["cat"] == "log"]) == 60, "lines")
    # Slices of a thread are nested, or apart.
    for tid in {e["tid"] for e in slices}:
        ends = []
        for e in sorted((e for e in events if e["ph"] == "X" and e["tid"] == tid and e["cat"] != "wake"),
                        key=lambda e: (e["ts"], -e["dur"])):
            begin, end = round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000)
            while ends and ends[-1] <= begin:
                ends.pop()
            must(not ends or end <= ends[-1], f"{e} reaches out of what is around it")
            ends.append(end)
    must(all(e["args"].get("task") == "request" for e in slices if e["name"] in ("reply", "send")), "of their task")
    database = where / "trace.db"
    analyze("export", "--format", "sqlite", "-o", database, trace)
    db = sqlite3.connect(database)
    rows = {n: (c, t) for n, c, t in db.execute("SELECT name, count(*), sum(end_ns - start_ns) FROM regions GROUP BY name")}
    must(rows == {n: (r["count"], r["total_ns"]) for n, r in by_name.items()}, f"SQLite: {rows}")
    must(db.execute("SELECT count(*) FROM tasks t JOIN tasks p ON p.number = t.parent WHERE t.name = 'request' AND "
                    "p.name = 'batch'").fetchone() == (30,), "children of the batch")
    must(db.execute("SELECT count(*) FROM logs l JOIN tasks t ON t.number = l.task WHERE l.category = 'main'").fetchone() == (30,),
         "lines of tasks")
    db.close()
    folded = analyze("export", "--format", "folded", "-o", "-", trace).splitlines()
    blocked = sum(int(line.rsplit(" ", 1)[1]) for line in folded if ";[send];" in line)
    must(abs(blocked - by_name["send"]["blocked_ns"]) <= 1000 * len(folded) or
         abs(blocked * 1000 - by_name["send"]["blocked_ns"]) <= 1000 * len(folded), f"folded: {blocked} of {by_name['send']}")
    must("[send]" in analyze("flame", "-o", "-", trace), "flame")
    profile = where / "profile.pb.gz"
    analyze("export", "--format", "pprof", "-o", profile, trace)
    must(b"send" in gzip.decompress(profile.read_bytes()), "pprof")
    perfetto = where / "trace.perfetto"
    analyze("export", "--format", "perfetto", "-o", perfetto, trace)
    read = Trace(perfetto)
    must(not read.faults, f"Perfetto: {read.faults[:3]}")
    names = [s.name for s in read.slices if s.category == "region"]
    must({n: names.count(n) for n in by_name} == {n: r["count"] for n, r in by_name.items()}, f"Perfetto: {len(names)}")
    # A window clips; of a region only its own.
    analyze("export", "--format", "chrome", "--from", "40%", "--to", "60%", "--region", "send", "-o", chrome, trace)
    part = [e for e in json.loads(chrome.read_text())["traceEvents"] if e.get("cat") == "region"]
    must(part and {e["name"] for e in part} == {"send"} and len(part) < 30, f"{len(part)} in the window")


def odd(where):
    trace = annotated(where, "odd")
    by_name, found = regions(trace)
    must(found["unbalanced_ends"] == 1 and "never begun" not in by_name, f"an end without a begin: {found}")
    must(found["left_open"] == 2, "two that the outer one's end ended")
    must(by_name["recursive"]["count"] == 2 and by_name["recursive"]["total_ns"] < by_name["outer"]["total_ns"],
         "one in another of its name has no time of its own")
    must(by_name["left open"]["open"] == 1 and by_name["left open"]["max_ns"] >= 5 * MS, "ends with its thread")
    must(by_name["until the end"]["open"] == 1 and by_name["(null)"]["count"] == 1 and by_name[""]["count"] == 1, str(by_name))
    by_name, found = tasks(trace)
    must(found["unbalanced_ends"] == 1 and by_name["never ended"]["open"] == 1, f"{found}")
    said = [e["message"] for e in logs(trace)]
    must(said[:2] == ["(null)", ""] and "€" in said[2].encode("latin-1").decode() and "\n" not in said[2], f"{said}")


def forks(where):
    trace = annotated(where, "fork")
    by_name, found = regions(trace)
    must(by_name["parent"]["count"] == by_name["child"]["count"] == by_name["before"]["count"] == 1, str(by_name))
    must(found["unbalanced_ends"] == 1, "the child ends what its parent began")
    across = tasks(trace)[0]["across"]
    must(across["count"] == 1 and not across["open"], "a task that another process ends")
    said = logs(trace)
    must(len({e["pid"] for e in said}) == 2 and sorted(e["category"] for e in said) == ["child", "parent"], f"{said}")


def execs(where):
    trace = annotated(where, "exec")
    must(regions(trace)[0]["before exec"]["open"] == 1, "ends with the program")
    by_name = tasks(trace)[0]
    must(by_name["before exec"]["open"] == 1 and by_name["request"]["count"] == 30 and not by_name["request"]["open"],
         f"numbers that come again: {by_name.keys()}")


def handlers(where):
    trace = where / "trace.bin"
    ended = run(traced(trace, [PROGRAMS / "annotated", "signal"]), cwd=where)
    must(ended.status == 0, str(ended))
    handled = int(ended.out)
    wait_complete(trace)
    whole = check_trace(trace)
    by_name, found = regions(trace)
    said = [e for e in logs(trace)]
    text = "a text that takes more than one line of the ring, as long as it is: and then some more of it"
    must(all(e["message"] == text for e in said if e["category"] == "handler"), "no text is torn")
    must(all(e["message"] == "some text that goes through the ring, in more than one piece of it" for e in said
             if e["category"] != "handler"), "nor that of those who were interrupted")
    if not whole["trace"]["lost_events"]:
        must(by_name["handler"]["count"] == handled == len([e for e in said if e["category"] == "handler"]),
             f"{handled} handlers: {by_name['handler']}")
        must(not found["unbalanced_ends"], str(found["unbalanced_ends"]))


def names(where):
    trace = annotated(where, "names")
    by_name, found = regions(trace)
    must(found["trace"]["lost_events"] == 0, "nothing is lost")
    must(sum(r["count"] for r in by_name.values()) == 10000, "all are counted")
    must(len(by_name) > 3000 and by_name["(other)"]["count"] == 10001 - len(by_name), f"{len(by_name)} names")


def lengths(where):
    trace = annotated(where, "long")
    said = [len(e["message"]) for e in logs(trace)]
    sent = [*range(600), *range(600, 2000, 300)]
    must(said == [min(n, 480) for n in sent], "messages are cut at 480 bytes")
    by_name = regions(trace)[0]
    must(max(map(len, by_name)) == 119, f"names are cut at 119 bytes: {max(map(len, by_name))}")


def cancelled(where):
    trace = annotated(where, "cancel")
    by_name = regions(trace)[0]
    must(by_name["cancelled"]["count"] == 1, f"{by_name.keys()}")


def untraced(where):
    for what in ("all", "odd", "fork", "exec", "cancel", "names", "long"):
        ended = run([PROGRAMS / "annotated", what], cwd=where)
        must(ended.status == 0 and not ended.out and not ended.err, str(ended))


def language(argv):
    def test(where):
        native = run(argv, cwd=where)
        must(native.status == 0 and not native.err, str(native))
        trace = trace_of(where, argv)
        by_name = regions(trace)[0]
        must(by_name["main"]["count"] == 1 and by_name["serve"]["count"] == 5, f"{by_name.keys()}")
        must(by_name["serve"]["by_cause"].get("sleep", 0) + by_name["serve"]["by_cause"].get("poll", 0) >= 5 * 2 * MS,
             str(by_name["serve"]))
        request = tasks(trace)[0]["request"]
        must(request["count"] == 5 and not request["open"] and len(request["threads"]) == 5, str(request))
        must(sorted(e["message"] for e in logs(trace) if e["category"] == "serve") == [f"request {i}" for i in range(5)], "lines")
    return test


USES = """
#include "ctrace.h"
#include <stdlib.h>
static void in_a_static_function(void) { ctrace_region_begin("a"); ctrace_region_end("a"); }
int other(void);
int main(void)
{
	in_a_static_function();
	ctrace_region_begin_in(ctrace_task_begin("t", 0), "b");
	ctrace_log("c", "m");
	ctrace_logf("c", "%d", 1);
	ctrace_region_end("b");
	ctrace_task_end(0);
	return other() + !ctrace_enabled() * 0;
}
"""
OTHER = '#include "ctrace.h"\nint other(void);\nint other(void) { ctrace_log_in(0, "c", "other"); return 0; }\n'


def compiles(where):
    """Without a warning in all dialects, in several files of a program, however it is linked; and it works there."""
    for suffix in ("c", "cc"):
        (where / f"uses.{suffix}").write_text(USES)
        (where / f"other.{suffix}").write_text(OTHER)
    compilers = [("gcc", "c"), ("clang", "c"), ("g++", "cc"), ("clang++", "cc")]
    missing = [c for c, _ in compilers if not shutil.which(c)]
    dialects = {"c": ["c99", "c11", "gnu11", "c17"], "cc": ["c++98", "c++11", "c++17", "c++20"]}
    for compiler, suffix in compilers:
        if compiler in missing:
            continue
        for dialect in dialects[suffix]:
            for link in (["-no-pie", "-fno-pie"], ["-pie", "-fPIE"], ["-O2"], ["-O2", "-flto"], ["-static"],
                         ["-DCTRACE_DISABLE"]):
                argv = [compiler, f"-std={dialect}", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-I", HEADER, *link,
                        where / f"uses.{suffix}", where / f"other.{suffix}", "-o", where / "uses"]
                made = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
                must(made.returncode == 0 and not made.stderr, f"{argv}: {made.stderr[:600]}")
                must(run([where / "uses"]).status == 0, f"{argv}: runs")
                if dialect in ("c11", "c++98") and link[0] not in ("-static", "-DCTRACE_DISABLE"):
                    by_name = regions(trace_of(where, [where / "uses"], check=False))[0]
                    must(by_name.keys() == {"a", "b"} and len(logs(where / "trace.bin")) == 3, f"{argv}: {by_name}")
    if missing:
        raise Failure(f"no {', '.join(missing)}: scripts/setup test installs them")


tests = Tests()
tests.run("regions, tasks and lines in known quantities", known)
tests.run("--region and --task", filters)
tests.run("a snapshot of the flight recorder", a_snapshot)
tests.run("recording switched off and on", switched)
tests.run("exports", exports)
tests.run("what does not balance", odd)
tests.run("fork", forks)
tests.run("exec", execs)
tests.run("signal handlers", handlers)
tests.run("more names than there is room for", names)
tests.run("long texts", lengths)
tests.run("cancellation", cancelled)
tests.run("not traced", untraced)
tests.run("C++", language([PROGRAMS / "annotated-cxx"]))
tests.run("Rust", language([PROGRAMS / "annotated-rust"]))
tests.run("Python", language([sys.executable, EXAMPLES / "annotated.py"]))
tests.run("compilers and dialects", compiles)
tests.finish()
