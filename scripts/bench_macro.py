"""Real programs under load, native and traced in turn: throughput and CPU time. Part of scripts/bench.

CPU time is that of the program, its children and the collector, for the same work: on a machine that others use it says
more than the time does. Servers run both at once, each with work only in its turn.
"""
import glob
import os
import pwd
import random
import re
import shutil
import signal
import subprocess
import sys
import time

from bench_common import Ended, Missing, Part, alternate, cpu_of, end_children, family, free_port, spread, wait_for_port

PYTHON = """import threading, queue, time
q = queue.Queue(8); lock = threading.Lock(); total = 0
def work():
    global total
    while (n := q.get()) is not None:
        s = sum(i * i for i in range(n))
        with lock: total += s
begin = time.monotonic()
t = [threading.Thread(target=work) for _ in range(4)]
[x.start() for x in t]
for i in range(COUNT): q.put(1000)
[q.put(None) for x in t]
[x.join() for x in t]
print(COUNT / (time.monotonic() - begin))
"""

NGINX = """daemon off; master_process off; pid {where}/pid{port}; error_log /dev/null; events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {where}/b{port}; proxy_temp_path {where}/p{port}; fastcgi_temp_path {where}/f{port};
uwsgi_temp_path {where}/u{port}; scgi_temp_path {where}/s{port};
server {{ listen 127.0.0.1:{port}; location / {{ root {where}/www; }} }} }}
"""


def need(*programs):
    for p in programs:
        if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"):
            raise Missing(f"{p} is not installed")


def text_file(path, mb):
    """Words, the same each time."""
    if not os.path.exists(path):
        rng = random.Random(1)
        words = [bytes(rng.choices(b"abcdefghijklmnop", k=rng.randint(2, 9))) for _ in range(2000)]
        with open(path, "wb") as f:
            while f.tell() < mb * (1 << 20):
                f.write(b" ".join(rng.choices(words, k=100000)))
    return path


class Server:
    """A server below a shell of its own, so that what belongs to it is found, whoever its parent becomes."""

    def __init__(self, argv, port, stop=signal.SIGTERM, cwd=None):
        self.port, self.stop = port, stop
        # Its orphans come to the reaper: the collector's CPU time is counted where the program was started by it.
        reaper = ("import ctypes, os, subprocess, sys\nctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n"
                  "subprocess.Popen(sys.argv[1:])\n"
                  "while True:\n    try: os.wait()\n    except ChildProcessError: break\n")
        self.process = subprocess.Popen([sys.executable, "-c", reaper, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, cwd=cwd)
        try:
            wait_for_port(port)
        except Missing:
            self.end()
            raise

    def cpu(self):
        return cpu_of(self.process.pid)

    def end(self):
        """The program, not ctrace: it ends as the program does."""
        for p in family(self.process.pid)[::-1]:
            try:
                with open(f"/proc/{p}/comm", encoding="utf-8", errors="replace") as f:
                    if not f.read().startswith("ctrace"):
                        os.kill(p, self.stop)
            except OSError:
                pass
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            end_children(self.process.pid)
            self.process.wait()


class Macro(Part):
    def __init__(self, bench):
        super().__init__(bench, "macro")
        self.small = 4 if bench.quick else 1

    # --- each gives pairs of (work a second, CPU seconds a piece of work), native and traced ---

    def command(self, argv, work=1, rate=None, env=None, cwd=None):
        """rate: what the program says about itself, from its output."""
        def once(prefix):
            e = Ended([*prefix, *argv], env=env, cwd=cwd)
            if e.status:
                raise OSError(f"{argv[0]}: status {e.status}: {(e.err or e.out)[-300:]}")
            speed = float(re.search(rate, e.out)[1]) if rate else work / e.wall
            return speed, e.cpu / work
        return alternate(lambda: once([]), lambda: once(self.b.traced()), self.b.pairs)

    def servers(self, start, loads, warm=None):
        """start(prefix, port) gives a Server; loads: (name, load(port) that gives (work a second, work)). A table of pairs."""
        both = []
        try:
            for prefix in ([], self.b.traced()):
                both.append(start(prefix, free_port()))
            for s in both:
                if warm:
                    warm(s.port)

            def once(s, load):
                before = s.cpu()
                rate, work = load(s.port)
                return rate, (s.cpu() - before) / work
            return [(name, alternate(lambda: once(both[0], load), lambda: once(both[1], load), self.b.pairs)) for name, load in loads]
        finally:
            for s in both:
                s.end()

    @staticmethod
    def load(argv, rate, work=None, seconds=None):
        out = subprocess.run(["taskset", "-c", str((os.cpu_count() or 2) - 1), *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True).stdout
        found = re.findall(rate, out.replace("\r", "\n"))
        if not found:
            raise OSError(f"{argv[0]}: {out[-300:]}")
        speed = float(found[-1])
        return speed, work or speed * seconds

    def redis(self):
        need("redis-server", "redis-benchmark")

        def start(prefix, port):
            return Server(["taskset", "-c", "0", *prefix, "redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1"], port, cwd=self.b.tmp)

        def load(test, pipeline, n):
            return lambda port: self.load(["redis-benchmark", "-p", str(port), "-t", test, "-c", "20", "-P", str(pipeline), "-n", str(n), "--csv"],
                                          r'"(?:GET|SET)","([\d.]+)"', n)
        return self.servers(start, [(f"redis, {test.upper()}{', 16 in a pipeline' if p > 1 else ''}", load(test, p, n // self.small))
                                    for test in ("get", "set") for p, n in ((1, 60000), (16, 600000))])

    def memcached(self):
        need("memcached", "memcslap")
        user = ["-u", "nobody"] if not os.geteuid() else []

        def start(prefix, port):
            return Server(["taskset", "-c", "0", *prefix, "memcached", "-p", str(port), "-l", "127.0.0.1", "-t", "2", *user], port, cwd=self.b.tmp)

        def load(test):
            n = 16000 // self.small
            def once(port):
                out = subprocess.run(["taskset", "-c", str((os.cpu_count() or 2) - 1), "memcslap", f"--servers=127.0.0.1:{port}", "--concurrency=4",
                                      f"--execute-number={n}", f"--test={test}"], stdout=subprocess.PIPE, check=False, text=True).stdout
                found = re.search(rf"Time to {test} +(\d+) keys by .* ([\d.]+) seconds", out)
                if not found:
                    raise OSError(f"memcslap: {out[-300:]}")
                # To get, it sets n first: that is work, too.
                return int(found[1]) / float(found[2]), int(found[1])
            return once
        return self.servers(start, [("memcached -t 2, get", load("get")), ("memcached -t 2, set", load("set"))])

    def nginx(self):
        need("nginx", "wrk")
        www = os.path.join(self.b.tmp, "www")
        os.makedirs(www, exist_ok=True)
        os.chmod(self.b.tmp, 0o755)
        text_file(os.path.join(www, "words"), 0.06)
        with open(os.path.join(www, "small"), "wb") as f:
            f.write(b"x" * 600)

        def start(prefix, port):
            conf = os.path.join(self.b.tmp, f"nginx{port}.conf")
            with open(conf, "w", encoding="ascii") as f:
                f.write(NGINX.format(where=self.b.tmp, port=port))
            return Server(["taskset", "-c", "0", *prefix, "nginx", "-c", conf, "-p", self.b.tmp], port)

        def load(name):
            s = max(1, 2 // self.small)
            return lambda port: self.load(["wrk", "-t1", "-c20", f"-d{s}", f"http://127.0.0.1:{port}/{name}"], r"Requests/sec:\s*([\d.]+)", seconds=s)
        return self.servers(start, [("nginx, 600 bytes", load("small")), ("nginx, 600 kB", load("words"))])

    def postgres(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            raise Missing("postgresql is not installed")
        user = [] if os.geteuid() else ["setpriv", "--reuid=postgres", f"--regid={pwd.getpwnam('postgres').pw_gid}", "--init-groups"]
        folder = os.path.join(self.b.tmp, "postgres")
        os.makedirs(folder)
        os.chmod(self.b.tmp, 0o755)
        if user:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        env = dict(os.environ, LC_ALL="C")

        def run(name, *argv):
            out = subprocess.run([*user, f"{found[-1]}/{name}", *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd=folder, check=False)
            if out.returncode:
                raise OSError(f"{name}: {out.stdout[-300:]}")

        def start(prefix, port):
            data = os.path.join(folder, f"data{port}")
            run("initdb", "-D", data, "-A", "trust", "--no-sync", "-U", "bench")
            # The trace is the user's, too.
            prefix = [os.path.join(folder, "trace.bin") if a == self.b.trace else a for a in prefix]
            return Server([*user, *prefix, f"{found[-1]}/postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1",
                           "-c", "autovacuum=off"], port, stop=signal.SIGINT, cwd=folder)

        def warm(port):
            end = time.monotonic() + 30
            while True:
                try:
                    return run("pgbench", "-i", "-q", "-s", "2", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "postgres")
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.2)

        def load(*options):
            s = max(1, 3 // self.small)
            return lambda port: self.load([*user, f"{found[-1]}/pgbench", *options, "-n", "-c", "4", "-T", str(s), "-h", "127.0.0.1", "-p", str(port), "-U", "bench",
                                           "postgres"], r"tps = ([\d.]+)", seconds=s)
        rows = self.servers(start, [("postgres, pgbench -S -c 4", load("-S")), ("postgres, pgbench -c 4", load())], warm)
        shutil.copyfile(os.path.join(folder, "trace.bin"), self.b.trace)
        return rows

    def sysbench(self):
        need("sysbench")
        n = 4 * self.small
        mutex = ["sysbench", "mutex", "--threads=4", "--mutex-num=16", f"--mutex-locks={1200000 // n}", "--mutex-loops=500", "run"]
        threads = ["sysbench", "threads", "--threads=8", "--thread-locks=4", f"--events={24000 // n}", "--time=0", "run"]
        memory = ["sysbench", "memory", "--threads=4", "--memory-block-size=1K", f"--memory-total-size={24 // n}G", "--time=0", "run"]
        return [(f"sysbench {argv[1]}", self.command(argv)) for argv in (mutex, threads, memory)]

    def sqlite(self):
        need("sqlite3")
        base = os.path.join(self.b.tmp, "base.db")
        many = (f"PRAGMA journal_mode=WAL; DROP TABLE IF EXISTS t; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); BEGIN; "
                f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {1200000 // self.small}) INSERT INTO t SELECT i, hex(i * 7919) FROM n; COMMIT;")
        script = os.path.join(self.b.tmp, "single.sql")
        count = 2000 // self.small
        with open(script, "w", encoding="ascii") as f:
            f.write("PRAGMA journal_mode=WAL; DROP TABLE IF EXISTS s; CREATE TABLE s(a, b);\n")
            f.writelines(f"INSERT INTO s VALUES({i}, 'row {i}');\n" for i in range(count))
        return [("sqlite3, inserts in one transaction", self.command(["sqlite3", base, many])),
                ("sqlite3, inserts one by one, WAL", self.command(["sqlite3", base, f".read {script}"], count))]

    def pbzip2(self):
        need("pbzip2")
        return [("pbzip2 -p2", self.command(["pbzip2", "-k", "-c", "-p2", text_file(os.path.join(self.b.tmp, "data"), 24 / self.small)]))]

    def pigz(self):
        need("pigz")
        return [("pigz -p 4", self.command(["pigz", "-k", "-c", "-p", "4", text_file(os.path.join(self.b.tmp, "data"), 24 / self.small)]))]

    def python(self):
        """The program times itself: what starting and ending costs has a row of its own."""
        n = 20000 // self.small
        return [("python3, queue and 4 threads", self.command(["/usr/bin/python3", "-c", PYTHON.replace("COUNT", str(n))], n, r"([\d.]+)"))]

    def make(self):
        need("make", "gcc")
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        sources = [s for s in sorted(glob.glob(os.path.join(root, "abi/*.c")) + glob.glob(os.path.join(root, "tests/unit/test_codec.c"))
                                     + glob.glob(os.path.join(root, "tests/programs/*.c"))) if "ctrace.h" not in open(s, encoding="utf-8").read()]
        sources = sources[:40 // self.small]
        file = os.path.join(self.b.tmp, "Makefile")
        with open(file, "w", encoding="utf-8") as f:
            f.write(f"all: {' '.join(f'o{i}' for i in range(len(sources)))}\n" + "".join(
                f"o{i}: {s}\n\t/usr/bin/gcc -O1 -w -I{root}/abi -I{root}/tests/unit -c -o {self.b.tmp}/o.{i} $< 2>/dev/null || true\n" for i, s in enumerate(sources)))
        return [(f"make -j4, {len(sources)} C files of ctrace", self.command(["make", "-s", "-j4", "-f", file], len(sources), cwd=self.b.tmp))]

    def bash(self):
        n = 300 // self.small
        return [("bash, processes one after the other", self.command(["bash", "-c", f"for ((i = 0; i < {n}; i++)); do /bin/true; done"], n))]

    def all(self, target, only=None):
        self.head(f"{self.b.pairs} pairs, alternating; median (quartiles) of the ratios within a pair, traced to native; speed above 1 is faster. "
                  "CPU: of the program, its children and the collector, for the same work. Servers are on CPU 0 with their collector, loads on "
                  "the last CPU; postgres' processes are on all.")
        self.table("program", "native", "speed", "CPU", "events", "lost", "bytes an event")
        ratios = self.b.results.setdefault("macro", {})
        for work in (self.redis, self.memcached, self.nginx, self.postgres, self.sysbench, self.sqlite, self.pbzip2, self.pigz, self.python, self.make, self.bash):
            if only and work.__name__ not in only:
                continue
            try:
                rows = work()
            except (Missing, OSError, KeyError) as error:
                self.row(work.__name__, " ".join(str(error).split()), "", "", "", "", "")
                continue
            trace = self.b.stats().get("trace", {})
            events = trace.get("events", 0)
            size = os.path.getsize(self.b.trace)
            for i, (name, pairs) in enumerate(rows):
                speed, cpu = [b[0] / a[0] for a, b in pairs], [b[1] / max(a[1], 1e-9) for a, b in pairs]
                ratios[name] = (sorted(speed)[len(speed) // 2], sorted(cpu)[len(cpu) // 2])
                last = i == len(rows) - 1
                self.row(name, f"{sorted(a[0] for a, _ in pairs)[len(pairs) // 2]:,.4g}/s", spread(speed, ".3f"), spread(cpu, ".3f"),
                         *((f"{events:,}", trace.get("lost_events", 0), f"{size / max(events, 1):.2f}") if last else ("", "", "")))
        self.say("\nEvents are those of the trace that is left: of all rows of a server together, of the last run of a command.")
        self.write(target)
