#!/usr/bin/python3
"""ctrace-ctl: what is traced is seen, and recording is switched while programs run: they behave as ever, and the
trace says when nothing was recorded.

usage: run_ctl.py BUILD [NAME...]
"""
import json
import os
import signal
import subprocess
import time

from harness import (ANALYZE, CTL, ENVIRONMENT, PROGRAMS, RUN, Failure, Tests, analyze, check_trace, must, preloaded, report, run,
                     wait_complete)


def until(holds, why, seconds=60):
    """Waits till something holds, and returns it."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        must(time.monotonic() < end, why() if callable(why) else why)
        time.sleep(0.05)
    return found


class Traced:
    """A program that runs traced, with a runtime directory of its own."""

    def __init__(self, where, argv, options=(), env=None, before=()):
        self.where, self.trace, self.argv = where, where / "t.bin", argv
        self.env = {**ENVIRONMENT, "XDG_RUNTIME_DIR": str(where), **(env or {})}
        self.process = subprocess.Popen([str(a) for a in [*before, RUN, "-q", "-o", self.trace, *options, "--", *argv]],
                                        cwd=where, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        until(lambda: self.list() or self.process.poll() is not None, f"{self.argv} is not traced")
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None and kind:
            self.process.kill()
            self.process.wait()

    def ctl(self, *arguments, status=0):
        ended = run([CTL, *arguments], env=self.env)
        must(ended.status == status, f"{ended}; expected status {status}")
        return ended

    def list(self):
        return json.loads(self.ctl("list", "--json").out)["processes"]

    def pid(self):
        return self.list()[0]["pid"]

    def kill(self):
        """Ends the program, however long it was to run."""
        os.kill(self.pid(), signal.SIGKILL)
        self.process.wait(60)
        wait_complete(self.trace, 60)

    def end(self):
        """The program's output; it must have ended as it does untraced."""
        out, err = self.process.communicate(timeout=60)
        must(self.process.returncode == 0 and "ended 0" in out and not err,
             f"{self.argv}: status {self.process.returncode}, {out!r}, {err!r}")
        wait_complete(self.trace)
        return out


def switched(where, case, seconds=2.0, options=()):
    return Traced(where, [PROGRAMS / "switched", case, seconds], options)


def sees(where):
    with switched(where, "waits", 300) as p:
        directory = where / "ctrace"
        must(directory.stat().st_mode & 0o777 == 0o700, "the runtime directory is open to others")
        until(lambda: p.list()[0]["threads"] == 9, lambda: f"list: {p.list()}")
        row = p.list()[0]
        must(row["name"] == "switched" and row["recording"] == "on" and row["output"] == str(p.trace), f"list: {row}")
        text = p.ctl("list").out
        must(str(row["pid"]) in text and "switched" in text and len(text.splitlines()) == 2, text)

        def waits():
            status = json.loads(p.ctl("status", row["pid"], "--json").out)["process"]
            must(len(status["thread_list"]) == 9, f"status: {status}")
            return {t["wait"]["cause"] for t in status["thread_list"] if t["wait"]}
        until(lambda: {"sleep", "mutex"} <= waits(), lambda: f"status: {waits()}")
        must("nanosleep" in p.ctl("status", row["pid"]).out, "status does not show the sleeping thread")
        p.kill()
        until(lambda: not list(directory.iterdir()), "the socket is still there")
        must(not p.list(), "an ended program is listed")


def usage(where):
    env = {"XDG_RUNTIME_DIR": str(where)}
    for arguments, status in ((["list"], 0), (["stop"], 1), (["status", "1"], 1), (["status"], 2), (["set"], 2), (["nothing"], 2),
                              ([], 2), (["stop", "x"], 2), (["set", "--min", "3"], 2), (["list", "--tree"], 2),
                              (["--help"], 0), (["set", "--help"], 0), (["--version"], 0), (["stop", "--all", "1"], 2)):
        ended = run([CTL, *arguments], env=env)
        must(ended.status == status and (status == 0) == (not ended.err), f"{ended}; expected status {status}")
        must(len(ended.err.splitlines()) <= 1, str(ended))
        must(all(len(line) <= 110 for line in ended.out.splitlines()), f"a long line: {ended.out}")


def unsafe(where):
    """A directory that others could have made is not used, and the program runs."""
    for name, make in (("link", lambda d: d.symlink_to(where)), ("open", lambda d: (d.mkdir(), d.chmod(0o755))),
                       ("file", lambda d: d.write_text(""))):
        base = where / name
        base.mkdir()
        make(base / "ctrace")
        ended = run([RUN, "-q", "-o", base / "t.bin", "true"], env={"XDG_RUNTIME_DIR": str(base)}, cwd=base)
        must(ended.status == 0 and len(ended.err.splitlines()) == 1 and "ctrace-ctl will not find" in ended.err, str(ended))
        check_trace(base / "t.bin")
        ended = run([CTL, "list"], env={"XDG_RUNTIME_DIR": str(base)})
        must(ended.status == 1 and len(ended.err.splitlines()) == 1, str(ended))
    base = where / "gone"
    ended = run([RUN, "-q", "-o", where / "t.bin", "true"], env={"XDG_RUNTIME_DIR": str(base)}, cwd=where)
    must(ended.status == 0 and not ended.err and not base.exists(), str(ended))


def stale(where):
    """A collector that was killed leaves its socket; the next one sweeps it."""
    with switched(where, "waits", 30) as p:
        collector = p.list()[0]["collector"]
        os.kill(collector, signal.SIGKILL)
        p.process.kill()
    left = where / "ctrace" / f"{collector}.sock"
    must(left.exists(), "no socket was left")
    for _ in range(50):
        if not os.path.exists(f"/proc/{collector}"):
            break
        time.sleep(0.1)
    run([RUN, "-q", "-o", where / "n.bin", "true"], env={"XDG_RUNTIME_DIR": str(where)}, cwd=where)
    must(not left.exists(), "the socket of the killed collector is still there")


def stops(options):
    def test(where):
        with switched(where, "waits", 3, options) as p:
            time.sleep(0.7)
            p.ctl("stop")
            must(p.list()[0]["recording"] == "off", "list does not say that it is off")
            time.sleep(1)
            p.ctl("start", p.pid())
            p.end()
        whole = check_trace(p.trace)
        for t in whole["threads"]:
            must(t["unrecorded_ns"] <= t["unknown_ns"] and t["unrecorded_ns"] < 2.2e9, f"books: {t}")
            # Time in calls that is not known is declared, not unexplained.
            must(not options or t["unexplained_ns"] < 0.25 * t["lifetime_ns"], f"unexplained: {t}")
        must(sum(t["unrecorded_ns"] for t in whole["threads"]) > 2e9, "what was not recorded is not declared")
        must("not recorded" in analyze("blocks", p.trace) and "not recorded" in analyze("threads", p.trace), "views do not say it")
        must("nothing, --min" in analyze("stats", p.trace), "stats does not say when it was switched")
        # The one that slept all the time was seen to sleep all the time.
        must(any(t["by_cause"].get("sleep", 0) > 2.5e9 for t in whole["threads"]), "a wait over both switches is not whole")
    return test


def from_the_begin(where):
    with switched(where, "waits", 2.5, ["--stopped"]) as p:
        time.sleep(0.8)
        must(p.list()[0]["recording"] == "off" and p.list()[0]["events"] == 0, f"{p.list()}")
        p.ctl("start")
        p.end()
    whole = check_trace(p.trace)
    sleeper = max(whole["threads"], key=lambda t: t["by_cause"].get("sleep", 0))
    must(0.7e9 < sleeper["unrecorded_ns"] < 2e9 and sleeper["by_cause"]["sleep"] > 0.3e9,
         f"a wait that began before recording did does not count from there: {sleeper}")
    with Traced(where, [PROGRAMS / "switched", "waits", 1], env={"CTRACE_START": "off"}) as p:
        p.end()
    whole = check_trace(p.trace)
    must(whole["trace"]["events"] < 100 and not whole["causes"] or
         all(c["cause"] in ("runnable", "unexplained") for c in whole["causes"]), f"recorded: {whole['causes']}")


def often(case, options=()):
    """Switched as often as can be, in the middle of everything."""
    def test(where):
        with switched(where, case, 4, options) as p:
            until = time.monotonic() + 3
            n = 0
            while time.monotonic() < until:
                p.ctl("stop" if n % 2 == 0 else "start", "--all")
                if n % 7 == 3:
                    p.ctl("set", "--all", "--families", "lock,io", "--min", "0")
                n += 1
            p.ctl("start", "--all")
            p.end()
        must(n > 20, f"only {n} switches")
        check_trace(p.trace)
        lost = report(p.trace)["trace"]["lost_events"]
        must(not lost, f"{lost} events lost")
    return test


def inherits(where):
    with switched(where, "forks", 3) as p:
        p.ctl("set", "--min", "5ms", "--families", "lock,sleep", p.pid(), "--tree")
        rows = []
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            rows += p.list()
        others = [r for r in rows if r["pid"] != rows[0]["pid"]]
        must(others, "no child was seen")
        for r in rows:
            must(r["recording"] == "partly" and r["min_ns"] in range(4_990_000, 5_010_000) and r["families"] == ["lock", "sleep"],
                 f"not as its parent: {r}")
        must({"sleep"} <= {r["name"] for r in others} | {"sleep"}, "")
        p.end()
    check_trace(p.trace)


def families(where):
    with switched(where, "waits", 3, ["--min", "0"]) as p:
        p.ctl("set", "--families", "sleep", "--stacks", "off")
        time.sleep(2.0)
        p.ctl("set", "--families", "all", "--stacks", "auto")
        p.end()
    check_trace(p.trace)
    middle = report(p.trace, "--from", "1s", "--to", "1.5s")
    causes = {c["cause"] for c in middle["causes"] if c["category"] != "cpu"}
    # Others only of waits that began before.
    must("sleep" in causes and causes <= {"sleep", "cond", "join", "poll", "mutex", "pipe", "rwlock"}, f"{causes}")
    # Who knows what the other calls waited for?
    parts = {part: sum(t[part] for t in middle["threads"]) for part in ("unexplained_ns", "unrecorded_ns", "lifetime_ns")}
    must(parts["unrecorded_ns"] > 0.2 * parts["lifetime_ns"] and parts["unexplained_ns"] < 0.1 * parts["lifetime_ns"], f"{parts}")
    stacks = [s for s in middle["sites"] if s["cause"] == "sleep" and s["stack"] and s["count"] > 20]
    must(not stacks, f"stacks of sleeps: {stacks[:1]}")


def stuck(where):
    """A program that hangs since before it was recorded."""
    with switched(where, "stuck", 6, ["--stopped"]) as p:
        time.sleep(1)
        p.ctl("start")
        time.sleep(2.5)
        text = analyze("deadlocks", p.trace, status=0)
        must("first" in text and "second" in text, f"the deadlock is not found: {text}")
        p.process.wait(30)


def preload_alone(where):
    env = {**preloaded(where / "p.bin"), "XDG_RUNTIME_DIR": str(where)}
    process = subprocess.Popen([PROGRAMS / "switched", "waits", "300"], env={**ENVIRONMENT, **env}, stdout=subprocess.DEVNULL)
    until(lambda: run([CTL, "stop", process.pid], env={"XDG_RUNTIME_DIR": str(where)}).status == 0, "it cannot be stopped")
    time.sleep(1.2)
    process.kill()
    process.wait(60)
    wait_complete(where / "p.bin", 60)
    whole = check_trace(where / "p.bin")
    must(sum(t["unrecorded_ns"] for t in whole["threads"]) > 1e9, "not recorded until the end is not declared")


tests = Tests()
tests.run("list and status", sees)
tests.run("usage", usage)
tests.run("an unsafe directory", unsafe)
tests.run("a socket that was left", stale)
tests.run("stop and start", stops([]))
tests.run("stop and start, without slices", stops(["--sched", "off"]))
tests.run("stopped from the begin", from_the_begin)
tests.run("stopped till the end, preload alone", preload_alone)
tests.run("often, waits", often("waits"))
tests.run("often, waits without slices", often("waits", ["--sched", "off"]))
tests.run("often, nested", often("nested"))
tests.run("often, forks", often("forks"))
tests.run("children inherit", inherits)
tests.run("families and stacks", families)
tests.run("a deadlock from before", stuck)
tests.finish()
