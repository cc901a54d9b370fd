#!/usr/bin/python3
"""Programs as they are run in practice, as docs/recipes.md has it: names of traces, services, containers with the collector
outside, daemons that change user and chroot, servers that fork, test suites, commands by the hundred.

usage: run_recipes.py BUILD [NAME...]
"""
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness import (BUILD, CTL, ENVIRONMENT, PRELOAD, PROGRAMS, RUN, Failure, Skip, Tests, check_trace, must, preloaded, report, run,
                     wait_complete)

COLLECTOR = BUILD / "collector/ctrace-collector"
THROUGH = PROGRAMS / "through"

# Three threads and a lock.
CONTENDED = r"""
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *work(void *none)
{
	for (int i = 0; i < 50; i++) {
		pthread_mutex_lock(&lock);
		usleep(3000);
		pthread_mutex_unlock(&lock);
	}
	return none;
}
int main(void)
{
	pthread_t t[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, work, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	printf("pid %d\n", getpid());
	return 0;
}
"""


def compiled(where):
    program = where / "contended"
    made = subprocess.run(["gcc", "-O1", "-g", "-pthread", "-o", program, "-x", "c", "-"], input=CONTENDED, capture_output=True, text=True,
                          check=False)
    must(made.returncode == 0, f"gcc: {made.stderr}")
    return program


def until(true, what, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        must(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.02)


def only_root():
    if os.geteuid():
        raise Skip("needs root")


def processes(trace):
    return check_trace(trace)["trace"]["processes"]


# --- names ---

def names(where):
    ended = run([RUN, "-q", "-o", where / "%n-%p-%t-%h-%%.bin", "--", "/bin/echo", "hello"])
    must(ended.status == 0 and ended.out == "hello\n", f"{ended}")
    found = [p.name for p in where.iterdir()]
    must(len(found) == 1 and re.fullmatch(r"echo-\d+-\d{8}-\d{6}-" + re.escape(os.uname().nodename[:64]) + r"-%\.bin", found[0]),
         f"{found}")
    check_trace(where / found[0])


def names_preloaded(where):
    ended = run(["/bin/sleep", "0.01"], env=preloaded(where / "%n-%%-%p.bin"))
    must(ended.status == 0 and not ended.err, f"{ended}")
    until(lambda: list(where.glob("sleep-%-*.bin")), "the trace")
    trace, = where.iterdir()
    must(re.fullmatch(r"sleep-%-\d+\.bin", trace.name), f"{trace}")
    wait_complete(trace)
    check_trace(trace)


def names_unknown(where):
    """What stands for nothing is an error in one line; with LD_PRELOAD alone the program runs all the same."""
    for wrong, letter in ((where / "x-%z.bin", "%z"), (where / "x%", "%"), (where / "%c.bin", "%c")):
        ended = run([RUN, "-o", wrong, "--", "/bin/echo", "hello"])
        must(ended.status == 125 and not ended.out and len(ended.err.splitlines()) == 1 and f" {letter} is " in ended.err, f"{ended}")
        ended = run(["/bin/echo", "hello"], env=preloaded(wrong))
        must(ended.status == 0 and ended.out == "hello\n" and len(ended.err.splitlines()) == 1 and f" {letter} is " in ended.err, f"{ended}")
    must(not list(where.iterdir()), f"left behind: {list(where.iterdir())}")


def names_config(where):
    """The file sets the name; what is wrong in it is told with its place, and left out."""
    config = where / "ctrace/config"
    config.parent.mkdir()
    env = {"XDG_CONFIG_HOME": str(where)}
    config.write_text(f"run.output = {where}/%n-%%.trace\n")
    config.chmod(0o600)
    must(run([RUN, "-q", "--", "/bin/true"], env=env).status == 0, "does not run")
    check_trace(where / "true-%.trace")
    config.write_text(f"run.output = {where}/%q\n")
    ended = run([RUN, "-q", "--", "/bin/true"], env=env, cwd=where)
    must(ended.status == 0 and f"{config}:1" in ended.err and "%q is none of" in ended.err, f"{ended}")


def names_snapshot(where):
    ended = run([RUN, "-q", "--flight", "5s,4M", "--snapshot-at-end", "-o", where / "%n-%c-%%.bin", "--", "/bin/sleep", "0.1"])
    must(ended.status == 0, f"{ended}")
    check_trace(where / "sleep-1-%.bin")
    ended = run([RUN, "--flight", "5s,4M", "-o", where / "%y-%c.bin", "--", "/bin/true"])
    must(ended.status == 125 and len(ended.err.splitlines()) == 1, f"{ended}")


# --- a collector outside ---

class Outside:
    """A collector that is run by hand at a socket with a path."""

    def __init__(self, where):
        self.trace, self.socket = where / "outside.bin", where / "run/socket"
        self.socket.parent.mkdir()
        self.err = open(where / "err", "w+", encoding="utf-8")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen([COLLECTOR, "--socket", self.socket, "-o", self.trace], stderr=self.err, env=ENVIRONMENT)
        until(self.socket.exists, "the socket")
        self.env = {"LD_PRELOAD": str(PRELOAD), "CTRACE_SOCKET": str(self.socket)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.err.close()

    def end(self):
        """Its whole report on stderr."""
        self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            raise Failure("the collector does not end on SIGINT") from None
        self.err.seek(0)
        said = self.err.read()
        must(status == 0 and not self.socket.exists(), f"status {status}, {said}")
        return said


def outside(where):
    """Programs here and in namespaces of their own, where they have other pids; owners of locks are found."""
    program = compiled(where)
    contained = ["unshare", "--fork", "--pid", "--net", "--mount-proc", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if run([*contained, "/bin/true"]).status:
        raise Skip("no namespaces here")
    with Outside(where) as collector:
        here = run([program], env=collector.env)
        there = run([*contained, "env", *(f"{k}={v}" for k, v in collector.env.items()), program])
        must(not here.status and not here.err and not there.status and not there.err, f"{here} {there}")
        must(there.out == "pid 1\n", f"{there}")
        said = collector.end()
    must("2 processes" in said or "3 processes" in said, said)  # env is traced, too, or is the same process
    whole = check_trace(collector.trace)
    tids = [t["tid"] for t in whole["threads"]]
    workers = {t["tid"] for t in whole["threads"] if t["routine"] == "work"}
    must(len(workers) == 6 and min(workers) > 100, f"{workers}: numbers of the namespace?")
    locks = report(collector.trace, command="locks")["locks"]
    must(len(locks) == 2, f"{locks}")
    for lock in locks:
        owners = {o["tid"] for o in lock["owners"] if o.get("tid")}
        must(owners and owners <= set(tids), f"owners {owners} of threads {tids}")


def outside_listed(where):
    """ctrace-ctl sees the program by the pid that it has here, and what it waits for."""
    with Outside(where) as collector:
        with subprocess.Popen(["sleep", "60"], env={**ENVIRONMENT, **collector.env}) as program:
            until(lambda: str(program.pid) in run([CTL, "list"]).out.split(), "the program in the list")
            program.kill()
        collector.end()
    must(processes(collector.trace) == 1, "not traced")


def outside_again(where):
    """What a collector that was killed has left is no hindrance; a living one is not pushed away."""
    with Outside(where) as collector:
        second = run([COLLECTOR, "--socket", collector.socket, "-o", where / "second.bin"])
        must(second.status == 1 and len(second.err.splitlines()) == 1 and not (where / "second.bin").exists(), f"{second}")
        collector.process.kill()
        collector.process.wait()
        must(collector.socket.exists(), "no socket is left")
        third = subprocess.Popen([COLLECTOR, "--socket", collector.socket, "-o", where / "third.bin"],
                                 stderr=subprocess.DEVNULL)
        try:
            def traced():
                return run(["/bin/true"], env=collector.env).err == ""
            until(traced, "the third collector")
        finally:
            third.terminate()
            third.wait(60)
    check_trace(where / "third.bin")


def outside_missing(where):
    ended = run(["/bin/sh", "-c", "/bin/echo a; /bin/echo b"], env={"LD_PRELOAD": str(PRELOAD), "CTRACE_SOCKET": str(where / "none")})
    must(ended.status == 0 and ended.out == "a\nb\n", f"{ended}")
    must(len(ended.err.splitlines()) == 1 and "nobody listens" in ended.err, f"{ended}")


# --- services and daemons ---

def stopped_at_once(where):
    """systemctl stop sends SIGTERM to the program and to its collector; the program's last work is in the trace."""
    trace = where / "t.bin"
    program = where / "service"
    program.write_text("#!/bin/sh\ntrap '/bin/sleep 0.3; exit 3' TERM\n: >ready\nwhile :; do /bin/sleep 0.05; done\n")
    program.chmod(0o755)
    with subprocess.Popen([program], cwd=where, env={**ENVIRONMENT, **preloaded(trace)}) as process:
        until((where / "ready").exists, "the service")
        collector = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and str(trace) in cmdline(p)]
        must(len(collector) == 1, f"collectors {collector}")
        os.kill(collector[0], signal.SIGTERM)
        process.terminate()
        must(process.wait(60) == 3, f"status {process.returncode}")
    wait_complete(trace)
    check_trace(trace)
    must(max(s["max_ns"] for s in report(trace)["sites"] if s["cause"] == "sleep") > 250000000, "its last sleep is not there")


def cmdline(process):
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def filtered(where):
    """A service's filter that kills for perf_event_open: traced with the kernel's totals."""
    trace = where / "t.bin"
    ended = run([THROUGH, "deadly-perf", "/usr/bin/env", *(f"{k}={v}" for k, v in preloaded(trace).items()), "/bin/sleep", "0.1"])
    must(ended.status == 0 and not ended.err, f"{ended}")
    wait_complete(trace)
    must(check_trace(trace)["trace"]["sched"] == "schedstat", "context switches?")


def changes_user(where):
    """A daemon that chroots and gives up its rights: it and its children are traced on; the file is root's, 0600."""
    only_root()
    trace, jail = where / "t.bin", where / "jail"
    jail.mkdir()
    ended = run([sys.executable, "-c", f"""
import os, time
if os.fork(): os._exit(0)
os.setsid(); os.chroot({str(jail)!r}); os.chdir('/'); os.setgid(65534); os.setuid(65534)
for i in range(2):
    if not os.fork():
        time.sleep(0.1); os._exit(0)
os.wait(); os.wait()
"""], env=preloaded(trace))
    must(ended.status == 0 and not ended.err, f"{ended}")
    wait_complete(trace)
    must(processes(trace) == 4, "processes are missing")
    must(trace.stat().st_uid == 0 and trace.stat().st_mode & 0o777 == 0o600, f"{trace.stat()}")


def forks_before(where):
    """A server that forks its workers before there is work: one trace, each worker in it."""
    trace = where / "t.bin"
    ended = run([RUN, "-q", "-o", trace, "--", sys.executable, "-c", """
import os, socket
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
for i in range(3):
    if not os.fork():
        c, _ = s.accept(); c.sendall(c.recv(1)); os._exit(0)
for i in range(3):
    c = socket.create_connection(s.getsockname()); c.sendall(b'x'); c.recv(1)
for i in range(3):
    os.wait()
"""])
    must(ended.status == 0, f"{ended}")
    must(processes(trace) == 4, "workers are missing")


# --- suites and many commands ---

def suite(where):
    """A trace a test, and a trace of all."""
    (where / "Makefile").write_text("check: one two\none two:\n\t$(LAUNCH) ./$@.sh\n.PHONY: check one two\n")
    for name in ("one", "two"):
        (where / f"{name}.sh").write_text("#!/bin/sh\n/bin/sleep 0.02\n")
        (where / f"{name}.sh").chmod(0o755)
    ended = run(["make", "-j2", "check", f"LAUNCH={RUN} -q -o {where}/%n-%p.bin --"], cwd=where)
    must(ended.status == 0, f"{ended}")
    found = sorted(where.glob("*.bin"))
    must([re.sub(r"\d+", "N", f.name) for f in found] == ["one.sh-N.bin", "two.sh-N.bin"], f"{found}")
    for trace in found:
        must(processes(trace) == 2, f"{trace}")
    must(run(["make", "check"], cwd=where, env=preloaded(where / "%n.bin")).status == 0, "make check")
    until((where / "make.bin").exists, "the trace")
    wait_complete(where / "make.bin")
    must(processes(where / "make.bin") >= 5, "processes are missing")


def many(where):
    """Two hundred commands, one after the other, in one trace."""
    trace = where / "t.bin"
    ended = run([RUN, "-q", "-o", trace, "--", "/bin/sh", "-c", "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done"])
    must(ended.status == 0 and not ended.err, f"{ended}")
    must(processes(trace) == 201, "processes are missing")


tests = Tests()
for test in (names, names_preloaded, names_unknown, names_config, names_snapshot, outside, outside_listed, outside_again,
             outside_missing, stopped_at_once, filtered, changes_user, forks_before, suite, many):
    tests.run(test.__name__.replace("_", " "), test)
tests.finish()
