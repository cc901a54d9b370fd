"""Others on the same work, each as one would use it: slowdown, size, loss, and what they tell. Part of scripts/bench.

Every run stands beside a native one. What a tool tells is looked for in its own report of the program with locks
(bench-micro known): each round has one wait for the_contended_lock in waits_for_it(), which the thread in holds_it()
ends. A cell says yes only if the report of this run has the words that are given in "how".
"""
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import time

from bench_common import Ended, Missing, Part, free_port
from bench_macro import PYTHON, Server, need, text_file

LATE = 20           # seconds, after which a run is given up
LONG_NS = 50000     # the waits of bench-micro known take 100 us


def size_of(path):
    if os.path.isdir(path):
        return sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(path) for f in files)
    return os.path.getsize(path) if os.path.exists(path) else 0


def text_of(argv, limit=120, env=None):
    """Standard output and error of a report."""
    e = Ended(argv, limit=limit, env=env)
    return e.out + e.err


class Peer:
    """How a program is run under it, what it left, and how its report is read. Patterns: of lock, site and waker."""
    name = title = how = ""
    programs = ()
    slow = False
    lock = site = waker = None

    def __init__(self, bench):
        self.b = bench
        self.out = os.path.join(bench.tmp, "peer-" + self.name)

    def begin(self):
        """Before a run: gives the words before the command, and variables."""
        if os.path.isdir(self.out):
            shutil.rmtree(self.out)
        elif os.path.exists(self.out):
            os.unlink(self.out)
        return self.prefix(), {}

    def prefix(self):
        return []

    def end(self):
        """After it."""

    def report(self):
        with open(self.out, encoding="utf-8", errors="replace") as f:
            return f.read()

    def events(self, text):
        return text.count("\n")

    def lost(self, text):
        return "0 (it stops the program)"

    def waits(self, text):
        return None

    def tells(self, text, pattern):
        return "yes" if pattern and re.search(pattern, text) else "no"

    def size(self):
        return size_of(self.out)


class Ctrace(Peer):
    name, title = "ctrace", "ctrace"
    how = "`locks`: the_contended_lock, waits_for_it, holds_it"
    lock, site, waker = "the_contended_lock", "waits_for_it", "holds_it"

    def prefix(self):
        return [self.b.run[0], "-q", "-o", self.out, "--"]

    def report(self):
        return subprocess.run([self.b.analyze, "locks", "--json", self.out], stdout=subprocess.PIPE, text=True, check=False).stdout

    def stats(self):
        return json.loads(subprocess.run([self.b.analyze, "stats", "--json", self.out], stdout=subprocess.PIPE, check=False).stdout)

    def events(self, _):
        return self.stats()["trace"]["events"]

    def lost(self, _):
        return self.stats()["trace"]["lost_events"]

    def waits(self, _):
        return sum(c["count"] for c in self.stats_of_causes() if c["cause"] == "mutex")

    def stats_of_causes(self):
        return self.stats().get("causes", [])


class Lttng(Peer):
    programs = ("lttng", "lttng-sessiond", "babeltrace2")
    provider = wrapper = ""

    def begin(self):
        super().begin()
        self.home = os.path.join(self.b.tmp, "lttng-home")
        os.makedirs(self.home, exist_ok=True)
        self.env = dict(os.environ, LTTNG_HOME=self.home)
        self.daemon = subprocess.Popen(["lttng-sessiond", "--no-kernel"], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1.5)
        for command in (["create", "bench", "--output=" + self.out], ["enable-event", "-u", self.provider + ":*"], ["start"]):
            subprocess.run(["lttng", *command], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return [], {"LTTNG_HOME": self.home, "LD_PRELOAD": self.wrapper, "LTTNG_UST_REGISTER_TIMEOUT": "5000"}

    def end(self):
        subprocess.run(["lttng", "destroy", "bench"], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        self.daemon.terminate()
        self.daemon.wait(30)

    def report(self):
        return text_of(["babeltrace2", "--clock-seconds", self.out])

    def events(self, text):
        return text.count(self.provider + ":")

    def lost(self, text):
        return sum(int(n) for n in re.findall(r"[Tt]racer discarded (\d+) event", text))


class LttngPthread(Lttng):
    name, title, provider, wrapper = "lttng-pthread", "lttng-ust, pthread wrapper", "lttng_ust_pthread", "liblttng-ust-pthread-wrapper.so"
    how = "address (`mutex = 0x`); ip only as a context that must be asked for; an unlock before the wait's end, without its thread"
    lock, waker = "mutex = 0x", None

    def waits(self, text):
        asked, found = {}, 0
        for at, what, mutex in re.findall(r"^\[([\d.]+)\].*pthread_mutex_lock_(req|acq):.*mutex = (0x\w+)", text, re.M):
            if what == "req":
                asked[mutex] = float(at)
            elif (float(at) - asked.get(mutex, float(at))) * 1e9 > LONG_NS:
                found += 1
        return found


class LttngLibc(Lttng):
    name, title, provider, wrapper = "lttng-libc", "lttng-ust, libc wrapper", "lttng_ust_libc", "liblttng-ust-libc-wrapper.so"
    how = "it shows allocations only"


class Heaptrack(Peer):
    name, title, programs = "heaptrack", "heaptrack", ("heaptrack", "heaptrack_print")
    how = "it shows allocations only"

    def prefix(self):
        return ["heaptrack", "-o", self.out]

    def size(self):
        return sum(os.path.getsize(self.out + s) for s in (".zst", ".gz") if os.path.exists(self.out + s))

    def report(self):
        return text_of(["heaptrack_print", self.out + (".zst" if os.path.exists(self.out + ".zst") else ".gz")])

    def events(self, text):
        found = re.search(r"calls to allocation functions: (\d+)", text)
        return int(found[1]) if found else 0

    def lost(self, text):
        return "0 (waits for its pipe)"


class Uftrace(Peer):
    name, title, programs = "uftrace", "uftrace record --force", ("uftrace",)
    how = "calls of libraries with their time; of a program not built with -pg it sees neither arguments nor its functions"
    site = "waits_for_it"

    def prefix(self):
        return ["uftrace", "record", "--force", "--no-pager", "-d", self.out]

    def report(self):
        return text_of(["uftrace", "dump", "--no-pager", "-d", self.out])

    def events(self, text):
        return len(re.findall(r"\[(?:entry|exit )\]", text))

    def lost(self, text):
        return sum(int(n) for n in re.findall(r"(\d+) (?:records|events)? ?(?:lost|LOST)|LOST (\d+)", text) for n in n if n)

    def waits(self, _):
        return len(re.findall(r"\bpthread_mutex_lock\(", text_of(["uftrace", "replay", "--no-pager", "-d", self.out, "-t", f"{LONG_NS // 1000}us", "-F", "pthread_mutex_lock"])))


class Strace(Peer):
    name, title, programs, slow = "strace", "strace -f", ("strace",), True
    how = "address (`futex(0x`); `-k` for the site is not its ordinary mode; the thread that calls FUTEX_WAKE"
    lock, waker = r"futex\(0x\w+, FUTEX_WAIT_PRIVATE, 2", r"^\d+ +futex\(0x\w+, FUTEX_WAKE_PRIVATE, 1"

    def prefix(self):
        return ["strace", "-f", "-o", self.out]

    def waits(self, text):
        return len(re.findall(r"FUTEX_WAIT_PRIVATE, 2, NULL", text))

    def tells(self, text, pattern):
        return "yes" if pattern and re.search(pattern, text, re.M) else "no"


class Ltrace(Strace):
    name, title, programs = "ltrace", "ltrace -f", ("ltrace",)
    how = "address (`pthread_mutex_lock(0x`); its arguments, not who called; the thread that unlocks"
    lock, waker = r"pthread_mutex_lock\(0x", r"^\d+ pthread_mutex_unlock\(0x"

    def prefix(self):
        return ["ltrace", "-f", "-o", self.out]

    def waits(self, text):
        return None


class PerfTrace(Peer):
    name, title, programs = "perf-trace", "perf trace", ("perf",)
    how = "address (`futex(uaddr: 0x`); no stack; the thread that calls futex WAKE"
    lock, waker = r"futex\(uaddr: 0x", r"futex\(uaddr: 0x\w+, op: WAKE"

    def prefix(self):
        return ["perf", "trace", "-o", self.out, "--"]

    def lost(self, text):
        return sum(int(n) for n in re.findall(r"LOST (\d+) events", text))

    def waits(self, text):
        return len(re.findall(r"futex\(uaddr: 0x\w+, op: WAIT\|PRIVATE_FLAG, val: 2", text))


class PerfSched(Peer):
    name, title, programs = "perf-sched", "perf sched record", ("perf",)
    how = "no lock; no stack (`-g` is not its ordinary mode); sched_waking in the thread that wakes"
    site, waker = "waits_for_it", r"bench-micro.*sched_wak(?:ing|eup): (?:comm=)?bench-micro"

    def prefix(self):
        return ["perf", "sched", "record", "-q", "-o", self.out, "--"]

    def report(self):
        return text_of(["perf", "script", "-i", self.out])

    def lost(self, _):
        return sum(int(n) for n in re.findall(r"LOST(?:_SAMPLES)? events:\s+(\d+)", text_of(["perf", "report", "--stats", "-i", self.out])))


class Offcputime(Peer):
    """Of the whole machine, since the program is not there yet: summed in the kernel, a stack a line."""
    name, title = "offcputime", "bcc's offcputime (libbpf-tools)"
    how = ("stacks, looked at with `-p` on a program that still runs, since names are looked up at the end; frame pointers end in Debian's "
           "libc, so that the function that called it can be missing; no waker (offwaketime has it)")
    site = r"waits_for_it"

    def begin(self):
        super().begin()
        if not shutil.which("offcputime", path=os.environ["PATH"] + ":/usr/sbin"):
            raise Missing("libbpf-tools is not installed")
        self.file = open(self.out, "wb")
        self.process = subprocess.Popen(["/usr/sbin/offcputime", "100000"], stdout=self.file, stderr=subprocess.STDOUT)
        time.sleep(1.5)
        if self.process.poll() is not None:
            with open(self.out, encoding="utf-8", errors="replace") as f:
                raise Missing("cannot trace here: " + " ".join(f.read().split())[-200:])
        return [], {}

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        self.file.close()

    def report(self):
        """Names are looked up at the end: of a program that is still there."""
        program = subprocess.Popen([os.path.join(self.b.build, "tests/bench/bench-micro"), "known", "20000", "1"], stdout=subprocess.DEVNULL)
        try:
            return text_of(["/usr/sbin/offcputime", "-p", str(program.pid), "1"])
        finally:
            program.kill()
            program.wait()

    def events(self, text):
        return 0

    def lost(self, text):
        return "not told"


PEERS = (Ctrace, LttngPthread, LttngLibc, Heaptrack, Uftrace, Strace, Ltrace, PerfTrace, PerfSched, Offcputime)


class Peers(Part):
    def __init__(self, bench):
        super().__init__(bench, "peers")
        self.rounds = 100 if bench.quick else 500
        self.small = 4 if bench.quick else 1
        self.pairs = 1 if bench.quick else 3

    # --- works: each gives what it takes, in seconds for a piece of it, or None if it took too long ---

    def program(self, prefix, env, argv, seconds):
        e = Ended([*prefix, *argv], env=dict(os.environ, **env), limit=LATE)
        if e.late:
            return None
        try:
            return seconds(e)
        except TypeError:
            raise OSError(f"the program fails (status {e.status}): " + " ".join((e.err or e.out).split())[-100:]) from None

    def locks(self, prefix, env):
        return self.program(prefix, env, [os.path.join(self.b.build, "tests/bench/bench-micro"), "known", str(self.rounds), "1"],
                            lambda e: float(re.search(r"^([\d.]+) [\d.]+$", e.out, re.M)[1]))

    def pbzip2(self, prefix, env):
        need("pbzip2")
        data = text_file(os.path.join(self.b.tmp, "data-peers"), 8 / self.small)
        return self.program(prefix, env, ["pbzip2", "-k", "-f", "-p2", data], lambda e: e.wall)

    def python(self, prefix, env):
        n = 6000 // self.small
        return self.program(prefix, env, ["/usr/bin/python3", "-c", PYTHON.replace("COUNT", str(n))], lambda e: 1 / float(re.search(r"^([\d.]+)$", e.out, re.M)[1]))

    def redis(self, prefix, env):
        need("redis-server", "redis-benchmark")
        port = free_port()
        words = ["env", *(f"{k}={v}" for k, v in env.items()), *prefix] if env else prefix
        # Variables are for the server alone, and LTTNG's runs before it.
        server = Server([*words, "redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1"], port, cwd=self.b.tmp)
        try:
            e = Ended(["redis-benchmark", "-p", str(port), "-t", "get", "-c", "20", "-n", str(20000 // self.small), "--csv"], limit=LATE)
            return None if e.late else 1 / float(re.search(r'"GET","([\d.]+)"', e.out)[1])
        finally:
            subprocess.run(["timeout", "20", "redis-cli", "-p", str(port), "shutdown", "nosave"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            try:
                server.process.wait(10)
            except subprocess.TimeoutExpired:
                server.end()

    WORKS = (("locks", locks), ("redis, GET", redis), ("pbzip2", pbzip2), ("python3 threads", python))

    def once(self, peer, work):
        prefix, env = peer.begin()
        try:
            return work(self, prefix, env)
        finally:
            peer.end()

    def slowdown(self, peer, work):
        """Pairs, the order alternating; a run that is given up bounds it from below."""
        ratios = []
        for i in range(self.pairs):
            if i % 2:
                b = self.once(peer, work)
                a = work(self, [], {})
            else:
                a = work(self, [], {})
                b = self.once(peer, work)
            if b is None:
                return None
            ratios.append(b / a)
        return statistics.median(ratios)

    def all(self, target, only=None):
        self.head(f"{self.pairs} pairs with a native run each. Slowdown: time of the same work with the tool, relative to native; 'too long': given up after {LATE} s. "
                  f"Bytes, loss and what it tells: of the last run with locks, which has {self.rounds} waits for a lock that is held for 0.1 ms "
                  f"(`bench-micro known`) and {1000 * self.rounds} free locks.")
        self.table("tool", *(name for name, _ in self.WORKS), "events", "bytes an event", "lost", "of the waits it shows", "lock", "site", "waker")
        notes = []
        for kind in PEERS:
            if only and kind.name not in only:
                continue
            peer = kind(self.b)
            cells, told = [], ["", "", "", "", "", "", ""]
            for i, (_, work) in enumerate(self.WORKS):
                try:
                    need(*peer.programs)
                    ratio = self.slowdown(peer, work)
                    cells.append("too long" if ratio is None else f"{ratio:.2f}")
                    if not i:
                        told = self.told(peer)
                        notes.append(f"{peer.title}: {peer.how}.")
                except (Missing, OSError, subprocess.SubprocessError, TypeError) as error:
                    cells.append(" ".join(str(error).split())[:160] or "failed")
                    if isinstance(error, Missing):
                        break
            self.row(peer.title, *cells, *[""] * (len(self.WORKS) - len(cells)), *told)
        self.say("\nThat a tool names something is decided by looking for it in its report of this run: " + " ".join(notes))
        self.write(target)

    def told(self, peer):
        text = peer.report()
        events, waits = peer.events(text), peer.waits(text)
        size = peer.size()
        return [f"{events:,}" if events else "sums only" if peer.name == "offcputime" else "0", f"{size / events:.1f}" if events else "", peer.lost(text),
                f"{waits} of {self.rounds}" if waits is not None else "none by itself", *(peer.tells(text, p) for p in (peer.lock, peer.site, peer.waker))]
