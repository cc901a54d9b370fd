#!/usr/bin/python3
"""Nothing changes: programs that do odd things, in odd surroundings, and in odd company, untraced and traced.

usage: run_transparent.py BUILD [NAME...]

Each runs untraced, with ctrace-run, and with LD_PRELOAD alone, and has to print the same and to end in the
same way. Where ctrace cannot trace in such surroundings, it may say so, in one line on stderr that
begins with "ctrace" (says). CTRACE_TEST_SLOW=1 adds what takes minutes.
"""
import os
import re
import signal
import time
from pathlib import Path

from harness import ANALYZE, PRELOAD, PROGRAMS, Failure, Skip, Tests, must, preloaded, read_trace, run, short, traced, wait_complete

ODD = PROGRAMS / "odd"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"

# name, command line, and what is not ordinary:
#   through   a condition from through.c, which the tracer meets, too
#   root      needs root
#   says      what ctrace may say instead of tracing (a regular expression); never more than a line for each process
#   beside    libraries that are preloaded, traced or not: before us, or after (the value: "before", "after")
#   ways      of "run" and "preload", which are tried
#   timeout   in seconds
#   refused   ctrace-run cannot do its work there: it says so (a regular expression), ends with 125, and runs nothing
#   slow      only with CTRACE_TEST_SLOW
#   untraced  no trace is expected
CASES = [
    ("destructors", [ODD, "destructors"], {}),
    ("atfork", [ODD, "atfork"], {}),
    ("fork while others hold locks", [ODD, "fork-locked"], {"timeout": 120}),
    ("clone", [ODD, "clone"], {}),
    ("posix_spawn attributes", [ODD, "spawn-attributes"], {}),
    ("exec with own environments", [ODD, "environment"], {}),
    ("exec from a thread", [ODD, "exec-from-thread"], {}),
    *((f"{how} in the {thread} thread", [ODD, "ends", how, thread], {})
      for how in ("exit", "quick_exit", "_exit", "abort", "assert", "double-free", "stack-overflow", "return")
      for thread in ("main", "other")),
    ("abort is survived", [ODD, "survives-abort"], {}),
    ("closefrom, no descriptor free", [ODD, "close-from"], {}),
    *((f"limits, {condition}", [ODD, "limits"], {"through": condition, "says": says, "untraced": says != "", **more})
      for condition, says, more in (
          ("few-files", ".*", {"refused": "Too many open files"}), ("little-memory", ".*", {}), ("little-stack", "", {}),
          ("nothing-locked", "", {}), ("small-files", ".*", {}), ("no-memfd", ".*(memfd_create|nothing was traced: the program did not load).*", {}),
          ("no-sockets", ".*", {"refused": "socket: .*"}), ("no-madvise", ".*", {}))),
    ("chroot", [ODD, "chroot"], {"root": True}),
    ("namespaces", [ODD, "namespaces"], {"root": True}),
    ("no /proc", [ODD, "confined"], {"through": "no-proc", "root": True}),
    ("process 1", [ODD, "confined"], {"through": "process-1", "root": True, "ways": ["run"]}),
    ("process 1 with LD_PRELOAD alone", [ODD, "confined"], {"through": "process-1", "root": True, "ways": ["preload"],
                                                              "says": ".*process 1.*", "untraced": True}),
    ("allocators", [ODD, "allocators"], {}),
    *((f"{library} {where} us, {case}", [ODD, case, *arguments], {"beside": library, "where": where})
      for library in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2")
      for where in ("before", "after") for case, arguments in (("allocators", []), ("fork-locked", []), ("crowd", ["300"]))),
    ("dlopen with RTLD_DEEPBIND", [ODD, "deepbind", PROGRAMS / "plugin.so"], {}),
    ("1,000 threads at once", [ODD, "crowd", "1000"], {}),
    ("10,000 threads at once", [ODD, "crowd", "10000"], {"timeout": 300}),
    ("100,000 threads one after the other", [ODD, "churn", "100000"], {"timeout": 300}),
    ("1,000,000 threads one after the other", [ODD, "churn", "1000000"], {"timeout": 1200, "slow": True, "ways": ["run"]}),
]


def lines_of(condition, line, env):
    """A command line below a condition; by env, so that what sets it is not traced."""
    return [PROGRAMS / "through", condition, "/usr/bin/env", *(f"{k}={v}" for k, v in env.items()), *line]


def same(ended, plain, says=""):
    err = ended.err
    if says:
        err = "".join(line for line in err.splitlines(True) if not re.fullmatch(rf"ctrace[\w-]*: {says}\n", line))
    must(ended.status == plain.status, f"status {ended.status}, untraced {plain.status}; {ended}")
    must(ended.out == plain.out, f"other output: {short(ended.out, 1500)}, untraced {short(plain.out, 1500)}")
    must(err == plain.err, f"other stderr: {short(err)}, untraced {short(plain.err)}")


def check(trace):
    wait_complete(trace)
    ended = run([ANALYZE, "check", trace], timeout=300)
    must(ended.status == 0, f"{ended}")


def case(argv, options):
    def test(where):
        if options.get("slow") and not os.environ.get("CTRACE_TEST_SLOW"):
            raise Skip("slow; CTRACE_TEST_SLOW=1 runs it")
        if options.get("root") and os.geteuid():
            raise Skip("needs root")
        timeout = options.get("timeout", 60)
        library = options.get("beside")
        env = {}
        if library:
            if not os.path.exists(f"{LIBRARIES}/{library}"):
                raise Skip(f"{library} is not installed")
            env = {"LD_PRELOAD": f"{LIBRARIES}/{library}"}
        ways = [("plain", argv, env)]
        if "run" in options.get("ways", ["run", "preload"]):
            line = traced(where / "run.bin", argv)
            if options.get("where") == "after":  # ctrace-run puts itself first: before it only by env
                ways.append(("run", line, env))
            elif library:
                ways.append(("run", traced(where / "run.bin", ["/usr/bin/env", f"LD_PRELOAD={env['LD_PRELOAD']}:{PRELOAD}", *argv]), {}))
            else:
                ways.append(("run", line, env))
        if "preload" in options.get("ways", ["run", "preload"]):
            alone = preloaded(where / "preload.bin")
            if library:
                both = [env["LD_PRELOAD"], str(PRELOAD)]
                alone["LD_PRELOAD"] = ":".join(both if options["where"] == "before" else both[::-1])
            ways.append(("preload", argv, alone))
        plain = None
        for way, line, environment in ways:
            if "through" in options:
                line, environment = lines_of(options["through"], line, environment), None
            # A folder of its own, since programs make files.
            own = where / f"{way}.dir"
            own.mkdir()
            try:
                ended = run(line, cwd=own, env=environment, timeout=timeout)
            except Failure as e:
                if way == "plain" and options.get("company"):
                    raise Skip(f"it does not work untraced: {e}") from None
                raise Failure(f"{way}: {e}") from None
            if way == "plain":
                plain = ended
                if plain.status and options.get("company"):
                    raise Skip(f"it does not work untraced: {plain}")
                must(plain.status != 99, f"the program itself fails: {plain}")
                continue
            if way == "run" and "refused" in options:
                must(ended.status == 125 and not ended.out and re.fullmatch(rf"ctrace-run: .*{options['refused']}\n", ended.err),
                     f"{ended}; expected a refusal")
                continue
            try:
                same(ended, plain, options.get("says", ""))
                if not options.get("untraced"):
                    check(where / f"{way}.bin")
            except Failure as e:
                raise Failure(f"{way}: {e}") from None
    return test


# --- programs that are linked with what wraps calls itself ---

def compiled(arguments, program="odd", language="gcc"):
    """Builds a ground-truth program in another way."""
    def build(where):
        source = Path(__file__).parent / "programs"
        out = where / "built"
        made = run([language, "-g", "-O1", "-w", "-D_GNU_SOURCE", source / f"{program}.c", "-o", out, *arguments, "-lpthread", "-ldl"],
                   timeout=300)
        if made.status:
            raise Skip(f"cannot be built here: {short(made.err, 200)}")
        return out
    return build


def built(build, arguments, options):
    def test(where):
        return case([build(where), *arguments], options)(where)
    return test


COMPANY = [
    ("jemalloc", ["-l:libjemalloc.so.2"]),
    ("tcmalloc", ["-l:libtcmalloc_minimal.so.4"]),
    ("mimalloc", ["-l:libmimalloc.so.2"]),
    ("UBSan", ["-fsanitize=undefined"]),
    ("TSan", ["-fsanitize=thread"]),
    ("ASan", ["-fsanitize=address"]),
]


# --- bad luck ---

def held_up(act, program="storm"):
    """Acts on a program that is busy in wrapped calls; its end must be as untraced."""
    def test(where):
        for way in ("run", "preload"):
            for again in range(5):
                trace = where / f"{way}-{again}.bin"
                statuses = []
                for line, env in (([ODD, program], None),
                                  (traced(trace, [ODD, program]) if way == "run" else [ODD, program],
                                   preloaded(trace) if way == "preload" else None)):
                    process = []

                    def during(output):
                        until = time.monotonic() + 20
                        while "ready" not in output():
                            must(time.monotonic() < until, "it did not get ready")
                            time.sleep(0.01)
                        time.sleep(0.05 + 0.013 * again)
                        act(process_of("odd", where))
                    ended = run(line, cwd=where, env=env, during=during)
                    statuses.append((ended.status, ended.out, ended.err))
                must(statuses[0] == statuses[1], f"{way}: {statuses[1]}, untraced {statuses[0]}")
                wait_complete(trace)
                found = read_trace.Trace(trace)
                must(not found.faults and found.summary["events"] > 0, f"{way}: the trace has {found.summary['events']} events, {found.damage[:3]}")
    return test


def process_of(name, where):
    """The process of a program that runs in a folder."""
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd") == str(where) and os.readlink(f"/proc/{entry}/exe").endswith("/" + name):
                return int(entry)
        except OSError:
            pass
    raise Failure(f"no process {name}")


def stop_and_go(pid):
    for _ in range(3):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.03)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)


def collector_killed(where):
    """The collector is killed at any time: the program does not notice."""
    plain = run([ODD, "fork-locked"], cwd=where, timeout=120)
    for way in ("run", "preload"):
        for delay in (0.0, 0.01, 0.05, 0.2):
            trace = where / f"{way}-{delay}.bin"

            def during(output):
                until = time.monotonic() + 20
                while True:
                    found = [p for p in os.listdir("/proc") if p.isdigit() and str(trace) in arguments(p)
                             and arguments(p).split("\0")[0].endswith("ctrace-collector")]
                    if found:
                        break
                    must(time.monotonic() < until, "no collector")
                    time.sleep(0.001)
                time.sleep(delay)
                for p in found:
                    try:
                        os.kill(int(p), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            argv = [ODD, "fork-locked"]
            ended = run(traced(trace, argv) if way == "run" else argv, cwd=where, env=preloaded(trace) if way == "preload" else None,
                        during=during, timeout=120)
            if way == "run" and ended.status == 125 and "ended before it was ready" in ended.err:
                must(not ended.out, f"{way}, after {delay} s: {ended}")
                continue  # ctrace-run has not started the program
            must((ended.status, ended.out) == (plain.status, plain.out), f"{way}, after {delay} s: {ended}; untraced {plain}")
            said = [line for line in ended.err.splitlines() if not line.startswith("ctrace")]
            must(not said and len(ended.err.splitlines()) <= 1, f"{way}, after {delay} s: {short(ended.err)}")


def arguments(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().decode("latin-1")
    except OSError:
        return ""


tests = Tests()
for name, argv, options in CASES:
    tests.run(name, case(argv, options))
for name, flags in COMPANY:
    # The sanitizers' own allocators and locks do not survive a fork from one of several threads.
    for what, options in (("allocators", {}), ("destructors", {}), ("atfork", {}),
                          *([] if name in ("ASan", "TSan") else [("fork-locked", {"timeout": 120})])):
        tests.run(f"linked with {name}, {what}", built(compiled(flags), [what], {"company": True, **options}))
tests.run("killed in wrappers", held_up(lambda pid: os.kill(pid, signal.SIGKILL)))
tests.run("terminated in wrappers", held_up(lambda pid: os.kill(pid, signal.SIGTERM)))
tests.run("crashes in a handler that interrupted wrappers", held_up(lambda pid: os.kill(pid, signal.SIGUSR1), "storm-crash"))
tests.run("sent a SIGSEGV in wrappers", held_up(lambda pid: os.kill(pid, signal.SIGSEGV)))
tests.run("stopped and continued in wrappers", held_up(stop_and_go))
tests.run("the collector is killed", collector_killed)
tests.finish()
