"""How the cost grows: with the rate of events, threads, processes and events. Part of scripts/bench.

All work is calls that would not be written with the default --min: with --min 0 each is an event with a stack.
"""
import os
import statistics
import subprocess
import time

from bench_common import Ended, Part, alternate, quartiles
from bench_svg import plot

EVERY = ["--min", "0"]
WORK = (300000, 100000, 30000, 10000, 3000, 1000, 300, 100, 0)   # turns of a loop between two events
THREADS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
PROCESSES = (1, 2, 5, 10, 20, 50, 100, 200)
EVENTS = (10000, 100000, 1000000, 10000000)


class Plots(Part):
    def __init__(self, bench):
        super().__init__(bench, "plots")
        self.pairs = 3 if bench.quick else 5

    def once(self, traced, operation, n, many):
        """Nanoseconds an operation: time, CPU time of the program, CPU time of it and the collector."""
        prefix = self.b.traced(*EVERY) if traced else []
        e = Ended([*prefix, os.path.join(self.b.build, "tests/bench/bench-micro"), operation, str(n), str(many)])
        if e.status:
            raise OSError(f"{operation} {many}: status {e.status}: {e.err[-200:]}")
        wall, cpu = map(float, e.out.split())
        return wall, cpu, e.cpu * 1e9 / n, e.wall

    def lost(self):
        trace = self.b.stats()["trace"]
        return trace["lost_events"], trace["lost_events"] + trace["events"]

    def rate(self, folder):
        time_line, all_line, rows = [], [], []
        # What starting and ending costs is not the rate's.
        ends = statistics.median(e[2] - e[1] for e in (self.once(True, "rate", 1, 0) for _ in range(self.pairs))) \
            - statistics.median(e[2] - e[1] for e in (self.once(False, "rate", 1, 0) for _ in range(self.pairs)))
        for work in WORK:
            n = int(min(2000000, max(2000, 2e9 / (work + 600))) / (4 if self.b.quick else 1))
            runs = alternate(lambda: self.once(False, "rate", n, work), lambda: self.once(True, "rate", n, work), self.pairs)
            lost, events = self.lost()
            per_second = 1e9 / statistics.median(b[0] for _, b in runs)
            share = quartiles([(b[0] / a[0] - 1) * 100 for a, b in runs])
            collector = [max(0, (b[2] - b[1]) - (a[2] - a[1]) - ends / n) * per_second / 1e7 for a, b in runs]
            whole = quartiles([c + (b[1] / a[1] - 1) * 100 for c, (a, b) in zip(collector, runs)])
            time_line.append((per_second, *share))
            all_line.append((per_second, *whole))
            rows.append((per_second, share, statistics.median(collector), lost, events))
        plot(os.path.join(folder, "perf-rate.svg"), "Overhead against the rate of events, each written with its stack", "events a second",
             "% added", [("time of the program", time_line), ("CPU time, with the collector", all_line)])
        self.say("![Overhead against the rate of events](img/perf-rate.svg)\n")
        self.table("events a second", "time added, %", "collector, % of a CPU", "lost")
        for per_second, share, collector, lost, events in rows:
            self.row(f"{per_second:,.0f}", f"{share[1]:.1f} ({share[0]:.1f} .. {share[2]:.1f})", f"{collector:.1f}", f"{lost} of {events}")
        # At 100,000 a second: between the two nearest.
        near = sorted(rows, key=lambda r: abs(r[0] - 100000))[0]
        self.b.results["collector"] = {"rate": near[0], "share": near[2], "at 100k": near[2] * 100000 / near[0]}
        self.say()

    def growth(self, folder, name, what, counts, n):
        time_line, cpu_line, rows = [], [], []
        for many in counts:
            runs = alternate(lambda: self.once(False, f"many-{name}", n, many), lambda: self.once(True, f"many-{name}", n, many), self.pairs)
            lost, events = self.lost()
            added = quartiles([b[0] - a[0] for a, b in runs])
            cpu = quartiles([b[2] - a[2] for a, b in runs])
            time_line.append((many, *added))
            cpu_line.append((many, *cpu))
            rows.append((many, added, cpu, os.path.getsize(self.b.trace) / max(events, 1), lost))
        plot(os.path.join(folder, f"perf-{name}.svg"), f"{n:,} written events of 1 to {counts[-1]:,} {what} at once", what, "ns added an event",
             [("time", time_line), ("CPU time of all, with start, end and the collector", cpu_line)])
        self.say(f"![Growth with {what}](img/perf-{name}.svg)\n")
        self.table(what, "time added an event, ns", "CPU time added an event, ns", "bytes an event", "lost")
        for many, added, cpu, size, lost in rows:
            self.row(many, f"{added[1]:.0f} ({added[0]:.0f} .. {added[2]:.0f})", f"{cpu[1]:.0f} ({cpu[0]:.0f} .. {cpu[2]:.0f})", f"{size:.2f}", lost)
        self.say()

    def events(self, folder):
        lines, rows = {"added to the program": [], "CPU time of all": [], "ctrace-analyze blocks": []}, []
        for n in EVENTS[:3] if self.b.quick else EVENTS:
            pairs = self.pairs if n < 10000000 else 3
            runs = alternate(lambda: self.once(False, "poll10", n, 1), lambda: self.once(True, "poll10", n, 1), pairs)
            lost, events = self.lost()
            reading = []
            for _ in range(pairs):
                begin = time.monotonic()
                subprocess.run([self.b.analyze, "blocks", "--json", self.b.trace], stdout=subprocess.DEVNULL, check=True)
                reading.append((time.monotonic() - begin) * 1e9 / n)
            found = [quartiles([b[0] - a[0] for a, b in runs]), quartiles([b[2] - a[2] for a, b in runs]), quartiles(reading)]
            for line, q in zip(lines.values(), found):
                line.append((n, *(max(v, 0.1) for v in q)))
            rows.append((n, *(f"{q[1]:.0f} ({q[0]:.0f} .. {q[2]:.0f})" for q in found), f"{os.path.getsize(self.b.trace) / max(events, 1):.2f}", lost))
        plot(os.path.join(folder, "perf-events.svg"), "Cost of an event against their number", "events in the trace", "ns an event", list(lines.items()), logy=True)
        self.say("![Cost of an event against their number](img/perf-events.svg)\n")
        self.table("events", "time added, ns", "CPU time of all, ns", "`blocks`, ns", "bytes an event", "lost")
        for n, *rest in rows:
            self.row(f"{n:,}", *rest)

    def all(self, target):
        folder = os.path.join(os.path.dirname(os.path.abspath(target)), "img") if target else self.b.tmp
        os.makedirs(folder, exist_ok=True)
        self.head(f"{self.pairs} pairs a point, median (quartiles). Every event is a call that does not wait, written because of `--min 0`.")
        self.rate(folder)
        self.growth(folder, "threads", "threads", THREADS, 100000 if self.b.quick else 500000)
        self.growth(folder, "processes", "processes", PROCESSES, 100000 if self.b.quick else 500000)
        self.events(folder)
        self.write(target)
