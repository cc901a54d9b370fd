"""The goals of issue 8 beside what the same run of scripts/bench measured, and what stands in the way. Part of scripts/bench."""
from bench_common import Part

# Why a goal that is not met is not met; where it was looked into at length, docs/performance.md has the text.
WHY = {
    "lock": "two calls through the PLT into wrappers and two through pointers out of them, the thread's state, a count: about 5 ns on a machine where native is 4",
    "malloc": "17 instructions a call beside the allocator's: the call out of the wrapper and back (1 ns, the limit above), the thread's slot, whether the family is on, a count, "
              "and two stores and a load by which rseq tells whether the thread left its CPU. Without the last, waits in the allocator would be invisible; the rest is a wrapper",
    "pipe": "each round is two waits. On one CPU a round of 3.5 us native takes 4.4 us with `--sched off` (two events with stacks, two WAKEs), 5.5 us with the kernel's records of "
            "context switches, 6.5 us with those of wake-ups (root only). With two idle CPUs the wake-up of a CPU hides it",
    "written": "by samples of the CPU: the wrapper 35 ns, of which two time stamps are 21; filling and publishing the event 20; the rest are lines of the ring that the collector's "
               "CPU read last",
    "written10": "as without stack; a stack is recognised by its return addresses, one load a frame: 12 ns for ten",
    "bytes": "what does not fit in deltas: two time stamps of a few bytes, context switches with each wait",
    "collector": "it wakes up on a clock, and decodes, encodes and compresses each event once",
    "macro": "what is left by kind of program: (1) those that call an allocator or free locks millions of times a second pay 3 to 5 ns a pair (sqlite: four pairs of locks and two of "
             "malloc a row of 1.1 us); (2) servers that wait for each request pay an event, two records of context switches (0.4 to 0.6 us each, the kernel's work) and, as root, "
             "a wake-up (0.6 us); (3) commands that start others by the hundred pay half a millisecond each, ones of half a second some 20 ms for start and end of `ctrace-run`; "
             "(4) the collector shares the two CPUs, here pinned to the server's own",
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
