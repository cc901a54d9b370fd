#!/usr/bin/python3
"""ctrace-analyze as a command-line tool: filters, orders, groups and CSV of every view on real traces; help, manual and
completions, which come from the same tables; pager, progress, colour, pipes, and what is said of mistakes.

usage: run_cli.py BUILD [NAME...]
"""
import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from harness import (ANALYZE, BUILD, ENVIRONMENT, PROGRAMS, RUN, Failure, Skip, Tests, analyze, check_trace, functions,
                     must, report, run, short, traced, wait_complete)

FILTERS = {"from": "10%", "to": "-1ms", "thread": "*", "process": "*", "cause": "contention,idle,io,runtime",
           "object": ".", "site": ".", "min": "1us"}
PARTS = ["running_ns", "runnable_ns", "blocked_ns", "unexplained_ns", "unknown_ns", "excluded_ns"]
# Those that take more than a trace, or run on.
OTHERS = {"explain", "serve", "report", "flame", "sql", "diff"}


class Traces:
    """Made once, by whoever is first."""
    def __init__(self):
        self.made = {}

    def get(self, program, *arguments, stuck=False):
        key = (program, *arguments)
        if key not in self.made:
            out = tests.root / f"{'-'.join(key)}.bin"
            ended = run(traced(out, [PROGRAMS / program, *arguments]), cwd=tests.root)
            must(stuck or ended.status == 0, str(ended))
            wait_complete(out)
            self.made[key] = out
        return self.made[key]


traces = Traces()


def convoy():
    return traces.get("wakers", "convoy")


def several():
    """One with a lock in the heap, one with pipes and processes, one with conditions."""
    return [convoy(), traces.get("locks", "heap"), traces.get("wakers", "pipeline"), traces.get("wakers", "child")]


def help_of(*command):
    return analyze(*command, "--help")


def commands():
    found = re.search(r"^Commands.*?:\n((?:  .*\n)+)", help_of(), re.M).group(1)
    return re.findall(r"^  (\S+)", found, re.M)


def options_of(command):
    """Option -> whether it takes a value."""
    part = re.search(r"^Options:\n((?:  .*\n)+)", help_of(command), re.M).group(1)
    return {name: bool(value) for name, value in re.findall(r"^  --(\S+)( \S+)?", part, re.M)}


def keys_of(command):
    found = re.search(r"^Keys of --sort: (.*)$", help_of(command), re.M)
    return found.group(1).split() if found else []


def columns_of(command, title="Columns of --csv"):
    """Column -> what --help says of it."""
    found = re.search(rf"^{title}:\n((?:  .*\n)+)", help_of(command), re.M)
    return dict(re.findall(r"^  (\S+(?: \S+)*) +(\S.*)$", found.group(1), re.M)) if found else {}


def groups_of(command):
    found = re.search(r"^Groups of --group-by: (.*)$", help_of(command), re.M)
    return found.group(1).split() if found else []


def tables():
    return [c for c in commands() if c not in OTHERS and "csv" in options_of(c)]


def one_line(*arguments, words=()):
    ended = run([ANALYZE, *arguments])
    must(ended.status == 2 and not ended.out, f"{ended}; expected status 2")
    lines = ended.err.splitlines()
    must(len(lines) == 1 and lines[0].startswith("ctrace-analyze: "), f"no one line: {ended}")
    for word in words:
        must(word in lines[0], f"{word} is not in {lines[0]}")
    return lines[0]


# --- filters ---

def books(found, what):
    for t in found["threads"]:
        parts = sum(t[p] for p in PARTS)
        must(abs(parts - t["lifetime_ns"]) <= t["lifetime_ns"] / 1000 + 1000, f"{what}: the books of {t['name']}: {t}")
    blocked = sum(t["blocked_ns"] for t in found["threads"])
    must(blocked == sum(c["total_ns"] for c in found["causes"]), f"{what}: causes and threads differ")
    must(blocked == sum(s["total_ns"] for s in found["sites"]), f"{what}: sites and threads differ")


def balance(_):
    """Whatever is left out is in excluded; what two opposite filters show is the whole."""
    for trace in several():
        whole = report(trace)
        total = sum(t["blocked_ns"] for t in whole["threads"])
        for arguments in (["--site", "."], ["--site", "main"], ["--object", "."], ["--object", "[0-9]"], ["--cause", "idle"],
                          ["--cause", "contention"], ["--min", "1ms"], ["--from", "30%", "--to", "60%", "--site", "r"]):
            found = report(trace, *arguments)
            books(found, f"{trace.name} {arguments}")
            if arguments[0] == "--from":
                continue
            shown = sum(t["blocked_ns"] for t in found["threads"])
            hidden = sum(t["excluded_ns"] for t in found["threads"])
            must(abs(shown + hidden - total) <= total / 1000 + 1000,
                 f"{trace.name} {arguments}: {shown} shown, {hidden} not, {total} in all")
        by_category = sum(sum(t["blocked_ns"] for t in report(trace, "--cause", c)["threads"])
                          for c in ("contention", "io", "idle", "runtime"))
        must(abs(by_category - total) <= total / 1000 + 1000, f"categories: {by_category} of {total}")


def by_site(_):
    whole = report(convoy())
    expected = sum(s["total_ns"] for s in whole["sites"] if "queue_up" in functions(s))
    line = next(f["line"] for s in whole["sites"] for f in s["stack"] if f["function"] == "queue_up")
    for regex in ("queue_up", "^queue_up$", f"wakers\\.c:{line}$", "queue_(down|up)"):
        found = report(convoy(), "--site", regex)
        must(found["trace"]["filters"] == {"site": regex}, f"filters: {found['trace']['filters']}")
        got = sum(s["total_ns"] for s in found["sites"])
        must(found["sites"] and all("queue_up" in functions(s) for s in found["sites"]), f"{regex}: {short(str(found['sites']))}")
        must(abs(got - expected) <= expected / 1000, f"{regex}: {got} ns of {expected}")
    # Not only the innermost function counts; what does not match at all leaves a line.
    must(any("pause_ns" in functions(s) for s in report(convoy(), "--site", "^rider$")["sites"]), "rider is not found")
    text = analyze("blocks", "--site", "^queue$", convoy())
    must(text.count("\n\n") == 1 and "no wait matches" in text, f"nothing is selected: {short(text)}")


def by_object(_):
    """Each lock and object is found by the name that the reports print."""
    for trace in several():
        for row in report(trace, command="locks")["locks"]:
            # ERE has no \\- and the like: a dot stands for what is special.
            regex = "^" + re.sub(r"[^\w ]", ".", row["object"]) + "$"
            found = report(trace, "--object", regex, command="locks")["locks"]
            must([r for r in found if r["object"] == row["object"] and r["contended"] == row["contended"]],
                 f"{trace.name}: {regex} finds {[(r['object'], r['contended']) for r in found]}")
            rows = report(trace, "--object", regex, command="wakers")["wakers"]
            must(rows and all(r["cause"] == row["kind"] for r in rows), f"{trace.name}: wakers --object {regex}: {rows}")
        for site in report(trace)["sites"]:
            if not site["object"]:
                continue
            regex = "^" + re.sub(r"[^\w ]", ".", site["object"]) + "$"
            found = report(trace, "--object", regex)["sites"]
            must(any(s["object"] == site["object"] for s in found), f"{trace.name}: {regex} finds {short(str(found))}")
            must(all(re.match(regex, o["object"]) for s in found for o in s["objects"]) or site["cause"] in ("mutex", "rwlock"),
                 f"{trace.name}: {regex} finds {short(str(found))}")
    must(not report(convoy(), "--object", "no such lock")["sites"], "an object that is not there")


def by_thread_and_process(_):
    whole = report(convoy())
    rider = next(t for t in whole["threads"] if t["name"] == "rider-1")
    for pattern in ("rider-1", str(rider["tid"]), "*-1"):
        found = report(convoy(), "--thread", pattern)["threads"]
        must([t["tid"] for t in found] == [rider["tid"]], f"--thread {pattern}: {[t['name'] for t in found]}")
    trace = traces.get("wakers", "child")
    whole = report(trace)
    pids = {t["pid"] for t in whole["threads"]}
    must(len(pids) > 1, f"one process only: {pids}")
    for pid in pids:
        found = report(trace, "--process", str(pid))["threads"]
        must({t["pid"] for t in found} == {pid}, f"--process {pid}: {found}")
    for pattern in ("wakers", "*/wakers", "wak*"):
        found = report(trace, "--process", pattern)["threads"]
        must({t["pid"] for t in found} == pids, f"--process {pattern}: {found}")
    for arguments in (["--process", "nobody"], ["--thread", "nobody"], ["--process", "1"]):
        text = analyze("blocks", *arguments, trace)
        must("no thread matches" in text, f"{arguments}: {short(text)}")


def moments(_):
    """The same part of a trace, named in each way."""
    whole = report(convoy())["trace"]
    stats = [json.loads(line) for line in analyze("dump", "--json", convoy()).splitlines()]
    start = next(r["start_ns"] for r in stats if r.get("record") == "PROCESS_START")
    header = Path(convoy()).read_bytes()[:40]
    begun, real = struct.unpack_from("<QQ", header, 16)
    must(real == whole["start_real_ns"], "the header is not as the test thinks")
    duration = whole["duration_ns"]
    at = duration // 4
    end = duration // 2
    clock = time.localtime((real + start - begun + at) // 10 ** 9)
    fraction = (real + start - begun + at) % 10 ** 9
    utc = time.gmtime((real + start - begun + at) // 10 ** 9)
    ways = [f"{at}ns", f"{at / 1e9:.9f}s", f"-{duration - at}ns", f"{100 * at / duration:.9f}%", f"={start + at}",
            f"@{(real + start - begun + at) / 10 ** 9:.9f}", time.strftime("@%H:%M:%S", clock) + f".{fraction:09}",
            time.strftime("@%Y-%m-%dT%H:%M:%S", clock) + f".{fraction:09}",
            time.strftime("@%Y-%m-%dT%H:%M:%S", utc) + f".{fraction:09}Z"]
    for way in ways:
        found = report(convoy(), "--from", way, "--to", f"{end}ns")["trace"]["filters"]
        must(abs(found["from_ns"] - at) < 2000 and abs(found["to_ns"] - end) < 2000, f"--from {way}: {found}, expected {at}")
        to = report(convoy(), "--to", way)["trace"]["filters"]
        must(abs(to["to_ns"] - at) < 2000 and to["from_ns"] == 0, f"--to {way}: {to}")
    for wrong in ("3", "soon", "@", "@25:00:00", "@2026-13-01T00:00:00", "=x", "101%", "--1s", "-", "1.5"):
        one_line("blocks", "--from", wrong, convoy(), words=[wrong, "--from"])
    must("no thread matches" in analyze("blocks", "--from", "@1999-01-01T00:00:00", "--to", "@1999-01-02T00:00:00", convoy()),
         "a window before the trace")


def filters_everywhere(_):
    """Each command takes each filter, or says that it makes no sense; what selects nothing says so."""
    for command in commands():
        if command in OTHERS or command == "export":
            continue
        takes = options_of(command)
        for name, value in FILTERS.items():
            if name not in takes:
                one_line(command, f"--{name}", value, convoy(), words=[f"--{name} is no option of {command}"])
                continue
            ended = run([ANALYZE, command, f"--{name}", value, convoy()])
            must(ended.status == 0 and ended.out and not ended.err, f"{ended}")
        if "thread" in takes and command not in ("dump", "whatif"):
            text = analyze(command, "--thread", "nobody", convoy())
            must("Nothing in the trace is selected" in text and len(text.splitlines()) < 12, f"{command}: {short(text)}")
        if "object" in takes and command != "dump":
            text = analyze(command, "--object", "nothing of the kind", convoy())
            must("Nothing in the trace is selected" in text and len(text.splitlines()) < 12, f"{command}: {short(text)}")
    events = [json.loads(line) for line in analyze("dump", "--json", "--site", "queue_up", convoy()).splitlines()]
    must(events and all(e["call"].startswith("pthread_mutex") for e in events), f"dump --site: {short(str(events))}")
    must(not analyze("dump", "--object", "nothing of the kind", convoy()), "dump --object")
    found = report(convoy(), "--site", "let_go", command="wakers")["wakers"]
    must(found and all(any(f["function"] == "let_go" for f in r["waker_stack"]) for r in found), "wakers --site of the waker")


# --- tables ---

def read_csv(*arguments):
    text = analyze(*arguments)
    rows = list(csv.reader(io.StringIO(text), strict=True))
    must(rows and all(len(r) == len(rows[0]) for r in rows), f"{arguments}: rows differ in length: {short(text)}")
    must(len(rows[0]) == len(set(rows[0])), f"{arguments}: columns {rows[0]}")
    return rows[0], [dict(zip(rows[0], r)) for r in rows[1:]]


def csv_of_every_table(_):
    must(set(tables()) >= {"blocks", "threads", "locks", "sched", "wakers", "path", "stats"}, f"--csv: {tables()}")
    for command in tables():
        one_line(command, "--json", "--csv", convoy(), words=["--json", "--csv", "exclude"])
        for trace in several():
            names, rows = read_csv(command, "--csv", trace)
            must(names == list(columns_of(command)) or command == "sql", f"{command}: {names}, help says {columns_of(command)}")
            for row in rows:
                for name in names:
                    must(not name.endswith("_ns") or row[name].isdigit(), f"{command}: {name} is {row[name]!r}")
            if len(rows) > 1 and command in COLUMN and command != "latency":
                must(len(read_csv(command, "--csv", "--top", "1", trace)[1]) == 1, f"{command}: --top")
    whole = report(convoy())
    _, rows = read_csv("blocks", "--csv", convoy())
    must(sum(int(r["total_ns"]) for r in rows) == sum(s["total_ns"] for s in whole["sites"]), "blocks: total_ns")
    must({r["function"] for r in rows} == {functions(s)[0] for s in whole["sites"]}, "blocks: function")
    _, rows = read_csv("threads", "--csv", convoy())
    must({int(r["tid"]): int(r["blocked_ns"]) for r in rows} == {t["tid"]: t["blocked_ns"] for t in whole["threads"]}, "threads")
    _, rows = read_csv("wakers", "--csv", convoy())
    must(sum(int(r["count"]) for r in rows) == report(convoy(), command="wakers")["waits"]["count"], "wakers")
    _, rows = read_csv("stats", "--csv", convoy())
    calls = report(convoy(), command="stats")["calls"]
    must(len(rows) >= 2 and {r["call"] for r in rows} <= {c["call"] for c in calls}, f"stats: {rows}")
    _, rows = read_csv("threads", "--csv", "--group", convoy())
    must(sum(int(r["threads"]) for r in rows) == len(whole["threads"]), f"threads --group: {rows}")


def csv_quotes(where):
    """A path with what CSV takes for its own."""
    trace = where / "t.bin"
    fifo = where / 'a,"b" c'
    os.mkfifo(fifo)
    ended = run(traced(trace, ["sh", "-c", 'cat "$0" & sleep 0.1; echo >"$0"; wait', fifo]), cwd=where)
    must(ended.status == 0, str(ended))
    wait_complete(trace)
    for arguments in (["blocks"], ["blocks", "--group-by", "object"]):
        _, rows = read_csv(*arguments, "--csv", trace)
        must(any(str(fifo) in r["object"] for r in rows), f"{arguments}: {[r['object'] for r in rows]}")


def no_formulas(where):
    """Who made the trace chose the names: a spreadsheet must not compute them. Numbers stay numbers."""
    for name in ("=1+cmd|'x'!A1", "+1", "-2+3", "@SUM(A1)"):
        program = where / name
        shutil.copy(PROGRAMS / "arenas", program)
        trace = where / "t.bin"
        ended = run(traced(trace, [program, "20"]), cwd=where)
        must(ended.status == 0, str(ended))
        wait_complete(trace)
        for command in tables():
            for arguments in ([], ["--group-by", "process"]):
                if arguments and "group-by" not in options_of(command):
                    continue
                for row in read_csv(command, *arguments, "--csv", trace)[1]:
                    must(all(v[:1] not in set("=+-@\t\r") for v in row.values()), f"{command}: {row}")
        must("'" + name[:15] in {r["name"] for r in read_csv("threads", "--csv", trace)[1]}, f"threads: no '{name}")
        _, rows = read_csv("sql", "--csv", trace, "SELECT -1 AS a, -0.5 AS b, '-1' AS c, name AS d FROM threads WHERE name = '%s'"
                           % name[:15].replace("'", "''"))
        must(rows and {tuple(r.values()) for r in rows} == {("-1", "-0.5", "'-1", "'" + name[:15])}, f"sql: {rows}")
        trace.unlink()


COLUMN = {"blocks": {"total": "total_ns", "count": "count", "longest": "max_ns", "average": "average_ns"},
          "threads": {"blocked": "blocked_ns", "lifetime": "lifetime_ns", "running": "running_ns", "runnable": "runnable_ns",
                      "unexplained": "unexplained_ns", "longest": "longest_ns", "name": "name"},
          "locks": {"wait": "wait_ns", "waits": "contended", "longest": "max_wait_ns", "hold": "hold_ns",
                    "acquisitions": "acquisitions", "name": "object"},
          "sched": {"runnable": "runnable_ns", "running": "running_ns", "wakes": "wakes", "lost": "preemptions", "name": "name"},
          "wakers": {"total": "total_ns", "count": "count", "longest": "max_ns", "blame": "blame_ns"},
          "path": {"time": "path_ns", "count": "count"},
          "io": {"blocked": "blocked_ns", "calls": "calls", "read": "read_bytes", "written": "write_bytes", "longest": "max_ns",
                 "name": "object"},
          "malloc": {"calls": "calls", "blocked": "blocked_ns", "waits": "waits", "name": "call"},
          "stats": {"made": "made", "written": "written", "blocked": "blocked_ns", "short": "short_ns", "name": "call"}}


def sorting(_):
    for command in commands():
        keys = keys_of(command)
        must(bool(keys) == ("sort" in options_of(command)) or command in OTHERS, f"{command}: --sort without keys, or keys without it")
        if not keys or command not in COLUMN:
            continue
        line = one_line(command, "--sort", "colour", convoy(), words=keys)
        must("cannot be sorted by 'colour'" in line, line)
        must(set(COLUMN[command]) <= set(keys), f"{command}: keys {keys}")
        for key, column in COLUMN[command].items():
            values = [r[column] for r in read_csv(command, "--csv", "--sort", key, convoy())[1]]
            if key == "name":
                must(values == sorted(values), f"{command} --sort {key}: {values}")
            else:
                must([int(v) for v in values] == sorted(map(int, values), reverse=True), f"{command} --sort {key}: {values}")
            analyze(command, "--sort", key, convoy())
    first = report(convoy(), "--sort", "count", "--top", "1")["sites"][0]
    must(first["count"] == max(s["count"] for s in report(convoy())["sites"]), f"JSON is sorted, too: {first}")


# What --group-by must leave as it is: of each command a column's sum, and where it stands in CSV without groups.
GROUPED = {"blocks": "total_ns", "threads": "lifetime_ns", "locks": "wait_ns", "io": "calls", "latency": "count",
           "sched": "running_ns", "path": "path_ns"}


def grouping_everywhere(_):
    """In each command that has it: groups are named in --help, and lose nothing."""
    must(set(GROUPED) <= {c for c in commands() if groups_of(c)}, "groups in --help")
    for command in commands():
        groups = groups_of(command)
        must(bool(groups) == ("group-by" in options_of(command)), f"{command}: --group-by without groups, or groups without it")
        for by in ("thread", "start-routine", "site", "object", "process", "cause"):
            if groups and by not in groups:
                one_line(command, "--group-by", by, convoy(), words=groups)
                continue
            if not groups or command in ("flame", "export"):
                continue
            for trace in several()[::2] if by in ("site", "process") else several()[:1]:
                column = GROUPED.get(command)
                names, rows = read_csv(command, "--csv", "--group-by", by, trace)
                must(names[0] == by.replace("-", "_") or command in ("malloc", "wakers") or (command == "io" and by == "object"),
                     f"{command} --group-by {by}: {names}")
                if by in ("start-routine", "object"):
                    analyze(command, "--group-by", by, trace)
                    report(trace, "--group-by", by, command=command)
                if not column or (command == "sched" and "running_ns" not in names):
                    continue
                column = column if column in names else "total_ns"
                whole = sum(int(r[GROUPED[command]]) for r in read_csv(command, "--csv", trace)[1])
                must(sum(int(r[column]) for r in rows) == whole, f"{command} --group-by {by}: {rows}, {whole} in all")
    roots = {}
    for by in ("thread", "start-routine", "process", "cause"):
        folded = analyze("export", "--format", "folded", "--group-by", by, convoy()).splitlines()
        roots[by] = {line.split(";")[0] for line in folded}
        must(sum(int(line.rsplit(" ", 1)[1]) for line in folded) == sum(s["total_ns"] for s in report(convoy())["sites"]), f"folded by {by}")
        analyze("flame", "--group-by", by, "-o", "/dev/null", convoy())
    must({"rider", "(main thread)"} == roots["start-routine"] and "mutex" in roots["cause"] and len(roots["thread"]) == 5 and
         len(roots["process"]) == 1, f"roots: {roots}")
    one_line("export", "--format", "pprof", "--group-by", "thread", convoy(), words=["--group-by"])
    one_line("flame", "--by", "waker", "--group-by", "thread", convoy(), words=["--group-by"])


def columns(_):
    """Each column of the tables, as text and as CSV, is explained by --help and in the manual."""
    for command in commands():
        for name, text in columns_of(command).items():
            must(len(text) >= 3, f"{command}: nothing says what {name} is")
        must("csv" not in options_of(command) or columns_of(command) or command == "sql", f"{command}: --csv without columns")
    for command, heads in (("summary", ["no CPU", "locks", "idle"]), ("io", ["blocked", "calls"]), ("malloc", ["waited", "arena", "in lock"]),
                           ("latency", ["share", "up to"]), ("diff", ["change"]), ("stats", ["made"])):
        told = columns_of(command, "Columns")
        must(set(heads) <= set(told), f"{command}: {heads}, --help has {list(told)}")


def grouping(_):
    for trace in several():
        whole = report(trace)
        total = sum(s["total_ns"] for s in whole["sites"])
        for by in ("thread", "start-routine", "site", "object", "process", "cause"):
            found = report(trace, "--group-by", by)["grouped"]
            must(found["by"] == by and sum(r["total_ns"] for r in found["rows"]) == total, f"--group-by {by}: {found}")
            text = analyze("blocks", "--group-by", by, trace)
            must(f"Blocked time by {by}" in text and found["rows"][0]["label"][:20] in text.encode("latin-1").decode(), short(text))
            _, rows = read_csv("blocks", "--group-by", by, "--csv", trace)
            must(sum(int(r["total_ns"]) for r in rows) == total, f"--group-by {by} --csv: {rows}")
        by_cause = {r["label"]: r["total_ns"] for r in report(trace, "--group-by", "cause")["grouped"]["rows"]}
        must(by_cause == {c["cause"]: c["total_ns"] for c in whole["causes"]}, f"by cause: {by_cause}")
    labels = [r["label"] for r in report(convoy(), "--group-by", "start-routine")["grouped"]["rows"]]
    must(labels[0] == "rider", f"start routines: {labels}")
    one_line("blocks", "--group-by", "colour", convoy(), words=["start-routine"])


# --- what is said of mistakes ---

def suggestions(_):
    for arguments, word in (("blokcs T", "did you mean blocks?"), ("thread T", "did you mean threads?"),
                            ("deadlock T", "did you mean deadlocks?"), ("blocks --thraed x T", "did you mean --thread?"),
                            ("blocks --objekt x T", "did you mean --object?"), ("blocks --cause mutx T", "did you mean mutex?"),
                            ("blocks --cause contension T", "did you mean contention?"), ("blocks --min 3 T", "unit"),
                            ("blocks --site ( T", "regular expression"), ("xyzzy T", "see ctrace-analyze --help"),
                            ("whatif --site nothing_of_the_kind T", "nothing matches")):
        one_line(*[convoy() if a == "T" else a for a in arguments.split()], words=[word])
    ended = run([RUN, "--min", "3", "true"])
    must(ended.status == 125 and "--min 3" in ended.err, f"{ended}")


def versions(_):
    for tool in (ANALYZE, RUN, BUILD / "collector/ctrace-collector"):
        ended = run([tool, "--version"])
        must(ended.status == 0 and re.fullmatch(r"ctrace\S* \d+\.\d+\.\d+\n", ended.out), f"{ended}")
        must(run([tool, "--help"]).status == 0, f"{tool} --help")


def helps(_):
    """Everything fits 80 columns; examples are command lines that are understood."""
    for command in [None, *commands()]:
        text = help_of(*([command] if command else []))
        for line in text.splitlines():
            must(len(line) <= 80 and line == line.rstrip(), f"{command} --help: {line!r}")
        for line in re.findall(r"^  ctrace-analyze (.*trace\.bin.*)$", text, re.M):
            if command in OTHERS or "|" in line or "export" in line:
                continue
            ended = subprocess.run(["sh", "-c", f"{ANALYZE} {line}".replace("trace.bin", str(convoy()), 1).replace(">locks.csv", ">/dev/null")],
                                   capture_output=True, text=True, timeout=60)
            must("no option" not in ended.stderr and "no value" not in ended.stderr and "unknown" not in ended.stderr and
                 "sorted" not in ended.stderr, f"{line}: {ended.stderr}")


# --- manual and completions ---

def manual(_):
    pages = {p.name: p for p in (BUILD / "docs").glob("*.1")}
    must({f"ctrace-analyze-{c}.1" for c in commands()} | {"ctrace-run.1", "ctrace-ctl.1", "ctrace-top.1", "ctrace-analyze.1"} == set(pages), f"pages: {sorted(pages)}")
    for name, path in pages.items():
        if shutil.which("man"):
            ended = run(["man", "-l", "--warnings", path], env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PAGER": "cat"})
            must(ended.status == 0 and not ended.err, f"man --warnings {name}: {ended.err}")
            text = re.sub(r".\b", "", ended.out)
        if shutil.which("mandoc"):
            ended = run(["mandoc", "-Tlint", "-W", "warning", path])
            must(ended.status == 0, f"mandoc -Tlint {name}: {ended.out}")
        source = path.read_text().replace("\\-", "-")
        if name.startswith("ctrace-analyze-"):
            command = name[len("ctrace-analyze-"):-2]
            for option in options_of(command):
                must(f"--{option}\\fR" in source, f"{name}: --{option}")
            for word in keys_of(command) + groups_of(command) + list(columns_of(command)):
                must(f"\\fB{word}\\fR" in source, f"{name}: {word}")
    if not shutil.which("man") and not shutil.which("mandoc"):
        raise Skip("neither man nor mandoc")


def bash(line, *more):
    """What bash offers at the end of a line."""
    words = re.split(r"\s+|(?<==)|(?==)", line)
    script = (f"source {BUILD}/docs/bash-{'ctrace-run' if words[0] == 'ctrace-run' else 'ctrace-analyze'}\n"
              "COMP_WORDS=(" + " ".join(f"'{w}'" for w in words) + f"); COMP_CWORD={len(words) - 1}\n"
              f"_{words[0].replace('-', '_')}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"")
    ended = run(["bash", "--norc", "-c", script], cwd=tests.root)
    must(ended.status == 0 and not ended.err, f"bash, {line!r}: {ended}")
    return ended.out.split()


def completion_in_bash(_):
    file = convoy().name
    for line, wanted, not_wanted in (
            ("ctrace-analyze ", set(commands()), {"--help"}), ("ctrace-analyze bl", {"blocks"}, {"locks"}),
            ("ctrace-analyze --", {"--help", "--version"}, {"--top"}),
            ("ctrace-analyze blocks --", {f"--{o}" for o in options_of("blocks")}, {"--scale", "--format"}),
            ("ctrace-analyze whatif --s", {"--scale", "--site", "--split"}, {"--sort"}),
            ("ctrace-analyze blocks --sort ", set(keys_of("blocks")), {"wait"}),
            ("ctrace-analyze locks --sort ", set(keys_of("locks")), {"average"}),
            ("ctrace-analyze blocks --cause ", {"mutex", "contention", "io"}, {"runnable", "none"}),
            ("ctrace-analyze blocks --cause mutex,po", {"mutex,poll"}, {"poll"}),
            ("ctrace-analyze blocks --color=al", {"always"}, {"auto"}), ("ctrace-analyze blocks --group-by st", {"start-routine"}, set()),
            ("ctrace-analyze blocks --top 3 " + file[:4], {file}, set()), ("ctrace-analyze --color never blocks --t", {"--top", "--thread", "--to"}, set()),
            ("ctrace-analyze blocks --thread ", set(), {file}),
            ("ctrace-run --s", {"--sched", "--stacks"}, {"--min"}), ("ctrace-run --sched ", {"auto", "on", "off", "switches"}, set()),
            ("ctrace-run -o " + file[:4], {file}, set()), ("ctrace-run --min 10us -- app " + file[:4], {file}, set()),
            ("ctrace-run bas", {"bash"}, set())):
        found = set(bash(line))
        must(wanted <= found and not (not_wanted & found), f"{line!r}: {sorted(found)}")


def completion_in_fish(_):
    if not shutil.which("fish"):
        raise Skip("no fish")
    script = f"source {BUILD}/docs/fish-ctrace-analyze.fish; source {BUILD}/docs/fish-ctrace-run.fish; "
    for line, wanted, not_wanted in (
            ("ctrace-analyze ", set(commands()), set()), ("ctrace-analyze blocks --", {f"--{o}" for o in options_of("blocks")}, {"--scale"}),
            ("ctrace-analyze blocks --sort ", set(keys_of("blocks")), {"wait"}), ("ctrace-analyze blocks --cause mutex,po", {"mutex,poll"}, set()),
            ("ctrace-analyze blocks --color ", {"auto", "always", "never"}, set()), ("ctrace-run --sched ", {"auto", "on", "off", "switches"}, set()),
            ("ctrace-analyze blocks " + str(convoy())[:-3], {str(convoy())}, set())):
        ended = run(["fish", "--no-config", "-c", script + f"complete -C '{line}'"], cwd=tests.root)
        must(ended.status == 0 and not ended.err, f"fish, {line!r}: {ended}")
        found = {w.split("\t")[0] for w in ended.out.splitlines()}
        must(wanted <= found and not (not_wanted & found), f"{line!r}: {sorted(found)}")


class Terminal:
    """A program on a terminal of its own."""
    def __init__(self, argv, env=None, stdin=None, rows=24, columns=80, stdout=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([str(a) for a in argv], stdin=stdin or slave, stdout=stdout or slave, stderr=slave, cwd=tests.root,
                                        env={**ENVIRONMENT, "TERM": "xterm", **(env or {})}, start_new_session=True)
        os.close(slave)
        self.text = ""

    def read(self, seconds, until=None):
        """Until a text is there, the program has ended, or the time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until and until in self.text):
            if not select.select([self.master], [], [], 0.05)[0]:
                if self.process.poll() is not None:
                    break
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode("utf-8", "replace")
        return self.text

    def write(self, text):
        os.write(self.master, text.encode())

    def end(self, seconds=20):
        self.read(seconds)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"{self.process.args} does not end; so far {short(self.text)}") from None
        finally:
            os.close(self.master)
        return status, self.text


def completion_in_zsh(where):
    if not shutil.which("zsh"):
        raise Skip("no zsh")
    for tool in ("ctrace-analyze", "ctrace-run"):
        shutil.copy(BUILD / f"docs/zsh-_{tool}", where / f"_{tool}")
    t = Terminal(["zsh", "-f", "-i"], rows=60)
    # Written in parts: what zsh echoes is not what it prints.
    t.write(f"PROMPT='re''ady> '; fpath=({where} $fpath); autoload -U compinit; compinit -u -D; zstyle ':completion:*' menu no; "
            "unsetopt automenu; LISTMAX=1000\n")
    must("ready> " in t.read(20, "ready> "), f"zsh does not begin: {short(t.text)}")
    for line, wanted, not_wanted in (
            ("ctrace-analyze ", {"blocks", "deadlocks", "whatif"}, set()), ("ctrace-analyze blocks --", {"--group-by", "--object", "--csv"}, {"--scale"}),
            ("ctrace-analyze locks --sort=", {"acquisitions", "longest"}, {"average"}),
            ("ctrace-analyze blocks --cause=mutex,po", {"mutex,poll"}, set()),
            ("ctrace-analyze blocks --color=", {"always", "never"}, set()), ("ctrace-run --sched=", {"switches"}, set()),
            ("ctrace-analyze blocks " + convoy().name[:9], {convoy().name[9:]}, set())):
        t.text = ""
        t.write(line + "\t")
        last = min(wanted, key=len)
        t.read(10, last)
        t.read(0.3)
        found = t.text
        t.text = ""
        t.write("\x15") # takes the line away
        t.read(0.2)
        for word in wanted:
            must(word in found, f"zsh, {line!r}: {word} is not in {short(found)}")
        for word in not_wanted:
            must(word not in found, f"zsh, {line!r}: {word} is in {short(found)}")
    t.process.kill()
    t.end()


# --- terminals and pipes ---

def pager(where):
    kept = where / "kept"
    paged = {"CTRACE_PAGER": f"cat >{kept}"}
    status, text = Terminal([ANALYZE, "blocks", convoy()], paged).end()
    must(status == 0 and "Blocked time by cause" in kept.read_text() and "Blocked" not in text, f"CTRACE_PAGER: {short(text)}")
    must("\033[" in kept.read_text(), "the pager gets colours")
    kept.unlink()
    for arguments in (["blocks", "--json"], ["blocks", "--csv"]):
        status, text = Terminal([ANALYZE, *arguments, convoy()], paged).end()
        must(status == 0 and text and not kept.exists(), f"{arguments} goes through the pager")
    status, text = Terminal([ANALYZE, "blocks", convoy()], {"PAGER": f"cat >{kept}"}).end()
    must(kept.exists() and not text.strip(), f"PAGER: {short(text)}")
    kept.unlink()
    for env in ({"CTRACE_PAGER": "cat", "PAGER": f"cat >{kept}"}, {"CTRACE_PAGER": "", "PAGER": f"cat >{kept}"}):
        status, text = Terminal([ANALYZE, "blocks", convoy()], env).end()
        must(status == 0 and "Blocked time by cause" in text and not kept.exists(), f"{env}: {short(text)}")
    ended = run([ANALYZE, "blocks", convoy()], env=paged)
    must("Blocked time by cause" in ended.out and not kept.exists(), "a pager without a terminal")
    # The report at the end of ctrace-run is none of its business: the terminal is the program's.
    status, text = Terminal([RUN, "-o", where / "t.bin", PROGRAMS / "wakers", "pipeline"], paged).end()
    must(status == 0 and "covers" in text and not kept.exists(), f"ctrace-run with a pager: {short(text)}")
    # One that does not read on is no failure.
    status, text = Terminal([ANALYZE, "dump", convoy()], {"CTRACE_PAGER": "true"}).end()
    must(status == 0, f"a pager that ends at once: {status}, {short(text)}")
    cut = where / "cut.bin"
    cut.write_bytes(Path(convoy()).read_bytes()[:-100])
    status, text = Terminal([ANALYZE, "blocks", cut], paged).end()
    must(status == 1 and "cut off" in text, f"damage is told after the pager: {status}, {short(text)}")
    if not shutil.which("less"):
        raise Skip("no less: its part")
    status, text = Terminal([ANALYZE, "check", convoy()]).end()
    must(status == 0 and "OK: " in text, f"less -F ends by itself: {short(text)}")
    t = Terminal([ANALYZE, "blocks", convoy()])
    t.read(10, "covers")
    t.read(0.5)
    must(t.process.poll() is None and "Threads" not in t.text, f"less shows all at once: {short(t.text)}")
    t.write("q")
    status, text = t.end()
    must(status == 0, f"less: {status}")


def colour(_):
    for env, arguments, wanted in (({}, [], True), ({"NO_COLOR": "1"}, [], False), ({"NO_COLOR": ""}, [], True),
                                   ({"NO_COLOR": "1"}, ["--color", "always"], True), ({}, ["--color", "never"], False)):
        _, text = Terminal([ANALYZE, "blocks", *arguments, convoy()], {**env, "CTRACE_PAGER": "cat"}).end()
        must(("\033[" in text) == wanted, f"{env} {arguments}: {short(text)}")
    for arguments in (["blocks"], ["blocks", "--json"], ["threads", "--csv"]):
        must("\033" not in analyze(*arguments, convoy()), f"colours in a file: {arguments}")


def slowly(seconds):
    """A pipe that a trace comes through in small pieces."""
    data = Path(convoy()).read_bytes()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        for i in range(20):
            os.write(writer, data[len(data) * i // 20:len(data) * (i + 1) // 20])
            time.sleep(seconds / 20)
        os._exit(0)
    os.close(writer)
    return reader, child


def progress(where):
    """After a second, on a terminal, erased at the end; not otherwise."""
    for seconds, terminal, wanted in ((2.5, True, True), (0.1, True, False), (2.5, False, False)):
        pipe, child = slowly(seconds)
        argv = [ANALYZE, "blocks", "--color", "never", "-"]
        with open(where / "out", "wb") as out:
            if terminal:
                status, text = Terminal(argv, stdin=pipe, stdout=out).end()
            else:
                ended = subprocess.run(argv, stdin=pipe, stdout=out, stderr=subprocess.PIPE, env=ENVIRONMENT, timeout=60)
                status, text = ended.returncode, ended.stderr.decode()
        os.close(pipe)
        os.waitpid(child, 0)
        must(status == 0 and "Blocked time by cause" in (where / "out").read_text(), f"{seconds} s: status {status}, {short(text)}")
        must(("reading the pipe" in text) == wanted, f"{seconds} s, terminal {terminal}: {short(text)}")
        must(not wanted or text.endswith("\r\033[K"), f"the line is not erased: {short(text)}")
    # Where the text comes out on the same terminal nothing of the line is left in it.
    pipe, child = slowly(2)
    status, text = Terminal([ANALYZE, "threads", "--color", "never", "-"], {"CTRACE_PAGER": "cat"}, stdin=pipe).end()
    os.close(pipe)
    os.waitpid(child, 0)
    must(re.search(r"\r\033\[K  command ", text), f"the line stays: {short(text)}")


def pipes(where):
    expected = analyze("blocks", convoy())
    data = Path(convoy()).read_bytes()
    for name, script in (("pipe", f"cat {convoy()} | {ANALYZE} blocks -"), ("file", f"{ANALYZE} blocks - <{convoy()}"),
                         ("compressed", f"zstd -qc {convoy()} | zstd -dc | {ANALYZE} blocks -"),
                         ("substitution", f"{ANALYZE} blocks <(cat {convoy()})")):
        ended = run(["bash", "-c", script], cwd=where)
        must(ended.status == 0 and ended.out == expected and not ended.err, f"{name}: {ended}")
    for data_in, status, word in ((b"", 2, "standard input: empty file"), (b"no trace at all", 2, "standard input: not a trace"),
                                  (data[:-50], 1, "standard input: cut off")):
        ended = subprocess.run([ANALYZE, "blocks", "-"], input=data_in, capture_output=True, env=ENVIRONMENT, timeout=60)
        must(ended.returncode == status and word in ended.stderr.decode(), f"{word}: {ended}")
    must(not os.listdir(where), f"left behind: {os.listdir(where)}")
    # Memory does not grow with what comes through the pipe.
    with open("/dev/zero", "rb") as zero:
        source = subprocess.Popen(["head", "-c", "400M", "/dev/zero"], stdout=subprocess.PIPE, stdin=zero)
        ended = subprocess.run(["bash", "-c", f"ulimit -v 200000; exec {ANALYZE} blocks -"], stdin=source.stdout, capture_output=True,
                               env={**ENVIRONMENT, "TMPDIR": str(where)}, timeout=120)
        source.stdout.close()
        source.wait()
    must(ended.returncode == 2 and b"not a trace" in ended.stderr, f"400 MB of zeros: {ended}")
    must(not os.listdir(where), f"left behind: {os.listdir(where)}")


tests = Tests()
for name, test in (("books balance with filters", balance), ("filter by site", by_site), ("filter by object", by_object),
                   ("filter by thread and process", by_thread_and_process), ("moments", moments),
                   ("filters everywhere", filters_everywhere), ("csv of every table", csv_of_every_table), ("csv quotes", csv_quotes),
                   ("csv no formulas", no_formulas),
                   ("grouping everywhere", grouping_everywhere), ("columns", columns),
                   ("sort", sorting), ("group", grouping), ("suggestions", suggestions), ("versions", versions), ("help", helps),
                   ("manual", manual), ("completion in bash", completion_in_bash), ("completion in fish", completion_in_fish),
                   ("completion in zsh", completion_in_zsh), ("pager", pager), ("colour", colour), ("progress", progress),
                   ("pipes", pipes)):
    tests.run(name, test)
tests.finish()
