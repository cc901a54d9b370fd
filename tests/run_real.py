#!/usr/bin/python3
"""Real programs from Debian, traced and untraced: the same output, the same end, and a report that
reads right.

usage: run_real.py BUILD [NAME...]
"""
import hashlib
import http.client
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

from harness import (ENVIRONMENT, Failure, Skip, Tests, check_trace, count, functions, must, preloaded, report, run, short,
                     sites, total, traced, wait_complete)


def need(*programs):
    for program in programs:
        if not shutil.which(program, path=ENVIRONMENT["PATH"]):
            raise Skip(f"{program} is not installed")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server that runs while the block does; stop() ends it, and whatever happens it is gone afterwards."""

    def __init__(self, argv, where, port, env=None):
        self.argv, self.where, self.port, self.env = [str(a) for a in argv], where, port, env
        self.status = None

    def __enter__(self):
        self.out = open(self.where / "server.out", "w+b")
        self.process = subprocess.Popen(self.argv, cwd=self.where, env={**ENVIRONMENT, **(self.env or {})},
                                        stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT,
                                        start_new_session=True)
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.__exit__()
                    raise Failure(f"{self.argv[0]} does not answer: {short(self.output())}") from None
                time.sleep(0.02)

    def stop(self, act):
        act(self)
        try:
            self.status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.argv[0]} does not end") from None

    def output(self):
        self.out.seek(0)
        return self.out.read().decode("latin-1")

    def __exit__(self, *_):
        # ctrace-run and the server are one session: what is left of it goes.
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        return False


def thrice(where, argv):
    """The command lines to compare: (how, argv, environment, trace)."""
    return [("untraced", argv, None, None),
            ("traced", traced(where / "t.bin", argv), None, where / "t.bin"),
            ("preloaded", argv, preloaded(where / "p.bin"), where / "p.bin")]


def same(what, results):
    first = results[0]
    for how, result in zip(("traced", "preloaded"), results[1:]):
        if result == first:
            continue
        pairs = zip(result, first) if isinstance(result, (list, tuple)) and len(result) == len(first) else [(result, first)]
        here, plain = next((a, b) for a, b in pairs if a != b)
        raise Failure(f"{what} differs when {how}: {short(str(here))}, untraced {short(str(plain))}")


def threads_named(found, name):
    return [t for t in found["threads"] if re.search(name, t["name"])]


def main_wait(thread):
    return max(thread["by_cause"].items(), key=lambda item: item[1], default=(None, 0))[0]


# --- servers ---

def ask(port, *lines):
    """Sends lines, one after the other, and returns the answers."""
    answers = []
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        f = s.makefile("rb")
        for line in lines:
            s.sendall(line.encode() + b"\r\n")
            answer = last = f.readline()
            if answer.startswith(b"$") and answer != b"$-1\r\n":  # Redis: a string follows
                answer += f.read(int(answer[1:]) + 2)
            while last.startswith(b"VALUE "):  # memcached: a value and another line follow
                answer += f.read(int(last.split()[3]) + 2)
                last = f.readline()
                answer += last
            answers.append(answer)
    return answers


def redis(where):
    need("redis-server", "redis-benchmark")
    rng = random.Random(1)
    session = [line for i in range(300) for line in
               (f"SET key{i % 50} {rng.randrange(10 ** 9)}", f"INCR counter{i % 7}", f"GET key{rng.randrange(60)}",
                f"LPUSH list{i % 3} {i}", f"RPOP list{i % 3}", f"NOSUCH {i}")]
    port = free_port()
    argv = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", where,
            "--loglevel", "warning"]
    answers, ends = [], []
    for how, line, env, trace in thrice(where, argv):
        with Server(line, where, port, env) as server:
            answers.append(ask(port, *session))
            load = run(["redis-benchmark", "-h", "127.0.0.1", "-p", port, "-n", "20000", "-c", "20", "-q", "-t", "set,get,lpush"])
            must(load.status == 0 and "SET" in load.out, f"redis-benchmark, {how}: {load}")
            server.stop(lambda s: ask(port, "SHUTDOWN NOSAVE"))
            # Its log names its pid and the time.
            ends.append([server.status, re.sub(r"\d+", "N", server.output())])
        if not trace:
            continue
        wait_complete(trace)
        found = check_trace(trace)
        main = threads_named(found, "^redis-server$")
        must(main, f"no thread redis-server: {[t['name'] for t in found['threads']]}")
        must(main_wait(main[0]) == "poll", f"the main thread's main wait is {main[0]['by_cause']}")
        background = threads_named(found, "^bio_")
        must(len(background) >= 3, f"no bio threads: {[t['name'] for t in found['threads']]}")
        must(all(main_wait(t) == "cond" for t in background), f"bio threads wait for {[t['by_cause'] for t in background]}")
    same("an answer", answers)
    same("its end or log", ends)


def redis_appendfsync(where):
    """The case that people look for: the event loop is held up by fdatasync."""
    need("redis-server", "redis-benchmark")
    port = free_port()
    argv = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always",
            "--dir", where, "--loglevel", "warning"]
    trace = where / "t.bin"
    with Server(traced(trace, argv), where, port) as server:
        load = run(["redis-benchmark", "-h", "127.0.0.1", "-p", port, "-n", "2000", "-c", "10", "-q", "-t", "set"])
        must(load.status == 0, f"redis-benchmark: {load}")
        server.stop(lambda s: ask(port, "SHUTDOWN NOSAVE"))
        must(server.status == 0, f"status {server.status}: {short(server.output())}")
    wait_complete(trace)
    check_trace(trace)
    found = report(trace, "--thread", "redis-server")
    synced = sites(found, "file", object_=".aof")
    must(count(synced) >= 50, f"no waits for the append-only file: {[(s['cause'], s['object']) for s in found['sites']]}")
    must(any("fdatasync" in f or "fsync" in f for s in synced for f in functions(s)) or any(s.get("call") == "fdatasync" for s in synced),
         f"no fdatasync in the stacks of {short(str(synced), 1500)}")


def memcached(where):
    need("memcached")
    rng = random.Random(2)
    port = free_port()
    argv = ["memcached", "-p", port, "-U", "0", "-l", "127.0.0.1", "-u", "root", "-t", "4", "-m", "64"]
    session = [f"{rng.choice(['get', 'delete'])} key{rng.randrange(50)}" for _ in range(200)] + ["incr n 1", "bogus"]
    answers, ends = [], []
    for how, line, env, trace in thrice(where, argv):
        with Server(line, where, port, env) as server:
            found = []
            for i in range(6):
                found += ask(port, *[f"set key{k} 0 0 3\r\n{k:03}" for k in range(50)][i::2], *session)
            answers.append([a for a in found])
            server.stop(lambda s: s.process.send_signal(signal.SIGTERM))  # ctrace-run passes it on
            ends.append((server.status, server.output()))
        if not trace:
            continue
        wait_complete(trace)
        found = check_trace(trace)
        workers = threads_named(found, "worker")
        must(len(workers) >= 4, f"no workers: {[t['name'] for t in found['threads']]}")
        must(all(main_wait(t) == "poll" for t in workers), f"workers wait for {[t['by_cause'] for t in workers]}")
    same("an answer", answers)
    same("its end or output", ends)


NGINX = """
daemon off; master_process on; worker_processes 2; user root; pid {where}/nginx.pid; error_log {where}/error.log warn;
events {{ worker_connections 128; }}
http {{
  access_log off; default_type text/plain; sendfile off;
  client_body_temp_path {where}/b; proxy_temp_path {where}/p; fastcgi_temp_path {where}/f; uwsgi_temp_path {where}/u;
  scgi_temp_path {where}/s;
  server {{ listen 127.0.0.1:{port}; root {where}/www; }}
}}
"""


def nginx(where):
    need("nginx", "wrk")
    port = free_port()
    (where / "www").mkdir()
    rng = random.Random(3)
    for n in (10, 5000, 300000):
        (where / f"www/{n}").write_bytes(rng.randbytes(n))
    (where / "nginx.conf").write_text(NGINX.format(where=where, port=port))
    argv = ["nginx", "-p", where, "-c", where / "nginx.conf", "-e", where / "error.log"]
    answers, ends = [], []
    for how, line, env, trace in thrice(where, argv):
        with Server(line, where, port, env) as server:
            got = []
            for path in ("/10", "/5000", "/300000", "/none"):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", path)
                answer = connection.getresponse()
                got.append((path, answer.status, hashlib.sha256(answer.read()).hexdigest()))
                connection.close()
            answers.append(got)
            load = run(["wrk", "-t", "1", "-c", "10", "-d", "1s", f"http://127.0.0.1:{port}/5000"])
            must(load.status == 0 and "Non-2xx" not in load.out and "Requests/sec" in load.out, f"wrk, {how}: {load}")
            pid = int((where / "nginx.pid").read_text())
            server.stop(lambda s: os.kill(pid, signal.SIGQUIT))
            # Its log names pids, times and connections.
            ends.append((server.status, server.output(), re.sub(r"\d+", "N", (where / "error.log").read_text())))
            (where / "error.log").unlink()
        if not trace:
            continue
        wait_complete(trace)
        found = check_trace(trace)
        must(found["trace"]["processes"] >= 3, f"{found['trace']['processes']} processes, are a master and two workers")
        # Under full load a worker waits in epoll_wait and loses the CPU wherever it happens to be.
        polls = [t for t in found["threads"] if t["by_cause"].get("poll", 0) > t["lifetime_ns"] / 50]
        must(len(polls) >= 2, f"the workers do not wait in epoll_wait: {[t['by_cause'] for t in found['threads']]}")
    same("an answer", answers)
    same("its end or log", ends)


# --- programs that end by themselves ---

def thrice_run(where, argv, **how):
    """Runs the three ways; the same output and end; the traces are checked and returned as reports."""
    results, found = [], []
    for _, line, env, trace in thrice(where, argv):
        ended = run(line, cwd=where, env=env, **how)
        results.append((ended.status, hashlib.sha256(ended.out.encode("latin-1")).hexdigest(), len(ended.out), ended.err))
        if trace:
            wait_complete(trace)
            found.append((trace, check_trace(trace)))
    same("(status, output, stderr)", results)
    return results[0], found


def pbzip2(where):
    need("pbzip2")
    rng = random.Random(4)
    words = [rng.randbytes(rng.randrange(2, 12)).hex() for _ in range(5000)]
    (where / "data").write_text(" ".join(rng.choice(words) for _ in range(800000)))
    (status, digest, n, _), found = thrice_run(where, ["pbzip2", "-p4", "-b2", "-k", "-c", "data"])
    must(status == 0 and n > 1000000, f"pbzip2 failed: {status}, {n} bytes")
    for trace, whole in found:
        waits = {c["cause"]: c["total_ns"] for c in whole["causes"]}
        must(waits.get("cond", 0) > 0, f"no waits for conditions: {waits}")
        must(max((c for c in whole["causes"] if c["cause"] not in ("runnable", "unexplained")),
                 key=lambda c: c["total_ns"])["cause"] in ("cond", "join"), f"pbzip2 waits mainly for {waits}")
        must(whole["trace"]["threads"] >= 6, f"{whole['trace']['threads']} threads, should be 4 consumers and more")
    # Back again, through pipes.
    packed = subprocess.run(["pbzip2", "-p4", "-b2", "-k", "-c", "data"], cwd=where, stdout=open(where / "data.bz2", "wb"))
    must(packed.returncode == 0, "pbzip2 failed")
    for old in ("t.bin", "p.bin"):
        (where / old).unlink()
    (status, digest, n, _), _ = thrice_run(where, ["pbzip2", "-d", "-p4", "-c", "data.bz2"])
    must(status == 0 and digest == hashlib.sha256((where / "data").read_bytes()).hexdigest(), "it does not come back")


PYTHON = r"""
import threading, time, queue, sys
def work(n):
    x = 0
    for i in range(n):
        x = (x * 1103515245 + i) % 2147483648
    return x
results = [0] * 4
def thread(i):
    results[i] = work(400000)
threads = [threading.Thread(target=thread, args=(i,), name=f"worker-{i}") for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
q = queue.Queue(2)
def produce():
    for i in range(50):
        q.put(i); time.sleep(0.001)
    q.put(None)
threading.Thread(target=produce).start()
got = []
while (item := q.get()) is not None:
    got.append(item)
print(results, sum(got))
print("to stderr", file=sys.stderr)
sys.exit(5)
"""


def python(where):
    (where / "gil.py").write_text(PYTHON)
    (status, _, n, err), found = thrice_run(where, ["/usr/bin/python3", "gil.py"])
    must(status == 5 and err == "to stderr\n", f"the program itself fails: {status} {err}")
    for trace, whole in found:
        # CPython takes its lock with pthread_cond_timedwait and an interval of 5 ms; four busy threads
        # wait most of their time.
        waits = sites(whole, "cond")
        must(total(waits) > 0, f"no waits for the GIL: {[(s['cause'], s['count']) for s in whole['sites']]}")
        names = {f for s in waits for f in functions(s)}
        must(any("take_gil" in f or "PyEval" in f for f in names), f"no function of the interpreter in the stacks: {names}")
        busy = [t for t in whole["threads"] if t["by_cause"].get("cond", 0) > 0.3 * (t["lifetime_ns"] - t["runnable_ns"])]
        must(len(busy) >= 4, f"{len(busy)} threads wait for conditions mainly: {[t['by_cause'] for t in whole['threads']]}")
        must(sum(t["by_cause"].get("sleep", 0) for t in whole["threads"]) + sum(t["by_cause"].get("semaphore", 0) for t in whole["threads"])
             > 50 * 1000000, "the producer's 50 sleeps of 1 ms and the consumer's waits are not there")


def sqlite(where):
    need("sqlite3")
    inserts = "".join(f"INSERT INTO t VALUES ({i}, '{'x' * (i % 50)}');\n" for i in range(150))
    script = ("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; CREATE TABLE t(a, b);\n" + inserts
              + "SELECT count(*), sum(a) FROM t; PRAGMA integrity_check; SELECT * FROM missing;\n")
    (where / "script.sql").write_text(script)
    results = []
    for how, line, env, trace in thrice(where, ["sqlite3", "-batch", "insert.db"]):
        (where / "insert.db").unlink(missing_ok=True)
        with open(where / "script.sql", "rb") as f:
            ended = run(line, cwd=where, env=env, stdin=f)
        content = hashlib.sha256((where / "insert.db").read_bytes()).hexdigest()
        results.append((ended.status, ended.out, ended.err, content))
        if not trace:
            must("150|11175\nok\n" in ended.out, f"the program itself fails: {ended}")
            continue
        wait_complete(trace)
        whole = check_trace(trace)
        synced = sites(whole, "file", object_="insert.db")
        must(count(synced) >= 150, f"no syncs of the database: {[(s['cause'], s['object'], s['count']) for s in whole['sites']]}")
        must(any(s["object"].endswith("insert.db") or "insert.db " in s["object"] + " " for s in synced),
             f"the database's path is no object: {[s['object'] for s in synced]}")
        top = max((c for c in whole["causes"] if c["cause"] not in ("runnable", "unexplained")), key=lambda c: c["total_ns"])
        must(top["cause"] == "file", f"sqlite3 waits mainly for {top['cause']}")
    same("(status, output, stderr, database)", results)


def shell(where):
    """Many short processes, pipes, a subshell, job control: all of it as ever, all of it in one trace."""
    script = ("for i in 1 2 3 4 5; do echo $i | tr 1-5 a-e | sed s/c/C/ & wait $!; done; (sleep 0.05; exit 3); echo $?; "
              "x=$(seq 1000 | sort -n | tail -1); echo $x; ls -d /proc/self/fd; kill -TERM $$")
    (status, *_), found = thrice_run(where, ["bash", "-c", script])
    must(status == -signal.SIGTERM, f"status {status}")
    for trace, whole in found:
        must(whole["trace"]["processes"] >= 15, f"{whole['trace']['processes']} processes")
        causes = {c["cause"] for c in whole["causes"] if c["count"]}
        must({"child", "pipe", "sleep"} <= causes, f"causes {causes}")


tests = Tests()
for name, test in [("python3", python), ("pbzip2", pbzip2), ("sqlite3", sqlite), ("redis", redis),
                   ("redis, appendfsync always", redis_appendfsync), ("nginx", nginx), ("memcached", memcached), ("bash", shell)]:
    tests.run(name, test)
tests.finish()
