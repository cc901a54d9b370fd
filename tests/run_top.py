#!/usr/bin/python3
"""ctrace-top: what it shows of programs that are known, in batches and on a screen, of ordinary traces and of flight
recorders.

usage: run_top.py BUILD [NAME...]
"""
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from harness import BUILD, CTL, ENVIRONMENT, PROGRAMS, RUN, Tests, check_trace, functions, must, run, wait_complete
from terminal import Terminal

TOP = BUILD / "top/ctrace-top"


class Traced:
    """A program that runs traced, with a runtime directory of its own."""

    def __init__(self, where, argv, options=("-o", "t.bin")):
        self.where, self.trace, self.name = where, where / "t.bin", argv[0].name
        self.env = {**ENVIRONMENT, "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(where)}
        self.process = subprocess.Popen([str(a) for a in [RUN, "-q", *options, "--", *argv]], cwd=where, env=self.env,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def __enter__(self):
        until = time.monotonic() + 60
        while not any(p["name"] == self.name or self.name == "sh" for p in self.list()):
            must(time.monotonic() < until and self.process.poll() is None, "it is not traced")
            time.sleep(0.05)
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def list(self):
        found = json.loads(run([CTL, "list", "--json"], env=self.env).out)["processes"]
        return [p for p in found if p["threads"] > 0]

    def pid(self):
        return next(p["pid"] for p in self.list() if p["name"] == self.name)

    def top(self, *arguments, status=0, env=None):
        ended = run([TOP, *arguments], env={**self.env, **(env or {})}, cwd=self.where)
        must(ended.status == status, f"{ended}; expected status {status}")
        return ended

    def pictures(self, *arguments):
        return [json.loads(line) for line in self.top("--json", *arguments).out.splitlines()]

    def screen(self, *arguments, **how):
        return Terminal([TOP, *arguments], self.env, **how)

    def ready(self):
        """Till all threads wait as they should. The last picture."""
        until = time.monotonic() + 60
        while True:
            p = self.pictures("-n", "1", "-d", "0.3")[0]
            if len(waits(p, "mutex")) == 2 and waits(p, "pipe"):
                return p
            must(time.monotonic() < until, f"the threads do not wait as they should: {p}")


def looked_at(where, seconds=60, **how):
    return Traced(where, [PROGRAMS / "looked_at", seconds], **how)


def waits(picture, cause):
    return [t for t in picture["thread_list"] if t["wait"] and t["wait"]["cause"] == cause]


def sees(flight):
    """States, waits, ages, owners, sites and sums."""
    def test(where):
        with looked_at(where, options=("--flight", "30s,16M") if flight else ("-o", "t.bin")) as p:
            p.ready()
            first, second = p.pictures("-n", "2", "-d", "0.5")
            must(first["flight"] == flight and first["name"] == "looked_at" and first["threads"] == 6, f"{first}")
            must(second["now_ns"] - first["now_ns"] == second["interval_ns"], "the interval is another one")
            by_name = {t["name"]: t for t in second["thread_list"]}
            must(set(by_name) == {"looked_at", "holder", "waiter", "?[31mred?c", "worker", "reader"}, f"names: {set(by_name)}")
            worker, holder, waiter = by_name["worker"], by_name["holder"], by_name["waiter"]
            must(worker["state"] in ("running", "runnable") and not worker["wait"], f"worker: {worker}")
            must(worker["running_ns"] + worker["runnable_ns"] > 0.8 * second["interval_ns"], f"worker: {worker}")
            must(waiter["state"] == "blocked" and waiter["blocked_ns"] > 0.95 * second["interval_ns"], f"waiter: {waiter}")
            wait = waiter["wait"]
            must(wait["call"] == "pthread_mutex_lock" and wait["object"] == "g_lock" and wait["owner_tid"] == holder["tid"] and
                 functions(wait)[0] == "waiter", f"waiter: {wait}")
            must(holder["wait"]["cause"] == "sleep" and by_name["reader"]["wait"]["cause"] == "pipe" and
                 by_name["looked_at"]["wait"]["cause"] == "join", f"{by_name}")
            must(by_name["looked_at"]["wait"]["object"] == f"holder ({holder['tid']})", f"{by_name['looked_at']}")
            before = {t["name"]: t["wait"] for t in first["thread_list"]}["waiter"]
            must(abs(wait["age_ns"] - before["age_ns"] - second["interval_ns"]) < 50e6, "the age does not grow with the time")
            # Two wait for the lock all the time: what is in progress counts, neither more nor less.
            for rows in (second["locks"], [s for s in second["sites"] if s["cause"] == "mutex"],
                         [c for c in second["causes"] if c["cause"] == "mutex"]):
                must(len(rows) == 1 and rows[0]["waiting"] == 2 and rows[0]["count"] == 0 and
                     abs(rows[0]["total_ns"] - 2 * second["interval_ns"]) < 0.02 * second["interval_ns"], f"{rows}")
            must(second["locks"][0]["object"] == "g_lock", f"{second['locks']}")
            must(second["running"] + second["runnable"] + second["blocked"] > 5.9, f"{second}")
            if not flight:
                must(p.pictures("-n", "1", "-d", "0.1", p.trace)[0]["pid"] == p.pid(), "it is not found by its trace")
    return test


def sums(where):
    """What is summed up is what happens: a program that waits all the time, watched by two at once."""
    with Traced(where, [PROGRAMS / "switched", "waits", 30]) as p:
        other = subprocess.Popen([TOP, "--json", "-d", "0.13"], env=p.env, stdout=subprocess.DEVNULL)
        seen = p.pictures("-n", "4", "-d", "0.5")
        other.kill()
        other.wait()
        for picture in seen[1:]:
            by_cause = {c["cause"]: c["total_ns"] / picture["interval_ns"] for c in picture["causes"]}
            must(0.9 < by_cause["cond"] < 1.02, f"one thread waits for the condition, not {by_cause['cond']}: {by_cause}")
            waiting = sum(by_cause.values())
            must(7 < waiting < 9.05, f"nine threads wait nearly all the time: {waiting}, {by_cause}")
            must(picture["events"] > 0 and not picture["lost"], f"{picture}")


def text(where):
    with looked_at(where) as p:
        p.ready()
        out = p.top("-b", "-n", "2", "-d", "0.3", env={"COLUMNS": "80"}).out
        must(out.count("ctrace-top: looked_at") == 2, out)
        out = out.encode("latin-1").decode("utf-8")
        must(all(len(line) <= 80 for line in out.splitlines()), f"a long line: {out}")
        must(not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out), "control characters")
        must(re.search(r"^ +\d+ waiter +B +0 +0 +100 .*g_lock +waiter", out, re.M), out)
        must(re.search(r"^ +\d+ worker +[Rr] ", out, re.M) and "g_lock" in out, out)
        must(len(out.splitlines()) > 2 * len(p.top("-b", "-n", "1", "-d", "0.1", "--top", "1").out.splitlines()), "--top")
        only = p.pictures("-n", "1", "-d", "0.1", "-t", "wai*")[0]
        must([t["name"] for t in only["thread_list"]] == ["waiter"], f"-t: {only['thread_list']}")
        sort = [t["tid"] for t in p.pictures("-n", "1", "-d", "0.1", "-o", "tid")[0]["thread_list"]]
        must(sort == sorted(sort), f"-o tid: {sort}")


def ends(where):
    """The program ends: batches end with it, and the trace is whole."""
    with looked_at(where, 3) as p:
        ended = p.top("-b", "-d", "0.2", p.pid())
        must("has ended" in ended.err and len(ended.err.splitlines()) == 1 and "waiter" in ended.out, str(ended))
        must(p.process.wait(60) == 0, "the program did not end as it should")
        wait_complete(p.trace)
        check_trace(p.trace)
        must("nobody writes to it any more" in p.top("-b", p.trace, status=1).err, "an ended trace")
        must("no process of yours" in p.top("-b", status=1).err, "nothing is traced")


def usage(where):
    env = {"XDG_RUNTIME_DIR": str(where)}
    for arguments, status in ((["--help"], 0), (["--version"], 0), (["-b"], 1), (["-b", "1"], 1), (["-b", "nothing"], 1),
                              (["-x"], 2), (["-d", "0"], 2), (["-d", "x"], 2), (["-n", "0"], 2), (["-o", "x"], 2),
                              (["1", "2"], 2), (["-d"], 2)):
        ended = run([TOP, *arguments], env=env)
        must(ended.status == status and (status == 0) == (not ended.err) and len(ended.err.splitlines()) <= 1, str(ended))
        must(all(len(line) <= 100 for line in ended.out.splitlines()), f"a long line: {ended.out}")
    with looked_at(where, 20) as p:
        must("-b" in p.top(status=2).err, "no terminal")
        for term in ("dumb", "no-such-terminal"):
            with p.screen(term=term) as s:
                must(s.end() == 2 and b"-b" in s.raw and len(s.raw.splitlines()) == 1, f"TERM={term}: {s.raw}")


def several(where):
    with looked_at(where) as p, Traced(where, [PROGRAMS / "switched", "waits", 60], ("-o", "u.bin")) as q:
        ended = q.top("-b", status=2)
        must("looked_at" in ended.out and "switched" in ended.out and "name a process" in ended.err, str(ended))
        must(q.pictures("-n", "1", "-d", "0.1", where / "u.bin")[0]["name"] == "switched", "by its trace")
        with p.screen() as s:
            must(s.until(lambda text: "looked_at" in text and "switched" in text), "no list: " + s.text())
            row = next(i for i, line in enumerate(s.lines()) if "looked_at" in line) - 1
            s.key("\x1b[B" * row + "\r")
            must(s.until(lambda text: "ctrace-top: looked_at" in text), "not opened: " + s.text())
            s.key("\x7f")
            must(s.until(lambda text: "switched" in text and "Enter Show" in text), "not back: " + s.text())
            s.key("q")
            must(s.end() == 0, "it does not end")


def screen(where):
    with looked_at(where, 120) as p:
        p.ready()
        with p.screen("-d", "0.3") as s:
            def shows(what, *texts):
                must(s.until(lambda text: all(re.search(t, text, re.M) for t in texts)), f"{what}: {s.text()}")

            shows("threads", r"^ctrace-top: looked_at", r"^ +\d+ waiter +B +0 +0 +100", r"worker +[Rr]", r"q Quit", r"WAITS FOR",
                  r"\?\[31mred\?c")
            must(b"\x1b[31mred" not in s.raw and b"\x1bc" not in s.raw, "a name's escapes reach the terminal")
            for title in (r"LOCK", r"CAUSE", r"AT"):
                s.key("t")
                shows("lower part", rf"{title}" if title != "AT" else r"TID")
            s.key("tN")
            shows("sorted by tid", r"\*TID NAME")
            tids = [int(x) for x in re.findall(r"^ +(\d+) \S+ +[RrB] ", s.text(), re.M)]
            must(len(tids) == 6 and tids == sorted(tids), f"tids: {tids}")
            s.key(">>I")
            s.key("/wait\r")
            shows("filter", r"only threads: wait", r"waiter")
            must(s.until(lambda text: "worker" not in text), "the filter does nothing: " + s.text())
            s.key("\r")
            shows("a thread", r"^Thread waiter", r"waits for mutex g_lock in pthread_mutex_lock", r"held by holder \(\d+\), taken at holder",
                  r"^ +waiter +looked_at\.c:\d+", r"LAST WAITS")
            s.key("\x1b")
            shows("back", r"only threads")
            s.key("/\r")
            shows("all", r"worker")
            s.key("h")
            shows("help", r"Keys|keys", r"PgUp")
            s.key("x ")
            shows("stopped", r"stopped")
            s.key(" d5\r")
            s.key("h")
            shows("help again", r"PgUp")
            s.key("x")
            for rows, columns in ((40, 140), (5, 30), (1, 1), (3, 200), (24, 80)):
                s.resize(rows, columns)
                s.read(0.2)
            shows("after its sizes", r"^ctrace-top: looked_at", r"waiter", r"q Quit")
            must(max(len(line) for line in s.lines()) <= 80, "a long line")
            s.key("q")
            must(s.end() == 0, "it does not end")
        with Terminal([TOP], {**p.env, "NO_COLOR": "1"}) as s:
            must(s.until(lambda text: "waiter" in text), s.text())
            must(not re.search(rb"\x1b\[[0-9;]*3[0-7]m", s.raw), "colours despite of NO_COLOR")
            s.key("q")
            s.end()


def goes(where):
    """The program ends while it is shown: the last picture stays."""
    with looked_at(where, 6) as p, p.screen("-d", "0.3") as s:
        must(s.until(lambda text: "waiter" in text), s.text())
        text = s.until(lambda text: "has ended" in text)
        must(text and "ctrace-top: looked_at" in text and "waiter" in text, s.text())
        s.key("q")
        must(s.end() == 0, "it does not end")


def harm(where):
    """Of processes that mean harm: neither the collector nor ctrace-top dies of what it is told."""
    scribbler = PROGRAMS / "scribbler"
    others = " ".join(f"{scribbler} {act} 4 &" for act in ("own", "liar", "flood", "holes"))
    seen = 0
    with Traced(where, [Path("sh"), "-c", f"{others} {scribbler} victim 4; wait"]) as p:
        while p.process.poll() is None:
            for row in p.list()[:20]:
                ended = run([TOP, "--json", "-n", "2", "-d", "0.1", str(row["pid"])], env=p.env)
                must(ended.status in (0, 1) and len(ended.err.splitlines()) <= 1, str(ended))
                seen += len([json.loads(line) for line in ended.out.splitlines()])
        must(p.process.returncode == 0, f"status {p.process.returncode}")
        wait_complete(p.trace, 60)
    must(seen, "nothing was seen")


def main():
    tests = Tests()
    tests.run("sees an ordinary trace", sees(False))
    tests.run("sees a flight recorder", sees(True))
    tests.run("sums", sums)
    tests.run("text", text)
    tests.run("ends", ends)
    tests.run("usage", usage)
    tests.run("several programs", several)
    tests.run("screen", screen)
    tests.run("screen of a program that ends", goes)
    tests.run("processes that mean harm", harm)
    tests.finish()


main()
