"""How fast the analyzer reads, and in how much memory; and others beside it. Part of scripts/bench.

Traces of 1, 10 and 100 million events are made by tests/bench/make_events.c from a real one. Speed is events
per second of CPU time, of both threads together: what one core does. Time that other programs on the machine
take is not in it.
"""
import datetime
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from bench_common import write

# What the seed is made of: a server and its clients, a compressor, pipes, conditions, a lock that is fought
# for, an interpreter with a queue.
SEED = r"""
redis-server --port {port} --save "" --bind 127.0.0.1 >/dev/null &
sleep 0.5
redis-benchmark -p {port} -t get,set -c 20 -n 60000 -q >/dev/null & a=$!
{micro} pipe 60000 >/dev/null & b=$!
pbzip2 -k -c -p2 {data} >/dev/null & c=$!
wait $a $b $c
{micro} cond 60000 >/dev/null
{micro} contended4 100000 >/dev/null
/usr/bin/python3 -c '
import threading, queue
q = queue.Queue(8); lock = threading.Lock()
def work():
    while (n := q.get()) is not None:
        with lock: sum(i * i for i in range(n))
t = [threading.Thread(target=work) for _ in range(4)]
[x.start() for x in t]
for i in range(30000): q.put(300)
[q.put(None) for x in t]
[x.join() for x in t]
'
redis-cli -p {port} shutdown nosave
wait
"""

# Command, largest trace in millions of events (those above write, or keep, all of it), whether it is one of
# those that take long, which --heavy bounds, and whether what it does has to do with context switches, so that it
# stands in that table only.
COMMANDS = [("blocks", 100, False, False), ("threads", 100, False, False), ("stats", 100, False, False),
            ("blocks --from 50% --to 51%", 100, False, False), ("sched", 100, True, False),
            ("deadlocks", 100, True, False), ("check", 100, True, False), ("locks", 100, True, True),
            ("wakers", 100, True, True), ("path", 10, True, True), ("path --from 50% --to 51%", 100, True, True),
            ("whatif", 10, True, True), ("whatif --from 50% --to 51%", 100, True, True), ("dump", 10, True, True)]

# A command is run again until it has taken so long, and at most --pairs times: the median counts.
ENOUGH_SECONDS = 3

GO = """package main

import ("os"; "runtime/trace"; "strconv")

func main() {
	f, _ := os.Create(os.Args[1])
	n, _ := strconv.Atoi(os.Args[2])
	trace.Start(f)
	a, b := make(chan int), make(chan int)
	go func() { for v := range a { b <- v } ; close(b) }()
	for i := 0; i < n; i++ { a <- i; <-b }
	close(a)
	trace.Stop()
	f.Close()
}
"""


class Ran:
    """A finished command: CPU and wall seconds, peak memory in MB, its output's size in lines if asked for."""

    def __init__(self, argv, count=False, env=None):
        out = subprocess.PIPE if count else subprocess.DEVNULL
        begin = time.monotonic()
        # Started from here a program would inherit this one's peak.
        used = tempfile.NamedTemporaryFile(mode="r", prefix="ctrace-bench-")
        with used, subprocess.Popen(["/usr/bin/time", "-q", "-f", "%U %S %M", "-o", used.name, "--", *argv], stdout=out, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              env=env) as p:
            self.lines = 0
            if count:
                while block := p.stdout.read(1 << 20):
                    self.lines += block.count(b"\n")
            self.err = p.stderr.read().decode(errors="replace")
            self.status = p.wait()
            self.wall = time.monotonic() - begin
            user, system, kilobytes = used.read().split()[-3:]
        self.cpu = max(float(user) + float(system), 0.01)
        self.mb = int(kilobytes) / 1024


def median_of(runs):
    return sorted(runs, key=lambda r: r.cpu)[len(runs) // 2]


class Analyzer:
    def __init__(self, bench, sizes, pairs, heavy):
        self.b = bench
        self.heavy = heavy
        self.sizes = sizes
        self.pairs = pairs
        self.lines = []
        self.make = os.path.join(bench.build, "tests/bench/make-events")
        self.micro = os.path.join(bench.build, "tests/bench/bench-micro")

    def say(self, line=""):
        print(line, flush=True)
        self.lines.append(line)

    def note(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    # --- traces ---

    def seed(self, name, *options):
        path, data = os.path.join(self.b.tmp, name), os.path.join(self.b.tmp, "data")
        if not os.path.exists(data):
            with open(data, "wb") as f:
                f.write(os.urandom(5000000).hex().encode())
        script = SEED.format(port=self.b.free_port(), micro=self.micro, data=data)
        subprocess.run([self.b.run[0], "-q", "-o", path, *options, "--", "sh", "-c", script],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return path

    def trace(self, seed, millions):
        path = f"{seed}.{millions}"
        out = subprocess.run([self.make, seed, str(millions * 1000000), path], stdout=subprocess.PIPE, check=True,
                             text=True).stdout
        events, slices, size = (int(x) for x in re.findall(r"\d+", out)[:3])
        return path, events, slices, size

    def run(self, command, path, runs, env=None):
        argv = [self.b.analyze, *command.split(), path]
        done = [Ran(argv, env=env)]
        while len(done) < runs and sum(r.wall for r in done) < ENOUGH_SECONDS:
            done.append(Ran(argv, env=env))
        if done[0].status:
            self.note(f"{' '.join(argv)}: exit status {done[0].status}: {done[0].err.strip()}")
        return median_of(done)

    # --- tables ---

    def table(self, title, seed, commands, sizes=None):
        sizes = sizes or self.sizes
        traces = [(n, *self.trace(seed, n)) for n in sizes]
        n, path, events, slices, size = traces[-1]
        self.say(f"\n{title}: {events / 1e6:.1f} million events and {slices / 1e6:.1f} million slices at the largest, "
                 f"{size / events:.2f} bytes an event with everything.\n")
        self.say("| command | " + " | ".join(f"{n} million: events/s | memory" for n in sizes) + " | growth |")
        self.say("| --- |" + " --- | --- |" * len(sizes) + " --- |")
        for command, most, heavy, switches in commands:
            if switches and not slices:
                continue
            cells, rates = [], []
            for n, path, events, slices, size in traces:
                if n > (min(most, self.heavy) if heavy else most):
                    cells += ["", ""]
                    continue
                r = self.run(command, path, self.pairs)
                rates.append((events, r.cpu))
                cells += [f"{events / r.cpu / 1e6:.1f} M", f"{r.mb:.0f} MB"]
            growth = ""
            if len(rates) > 1:
                (e0, t0), (e1, t1) = rates[-2:]
                growth = f"{(t1 / t0) / (e1 / e0):.2f}"
            self.say(f"| `{command}` | " + " | ".join(cells) + f" | {growth} |")
        for _, path, *_ in traces:
            os.unlink(path)

    def second_thread(self, seed):
        """Wall time with and without reading ahead, in pairs."""
        path, events, slices, _ = self.trace(seed, self.sizes[-1])
        off = dict(os.environ, CTRACE_READ_AHEAD="0")
        ratios, walls = [], []
        for _ in range(min(self.pairs, 3)):
            a, b = Ran([self.b.analyze, "blocks", path], env=off), Ran([self.b.analyze, "blocks", path])
            ratios.append(b.wall / a.wall)
            walls.append(b.wall)
        self.b.results["blocks, " + ("slices" if slices else "events")] = (events + slices) / statistics.median(walls) / 1e6
        what = f"{(events + slices) / statistics.median(walls) / 1e6:.1f} million events" + (" and slices" if slices else "")
        self.say(f"\nThe second thread, {'with' if slices else 'without'} context switches: `blocks` takes in {what} a "
                 "second of wall time.")
        self.say(f"It takes {statistics.median(ratios):.2f} of the wall time that it takes with "
                 f"`CTRACE_READ_AHEAD=0` ({min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)} pairs).")
        os.unlink(path)

    # --- others ---

    def beside(self, name, command, events, r):
        self.say(f"| {name} | `{command}` | {events / 1e6:.1f} M | {events / r.cpu / 1e6:.2f} M | {r.mb:.0f} MB | "
                 f"{r.mb * 1048576 / events:.0f} |")

    def missing(self, name, why):
        self.say(f"| {name} | {why} | | | | |")

    def go(self):
        if not shutil.which("go"):
            return self.missing("Go's tracer", "golang-go is not installed")
        source, program, trace = (os.path.join(self.b.tmp, x) for x in ("ping.go", "ping", "go.trace"))
        with open(source, "w", encoding="ascii") as f:
            f.write(GO)
        subprocess.run(["go", "build", "-o", program, source], check=True, cwd=self.b.tmp)
        # Listing a million rounds takes minutes: a tenth of them is counted.
        subprocess.run([program, trace, "100000"], check=True)
        events = 10 * Ran(["go", "tool", "trace", "-d", trace], count=True).lines
        subprocess.run([program, trace, "1000000"], check=True)
        version = subprocess.run(["go", "version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[2]
        self.beside(f"{version}, channel ping-pong", "go tool trace -pprof=sync", events,
                    median_of([Ran(["go", "tool", "trace", "-pprof=sync", trace]) for _ in range(3)]))

    def lttng(self):
        if not shutil.which("babeltrace2") or not shutil.which("lttng"):
            return self.missing("LTTng", "lttng-tools, babeltrace2 or liblttng-ust-dev are not installed")
        out, session = os.path.join(self.b.tmp, "lttng"), "ctrace-bench"
        wrapper = "liblttng-ust-pthread-wrapper.so"
        env = dict(os.environ, LTTNG_HOME=self.b.tmp, LTTNG_UST_REGISTER_TIMEOUT="5000")
        daemon = subprocess.Popen(["lttng-sessiond", "--no-kernel"], env=env, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            time.sleep(2)
            for command in (["create", session, "--output=" + out],
                            ["enable-channel", "-u", "c", "--subbuf-size=4M", "--num-subbuf=8", "--blocking-timeout=inf"],
                            ["enable-event", "-u", "-c", "c", "lttng_ust_pthread:*"], ["start"]):
                subprocess.run(["lttng", *command], env=env, stdout=subprocess.DEVNULL, check=True)
            subprocess.run([self.micro, "lock", "1000000"], stdout=subprocess.DEVNULL, check=True,
                           env=dict(env, LD_PRELOAD=wrapper, LTTNG_UST_ALLOW_BLOCKING="1"))
            subprocess.run(["lttng", "destroy"], env=env, stdout=subprocess.DEVNULL, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            return self.missing("LTTng", f"cannot trace here: {error}")
        finally:
            daemon.terminate()
            daemon.wait(30)
        events = Ran(["babeltrace2", out], count=True).lines
        for what, options in (("text", []), ("decodes only", ["--output-format=dummy"])):
            self.beside(f"LTTng-UST, pthread wrapper ({what})", " ".join(["babeltrace2", *options]), events,
                        Ran(["babeltrace2", *options, out]))

    def perf(self):
        data = os.path.join(self.b.tmp, "perf.data")
        if not shutil.which("perf"):
            return self.missing("perf sched", "linux-perf is not installed")
        r = Ran(["perf", "sched", "record", "-q", "-m", "16M", "-o", data, self.micro, "pipe", "300000"])
        if r.status:
            return self.missing("perf sched", "cannot record here: " + r.err.strip().splitlines()[-1])
        events = Ran(["perf", "script", "-i", data], count=True).lines
        for command in ("perf script", "perf sched latency"):
            self.beside("perf sched record, pipe ping-pong", command, events, Ran([*command.split(), "-i", data]))

    def others(self, seed):
        self.say("\nOthers on this machine, on what they record themselves:\n")
        self.say("| trace | command | events | events/s | memory | bytes of memory an event |")
        self.say("| --- | --- | --- | --- | --- | --- |")
        millions = min(10, self.sizes[-1])
        path, events, slices, _ = self.trace(seed, millions)
        for command in ("blocks", "dump"):
            self.beside("ctrace, its events and slices", "ctrace-analyze " + command, events + slices,
                        self.run(command, path, 1))
        os.unlink(path)
        for other in (self.go, self.lttng, self.perf):
            try:
                other()
            except (OSError, subprocess.CalledProcessError, IndexError) as error:
                self.missing(other.__name__, f"failed: {error}")

    def exports(self, seed):
        text = subprocess.run([self.b.analyze, "export", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        formats = re.findall(r"^  (\w+)", text.partition("Formats:\n")[2].partition("\n\n")[0], re.M)
        sizes = [n for n in self.sizes if n <= 10]
        if not formats or not sizes:
            return
        self.table("Exports", seed, [(f"export --format {f} -o {self.b.tmp}/export", sizes[-1], False, False) for f in formats],
                   sizes)

    def cpu(self):
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            return re.search(r"model name\s*: (.*)", f.read()).group(1)

    def all(self, target):
        date = datetime.date.today().isoformat()
        self.say(f"Written by `scripts/bench analyzer` on {date}: {self.cpu()}, {os.cpu_count()} CPUs, Linux "
                 f"{platform.release()}, load {os.getloadavg()[0]:.1f}. Events a second of CPU time, both threads "
                 "together: what one core does. Growth: how much more time an event takes than with the trace before; 1 is linear.")
        scheduled, plain = self.seed("with-switches"), self.seed("without", "--sched", "off")
        self.table("Without context switches (a container that forbids them)", plain, COMMANDS)
        self.table("With context switches and wake-ups", scheduled, COMMANDS)
        self.second_thread(plain)
        self.second_thread(scheduled)
        self.exports(scheduled)
        self.others(scheduled)
        if target:
            write(target, "\n".join(self.lines), "analyzer")
