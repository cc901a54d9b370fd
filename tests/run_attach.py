#!/usr/bin/python3
"""ctrace-run -p: programs that run are traced from then on, and go on as they were, whatever becomes of ctrace-run.

usage: run_attach.py BUILD [NAME...]
"""
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from harness import (ENVIRONMENT, PRELOAD, PROGRAMS, RUN, Failure, Skip, Tests, analyze, check_trace, must, report, run)


class Target:
    """A program that runs until its input ends, and says then whether all was well."""

    def __init__(self, argv, env=None, **more):
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env={**ENVIRONMENT, **(env or {})}, start_new_session=True, **more)
        self.pid = self.process.pid
        self.first = self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()

    def end(self):
        try:
            out, err = self.process.communicate("", timeout=60)
        except subprocess.TimeoutExpired:
            raise Failure(f"the program hangs after its input has ended: {states(self.pid)}") from None
        must(self.process.returncode == 0 and out.endswith("ended 0\n") and not err,
             f"{self.process.args}: status {self.process.returncode}, {out!r}, {err!r}")
        return out


def attached(env=None):
    t = Target([PROGRAMS / "attached", PROGRAMS / "plugin.so"], env)
    must(t.first == "begun\n", f"attached says {t.first!r}")
    return t


def states(pid):
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            text = (task / "status").read_text()
        except OSError:
            continue
        found[task.name] = (re.search(r"^State:\s+(\S)", text, re.M)[1], re.search(r"^TracerPid:\s+(\d+)", text, re.M)[1])
    return found


def must_run(pid):
    """No thread is stopped or traced: at once, or when who holds it has ended."""
    until = time.monotonic() + 60
    while any(s in "tT" or tracer != "0" for s, tracer in states(pid).values()):
        must(time.monotonic() < until, f"threads of process {pid} are stopped or traced: {states(pid)}")
        time.sleep(0.02)


def attach(pid, trace, seconds="200ms", status=0, options=()):
    ended = run([RUN, "-q", *options, "-o", trace, "--for", seconds, "-p", pid])
    must(ended.status == status, f"{ended}; expected status {status}")
    must_run(pid)
    return ended


def mappings(pid):
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        parts = line.split(None, 5)
        start, end = (int(n, 16) for n in parts[0].split("-"))
        found.append((start, end, parts[1], parts[5] if len(parts) > 5 else ""))
    return found


def ways_to_library(pid):
    """Words in the modules' data that lead into libctrace's code."""
    maps = mappings(pid)
    code = [(s, e) for s, e, p, name in maps if name.endswith("/libctrace.so") and "x" in p]
    must(code, "libctrace.so is not mapped")
    found = 0
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for start, end, permissions, name in maps:
            if not name.startswith("/") or "libctrace" in name or "memfd" in name or "r" not in permissions or "x" in permissions:
                continue
            memory.seek(start)
            try:
                data = memory.read(end - start)
            except OSError:
                continue
            for high in {s >> 24 for s, _ in code} | {(e - 1) >> 24 for _, e in code}:
                key, at = high.to_bytes(5, "little"), -1
                while (at := data.find(key, at + 1)) >= 0:
                    word = int.from_bytes(data[at - 3:at + 5], "little") if at % 8 == 3 else 0
                    found += any(s <= word < e for s, e in code)
    return found


def protections(pid, names=None):
    """Of what is mapped of files, or of those with these names."""
    joined = []
    for start, end, permissions, name in mappings(pid):
        if ".so" not in name or name.endswith(("plugin.so", "ld.so.cache")) or (names is not None and name not in names):
            continue
        last = joined[-1] if joined else None
        if last and last[1] == start and last[2:] == (permissions, name):
            joined[-1] = (last[0], end, permissions, name)
        else:
            joined.append((start, end, permissions, name))
    return joined


# --- the program of all waits ---

def all_waits(where):
    with attached() as t:
        before = protections(t.pid)
        attach(t.pid, where / "a.bin", "1s")
        must(ways_to_library(t.pid) == 0, "slots still lead to the wrappers")
        after = protections(t.pid, {name for *_, name in before})
        must(after == before, f"protections have changed: {set(before) ^ set(after)}")
        found = check_trace(where / "a.bin")
        causes = {c["cause"] for c in found["causes"] if c["count"]}
        wanted = {"mutex", "cond", "semaphore", "barrier", "pipe", "socket", "poll", "sleep", "signal", "join", "child"}
        must(wanted <= causes, f"causes {causes}; {wanted - causes} are missing")
        own = [x for x in found["threads"] if x["pid"] == t.pid]
        must(len(own) >= 20, f"{len(own)} threads")
        attach(t.pid, where / "b.bin", "1s")
        again = check_trace(where / "b.bin")
        causes = {c["cause"] for c in again["causes"] if c["count"]}
        must(wanted <= causes, f"the second time {wanted - causes} are missing")
        must(ways_to_library(t.pid) == 0, "slots still lead to the wrappers after the second time")
        t.end()


def often(where):
    with attached() as t:
        for _ in range(12):
            attach(t.pid, where / "a.bin", "20ms")
        check_trace(where / "a.bin")
        t.end()


def is_patched(pid):
    try:
        return ways_to_library(pid) > 0
    except (Failure, OSError):
        return False


def interrupted(where):
    """Ctrl-C and other ends, at any moment."""
    with attached() as t:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            p = subprocess.Popen([RUN, "-q", "-o", where / "a.bin", "-p", str(t.pid)], stderr=subprocess.PIPE, text=True)
            time.sleep(random.uniform(0.05, 0.3))
            p.send_signal(number)
            err = p.communicate(timeout=60)[1]
            must(p.returncode in (0, -number) and not err, f"signal {number}: status {p.returncode}, {err!r}")
            must_run(t.pid)
            must(not is_patched(t.pid), f"signal {number}: slots still lead to the wrappers")
        check_trace(where / "a.bin")
        t.end()


def children(pid):
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def end_collectors(pids):
    """A collector goes on as long as the process whose ctrace-run was killed."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def killed(where):
    """kill -9 of ctrace-run, and of the process that attaches for it, at any moment."""
    for whom in ("ctrace-run", "ctrace-attach"):
        with attached() as t:
            for _ in range(6):
                p = subprocess.Popen([RUN, "-q", "-o", where / "a.bin", "-p", str(t.pid)], stderr=subprocess.DEVNULL)
                until, collectors = time.monotonic() + random.uniform(0, 0.25), set()
                helper = None
                while time.monotonic() < until or (whom == "ctrace-attach" and not helper and p.poll() is None and
                                                    time.monotonic() < until + 10):
                    for child in children(p.pid) if p.poll() is None else []:
                        if name_of(child) == "ctrace-attach":
                            helper = child
                        else:
                            collectors.add(child)
                    time.sleep(0.001)
                if whom == "ctrace-attach" and helper:
                    time.sleep(random.uniform(0, 0.1))
                    try:
                        os.kill(helper, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                    time.sleep(0.05)
                p.kill()
                p.wait()
                must_run(t.pid)
                end_collectors(collectors)
            t.end()


def killed_and_again(where):
    """What a killed ctrace-run has left is no hindrance."""
    with attached() as t:
        p = subprocess.Popen([RUN, "-q", "-o", where / "a.bin", "-p", str(t.pid)], stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not is_patched(t.pid):
            must(time.monotonic() < until and p.poll() is None, "it is not attached to")
            time.sleep(0.02)
        collectors = [c for c in children(p.pid) if name_of(c) != "ctrace-attach"]
        p.kill()
        p.wait()
        refused = attach(t.pid, where / "b.bin", status=125)
        must("it is traced already" in refused.err, refused.err)
        end_collectors(collectors)
        until = time.monotonic() + 60
        while any(Path(f"/proc/{c}").exists() and "State:\tZ" not in Path(f"/proc/{c}/status").read_text() for c in collectors):
            must(time.monotonic() < until, "the collector does not end")
            time.sleep(0.02)
        attach(t.pid, where / "b.bin")
        check_trace(where / "b.bin")
        must(not is_patched(t.pid), "slots still lead to the wrappers")
        t.end()


def stops_and_goes(where):
    """The program is stopped and goes on, as a shell does it, while it is attached to."""
    with attached({"STOPS": "1"}) as t:
        for _ in range(6):
            p = subprocess.Popen([RUN, "-q", "-o", where / "a.bin", "--for", "50ms", "-p", str(t.pid)], stderr=subprocess.DEVNULL)
            time.sleep(random.uniform(0, 0.1))
            os.kill(t.pid, signal.SIGSTOP)
            time.sleep(0.05)
            os.kill(t.pid, signal.SIGCONT)
            p.wait(60)
            must_run(t.pid)
        attach(t.pid, where / "b.bin", "20ms")
        must(not is_patched(t.pid), "slots still lead to the wrappers")
        t.end()


def ends(where):
    """The program ends while it is traced."""
    with attached() as t:
        p = subprocess.Popen([RUN, "-q", "-o", where / "a.bin", "-p", str(t.pid)], stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while not is_patched(t.pid):
            must(time.monotonic() < until and p.poll() is None, "it is not attached to")
            time.sleep(0.02)
        t.end()
        err = p.communicate(timeout=60)[1]
        must(p.returncode == 0 and not err, f"status {p.returncode}, {err!r}")
        check_trace(where / "a.bin")


FORKS = """
import os, sys, time
print('begun', flush=True)
sys.stdin.readline()
r, w = os.pipe()
child = os.fork()
if not child:
    os.close(w)
    while not os.read(r, 1) == b'':
        pass
    for i in range(100): time.sleep(0.001)
    os._exit(3)
print(child, flush=True)
for i in range(100): time.sleep(0.005)
sys.stdin.read()
os.close(r)
os.close(w)
print('ended 0' if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3 else 'ended 1')
"""


def forks(where):
    """A child that is forked meanwhile is traced, and let go with its parent."""
    with Target([sys.executable, "-c", FORKS]) as t:
        p = subprocess.Popen([RUN, "-q", "-o", where / "a.bin", "-p", str(t.pid)], stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while not is_patched(t.pid):
            must(time.monotonic() < until and p.poll() is None, "it is not attached to")
            time.sleep(0.02)
        t.process.stdin.write("\n")
        t.process.stdin.flush()
        child = int(t.process.stdout.readline())
        must(is_patched(child), "the child's calls do not lead to the wrappers")
        time.sleep(0.3)
        p.send_signal(signal.SIGINT)
        err = p.communicate(timeout=60)[1]
        must(p.returncode == 0 and not err, f"status {p.returncode}, {err!r}")
        must_run(t.pid)
        must_run(child)
        must(not is_patched(t.pid) and not is_patched(child), "slots still lead to the wrappers")
        found = check_trace(where / "a.bin")
        must({t.pid, child} <= {x["pid"] for x in found["threads"]}, f"processes {[x['pid'] for x in found['threads']]}")
        t.end()


# --- real programs ---

PYTHON = """
import hashlib, queue, sys, threading, time
work, done, total = queue.Queue(), threading.Event(), []
def worker():
    while not done.is_set():
        n = work.get()
        if n is None:
            return
        time.sleep(0.001)
        total.append(hashlib.sha256(str(n).encode()).hexdigest())
threads = [threading.Thread(target=worker) for _ in range(4)]
for t in threads: t.start()
print('begun', flush=True)
count = 0
def feed():
    global count
    while not done.is_set():
        work.put(count)
        count += 1
        time.sleep(0.002)
feeder = threading.Thread(target=feed)
feeder.start()
sys.stdin.read()
done.set(); feeder.join()
for t in threads: work.put(None)
for t in threads: t.join()
import json, decimal, sqlite3
print('ended 0')
"""


def python(where):
    for binary in {sys.executable, "/usr/bin/python3"}:
        with Target([binary, "-c", PYTHON]) as t:
            for i in range(3):
                attach(t.pid, where / "a.bin", "200ms")
                found = check_trace(where / "a.bin")
                must(len(found["threads"]) >= 4, f"{len(found['threads'])} threads of {binary}, time {i}")
            t.end()


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            raise Skip(f"{p} is not there")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port):
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            must(time.monotonic() < until, f"nobody listens at {port}")
            time.sleep(0.05)


def redis(where):
    need("redis-server", "redis-benchmark")
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", where],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_port(port)
        load = subprocess.Popen(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-n", "100000000", "-c", "8", "-q", "-t", "set"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(int(os.environ.get("CTRACE_TEST_ROUNDS", "8"))):
                attach(server.pid, where / "a.bin", "100ms")
                must(load.poll() is None, "redis-benchmark has ended")
            found = report(where / "a.bin")
            must(found["trace"]["events"] > 0, "nothing was recorded")
            analyze("check", where / "a.bin")
        finally:
            load.kill()
            load.wait()
        answer = run(["redis-cli", "-h", "127.0.0.1", "-p", port, "set", "a", "b"])
        must(answer.out.strip() == "OK", f"{answer}")
        server.terminate()
        out = server.communicate(timeout=60)[0]
        must(server.returncode == 0 and "bye bye" in out, f"redis-server: status {server.returncode}, {out[-300:]!r}")
    finally:
        server.kill()


def nginx(where):
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(binary).exists():
        raise Skip("nginx is not there")
    port = free_port()
    (where / "index.html").write_text("hello\n")
    (where / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; error_log {where}/error.log; pid {where}/pid; {'user root;' if os.geteuid() == 0 else ''}
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {where}/b; proxy_temp_path {where}/p; fastcgi_temp_path {where}/f;
uwsgi_temp_path {where}/u; scgi_temp_path {where}/s; server {{ listen 127.0.0.1:{port}; root {where}; }} }}
""")
    server = subprocess.Popen([binary, "-c", where / "nginx.conf", "-e", where / "error.log"], stderr=subprocess.PIPE, text=True,
                              start_new_session=True)
    try:
        wait_port(port)
        worker = children(server.pid)[0]
        for _ in range(4):
            p = subprocess.Popen([RUN, "-q", "-o", where / "a.bin", "--for", "300ms", "-p", str(worker)], stderr=subprocess.PIPE, text=True)
            while p.poll() is None:
                with socket.create_connection(("127.0.0.1", port), 10) as s:
                    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    answer = b""
                    while part := s.recv(4096):
                        answer += part
                must(answer.endswith(b"hello\n"), f"nginx answers {answer!r}")
            must(p.returncode == 0, f"status {p.returncode}: {p.stderr.read()}")
            must_run(worker)
        found = check_trace(where / "a.bin")
        must({"poll"} <= {c["cause"] for c in found["causes"]}, f"{[c['cause'] for c in found['causes']]}")
        must(children(server.pid) == [worker], "the worker has died")
        server.terminate()
        err = server.communicate(timeout=60)[1]
        must(server.returncode == 0, f"nginx: status {server.returncode}, {err!r}")
        log = (where / "error.log").read_text()
        must("signal" not in log.replace("signal process started", "") and "alert" not in log, f"nginx says {log!r}")
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)


NODE = """
const c = require('crypto'), fs = require('fs');
let n = 0;
console.log('begun');
const t = setInterval(() => fs.readFile('/proc/self/stat', () => c.pbkdf2('a', 'b', 1000, 32, 'sha256', () => n++)), 2);
process.stdin.on('data', () => {}).on('end', () => { clearInterval(t); console.log(n > 0 ? 'ended 0' : 'ended 1'); });
"""


def node(where):
    need("node")
    with Target(["node", "-e", NODE]) as t:
        for _ in range(2):
            attach(t.pid, where / "a.bin", "300ms")
            analyze("check", where / "a.bin")
        must(report(where / "a.bin")["trace"]["events"] > 0, "nothing was recorded")
        t.end()


JAVA = """
import java.util.concurrent.*;
public class Main {
    public static void main(String[] a) throws Exception {
        ExecutorService e = Executors.newFixedThreadPool(4);
        System.out.println("begun");
        Future<?>[] all = new Future<?>[4];
        final boolean[] over = { false };
        for (int i = 0; i < 4; i++)
            all[i] = e.submit(() -> { while (!over[0]) { try { Thread.sleep(2); } catch (InterruptedException x) { throw new Error(x); }
                synchronized (over) { byte[] b = new byte[100000]; } } });
        while (System.in.read() >= 0) { }
        synchronized (over) { over[0] = true; }
        for (Future<?> f : all) f.get();
        e.shutdown();
        System.out.println("ended 0");
    }
}
"""


def java(where):
    need("java", "javac")
    (where / "Main.java").write_text(JAVA)
    made = run(["javac", "-d", where, where / "Main.java"])
    must(made.status == 0, f"{made}")
    with Target(["java", "-Xshare:auto", "-cp", where, "Main"]) as t:
        for _ in range(2):
            attach(t.pid, where / "a.bin", "300ms")
            analyze("check", where / "a.bin")
        must(report(where / "a.bin")["trace"]["events"] > 0, "nothing was recorded")
        t.end()


# --- where it is not possible ---

def refuses(where):
    def refused(pid, text, options=()):
        ended = run([RUN, *options, "-o", where / "no.bin", "-p", pid], timeout=60)
        must(ended.status == 125 and text in ended.err and ended.err.count("\n") == 1, f"{ended}; expected {text!r}")
        must(not (where / "no.bin").exists(), "there is a trace")

    gone = subprocess.Popen(["true"])
    gone.wait()
    refused(gone.pid, "there is no such process")
    refused("0x1", "not the number of a process")
    refused("-1", "not the number of a process")
    if Path("/proc/2/exe").is_symlink() and name_of(2) == "kthreadd":
        refused(2, "a thread of the kernel")
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    refused(zombie.pid, "it has ended")
    zombie.wait()
    with Target(["/bin/sh", "-c", "echo begun; exec cat"]) as t:
        for options, text in ((["--flight", "10s,1M"], "-p goes without"), (["--sched", "on"], "without context switches")):
            refused(t.pid, text, options)
        os.kill(t.pid, signal.SIGSTOP)
        until = time.monotonic() + 60
        while states(t.pid)[str(t.pid)][0] != "T" and time.monotonic() < until:
            time.sleep(0.01)
        refused(t.pid, "it is stopped")
        must(states(t.pid)[str(t.pid)][0] == "T", "it is no longer stopped")
        os.kill(t.pid, signal.SIGCONT)
        if shutil.which("strace"):
            tracer = subprocess.Popen(["strace", "-f", "-o", "/dev/null", "-p", str(t.pid)], stderr=subprocess.PIPE, text=True)
            must("attached" in tracer.stderr.readline(), "strace does not attach")
            refused(t.pid, "traces it already")
            tracer.send_signal(signal.SIGINT)
            tracer.wait(60)
            must_run(t.pid)
    thread = f"""import threading, sys, time
t = threading.Thread(target=time.sleep, args=(60,), daemon=True); t.start(); print(t.native_id, flush=True); sys.stdin.read()"""
    with Target([sys.executable, "-c", thread]) as t:
        refused(int(t.first), f"that is a thread of process {t.pid}")
    with Target([sys.executable, "-c", "print('begun', flush=True); input()"], env={"LD_PRELOAD": str(PRELOAD),
                                                                         "CTRACE_OUT": str(where / "p.bin")}) as t:
        refused(t.pid, "libctrace.so was preloaded")
    filtered = ("import ctypes, sys\nc = ctypes.CDLL(None)\nclass P(ctypes.Structure): _fields_ = [('n', ctypes.c_ushort), ('f', ctypes.c_void_p)]\n"
                "a = (ctypes.c_ulonglong * 1)(0x7fff000000000006)\nc.prctl(38, 1, 0, 0, 0)\n"
                "print(c.prctl(22, 2, ctypes.byref(P(1, ctypes.cast(a, ctypes.c_void_p)))), flush=True)\nsys.stdin.read()")
    with Target([sys.executable, "-c", filtered]) as t:
        must(t.first == "0\n", f"no seccomp filter: {t.first!r}")
        refused(t.pid, "it has a seccomp filter")
    source = where / "static.c"
    source.write_text('#include <stdio.h>\n#include <unistd.h>\nint main(void) { char c; puts("begun"); fflush(stdout); read(0, &c, 1); }\n')
    if shutil.which("gcc") and run(["gcc", "-static", "-o", where / "static", source]).status == 0:
        with Target([where / "static"]) as t:
            refused(t.pid, "it is static")
    if shutil.which("gcc") and run(["gcc", "-fsanitize=address", "-o", where / "asan", source]).status == 0:
        with Target([where / "asan"]) as t:
            refused(t.pid, "it is built with a sanitizer")
            must_run(t.pid)
    if os.geteuid() == 0:
        with Target(["/bin/sh", "-c", "echo begun; exec cat"]) as t:
            ended = run(["setpriv", "--reuid", "65534", "--clear-groups", RUN, "-o", "/dev/null", "-p", t.pid])
            must(ended.status == 125 and "it belongs to another user" in ended.err, f"{ended}")


def computes(where):
    """A thread that makes no system calls comes to no place where a library can be loaded: it goes on undisturbed."""
    with Target([sys.executable, "-S", "-c", "print('begun', flush=True)\nfor i in range(1 << 62): pass"]) as t:
        ended = run([RUN, "-q", "-o", where / "a.bin", "-p", t.pid], timeout=60)
        must(ended.status == 125 and "none of its threads came to a place" in ended.err, f"{ended}")
        must_run(t.pid)


if os.uname().machine != "x86_64":
    print("skipped all: attaching is there for x86-64 only\n1 skipped\n0 passed, 0 failed")
    sys.exit(0)
tests = Tests()
for name, test in [("all waits", all_waits), ("often", often), ("interrupted", interrupted), ("killed", killed),
                   ("killed, and again", killed_and_again), ("stops and goes", stops_and_goes), ("ends", ends), ("forks", forks), ("python3", python),
                   ("redis", redis), ("nginx", nginx), ("node", node), ("java", java), ("refuses", refuses),
                   ("computes", computes)]:
    tests.run(name, test)
tests.finish()
