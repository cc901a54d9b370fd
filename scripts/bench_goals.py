"""The goals of issue 8 beside what the same run of scripts/bench measured, and what stands in the way. Part of scripts/bench."""
from bench_common import Part

# Why a goal that is not met is not met; where it was looked into at length, docs/performance.md has the text.
WHY = {
    "lock": "two calls through the PLT into wrappers and two through pointers out of them, the thread's state, a count: about 5 ns on a machine where native is 4",
    "malloc": "as with locks; and the allocator's wrapper must know whether the thread left the CPU (rseq), which are two stores and a load a call",
    "pipe": "each of the two waits is written, and costs two context switches that the kernel records (0.3 us each), two wake-ups (1 us each, root only), time "
            "stamps and a stack; the collector needs one of two CPUs meanwhile. With `--sched off` it is a fraction",
    "written": "two time stamps alone are the limit above on this virtual machine; the rest is a ring's slot of a line and a half, the call's counters and rseq",
    "written10": "as without stack; a stack is recognised by its return addresses, one load a frame",
    "bytes": "what does not fit in deltas: two time stamps of a few bytes, context switches with each wait",
    "collector": "it wakes up on a clock, and decodes, encodes and compresses each event once",
    "macro": "programs that wait for every piece of work have an event, two context switches and a wake-up in each; short programs pay for start and end; the collector "
             "shares the CPUs, of which there are few",
    "blocks": "verifying and decompressing chunks is half of the work, and one thread does it",
}


class Goals(Part):
    def __init__(self, bench):
        super().__init__(bench, "goals")

    def goal(self, key, what, bound, value, form, unit=""):
        """value: None if that part was not run."""
        if value is None:
            self.row(what, f"{bound}{unit}", "not measured in this run", "", "")
            return
        met = value >= bound if key == "blocks" else value <= bound
        self.row(what, f"{bound}{unit}", f"{value:{form}}{unit}", "yes" if met else "no", "" if met else WHY[key])

    def all(self, target):
        r = self.b.results

        def of(name, key="added"):
            return r[name][key] if name in r else None
        self.head("Medians of the tables below and above, of the same run.")
        self.table("goal", "bound", "measured", "met", "what stands in the way")
        self.goal("lock", "lock + unlock, free: added", 5, of("lock"), ".1f", " ns")
        self.goal("malloc", "malloc + free: added", 3, of("malloc"), ".1f", " ns")
        pipe = of("pipe", "ratio")
        self.goal("pipe", "pipe ping-pong: added", 1, pipe and (pipe - 1) * 100, ".0f", " %")
        self.goal("written", "written event without stack", 40, of("written"), ".0f", " ns")
        self.goal("written10", "written event, stack of 10 frames", 120, of("written10"), ".0f", " ns")
        self.goal("bytes", "an event on disk: pipe ping-pong", 4, r.get("bytes, pipe ping-pong, no context switches"), ".2f", " bytes")
        self.goal("bytes", "the same with its context switches", 4, r.get("bytes, pipe ping-pong"), ".2f", " bytes")
        collector = r.get("collector")
        self.goal("collector", "collector at 100,000 events a second", 3, collector and collector["at 100k"], ".1f", " % of a core")
        macro = r.get("macro")
        slow = {k: (1 / v[0] - 1) * 100 for k, v in macro.items()} if macro else {}
        cpu = {k: (v[1] - 1) * 100 for k, v in macro.items()} if macro else {}
        for of_what, found in (("time", slow), ("CPU", cpu)):
            ordered = sorted(found.items(), key=lambda x: x[1])
            worst = f" (the worst: {ordered[-1][0]})" if ordered else ""
            self.goal("macro", f"real programs, {of_what} added: the median", 1, ordered[len(ordered) // 2][1] if ordered else None, ".1f", " %")
            self.goal("macro", f"real programs, {of_what} added: the worst{worst}", 3, ordered[-1][1] if ordered else None, ".1f", " %")
            if ordered:
                self.row(f"programs within 3 % of {of_what}", "all", f"{sum(v <= 3 for v in found.values())} of {len(found)}", "", "")
        self.goal("blocks", "`blocks`, million events a second with two threads", 50, r.get("blocks, events"), ".1f")
        self.write(target)
