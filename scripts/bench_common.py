"""What the parts of scripts/bench share: pairs, statistics, CPU time, documents."""
import ctypes
import datetime
import json
import os
import platform
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36


class Missing(Exception):
    """A program that is not there, or cannot work here; the text says why."""


def quartiles(values):
    v = sorted(values)
    if len(v) < 2:
        return v[0], v[0], v[0]
    q = statistics.quantiles(v, n=4, method="inclusive")
    return q[0], statistics.median(v), q[2]


def spread(values, form):
    """Median and quartiles."""
    q1, q2, q3 = quartiles(values)
    return f"{q2:{form}} ({q1:{form}} .. {q3:{form}})"


def alternate(native, traced, pairs):
    """Who goes first changes: the machine's mood drifts."""
    result = []
    for i in range(pairs):
        if i % 2:
            b = traced()
            result.append((native(), b))
        else:
            a = native()
            result.append((a, traced()))
    return result


class Ended:
    """A command that has ended: status, wall and CPU seconds, output. CPU is that of all processes it started, those
    that nobody waited for too; it is over when the last of them is. After limit seconds all of them are killed."""

    def __init__(self, argv, env=None, cwd=None, limit=600):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as told:
            sys.stdout.flush()
            pid = os.fork()
            if not pid:
                self.child(argv, env, cwd, limit, out, err, told)
            os.waitpid(pid, 0)
            for f in (out, err, told):
                f.seek(0)
            self.out, self.err = out.read().decode(errors="replace"), err.read().decode(errors="replace")
            self.argv, self.status, self.wall, self.cpu, self.late = argv, *(json.loads(told.read() or b"[-1, 0, 0, 0]"))

    @staticmethod
    def child(argv, env, cwd, limit, out, err, told):
        try:
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            begin, late, status = time.monotonic(), 0, -1
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd=cwd, start_new_session=True)

            def over(*_):
                nonlocal late
                late = 1
                end_children(os.getpid())
                signal.alarm(1)
            signal.signal(signal.SIGALRM, over)
            signal.alarm(limit)
            wall = 0
            while True:
                try:
                    pid, how = os.wait()
                except ChildProcessError:
                    break
                if pid == p.pid:
                    status, wall = os.waitstatus_to_exitcode(how), time.monotonic() - begin
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            told.write(json.dumps([status, wall, used.ru_utime + used.ru_stime, late]).encode())
            told.flush()
        finally:
            os._exit(0)


def family(pid):
    """The processes below pid, without it."""
    parents = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                with open(f"/proc/{d}/stat", encoding="ascii", errors="replace") as f:
                    parents.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(d))
            except OSError:
                pass
    found, more = [], [pid]
    while more:
        children = parents.get(more.pop(), [])
        found += children
        more += children
    return found


def end_children(pid):
    for child in family(pid):
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass


def cpu_of(pid):
    """CPU seconds of a process and all below it: of those that are over, too, if they were waited for."""
    ticks = 0
    for p in [pid, *family(pid)]:
        try:
            with open(f"/proc/{p}/stat", encoding="ascii", errors="replace") as f:
                ticks += sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:15])
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Missing(f"nobody listens on port {port}")


def machine(build):
    """Where and when: one sentence for the head of each table."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        cpu = re.search(r"model name\s*: (.*)", f.read())
    version = subprocess.run([os.path.join(build, "collector/ctrace-run"), "--version"], stdout=subprocess.PIPE, text=True,
                             check=False).stdout.strip()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    commit = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True, check=False).stdout.strip()
    libc = platform.libc_ver()
    return (f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}, {libc[0]} {libc[1]}, "
            f"{version.splitlines()[0] if version else 'ctrace'}{' (' + commit + ')' if commit else ''}, "
            f"{datetime.datetime.now().strftime('%Y-%m-%d %H:%M')}, load {os.getloadavg()[0]:.1f}")


class Part:
    """Lines of a document, printed as they come."""

    def __init__(self, bench, name):
        self.b, self.name, self.lines = bench, name, []

    def say(self, line=""):
        print(line, flush=True)
        self.lines.append(line)

    def head(self, more):
        self.say(f"Written by `scripts/bench {self.name}`: {machine(self.b.build)}. {more}\n")

    def table(self, *columns):
        self.say("| " + " | ".join(columns) + " |")
        self.say("|" + " --- |" * len(columns))

    def row(self, *cells):
        self.say("| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |")

    def write(self, target):
        if target:
            write(target, "\n".join(self.lines), self.name)


def write(path, text, name):
    """Between the marks in a document."""
    with open(path, encoding="utf-8") as f:
        before, rest = f.read().split(f"<!-- bench {name}: begin -->", 1)
    after = rest.split(f"<!-- bench {name}: end -->", 1)[1]
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + f"<!-- bench {name}: begin -->\n" + text + f"\n<!-- bench {name}: end -->" + after)
