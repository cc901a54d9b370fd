"""An independent measure of waits: when the kernel took each thread off its CPU, and in which system call.

One bpftrace for the whole run writes a line for each time that a thread of this process's descendants
did not run because it waited. It needs root; without it there is no cross-check, and the table says so.
"""
import bisect
import os
import re
import shutil
import signal
import subprocess
import time
from collections import defaultdict

# orig_ax of the registers that the kernel saved at the foot of the thread's kernel stack is the system
# call's number; -1 is a page fault or another exception. ip is where in the program that was.
# A thread that was preempted has bit 0x100 in its state, or none: it is ready and does not wait.
PROBE = r"""
BEGIN { @in[$1] = 1; printf("ready\n"); }
tracepoint:sched:sched_process_fork /@in[args->parent_pid]/ { @in[args->child_pid] = 1; }
tracepoint:sched:sched_process_exit { delete(@in[tid]); }
tracepoint:sched:sched_wakeup /@off[args->pid]/ { if (@wake[args->pid] == 0) { @wake[args->pid] = nsecs; } }
tracepoint:sched:sched_switch {
  if (@in[args->prev_pid] && args->prev_state != 0 && (args->prev_state & 0x100) == 0) {
    $t = (struct task_struct *)curtask;
    $r = (struct pt_regs *)((uint64)$t->stack + 16384 - sizeof(struct pt_regs));
    @off[args->prev_pid] = nsecs;
    @wake[args->prev_pid] = (uint64)0;
    @nr[args->prev_pid] = (int64)$r->orig_ax;
    @ip[args->prev_pid] = $r->ip;
  }
  if (@off[args->next_pid]) {
    printf("%d %lld %lld %lld %d %llx\n", args->next_pid, @off[args->next_pid], @wake[args->next_pid], nsecs,
           @nr[args->next_pid], @ip[args->next_pid]);
    delete(@off[args->next_pid]); delete(@wake[args->next_pid]);
    delete(@nr[args->next_pid]); delete(@ip[args->next_pid]);
  }
}
END { clear(@in); clear(@off); clear(@wake); clear(@nr); clear(@ip); }
"""


class Probe:
    """Slices off the CPU of what is started while it runs. why_not says why there are none."""

    def __init__(self, where):
        self.process, self.why_not, self.load = None, None, os.getloadavg()[0]
        if os.geteuid():
            self.why_not = "not root"
        elif not shutil.which("bpftrace"):
            self.why_not = "bpftrace is not installed"
        if self.why_not:
            return
        (where / "offcpu.bt").write_text(PROBE)
        self.path = where / "offcpu.out"
        self.out = open(self.path, "wb")
        env = {**os.environ, "BPFTRACE_MAP_KEYS_MAX": "65536", "BPFTRACE_PERF_RB_PAGES": "2048"}
        self.process = subprocess.Popen(["bpftrace", "-B", "line", where / "offcpu.bt", str(os.getpid())], env=env,
                                        stdout=self.out, stderr=subprocess.STDOUT, start_new_session=True)
        until = time.monotonic() + 20
        while b"ready\n" not in self.path.read_bytes():
            if self.process.poll() is not None or time.monotonic() > until:
                lines = self.path.read_text(errors="replace").splitlines() or ["no answer"]
                self.why_not = f"bpftrace: {lines[-1]}"
                self.stop()
                return
            time.sleep(0.05)

    def mark(self):
        return self.path.stat().st_size if self.process else 0

    def slices(self, mark):
        """(lost, {tid: [(off, woken, number of the system call, address)]}) since the mark."""
        found, lost = defaultdict(list), 0
        if not self.process:
            return lost, found
        # This thread sleeps too: once its newest sleep stands there, so does all before it.
        now, until, data = time.monotonic_ns(), time.monotonic() + 10, b""
        own = b"\n%d " % os.getpid()
        while time.monotonic() < until:
            time.sleep(0.05)
            with open(self.path, "rb") as f:
                f.seek(mark)
                data = f.read()
            last = data.rfind(own)
            if last >= 0 and len(fields := data[last + 1:].split(b"\n", 1)[0].split()) == 6 and int(fields[1]) > now:
                break
        for line in data.splitlines():
            fields = line.split()
            if len(fields) == 6 and fields[0].isdigit():
                tid, off, wake, on, nr = (int(x) for x in fields[:5])
                found[tid].append((off, wake or on, nr, int(fields[5], 16)))
            elif line.startswith(b"Lost "):
                lost += int(fields[1])
        return lost, found

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None


def system_calls():
    names = {}
    for path in ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"):
        if os.path.exists(path):
            names = {int(n): name for name, n in re.findall(r"#define __NR_(\w+) (\d+)", open(path, encoding="utf-8").read())}
            break
    return {**names, -1: "page fault"}


def union(intervals):
    """Sorted, without overlap: (starts, ends)."""
    starts, ends = [], []
    for start, end in sorted(intervals):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


def overlap(covered, start, end):
    starts, ends = covered
    total, i = 0, max(bisect.bisect_right(starts, start) - 1, 0)
    while i < len(starts) and starts[i] < end:
        total += max(min(end, ends[i]) - max(start, starts[i]), 0)
        i += 1
    return total


class Symbols:
    """Names of addresses, from the modules in the trace."""

    def __init__(self, modules):
        self.modules = modules  # of a process: [(start, end, bias, path)]

    def name(self, process, address):
        for start, end, bias, path in self.modules.get(process, []):
            if start <= address < end:
                found = self.look_up(path, address - bias)
                return found if found else f"{os.path.basename(path)}+{address - bias:#x}"
        return ""

    @staticmethod
    def look_up(path, address):
        """From debug files if there are some (libc6-dbg), else from what the module exports."""
        debug = None
        notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=False).stdout
        if build := re.search(r"Build ID: (\w\w)(\w+)", notes):
            debug = f"/usr/lib/debug/.build-id/{build[1]}/{build[2]}.debug"
        best = (0, None)
        for file, options in ((debug, []), (path, []), (path, ["-D"])):
            if not file or not os.path.exists(file):
                continue
            out = subprocess.run(["nm", "-C", "--defined-only", *options, file], capture_output=True, text=True, check=False).stdout
            for m in re.finditer(r"^(\w+) [tTwWi] (.*)$", out, re.M):
                if best[0] < int(m[1], 16) <= address:
                    best = (int(m[1], 16), m[2])
            if best[1]:
                return re.sub(r"^__GI_|@.*", "", best[1])
        return None


class Coverage:
    """How much of what the kernel saw falls into the intervals of a trace."""

    def __init__(self, dumped, slices):
        """dumped: the lines of dump --json, parsed."""
        intervals, lives, modules = defaultdict(list), {}, defaultdict(list)
        self.threads, self.outside_ns = [], 0
        for d in dumped:
            if d.get("event") == "interval":
                intervals[d["tid"]].append((d["start_ns"], d["start_ns"] + d["duration_ns"]))
            elif d.get("record") == "THREAD_START":
                lives[d["thread"]] = {"tid": d["tid"], "process": d["process"], "name": d["name"], "start": d["start_ns"], "end": None}
            elif d.get("record") == "THREAD_NAME" and d["thread"] in lives:
                lives[d["thread"]]["name"] = d["name"]
            elif d.get("record") == "THREAD_END" and d["thread"] in lives:
                lives[d["thread"]]["end"] = d["end_ns"]
            elif d.get("record") == "MODULE":
                modules[d["process"]].append((d["start"], d["end"], d["bias"], d["path"]))
        self.symbols = Symbols(modules)
        self.off_ns = self.covered_ns = 0
        self.holes = defaultdict(int)
        covered = {tid: union(of) for tid, of in intervals.items()}
        by_tid = defaultdict(list)
        for life in lives.values():
            by_tid[life["tid"]].append(life)
        for tid, of in by_tid.items():
            for off, wake, nr, ip in slices.get(tid, []):
                life = next((x for x in of if x["start"] <= off and (x["end"] is None or off < x["end"])), None)
                if not life:
                    self.outside_ns += wake - off
                    continue
                seen = overlap(covered.get(tid, ([], [])), off, wake)
                life["off"] = life.get("off", 0) + wake - off
                life["seen"] = life.get("seen", 0) + seen
                self.off_ns += wake - off
                self.covered_ns += seen
                if wake - off > seen:
                    self.holes[life["name"], nr, life["process"], ip] += wake - off - seen
        self.threads = [x for x in lives.values() if x.get("off")]

    def share(self):
        return self.covered_ns / self.off_ns if self.off_ns else None

    def largest(self, n):
        """[(ns, thread, system call, function)], the same function in several processes added up."""
        names, found = system_calls(), defaultdict(int)
        biggest = sorted(self.holes.items(), key=lambda x: -x[1])
        for i, ((thread, nr, process, ip), ns) in enumerate(biggest):
            # A page fault may be anywhere; past the biggest few the names cost more than they say.
            function = "" if nr == -1 or i > 40 else self.symbols.name(process, ip)
            found[thread, names.get(nr, str(nr)), function] += ns
        return [(ns, *key) for key, ns in sorted(found.items(), key=lambda x: -x[1])[:n]]
