"""The programs that scripts/real-programs runs: how each is loaded, what it ought to wait for, and why.

A load is a function of a Run (see scripts/real-programs). It starts the program with run.command() or
run.server(), once untraced and once traced, and says with run.same() what must not differ and with
run.speed() how fast it was. What is not the program itself (clients, compilers) runs untraced.
"""
import hashlib
import http.client
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
RUST = {"PATH": os.path.expanduser("~/.cargo/bin") + ":/usr/local/bin:/usr/bin:/bin", "RUSTUP_HOME": os.path.expanduser("~/.rustup")}


@dataclass
class Program:
    name: str
    needs: list     # programs that must be there, in words of `which`
    version: list   # prints the version somewhere in its first lines
    load: object
    what: str       # the load, in words
    waits: list     # (thread name, cause, function or call): the main wait of the threads of that name
    why: str        # why that is right
    holes: dict = field(default_factory=dict)  # like HOLES, for what is different in this program


# Why waits are in no interval: "system call function" (a regular expression) and the reason; the first match counts.
HOLES = {
    "^vfork": "the caller stands still until its child has called exec; vfork is passed on with a jump, for it must not have a frame, "
              "and nothing times it",
    "^futex .*pthread_cond_(signal|broadcast)": "before glibc wakes anybody, it may wait until the waiters of an earlier signal have left; "
                                                "the wrapper only counts",
    "^io_uring_enter": "liburing makes its system calls itself and not through libc",
    "^page fault": "no call: memory is touched that has to be read, copied or waited for",
    "^clone": "the kernel waits for memory or locks while it copies the process",
    "^(exit|exit_group)": "the thread is ending",
    "^(mmap|munmap|mprotect|madvise|brk|openat|read|pread64|newfstatat|fstat|close) ": "made by the loader, or inside of another call of glibc",
    "^futex (?!syscall)": "a lock inside of glibc",
}


def digest(data):
    return hashlib.sha256(data if isinstance(data, bytes) else Path(data).read_bytes()).hexdigest()[:16]


def words(path, n, seed):
    """Text that compresses."""
    rng = random.Random(seed)
    some = [rng.randbytes(rng.randrange(2, 12)).hex() for _ in range(5000)]
    path.write_text(" ".join(rng.choices(some, k=n)))


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    result = answer.status, digest(answer.read())
    connection.close()
    return result


def wrk(run, port, path, seconds=4):
    out = run.tool(["wrk", "-t", "1", "-c", "16", "-d", f"{seconds}s", f"http://127.0.0.1:{port}{path}"])
    run.same("wrk's errors", re.findall(r"Non-2xx.*|Socket errors.*", out))
    run.speed(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


# --- servers ---

REDIS_SESSION = "".join(f"SET key{i % 50} {i * 7919 % 10007}\nINCR counter{i % 7}\nGET key{i * 31 % 60}\nLPUSH list{i % 3} {i}\n"
                        f"RPOP list{i % 3}\nNOSUCH {i}\n" for i in range(300))


def redis_server(run, options, n, tests):
    argv = ["redis-server", "--port", run.port, "--bind", "127.0.0.1", "--save", "", "--dir", run.where, "--loglevel", "warning",
            *options]
    with run.server(argv) as server:
        run.same("redis-cli's answers", run.tool(["redis-cli", "-p", run.port], stdin=REDIS_SESSION))
        out = run.tool(["redis-benchmark", "-p", run.port, "-c", "50", "-n", n, "-t", tests, "--csv"])
        run.speed(out.splitlines()[-1].split(",")[1].strip('"'))
        run.tool(["redis-cli", "-p", run.port, "shutdown", "nosave"], status=None)
        server.end()


def redis(run):
    redis_server(run, ["--appendonly", "yes", "--appendfsync", "everysec"], 60000, "set,get")


def redis_io_threads(run):
    redis_server(run, ["--appendonly", "no", "--io-threads", "2", "--io-threads-do-reads", "yes"], 20000, "set,get")


def memcached(run):
    argv = ["memcached", "-p", run.port, "-U", "0", "-l", "127.0.0.1", "-u", "nobody", "-t", "4", "-m", "64"]
    counts = [0] * 8

    def client(n, until):
        rng = random.Random(n)
        with socket.create_connection(("127.0.0.1", run.port), 5) as s:
            f = s.makefile("rb")
            while time.monotonic() < until:
                key = rng.randrange(1000)
                s.sendall(b"set key%d 0 0 100\r\n%s\r\nget key%d\r\n" % (key, b"x" * 100, key))
                answer = [f.readline() for _ in range(4)]
                if answer[0] != b"STORED\r\n" or answer[3] != b"END\r\n":
                    raise AssertionError(answer)
                counts[n] += 2

    with run.server(argv) as server:
        with socket.create_connection(("127.0.0.1", run.port), 5) as s:
            s.sendall("".join(f"set k{i} 0 0 3\r\n{i:03}\r\nget k{i}\r\ndelete k{i % 7}\r\nincr n 1\r\nbogus\r\n"
                              for i in range(200)).encode() + b"quit\r\n")
            run.same("answers", s.makefile("rb").read())
        clients = [threading.Thread(target=client, args=(i, time.monotonic() + 4)) for i in range(8)]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        run.speed(sum(counts) / 4)
        run.same("every client was served", all(counts))
        server.end(signal.SIGTERM)


NGINX = """
daemon off; master_process on; worker_processes 2; user nobody nogroup; pid {where}/nginx.pid; error_log {where}/error.log warn;
events {{ worker_connections 128; }}
http {{
  access_log {where}/access.log; default_type text/plain; sendfile on;
  client_body_temp_path {where}/b; proxy_temp_path {where}/p; fastcgi_temp_path {where}/f; uwsgi_temp_path {where}/u;
  scgi_temp_path {where}/s;
  server {{ listen 127.0.0.1:{port}; root {where}/www; }}
}}
"""


def nginx(run):
    (run.where / "www").mkdir()
    for n in (10, 5000, 300000):
        (run.where / f"www/{n}").write_bytes(random.Random(n).randbytes(n))
    (run.where / "nginx.conf").write_text(NGINX.format(where=run.where, port=run.port))
    argv = ["nginx", "-p", run.where, "-c", run.where / "nginx.conf", "-e", run.where / "error.log"]
    with run.server(argv) as server:
        run.same("answers", [get(run.port, path) for path in ("/10", "/5000", "/300000", "/none")])
        wrk(run, run.port, "/5000")
        os.kill(int((run.where / "nginx.pid").read_text()), signal.SIGQUIT)
        server.end()
    run.same("error.log", re.sub(r"\d+", "N", (run.where / "error.log").read_text()))


def postgres(run):
    script = f"initdb -D data -A trust -E UTF8 --locale C.UTF-8 >initdb.log 2>&1 && exec postgres -D data -p {run.port} -k {run.where}"
    client = ["-h", str(run.where), "-p", str(run.port)]
    with run.server(["sh", "-c", script], user="postgres", ready=["pg_isready", *client, "-U", "postgres", "-d", "postgres"]) as server:
        run.same("initdb", re.sub(r"\d+", "N", (run.where / "initdb.log").read_text()))
        run.tool(["pgbench", *client, "-i", "-q", "-s", "3", "postgres"], user="postgres")
        out = run.tool(["pgbench", *client, "-c", "8", "-j", "2", "-T", "5", "postgres"], user="postgres")
        run.same("pgbench's failures", re.findall(r"number of failed.*", out))
        run.speed(re.search(r"tps = ([\d.]+)", out)[1])
        run.same("psql's answers", run.tool(
            ["psql", *client, "-At", "postgres", "-c", "CREATE TABLE t AS SELECT g, md5(g::text) m FROM generate_series(1, 50000) g",
             "-c", "CREATE INDEX ON t(m)", "-c", "SELECT sum(g), min(m), max(m) FROM t", "-c", "SELECT g FROM t WHERE m < '0001' ORDER BY m",
             "-c", "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(bbalance) FROM pgbench_branches)",
             "-c", "SELECT 1/0", "-c", "VACUUM ANALYZE t"], user="postgres", status=None))
        run.tool(["pg_ctl", "stop", "-D", "data", "-m", "fast", "-s"], user="postgres")
        server.end()
    run.same("the log's complaints", re.findall(r"(?:PANIC|FATAL|WARNING|terminated)(?!.*starting up).*", server.output()))


def mariadb(run):
    install = (f"mariadb-install-db --no-defaults --datadir={run.where}/data --auth-root-authentication-method=normal "
               "--skip-test-db >install.log 2>&1")
    start = (f"mariadbd --no-defaults --datadir={run.where}/data --socket={run.where}/s --port={run.port} --bind-address=127.0.0.1 "
             f"--pid-file={run.where}/pid --innodb-flush-log-at-trx-commit=1")
    client = ["mariadb", "--no-defaults", f"--socket={run.where}/s", "-u", "root"]
    bench = ["sysbench", "oltp_read_write", f"--mysql-socket={run.where}/s", "--mysql-user=root", "--mysql-db=bench", "--tables=2",
             "--table-size=5000"]
    ready = ["mariadb-admin", "--no-defaults", f"--socket={run.where}/s", "-u", "root", "ping"]
    with run.server(["sh", "-c", f"{install} && exec {start}"], user="mysql", ready=ready) as server:
        run.tool([*client, "-e", "CREATE DATABASE bench"])
        run.tool([*bench, "prepare"])
        out = run.tool([*bench, "--threads=8", "--time=5", "run"])
        run.speed(re.search(r"transactions:.*\(([\d.]+) per sec", out)[1])
        run.same("answers", run.tool(
            [*client, "-f", "bench", "-e", "CREATE TABLE t (a INT PRIMARY KEY, b TEXT) SELECT seq a, MD5(seq) b FROM seq_1_to_20000;"
             "SELECT SUM(a), MIN(b), MAX(b) FROM t; SELECT a FROM t WHERE b < '0005' ORDER BY b; CHECKSUM TABLE t;"
             "SELECT COUNT(*) FROM sbtest1; CHECK TABLE sbtest1, sbtest2; SELECT * FROM missing"], status=None))
        server.end(signal.SIGTERM)
    run.same("the log's complaints", re.findall(r"\[(?:ERROR|Warning)\].*", server.output()))


def node(run):
    (run.where / "data").write_bytes(random.Random(1).randbytes(20000))
    (run.where / "server.js").write_bytes((HERE / "server.js").read_bytes())
    with run.server(["node", run.where / "server.js", run.port]) as server:
        run.same("answers", [get(run.port, path) for i in range(20) for path in ("/file", f"/worker/{i}")])
        wrk(run, run.port, "/file", 3)
        wrk(run, run.port, "/worker/1", 2)
        run.same("the end", get(run.port, "/quit"))
        server.end()


# --- programs that end by themselves ---

def python(script):
    return lambda run: run.command([PYTHON, HERE / script])


def java(run):
    run.tool(["javac", "-d", run.where, HERE / "Threads.java"])
    run.command(["java", "-Xmx256m", "-cp", run.where, "Threads"], timed=True)


def rust(run):
    run.tool(["rustc", "-O", "-g", "-o", run.where / "threads-rs", HERE / "threads.rs"], env=RUST)
    run.command([run.where / "threads-rs"])


def cxx(run):
    run.tool(["g++", "-std=c++20", "-O2", "-g", "-o", run.where / "threads-cc", HERE / "threads.cc"])
    run.command([run.where / "threads-cc"])


def git(run):
    rng = random.Random(1)
    lines = []
    for commit in range(40):
        lines.append(f"commit refs/heads/main\ncommitter A <a@example.org> {1700000000 + commit} +0000\ndata 2\nc\n")
        for _ in range(50):
            text = "".join(f"{rng.randrange(10 ** 9)} {rng.randrange(1000)}\n" for _ in range(60))
            lines.append(f"M 100644 inline d{rng.randrange(20)}/f{rng.randrange(30)}\ndata {len(text)}\n{text}\n")
    repository = run.where / "repository"
    run.tool(["git", "init", "-q", "-b", "main", repository])
    run.tool(["git", "-C", repository, "fast-import", "--quiet"], stdin="".join(lines))
    run.command(["sh", "-c", "git clone -q file://$PWD/repository clone && cd clone && echo x >d1/new && git status --porcelain && git add . && "
                 "git -c user.name=A -c user.email=a@example.org commit -q --date=1700001000 -m x && git gc -q && git fsck --full 2>&1 && "
                 "git rev-parse HEAD^ HEAD: && git log --oneline main~1 | tail -3 && git status"], timed=True)


def curl(run):
    server = subprocess.Popen([PYTHON, HERE / "slow_server.py", str(run.port)])
    try:
        run.wait_for(run.port)
        url = f"http://127.0.0.1:{run.port}"
        run.command(["sh", "-c", f"curl -sSf '{url}/[1-40]' -o 'one_#1'; curl -sSfZ --no-progress-meter --parallel-max 4 '{url}/[1-80]' "
                     f"-o 'four_#1'; curl -sS http://127.0.0.1:1/; echo $?"], hide=rb"after \d+ ms")
        run.same("what it got", digest(b"".join(f.read_bytes() for f in sorted(run.where.glob("*_*")))))
    finally:
        server.kill()
        server.wait()


def ffmpeg(run):
    run.command(["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-t", "8", "-threads", "4",
                 "-c:v", "mpeg2video", "-b:v", "2M", "-bitexact", "-f", "mpegts", "out.ts"], timed=True)
    run.same("out.ts", digest(run.where / "out.ts"))


def x264(run):
    run.tool(["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-t", "6", "-pix_fmt", "yuv420p",
              run.where / "in.y4m"])
    run.command(["x264", "--quiet", "--no-progress", "--threads", "4", "--preset", "fast", "-o", "out.264", "in.y4m"], timed=True,
                hide=rb"[\d.]+ fps")
    run.same("out.264", digest(run.where / "out.264"))


def compressor(argv):
    def load(run):
        words(run.where / "data", 1500000, 4)
        run.command(["sh", "-c", f"{argv} data >packed && {argv} -d <packed >unpacked"], timed=True)
        run.same("packed", digest(run.where / "packed"))
        run.same("unpacked", digest(run.where / "unpacked"))
    return load


def sqlite(run):
    inserts = "".join(f"INSERT INTO t VALUES ({i}, '{'x' * (i % 50)}');\n" for i in range(500))
    (run.where / "script.sql").write_text(
        "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; CREATE TABLE t(a, b);\n" + inserts
        + "SELECT count(*), sum(a) FROM t; PRAGMA integrity_check; SELECT * FROM missing;\n")
    run.command(["sqlite3", "-batch", "insert.db"], stdin=run.where / "script.sql", timed=True)
    run.same("insert.db", digest(run.where / "insert.db"))


def make(run):
    n = 30
    for i in range(n):
        (run.where / f"part{i}.c").write_text(
            "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
            + "".join(f"static int f{j}(int x) {{ int s = {j}; for (int k = 0; k < x; k++) s = s * 31 + k % {j + 3}; return s; }}\n"
                      for j in range(60))
            + f"int part{i}(int x) {{ return " + " + ".join(f"f{j}(x)" for j in range(60)) + "; }\n")
    (run.where / "main.c").write_text(
        "#include <stdio.h>\n" + "".join(f"int part{i}(int);\n" for i in range(n)) + "int main(void) { unsigned s = 0;\n"
        + "".join(f"s += (unsigned)part{i}(9);\n" for i in range(n)) + 'printf("%u\\n", s); }\n')
    objects = " ".join(f"part{i}.o" for i in range(n))
    (run.where / "Makefile").write_text(f"CFLAGS = -O2 -fwrapv\nmain: main.o {objects}\n\t$(CC) -o $@ $^\n")
    run.command(["make", "-j4", "--output-sync=target"], timed=True, sort=True)
    run.same("the program that was built", run.tool([run.where / "main"]))


POLL = "an event loop has nothing to do until a descriptor is ready"
PROGRAMS = [
    Program("redis", ["redis-server", "redis-benchmark"], ["redis-server", "--version"], redis,
            "redis-benchmark -c 50, SET and GET, appendfsync everysec",
            [("^redis-server$", "poll", "epoll_wait"), ("^bio_", "cond", "bioProcess|pthread_cond_wait")],
            f"{POLL}: the main thread is in epoll_wait; the bio threads wait for jobs on a condition"),
    Program("redis, io-threads", ["redis-server", "redis-benchmark"], ["redis-server", "--version"], redis_io_threads,
            "redis-benchmark -c 50, SET and GET, io-threads 2",
            [("^redis-server$", "poll", "epoll_wait"), ("^io_thd", "mutex", "pthread_mutex_lock")],
            f"{POLL}: the main thread is in epoll_wait; an io thread that it has stopped waits for the mutex that it holds "
            "meanwhile, and spins while it is on"),
    Program("memcached", ["memcached"], ["memcached", "-V"], memcached, "8 connections, sets and gets, 4 worker threads",
            [("worker", "poll", "epoll_wait")], f"{POLL}: each worker has libevent's loop; its item locks are held for microseconds"),
    Program("nginx", ["nginx", "wrk"], ["nginx", "-v"], nginx, "wrk -c 16, a file of 5 kB, 2 workers",
            [("^nginx$", "signal|poll", "sigsuspend|epoll_wait")],
            f"{POLL}: the workers are in epoll_wait; the master sleeps in sigsuspend until it is told something"),
    Program("postgres", ["initdb", "postgres", "pgbench"], ["postgres", "--version"], postgres, "initdb; pgbench -c 8 -j 2",
            [("^postgres$", "poll", "WaitEventSetWait")],
            "every process waits for its client, its latch or its timer in WaitEventSetWait, which is epoll_wait; commits wait for "
            "fdatasync of the log"),
    Program("mariadb", ["mariadbd", "mariadb-install-db", "sysbench"], ["mariadbd", "--version"], mariadb,
            "mariadb-install-db; sysbench oltp_read_write, 8 threads",
            [("^mariadbd$", "cond", "pthread_cond|tpool|wait_for_tasks")],
            "helper threads wait on conditions for work or for their next turn, connections in poll for the next statement"),
    Program("python3, threads", [PYTHON], [PYTHON, "--version"], python("threads.py"), "4 threads that compute, a queue",
            [("^python3$", "cond", "take_gil|PyEval|pthread_cond_timedwait")],
            "one interpreter lock: take_gil waits on a condition, 5 ms at a time, for the thread that has it"),
    Program("python3, multiprocessing", [PYTHON], [PYTHON, "--version"], python("processes.py"), "a pool of 4, a queue, a pipe",
            [("^python3$", "semaphore", "sem_wait|sem_clockwait|sem_timedwait")],
            "workers share one semaphore around the pipe of tasks: one reads, the others wait for it; the parent's threads wait for results"),
    Program("python3, asyncio", [PYTHON], [PYTHON, "--version"], python("tasks.py"), "a server and 40 clients in one loop",
            [("^python3$", "poll", "epoll_wait")],
            f"{POLL}; the threads of to_thread sleep, or wait for work on a semaphore"),
    Program("python3, subprocess", [PYTHON], [PYTHON, "--version"], python("children.py"), "250 children, pipelines, timeouts",
            [("^python3$", "pipe|child", "read|waitpid")],
            "the parent reads its children's pipes until they are closed, then waits for the children"),
    Program("node", ["node", "wrk"], ["node", "--version"], node, "wrk -c 16: files through libuv's threads, then a worker thread",
            [("^node$", "cond", "uv_cond_wait|pthread_cond_wait")],
            f"{POLL}; libuv's and V8's pool threads wait on conditions for work"),
    Program("java", ["java", "javac"], ["java", "-version"], java, "contended monitor, queue, park, pool: 10 threads",
            [("contender|parker|consumer|pool-", "cond", "Parker::park|PlatformEvent::park|pthread_cond")],
            "HotSpot parks a thread on its own condition, whatever Java calls it: a monitor, a queue, LockSupport, sleep"),
    Program("git", ["git"], ["git", "--version"], git, "clone, status, commit, gc, fsck of 40 commits with 2,000 files",
            [("^git$|^sh$", "child|pipe", "wait|read")],
            "git starts git: the caller waits for its child or for its pipe"),
    Program("curl", ["curl"], ["curl", "--version"], curl, "120 requests, alone and 4 at a time, 30 ms each",
            [("^curl$", "poll", "poll")], "the answer takes 30 ms, and curl waits for it in poll"),
    Program("ffmpeg", ["ffmpeg"], ["ffmpeg", "-version"], ffmpeg, "8 s of testsrc2 to MPEG-2, 4 threads",
            [("^ffmpeg$|^av:|^enc|^dec|^mux", "cond", "pthread_cond_wait")],
            "slice and frame threads wait on conditions for their next piece of work, the caller for the slowest of them"),
    Program("x264", ["x264", "ffmpeg"], ["x264", "--version"], x264, "6 s of testsrc2, 4 threads",
            [("^x264$", "cond", "pthread_cond_wait")],
            "frame threads wait on conditions until the frames that theirs refer to are far enough, pool threads for work"),
    Program("pbzip2", ["pbzip2"], ["pbzip2", "-V"], compressor("pbzip2 -c -k -p4 -b2"), "12 MB, 4 threads, and back",
            [("^pbzip2$", "cond", "pthread_cond_wait|pthread_cond_timedwait")],
            "consumers wait on a condition for a block, the writer for the next block in order, the main thread joins them"),
    Program("pigz", ["pigz"], ["pigz", "--version"], compressor("pigz -c -n -p 4"), "12 MB, 4 threads, and back",
            [("^pigz$", "cond", "pthread_cond_wait")],
            "its locks with a value (yarn.c) are a mutex and a condition: readers wait for free buffers, writers for the next block"),
    Program("sqlite3", ["sqlite3"], ["sqlite3", "--version"], sqlite, "500 transactions, synchronous=FULL",
            [("^sqlite3$", "file", "fdatasync|fsync|unixSync|full_fsync")], "each transaction syncs its journal and its database to the disk"),
    Program("make and gcc", ["make", "gcc"], ["make", "--version"], make, "make -j4, 31 files of C",
            [("^make$|^cc$|^gcc$|^collect2$", "child|pipe", "wait|read|pselect")],
            "make waits for a job to end or for a token of its job server, gcc for cc1, as and ld"),
    Program("Rust std", ["rustc"], ["rustc", "--version"], rust, "Mutex, Condvar, mpsc, park: 9 threads",
            [("contender|player|receiver|parker", "futex", "futex|lock_contended|Condvar|park")],
            "std calls futex itself: a mutex that is held over a sleep makes the other three wait in futex"),
    Program("C++ std", ["g++"], ["g++", "--version"], cxx, "thread, mutex, condition_variable, atomic::wait: 7 threads",
            [("^contender$", "mutex", "pthread_mutex_lock"), ("^player$", "cond|mutex", "pthread_cond_wait|pthread_mutex_lock"),
             ("^atomic$", "futex", "syscall|atomic")],
            "std::mutex and std::condition_variable are pthread's; atomic::wait calls futex through syscall()"),
]
