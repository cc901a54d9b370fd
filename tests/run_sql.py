#!/usr/bin/python3
"""Traces as SQLite databases, read by others: Python's module and the shell of SQLite; the recipes of docs/sql.md.

usage: run_sql.py BUILD [REGEX...]
"""
import csv
import io
import json
import re
import sqlite3
from pathlib import Path

from harness import ANALYZE, PROGRAMS, Tests, must, report, run, short, traced, wait_complete

DOC = Path(__file__).resolve().parent.parent / "docs/sql.md"


def trace_of(where, argv):
    out = where / "t.bin"
    ended = run(traced(out, argv), cwd=where)
    must(ended.status == 0, str(ended))
    wait_complete(out)
    return out


def database(where, out, *options):
    db = where / "t.db"
    ended = run([ANALYZE, "export", "--format", "sqlite", "-o", db, *options, out])
    must(ended.status == 0 and not ended.out and not ended.err, str(ended))
    return sqlite3.connect(db)


def same_sums(where):
    """What blocks, threads, locks and wakers say."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    db, found = database(where, out), report(out)
    must(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok", "the database is not whole")
    must(not db.execute("PRAGMA foreign_key_check").fetchall(), "a row refers to none")
    mine = {cause: (n, ns) for cause, n, ns in db.execute("SELECT cause, count(*), sum(blocked_ns) FROM waits GROUP BY 1")}
    for c in found["causes"]:
        if c["category"] != "cpu" and not c["unknown"]:
            n, ns = mine[c["cause"]]
            must(n == c["count"] and abs(ns - c["total_ns"]) <= 0.001 * c["total_ns"] + 1000, f"{c['cause']}: {n} waits of {ns}, blocks: {c['count']} of {c['total_ns']}")
    for t in found["threads"]:
        row = db.execute("SELECT lifetime_ns, running_ns, runnable_ns, blocked_ns, unexplained_ns, id FROM threads WHERE tid = ?", (t["tid"],)).fetchone()
        must(row[:5] == (t["lifetime_ns"], t["running_ns"], t["runnable_ns"], t["blocked_ns"], t["unexplained_ns"]), f"{t['name']}: {row}")
        if found["trace"]["sched"] == "switches":
            ran = db.execute("SELECT coalesce(sum(end_ns - start_ns), 0) FROM states WHERE thread = ? AND state = 'running'", (row[5],)).fetchone()[0]
            must(abs(ran - t["running_ns"]) <= 0.02 * t["running_ns"] + 300000, f"{t['name']} ran {ran}, threads: {t['running_ns']}")
    lock = next(k for k in report(out, command="locks")["locks"] if k["object"] == "g_lock")
    must(db.execute("SELECT contended, wait_ns FROM locks WHERE name = 'g_lock'").fetchone() == (lock["contended"], lock["wait_ns"]), "the lock")
    waits, known = db.execute("SELECT count(*), sum(waker LIKE 'rider-%' AND waker_function = 'let_go') FROM waits WHERE object = 'g_lock' AND "
                              "function = 'queue_up'").fetchone()
    must(waits > 40 and known >= 0.95 * waits, f"{known} of {waits} waits have their waker")
    must({r[0] for r in db.execute("SELECT category FROM causes")} >= {"contention", "io", "idle", "runtime"}, "categories")


def recipes(where):
    """Each of them answers, in the shell of SQLite as well as in sql."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    database(where, out).close()
    found = re.findall(r"```sql\n(.*?)```", DOC.read_text(), re.S)
    must(len(found) >= 10, f"{len(found)} recipes")
    for sql in found:
        shell = run(["sqlite3", "-csv", "-header", where / "t.db", sql])
        must(shell.status == 0 and not shell.err, f"{sql}: {shell}")
        mine = run([ANALYZE, "sql", "--csv", out, sql])
        must(mine.status == 0 and not mine.err, f"{sql}: {mine}")
        rows, others = list(csv.reader(io.StringIO(mine.out))), list(csv.reader(io.StringIO(shell.out)))
        must(len(rows) == max(len(others), 1), f"{sql}: {len(rows)} rows, the shell has {len(others)}")
        must(len(rows) > 1 or "1000000000" in sql, f"{sql}: no rows")
        must(not others or rows[0] == others[0], f"{sql}: columns {rows[0]}")


def answers(where):
    """As a table, as JSON, and what is no question."""
    out = trace_of(where, ["sh", "-c", "sleep 0.1; sleep 0.1"])
    ended = run([ANALYZE, "sql", out, "SELECT 1 AS one, 'two' AS two; SELECT NULL AS none"])
    must((ended.status, ended.out) == (0, "one  two\n  1  two\nnone\n    \n"), str(ended))
    rows = json.loads(run([ANALYZE, "sql", "--json", out, "SELECT cause, sum(blocked_ns) AS ns, NULL AS none FROM waits WHERE cause = 'child'"]).out)["rows"]
    must(len(rows) == 1 and rows[0]["cause"] == "child" and rows[0]["ns"] > 150e6 and rows[0]["none"] is None, str(rows))
    filtered = json.loads(run([ANALYZE, "sql", "--json", "--cause", "sleep", out, "SELECT DISTINCT cause FROM waits"]).out)["rows"]
    must(filtered == [{"cause": "sleep"}], f"--cause: {filtered}")
    for sql, words in (("SELEC 1", "syntax error"), ("SELECT x FROM nowhere", "no such table"), (None, "no question")):
        ended = run([ANALYZE, "sql", out, *([sql] if sql else [])])
        must(ended.status == 2 and ended.err.count("\n") == 1 and ended.err.startswith("ctrace-analyze: sql: ") and words in ended.err, str(ended))
    ended = run([ANALYZE, "export", "--format", "sqlite", out])
    must(ended.status == 2 and "--output" in ended.err, str(ended))
    ended = run([ANALYZE, "export", "--format", "sqlite", "-o", where / "missing/t.db", out])
    must(ended.status == 2 and ended.err.count("\n") == 1, str(ended))


def cut(where):
    """A trace that was cut: what is there is in the database, and the exit status says so."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    data = out.read_bytes()
    for part in (0.2, 0.5, 0.8):
        out.write_bytes(data[:int(len(data) * part)])
        ended = run([ANALYZE, "export", "--format", "sqlite", "-o", where / "t.db", out])
        must(ended.status == 1 and ended.err.count("\n") == 1, short(str(ended)))
        db = sqlite3.connect(where / "t.db")
        must(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok" and db.execute("SELECT value FROM trace WHERE key = 'complete'").fetchone()[0] == 0, "cut")
        db.close()


tests = Tests()
tests.run("the same sums", same_sums)
tests.run("recipes", recipes)
tests.run("answers", answers)
tests.run("a trace that was cut", cut)
tests.finish()
