"""What the test drivers share: finding the tools, running programs, counting results."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import read_trace  # noqa: E402

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve()
RUN = BUILD / "collector/ctrace-run"
CTL = BUILD / "ctl/ctrace-ctl"
ANALYZE = BUILD / "analyzer/ctrace-analyze"
PRELOAD = BUILD / "preload/libctrace.so"
PROGRAMS = BUILD / "tests/programs"

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
}


class Failure(Exception):
    """A test failed; the text says why."""


class Skip(Exception):
    """A test could not be run here; the text says why. It is counted."""


def must(condition, why):
    if not condition:
        raise Failure(why)


class Ended:
    """A program that has ended. status is negative for a signal."""

    def __init__(self, argv, status, out, err, seconds):
        self.argv, self.status, self.out, self.err, self.seconds = argv, status, out, err, seconds

    def __str__(self):
        return f"{' '.join(map(str, self.argv))}: status {self.status}, stdout {short(self.out)}, stderr {short(self.err)}"


def short(text, limit=400):
    text = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return repr(text if len(text) <= limit else text[:limit] + "...")


def run(argv, cwd=None, env=None, stdin=None, timeout=60, during=None):
    """Runs a program with its output in files, so that no child of it can hold us up. during is
    called with a function that gives the output so far. Text is latin-1: every byte survives."""
    argv = [str(a) for a in argv]
    started = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(argv, cwd=cwd, env={**ENVIRONMENT, **(env or {})}, stdout=out, stderr=err,
                                   stdin=stdin if stdin is not None else subprocess.DEVNULL, start_new_session=True)
        try:
            if during:
                during(lambda: os.pread(out.fileno(), 1 << 20, 0).decode("latin-1"))
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"{' '.join(argv)} hung for {timeout} s; stderr "
                          f"{short(os.pread(err.fileno(), 4096, 0))}") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        seconds = time.monotonic() - started
        out.seek(0)
        err.seek(0)
        return Ended(argv, status, out.read().decode("latin-1"), err.read().decode("latin-1"), seconds)


def traced(trace, argv, options=()):
    """The command line that traces argv with ctrace-run."""
    return [RUN, "-q", "-o", trace, *options, "--", *argv]


def preloaded(trace):
    """The environment that traces with LD_PRELOAD alone."""
    return {"LD_PRELOAD": str(PRELOAD), "CTRACE_OUT": str(trace)}


def wait_complete(trace, seconds=20):
    """Waits till the collector has finished the file: its trailer stands there."""
    until = time.monotonic() + seconds
    while True:
        try:
            data = Path(trace).read_bytes()
            if len(data) > 88 and data[-8:-4] == read_trace.TRAILER_MAGIC:
                return
        except OSError:
            pass
        if time.monotonic() > until:
            there = f"{Path(trace).stat().st_size} bytes" if Path(trace).exists() else "no file"
            raise Failure(f"no complete trace after {seconds} s ({there})")
        time.sleep(0.02)


def analyze(*arguments, status=0):
    """Runs ctrace-analyze; its output."""
    ended = run([ANALYZE, *arguments])
    must(ended.status == status, f"{ended}; expected status {status}")
    return ended.out


def report(trace, *arguments, command="blocks", status=0):
    text = analyze(command, "--json", "--top", "0", *arguments, trace, status=status)
    try:
        return json.loads(text)
    except ValueError as e:
        raise Failure(f"{command} --json prints no JSON: {e}: {short(text)}") from None


def functions(site):
    return [frame.get("function") or "" for frame in site.get("stack") or []]


def is_function(name, wanted):
    """Whether a function of a report is the wanted one: C by its name; C++ and Rust names have
    parameters, template arguments or hashes after it."""
    return name == wanted or name.startswith((wanted + "(", wanted + "<", wanted + "::", wanted + "."))


def sites(found, cause=None, object_=None):
    """The sites of a report that match; object is a part of its name."""
    return [s for s in found["sites"]
            if (cause is None or s["cause"] == cause) and (object_ is None or object_ in (s.get("object") or ""))]


def total(found):
    return sum(s["total_ns"] for s in found)


def lasted(found, expected):
    """How long the calls of sites took, as the program measures it: blocked and then ready without a CPU; with what they ran,
    which includes other waits where a signal handler waited in one. Of the two what is nearer."""
    for s in found:
        must(s["total_ns"] <= s["elapsed_ns"], f"blocked for longer than the call took: {s}")
    return min(sum(s["total_ns"] + s["delay_ns"] for s in found), sum(s["elapsed_ns"] for s in found),
               key=lambda ns: abs(ns - expected))


def count(found):
    return sum(s["count"] for s in found)


class Others:
    """What else went on on the machine: other programs, the hypervisor, a quota of our own. Our processes that were not
    waited for count as others."""

    def __init__(self):
        self.before = self.read()

    @staticmethod
    def read():
        with open("/proc/stat", encoding="ascii") as f:
            user, nice, system, idle, iowait, irq, softirq, steal = map(int, f.readline().split()[1:9])
        busy = user + nice + system + irq + softirq
        own = sum(os.times()[:4]) * os.sysconf("SC_CLK_TCK")
        throttled = 0
        try:
            throttled = int(re.search(r"^nr_throttled (\d+)", Path("/sys/fs/cgroup/cpu.stat").read_text(), re.M)[1])
        except (OSError, TypeError):
            pass
        return busy - own, steal, busy + steal + idle + iowait, throttled

    def disturbed(self):
        others, steal, whole, throttled = (b - a for a, b in zip(self.before, self.read()))
        return throttled > 0 or others > 0.1 * whole or steal > 0.005 * whole


def calm(test):
    """For comparisons of times, which others can spoil at the wrong moment: one of three must hold. Where the machine is not
    ours alone it is given time and tried some more."""
    def again(where):
        for left in range(6, -1, -1):
            others = Others()
            try:
                return test(where)
            except Failure:
                if not left or (left <= 4 and not others.disturbed()):
                    raise
            if left <= 4:
                time.sleep(2 * (5 - left))
    return again


def check_trace(trace):
    """What holds for every trace: both readers accept it, and the books balance."""
    analyze("check", trace)
    other = read_trace.Trace(trace)
    must(not other.faults, f"the second reader finds damage: {other.damage[:3]}")
    whole = report(trace)
    must(whole["trace"]["complete"], "the report says that the trace is not complete")
    must(whole["trace"]["events"] == other.summary["events"],
         f"the report has {whole['trace']['events']} events, the second reader {other.summary['events']}")
    blocked = sum(t["blocked_ns"] for t in whole["threads"])
    by_cause = sum(sum(t["by_cause"].values()) for t in whole["threads"])
    must(blocked == by_cause, f"blocked_ns of threads {blocked}, their by_cause {by_cause}")
    waits = sum(c["total_ns"] for c in whole["causes"] if c["cause"] not in ("runnable", "unexplained", "none"))
    must(waits == blocked, f"causes add up to {waits} ns, threads to {blocked} ns")
    for t in whole["threads"]:
        parts = [t["running_ns"], t["runnable_ns"], t["unexplained_ns"], t["blocked_ns"], t["unknown_ns"]]
        must(t["blocked_ns"] <= t["lifetime_ns"] * 1.001 + 1000, f"thread {t['name']} was blocked for longer than it lived: {t}")
        if None not in parts:
            must(abs(sum(parts) - t["lifetime_ns"]) <= t["lifetime_ns"] / 1000 + 1000,
                 f"the books of thread {t['name']} do not balance: {t}")
    return whole


def stopped_trace(where):
    """The trace of a program with nine threads whose recording was switched off for more than half a second."""
    out, env = where / "stopped.bin", {**ENVIRONMENT, "XDG_RUNTIME_DIR": str(where)}
    program = subprocess.Popen([str(a) for a in traced(out, [PROGRAMS / "switched", "waits", 2.5])], cwd=where, env=env, stdout=subprocess.PIPE, text=True)

    def listed():
        return json.loads(run([CTL, "list", "--json"], env=env).out)["processes"]
    try:
        until = time.monotonic() + 60
        while not listed():
            must(time.monotonic() < until and program.poll() is None, "it is not traced")
            time.sleep(0.05)
        time.sleep(0.5)
        must(run([CTL, "stop"], env=env).status == 0, "ctrace-ctl stop")
        time.sleep(0.6)
        must(run([CTL, "start"], env=env).status == 0, "ctrace-ctl start")
        must("ended 0" in program.communicate(timeout=60)[0], "the program")
    finally:
        program.kill()
        program.wait()
    wait_complete(out)
    return out


def damage_events(trace, out, which=0.5):
    """A copy of a trace with a chunk of events that cannot be read: its header."""
    data, chunks, at = bytearray(Path(trace).read_bytes()), [], 64
    while header := read_trace.chunk_header(data, at):
        if header["kind"] == read_trace.EVENTS:
            chunks.append((at, header))
        at += 48 + header["stored_bytes"]
    must(chunks, "no chunk of events")
    at, header = chunks[int(len(chunks) * which)]
    data[at + 48 + header["stored_bytes"] // 2] ^= 0x55
    Path(out).write_bytes(data)
    return header


class Tests:
    """Runs tests by name and prints one line for each, and 'N passed, N failed' at the end."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.only = sys.argv[2:]
        self.keep = os.environ.get("CTRACE_TEST_KEEP")
        self.root = Path(tempfile.mkdtemp(prefix="ctrace-test-"))

    def run(self, name, test):
        """Calls test with an empty directory. What fails while others used the machine is tried again."""
        if self.only and not any(re.search(o, name) for o in self.only):
            return
        where = self.root / re.sub(r"\W+", "-", name)
        started = time.monotonic()
        for left in (2, 1, 0):
            where.mkdir()
            others = Others()
            try:
                test(where)
                self.passed += 1
                print(f"ok {name} ({time.monotonic() - started:.1f} s)", flush=True)
                break
            except Skip as e:
                self.skipped += 1
                print(f"skipped {name}: {e}", flush=True)
                break
            except Exception as e:
                text = str(e)
                if not isinstance(e, Failure):  # a driver's own error, or a report without what the contract promises
                    at = e.__traceback__
                    while at.tb_next:
                        at = at.tb_next
                    text = f"{type(e).__name__}: {e} (line {at.tb_lineno} of {at.tb_frame.f_code.co_filename})"
                if not left or not others.disturbed():
                    self.failed += 1
                    print(f"FAIL {name}: {text}", flush=True)
                    break
                print(f"again {name}, the machine was not ours alone: {text}", flush=True)
            shutil.rmtree(where, ignore_errors=True)
            time.sleep(3)
        if not self.keep:
            shutil.rmtree(where, ignore_errors=True)

    def finish(self):
        if self.keep:
            print(f"kept {self.root}")
        else:
            shutil.rmtree(self.root, ignore_errors=True)
        if self.skipped:
            print(f"{self.skipped} skipped")
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)
