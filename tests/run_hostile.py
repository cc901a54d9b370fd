#!/usr/bin/python3
"""A process that is traced beside others that mean harm to the collector: all of its own waits are in the trace, the
trace keeps its promises, and the collector neither dies nor grows.

usage: run_hostile.py BUILD [NAME...]
"""
import json
import os
import re
import signal
import subprocess
import threading
import time

from harness import ANALYZE, CTL, ENVIRONMENT, PROGRAMS, RUN, Tests, check_trace, must, report, run, wait_complete

OWN_MAX_KB = 400_000  # memory of the collector's own, some MB for each process that is attached; rings and tables that it shares are the processes'
SECONDS = 2


def collector_of(env):
    """0: nothing is traced yet."""
    rows = run([CTL, "list", "--json"], env=env)
    found = json.loads(rows.out)["processes"] if rows.status == 0 else []
    return found[0]["collector"] if found else 0


class Watch:
    """The largest amount of memory of its own that the collector was seen with."""

    def __init__(self, env, process):
        self.env, self.process, self.collector, self.most_kb = env, process, 0, 0
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self):
        while self.process.poll() is None:
            self.collector = self.collector or collector_of(self.env)
            try:
                with open(f"/proc/{self.collector}/status", encoding="ascii") as f:
                    text = f.read()
                self.most_kb = max(self.most_kb, int(text.split("RssAnon:")[1].split()[0]))
            except (OSError, IndexError):
                pass
            time.sleep(0.05)


def check(trace, acts):
    """The trace keeps its promises. Who writes anywhere in its own memory may say of itself that it ran while the kernel says
    that it slept: that is its own affair."""
    ended = run([ANALYZE, "check", trace])
    wrong = [line for line in ended.out.splitlines() if ended.status and not re.search(r": thread \d+ slept in \d+ calls", line)]
    must(ended.status == 0 or ("own" in acts and ended.status == 1 and not wrong), f"{ended}: {wrong[:3]}")


def beside(*acts):
    """The victim beside acts of scribbler.c."""
    def test(where):
        trace, env = where / "t.bin", {**ENVIRONMENT, "XDG_RUNTIME_DIR": str(where)}
        scribbler = PROGRAMS / "scribbler"
        others = " ".join(f"{scribbler} {act} {SECONDS} &" for act in acts)
        process = subprocess.Popen([RUN, "-q", "-o", trace, "--", "sh", "-c", f"{others} {scribbler} victim {SECONDS}; wait"],
                                   cwd=where, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watch = Watch(env, process)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            if process.poll() is None:
                process.kill()
            watch.thread.join()
        must(process.returncode == 0, f"status {process.returncode}: {out!r} {err!r}")
        said = json.loads(out)
        wait_complete(trace, 60)
        check(trace, acts)
        found = report(trace, "--process", str(said["pid"]))
        counted = sum(s["count"] for s in found["sites"] if s["cause"] == "sleep")
        must(counted == said["sleeps"] and counted > 100, f"the victim slept {said['sleeps']} times, the trace has {counted}")
        must(watch.collector and 0 < watch.most_kb < OWN_MAX_KB, f"the collector {watch.collector} had {watch.most_kb} KB of its own")
    return test


def behind(calls, least, most):
    """The collector gets no CPU for a while: a thread that writes fast has a large ring, and what finds no room there is counted."""
    def test(where):
        trace, env = where / "t.bin", {**ENVIRONMENT, "XDG_RUNTIME_DIR": str(where)}
        process = subprocess.Popen([RUN, "-q", "-o", trace, "--min", "0", "--", PROGRAMS / "scribbler", "burst", str(calls)], cwd=where,
                                   env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        must(process.stdout.readline() == "ready\n", "it does not run")
        until, collector = time.monotonic() + 60, 0
        while not collector and time.monotonic() < until:
            collector = collector_of(env)
        must(collector, "it is not traced")
        os.kill(collector, signal.SIGSTOP)
        process.stdin.write("x")
        process.stdin.flush()
        must(process.stdout.readline() == "done\n", "it does not go on")
        os.kill(collector, signal.SIGCONT)
        process.communicate(timeout=60)
        must(process.returncode == 0, f"status {process.returncode}")
        wait_complete(trace, 60)
        whole = check_trace(trace)["trace"]
        must(least <= whole["lost_events"] <= most and whole["events"] + whole["lost_events"] >= calls, str(whole))
    return test


tests = Tests()
tests.run("its own region", beside("own", "own"))
tests.run("lies", beside("liar", "holes"))
tests.run("never stops writing", beside("flood"))
tests.run("leaves much behind", beside("leaves"))
tests.run("babble", beside("babble", "asker"))
tests.run("a thousand regions", beside("many"))
tests.run("all at once", beside("own", "liar", "flood", "holes", "babble", "many", "asker"))
tests.run("behind", behind(20_000, 0, 0))
tests.run("far behind", behind(100_000, 100_000 - 33_000, 100_000))
tests.finish()
