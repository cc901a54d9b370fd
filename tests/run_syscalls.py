#!/usr/bin/python3
"""What does not block costs no system call: strace counts those of a program untraced and traced.

usage: run_syscalls.py BUILD [NAME...]

tests/programs/quick.c does one thing N times that never waits. Run for N and for 2N, what N turns cost is
the difference, so that what happens once at the start does not count. It must be the same for every
system call, with ctrace as without it.

strace stops a program in each call that it counts, and a call in which the thread stopped is a wait, which
ctrace rightly looks at. So the calls that the program itself makes each turn are left alone by strace
(--seccomp-bpf): they run at full speed, and what is counted is all other calls.
"""
import re
import shutil

from harness import PRELOAD, PROGRAMS, Failure, Skip, Tests, must, read_trace, run, traced, wait_complete

QUICK = PROGRAMS / "quick"
TURNS = 2000
# A turn in which the thread lost its CPU is a wait, and written, with what it waited for.
SLACK = 60

CASES = """
mutex mutex-recursive mutex-trylock mutex-timedlock rwlock spin cond-signal sem once c11-mutex
malloc malloc-large realloc
read-pipe write-pipe read-file pread readv send-recv poll poll-timeout select epoll eventfd
open-close fcntl flock lseek fsync-none stat
fgets fputs fread printf getpid clock sigprocmask longjmp sched-yield futex-wake
thread
""".split()

# What a new thread costs: its number and name when it starts, its time on the CPU when it ends.
ALLOWED = {"thread": {"gettid": 1, "prctl": 1, "clock_gettime": 1}}


def counts(where, traced_, case, turns, own=()):
    """{system call: how often}, of the program without its own calls."""
    out, trace = where / f"{turns}.txt", where / f"{turns}.bin"
    argv = ["strace", "-f", "-c", "-U", "name,calls", "-o", out]
    if own:
        argv += ["--seccomp-bpf", "-e", "trace=!" + ",".join(own)]
    if traced_:
        # The collector is not the program's child, and strace itself is not traced.
        argv = traced(trace, ["/usr/bin/env", "-u", "LD_PRELOAD", *argv, "-E", f"LD_PRELOAD={PRELOAD}"])
    ended = run([*argv, QUICK, case, turns], cwd=where, timeout=120)
    must(ended.status == 0 and not ended.err, f"{ended}")
    found = dict(re.findall(r"^\s*([a-z]\w*)\s+(\d+)\s*$", out.read_text() if out.exists() else "", re.M))
    if traced_:
        wait_complete(trace)
        must(read_trace.Trace(trace).records["PROCESS_START"], "the program was not traced")
    return {name: int(n) for name, n in found.items() if name not in ("syscall", "total")}


def growth(where, traced_, case, own=()):
    one, two = counts(where, traced_, case, TURNS, own), counts(where, traced_, case, 2 * TURNS, own)
    return {name: two.get(name, 0) - one.get(name, 0) for name in {*one, *two}}


def case_of(case):
    def test(where):
        own = sorted(name for name, n in growth(where, False, case).items() if n >= TURNS // 200)
        allowed = ALLOWED.get(case, {})
        for _ in range(3):
            found = growth(where, True, case, own)
            more = {name: n for name, n in found.items() if abs(n - TURNS * allowed.get(name, 0)) > SLACK}
            if not more:
                return
        raise Failure(f"{TURNS} more turns make these calls of ours: {more}; its own: {' '.join(own) or 'none'}")
    return test


tests = Tests()
if not shutil.which("strace"):
    tests.run("strace", lambda where: (_ for _ in ()).throw(Skip("strace is not installed")))
else:
    for name in CASES:
        tests.run(name, case_of(name))
tests.finish()
