#!/usr/bin/python3
"""summary, io, malloc, latency, explain and diff: on programs with one known thing wrong, and on real ones.

usage: run_views.py BUILD [NAME...]
"""
import csv
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from harness import (ANALYZE, ENVIRONMENT, Failure, PROGRAMS, Skip, Tests, analyze, calm, functions, must, report, run, short, traced,
                     wait_complete)

TABLES = ("summary", "io", "malloc", "latency")
ROOT = Path(__file__).resolve().parent.parent


def trace_of(where, *argv, options=(), stdin=None, env=None):
    trace = where / "t.bin"
    ended = run(traced(trace, argv, options), stdin=stdin, env=env)
    must(ended.status == 0, str(ended))
    wait_complete(trace)
    return trace


def findings_of(where, case):
    trace = trace_of(where, PROGRAMS / "findings", case, where)
    return trace, report(trace, command="summary")["findings"]


def the(findings, kind, function=None):
    """The finding of a kind, at a place."""
    for f in findings:
        if f["kind"] == kind and (function is None or function in functions(f)):
            return f
    raise Failure(f"no {kind} finding in {function}: {[(f['kind'], f['text']) for f in findings]}")


def no(findings, *kinds):
    wrong = [f["text"] for f in findings if f["kind"] in kinds]
    must(not wrong, f"findings that are none: {wrong}")


def rows_of(text):
    rows = list(csv.DictReader(io.StringIO(text)))
    for row in rows:
        must(None not in row and None not in row.values(), f"a row with more or less cells than the head: {row}")
    return rows


def must_fit(text):
    """80 columns, but for a command line that is to be copied, which can't be broken."""
    for line in text.splitlines():
        must(len(line) <= 80 or "ctrace-analyze " in line, f"wider than 80: {line}")
    must("\033" not in text, "colour without a terminal")


def all_views(trace):
    """What holds of every view of every trace."""
    for command in TABLES:
        text = analyze(command, trace).encode("latin-1").decode()
        must_fit(text)
        must("covers " in text, f"{command} has no head: {short(text)}")
        found = report(trace, command=command)
        must(found["trace"]["complete"], f"{command}: {found['trace']}")
        must("\033[" in analyze(command, "--color", "always", trace), f"{command} has no colour when it is asked for")
        rows = rows_of(analyze(command, "--csv", "--top", "0", trace).encode("latin-1").decode())
        for row in rows:
            for name, value in row.items():
                if name.endswith(("_ns", "_bytes", "count", "calls", "waits", "threads")):
                    must(value.isdigit(), f"{command} --csv: {name} is {value!r}")


def next_commands_run(findings):
    for f in findings:
        must(f["next"].startswith("ctrace-analyze "), f["next"])
        ended = subprocess.run(["sh", "-c", f["next"]], env={**ENVIRONMENT, "PATH": f"{ANALYZE.parent}:{ENVIRONMENT['PATH']}"},
                               capture_output=True, text=True, check=False)
        must(ended.returncode == 0 and ended.stdout, f"{f['next']}: status {ended.returncode}, {ended.stderr}")


# --- summary ---

def lock(where):
    trace, findings = findings_of(where, "lock")
    f = the(findings, "lock", "process")
    must(f["object"] == "g_lock" and f["cause"] == "mutex", str(f))
    must(len(f["threads"]) >= 3 and all(t["name"].startswith("worker-") for t in f["threads"]), str(f["threads"]))
    must(functions({"stack": f["holder_stack"]})[0] == "process", f"held by {f['holder_stack']}")
    must(re.search(r"worker-\* threads wait \d+ % of their time .*for g_lock: .* in process\(\) at findings\.c:\d+", f["text"]), f["text"])
    must(re.search(r"It is held \d+ % of the time, mostly by process\(\) at findings\.c:\d+", f["text"]), f["text"])
    must(f is findings[0], f"not the first: {findings[0]['text']}")
    no(findings, "turns", "deadlock")
    next_commands_run(findings)
    all_views(trace)


def alone(where):
    _, findings = findings_of(where, "alone")
    f = the(findings, "cpu-bound")
    must([t["name"] for t in f["threads"]] == ["producer"], str(f["threads"]))
    must(len(f["behind"]) == 7 and all(t["name"].startswith("consumer-") for t in f["behind"]), str(f["behind"]))
    must("does the work alone" in f["text"] and "All 7 consumer-* threads wait for it" in f["text"]
         and "in consume() at findings.c:" in f["text"], f["text"])
    no(findings, "lock", "turns", "wait", "deadlock")


def turns(where):
    _, findings = findings_of(where, "turns")
    f = the(findings, "turns", "take_turn")
    must(f["object"] == "turn_free" and len(f["threads"]) == 4, str(f))
    must("take turns" in f["text"] and "in take_turn() at findings.c:" in f["text"], f["text"])
    next_commands_run(findings)


def disk(where):
    trace, findings = findings_of(where, "disk")
    f = the(findings, "wait", "save")
    must(f["call"] == "fdatasync" and f["object"].endswith("/saved") and f["count"] <= 200, str(f))
    must(re.search(r"fdatasync of .*saved takes \d+ % of the time of findings: .*, called in save\(\) at findings\.c:\d+", f["text"]), f["text"])
    next_commands_run(findings)
    all_views(trace)


def idle(where):
    _, findings = findings_of(where, "idle")
    f = the(findings, "idle", "doze")
    must(f["cause"] == "sleep" and "for time to pass" in f["text"] and "nothing in the program holds it up" in f["text"], f["text"])
    no(findings, "lock", "turns", "wait", "cpu-bound", "deadlock")


def pipe(where):
    _, findings = findings_of(where, "pipe")
    f = the(findings, "wait", "ask")
    must(f["call"] == "read" and f["cause"] == "pipe", str(f))
    if f["wakers"]:
        must(f["wakers"][0]["pid"] != f["threads"][0]["pid"] and "It is findings (" in f["text"], f["text"])


def compute(where):
    trace, findings = findings_of(where, "compute")
    f = the(findings, "cpu-bound")
    must("bound by the CPU, not by waits" in f["text"], f["text"])
    no(findings, "lock", "turns", "wait", "idle", "deadlock")
    all_views(trace)


def deadlock(where):
    trace = where / "t.bin"
    process = subprocess.Popen([str(a) for a in traced(trace, [PROGRAMS / "stuck", "cycle", "2"])], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 20
        while "Deadlock" not in analyze_any("deadlocks", trace):
            must(time.monotonic() < until, "no deadlock after 20 s")
            time.sleep(0.2)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    wait_complete(trace)
    findings = report(trace, command="summary")["findings"]
    must(findings[0]["kind"] == "deadlock" and findings[0]["text"].startswith("Deadlock: 2 threads wait for each other"), str(findings[:1]))
    must(" deadlocks " in findings[0]["next"], findings[0]["next"])


def analyze_any(*arguments):
    return run([ANALYZE, *arguments]).out


def selection(where):
    """What filters select the next command keeps; names are quoted for a shell."""
    where = where / "it's here"
    where.mkdir()
    trace, _ = findings_of(where, "lock")
    findings = report(trace, "--thread", "worker-*", "--from", "10%", command="summary")["findings"]
    f = the(findings, "lock", "process")
    must("--thread 'worker-*'" in f["next"] and "--from 10%" in f["next"], f["next"])
    next_commands_run(findings)


def at_the_end(where):
    """ctrace-run ends with the same words."""
    ended = run([BUILD_RUN, "-o", where / "t.bin", "--", PROGRAMS / "findings", "lock", where])
    text = re.sub(r"\s+", " ", ended.err)
    must(ended.status == 0 and "for g_lock: " in text and "in process() at findings.c:" in text, str(ended))


# --- io, malloc, latency ---

def io_counts(where):
    trace = trace_of(where, PROGRAMS / "findings", "disk", where, options=["--min", "0"])
    found = report(trace, command="io")
    rows = [r for r in found["io"] if r["object"].endswith("/saved")]
    must(len(rows) == 1 and rows[0]["kind"] == "file" and not rows[0]["idle"], str([r["object"] for r in found["io"]]))
    row = rows[0]
    calls = {c["call"]: c for c in found["calls"]}
    must(calls["fdatasync"]["calls"] == 200 and calls["pwrite"]["calls"] == 200, str(calls))
    must(row["calls"] >= calls["fdatasync"]["recorded"] + calls["pwrite"]["recorded"] == 400, f"{row} {calls}")
    must(row["write_bytes"] == 4096 * calls["pwrite"]["recorded"] and not row["read_bytes"], str(row))
    must(row["p50_ns"] <= row["p99_ns"] <= row["max_ns"] <= row["elapsed_ns"], str(row))
    must(row["blocked_ns"] == sum(t["blocked_ns"] for t in row["threads"]) == sum(s["blocked_ns"] for s in row["sites"]), str(row))
    whole = report(trace)
    cause = [c for c in whole["causes"] if c["cause"] == "file"]
    must(sum(r["blocked_ns"] for r in found["io"] if not r["idle"]) == sum(c["total_ns"] for c in whole["causes"] if c["category"] == "io"),
         f"io and blocks differ: {cause}")
    table = rows_of(analyze("io", "--csv", "--top", "0", trace))
    must([int(r["blocked_ns"]) for r in table] == [r["blocked_ns"] for r in found["io"]], "CSV and JSON differ")
    only = report(trace, "--cause", "pipe", command="io")["io"]
    must(not any(r["object"].endswith("/saved") for r in only), "--cause does not select")
    all_views(trace)


def peers(where):
    """Connections to one server count together."""
    script = where / "client.py"
    script.write_text("import socket, sys\nfor i in range(5):\n    s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
                      "    s.sendall(b'x')\n    s.recv(1)\n    s.close()\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer(_):
            for _ in range(5):
                connection, _ = server.accept()
                with connection:
                    connection.recv(1)
                    time.sleep(0.02)
                    connection.sendall(b"y")

        trace = where / "t.bin"
        ended = run(traced(trace, ["/usr/bin/python3", script, port], ["--min", "0"]), during=answer)
        must(ended.status == 0, str(ended))
    wait_complete(trace)
    rows = [r for r in report(trace, command="io")["io"] if str(port) in r["object"]]
    row = max(rows, key=lambda r: r["waits"])
    must(row["waits"] >= 5 and row["blocked_ns"] >= 60e6 and row["descriptors"] >= 5 and f"-> 127.0.0.1:{port}" in row["object"], str(rows))
    f = the(report(trace, command="summary")["findings"], "wait")
    must(f["cause"] == "socket" and str(port) in f["object"] and f["call"].startswith("recv"), str(f))


def malloc(where):
    need("sqlite3")
    trace = sqlite_trace(where)
    found = report(trace, command="malloc")
    must([p["part"] for p in found["parts"]] == ["allocator", "address space"], str(found["parts"]))
    calls = {c["call"]: c for c in found["calls"]}
    must(calls["malloc"]["calls"] > 100 and calls["malloc"]["part"] == "allocator", str(calls))
    must(found["parts"][0]["calls"] == sum(c["calls"] for c in found["calls"] if c["part"] == "allocator"), str(found["parts"]))
    must(found["parts"][0]["waits"] == sum(c["waits"] for c in found["calls"] if c["part"] == "allocator"), str(found["parts"]))
    table = rows_of(analyze("malloc", "--csv", "--top", "0", trace))
    must({r["call"]: int(r["calls"]) for r in table} == {c: v["calls"] for c, v in calls.items()}, "CSV and JSON differ")


def arenas(where):
    """More threads than arenas: all wait for the lock of the one that there is."""
    trace = trace_of(where, PROGRAMS / "arenas", "500", env={"MALLOC_ARENA_MAX": "1"})
    found = report(trace, command="malloc")
    must(found["arenas"] and found["arenas"][0]["arena"] == "main arena", str(found["arenas"]))
    known = [a for a in found["arenas"] if a["arena"]]
    must(len(known) == 1 and known[0]["threads"] >= 4 and known[0]["blocked_ns"] > 10e6, f"one arena: {found['arenas']}")
    must(sum(a["waits"] for a in found["arenas"]) == found["parts"][0]["waits"], "arenas and waits differ")
    slow = found["slow"]
    must(slow and all(a["took_ns"] >= b["took_ns"] for a, b in zip(slow, slow[1:])), "slow calls are not in order")
    must(all(s["arena"] == "main arena" and s["name"].startswith("taker") for s in slow if s["call"] == "malloc"), str(slow[:3]))
    must(any(2000 <= s["bytes"] < 20000 for s in slow), "no size")
    text = analyze("malloc", "--top", "3", trace)
    must("main arena" in text and "in take  arenas.c" in text.replace("give", "take"), text)
    rows = rows_of(analyze("malloc", "--group-by", "object", "--csv", trace))
    must("main arena" in {r["object"] for r in rows}, str(rows))
    # Threads that have an arena each see it, too.
    trace = trace_of(where, PROGRAMS / "arenas", "1000", env={"MALLOC_ARENA_MAX": "3"})
    labels = {a["arena"] for a in report(trace, command="malloc")["arenas"] if a["arena"]}
    must(len(labels) > 1 and any(a.startswith("arena 0x") for a in labels), f"arenas: {labels}")


def other_allocator(where):
    """Blocks of another allocator are not looked at."""
    trace = trace_of(where, PROGRAMS / "arenas", "200", env={"LD_PRELOAD": str(PROGRAMS / "rseq_malloc.so"), "MALLOC_ARENA_MAX": "1"})
    found = report(trace, command="malloc")
    must(all(a["arena"] is None for a in found["arenas"]), str(found["arenas"]))


def latency(where):
    trace = trace_of(where, PROGRAMS / "findings", "disk", where)
    one = report(trace, "--call", "fdatasync", command="latency")["histograms"]
    must(len(one) == 1 and one[0]["recorded"] + one[0]["short"] == 200, str(one))
    for h in one + report(trace, command="latency")["histograms"]:
        must(sum(b["count"] for b in h["buckets"]) == h["recorded"] + h["short"], str(h))
        must(h["p50_ns"] <= h["p90_ns"] <= h["p99_ns"] <= h["p999_ns"] <= h["max_ns"], str(h))
        must(all(b["from_ns"] < b["to_ns"] for b in h["buckets"]), str(h))
    both = report(trace, "--call", "pwrite", command="latency")["histograms"][0]
    must(both["recorded"] + both["short"] == 200, str(both))
    text = analyze("latency", "--call", "fdatasync", trace).encode("latin-1").decode()
    must("█" in text and "p99" in text and "fdatasync: 200 calls" in text, text)
    must_fit(text)
    rows = rows_of(analyze("latency", "--csv", "--call", "fdatasync", trace))
    must(sum(int(r["count"]) for r in rows) == 200 and all(r["call"] == "fdatasync" for r in rows), str(rows))
    must(report(trace, "--call", "fdatasync", "--from", "50%", command="latency")["histograms"][0]["recorded"] < 200, "--from does not select")
    must("frobnicate" in run([ANALYZE, "latency", "--call", "frobnicate", trace]).err, "an unknown call is not named")
    must(run([ANALYZE, "latency", "--call", "frobnicate", trace]).status == 2, "an unknown call is no error")


def waits(where):
    """Single waits: those that latency counts, by length or time, of one call stack."""
    trace = trace_of(where, PROGRAMS / "findings", "disk", where)
    told = report(trace, "--call", "fdatasync", "--top", "0", command="waits")
    one = report(trace, "--call", "fdatasync", command="latency")["histograms"][0]
    must(told["count"] == len(told["waits"]) == one["recorded"] and told["total_ns"] == sum(w["duration_ns"] for w in told["waits"]), f"{told['count']} {one}")
    lengths = [w["duration_ns"] for w in told["waits"]]
    must(lengths == sorted(lengths, reverse=True) and lengths[0] == told["max_ns"] == one["max_ns"], "not by length")
    if not one["short"]:
        must(told["buckets"] == one["buckets"], f"{told['buckets']} {one['buckets']}")
    starts = [w["start_ns"] for w in report(trace, "--call", "fdatasync", "--top", "7", "--sort", "start", command="waits")["waits"]]
    must(starts == sorted(w["start_ns"] for w in told["waits"])[:7], "not by start")
    middle = lengths[len(lengths) // 2]
    some = report(trace, "--call", "fdatasync", "--top", "0", "--min", f"{middle}ns", "--max", f"{lengths[0]}ns", command="waits")["waits"]
    must([w["duration_ns"] for w in some] == [n for n in lengths if middle <= n < lengths[0]], f"--min {middle} --max {lengths[0]}: {len(some)}")
    every = report(trace, "--top", "0", command="waits")
    stack = told["waits"][0]["stack_id"]
    same = [w for w in every["waits"] if every["stacks"].get(str(w.get("stack_id"))) == every["stacks"][str(stack)]]
    must(report(trace, "--stack", str(stack), command="waits")["count"] == len(same), "--stack selects others")
    must(any("save" in (f["function"] or "") for f in told["stacks"][str(stack)]), str(told["stacks"][str(stack)])[:300])
    rows = rows_of(analyze("waits", "--csv", "--call", "fdatasync", trace))
    must([int(r["duration_ns"]) for r in rows] == lengths, "CSV and JSON differ")
    text = analyze("waits", "--call", "fdatasync", trace).encode("latin-1").decode()
    must("fdatasync" in text or "file" in text, text)
    must_fit(text)
    ended = run([ANALYZE, "waits", "--stack", "4000000000", trace])
    must(ended.status == 2 and ended.err.count("\n") == 1 and "4000000000" in ended.err, str(ended))


# --- explain, diff ---

def whole_columns(trace):
    """The columns of the tables that are made as CSV."""
    for command in ("blocks", "threads", "locks", "sched", "wakers", "path", "waits", "io", "malloc", "stats", "latency"):
        yield analyze(command, "--csv", trace).split("\n")[0].split(",")


def explain(where):
    causes = re.findall(r'^CT_CAUSE\((\w+), +"(\w+)", +"(\w+)"', (ROOT / "abi/causes.def").read_text(), re.M)
    names = [name for _, name, _ in causes if name != "none"]
    names += sorted({category for *_, category in causes}) + ["running", "runnable", "blocked", "unexplained", "unknown", "excluded"]
    must(len(names) > 30, str(names))
    trace = trace_of(where, PROGRAMS / "findings", "disk", where)
    for name in names:
        must_fit(analyze("explain", name).encode("latin-1").decode())
        told = json.loads(analyze("explain", name, "--json"))
        must(told["name"] == name and len(told["means"]) > 25 and told["reasons"] and told["next"], f"explain {name}: {told}")
        for line in told["next"]:
            command = line.split(" ")[0]
            must(run([ANALYZE, command, "--help"]).status == 0, f"explain {name} names {command}")
    # Columns, by the names that CSV gives them.
    names = {k for c in whole_columns(trace) for k in c}
    for name in sorted(names):
        told = json.loads(analyze("explain", name, "--json"))
        must(told["name"] == name and len(told["means"]) > 7, f"explain {name}: {told}")
        must_fit(analyze("explain", name).encode("latin-1").decode())
    told = json.loads(analyze("explain", "file", "--json", trace))
    whole = report(trace)
    cause = next(c for c in whole["causes"] if c["cause"] == "file")
    must(told["numbers"]["count"] == cause["count"] and told["numbers"]["total_ns"] == cause["total_ns"], f"{told} {cause}")
    must("In this trace" in analyze("explain", "file", trace) and "save" in analyze("explain", "file", trace), "no numbers of the trace")
    told = json.loads(analyze("explain", "running", "--json", trace))
    must(told["numbers"]["total_ns"] == sum(t["running_ns"] for t in whole["threads"]), str(told))
    must_fit(analyze("explain", "io", trace).encode("latin-1").decode())
    for arguments in (["explain", "boredom"], ["explain", "mutex", "/nonexistent"]):
        ended = run([ANALYZE, *arguments])
        must(ended.status == 2 and len(ended.err.splitlines()) == 1, str(ended))


def diff(where):
    sides = {}
    for case in ("disk", "lock"):
        sides[case] = []
        for n in range(3):
            (where / f"{case}{n}").mkdir()
            sides[case].append(str(trace_of(where / f"{case}{n}", PROGRAMS / "findings", case, where)))
    a, b = sides["disk"], sides["lock"]
    found = json.loads(analyze("diff", "--json", a[0], b[0]))
    must([r["file"] for r in found["a"]] == a[:1] and [r["file"] for r in found["b"]] == b[:1], str(found["a"]))
    rows = {(r["kind"], r["what"]): r for r in found["rows"]}
    gone = rows["site", "file: fdatasync in save, findings.c"]
    must(gone["change_ns_per_s"] < 0 and not gone["noise"] and gone["b"]["ns_per_s"] == 0 and gone["a"]["count"], str(gone))
    new = rows["lock", "g_lock"]
    must(new["change_ns_per_s"] > 0 and not new["noise"] and new["a"]["runs"] == 0, str(new))
    whole = report(a[0])
    file = next(c for c in whole["causes"] if c["cause"] == "file")
    must(rows["cause", "file"]["a"]["total_ns"] == file["total_ns"], "totals differ from blocks")
    must(abs(rows["cause", "file"]["a"]["ns_per_s"] - file["total_ns"] * 1e9 / found["a"][0]["duration_ns"]) < 2, "not a second of the trace")
    text = analyze("diff", a[0], b[0]).encode("latin-1").decode()
    must_fit(text)
    must("Better: cause file" in text and "Worse:  lock" in text, short(text, 2000))

    # The other way round everything has the other sign; a trace differs from itself in nothing.
    back = {(r["kind"], r["what"]): r for r in json.loads(analyze("diff", "--json", b[0], a[0]))["rows"]}
    must(all(back[key]["change_ns_per_s"] == -r["change_ns_per_s"] for key, r in rows.items()), "not symmetric")
    must(all(r["noise"] and not r["change_ns_per_s"] for r in json.loads(analyze("diff", "--json", a[0], a[0]))["rows"]), "differs from itself")

    # Several runs: medians and noise; what is certain stands before what is not.
    found = json.loads(analyze("diff", "--json", ",".join(a), ",".join(b)))
    rows = {(r["kind"], r["what"]): r for r in found["rows"]}
    gone = rows["site", "file: fdatasync in save, findings.c"]
    must(len(found["a"]) == len(found["b"]) == gone["a"]["runs"] == 3 and gone["a"]["count"] <= 600, str(gone))
    must(gone["a"]["min_ns_per_s"] <= gone["a"]["ns_per_s"] <= gone["a"]["max_ns_per_s"], str(gone))
    must(not rows["lock", "g_lock"]["noise"], str(rows["lock", "g_lock"]))
    for kind in ("state", "cause", "site", "lock", "thread"):
        noise = [r["noise"] for r in found["rows"] if r["kind"] == kind]
        must(noise == sorted(noise), f"{kind}: noise is ranked first")
    same = json.loads(analyze("diff", "--json", f"{a[0]},{a[1]},{a[2]}", f"{a[2]},{a[1]},{a[0]}"))["rows"]
    must(all(r["noise"] for r in same), "runs of the same differ")
    must_fit(analyze("diff", ",".join(a), ",".join(b)).encode("latin-1").decode())
    table = rows_of(analyze("diff", "--csv", "--top", "0", ",".join(a), ",".join(b)))
    must(len(table) == len(found["rows"]) and [r["what"] for r in table] == [r["what"] for r in found["rows"]], "CSV and JSON differ")
    for arguments in (["diff", a[0]], ["diff", a[0], "/nonexistent"], ["diff", a[0], ","], ["diff", a[0], b[0], b[1]]):
        ended = run([ANALYZE, *arguments])
        must(ended.status == 2 and len(ended.err.splitlines()) == 1, str(ended))


def cut(where):
    """A cut trace: what is readable is shown, status 1."""
    trace = trace_of(where, PROGRAMS / "findings", "lock", where)
    data = trace.read_bytes()
    short_one = where / "cut.bin"
    short_one.write_bytes(data[:len(data) * 2 // 3])
    for command in TABLES:
        for option in ([], ["--json"], ["--csv"]):
            ended = run([ANALYZE, command, *option, short_one])
            must(ended.status == 1 and ended.out and len(ended.err.splitlines()) == 1, str(ended))
    ended = run([ANALYZE, "diff", trace, short_one])
    must(ended.status == 1 and "cut.bin" in ended.err, str(ended))


# --- real programs ---

def need(*programs):
    for program in programs:
        if not shutil.which(program, path=ENVIRONMENT["PATH"]):
            raise Skip(f"{program} is not installed")


def sqlite_trace(where):
    script = where / "sql"
    (where / "db").unlink(missing_ok=True)  # of an attempt before
    script.write_text("create table t(a integer primary key, b text);\n" + "insert into t(b) values('x');\n" * 150)
    with open(script, "rb") as stdin:
        return trace_of(where, "/usr/bin/sqlite3", where / "db", stdin=stdin)


def sqlite(where):
    need("sqlite3")
    trace = sqlite_trace(where)
    f = the(report(trace, command="summary")["findings"], "wait")
    must(f["call"] in ("fdatasync", "fsync") and "takes" in f["text"] and "sqlite3" in f["text"] and "WAL" in f["hint"], str(f["text"]))
    all_views(trace)


def redis(where):
    need("redis-server", "redis-benchmark", "redis-cli")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    trace = where / "t.bin"

    def load(_):
        until = time.monotonic() + 20
        while run(["redis-cli", "-p", port, "ping"]).status or "PONG" not in run(["redis-cli", "-p", port, "ping"]).out:
            must(time.monotonic() < until, "redis-server does not answer")
        run(["redis-benchmark", "-p", port, "-c", "10", "-n", "4000", "-t", "set", "-q"])
        run(["redis-cli", "-p", port, "shutdown", "nosave"])

    ended = run(traced(trace, ["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", where, "--save", "", "--loglevel", "warning",
                               "--appendonly", "yes", "--appendfsync", "always"]), during=load)
    must(ended.status == 0, str(ended))
    wait_complete(trace)
    findings = report(trace, command="summary")["findings"]
    f = the(findings, "wait", "flushAppendOnlyFile")
    must(f["call"] == "fdatasync" and ".aof" in f["object"], str(f))
    must(re.search(r"fdatasync of .*aof takes \d+ % of the time of the main thread of redis-server", f["text"])
         and "append-only file" in f["text"], f["text"])
    must(not any("bio_" in x["text"] for x in findings), "idle threads of redis are no finding")
    next_commands_run(findings)
    all_views(trace)


def gil(where):
    script = where / "gil.py"
    script.write_text("import threading\ndef burn():\n    n = 0\n    for i in range(1500000):\n        n += i * i\n"
                      "t = [threading.Thread(target=burn) for i in range(4)]\nfor x in t: x.start()\nfor x in t: x.join()\n")
    trace = trace_of(where, "/usr/bin/python3", script)
    f = the(report(trace, command="summary")["findings"], "wait")
    must("global interpreter lock" in f["text"] and "_PyRuntime" in f["object"] and len(f["threads"]) >= 4, str(f["text"]))
    all_views(trace)


def pbzip2(where):
    need("pbzip2")
    (where / "data").write_bytes(b"".join(b"%d " % (i * i % 99991) for i in range(400000)))
    trace = trace_of(where, "pbzip2", "-k", "-f", "-p2", "-b3", where / "data")
    findings = report(trace, command="summary")["findings"]
    must(any(f["kind"] in ("cpu-bound", "no-cpu") for f in findings), str([f["text"] for f in findings]))
    no(findings, "turns", "lock", "deadlock")
    all_views(trace)


if __name__ == "__main__":
    from harness import RUN as BUILD_RUN
    tests = Tests()
    for case in (lock, alone, turns, disk, idle, pipe, compute):
        tests.run(f"summary-{case.__name__}", calm(case))
    for case in (deadlock, selection, at_the_end):
        tests.run(f"summary-{case.__name__}", case)
    for case in (arenas,):
        tests.run(case.__name__, calm(case))
    for case in (io_counts, peers, malloc, other_allocator, latency, waits, explain, diff, cut):
        tests.run(case.__name__, case)
    for case in (sqlite, redis, gil, pbzip2):
        tests.run(f"real-{case.__name__}", calm(case))
    tests.finish()
