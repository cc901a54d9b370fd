"""How long `serve` takes: to read a trace, and to answer each request of the page. Part of scripts/bench.

The traces are those of bench_analyzer.py. Every request is measured as the page sees it: from the connection to
the last byte. Cold: the trace is not in the page cache.
"""
import concurrent.futures
import datetime
import http.client
import json
import os
import platform
import random
import re
import struct
import statistics
import subprocess
import time

import bench_analyzer
from bench_common import write

ZOOMS = (1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0001, 0.00001)
WIDTHS = (1000, 2000, 4000)
LANES = 40                # what a window shows
WINDOWS = 5               # of each zoom
GROWTH = 100000           # events a second


class Server:
    def __init__(self, analyze, trace):
        self.begin = time.monotonic()
        self.process = subprocess.Popen([analyze, "serve", "--no-open", trace], stdout=subprocess.PIPE, text=True)
        self.port, self.token = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/(\w+)/\n", self.process.stdout.readline()).groups()
        self.up = time.monotonic() - self.begin

    def get(self, path, timeout=600):
        """Milliseconds and the body."""
        begin = time.monotonic()
        c = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=timeout)
        c.request("GET", f"/{self.token}/{path}")
        answer = c.getresponse()
        body = answer.read()
        c.close()
        if answer.status != 200:
            raise OSError(f"{path}: {answer.status} {body[:100]}")
        return (time.monotonic() - begin) * 1000, body

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def answering(self):
        """CPU time of the thread that answers, in ms."""
        with open(f"/proc/{self.process.pid}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0]) / 1e6

    def memory(self, what="VmRSS"):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(what + r":\s+(\d+)", f.read())[1]) / 1024

    def end(self):
        self.process.terminate()
        self.process.wait()


def windows(duration, zoom, seed):
    r = random.Random(seed)
    return [(a := int(r.random() * (1 - zoom) * duration), a + max(1, int(zoom * duration))) for _ in range(WINDOWS)]


class Serve:
    def __init__(self, bench, sizes, minutes):
        self.b, self.sizes, self.minutes = bench, sizes, minutes
        self.analyzer = bench_analyzer.Analyzer(bench, sizes, 1, 0)
        self.lines = []

    def say(self, line=""):
        print(line, flush=True)
        self.lines.append(line)

    # --- pictures ---

    def picture(self, s, window, width, lanes):
        """What the page asks for when it moves: the lanes, then all threads together."""
        at = f"from={window[0]}&to={window[1]}&pieces="
        return s.get(f"api/lanes?{at}{width}&lanes={lanes}")[0], s.get(f"api/load?{at}{min(2000, width)}")[0]

    def zooms(self, s, trace, duration, lanes):
        self.say("\n| window | " + " | ".join(f"{w} wide: lanes | load" for w in WIDTHS) + " | cold, 2000 wide: lanes | CPU time of both, 2000 wide |")
        self.say("| --- |" + " --- | --- |" * len(WIDTHS) + " --- | --- |")
        fd = os.open(trace, os.O_RDONLY)
        for zoom in ZOOMS:
            cells = []
            for width in WIDTHS:
                both = list(zip(*(self.picture(s, w, width, lanes) for w in windows(duration, zoom, width))))
                cells += [f"{statistics.median(x):.0f} ({max(x):.0f})" for x in both]
            begin = s.answering()
            for w in windows(duration, zoom, 2000):
                self.picture(s, w, 2000, lanes)
            cpu = (s.answering() - begin) / WINDOWS
            cold = []
            for w in windows(duration, zoom, 7):
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                cold.append(self.picture(s, w, 2000, lanes)[0])
            self.say(f"| {zoom * 100:g} % | " + " | ".join(cells) + f" | {statistics.median(cold):.0f} ({max(cold):.0f}) | {cpu:.1f} |")
        os.close(fd)

    def clicks(self, s, duration, lanes):
        """Milliseconds that it takes to tell of a wait."""
        found, took = [], []
        for zoom in (1, 0.1, 0.01, 0.001):
            for window in windows(duration, zoom, 3):
                body = s.get(f"api/lanes?from={window[0]}&to={window[1]}&pieces=1000&lanes={lanes}")[1]
                head = json.loads(body[4:4 + struct.unpack_from("<I", body)[0]])
                found += [(n["lane"], *n["bars"][i:i + 2]) for n in head["lanes"] for i in range(0, len(n["bars"]), 4)]
        for lane, start, length in random.Random(5).sample(found, min(20, len(found))):
            try:
                took.append(s.get(f"api/wait?lane={lane}&start={max(0, start)}&end={min(duration, start + length)}")[0])
            except OSError:
                pass  # what did not leave the CPU is no wait
        return took

    def together(self, s, duration, lanes, clients):
        """Pictures of so many windows at once."""
        def one(i):
            return sum(self.picture(s, windows(duration, random.Random(i).choice(ZOOMS), i)[0], 1500, lanes))
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            took = sorted(pool.map(one, range(20 * clients)))
        return statistics.median(took), took[len(took) * 95 // 100], took[-1]

    def table(self, trace, events, slices, size):
        s = Server(self.b.analyze, trace)
        try:
            first, body = s.get("api/trace")
            read, cpu = time.monotonic() - s.begin, s.cpu()
            told = json.loads(body)
            duration, count = told["trace"]["duration_ns"], len(told["lanes"])
            lanes = ",".join(map(str, range(min(LANES, count))))
            opened = sum((s.get("")[0], s.get("app.js")[0], s.get("api/trace")[0], *self.picture(s, (0, duration), 1500, lanes)))
            self.say(f"\n{events / 1e6:.1f} million events and {slices / 1e6:.1f} million slices of {count} threads in {duration / 1e9:.0f} s, {size / 1e6:.0f} MB: "
                     f"the address after {s.up * 1000:.0f} ms; read and drawn after {read:.1f} s ({cpu:.1f} s of CPU time); then page, trace and first picture in {opened:.0f} ms.")
            self.zooms(s, trace, duration, lanes)
            took = self.clicks(s, duration, lanes)
            self.say(f"\nA click on a wait: {statistics.median(took):.0f} ms ({max(took):.0f}). Both requests of a picture, 1500 wide, of any zoom: " +
                     "; ".join(f"{n} at once {m:.0f} ms (95 %: {p:.0f}, {worst:.0f})" for n in (1, 2, 10) for m, p, worst in [self.together(s, duration, lanes, n)]) +
                     f". Memory: {s.memory():.0f} MB, at most {s.memory('VmHWM'):.0f} MB.")
        finally:
            s.end()

    # --- a trace that grows ---

    def growing(self, trace, events, size):
        path = os.path.join(self.b.tmp, "growing.bin")
        rate = size * GROWTH / events
        begin, rows, written = time.monotonic(), [], 0
        with open(trace, "rb") as source, open(path, "wb", buffering=0) as to:
            written += to.write(source.read(int(rate * 5)))
            s = Server(self.b.analyze, path)
            try:
                generation, took, lag, next_row, spent = 0, [], [], 30, 0
                while (now := time.monotonic() - begin) < self.minutes * 60 and written < size * 0.95:
                    written += to.write(source.read(max(0, int(rate * (now + 5)) - written)))
                    ms, body = s.get("api/trace")
                    told = json.loads(body)
                    generation, duration = told["generation"], told["trace"]["duration_ns"]
                    lag.append((written - told["trace"]["file_bytes"]) / rate)
                    lanes = ",".join(map(str, range(min(LANES, len(told["lanes"])))))
                    took += [ms, *self.picture(s, (0, duration), 1500, lanes), *self.picture(s, (int(duration * 0.98), duration), 1500, lanes)]
                    if now > next_row:
                        cpu = s.cpu()
                        rows.append(f"| {now:.0f} s | {written / rate * GROWTH / 1e6:.1f} M | {statistics.median(took):.0f} ({max(took):.0f}) | {max(lag):.1f} s | "
                                    f"{(cpu - spent) / 30 * 100:.0f} % | {s.memory():.0f} MB |")
                        took, lag, next_row, spent = [], [], next_row + 30, cpu
                    time.sleep(0.5)
            finally:
                s.end()
        os.unlink(path)
        self.say(f"\nA trace that grows by {GROWTH} events a second, followed by a page that asks twice a second ({generation} readings):\n")
        self.say("| after | events | a request, ms (the longest) | what is shown is old by at most | of a CPU | memory |")
        self.say("| --- | --- | --- | --- | --- | --- |")
        for row in rows:
            self.say(row)

    def all(self, target):
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            cpu = re.search(r"model name\s*: (.*)", f.read()).group(1)
        self.say(f"Written by `scripts/bench serve` on {datetime.date.today().isoformat()}: {cpu}, {os.cpu_count()} CPUs, Linux {platform.release()}, "
                 f"load {os.getloadavg()[0]:.1f}. Milliseconds, median (largest) of {WINDOWS} windows, {LANES} lanes.")
        seed = self.analyzer.seed("serve-seed")
        for n in self.sizes:
            trace, events, slices, size = self.analyzer.trace(seed, n)
            self.table(trace, events, slices, size)
            if n == self.sizes[-1] and self.minutes:
                self.growing(trace, events, size)
            os.unlink(trace)
        if target:
            write(target, "\n".join(self.lines), "serve")
