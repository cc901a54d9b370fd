#!/usr/bin/python3
"""The flight recorder: ctrace-run --flight, its snapshots and what they are taken for.

usage: run_flight.py BUILD [NAME...]

See tests/programs/flight.c and docs/flight.md. CTRACE_TEST_KEEP=1 keeps the traces.
"""
import os
import re
import shutil
import signal
import subprocess
import time

from harness import (ANALYZE, CTL, ENVIRONMENT, PROGRAMS, RUN, Failure, Skip, Tests, analyze, check_trace, must, preloaded,
                     report, run, short)

FLIGHT = PROGRAMS / "flight"
STUCK = PROGRAMS / "stuck"
PLUGIN = PROGRAMS / "plugin.so"
VIEWS = ("summary", "blocks", "threads", "locks", "io", "malloc", "wakers", "sched", "path", "deadlocks", "stats")


def flight(where, argv, *options, bounds="30s,64M", during=None, quiet=True, timeout=60, env=None):
    return run([RUN, *(["-q"] if quiet else []), "-o", where / "t.bin", "--flight", bounds, *options, "--", *argv],
               cwd=where, during=during, timeout=timeout, env=env)


def snapshots(where):
    return sorted(where.glob("t-*.bin"), key=lambda p: int(re.search(r"-(\d+)\.bin", p.name).group(1)))


def collector(where):
    """The pid of the collector whose working folder is ours."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                command = open(f"/proc/{pid}/cmdline").read().split("\0")
                if command[0].endswith("ctrace-collector") and any(str(where) in word for word in command):
                    return int(pid)
            except OSError:
                pass
        time.sleep(0.02)
    raise Failure("there is no collector")


def wait_for(where, n, seconds=10):
    until = time.monotonic() + seconds
    while len(snapshots(where)) < n:
        must(time.monotonic() < until, f"{len(snapshots(where))} snapshots after {seconds} s, expected {n}")
        time.sleep(0.02)


def ask(where, n, *at):
    """Signals the collector so many seconds after the begin; waits for each snapshot."""
    def during(_):
        began = time.monotonic()
        pid = collector(where)
        for i, seconds in enumerate(at):
            time.sleep(max(0, began + seconds - time.monotonic()))
            os.kill(pid, signal.SIGUSR2 if i % 2 == 0 else signal.SIGUSR1)
            wait_for(where, n + i + 1)
    return during


def meta(found):
    return found["file"]["meta"]


def check_views(trace):
    for view in VIEWS:
        analyze(view, trace)
        if view != "stats":
            analyze(view, "--json", trace)


def by_signal(where):
    """Some of everything, with a short bound of time: what a snapshot holds, and what it does not."""
    argv = [FLIGHT, "mixed", "4", PLUGIN]
    ended = flight(where, argv, "--snapshot-at-end", bounds="1s,64M", during=ask(where, 0, 1.9, 3.0))
    must(ended.status == 3, str(ended))
    must(not ended.err, f"a word with -q: {short(ended.err)}")
    found = snapshots(where)
    must(len(found) == 3, f"{found}")
    for trace in found:
        whole = check_trace(trace)
        ns = whole["trace"]["duration_ns"]
        must(0.5e9 < ns <= 1.1e9, f"{trace.name} covers {ns / 1e9:.2f} s of 1 s")
        for t in whole["threads"]:
            must(t["lifetime_ns"] <= ns * 1.01, f"{trace.name}: thread {t['name']} lived {t['lifetime_ns']} of {ns} ns")
        names = {t["name"] for t in whole["threads"]}
        must({"idler", "worker", "burner", "churner", "forker", "loader"} <= names, f"{trace.name}: {names}")
        idler = next(t for t in whole["threads"] if t["name"] == "idler")
        must(idler["by_cause"].get("semaphore", 0) > idler["lifetime_ns"] * 0.98, f"{trace.name}: {idler}")
        burner = next(t for t in whole["threads"] if t["name"] == "burner")
        must(burner["blocked_ns"] < burner["lifetime_ns"] / 20, f"{trace.name}: {burner}")
        functions = {f.get("function") for s in whole["sites"] for f in s["stack"]}
        must({"hold_for", "plugin_sleep", "forks"} <= functions, f"{trace.name}: {sorted(filter(None, functions))}")
    check_views(found[1])
    text = analyze("stats", found[0])
    must("signal to the collector" in text and "1s,64M" in text, short(text))
    must("the end of the program" in analyze("summary", found[2]), "the end is not named")


def totals(where):
    """Without context switches: running and ready are the kernel's totals, of the snapshot's time alone."""
    ended = flight(where, [FLIGHT, "mixed", "3", PLUGIN], "--sched", "off", bounds="1s,64M", during=ask(where, 0, 2.4))
    must(ended.status == 3, str(ended))
    whole = check_trace(snapshots(where)[0])
    burner = next(t for t in whole["threads"] if t["name"] == "burner")
    must(burner["running_ns"] <= burner["lifetime_ns"], str(burner))
    must(burner["running_ns"] > burner["lifetime_ns"] / 20, str(burner))
    must(burner["lifetime_ns"] < 1.2e9, str(burner))


def clean_exit(where):
    """Nobody asked: nothing is written."""
    ended = flight(where, ["/bin/true"], quiet=False)
    must(ended.status == 0, str(ended))
    must(not list(where.iterdir()), f"{list(where.iterdir())}")
    must(ended.err.count("flight recorder") == 2 and "0 snapshots" in ended.err, short(ended.err))


def dies(number, name):
    def test(where):
        ended = flight(where, [FLIGHT, "dies", "0.3", str(number)], quiet=False)
        must(ended.status == -number, str(ended))
        found = snapshots(where)
        must(len(found) == 1, f"{found}: {ended}")
        whole = check_trace(found[0])
        must(whole["trace"]["processes"] == 1, str(whole["trace"]))
        must(f"t-1.bin: snapshot of " in ended.err and f"{name} of process" in ended.err, short(ended.err, 2000))
        must(f"{name} of process" in analyze("stats", found[0]), "the signal is not named")
    return test


def killed_waits(where):
    """kill -9 of the program from outside: what its threads waited for is in the snapshot."""
    def during(_):
        pid = collector(where)
        time.sleep(1.0)
        stat = open(f"/proc/{pid}/cmdline").read().split("\0")
        os.kill(int(stat[stat.index("--program") + 1]), signal.SIGKILL)

    ended = flight(where, [FLIGHT, "mixed", "30", PLUGIN], during=during)
    must(ended.status == -signal.SIGKILL, str(ended))
    whole = check_trace(snapshots(where)[0])
    idler = next(t for t in whole["threads"] if t["name"] == "idler")
    must(idler["by_cause"].get("semaphore", 0) > idler["lifetime_ns"] * 0.9, str(idler))


def child_dies(where):
    """A worker that crashes is told of; the program goes on."""
    script = "/usr/bin/python3 -c 'import os; os.abort()'; /usr/bin/python3 -c 'import os,signal; os.kill(os.getpid(), 15)'; exit 4"
    ended = flight(where, ["/bin/sh", "-c", script])
    must(ended.status == 4, str(ended))
    found = snapshots(where)
    must(len(found) == 1, f"{found}: {ended}")
    check_trace(found[0])
    must("SIGABRT of process" in analyze("stats", found[0]), "the signal is not named")


def trigger_wait(where):
    """A mutex wait that is too long: told of once, while it lasts; who waited is recorded."""
    ended = flight(where, [FLIGHT, "slow", "1"], "--trigger", "wait>100ms cause=mutex thread=vic*", "--snapshot-pause", "0")
    must(ended.status == 3, str(ended))
    found = snapshots(where)
    must(len(found) == 1, f"{found}")
    whole = check_trace(found[0])
    victim = next(t for t in whole["threads"] if t["name"] == "victim")
    facts = meta(report(found[0], command="stats"))
    must(facts["snapshot"] == "trigger wait>100ms cause=mutex thread=vic*", str(facts))
    must(int(facts["snapshot_tid"]) == victim["tid"] and facts["snapshot_thread"] == "victim" and
         facts["snapshot_cause"] == "mutex", str(facts))
    ns = int(facts["snapshot_wait_end_ns"]) - int(facts["snapshot_wait_start_ns"])
    must(100e6 < ns < 290e6, f"{ns} ns: it was not told of while it lasted")
    text = analyze("summary", found[0])
    must(f"victim ({victim['tid']}) waited" in text and f"--thread {victim['tid']} --from" in text, short(text))
    check_views(found[0])


def triggers_bounded(where):
    """No more than so many, and so long apart; other causes do not count."""
    ended = flight(where, [FLIGHT, "mixed", "3", PLUGIN], "--trigger", "wait>1ms cause=contention", "--trigger",
                   "wait>1h", "--max-snapshots", "3", "--snapshot-pause", "400ms")
    must(ended.status == 3, str(ended))
    found = snapshots(where)
    must(len(found) == 3, f"{found}")
    moments = [int(meta(report(t, command="stats"))["snapshot_ns"]) for t in found]
    must(all(b - a >= 400e6 for a, b in zip(moments, moments[1:])), f"{moments}")
    for trace in found:
        must(meta(report(trace, command="stats"))["snapshot_cause"] in ("mutex", "once"), trace.name)


def trigger_deadlock(case, expected):
    def test(where):
        ended = flight(where, ["timeout", "-s", "KILL", "2", STUCK, *case.split()], "--trigger", "deadlock", "--snapshot-pause", "0")
        found = [t for t in snapshots(where) if "deadlock" in analyze("stats", t)]
        must(len(found) == expected, f"{found}: {ended}")
        for trace in found:
            check_trace(trace)
            must(report(trace, command="deadlocks")["cycles"], "the snapshot shows no deadlock")
    return test


def trigger_lost(where):
    ended = flight(where, [FLIGHT, "storm", "2"], "--min", "0", "--trigger", "lost>0", "--max-snapshots", "1")
    must(ended.status == 3, str(ended))
    for trace in snapshots(where):
        whole = check_trace(trace)
        must(whole["trace"]["lost_events"], "none are lost")
        must("events lost" in analyze("stats", trace), "how many is not told")


def bytes_bound(where):
    """A storm: the bound holds for what is kept and what is written, and memory stays near it."""
    most = [0]

    def during(_):
        pid = collector(where)
        began = time.monotonic()
        asked = 0
        while time.monotonic() < began + 5.5:
            for line in open(f"/proc/{pid}/status"):
                if line.startswith("RssAnon"):
                    most[0] = max(most[0], int(line.split()[1]))
            if time.monotonic() > began + 2 * (asked + 1):
                asked += 1
                os.kill(pid, signal.SIGUSR2)
            time.sleep(0.02)

    ended = flight(where, [FLIGHT, "storm", "6"], "--min", "0", bounds="1M", during=during)
    must(ended.status == 3, str(ended))
    found = snapshots(where)
    must(len(found) == 2, f"{found}")
    for trace in found:
        must(trace.stat().st_size < 1.1 * (1 << 20), f"{trace.stat().st_size} bytes")
        check_trace(trace)
    must(most[0] < 2 * 1024 + 6 * 1024, f"the collector took {most[0]} KiB")


def slow_disk(where):
    """A snapshot into a pipe that is read slowly, in a storm: the bound holds meanwhile."""
    pipe, most, full, data = where / "pipe", [0], [0], []
    os.mkfifo(pipe)

    def memory(pid):
        try:
            return int(open(f"/proc/{pid}/status").read().split("RssAnon:")[1].split()[0])
        except (OSError, IndexError):
            return 0

    def during(_):
        pid = collector(where)
        until = time.monotonic() + 4
        # Full for the first time; on a slow machine it is not, and there is no more to be seen than the snapshot.
        while memory(pid) < 8 * 1024 and time.monotonic() < until:
            time.sleep(0.05)
        for _ in range(50):
            full[0] = max(full[0], memory(pid))
            time.sleep(0.02)
        end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        ended = run([CTL, "snapshot", "-o", pipe], env={"XDG_RUNTIME_DIR": str(where)})
        must(ended.status == 0, str(ended))
        began = time.monotonic()
        while time.monotonic() < began + 3:
            most[0] = max(most[0], memory(pid))
            try:
                data.append(os.read(end, 4096))
            except BlockingIOError:
                pass
            time.sleep(0.02)
        os.set_blocking(end, True)
        while chunk := os.read(end, 1 << 20):
            data.append(chunk)
            most[0] = max(most[0], memory(pid))
        os.close(end)

    ended = flight(where, [FLIGHT, "storm", "10"], "--min", "0", "--snapshot-at-end", bounds="8M", during=during,
                   env={"XDG_RUNTIME_DIR": str(where)})
    must(ended.status == 3, str(ended))
    (where / "slow.bin").write_bytes(b"".join(data))
    # The second reader would take minutes for so much.
    analyze("check", where / "slow.bin")
    analyze("check", snapshots(where)[-1])
    # Tables, and what is not compressed yet, waver; twice the bound would be 8 MiB more.
    must(most[0] < full[0] + 4096, f"the collector took {most[0]} KiB, {full[0]} before")


def many_threads(where):
    """Thousands of threads that come and go; hundreds that stay."""
    script = ("import threading,time\n"
              "e=threading.Event()\n"
              "t=[threading.Thread(target=e.wait) for _ in range(300)]\n"
              "[x.start() for x in t]\n"
              "end=time.time()+3\n"
              "while time.time()<end:\n"
              "  s=[threading.Thread(target=time.sleep,args=(.001,)) for _ in range(20)]\n"
              "  [x.start() for x in s]; [x.join() for x in s]\n"
              "e.set()\n[x.join() for x in t]\n")
    ended = flight(where, ["/usr/bin/python3", "-c", script], bounds="1s,64M", during=ask(where, 0, 2.5))
    must(ended.status == 0, str(ended))
    whole = check_trace(snapshots(where)[0])
    must(whole["trace"]["threads"] > 320, str(whole["trace"]))
    must(sum(t["by_cause"].get("semaphore", 0) > t["lifetime_ns"] * 0.9 for t in whole["threads"]) >= 300, "who waits is missing")


def two_in_a_row(where):
    """Asked again while one is being written: both are, one after the other."""
    def during(_):
        pid = collector(where)
        time.sleep(1)
        os.kill(pid, signal.SIGUSR2)
        while not list(where.glob("t-1.bin*")):
            time.sleep(0.001)
        os.kill(pid, signal.SIGUSR2)
        wait_for(where, 2)

    ended = flight(where, [FLIGHT, "mixed", "2", PLUGIN], during=during)
    must(ended.status == 3, str(ended))
    for trace in snapshots(where):
        check_trace(trace)


def disk_full(where):
    """The program goes on, the user is told, and nothing is left behind."""
    small = where / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], stderr=subprocess.DEVNULL).returncode:
        raise Skip("a small file system cannot be mounted here")
    try:
        ended = run([RUN, "-o", small / "t.bin", "--flight", "30s", "--snapshot-at-end", "--", FLIGHT, "mixed", "2", PLUGIN],
                    cwd=where)
        must(ended.status == 3, str(ended))
        must("No space left on device; no snapshot" in ended.err, short(ended.err, 2000))
        must("0 snapshots" in ended.err, short(ended.err, 2000))
        must(not list(small.iterdir()), f"{list(small.iterdir())}")
    finally:
        subprocess.run(["umount", small])


def folder_gone(where):
    """Not there at the begin: refused. Gone later: told, and the program goes on."""
    ended = run([RUN, "-o", where / "none/t.bin", "--flight", "30s", "--", "/bin/true"], cwd=where)
    must(ended.status == 125 and "No such file" in ended.err, str(ended))
    folder = where / "folder"
    folder.mkdir()

    def during(_):
        pid = collector(where)
        time.sleep(0.5)
        shutil.rmtree(folder)
        os.kill(pid, signal.SIGUSR2)

    ended = run([RUN, "-q", "-o", folder / "t.bin", "--flight", "30s", "--", FLIGHT, "mixed", "1.5", PLUGIN], cwd=where,
                during=during)
    must(ended.status == 3 and "no snapshot (signal to the collector)" in ended.err, str(ended))


def names(where):
    ended = run([RUN, "-q", "-o", where / "%n.%c.%p.bin", "--flight", "30s", "--snapshot-at-end", "--", "/bin/true"], cwd=where)
    must(ended.status == 0, str(ended))
    found = [p.name for p in where.iterdir()]
    must(len(found) == 1 and re.fullmatch(r"true\.1\.\d+\.bin", found[0]), f"{found}")
    ended = run([RUN, "-q", "-o", where / "plain", "--flight", "30s", "--snapshot-at-end", "--", "/bin/true"], cwd=where)
    must((where / "plain-1").exists(), f"{list(where.iterdir())}")


def options(where):
    for bad in (["--flight", "x"], ["--flight", "0s"], ["--flight", "100ms"], ["--flight", "30s,1K"], ["--flight", "1s,2s"],
                ["--flight", "30s", "--trigger", "wait"], ["--flight", "30s", "--trigger", "wait>5"],
                ["--flight", "30s", "--trigger", "wait>5ms cause=nothing"], ["--flight", "30s", "--trigger", "deadlock thread=x"],
                ["--flight", "30s", "--trigger", "lost>"], ["--trigger", "deadlock"], ["--flight", "30s", "--max-snapshots", "x"],
                ["--snapshot-at-end"], ["--flight", ""]):
        ended = run([RUN, *bad, "--", "/bin/true"], cwd=where)
        must(ended.status == 125 and ended.err.startswith("ctrace-run: --") and ended.err.count("\n") == 1, str(ended))
    must(not list(where.iterdir()), f"{list(where.iterdir())}")


def preload_alone(where):
    """Without ctrace-run the environment says it all."""
    env = {**preloaded(where / "t.bin"), "CTRACE_FLIGHT": "1s,16M", "CTRACE_TRIGGER": "wait>100ms cause=mutex;lost>1000000",
           "CTRACE_MAX_SNAPSHOTS": "1", "CTRACE_SNAPSHOT_AT_END": "1"}
    ended = run([FLIGHT, "slow", "1.5"], cwd=where, env=env)
    must(ended.status == 3, str(ended))
    wait_for(where, 2)
    must("trigger wait>100ms cause=mutex" in analyze("stats", snapshots(where)[0]), "not by the trigger")
    for trace in snapshots(where):
        check_trace(trace)


def run_environment(where):
    env = {"CTRACE_FLIGHT": "5s", "CTRACE_SNAPSHOT_AT_END": "1"}
    ended = run([RUN, "-q", "-o", where / "t.bin", "--", "/bin/true"], cwd=where, env=env)
    must(ended.status == 0 and len(snapshots(where)) == 1, f"{ended} {list(where.iterdir())}")
    ended = run([RUN, "--", "/bin/true"], cwd=where, env={"CTRACE_FLIGHT": "wrong"})
    # As all defaults: told, and the program runs.
    must(ended.status == 0 and re.search("CTRACE_FLIGHT: .*a time and a size", str(ended)), str(ended))


def redis(where):
    """A server under load, and a trigger that its disk sets off."""
    server, bench = shutil.which("redis-server"), shutil.which("redis-benchmark")
    if not server or not bench:
        raise Skip("redis is not installed")
    port = str(20000 + os.getpid() % 20000)

    def during(_):
        until = time.monotonic() + 10
        while subprocess.run(["redis-cli", "-p", port, "ping"], capture_output=True, env=ENVIRONMENT).returncode:
            must(time.monotonic() < until, "redis does not answer")
            time.sleep(0.05)
        done = subprocess.run([bench, "-p", port, "-c", "8", "-n", "20000", "-t", "set,get", "-q"], capture_output=True,
                              env=ENVIRONMENT, timeout=60)
        must(done.returncode == 0, short(done.stdout))
        os.kill(collector(where), signal.SIGUSR2)
        subprocess.run([bench, "-p", port, "-c", "8", "-n", "20000", "-t", "set,get", "-q"], capture_output=True,
                       env=ENVIRONMENT, timeout=60)
        subprocess.run(["redis-cli", "-p", port, "shutdown", "nosave"], capture_output=True, env=ENVIRONMENT)

    ended = flight(where, [server, "--port", port, "--appendonly", "yes", "--appendfsync", "always", "--dir", where],
                   "--trigger", "wait>10us cause=file", "--max-snapshots", "1", bounds="2s,32M", during=during, timeout=120)
    must(ended.status == 0, str(ended))
    found = snapshots(where)
    must(len(found) == 2, f"{found}")
    for trace in found:
        whole = check_trace(trace)
        must(not whole["trace"]["lost_events"], f"{whole['trace']['lost_events']} lost")
        check_views(trace)
    must(meta(report(found[0], command="stats"))["snapshot_cause"] == "file", "not by the trigger")


if not FLIGHT.exists():
    raise SystemExit("no program flight")
tests = Tests()
for name, test in {
        "by signal": by_signal, "totals": totals, "clean exit": clean_exit, "dies of SEGV": dies(11, "SIGSEGV"),
        "dies of ABRT": dies(6, "SIGABRT"), "dies of KILL": dies(9, "SIGKILL"), "killed while it waits": killed_waits,
        "child dies": child_dies, "trigger wait": trigger_wait, "triggers bounded": triggers_bounded,
        "deadlock cycle": trigger_deadlock("cycle", 1), "deadlock self": trigger_deadlock("self", 1),
        "deadlock upgrades": trigger_deadlock("upgrades", 1), "deadlock joins": trigger_deadlock("joins", 1),
        "no deadlock timed": trigger_deadlock("timed", 0), "no deadlock busy": trigger_deadlock("busy", 0),
        "trigger lost": trigger_lost, "bytes bound": bytes_bound, "slow disk": slow_disk, "many threads": many_threads, "two in a row": two_in_a_row,
        "disk full": disk_full, "folder gone": folder_gone, "names": names, "options": options,
        "preload alone": preload_alone, "environment of ctrace-run": run_environment, "redis": redis}.items():
    tests.run(name, test)
tests.finish()
