"""One operation in a loop, native and traced in turn; and what no tracer could be faster than. Part of scripts/bench."""
import os
import statistics
import subprocess

from bench_common import Part, alternate, spread

# Name in the results, what it is, operation of bench-micro, how often, options of ctrace-run.
EVERY = ["--min", "0"]
ROWS = [
    ("lock", "lock + unlock, free", "lock", 20000000, []),
    ("contended", "lock of 4 threads, empty inside", "contended4", 2000000, []),
    ("contended-1us", "lock of 4 threads, held for 1 us", "contended4-long", 200000, []),
    ("contended-work", "lock of 4 threads, some work inside, more between", "contended4-work", 1000000, []),
    ("cond", "condition, ping-pong of two threads (two waits)", "cond", 40000, []),
    ("pipe", "pipe, ping-pong of one byte (two waits)", "pipe", 40000, []),
    ("poll", "poll that is ready: counted", "poll", 2000000, []),
    ("read", "read of one byte that is there: counted", "read", 2000000, []),
    ("malloc", "malloc + free of 64 bytes, one thread", "malloc", 10000000, []),
    ("malloc4", "malloc in two threads, free in two others", "malloc4", 4000000, []),
    ("written", "written event, without stack", "poll5", 100000, ["--min", "0", "--stacks", "off"]),
    ("written5", "written event, stack of 5 frames", "poll5", 100000, EVERY),
    ("written10", "written event, stack of 10 frames", "poll10", 100000, EVERY),
    ("written20", "written event, stack of 20 frames", "poll20", 100000, EVERY),
    ("written60", "written event, stack of 60 frames", "poll60", 100000, EVERY),
    ("thread", "thread, created, ended and joined", "threads", 10000, []),
    ("fork", "process: fork, exit, wait", "forks", 1000, []),
    ("process", "process: posix_spawn of /bin/true, wait", "processes", 300, []),
]

LIMITS = [("limit-tsc", "two time stamps"), ("limit-line", "a cache line written, in a ring of 1 MB"),
          ("limit-indirect", "an indirect call"), ("limit-all", "all three in one loop")]

# Which parts a row of the table above cannot do without.
BOUNDS = [("lock", "limit-indirect x 2"), ("malloc", "limit-indirect x 2"), ("poll", "limit-indirect"), ("read", "limit-indirect"),
          ("written", "limit-all"), ("written5", "limit-all"), ("written10", "limit-all"), ("written20", "limit-all"), ("written60", "limit-all")]


class Micro(Part):
    def __init__(self, bench):
        super().__init__(bench, "micro")

    def once(self, operation, n, options, many=None):
        """Nanoseconds an operation: of time, and of CPU time of the program."""
        command = [os.path.join(self.b.build, "tests/bench/bench-micro"), operation, str(n)]
        if many is not None:
            command.append(str(many))
        if options is not None:
            command = self.b.traced(*options) + command
        return [float(x) for x in subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.split()]

    def lost(self, name):
        """What is lost costs less than what is written: of the last run."""
        if not name.startswith("written"):
            return ""
        trace = self.b.stats()["trace"]
        return f"{trace['lost_events']} of {trace['lost_events'] + trace['events']}"

    def all(self, target, only=None):
        shrink = 5 if self.b.quick else 1
        pairs = self.b.pairs if self.b.quick else self.b.pairs * 2
        self.head(f"{pairs} pairs; median (quartiles). Added: the difference within a pair, time and CPU time of the program "
                  "(of the threads that run at once, together); ratio: of the times within a pair.")
        self.table("operation", "native, ns", "added, ns", "ratio", "CPU added, ns", "lost")
        for name, title, operation, n, options in ROWS:
            if only and name not in only:
                continue
            runs = alternate(lambda: self.once(operation, max(n // shrink, 100), None),
                             lambda: self.once(operation, max(n // shrink, 100), options), pairs)
            added, ratio = [b[0] - a[0] for a, b in runs], [b[0] / a[0] for a, b in runs]
            self.b.results[name] = {"native": statistics.median(a[0] for a, _ in runs), "added": statistics.median(added),
                                    "ratio": statistics.median(ratio), "cpu_added": statistics.median(b[1] - a[1] for a, b in runs)}
            self.row(title, spread([a[0] for a, _ in runs], ".1f"), spread(added, ".1f"), spread(ratio, ".3f"),
                     spread([b[1] - a[1] for a, b in runs], ".1f"), self.lost(name))
        if not only:
            self.limits(pairs)
        self.write(target)

    def limits(self, pairs):
        runs = {name: [] for name, _ in LIMITS}
        for _ in range(pairs):
            loop = self.once("limit-nothing", 10000000, None)[0]
            for name in runs:
                runs[name].append(self.once(name, 10000000, None)[0] - loop)
        self.say("\nThe physical limit, measured in the same run (`tests/bench/limits.c`), the loop itself taken off:\n")
        self.table("part", "ns")
        for name, title in LIMITS:
            self.b.results[name] = {"native": statistics.median(runs[name])}
            self.row(title, spread(runs[name], ".2f"))
        self.say("\nHow far from it: a call that is counted needs the indirect call to the real function (a pair of calls two of them); "
                 "an event that is written needs all three.\n")
        self.table("operation", "added, ns", "limit, ns", "above the limit, ns", "times the limit")
        titles = {name: title for name, title, *_ in ROWS}
        for name, bound in BOUNDS:
            part, _, times = bound.partition(" x ")
            limit, added = self.b.results[part]["native"] * int(times or 1), self.b.results[name]["added"]
            self.b.results[name]["limit"] = limit
            self.row(titles[name], f"{added:.1f}", f"{limit:.1f}", f"{added - limit:.1f}", f"{added / limit:.1f}")
